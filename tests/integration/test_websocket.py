"""
A client that goes to a server inside WebSocket: through the web servers of C{docs/howto/websocket.rst}, each as it is
printed there, and to another implementation of WebSocket.
"""

from __future__ import annotations

import http.client
import os
import socket
import threading

from bench.rig.ports import LOOPBACK, Address
from bench.rig.programs import HANG_SECONDS, Program, until
from tests.integration.harness import ourCommand
from tests.integration.loads import LoadTestCase, waitForAll
from tests.integration.pairs import numbered
from tests.integration.rawformat2 import tlsContext
from tests.integration.rig import PLAIN, said
from tests.integration.udpends import Flow
from tests.integration.webservers import PATH, startWebServer
from tests.integration.websocketbridge import WebSocketBridge
from uotp.transport.websocket.frames import Opcode, frameHeader
from uotp.transport.websocket.upgrade import WebSocketUpgrade

SIZES = (0, 1, 125, 126, 1200, 1472, 8192, 16383, 16385, 65000, 65507)

TUNNELS = 4

IDLE_SECONDS = 2
"""A web server that is told so ends connections on which nothing has come for so long."""


class _WebSocketTestCase(LoadTestCase):
    """
    Has a target, and a server without TLS.

    @cvar workers: how many that has.
    """

    workers = 1
    serverOptions: tuple[str, ...] = ("--http-path", PATH)

    def setUp(self) -> None:
        super().setUp()
        self.pki = self.newPki()
        self.udpTarget = self.udpEnd()
        self.server = self.startServer(
            self.udpTarget.address, *PLAIN, "--workers", str(self.workers), *self.serverOptions
        )

    def clientFlow(self, door: Address, *options: str, path: str = PATH) -> Flow:
        """
        @return: a flow through a new client that is told the URL.
        """
        url = f"wss://{door[0]}:{door[1]}{path}"
        words = ["-C", self.pki.caCertificate, "-n", str(TUNNELS), *options]
        self.client = self.startUrl(url, *words)
        return Flow(self.udpEnd(), self.listening(self.client), self.udpTarget)

    def startUrl(self, url: str, *words: str) -> Program:
        """
        @return: a client that is told a URL.
        """
        command = ourCommand("client", "-a", LOOPBACK, "-p", "0", *words, url, module=self.module)
        return self.start("our client", command)

    def assertSizesPass(self, flow: Flow) -> None:
        """
        Each size passes both ways, with different bytes.
        """
        flow.openPool()
        for number, size in enumerate(SIZES):
            flow.both(numbered(size, number))

    def assertCarries(self, flow: Flow) -> None:
        """
        Each size passes both ways; and so does a load, with nothing lost and in order.
        """
        self.assertSizesPass(flow)
        loads = [self.forth(flow, whole=True), self.back(flow, whole=True)]
        for load in loads:
            load.start()
        waitForAll(loads, 1000)
        for load in loads:
            load.stop()
        self.assertWhole(*loads)
        self.assertEqual(len(loads[0].sources), 1)

    def assertNothingSecretWasLogged(self) -> None:
        """
        Neither end names the path.
        """
        for program in (self.client, self.server):
            self.assertEqual(said(program, PATH[1:]), [])


class WebServerTests(_WebSocketTestCase):
    """
    Web servers end TLS.
    """

    def webServer(self, name: str, *changes: tuple[str, str]) -> Address:
        """
        Start a web server with the configuration of the page, changed only where it has to do with this machine.

        @return: where it listens.
        """
        return startWebServer(self, name, self.pki, self.listening(self.server), *changes)

    def carriedThrough(self, name: str) -> None:
        """
        See all pass through one of them.
        """
        self.assertCarries(self.clientFlow(self.webServer(name)))
        self.assertNothingSecretWasLogged()
        self.assertStops(self.client)

    def test_nginx(self) -> None:
        self.carriedThrough("nginx")

    def test_haproxy(self) -> None:
        self.carriedThrough("haproxy")

    def test_caddy(self) -> None:
        self.carriedThrough("caddy")

    def test_apache(self) -> None:
        self.carriedThrough("apache2")

    def test_connectionsThatTheWebServerFindsIdleAreReplaced(self) -> None:
        """
        What is sent after the pause arrives.
        """
        idle = f"proxy_read_timeout {IDLE_SECONDS}s"
        door = self.webServer("nginx", ("proxy_read_timeout 1h", idle))
        flow = self.clientFlow(door)
        flow.open(b"before")
        self.client.waitForLine("no tunnel to .* is left")
        flow.both(b"after")
        self.assertStops(self.client)

    def test_clientsDoNotComeOnConnectionsOfVisitors(self) -> None:
        """
        A web server keeps connections, as nginx does by itself from 1.30 on, and a browser has looked at the path.
        """
        host, port = self.listening(self.server)
        kept = f"upstream kept {{ server {host}:{port}; keepalive 4; }}"
        door = self.webServer("nginx", ("http {", f"http {{ {kept}"), (f"http://{host}:{port}", "http://kept"))
        trusted = tlsContext(self.pki.caCertificate)
        trusted.set_alpn_protocols(["http/1.1"])
        for _ in range(2):
            browser = http.client.HTTPSConnection(*door, context=trusted, timeout=HANG_SECONDS)
            self.addCleanup(browser.close)
            browser.request("GET", PATH)
            self.assertEqual(browser.getresponse().status, http.HTTPStatus.NOT_FOUND)
        flow = self.clientFlow(door)
        flow.openPool()
        flow.both(b"all pass")
        self.assertEqual(said(self.client, "(404)"), [])

    def test_otherAnswersAreSaid(self) -> None:
        """
        A path that the web server has not, and a server that is down.
        """
        door = self.webServer("nginx")
        flow = self.clientFlow(door, path="/another-7c6e9aa")
        flow.application.send(b"lost", flow.client)
        self.client.waitForLine(r"the path is not known there \(404\)")
        self.assertEqual(said(self.client, "7c6e9aa"), [])
        self.server.kill()
        flow = self.clientFlow(door)
        flow.application.send(b"lost", flow.client)
        self.client.waitForLine(r"cannot reach the server behind it \(502\)")
        self.assertNothingSecretWasLogged()


