"""
All at once, with real programs: HAProxy that tells the clients' addresses, over IPv4 and IPv6, a server with a token, a
secret path and a real nginx behind it, and clients that pad.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import os
import re
import shutil
import socket
from pathlib import Path

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import Program, environmentFor, until
from tests.integration.harness import needed, ourCommand
from tests.integration.rig import RigTestCase, said
from tests.integration.test_terminator import accepts, haproxyProgram
from tests.integration.test_web_site import curled
from tests.integration.udpends import Flow
from tests.integration.website import startWebSite
from uotp.net.steering import steeringTrouble

TOKEN = "a token of 24 letters, so"  # noqa: S105 - for a test

PATH = "/a-path-that-nobody-knows"

CLIENT = "127.0.9.3"
"""Where a client comes from that has one of many addresses."""

LOOPBACK_6 = "::1"

HAPROXY = """\
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
"""

DOOR = """\
listen {name}
    bind {door}
    server uotp {server} {words} check inter 200ms fall 100
"""

DOORS = {
    "v1 from IPv4 over IPv6": (LOOPBACK, LOOPBACK_6, "send-proxy"),
    "v2 from IPv4 over IPv6": (LOOPBACK, LOOPBACK_6, "send-proxy-v2"),
    "v1 from IPv6 over IPv4": (LOOPBACK_6, LOOPBACK, "send-proxy"),
    "v2 from IPv6 over IPv4": (LOOPBACK_6, LOOPBACK, "send-proxy-v2 proxy-v2-options crc32c,unique-id"),
}
"""Where each door is, how the server is reached from there, and what HAProxy says of the client."""


def inUrl(address: Address) -> str:
    """
    @return: an address as it stands in a URL.
    """
    return f"{bracketed(address[0])}:{address[1]}"


def bracketed(host: str) -> str:
    """
    @return: a host as it stands in a URL.
    """
    return f"[{host}]" if ":" in host else host


class MixedWaysTests(RigTestCase):
    """
    One server for all.

    @cvar workers: how many it has.
    """

    workers = 1

    def setUp(self) -> None:
        super().setUp()
        if self.workers > 1 and (trouble := steeringTrouble()) is not None:
            needed(trouble)
        nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if nginx is None:
            needed("nginx is missing: install the package nginx-light")
        haproxy = haproxyProgram()
        self.folder = Path(self.mktemp()).resolve()
        self.startNginx(nginx)
        self.pki = self.newPki()
        self.udpTarget = self.udpEnd()
        self.tokens = self.folder / "tokens"
        self.tokens.touch(mode=0o600)
        self.tokens.write_text(TOKEN + "\n", "ascii")
        port = freePort(socket.SOCK_STREAM)
        words = ["-c", self.pki.serverCertificate, "-k", self.pki.serverKey, "--token-file", str(self.tokens), "--pad"]
        words += ["--http-path", PATH, "--fallback", inUrl(self.site), "--workers", str(self.workers)]
        words += ["--proxy-protocol", LOOPBACK, "--proxy-protocol", LOOPBACK_6, "-a", LOOPBACK_6]
        self.server = self.startServer(self.udpTarget.address, *words, listen=(LOOPBACK, port))
        self.listening(self.server)
        for host in (LOOPBACK, LOOPBACK_6):
            until(lambda: accepts((host, port)), "the server listens")  # noqa: B023
        self.doors: dict[str, Address] = {}
        lines = [HAPROXY]
        for number, (name, (host, server, how)) in enumerate(DOORS.items()):
            self.doors[name] = door = (host, freePort(socket.SOCK_STREAM))
            lines.append(DOOR.format(name=f"door{number}", door=inUrl(door), server=f"{server}:{port}", words=how))
        configuration = self.folder / "haproxy.cfg"
        configuration.write_text("".join(lines), "ascii")
        self.start("haproxy", [haproxy, "-db", "-f", str(configuration)], environmentFor())
        for address in self.doors.values():
            until(lambda: accepts(address), "HAProxy accepts connections")  # noqa: B023

    def startNginx(self, program: str) -> None:
        """
        Start the web server behind the server.
        """
        self.site = (LOOPBACK, freePort(socket.SOCK_STREAM))
        startWebSite(self, program, self.folder, self.site, "<h1>It works!</h1>\n")

    def startNamed(self, server: str) -> Program:
        """
        @param server: a place or a URL.
        @return: a client that is told it.
        """
        words = ["-C", self.pki.caCertificate, "--token-file", str(self.tokens), "--pad", "-n", "4", "--min-pool", "4"]
        return self.start("our client", ourCommand("client", "-a", LOOPBACK, "-p", "0", *words, server))

    def test_eachWayLeadsToTheServer(self) -> None:
        """
        Bare and by the path, through each door; the server's log has the client's address, and nothing secret.
        """
        seen: dict[str, str] = {}
        for name, door in self.doors.items():
            for server in (inUrl(door), f"wss://{inUrl(door)}{PATH}"):
                client = self.startNamed(server)
                flow = Flow(self.udpEnd(), self.listening(client), self.udpTarget)
                flow.openPool()
                for size in (1, 1400, 9000, 65507):
                    flow.both(bytes(size))
                self.assertStops(client)
            opened = {each: line for each, line in self.opened().items() if each not in seen}
            seen |= opened
            host = re.escape(LOOPBACK_6 if door[0] == LOOPBACK_6 else LOOPBACK)
            self.assertEqual(len(opened), 2, name)
            for line in opened.values():
                self.assertRegex(line, rf" opened from \[?{host}\]?\b", name)
        self.assertNothingSecretWasSaid()

    def opened(self) -> dict[str, str]:
        """
        @return: what the server has said of each session that it has opened.  A tunnel that is still on its way when
            its client has left opens a session once more.
        """
        found = (re.search(r"session (\w+) opened from .*", line) for line in self.server.lines)
        return {match[1]: match[0] for match in found if match is not None}

    def test_visitorsFindTheWebSiteAndAreNamed(self) -> None:
        """
        Whichever door they take.
        """
        for name, door in self.doors.items():
            self.assertIn("It works!", curled((bracketed(door[0]), door[1]), "/"), name)
        for host in (LOOPBACK, LOOPBACK_6):
            self.server.waitForLine(rf"brought a visitor from \[?{re.escape(host)}\]? to the web site: it speaks HTTP")
        door = self.doors["v1 from IPv4 over IPv6"]
        with socket.create_connection(door, 300, (CLIENT, 0)) as visitor:
            visitor.sendall(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(508))
            with contextlib.suppress(ConnectionError):
                while visitor.recv(100):
                    pass
        self.server.waitForLine(re.escape(CLIENT))
        self.assertNothingSecretWasSaid()

    def assertNothingSecretWasSaid(self) -> None:
        """
        Nor anything that should not be.
        """
        for secret in (TOKEN, PATH[1:], "Traceback", "#error", "#critical"):
            self.assertEqual(said(self.server, secret), [])


class MixedWaysToWorkersTests(MixedWaysTests):
    """
    The same with two workers.
    """

    workers = 2
