"""
C{uotp doctor} on ways that lead through others: web servers that carry WebSocket, balancers that announce clients by
the PROXY protocol or do not, and proxies.  Each is real, and each fault is named with what can be done.
"""

from __future__ import annotations

import socket
from pathlib import Path

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import Program, environmentFor, until
from tests.integration.examinations import DoctorTestCase
from tests.integration.proxyrig import DANTE, IN_URL, USER, WORD, ProxyTestCase, foundProgram
from tests.integration.rig import PLAIN, clientWords, serverWords
from tests.integration.test_terminator import accepts, haproxyProgram
from tests.integration.webservers import PATH, startWebServer
from uotp.pki.directory import makePki

SOON = ("--udp-buffer", "64K", "--no-rate")
"""What all examinations have in common here: no root is needed for the buffer, and nothing is measured."""

CONFIGURATION = """\
defaults
    mode {mode}
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
frontend door
    bind {door[0]}:{door[1]}{ends}
    default_backend uotp
backend uotp
    server uotp {server[0]}:{server[1]}{says}
"""


class InsideWebSocketTests(DoctorTestCase):
    """
    The way goes on inside WebSocket.
    """

    def setUp(self) -> None:
        super().setUp()
        self.pki = self.newPki()
        self.words = ["-C", self.pki.caCertificate, *SOON]
        self.udpTarget = self.target().address

    def behind(self, *words: str) -> Program:
        """
        @return: a server for what stands before it.
        """
        return self.startServer(self.udpTarget, *PLAIN, "--http-path", PATH, *words)

    def nginx(self, server: Address, *changes: tuple[str, str]) -> str:
        """
        @return: the URL of an nginx before a server, without the path.
        """
        return "wss://{}:{}".format(*startWebServer(self, "nginx", self.pki, server, *changes))

    def examinedInside(self, *words: object) -> tuple[int, str]:
        """
        @return: what is found, in which no path is.
        """
        found = self.examined(*self.words, *words)
        self.assertNotIn(PATH[1:], found[1])
        return found

    def test_allIsWellThroughNginx(self) -> None:
        url = self.nginx(self.listening(self.behind()))
        found = self.examinedInside(url + PATH, "--udp-buffer", "64K")
        self.assertEqual((found[0], found[1].count("not reached")), (0, 1), found[1])
        self.assertIn("inside WebSocket", found[1])
        self.assertIn("it has answered a datagram of 1 byte", found[1])

    def test_theRateIsMeasuredToo(self) -> None:
        url = self.nginx(self.listening(self.behind()))
        self.assertWell(self.examined("-C", self.pki.caCertificate, "--udp-buffer", "64K", url + PATH))

    def test_nothingStandsBetween(self) -> None:
        """
        With TLS of our own, and with none.
        """
        plain = "ws://{}:{}".format(*self.listening(self.behind()))
        self.assertEqual(self.examined(*PLAIN, *SOON, plain + PATH)[0], 0)
        server = self.startServer(self.udpTarget, *serverWords(self.pki), "--http-path", PATH)
        url = "wss://{}:{}".format(*self.listening(server))
        mine = ("-c", self.pki.clientCertificate, "-k", self.pki.clientKey)
        self.assertEqual(self.examinedInside(*mine, url + PATH)[0], 0)
        self.assertNamed(self.examinedInside(url + PATH), 15, "client certificate", "none is given")

    def test_pathIsNotTheSame(self) -> None:
        """
        As nginx has it, or as uotp-server has.
        """
        url = self.nginx(self.listening(self.behind()))
        other = self.nginx(self.listening(self.behind()), (PATH, "/another"))
        for found in (self.examinedInside(f"{url}/another"), self.examinedInside(f"{other}/another")):
            self.assertRemedied(found, 16, "hello", "not known there (404)", "the path of the URL", "--http-path")

    def throughAnother(self, name: str, *answer: str) -> None:
        """
        All is well through a web server, and when nothing is behind it that is seen.

        @param answer: what is said of its answer then.
        """
        url = "wss://{}:{}".format(*startWebServer(self, name, self.pki, self.listening(self.behind())))
        self.assertEqual(self.examinedInside(url + PATH)[0], 0)
        nowhere = (LOOPBACK, freePort(socket.SOCK_STREAM))
        url = "wss://{}:{}".format(*startWebServer(self, name, self.pki, nowhere))
        self.assertRemedied(self.examinedInside(url + PATH), 16, "hello", *answer)

    def test_caddy(self) -> None:
        self.throughAnother("caddy", "cannot reach the server behind it (502)", "whether uotp-server runs")

    def test_apache(self) -> None:
        self.throughAnother("apache2", "(503)", "whether uotp-server runs")

    def test_haproxy(self) -> None:
        self.throughAnother("haproxy", "(503)", "whether uotp-server runs")

    def test_serverBehindNginxIsDown(self) -> None:
        url = self.nginx((LOOPBACK, freePort(socket.SOCK_STREAM)))
        found = self.examinedInside(url + PATH)
        self.assertRemedied(found, 16, "hello", "cannot reach the server behind it (502)", "whether uotp-server runs")

    def test_nginxDoesNotHandTheUpgradeOn(self) -> None:
        behind = self.listening(self.behind())
        for old in ("proxy_http_version 1.1;", "proxy_set_header Upgrade $http_upgrade;"):
            found = self.examinedInside(self.nginx(behind, (old, "")) + PATH)
            self.assertRemedied(
                found, 16, "hello", "there is no WebSocket", "hand on the fields Upgrade and Connection"
            )

    def test_nginxSpeaksHttp2(self) -> None:
        url = self.nginx(self.listening(self.behind()), (" ssl;", " ssl http2;"))
        found = self.examinedInside("--alpn", "h2,http/1.1", url + PATH)
        self.assertRemedied(found, 14, "ALPN", "has chosen HTTP/2", "leave h2 out of --alpn")
        self.assertEqual(self.examinedInside(url + PATH)[0], 0)

    def test_oneOfBothHasNoPath(self) -> None:
        """
        A server without a path is a web site, and so is one with a path for whoever knows no path.
        """
        without = self.startServer(self.udpTarget, *serverWords(self.pki))
        url = "wss://{}:{}".format(*self.listening(without))
        mine = ("-c", self.pki.clientCertificate, "-k", self.pki.clientKey)
        self.assertRemedied(self.examinedInside(*mine, url + PATH), 16, "hello", "(404)", "--http-path")
        shown = ("-c", self.pki.serverCertificate, "-k", self.pki.serverKey)
        server = self.startServer(self.udpTarget, *shown, "--http-path", PATH)
        found = self.examinedInside(*self.listening(server))
        self.assertRemedied(found, 14, "ALPN", "no uotp is there", "--http-path")

    def test_noTlsWasSaidHereAlone(self) -> None:
        url = self.nginx(self.listening(self.behind())).replace("wss://", "ws://")
        found = self.examined(*PLAIN, *SOON, url + PATH)
        self.assertRemedied(found, 16, "hello", "does not understand the request (400)", "write wss:// in the URL")