class OtherWorkersTests(WebServerTests):
    """
    The server has two workers: most tunnels are relayed from one to the other.
    """

    workers = 2


class DirectTests(_WebSocketTestCase):
    """
    Nothing stands between.
    """

    def setUp(self) -> None:
        super().setUp()
        self.server = self.startServer(
            self.udpTarget.address,
            *("-c", self.pki.serverCertificate, "-k", self.pki.serverKey, "-C", self.pki.caCertificate),
            *self.serverOptions,
        )

    def test_clientsShowCertificates(self) -> None:
        """
        In either format.
        """
        for wire in ("1", "auto"):
            words = ("-c", self.pki.clientCertificate, "-k", self.pki.clientKey, "--wire", wire)
            flow = self.clientFlow(self.listening(self.server), *words)
            if wire == "auto":
                self.assertCarries(flow)
            else:
                self.assertSizesPass(flow)
            self.assertNothingSecretWasLogged()
            self.assertStops(self.client)


class Format1Tests(DirectTests):
    """
    Format 1 is the only one that the server speaks.
    """

    serverOptions = ("--http-path", PATH, "--wire", "1")

    def test_clientsShowCertificates(self) -> None:
        """
        Whoever says nothing of formats asks for the other one, and is told where to look.
        """
        certificate = ("-c", self.pki.clientCertificate, "-k", self.pki.clientKey)
        door = self.listening(self.server)
        self.assertSizesPass(self.clientFlow(door, *certificate, "--wire", "1"))
        self.assertNothingSecretWasLogged()
        self.assertStops(self.client)
        flow = self.clientFlow(door, *certificate)
        flow.application.send(b"lost", flow.client)
        self.client.waitForLine("its log")
        self.server.waitForLine("it speaks format 2, and --wire 1 was said here")


class PlainTests(_WebSocketTestCase):
    """
    Nothing stands between, and there is no TLS.
    """

    def test_withoutTls(self) -> None:
        door = self.listening(self.server)
        self.client = self.startUrl(f"ws://{door[0]}:{door[1]}{PATH}", *PLAIN, "-n", str(TUNNELS))
        self.assertCarries(Flow(self.udpEnd(), self.listening(self.client), self.udpTarget))


class OtherImplementationTests(_WebSocketTestCase):
    """
    The other end of the WebSocket is C{wsproto}'s, which cuts messages into frames and pings between them.
    """

    serverOptions = ()

    def test_itUnderstandsUsAndWeUnderstandIt(self) -> None:
        bridge = WebSocketBridge(self.pki.serverCertificate, self.pki.serverKey, self.listening(self.server))
        self.addCleanup(bridge.close)
        flow = self.clientFlow(bridge.address, "--min-pool", str(TUNNELS))
        flow.openPool()
        until(lambda: len(bridge.paths) == TUNNELS, "all tunnels have been dialled")
        self.assertCarries(flow)
        self.assertStops(self.client)
        self.assertEqual(set(bridge.paths), {PATH})
        self.assertGreater(bridge.messages, len(SIZES))
        self.assertTrue(bridge.pongs)
        until(lambda: len(bridge.closes) == len(bridge.paths), "all have said goodbye")
        self.assertEqual(set(bridge.closes), {1000})

    def test_itHearsWhoGoesOnWhenTheServerHasGone(self) -> None:
        """
        What is said then is read, and no thread ends with an error.
        """
        faults: list[object] = []
        self.patch(threading, "excepthook", faults.append)
        gone = socket.create_server((LOOPBACK, 0))
        self.addCleanup(gone.close)
        bridge = WebSocketBridge(self.pki.serverCertificate, self.pki.serverKey, gone.getsockname())
        with tlsContext(self.pki.caCertificate).wrap_socket(
            socket.create_connection(bridge.address, HANG_SECONDS), server_hostname=LOOPBACK
        ) as visitor:
            upgrade = WebSocketUpgrade("localhost", PATH, os.urandom)
            visitor.sendall(upgrade.request())
            server, _ = gone.accept()
            server.close()
            self.assertEqual(upgrade.received(visitor.recv(4096)), b"")
            bridge.untilBackIsOver()
            visitor.sendall(frameHeader(Opcode.BINARY, 1, masks=True) + b"x")
            until(lambda: bridge.messages, "it is heard")
        bridge.close()
        self.assertEqual(faults, [])
