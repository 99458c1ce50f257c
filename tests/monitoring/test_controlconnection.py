"""
One connection to a control socket: what is asked, in any portions, and what is answered.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tests.doubles.reports import SERVER_REPORT, ScriptedReporter, crowded
from tests.monitoring.test_controlsocket import SocketTestCase
from uotp.errors import ConfigurationError
from uotp.monitoring.controlconnection import EXCHANGE_SECONDS, PIECE_BYTES, WORK_SECONDS, ControlConnection
from uotp.monitoring.controlwire import ASK_DISCONNECT, ASK_RELOAD, ASK_REPORT, ControlRequest, encodeRequest


class PullingTransport(StringTransport):
    """
    Asks its producer for more when a test says that all is written.
    """

    isAborted = False
    isEnded = False

    def abortConnection(self) -> None:
        self.isAborted = True

    def loseConnection(self) -> None:
        self.isEnded = True

    def pull(self, times: int = 1000) -> None:
        """
        All is written, so often; or until there is nothing more.
        """
        for _ in range(times):
            if self.producer is None:
                return
            assert not self.streaming
            self.producer.resumeProducing()


class ConnectionTests(SocketTestCase):
    """
    Ask, in memory.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.reporter = ScriptedReporter()
        self.gone: list[object] = []
        self.connect_()

    def connect_(self) -> None:
        """
        Somebody connects.
        """
        self.transport = PullingTransport()
        self.connection = ControlConnection(self.reporter, self.reporter.reloadProgram, self.clock)
        self.connection.whenGone = lambda: self.gone.append(self.connection)
        self.connection.makeConnection(self.transport)

    def end(self) -> None:
        """
        The connection is over, and leaves nothing.
        """
        self.connection.connectionLost()
        self.assertEqual(self.gone, [self.connection])
        self.gone.clear()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def ask(self, line: bytes) -> Any:
        """
        @return: what is answered.
        """
        self.connection.dataReceived(line)
        return self.answer()

    def answer(self) -> Any:
        """
        @return: what is answered, and the connection is over.
        """
        self.transport.pull()
        self.assertTrue(self.transport.isEnded)
        text = self.transport.value()
        self.assertEqual((text[-1:], text.count(b"\n")), (b"\n", 1))
        self.end()
        return json.loads(text)

    def test_aReportIsTold(self) -> None:
        answer = self.ask(encodeRequest(ControlRequest(ASK_REPORT)))
        self.assertEqual(answer["control"], 1)
        self.assertEqual(answer["report"]["pid"], SERVER_REPORT.pid)
        self.assertEqual([each["name"] for each in answer["report"]["sessions"]], ["1f2e3d4c", "aabbccdd"])

    def test_aRequestMayComeInAnyPortions(self) -> None:
        line = encodeRequest(ControlRequest(ASK_DISCONNECT, "1f2e3d4c"))
        for letter in line:
            self.assertEqual(self.reporter.asked, [])
            self.connection.dataReceived(bytes([letter]))
        self.assertEqual(self.answer(), {"control": 1, "ended": 1})
        self.assertEqual(self.reporter.asked, ["disconnect 1f2e3d4c"])

    def test_aReloadIsToldWhenItIsDone(self) -> None:
        for reloading in (succeed(None), Deferred[None]()):
            self.reporter.reloaded = reloading
            self.connection.dataReceived(encodeRequest(ControlRequest(ASK_RELOAD)))
            if not reloading.called:
                self.assertEqual(self.transport.value(), b"")
                self.clock.advance(WORK_SECONDS - 1)
                self.assertFalse(self.transport.isAborted)
                reloading.callback(None)
            self.assertEqual(self.answer(), {"control": 1, "reloaded": True})
            self.connect_()
        self.end()

    def test_whatNeedsARestartIsToldWithIt(self) -> None:
        self.reporter.restart = ("mark", "pool-size")
        answer = self.ask(encodeRequest(ControlRequest(ASK_RELOAD)))
        self.assertEqual(answer, {"control": 1, "reloaded": True, "restart": ["mark", "pool-size"]})

    def test_whyItIsNotIsTold(self) -> None:
        self.reporter.error = ConfigurationError("--cert /x: No such file or directory")
        answer = self.ask(encodeRequest(ControlRequest(ASK_RELOAD)))
        self.assertEqual(answer, {"control": 1, "error": "--cert /x: No such file or directory"})

    def test_whatWasNotExpectedIsForTheLog(self) -> None:
        self.reporter.error = ZeroDivisionError("a secret")
        answer = self.ask(encodeRequest(ControlRequest(ASK_REPORT)))
        self.assertEqual(answer["error"], "this has failed in the program: its log says why")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_garbageIsRefused(self) -> None:
        for data in (b"\n", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\n", b'{"control":9,"ask":"report"}\n'):
            self.assertEqual(set(self.ask(data)), {"control", "error"})
            self.connect_()
        self.end()
        self.assertEqual(self.reporter.asked, [])

    def test_aHugeRequestIsRefusedBeforeItHasCome(self) -> None:
        for portions in ([b"x" * 5000], [b"x" * 1000] * 5, [b"x" * 10_000_000]):
            for portion in portions:
                self.connection.dataReceived(portion)
            self.assertEqual(self.answer()["error"], "a request has at most 4096 bytes")
            self.connect_()
        self.end()

    def test_twoRequestsAreOneTooMany(self) -> None:
        line = encodeRequest(ControlRequest(ASK_RELOAD))
        self.assertEqual(self.ask(line + line)["error"], "one request is answered for each connection")
        self.connect_()
        self.reporter.reloaded = Deferred()
        self.connection.dataReceived(line)
        self.connection.dataReceived(line)
        self.assertTrue(self.transport.isAborted)
        self.assertEqual(self.reporter.asked, ["reload"])
        self.end()
        self.reporter.reloaded.callback(None)

    def test_halfARequestIsWaitedForOnlySoLong(self) -> None:
        self.connection.dataReceived(b'{"control":1,')
        self.clock.advance(EXCHANGE_SECONDS - 0.1)
        self.assertFalse(self.transport.isAborted)
        self.clock.advance(0.1)
        self.assertTrue(self.transport.isAborted)
        self.end()

    def test_whoDoesNotReadCostsOnePiece(self) -> None:
        """
        More is written only when that has gone; and it is not waited for long.
        """
        self.reporter.told = crowded(256, 10)
        self.connection.dataReceived(encodeRequest(ControlRequest(ASK_REPORT)))
        self.assertEqual(self.transport.value(), b"")
        self.transport.pull(1)
        self.assertLess(len(self.transport.value()), 2 * PIECE_BYTES)
        self.clock.advance(EXCHANGE_SECONDS)
        self.assertTrue(self.transport.isAborted)
        self.end()

    def test_aLargeReportComesWhole(self) -> None:
        self.reporter.told = crowded(256, 10)
        answer = self.ask(encodeRequest(ControlRequest(ASK_REPORT)))
        self.assertEqual(len(answer["report"]["sessions"]), 256)

    def test_whoHasLeftIsNotAnswered(self) -> None:
        self.reporter.reloaded = Deferred()
        self.connection.dataReceived(encodeRequest(ControlRequest(ASK_RELOAD)))
        self.end()
        self.reporter.reloaded.callback(None)
        self.assertEqual(self.transport.value(), b"")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whatTakesTooLongIsNotWaitedFor(self) -> None:
        self.reporter.reloaded = Deferred()
        self.connection.dataReceived(encodeRequest(ControlRequest(ASK_RELOAD)))
        self.clock.advance(WORK_SECONDS)
        self.assertTrue(self.transport.isAborted)
        self.reporter.reloaded.callback(None)
        self.end()

    def test_aReportThatCannotBeWrittenEndsTheConnection(self) -> None:
        self.reporter.told = crowded(2, 1)
        broken: Any = self.reporter.told
        object.__setattr__(broken.sessions[1], "roundTrip", float("inf"))
        self.connection.dataReceived(encodeRequest(ControlRequest(ASK_REPORT)))
        self.transport.pull(1)
        self.assertTrue(self.transport.isAborted)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.end()

    def test_nothingIsKeptForWhoReadsNoMore(self) -> None:
        self.connection.dataReceived(encodeRequest(ControlRequest(ASK_REPORT)))
        self.connection.stopProducing()
        self.assertEqual(list(self.connection._pieces), [])
        self.end()