class AnnouncedTests(DoctorTestCase):
    """
    A balancer announces clients by the PROXY protocol and the server does not know, or the other way round.
    """

    def setUp(self) -> None:
        super().setUp()
        self.pki = self.newPki()
        self.words = [*clientWords(self.pki), *SOON]
        self.udpTarget = self.target().address

    def balancer(self, server: Program, *, says: str = "", ends: bool = False, mode: str = "tcp") -> Address:
        """
        Start HAProxy before a server.

        @param says: what it is to announce, in its words.
        @param ends: whether it ends TLS.
        """
        program = haproxyProgram()
        door = (LOOPBACK, freePort(socket.SOCK_STREAM))
        both = Path(self.mktemp()).resolve()
        both.write_bytes(Path(self.pki.serverCertificate).read_bytes() + Path(self.pki.serverKey).read_bytes())
        configuration = Path(self.mktemp()).resolve()
        configuration.write_text(
            CONFIGURATION.format(
                mode=mode,
                door=door,
                ends=f" ssl crt {both} alpn http/1.1" if ends else "",
                server=self.listening(server),
                says=f" {says}" if says else "",
            ),
            encoding="utf-8",
        )
        self.start("haproxy", [program, "-db", "-f", str(configuration)], environmentFor())
        until(lambda: accepts(door), "HAProxy accepts connections")
        return door

    def test_allIsWellWhereBothKnow(self) -> None:
        server = self.startServer(self.udpTarget, *serverWords(self.pki), "--proxy-protocol", LOOPBACK)
        found = self.examined(*self.words, *self.balancer(server, says="send-proxy"))
        self.assertEqual(found[0], 0, found[1])

    def test_serverDoesNotKnowOfIt(self) -> None:
        """
        Before TLS, and behind what ends TLS.
        """
        server = self.startServer(self.udpTarget, *serverWords(self.pki))
        plain = self.startServer(self.udpTarget, *PLAIN)
        for says in ("send-proxy", "send-proxy-v2"):
            found = self.examined(*self.words, *self.balancer(server, says=says))
            self.assertRemedied(found, 12, "TLS", "no common TLS version", "send-proxy", "--proxy-protocol")
            found = self.examined(*self.words, *self.balancer(plain, says=says, ends=True))
            self.assertRemedied(found, 14, "ALPN", "no uotp is there", "send-proxy", "--proxy-protocol")
        for each in (server, plain):
            each.waitForLine("announces its client by the PROXY protocol")

    def test_balancerDoesNotKnowOfIt(self) -> None:
        """
        Nor does who connects directly from an address that is named.
        """
        server = self.startServer(self.udpTarget, *serverWords(self.pki), "--proxy-protocol", LOOPBACK)
        plain = self.startServer(self.udpTarget, *PLAIN, "--proxy-protocol", LOOPBACK)
        for door in (self.balancer(server), self.listening(server)):
            found = self.examined(*self.words, *door)
            self.assertRemedied(found, 12, "TLS", "closed in the handshake", "--proxy-protocol", "send-proxy")
        found = self.examined(*self.words, *self.balancer(plain, ends=True))
        self.assertRemedied(found, 16, "hello", "closed the connection", "--proxy-protocol", "send-proxy")
        found = self.examined(*PLAIN, "--wire", "2", *SOON, *self.listening(plain))
        self.assertRemedied(found, 16, "hello", "closed the connection", "--proxy-protocol", "send-proxy")
        for each in (server, plain):
            each.waitForLine("begins with no header of the PROXY protocol")

    def test_insideWebSocket(self) -> None:
        """
        The balancer answers what the server has not.
        """
        told = self.startServer(self.udpTarget, *PLAIN, "--http-path", PATH, "--proxy-protocol", LOOPBACK)
        door = self.balancer(told, ends=True, mode="http")
        words = ["-C", self.pki.caCertificate, *SOON]
        found = self.examined(*words, "wss://{}:{}{}".format(*door, PATH))
        self.assertRemedied(found, 16, "hello", "(502)", "--proxy-protocol", "send-proxy")
        untold = self.startServer(self.udpTarget, *PLAIN, "--http-path", PATH)
        door = self.balancer(untold, says="send-proxy", ends=True, mode="http")
        found = self.examined(*words, "wss://{}:{}{}".format(*door, PATH))
        self.assertRemedied(found, 16, "hello", "(400)", "--proxy-protocol", "send-proxy")
        self.assertNotIn(PATH[1:], found[1])


