"""
A stream that carries WebSocket, one step at a time.
"""

from __future__ import annotations

import sys
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reactors import MemoryReactor
from tests.doubles.sockets import Diarist, FakeSocket, FakeTls, accept, broken
from tests.transport.websocket.vectors import MASK
from uotp.errors import PeerError
from uotp.process.turns import OWNER_UNITS, READ_UNITS, Turns
from uotp.transport.websocket.carrier import GOODBYE_SECONDS, MOST_FRAMES, PONG_SECONDS
from uotp.transport.websocket.decoder import unmasked
from uotp.transport.websocket.frames import Opcode, closeMessage, controlMessage, frameHeader

EMPTY = b"\x82\x80\0\0\0\0"
"""The shortest message of a client."""

FRAMES_IN_A_READ = 65536 // len(EMPTY) - 2
EMPTIES = EMPTY * FRAMES_IN_A_READ

BYE = closeMessage(1000, masks=True)
OURS = closeMessage(1000, masks=False)


def message(payload: bytes, mask: bytes = bytes(4)) -> bytes:
    """
    @return: what a client writes.
    """
    header = frameHeader(Opcode.BINARY, len(payload), masks=True)
    return header[:-4] + mask + unmasked(payload, mask, 0)


class _CarrierTestCase(SynchronousTestCase):
    """
    Has one connection that we have accepted and that carries WebSocket.
    """

    tls: FakeTls | None = None

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.socket = FakeSocket()
        self.diary = Diarist()
        self.connection = accept(self.reactor, self.diary, self.socket, self.tls)
        self.addCleanup(self.end)
        self.reactor.advance(0)
        self.begin()

    def begin(self) -> None:
        """
        The upgrade is over.
        """
        self.connection.becomeWebSocket(masks=False)

    def end(self) -> None:
        """
        End it, if nobody has; nothing is left then, and no circle of ours keeps it.
        """
        self.connection.abort()
        self.reactor.advance(0)
        self.assertEqual(self.diary.says.count("lost"), 1)
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))
        self.assertEqual([str(call) for call in self.reactor.getDelayedCalls()], [])
        self.assertTrue(self.socket.closed)
        self.assertNotIn("write", vars(self.connection))

    def comes(self, *pieces: bytes | OSError) -> None:
        """
        Let something come, a turn for each piece.
        """
        for piece in pieces:
            self.socket.coming.append(piece)
            self.happens(read=True)

    def happens(self, *, read: bool = False, write: bool = False) -> None:
        """
        Let one turn pass.
        """
        self.reactor.happen(self.connection, read=read, write=write)

    def limit(self) -> None:
        """
        Bound the work of a turn.
        """
        self.turns = Turns(self.reactor)
        self.connection.allowance = self.turns.allowanceOf("somebody")

    def heard(self) -> bytes:
        """
        @return: all that the protocol was given.
        """
        return b"".join(self.diary.heard)

    def assertLost(self, kind: type[Exception]) -> None:
        """
        The connection is gone, and this is why.
        """
        self.assertEqual(self.diary.says[-1], "lost")
        assert self.diary.reason is not None
        self.diary.reason.trap(kind)


