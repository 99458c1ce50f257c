"""
What else a client is told, and what else becomes of its proxy, where its way leads through one.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import sys

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import Program, until
from tests.integration.harness import needed, ourCommand, runToEnd
from tests.integration.proxyrig import IN_URL, USER, WORD, ProxyTestCase
from tests.integration.rig import clientWords, said, serverWords, twistdCommand
from tests.integration.udpends import Flow

PATH = "/0b7c6e9aa5a1dd0f5"
"""Where the server speaks WebSocket."""

IDLE_SECONDS = 2
"""A proxy that is told so closes connections on which nothing has come for so long."""

NOBODY = 65534

USED = "the file with the password for the proxy .* has changed, and is used from now on"
NOT_USED = "have changed and cannot be used, so all old ones stay in use"


def shownBySs(door: Address, *options: str) -> str:
    """
    @return: what C{ss} shows of the connections to a proxy.
    """
    program = shutil.which("ss")
    if program is None:
        needed("ss is missing: install the package iproute2")
    return runToEnd([program, "-Htn", *options, "dst", f"{door[0]}:{door[1]}"]).stdout


class WebSocketTests(ProxyTestCase):
    """
    A proxy on the way to a web server.
    """

    def setUp(self) -> None:
        super().setUp()
        self.startSquid()
        words = serverWords(self.pki)
        self.behind = self.listening(self.startServer(self.udpTarget.address, *words, "--http-path", PATH))

    def carried(self, *words: str) -> None:
        """
        See all pass through WebSocket inside of a proxy.
        """
        url = f"wss://localhost:{self.behind[1]}{PATH}"
        line = ["-a", LOOPBACK, "-p", "0", *clientWords(self.pki), "-v", "debug", *words, url]
        client = self.start("our client", ourCommand("client", *line, module=self.module))
        self.carries(client)
        client.waitForLine("connected to .* through the proxy localhost port")
        self.assertNotIn(PATH[1:], client.story())

    def test_throughAProxy(self) -> None:
        self.carried("--proxy", f"http://{IN_URL}@localhost:{self.door[1]}")

    def test_throughOneThatSpeaksTlsItself(self) -> None:
        cas = ["--proxy-cafile", self.pki.caCertificate]
        self.carried("--proxy", f"https://{IN_URL}@localhost:{self.secure[1]}", *cas)

    def test_throughOneWhoseTlsABalancerEnds(self) -> None:
        door = self.startHaproxy(self.door, endsTls=True)
        cas = ["--proxy-cafile", self.pki.caCertificate]
        self.carried("--proxy", f"https://{IN_URL}@localhost:{door[1]}", *cas)


class PasswordTests(ProxyTestCase):
    """
    The file with the password changes while the client runs.
    """

    def changed(self, *words: str) -> None:
        """
        Begin with a wrong one, have it mended, and break the file.
        """
        self.startSquid()
        word = self.passwordFile(f"{USER}:wrong")
        client = self.client("--proxy", f"http://localhost:{self.door[1]}", "--proxy-auth-file", word, *words)
        flow = Flow(self.udpEnd(), self.listening(client), self.udpTarget)
        flow.application.send(b"in vain", flow.client)
        client.waitForLine(r"does not accept user and password \(407\)")
        self.passwordFile()
        client.waitForLine(USED)
        flow.resume()
        self.passwordFile("secret, and no user")
        client.waitForLine(NOT_USED)
        flow.both(b"and on")
        client.process.send_signal(signal.SIGHUP)
        client.waitForLine("not reloaded, the old certificates stay in use: .*one line is needed, USER:PASSWORD")
        flow.both(b"and on again")
        self.passwordFile()
        client.process.send_signal(signal.SIGHUP)
        client.waitForLine(" reloaded")
        self.carries(client)
        self.assertNotIn("secret", client.story())
        self.assertStops(client)

    def test_newOneIsUsed(self) -> None:
        self.changed()

    def test_newOneIsUsedByEachWorker(self) -> None:
        self.changed("--workers", "2")


class OptionTests(ProxyTestCase):
    """
    What is said of connections holds for those to the proxy.
    """

    def test_mark(self) -> None:
        if sys.platform != "linux" or os.geteuid() != 0:
            needed("only root can mark connections, on Linux")
        self.startSquid()
        self.carries(self.client("--proxy", f"http://{IN_URL}@{LOOPBACK}:{self.door[1]}", "--mark", "0xca6c"))
        until(lambda: len(shownBySs(self.door, "-e").split("\n")) > 2, "several are open")
        lines = [line for line in shownBySs(self.door, "-e").splitlines() if line]
        self.assertEqual([line for line in lines if "fwmark:0xca6c" not in line], [])

    def test_segmentSize(self) -> None:
        self.startSquid()
        self.carries(self.client("--proxy", f"http://{IN_URL}@{LOOPBACK}:{self.door[1]}", "--mss", "1200"))
        sizes: list[int] = []

        def areSeveral() -> bool:
            sizes[:] = map(int, re.findall(r"[ \t]mss:(\d+)", shownBySs(self.door, "-i")))
            return len(sizes) > 1

        until(areSeveral, "several are open")
        self.assertLessEqual(max(sizes), 1200)

    def test_addressOfIpv6(self) -> None:
        self.startSquid()
        cas = ["--proxy-cafile", self.pki.caCertificate]
        for words in (
            ["--proxy", f"http://{IN_URL}@[::1]:{self.door[1]}"],
            ["--proxy", f"https://{IN_URL}@[::1]:{self.secure[1]}", *cas],
        ):
            client = self.client(*words)
            self.carries(client)
            client.waitForLine(r"through the proxy ::1 port")

    def test_chrootAndAnotherUser(self) -> None:
        """
        The name of the proxy is known there, also when it is dialled again.  Its password was read before.
        """
        if sys.platform != "linux" or os.geteuid() != 0:
            needed("a chroot with a device in it needs root, on Linux")
        jail = self.folder / "jail"
        (jail / "dev").mkdir(parents=True)
        os.mknod(jail / "dev" / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        (jail / "etc").mkdir()
        (jail / "etc" / "passwd").write_text(f"nobody:x:{NOBODY}:{NOBODY}::/:\n")  # which twistd reads there
        squid = self.startSquid()
        away = ["-n", "--pidfile=", "--chroot", str(jail), "--uid", str(NOBODY), "--gid", str(NOBODY), "uotp-client"]
        through = ["--proxy", f"https://localhost:{self.secure[1]}", "--proxy-cafile", self.pki.caCertificate]
        through += ["--proxy-auth-file", self.passwordFile()]
        words = ["-a", LOOPBACK, "-p", "0", *clientWords(self.pki), *through, "localhost", str(self.address[1])]
        client = self.start("our client", twistdCommand(*away, *words))
        flow = self.carries(client)
        squid.kill()
        client.waitForLine(r"no tunnel to localhost port \d+ is left")
        self.startSquid()
        flow.resume()
        client.process.send_signal(signal.SIGHUP)
        client.waitForLine("not reloaded, the old certificates stay in use")
        flow.both(b"and on")
        self.assertStops(client)
        self.assertEqual([line for line in client.lines if "Traceback" in line or "critical" in line], [])


class IdleTests(ProxyTestCase):
    """
    A proxy closes connections on which nothing is said.
    """

    def test_loneFlowSurvivesThat(self) -> None:
        """
        What is sent after each pause arrives.
        """
        self.startSquid()
        door = self.startHaproxy(self.door, IDLE_SECONDS)
        client = self.client("--proxy", f"http://{IN_URL}@{LOOPBACK}:{door[1]}")
        flow = Flow(self.udpEnd(), self.listening(client), self.udpTarget)
        for number in range(3):
            flow.both(b"after a pause %d" % number)
            until(lambda: len(said(client, "no tunnel to localhost port")) > number, "it is closed")  # noqa: B023
        self.assertStops(client)


class SeveralServersTests(ProxyTestCase):
    """
    A client knows several servers, and how each is reached.
    """

    def several(self, first: Address, *words: str) -> Program:
        """
        @param first: the server to use first; the other one runs.
        """
        line = ["-a", LOOPBACK, "-p", "0", *clientWords(self.pki), "-v", "debug", *words]
        places = [f"{host}:{port}" for host, port in (first, ("localhost", self.address[1]))]
        return self.start("our client", ourCommand("client", *line, *places, module=self.module))

    def test_secondOneIsUsedWhenTheFirstIsDownBehindTheProxy(self) -> None:
        self.startSquid()
        down = freePort(socket.SOCK_STREAM)
        client = self.several((LOOPBACK, down), "--proxy", f"http://{IN_URL}@localhost:{self.door[1]}")
        flow = Flow(self.udpEnd(), self.listening(client), self.udpTarget)
        flow.resume()
        client.waitForLine(rf"the proxy localhost port {self.door[1]}: the proxy refuses: it cannot reach the server")
        client.waitForLine(rf"moves from {LOOPBACK}:{down} to localhost:{self.address[1]}")
        self.assertNotIn(WORD, client.story())

    def test_oneIsReachedThroughTheProxyAndTheOtherWithout(self) -> None:
        """
        As the environment says.  The proxy is down, and so the second server is used.
        """
        environment = {**os.environ, "HTTPS_PROXY": f"http://{LOOPBACK}:{self.door[1]}", "NO_PROXY": "localhost"}
        self.patch(os, "environ", environment)
        client = self.several((LOOPBACK, self.address[1]), "--proxy", "env")
        flow = Flow(self.udpEnd(), self.listening(client), self.udpTarget)
        flow.resume()
        client.waitForLine(f"the proxy {LOOPBACK} port {self.door[1]}: connection refused")
        client.waitForLine(rf"connected to localhost port {self.address[1]}")
        self.assertEqual(said(client, "through the proxy"), [])

    def test_filesForNoProxyAreRefusedAtTheStart(self) -> None:
        """
        Where the environment names none, and where it excepts all servers.
        """
        bare = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        words = ["--proxy", "env", "--proxy-auth-file", self.passwordFile(), *clientWords(self.pki), "localhost", "1"]
        for environment in ({}, {"HTTPS_PROXY": "http://p", "NO_PROXY": "*"}):
            self.patch(os, "environ", {**bare, **environment})
            done = runToEnd(ourCommand("client", *words))
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("--proxy-auth-file", done.stderr)
