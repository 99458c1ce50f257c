"""
A real HAProxy that says by the PROXY protocol for whom it dials, in both versions, and a server that takes the clients'
addresses from it, with TLS and behind what ends TLS, with one worker and with two.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import socket
import ssl
from pathlib import Path

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import environmentFor, until
from tests.integration.harness import needed
from tests.integration.rawformat2 import WELCOME, RawTunnel2, clientHello, newId, tlsContext
from tests.integration.rawpeers import RawTunnel
from tests.integration.rig import PLAIN, RigTestCase, said, serverWords
from tests.integration.test_terminator import accepts, haproxyProgram
from uotp.net.steering import steeringTrouble

HOSTS = [f"127.0.9.{last}" for last in range(1, 17)]
"""Clients of ours come from these."""

CONFIGURATION = """\
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen one
    bind {one[0]}:{one[1]}
    server uotp {server[0]}:{server[1]} send-proxy check inter 100ms
listen two
    bind {two[0]}:{two[1]}
    server uotp {server[0]}:{server[1]} send-proxy-v2 check inter 100ms
listen ends
    bind {ends[0]}:{ends[1]} ssl crt {certificate} alpn http/1.1,uotp/2
    server uotp {plain[0]}:{plain[1]} send-proxy-v2 proxy-v2-options ssl,cert-cn check inter 100ms
"""
"""Doors for both versions, and one that ends TLS; all look again and again whether the server is there."""


class ProxyProtocolTests(RigTestCase):
    """
    Clients from many addresses.

    @cvar workers: how many each server has.
    """

    workers = 1

    def setUp(self) -> None:
        super().setUp()
        program = haproxyProgram()
        if self.workers > 1 and (trouble := steeringTrouble()) is not None:
            needed(trouble)
        self.pki = self.newPki()
        self.end = self.udpEnd()
        words = ["--proxy-protocol", LOOPBACK, "--workers", str(self.workers)]
        self.server = self.startServer(self.end.address, *serverWords(self.pki), *words)
        self.plain = self.startServer(self.end.address, *PLAIN, *words)
        self.doors: dict[str, Address] = {
            name: (LOOPBACK, freePort(socket.SOCK_STREAM)) for name in ("one", "two", "ends")
        }
        both = Path(self.mktemp()).resolve()
        both.write_bytes(Path(self.pki.serverCertificate).read_bytes() + Path(self.pki.serverKey).read_bytes())
        configuration = Path(self.mktemp()).resolve()
        places = {"server": self.listening(self.server), "plain": self.listening(self.plain), **self.doors}
        configuration.write_text(CONFIGURATION.format(certificate=both, **places), encoding="utf-8")
        self.start("haproxy", [program, "-db", "-f", str(configuration)], environmentFor())
        for address in self.doors.values():
            until(lambda: accepts(address), "HAProxy accepts connections")  # noqa: B023
        self.context = tlsContext(self.pki.caCertificate)
        self.context.load_cert_chain(self.pki.clientCertificate, self.pki.clientKey)

    def dial(self, door: str, host: str, sessionId: bytes) -> RawTunnel2:
        """
        @return: a tunnel that the server has welcomed.
        """
        connection = socket.create_connection(self.doors[door], 300, (host, 0))
        secured = self.context.wrap_socket(connection, server_hostname=LOOPBACK)
        tunnel = RawTunnel2(RawTunnel(secured))
        self.addCleanup(tunnel.close)
        tunnel.say(clientHello(sessionId))
        self.assertEqual(tunnel.readHello()[0], WELCOME)
        return tunnel

    def test_eachClientIsKnownByItsAddress(self) -> None:
        """
        Its tunnels meet, whichever version their headers have, and nothing is said of health checks.
        """
        ids = {host: newId() for host in HOSTS}
        for host, sessionId in ids.items():
            for door in ("one", "two"):
                self.dial(door, host, sessionId)
        for host in HOSTS:
            self.server.waitForLine(rf"opened from {host}\b")
        opened = said(self.server, " opened from ")
        self.assertEqual(len(opened), len(HOSTS), opened)
        for host in HOSTS:
            self.dial("ends", host, ids[host])
            self.plain.waitForLine(rf"opened from {host}\b")
        for server in (self.server, self.plain):
            self.assertEqual([line for line in said(server, "#warn]") if "refused" in line or "handed" in line], [])
            self.assertSharedOut(server.lines)

    def assertSharedOut(self, lines: list[str]) -> None:
        """
        Each worker has some of the sessions.
        """
        found = {line.partition("worker ")[2][:1] for line in lines if " opened from " in line}
        self.assertEqual(len(found), self.workers)

    def test_whoSaysNothingOrSomethingElseIsRefused(self) -> None:
        """
        With one line for each kind of reason; a connection that is trickled has its time.
        """
        server = self.listening(self.server)
        for begun in (b"\x16\x03\x01\x02\x00\x01", b"PROXY TCP4 nowhere 192.0.2.1 1 2\r\n"):
            for _ in range(5):
                with socket.create_connection(server, 300) as connection:
                    connection.sendall(begun)
                    with contextlib.suppress(ConnectionError):
                        self.assertEqual(connection.recv(100), b"")
        self.server.waitForLine("begins with no header of the PROXY protocol")
        self.server.waitForLine("is malformed: an address is none")
        self.assertEqual(len(said(self.server, "refused a connection")), 2)
        with socket.create_connection(server, 300) as connection:
            connection.sendall(b"PROX")
            with contextlib.suppress(ConnectionError):
                self.assertEqual(connection.recv(100), b"")
        self.server.waitForLine("sent no whole header of the PROXY protocol in 10 s")

    def test_othersMayNotSayWhoTheyAre(self) -> None:
        """
        From an address that is not named, a header is understood by nobody.
        """
        with socket.create_connection(self.listening(self.server), 300, ("127.0.9.1", 0)) as connection:
            connection.sendall(b"PROXY TCP4 203.0.113.1 192.0.2.1 1 2\r\n")
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                while connection.recv(100):
                    pass
        self.server.waitForLine(r"refused a connection from 127\.0\.9\.1: .*PROXY protocol")


class ProxyProtocolBeforeWorkersTests(ProxyProtocolTests):
    """
    The same with two workers, to one of which the kernel gives all connections.
    """

    workers = 2