class CarryingTests(_CarrierTestCase):
    """
    Carry both ways.
    """

    def test_eachWriteIsOneMessage(self) -> None:
        for data in (b"one", b"", b"t" * 126, b"L" * 70000):
            self.connection.write(data)
        expected = b"\x82\x03one\x82\x7e\0\x7e" + b"t" * 126 + b"\x82\x7f" + (70000).to_bytes(8, "big") + b"L" * 70000
        self.assertEqual(self.socket.taken, expected)

    def test_whatComesIsHandedOnWithoutFrames(self) -> None:
        """
        Whole messages of any length, and with any mask.
        """
        payloads = [b"a", b"b" * 125, b"c" * 126, b"d" * 60000]
        for mask in (bytes(4), MASK):
            for payload in payloads:
                self.comes(message(payload, mask))
                self.assertEqual(self.diary.heard.pop(), payload)
        self.assertEqual(self.diary.heard, [])

    def test_whatComesAtOneGoIsHandedOnAtOneGo(self) -> None:
        """
        And a message in pieces as it comes.
        """
        self.comes(message(b"one") + message(b"two") + message(b"three")[:8], message(b"three")[8:] + message(b"four"))
        self.assertEqual(self.diary.heard, [b"onetwoth", b"reefour"])

    def test_whatHasComeWithTheUpgradeComesFirst(self) -> None:
        self.end()
        self.begin = lambda: self.connection.becomeWebSocket(message(b"early") + message(b"late")[:3], masks=False)  # type: ignore[method-assign]
        self.setUp()
        self.assertEqual(self.diary.heard, [b"early"])
        self.comes(message(b"late")[3:])
        self.assertEqual(self.heard(), b"earlylate")

    def test_loneDatagramPassesOneFunctionMore(self) -> None:
        """
        Each way, of those that are Python's.
        """

        def calls(action: Any, *args: object) -> int:
            count = 0

            def heard(_frame: object, event: str, _arg: object) -> None:
                nonlocal count
                count += event == "call"

            sys.setprofile(heard)
            try:
                action(*args)
            finally:
                sys.setprofile(None)
            return count

        bare = accept(self.reactor, Diarist(), FakeSocket(), None)
        self.addCleanup(self.reactor.advance, 0)
        self.addCleanup(bare.abort)
        self.reactor.advance(0)
        for stream in (bare, self.connection):  # once before, since the first time may differ
            stream.write(b"datagram")
        self.assertEqual(calls(self.connection.write, b"datagram"), calls(bare.write, b"datagram") + 1)
        bare.socket.coming.append(b"datagram")
        self.socket.coming.append(message(b"datagram"))
        self.assertEqual(calls(self.connection.doRead), calls(bare.doRead) + 1)

    def test_bareStreamHasNothingOfIt(self) -> None:
        bare = accept(self.reactor, Diarist(), FakeSocket(), None)
        self.addCleanup(self.reactor.advance, 0)
        self.addCleanup(bare.abort)
        self.assertNotIn("write", vars(bare))
        self.assertIsNone(bare._carrier)
        self.assertEqual((bare.isBare, self.connection.isBare), (True, False))

    def test_anotherProtocolMayTakeOver(self) -> None:
        """
        It hears the rest, and the end.
        """
        before, other = self.diary, Diarist()
        self.comes(message(b"one") + message(b"two")[:7])
        self.connection.handTo(other)
        other.transport = self.connection
        self.comes(message(b"two")[7:])
        self.assertEqual((before.heard, other.heard), ([b"onet"], [b"wo"]))
        self.diary = other
        self.end()
        self.assertNotIn("lost", before.says)

    def test_queueCountsHeaders(self) -> None:
        self.socket.room = 0
        self.connection.write(b"one")
        self.assertEqual((self.connection.queuedBytes(), self.diary.says[-1]), (5, "pause"))
        self.socket.room = 100
        self.happens(write=True)
        self.assertEqual((self.connection.queuedBytes(), self.diary.says[-1]), (0, "resume"))