class ThroughProxyTests(ProxyTestCase, DoctorTestCase):
    """
    The way leads through a proxy.
    """

    def through(self, url: str, *words: object, server: Address | None = None, timeout: str = "60") -> tuple[int, str]:
        """
        @return: what is found, in which no password is.
        """
        door = server or ("localhost", self.address[1])
        found = self.examined("--proxy", url, *clientWords(self.pki), *SOON, *words, *door, timeout=timeout)
        for secret in (WORD, IN_URL):
            self.assertNotIn(secret, found[1])
        return found

    def test_squid(self) -> None:
        self.startSquid()
        plain, secure = f"localhost:{self.door[1]}", f"localhost:{self.secure[1]}"
        self.assertEqual(self.through(f"http://{IN_URL}@{plain}")[0], 0)
        trusting = ("--proxy-cafile", self.pki.caCertificate)
        self.assertEqual(self.through(f"https://{IN_URL}@{secure}", *trusting)[0], 0)
        for url, facts, remedy in (
            (f"http://{plain}", "wants user and password (407)", "--proxy-auth-file"),
            (f"http://{USER}:no@{plain}", "does not accept user and password", "right in the URL of --proxy"),
            (f"https://{IN_URL}@{plain}", "it answers in HTTP", "write http:// in place of https://"),
            (f"https://{IN_URL}@{secure}", "unknown issuer", "give by --proxy-cafile the CA"),
        ):
            self.assertRemedied(self.through(url), 12, "TLS", facts, remedy)
        found = self.through(f"socks5://{plain}", timeout="5s")
        self.assertRemedied(found, 12, "TLS", "does not answer the greeting", "write http:// in place of socks5://")
        gone = (LOOPBACK, freePort(socket.SOCK_STREAM))
        found = self.through(f"http://{IN_URL}@{plain}", server=gone)
        self.assertRemedied(found, 12, "TLS", "(503)", "whether uotp-server runs", f"tried {gone[0]}:{gone[1]}")

    def test_passwordInAFile(self) -> None:
        self.startSquid()
        file = self.folder / "password"
        file.write_text(f"{USER}:no\n", encoding="utf-8")
        file.chmod(0o600)
        found = self.through(f"http://localhost:{self.door[1]}", "--proxy-auth-file", file)
        self.assertRemedied(found, 12, "TLS", "does not accept", "right in the file of --proxy-auth-file")

    def test_nameInTheCertificateOfTheProxy(self) -> None:
        """
        It is that of the proxy which is wrong, and not the server's.
        """
        ours, self.pki = self.pki, makePki(self.mktemp(), ("proxy.test",))
        trusting = ("--proxy-cafile", self.pki.caCertificate)
        self.startSquid()
        self.pki = ours
        found = self.through(f"https://{IN_URL}@localhost:{self.secure[1]}", *trusting)
        self.assertRemedied(found, 12, "TLS", "expected localhost, certificate has proxy.test", "in the URL of --proxy")
        self.assertNotIn("--tls-servername", found[1])

    def test_webSocketThroughSquid(self) -> None:
        self.startSquid()
        server = self.startServer(self.udpTarget.address, *PLAIN, "--http-path", PATH)
        door = startWebServer(self, "nginx", self.pki, self.listening(server))
        words = ["--proxy", f"http://{IN_URL}@localhost:{self.door[1]}", "-C", self.pki.caCertificate, *SOON]
        found = self.examined(*words, f"wss://{door[0]}:{door[1]}{PATH}")
        self.assertEqual(found[0], 0, found[1])

    def test_microsocks(self) -> None:
        program = foundProgram("microsocks", "microsocks")
        words = ["-i", self.door[0], "-p", str(self.door[1]), "-u", USER, "-P", WORD]
        self.start("microsocks", [program, *words], environmentFor())
        until(lambda: accepts(self.door), "microsocks accepts connections")
        place = f"{LOOPBACK}:{self.door[1]}"
        self.assertEqual(self.through(f"socks5://{IN_URL}@{place}")[0], 0)
        for url, facts, remedy in (
            (f"socks5://{USER}:no@{place}", "does not accept user and password", "right in the URL of --proxy"),
            (f"socks5://{place}", "wants user and password", "--proxy-auth-file"),
            (f"http://{IN_URL}@{place}", "it speaks SOCKS5", "write socks5:// in place of http://"),
        ):
            self.assertRemedied(self.through(url), 12, "TLS", facts, remedy)
        gone = (LOOPBACK, freePort(socket.SOCK_STREAM))
        found = self.through(f"socks5://{IN_URL}@{place}", server=gone)
        self.assertRemedied(found, 12, "TLS", "the server refuses the connection", "whether uotp-server runs")

    def test_danteForbidsIt(self) -> None:
        """
        By its rules for a server, and by those for a client.
        """
        program = foundProgram("danted", "dante-server")
        file = self.folder / "danted.conf"
        text = DANTE.format(door=self.door, method="none")
        for rule, facts, remedy in (
            ("socks", "its rules forbid connections to this server", "let uotp-server listen on port 443"),
            ("client", "closes the connection before it has agreed", "may not let this machine in"),
        ):
            file.write_text(text.replace(f"{rule} pass", f"{rule} block"), encoding="utf-8")
            running = self.start("danted", [program, "-f", str(file)], environmentFor())
            until(lambda: accepts(self.door), "Dante accepts connections")
            found = self.through(f"socks5://{LOOPBACK}:{self.door[1]}", server=self.address)
            self.assertRemedied(found, 12, "TLS", facts, remedy)
            running.kill()
            until(lambda: not accepts(self.door), "Dante is gone")
