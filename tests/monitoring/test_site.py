"""
The HTTP side, with every connection in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reactors import MemoryReactor
from tests.doubles.reports import WORKER, ScriptedReporter, reportOf, sessionOf
from uotp.errors import StartError
from uotp.monitoring.slices import GENTLY
from uotp.monitoring.web import root
from uotp.monitoring.web.hostheader import isForUs
from uotp.monitoring.web.server import MonitoringServer
from uotp.monitoring.web.site import DEADLINE_SECONDS, MOST_LOOKERS

PEER = IPv4Address("TCP", "127.0.0.1", 4000)


class Connection:
    """
    Is somebody who asks.
    """

    def __init__(self, site: Any) -> None:
        self.transport = StringTransport(peerAddress=PEER)
        self.channel = site.buildProtocol(PEER)
        self.channel.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        """
        Send some bytes, and end when the other end does.
        """
        self.channel.dataReceived(data)

    @property
    def isOver(self) -> bool:
        return bool(self.transport.disconnecting or self.transport.disconnected)

    @property
    def answer(self) -> bytes:
        answer: bytes = self.transport.value()
        return answer

    def lose(self) -> None:
        self.channel.connectionLost(Failure(ConnectionDone()))


class SiteTestCase(SynchronousTestCase):
    """
    Has a server that shows a report.
    """

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactor()
        self.reporter = ScriptedReporter()
        self.server = MonitoringServer("uotp-server", ("127.0.0.1", 9100), self.reporter, self.reactor)
        self.server.privilegedStartService()
        self.site = self.reactor.tcpServers[-1][1]
        self.connections: list[Connection] = []
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """
        No timer is left when all are gone.
        """
        for connection in self.connections:
            connection.lose()
        self.successResultOf(self.server.stopService())
        self.assertEqual([str(call) for call in self.reactor.getDelayedCalls()], [])

    def connect(self) -> Connection:
        self.connections.append(Connection(self.site))
        return self.connections[-1]

    def ask(
        self, path: str = "/metrics", *headers: str, method: str = "GET", host: str = "localhost:9100"
    ) -> Connection:
        """
        Send a whole request, and let the answer be made.
        """
        connection = self.connect()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]
        connection.send("\r\n".join(lines).encode())
        for _ in range(1000):
            if connection.isOver:
                break
            self.reactor.advance(0)
        return connection

    def read(self, *request: str, **choices: str) -> tuple[int, dict[str, str], str]:
        """
        @return: the status, the headers and the body of an answer.
        """
        connection = self.ask(*request, **choices)
        self.assertTrue(connection.isOver)
        head, _, body = connection.answer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(first.split()[1]), headers, body.decode()


class AnswerTests(SiteTestCase):
    """
    What is asked for is answered.
    """

    def test_metrics(self) -> None:
        status, headers, body = self.read()
        self.assertEqual((status, headers["content-type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.assertIn('uotp_session_sent_bytes_total{session="1f2e3d4c"} 140000.0\n', body)
        self.assertEqual(int(headers["content-length"]), len(body))

    def test_openMetrics(self) -> None:
        _, headers, body = self.read("/metrics", "Accept: application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1")
        self.assertIn("application/openmetrics-text", headers["content-type"])
        self.assertTrue(body.endswith("# EOF\n"))

    def test_ofSeveralAnswersOneIsMadeAtATime(self) -> None:
        """
        Each takes a part of a turn, and thirty parts would let datagrams wait.  For whoever has gone none is made.
        """
        begun: list[tuple[Iterator[object], Deferred[None]]] = []

        def begin(_: object, steps: Iterator[object], pace: object) -> Deferred[None]:
            self.assertIs(pace, GENTLY)
            begun.append((steps, Deferred()))
            return begun[-1][1]

        self.patch(root, "inSlices", begin)
        first, second, third = (self.ask() for _ in range(3))
        self.assertEqual(len(begun), 1)
        second.lose()
        self.connections.remove(second)
        for number, connection in ((1, first), (2, third)):
            self.assertEqual((len(begun), connection.isOver), (number, False))
            steps, done = begun[-1]
            for _ in steps:
                pass
            done.callback(None)
            self.assertTrue(connection.isOver)
            self.assertIn(b"uotp_sessions", connection.answer)
        self.assertEqual(len(begun), 2)

    def test_headHasNoBody(self) -> None:
        status, headers, body = self.read(method="HEAD")
        self.assertEqual((status, body), (200, ""))
        self.assertGreater(int(headers["content-length"]), 1000)

    def test_healthy(self) -> None:
        self.assertEqual(self.read("/healthz")[::2], (200, "ok\n"))

    def test_sick(self) -> None:
        self.reporter.told = reportOf(isReady=False, trouble="the server's name is not found yet")
        self.assertEqual(self.read("/healthz")[::2], (503, "the server's name is not found yet\n"))
        status, headers, body = self.read("/healthz", "Accept: application/json")
        self.assertEqual((status, headers["content-type"]), (503, "application/json"))
        told = json.loads(body)
        self.assertEqual((told["ready"], told["trouble"]), (False, "the server's name is not found yet"))

    def test_silentWorkerIsSick(self) -> None:
        silent = WORKER.__class__(number=2, pid=1, state="ready", restarts=0, seconds=1.0, isTold=False)
        self.reporter.told = reportOf(workers=(WORKER, silent))
        self.assertEqual(self.read("/healthz")[::2], (503, "no answer from worker 2 (ready)\n"))
        self.reporter.told = reportOf(workers=(silent,), isReady=False, trouble="it stops")
        self.assertEqual(self.read("/healthz")[::2], (503, "it stops\n"))

    def test_otherPathsAreNotThere(self) -> None:
        for path in ("/metrics/", "/../etc/passwd", "/%2e%2e/", "/nothing?x=1", "//metrics"):
            self.assertEqual(self.read(path)[0], 404, path)

    def test_otherMethodsAreRefused(self) -> None:
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"):
            status, headers, _ = self.read(method=method)
            self.assertEqual((status, headers["allow"]), (405, "GET, HEAD"), method)

    def test_browserIsToldToKeepAndRunNothing(self) -> None:
        for path in ("/metrics", "/healthz", "/nothing"):
            headers = self.read(path)[1]
            self.assertEqual((headers["cache-control"], headers["x-content-type-options"]), ("no-store", "nosniff"))
            self.assertIn("default-src 'none'", headers["content-security-policy"])
            self.assertEqual((headers["server"], headers["connection"]), ("uotp", "close"))

    def test_faultOfOursIsAnAnswer(self) -> None:
        self.reporter.error = ZeroDivisionError("a fault")
        status, _, body = self.read()
        self.assertEqual((status, body), (500, "It could not be made; the log says why.\n"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_faultInTheMiddleIsAnAnswerToo(self) -> None:
        self.reporter.told = reportOf(sessions=(sessionOf(out=None),))
        self.assertEqual(self.read()[0], 500)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)

    def test_askerWhoLeavesIsForgotten(self) -> None:
        sessions = tuple(sessionOf(f"{number:08x}") for number in range(256))
        self.reporter.told = reportOf(sessions=sessions)
        connection = self.connect()
        seconds = iter(range(10**6))
        self.patch(self.reactor, "seconds", lambda: next(seconds))  # so that each step takes a turn
        connection.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertFalse(connection.isOver)
        self.connections.remove(connection)
        connection.lose()
        for _ in range(2000):
            self.reactor.advance(0)
        self.assertEqual(connection.answer, b"")


class HostTests(SiteTestCase):
    """
    A page of a stranger whose name leads to this machine gets nothing.
    """

    def test_namesThatAreOurs(self) -> None:
        for header in (
            None,
            "localhost",
            "LocalHost:9100",
            "localhost.",
            "127.0.0.1:9100",
            "192.0.2.7",
            "[::1]:9100",
            "[fe80::1%eth0]:9100",
            "Gateway:9100",
        ):
            self.assertTrue(isForUs(header, "gateway"), header)

    def test_namesThatAreNot(self) -> None:
        for header in (
            "evil.test",
            "localhost.evil.test",
            "gateway.evil.test",
            "127.0.0.1.evil.test",
            "",
            "::1",
            "[x]",
        ):
            self.assertFalse(isForUs(header, "gateway"), header)

    def test_strangersNameIsRefused(self) -> None:
        for path in ("/metrics", "/healthz", "/"):
            status, _, body = self.read(path, host="evil.test:9100")
            self.assertEqual(status, 421)
            self.assertNotIn("uotp_", body)
        self.assertEqual(len(self.reporter.asked), 0)


class BoundsTests(SiteTestCase):
    """
    Whoever asks much, or slowly, gets nothing.
    """

    def test_oneRequestForEachConnection(self) -> None:
        connection = self.connect()
        request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.send(request * 3)
        self.reactor.advance(0)
        self.assertEqual(connection.answer.count(b"HTTP/1.1 200 OK"), 1)
        self.assertTrue(connection.isOver)

    def test_slowAskerIsEndedInTime(self) -> None:
        """
        However many bytes it sends, one after the other.
        """
        connection = self.connect()
        for byte in b"GET /metri":
            connection.send(bytes([byte]))
            self.reactor.advance(DEADLINE_SECONDS / 10)
        self.assertTrue(connection.isOver)
        self.assertEqual(connection.answer, b"")

    def test_longHeadsAreRefused(self) -> None:
        many = [f"X-{number}: y" for number in range(100)]
        for headers in (["X: " + "y" * 9000], many):
            self.assertEqual(self.read("/metrics", *headers)[0], 400)
        connection = self.ask("/" + "x" * 20000)
        self.assertTrue(connection.isOver)
        self.assertNotIn(b"200", connection.answer)

    def test_bodiesAreRefused(self) -> None:
        for header in ("Content-Length: 100000000", "Transfer-Encoding: chunked"):
            connection = self.ask("/metrics", header)
            connection.send(b"x" * 100000)
            self.assertTrue(connection.answer.startswith(b"HTTP/1.1 413 "), header)
            self.assertNotIn(b"uotp_", connection.answer)
            self.assertTrue(connection.isOver)
        self.assertEqual(len(self.reporter.asked), 0)

    def test_oneConnectionTooManyEndsTheOldest(self) -> None:
        for _ in range(MOST_LOOKERS):
            self.connect()
        self.assertFalse(any(connection.isOver for connection in self.connections))
        self.assertEqual(self.read("/healthz")[0], 200)
        self.assertEqual([connection.isOver for connection in self.connections[:3]], [True, False, False])


class PortTests(SynchronousTestCase):
    """
    Bind, warn, and stop.
    """

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactor()

    def server(self, host: str) -> MonitoringServer:
        return MonitoringServer("uotp-server", (host, 9100), ScriptedReporter(), self.reactor)

    def test_takenPortIsSaidInOneLine(self) -> None:
        self.reactor.refusal = OSError(98, "Address already in use")
        error = self.assertRaises(StartError, self.server("127.0.0.1").privilegedStartService)
        self.assertEqual(str(error), "cannot listen on 127.0.0.1 port 9100 (TCP, for metrics): Address already in use")

    def test_bindsOnceAndAgainAfterItHasStopped(self) -> None:
        server = self.server("localhost")
        for _ in range(2):
            server.privilegedStartService()
            server.privilegedStartService()
            self.assertEqual(server.listening, [("127.0.0.1", 9100), ("::1", 9100)])
            self.successResultOf(server.stopService())
            self.assertEqual(server.listening, [])