class BoundTests(_CarrierTestCase):
    """
    Bound what a peer can make us do.
    """

    def test_aReadOfEmptyFramesTakesManyTurns(self) -> None:
        """
        Nothing more is read meanwhile, and what comes behind them arrives.
        """
        self.limit()
        self.socket.coming.extend([EMPTIES + message(b"end"), message(b"behind")])
        self.happens(read=True)
        self.assertEqual(self.diary.heard, [b"end"])
        self.assertGreater(self.turns.number, FRAMES_IN_A_READ // 8 // (OWNER_UNITS + READ_UNITS))
        self.happens(read=True)
        self.assertEqual(self.diary.heard, [b"end", b"behind"])

    def test_nothingIsReadBeforeTheRestIsDecoded(self) -> None:
        self.limit()
        self.socket.coming.extend([EMPTIES + message(b"end"), message(b"behind")])
        self.connection.doRead()
        self.assertTrue(self.connection.allowance.isSpent)
        self.connection.doRead()
        self.assertEqual((self.diary.heard, len(self.socket.coming)), ([], 1))

    def test_aStrangersFramesEndIt(self) -> None:
        """
        Nobody's allowance bounds them, and an honest peer says no more than its hello.
        """
        self.comes(EMPTY * (MOST_FRAMES - 1))
        self.assertNotIn("lost", self.diary.says)
        self.comes(EMPTIES)
        self.reactor.advance(0)
        self.assertLost(PeerError)

    def test_aStrangersFramesCountUntilHeIsKnown(self) -> None:
        """
        However few come at a time; those that bring something are for others to judge.
        """
        ping = controlMessage(Opcode.PING, bytes(100), masks=True)
        self.comes(*[message(b"x") * 30] * 100)
        self.comes(*[ping * 30] * (MOST_FRAMES // 30))
        self.assertNotIn("lost", self.diary.says)
        self.comes(ping * 30)
        self.reactor.advance(0)
        self.assertLost(PeerError)

    def test_whoIsKnownMaySendAnyNumber(self) -> None:
        """
        They cost units of his allowance.
        """
        self.limit()
        for _ in range(3 * MOST_FRAMES // 30):
            self.comes(EMPTY * 30)
            self.reactor.advance(1.0)
        self.assertNotIn("lost", self.diary.says)

    def test_pausedProtocolIsHandedNothing(self) -> None:
        """
        Also of what was left over for the next turn.
        """
        self.limit()
        self.socket.coming.append(EMPTIES + message(b"end"))
        self.connection.doRead()
        self.connection.pauseProducing()
        self.reactor.advance(0)
        self.assertEqual(self.diary.heard, [])
        self.connection.resumeProducing()
        self.reactor.advance(0)
        self.assertEqual(self.diary.heard, [b"end"])

    def test_goneStreamDecodesNothing(self) -> None:
        self.limit()
        self.socket.coming.append(EMPTIES + message(b"end"))
        self.connection.doRead()
        self.connection.abort()
        self.reactor.advance(0)
        self.assertEqual(self.diary.heard, [])

    def test_pingIsAnsweredByTheSame(self) -> None:
        self.comes(controlMessage(Opcode.PING, b"?", masks=True), controlMessage(Opcode.PONG, b"!", masks=True))
        self.assertEqual((self.socket.taken, self.diary.heard), (b"\x8a\x01?", []))

    def test_floodOfPingsIsAnsweredNowAndThen(self) -> None:
        """
        The last of many at one go; and while the peer reads nothing, one a second.
        """
        ping = controlMessage(Opcode.PING, b"p" * 125, masks=True)
        self.comes(ping * 50)
        self.assertEqual(len(self.socket.taken), 127)
        self.socket.room = 0
        for _ in range(30):
            self.comes(ping * 50)
        self.assertLessEqual(self.connection.queuedBytes(), 2 * 127)
        before = self.connection.queuedBytes()
        self.reactor.advance(PONG_SECONDS)
        self.comes(ping)
        self.assertEqual(self.connection.queuedBytes(), before + 127)

    def test_whatBringsNothingCostsUnits(self) -> None:
        """
        However little comes at one go: or many connections of one owner could take all the time.
        """
        for nothing in (EMPTY, controlMessage(Opcode.PING, masks=True)):
            self.setUp()
            self.limit()
            for _ in range(READ_UNITS):
                self.socket.coming.append(nothing)
                self.connection.doRead()
            self.assertTrue(self.connection.allowance.isSpent, nothing)

    def test_whatMayNotBeSaidEndsIt(self) -> None:
        """
        What came before it is handed on; the peer is told, and the protocol hears why.
        """
        for wrong in (b"\x81\x80", b"\x82\x01a", b"\xc2", b"\x89\xff", b"\x80"):
            self.setUp()
            self.comes(message(b"good") + wrong)
            self.reactor.advance(0)
            self.assertEqual((self.diary.heard, self.socket.taken), ([b"good"], closeMessage(1002, masks=False)))
            self.assertLost(PeerError)


class GoodbyeTests(_CarrierTestCase):
    """
    End in good order.
    """

    def test_ourCloseComesBehindWhatIsWritten(self) -> None:
        self.socket.room = 2
        self.connection.write(b"last")
        self.connection.close()
        self.connection.write(b"late")
        self.socket.room = 100
        self.happens(write=True)
        self.happens(write=True)
        self.assertEqual(self.socket.taken, b"\x82\x04last" + OURS)
        self.assertLost(ConnectionDone)

    def test_theirCloseIsAnsweredOnce(self) -> None:
        """
        With their reason, behind what is written.
        """
        self.socket.room = 0
        self.connection.write(b"last")
        self.comes(message(b"end") + closeMessage(3000, masks=True) + BYE + message(b"late"))
        self.socket.room = 100
        self.happens(write=True)
        self.happens(write=True)
        self.assertEqual(self.socket.taken, b"\x82\x04last" + closeMessage(3000, masks=False))
        self.assertEqual(self.heard(), b"end")
        self.assertLost(ConnectionDone)

    def test_whoeverClosesAndDoesNotReadIsGivenUp(self) -> None:
        self.socket.room = 0
        self.connection.write(b"last")
        self.comes(BYE)
        self.reactor.advance(GOODBYE_SECONDS)
        self.reactor.advance(0)
        self.assertLost(ConnectionAborted)

    def test_resetBehindAGoodbyeIsAnOrdinaryEnd(self) -> None:
        self.socket.room = 0
        self.connection.write(b"last")
        self.comes(BYE)
        self.socket.coming.append(broken())
        self.socket.failure = broken()
        self.happens(read=True, write=True)
        self.assertLost(ConnectionDone)

    def test_endWithoutAGoodbyeIsWhatItIs(self) -> None:
        self.comes(message(b"some"))
        self.comes(broken())
        self.assertLost(ConnectionLost)


class TlsCarrierTests(_CarrierTestCase):
    """
    Carry it within TLS.
    """

    def setUp(self) -> None:
        self.tls = FakeTls()
        super().setUp()

    def begin(self) -> None:
        """
        The handshake is done before.
        """
        self.happens(read=True)
        self.reactor.advance(0)
        self.reactor.advance(0)
        super().begin()

    def record(self, *records: bytes | Exception) -> None:
        """
        Let some records come.
        """
        assert self.tls is not None
        self.tls.coming.extend(records)
        self.happens(read=True)

    def test_bothWays(self) -> None:
        assert self.tls is not None
        self.connection.write(b"t" * 40000)
        self.assertEqual(self.tls.taken, b"\x82\x7e" + (40000).to_bytes(2, "big") + b"t" * 40000)
        octets = message(b"c" * 30000)
        self.record(octets[:16384], octets[16384:])
        self.assertEqual(self.diary.heard, [b"c" * 30000])

    def test_goodbyeComesBeforeThatOfTls(self) -> None:
        assert self.tls is not None
        self.connection.close()
        self.assertEqual((self.tls.taken, self.tls.goodbyes, self.socket.shut), (OURS, 1, True))

    def test_theirGoodbyeEndsIt(self) -> None:
        assert self.tls is not None
        self.record(BYE)
        self.assertEqual((self.tls.taken, self.tls.goodbyes), (OURS, 1))
        self.assertEqual(self.diary.says[-1], "secured")

    def test_endWaitsForWhatWasLeftOver(self) -> None:
        """
        Also where it comes in the same read.
        """
        self.limit()
        stream = EMPTY * 2000 + message(b"end")
        assert self.tls is not None
        self.tls.coming.extend([stream, *[SSL.ZeroReturnError()] * 100])
        self.connection.doRead()
        self.assertTrue(self.connection.allowance.isSpent)
        self.reactor.advance(0)
        self.assertEqual((self.heard(), self.diary.says[-1]), (b"end", "lost"))
        self.assertLost(ConnectionDone)
