"""
A client whose way leads through a proxy: real ones of Debian, and some that misbehave.
"""

from __future__ import annotations

import os
import socket

from bench.rig.ports import LOOPBACK, freePort
from bench.rig.programs import environmentFor, until
from tests.integration.harness import ourCommand, runToEnd
from tests.integration.proxyrig import IN_URL, USER, WORD, ProxyTestCase, foundProgram
from tests.integration.rig import PLAIN, clientWords, said
from tests.integration.test_terminator import accepts


class SquidTests(ProxyTestCase):
    """
    An HTTP proxy that wants a password.
    """

    def test_everyTunnelGoesThroughIt(self) -> None:
        """
        The proxy looks the server up; the log says where the client is.  When it is killed and is back, so is the
        flow.
        """
        squid = self.startSquid()
        client = self.client("--proxy", f"http://{IN_URL}@localhost:{self.door[1]}")
        flow = self.carries(client)
        client.waitForLine(rf"connected to localhost port \d+ through the proxy localhost port {self.door[1]}")
        squid.kill()
        client.waitForLine(r"no tunnel to localhost port \d+ is left")
        self.startSquid()
        flow.resume()

    def test_passwordMayStandInAFile(self) -> None:
        """
        With TLS to the proxy besides, and with two workers.
        """
        self.startSquid()
        options = ("--proxy-auth-file", self.passwordFile(), "--proxy-cafile", self.pki.caCertificate, "--workers", "2")
        self.carries(self.client("--proxy", f"https://localhost:{self.secure[1]}", *options))

    def test_withoutTlsToTheServer(self) -> None:
        """
        The certificate of the proxy does not stand for the server's.
        """
        self.startSquid()
        server = self.startServer(self.udpTarget.address, *PLAIN)
        for place in (f"http://{IN_URL}@[::1]:{self.door[1]}", f"https://{IN_URL}@localhost:{self.secure[1]}"):
            options = ["--proxy-cafile", self.pki.caCertificate] if place.startswith("https") else []
            client = self.startClient(self.listening(server), *PLAIN, "--wire", "2", "--proxy", place, *options)
            self.carries(client)

    def test_refusalsAreSaidInWords(self) -> None:
        self.startSquid()
        plain, secure = f"localhost:{self.door[1]}", f"localhost:{self.secure[1]}"
        self.refused(r"the proxy wants user and password \(407\)", "--proxy", f"http://{plain}")
        self.refused(r"does not accept user and password \(407\)", "--proxy", f"http://{USER}:no@{plain}")
        self.refused(r"TLS to the proxy: unknown issuer .*--proxy-cafile", "--proxy", f"https://{IN_URL}@{secure}")
        gone = freePort(socket.SOCK_STREAM)
        self.refused(f"the proxy localhost port {gone}: connection refused", "--proxy", f"http://localhost:{gone}")


class SocksTests(ProxyTestCase):
    """
    SOCKS5 proxies.
    """

    def test_microsocksWithAPassword(self) -> None:
        program = foundProgram("microsocks", "microsocks")
        words = ["-i", self.door[0], "-p", str(self.door[1]), "-u", USER, "-P", WORD]
        self.start("microsocks", [program, *words], environmentFor())
        until(lambda: accepts(self.door), "microsocks accepts connections")
        self.carries(self.client("--proxy", f"socks5://{IN_URL}@{LOOPBACK}:{self.door[1]}"))
        self.refused("does not accept user and password", "--proxy", f"socks5://{USER}:no@{LOOPBACK}:{self.door[1]}")
        self.refused("the proxy wants user and password", "--proxy", f"socks5://{LOOPBACK}:{self.door[1]}")

    def test_dante(self) -> None:
        self.startDante()
        self.carries(self.client("--proxy", f"socks5h://{LOOPBACK}:{self.door[1]}", server=self.address))

    def test_danteWithAPassword(self) -> None:
        """
        In a file.
        """
        self.startDante(hasPassword=True)
        place = f"{LOOPBACK}:{self.door[1]}"
        words = ["--proxy", f"socks5://{place}", "--proxy-auth-file", self.passwordFile()]
        self.carries(self.client(*words, server=self.address))
        self.refused("does not accept user and password", "--proxy", f"socks5://{USER}:no@{place}")
        self.refused("the proxy wants user and password", "--proxy", f"socks5://{place}")


class StrangeProxyTests(ProxyTestCase):
    """
    What stands there is no proxy, or a bad one.
    """

    def listener(self) -> socket.socket:
        """
        @return: a socket that listens; nobody accepts.
        """
        listener = socket.create_server(self.door)
        self.addCleanup(listener.close)
        return listener

    def test_oneThatSaysNothingIsGivenUp(self) -> None:
        self.listener()
        words = f"connected to the proxy {LOOPBACK} port {self.door[1]}, but it has not answered after 0.5 s"
        self.refused(words, "--proxy", f"http://{LOOPBACK}:{self.door[1]}", "--timeout", "500ms")

    def test_nothingOfOursIsSaidToIt(self) -> None:
        """
        It sees the server's name and port.
        """
        listener = self.listener()
        client = self.client("--proxy", f"http://{LOOPBACK}:{self.door[1]}")
        self.udpEnd().send(b"in vain", self.listening(client))
        listener.settimeout(60)
        accepted, _ = listener.accept()
        with accepted:
            heard = accepted.recv(4096)
        target = f"localhost:{self.address[1]}"
        self.assertEqual(heard.decode("ascii"), f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")

    def test_environmentNamesIt(self) -> None:
        """
        Unless the server is excepted.
        """
        environment = {**os.environ, "HTTPS_PROXY": f"http://{LOOPBACK}:{self.door[1]}"}
        self.patch(os, "environ", environment)
        self.refused(f"the proxy {LOOPBACK} port {self.door[1]}: connection refused", "--proxy", "env")
        environment["NO_PROXY"] = "localhost"
        client = self.client("--proxy", "env")
        self.carries(client)
        self.assertEqual(said(client, "through the proxy"), [])

    def test_fileThatCannotBeUsedIsRefusedAtTheStart(self) -> None:
        file = self.folder / "password"
        file.write_text(f"{WORD}\n" * 2, encoding="utf-8")
        words = ["--proxy", "http://p", "--proxy-auth-file", str(file), *clientWords(self.pki), "localhost", "1"]
        done = runToEnd(ourCommand("client", *words))
        self.assertEqual((done.returncode, WORD in done.stdout + done.stderr), (2, False))
        self.assertIn("one line is needed, USER:PASSWORD", done.stderr)
