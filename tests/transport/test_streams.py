"""
The connection under a tunnel, with TLS and without, one step at a time.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import uuid
from collections import deque
from types import MethodType
from typing import Any

from OpenSSL import SSL
from twisted.internet import tcp
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.handshakes import RecordingStep
from tests.doubles.preambles import ProxyHeader
from tests.doubles.reactors import MemoryReactor
from tests.doubles.sessions import RecordingSession
from tests.doubles.sockets import PEER, UNKNOWN_CA, Diarist, FakeSocket, FakeTls, accept, broken, tcpInfo
from tests.doubles.tunnels import RecordingOwner
from uotp.boundaries import Security
from uotp.net.sockopts import (
    KEEPALIVE_IDLE_SECONDS,
    MAX_RATE,
    SILENT_ROUND_TRIPS,
    SO_MAX_PACING_RATE,
    UNSENT_LIMIT_BYTES,
    USER_TIMEOUT_MILLISECONDS,
)
from uotp.process.turns import READ_UNITS, SLICE_UNITS, Turns
from uotp.train import Train
from uotp.transport import tcp as tcpstreams
from uotp.transport.dialer import connectTunnel
from uotp.transport.dialled import DialledTcpStream, DialledTlsStream
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.tcp import END_UNITS, READ_BYTES
from uotp.transport.tls import LONE_BYTES, RECORD_BYTES, isEndOfStream
from uotp.tunnel.accepted import AcceptedTunnel
from uotp.tunnel.tunnel import CLOSE_SECONDS

ALERT = [("SSL routines", "", "tlsv1 alert unknown ca")]
"""What OpenSSL says of a peer that has refused us."""

EOF = SSL.SysCallError(-1, "Unexpected EOF")

LONG = bytes(LONE_BYTES)
"""The shortest record behind which another is looked for."""

GONE = SSL.Error([("system library", "", "")])
"""What OpenSSL says of a connection that was broken before."""


class _ConnectionTestCase(SynchronousTestCase):
    """
    Has one connection that we have accepted.
    """

    tls: FakeTls | None = None
    diaryClass = Diarist

    def setUp(self) -> None:
        """
        Make it; whatever a test does, its end is told once, and nothing is watched then.
        """
        self.reactor = MemoryReactor()
        self.socket = FakeSocket()
        self.diary = self.diaryClass()
        self.connection = accept(self.reactor, self.diary, self.socket, self.tls)
        self.addCleanup(self.end)

    def end(self) -> None:
        """
        End it, if nobody has.
        """
        self.connection.abort()
        self.reactor.advance(0)
        self.assertEqual(self.diary.says.count("lost"), 1)
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))
        self.assertEqual([str(call) for call in self.reactor.getDelayedCalls()], [])
        self.assertTrue(self.socket.closed)

    def happens(self, *, read: bool = False, write: bool = False) -> bool:
        """
        Let one turn of the reactor pass in which something has happened.
        """
        return self.reactor.happen(self.connection, read=read, write=write)

    def assertLost(self, kind: type[Exception]) -> None:
        """
        The connection is gone, and this is why.
        """
        self.assertEqual(self.diary.says[-1], "lost")
        assert self.diary.reason is not None
        self.diary.reason.trap(kind)

    def watched(self) -> tuple[bool, bool]:
        """
        @return: whether the reactor waits for something to read, and to write.
        """
        return self.connection in self.reactor.readers, self.connection in self.reactor.writers


class PlainConnectionTests(_ConnectionTestCase):
    """
    Read and write without TLS.
    """

    def test_whatIsWrittenIsSentAtOnce(self) -> None:
        self.connection.write(b"one")
        self.connection.write(b"two")
        self.assertEqual(self.socket.taken, b"onetwo")
        self.assertEqual(self.watched(), (True, False))
        self.assertEqual(self.diary.says, ["made"])

    def test_reactorIsToldWhoItIsWithoutAFunction(self) -> None:
        """
        It asks with each event, also of a lone datagram.
        """
        self.assertIn("Diarist", self.connection.logPrefix())
        self.assertNotIsInstance(self.connection.logPrefix, MethodType)

    def test_firstByteThatWaitsPauses(self) -> None:
        self.socket.room = 5
        self.connection.write(b"one")
        self.assertEqual(self.diary.says, ["made"])
        self.connection.write(b"two")
        self.assertEqual((self.socket.taken, self.diary.says), (b"onetw", ["made", "pause"]))
        self.assertEqual(self.watched(), (True, True))

    def test_whatWaitsIsSentInOrderAndThenItGoesOn(self) -> None:
        self.socket.room = 4
        self.connection.write(b"onetwo")
        self.socket.room = 1
        self.connection.write(b"three")
        self.assertEqual(self.socket.taken, b"onet")
        self.happens(write=True)
        self.assertEqual(self.socket.taken, b"onetw")
        self.assertNotIn("resume", self.diary.says)
        self.socket.room = 100
        self.happens(write=True)
        self.assertEqual((self.socket.taken, self.diary.says[-1]), (b"onetwothree", "resume"))
        self.assertEqual(self.watched(), (True, False))

    def test_nothingIsReadOfWhoeverHasSpentItsTurn(self) -> None:
        """
        What has come stays where it is, and the reactor does not ask again before the next turn.
        """
        allowance = self.connection.allowance = Turns(self.reactor).allowanceOf("somebody")
        while not allowance.owner.isExhausted:
            allowance.spend(1)
        self.socket.coming.append(b"one")
        self.connection.doRead()
        self.assertEqual((self.diary.heard, self.watched()), ([], (False, False)))
        self.reactor.advance(0)
        self.happens(read=True)
        self.assertEqual(self.diary.heard, [b"one"])

    def test_closedStreamIsNotReadAgainByItsTurn(self) -> None:
        """
        It has to send what was written before, though the peer has ended its part meanwhile.
        """
        allowance = self.connection.allowance = Turns(self.reactor).allowanceOf("somebody")
        while not allowance.owner.isExhausted:
            allowance.spend(1)
        self.socket.coming.append(b"")
        self.connection.doRead()
        self.socket.room = 0
        self.connection.write(b"last")
        self.connection.close()
        self.reactor.advance(0)
        self.assertEqual(self.watched(), (False, True))
        self.socket.room = 4
        self.happens(read=True, write=True)
        self.assertEqual(self.socket.taken, b"last")

    def test_endsOfManyConnectionsAreSpreadOverTurns(self) -> None:
        """
        Who ends thousands of connections at once makes others wait for a few of them only.
        """
        for end, kind in ((b"", ConnectionDone), (broken(), ConnectionLost)):
            self.setUp()
            allowance = self.connection.allowance = Turns(self.reactor).allowanceOf("somebody")
            allowance.spend(READ_UNITS - END_UNITS)
            self.assertFalse(allowance.owner.isExhausted)
            self.socket.coming.append(end)
            self.assertIsInstance(self.connection.doRead(), kind)
            self.assertTrue(allowance.owner.isExhausted)
            self.reactor.advance(0)

    def test_whatComesIsReadOnceATurnAndBounded(self) -> None:
        self.socket.coming.extend([b"one", b"two"])
        self.happens(read=True)
        self.assertEqual((self.diary.heard, self.socket.asked), ([b"one"], [READ_BYTES]))

    def test_wakingForNothingChangesNothing(self) -> None:
        self.happens(read=True)
        self.assertEqual((self.diary.heard, self.diary.says), ([], ["made"]))

    def test_peersEndIsAnEnd(self) -> None:
        self.socket.coming.append(b"")
        self.happens(read=True)
        self.assertLost(ConnectionDone)

    def test_brokenConnectionIsLostWhenItIsRead(self) -> None:
        self.socket.coming.append(broken())
        self.happens(read=True)
        self.assertLost(ConnectionLost)

    def test_brokenConnectionIsLostWhenItIsWritten(self) -> None:
        """
        Not inside the write, where nobody expects it, but in the next turn; until then it takes nothing.
        """
        self.socket.failure = broken()
        self.connection.write(b"one")
        self.assertEqual(self.diary.says, ["made", "pause"])
        self.happens(write=True)
        self.assertLost(ConnectionLost)

    def test_costIsWhatStandsBeforeTheNextByte(self) -> None:
        self.assertEqual(self.connection.cost(), 0)
        self.socket.info = tcpInfo(unsent=1000)
        self.socket.room = 0
        self.connection.write(b"ten bytes.")
        self.assertEqual(self.connection.cost(), 1010)

    def test_troubleIsWhatTheKernelRepairs(self) -> None:
        """
        Or a connection that is broken; at rest there is none, and where nothing is told neither.
        """
        self.assertIs(self.connection.isTroubled(), False)
        for state in (1, 2, 3, 4):
            self.socket.info = tcpInfo(state)
            self.assertIs(self.connection.isTroubled(), True)
        self.socket.info = tcpInfo(backoff=1)  # the kernel could never send what waits
        self.assertIs(self.connection.isTroubled(), True)
        self.socket.info = None
        self.assertIs(self.connection.isTroubled(), True)
        self.patch(tcpstreams, "TCP_INFO", None)
        self.assertIs(self.connection.isTroubled(), False)

    def test_connectionThatIsBoundedIsFullWhenItsKernelIs(self) -> None:
        """
        Though the kernel has taken all.  It is free again when the kernel says so.
        """
        self.socket.room = 99
        writable = False
        self.patch(tcpstreams, "isWritable", lambda _: writable)
        self.connection.write(b"one")
        self.assertEqual(self.diary.says, ["made"])
        self.connection.boundInFlight(4096)
        self.assertIn((socket.SOL_SOCKET, socket.SO_SNDBUF, 4096), self.socket.options)
        self.connection.write(b"two")
        self.assertEqual(self.diary.says, ["made", "pause"])
        self.happens(write=True)
        self.assertEqual(self.diary.says, ["made", "pause", "resume"])
        writable = True
        self.connection.write(b"three")
        self.connection.boundInFlight(None)
        writable = False
        self.connection.write(b"four")
        self.assertEqual(self.diary.says, ["made", "pause", "resume"])
        self.assertEqual(self.socket.taken, b"onetwothreefour")

    def test_oneThatIsToHaveLittleUnsentIsFullTooWhenItsKernelIs(self) -> None:
        self.socket.room = 99
        self.patch(tcpstreams, "isWritable", lambda _: False)
        for bounds in ((True, None), (True, 4096), (False, 4096), (True, None)):
            isBounded, size = bounds
            self.connection.boundUnsent(isBounded=isBounded)
            self.connection.boundInFlight(size)
            self.diary.says.clear()
            self.connection.write(b"one")
            self.assertEqual((bounds, self.diary.says), (bounds, ["pause"]))
            self.happens(write=True)
        self.connection.boundInFlight(4096)
        self.connection.boundUnsent(isBounded=False)
        self.diary.says.clear()
        self.connection.write(b"one")
        self.assertEqual(self.diary.says, ["pause"])
        self.happens(write=True)
        self.connection.boundInFlight(None)
        self.diary.says.clear()
        self.connection.write(b"two")
        self.assertEqual(self.diary.says, [])

    def test_kernelIsToldHowFastItMaySend(self) -> None:
        rates = [(SO_MAX_PACING_RATE, rate) for rate in (5000, MAX_RATE, MAX_RATE)]
        for rate in (5000, None, 2 * MAX_RATE):
            self.connection.boundRate(rate)
        told = [(option, value) for _, option, value in self.socket.options if option == SO_MAX_PACING_RATE]
        self.assertEqual(
            told,
            [(option, rate.to_bytes(4, sys.byteorder)) for option, rate in rates] if sys.platform == "linux" else [],
        )

    def test_kernelIsToldToAcknowledgeAtOnce(self) -> None:
        """
        Where it can; what it answers changes nothing.
        """
        option = getattr(socket, "TCP_QUICKACK", 12)
        self.patch(tcpstreams, "TCP_QUICKACK", None)
        before = list(self.socket.options)
        self.connection.acknowledge()
        self.assertEqual(self.socket.options, before)
        self.patch(tcpstreams, "TCP_QUICKACK", option)
        self.connection.acknowledge()
        self.assertEqual(self.socket.options, [*before, (socket.IPPROTO_TCP, option, 1)])
        self.socket._refused = (option,)
        self.connection.acknowledge()
        self.socket._refused = ()
        self.connection.abort()
        self.reactor.advance(0)
        told = list(self.socket.options)
        self.connection.acknowledge()
        self.assertEqual(self.socket.options, told)

    def test_kernelIsToldHowLongThePathIs(self) -> None:
        self.connection.allowSilence(4.0)
        option = getattr(socket, "TCP_USER_TIMEOUT", None)
        if option is not None:
            longer = (KEEPALIVE_IDLE_SECONDS + SILENT_ROUND_TRIPS * 4) * 1000
            self.assertEqual(self.socket.options[-1], (socket.IPPROTO_TCP, option, longer))
            self.connection.allowSilence(0.0)
            self.assertEqual(self.socket.options[-1], (socket.IPPROTO_TCP, option, USER_TIMEOUT_MILLISECONDS))

    def test_closingSendsWhatWaits(self) -> None:
        self.socket.room = 3
        self.connection.write(b"onetwo")
        self.connection.unregisterProducer()
        self.connection.close()
        self.socket.room = 3
        self.happens(write=True)
        self.assertEqual(self.socket.taken, b"onetwo")
        self.assertLost(ConnectionDone)

    def test_socketIsTuned(self) -> None:
        self.assertIn((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), self.socket.options)
        self.assertIn((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), self.socket.options)
        self.assertIn(UNSENT_LIMIT_BYTES, [value for _, _, value in self.socket.options])


class _TlsConnectionTestCase(_ConnectionTestCase):
    """
    Has one with TLS.
    """

    handshake: tuple[Exception | None, ...] = (None,)

    def setUp(self) -> None:
        self.tls = self.fake = FakeTls()
        self.fake.handshake = deque(self.handshake)
        super().setUp()


class HandshakeTests(_TlsConnectionTestCase):
    """
    Shake hands until the peer is known.
    """

    handshake = ()

    def test_serverWaitsForTheClientToBegin(self) -> None:
        self.assertEqual((self.fake.side, self.fake.steps), ("server", 0))
        self.assertIs(self.fake.socket, self.socket)
        self.assertIs(self.connection.tls, self.fake)
        self.assertEqual(self.connection.security, Security())
        self.assertEqual(self.watched(), (True, False))

    def test_stepsGoOnAsBytesCome(self) -> None:
        """
        And the protocol is told when it is done, once; nothing is delivered before.
        """
        self.fake.handshake.extend([SSL.WantReadError(), SSL.WantReadError(), None])
        self.fake.coming.append(b"early")
        for _ in range(2):
            self.happens(read=True)
            self.assertEqual((self.diary.says, self.diary.heard), (["made"], []))
        self.happens(read=True)
        self.assertEqual((self.diary.says, self.fake.steps), (["made", "secured"], 3))
        self.happens(read=True)
        self.assertEqual((self.diary.heard, self.fake.steps), ([b"early"], 3))

    def test_stepThatCannotBeSentWaitsForRoom(self) -> None:
        """
        And is not tried again for what comes meanwhile: a peer that sends on and does not read would keep us busy.
        """
        self.fake.handshake.extend([SSL.WantWriteError(), SSL.WantReadError(), None])
        self.happens(read=True)
        self.assertEqual(self.watched(), (False, True))
        self.happens(read=True, write=True)
        self.assertEqual(self.watched(), (True, False))
        self.happens(read=True)
        self.assertEqual(self.diary.says, ["made", "secured"])
        self.assertEqual(self.watched(), (True, False))

    def test_lastStepMayHaveToWaitForRoom(self) -> None:
        self.fake.handshake.extend([SSL.WantWriteError(), None])
        self.happens(read=True)
        self.happens(write=True)
        self.assertEqual(self.diary.says, ["made", "secured"])
        self.assertEqual(self.watched(), (True, False))

    def test_refusedPeerHasTimeToReadWhy(self) -> None:
        """
        What it has sent meanwhile is read and thrown away, until it closes: otherwise
        the kernel would tear the connection down, and the alert with it.
        """
        refusal = SSL.Error(ALERT)
        self.fake.handshake.append(refusal)
        self.socket.coming.extend([b"what was on its way", b""])
        self.happens(read=True, write=True)
        self.assertEqual((self.diary.says, self.socket.shut, self.socket.closed), (["made"], True, False))
        self.assertEqual(self.watched(), (True, False))
        self.happens(read=True)
        self.assertEqual(self.diary.says, ["made"])
        self.happens(read=True)
        self.assertLost(SSL.Error)
        assert self.diary.reason is not None
        self.assertIs(self.diary.reason.value, refusal)
        self.assertEqual(self.diary.refusal, UNKNOWN_CA)
        self.assertEqual(self.diary.heard, [])

    def test_refusalIsNotTriedAgain(self) -> None:
        """
        Although the reactor had both to say: that there was something to read, and room to write.
        """
        self.fake.handshake.extend([SSL.WantWriteError(), SSL.Error(ALERT), SSL.Error([])])
        self.happens(read=True)
        self.connection.startReading()
        self.happens(read=True, write=True)
        self.assertEqual(self.fake.steps, 2)
        self.assertEqual(self.diary.says, ["made"])

    def test_refusalAfterAWaitForRoomLetsThePeerReadTheSame(self) -> None:
        self.fake.handshake.extend([SSL.WantWriteError(), SSL.Error(ALERT)])
        self.socket.coming.append(b"")
        self.happens(read=True)
        self.happens(write=True)
        self.assertEqual(self.watched(), (True, False))
        self.happens(read=True)
        self.assertLost(SSL.Error)

    def test_refusedPeerThatBreaksOffIsStillRefused(self) -> None:
        """
        The log says why, and not that the connection was lost.
        """
        self.fake.handshake.append(SSL.Error(ALERT))
        self.socket.coming.append(broken())
        self.happens(read=True)
        self.happens(read=True)
        self.assertLost(SSL.Error)

    def test_refusedPeerThatIsGoneIsNotWaitedFor(self) -> None:
        """
        There is nobody to say anything to.
        """
        self.fake.handshake.append(SSL.Error(ALERT))
        self.socket.failure = broken()
        self.happens(read=True)
        self.assertLost(SSL.Error)

    def test_refusedPeerThatStaysIsAborted(self) -> None:
        """
        By whoever made us, and the reason is still the refusal.
        """
        self.fake.handshake.append(SSL.Error(ALERT))
        self.happens(read=True)
        self.happens(read=True)
        self.assertEqual(self.diary.says, ["made"])
        self.connection.abort()
        self.reactor.advance(0)
        self.assertLost(SSL.Error)

    def test_peerThatGoesDuringTheHandshakeIsNoRefusal(self) -> None:
        for gone in (EOF, SSL.SysCallError(errno.ECONNRESET, "ECONNRESET"), SSL.Error([]), GONE):
            self.end()
            self.diary, self.socket, self.fake = Diarist(), FakeSocket(), FakeTls()
            self.connection = accept(self.reactor, self.diary, self.socket, self.fake)
            self.fake.handshake = deque([gone])
            self.happens(read=True)
            self.assertLost(ConnectionLost)

    def test_closingBeforeTheHandshakeIsDoneIsAnAbort(self) -> None:
        """
        There is nothing to say goodbye to.
        """
        self.connection.close()
        self.reactor.advance(0)
        self.assertLost(ConnectionAborted)
        self.assertEqual(self.fake.goodbyes, 0)


class TlsConnectionTests(_TlsConnectionTestCase):
    """
    Read and write after the handshake.
    """

    def setUp(self) -> None:
        super().setUp()
        self.happens(read=True)
        self.assertEqual(self.diary.says, ["made", "secured"])
        self.diary.says.clear()

    # Reading.

    def test_nothingIsReadOfWhoeverHasSpentItsTurn(self) -> None:
        allowance = self.connection.allowance = Turns(self.reactor).allowanceOf("somebody")
        while not allowance.owner.isExhausted:
            allowance.spend(1)
        self.fake.coming.extend([LONG, LONG])
        self.connection.doRead()
        self.assertEqual((self.diary.heard, self.watched()), ([], (False, False)))
        self.reactor.advance(0)
        self.happens(read=True)
        self.assertEqual(self.diary.heard, [LONG + LONG])

    def test_endsOfManyConnectionsAreSpreadOverTurns(self) -> None:
        """
        Alone, or behind records that came with it.
        """
        for records in ([], [LONG]):
            self.setUp()
            allowance = self.connection.allowance = Turns(self.reactor).allowanceOf("somebody")
            allowance.spend(READ_UNITS - END_UNITS)
            self.fake.coming.extend([*records, EOF])
            self.assertIsInstance(self.connection.doRead(), ConnectionLost)
            self.assertEqual(self.diary.heard, records)
            self.assertTrue(allowance.owner.isExhausted)
            self.reactor.advance(0)

    def test_readThatBringsNothingIsCounted(self) -> None:
        """
        Whoever sends records byte after byte, or some without data, has no more than his turn.
        """
        allowance = self.connection.allowance = Turns(self.reactor).allowanceOf("somebody")
        for _ in range(READ_UNITS):
            self.connection.doRead()
        self.assertTrue(allowance.owner.isExhausted)
        self.reactor.advance(0)

    def endBehindWork(self, end: Exception) -> list[bool]:
        """
        Let records come whose receiver leaves most of its work to the next turns, and the end of the connection
        with them.

        @return: when that was done, whether the connection was lost before.
        """
        allowance = self.connection.allowance = Turns(self.reactor).allowanceOf("somebody")
        done: list[bool] = []

        def work(left: int) -> None:
            allowance.spend(SLICE_UNITS)
            if left:
                allowance.later(lambda: work(left - 1))
            else:
                done.append("lost" in self.diary.says)

        self.connection.protocol.dataReceived = lambda _: work(30)
        self.fake.coming.extend([LONG, end, end])
        self.happens(read=True)
        while not done:
            self.reactor.advance(0)
        for _ in range(3):
            self.reactor.advance(0)  # the kernel has nothing more to tell
        return done

    def test_endWaitsForWhatWasReadBeforeIt(self) -> None:
        """
        It would drop what is left to the next turns.
        """
        for end, kind in ((SSL.ZeroReturnError(), ConnectionDone), (EOF, ConnectionLost)):
            self.setUp()
            self.assertEqual(self.endBehindWork(end), [False])
            self.assertLost(kind)

    def test_endWaitsForWhoeverHasPausedUponWhatWasReadBeforeIt(self) -> None:
        """
        Otherwise a client that closes right behind its datagrams would lose them while somebody is asked about it.
        """
        for end, kind in ((SSL.ZeroReturnError(), ConnectionDone), (EOF, ConnectionLost)):
            self.setUp()
            self.patch(self.diary, "dataReceived", lambda _: self.connection.pauseProducing())
            self.fake.coming.extend([LONG, end, end])
            self.happens(read=True)
            self.assertEqual(self.diary.says, [])
            self.connection.resumeProducing()
            self.assertEqual(self.diary.says, [], "whoever resumes has something to do first")
            self.reactor.advance(0)  # the kernel has nothing more to tell
            self.assertLost(kind)

    def test_recordsOfOneTurnAreDeliveredTogether(self) -> None:
        self.fake.coming.extend([LONG, LONG, b"end"])
        self.happens(read=True)
        self.assertEqual(self.diary.heard, [LONG + LONG + b"end"])
        self.happens(read=True)
        self.assertEqual(len(self.diary.heard), 1)

    def test_shortRecordIsTakenForTheLast(self) -> None:
        """
        Nothing is asked for behind it in the same turn; what has come all the same is read in the next.
        """
        self.fake.coming.extend([b"one", LONG])
        self.happens(read=True)
        self.assertEqual(self.diary.heard, [b"one"])
        self.happens(read=True)
        self.assertEqual(self.diary.heard, [b"one", LONG])

    def test_oneTurnReadsNoMoreThanItsShare(self) -> None:
        """
        Whatever is left stays in the kernel, where the reactor sees it.
        """
        record = bytes(RECORD_BYTES)
        self.fake.coming.extend([record] * 20)
        self.happens(read=True)
        (heard,) = self.diary.heard
        self.assertTrue(READ_BYTES <= len(heard) < READ_BYTES + RECORD_BYTES)
        while self.fake.coming:
            self.happens(read=True)
        self.assertEqual(sum(map(len, self.diary.heard)), 20 * RECORD_BYTES)

    def test_peersGoodbyeIsAnEnd(self) -> None:
        self.fake.coming.extend([LONG, SSL.ZeroReturnError()])
        self.happens(read=True)
        self.assertEqual((self.diary.heard, self.fake.goodbyes), ([LONG], 1))
        self.assertLost(ConnectionDone)

    def test_boundedConnectionIsFullWhenItsKernelIs(self) -> None:
        """
        As without TLS.
        """
        self.patch(tcpstreams, "isWritable", lambda _: False)
        self.connection.boundInFlight(4096)
        self.connection.write(b"one")
        self.assertEqual((self.fake.taken, self.diary.says[-1]), (b"one", "pause"))
        self.happens(write=True)
        self.assertEqual(self.diary.says[-1], "resume")

    def test_peersGoodbyeWhileWeAreFullIsAnEndToo(self) -> None:
        """
        Nobody will read what waits; the connection would otherwise stay for ever.
        """
        self.fake.room = 0
        self.connection.write(b"nobody reads this")
        self.fake.farewell = SSL.WantWriteError()
        self.fake.coming.append(SSL.ZeroReturnError())
        self.happens(read=True, write=True)
        self.assertLost(ConnectionDone)

    def test_endWithoutAGoodbyeIsALoss(self) -> None:
        self.fake.coming.extend([LONG, EOF])
        self.happens(read=True)
        self.assertEqual(self.diary.heard, [LONG])
        self.assertLost(ConnectionLost)

    def test_alertIsTheReason(self) -> None:
        """
        With TLS 1.3 a server refuses its client when that thinks it is through.
        """
        self.fake.coming.append(SSL.Error(ALERT))
        self.happens(read=True)
        self.assertLost(SSL.Error)
        self.assertEqual(self.diary.refusal, UNKNOWN_CA)

    def test_protocolThatClosesUponDataIsLeftAlone(self) -> None:
        self.patch(self.diary, "dataReceived", lambda _: self.connection.abort())
        self.fake.coming.extend([LONG, SSL.ZeroReturnError()])
        self.happens(read=True)
        self.reactor.advance(0)
        self.assertEqual(self.diary.says, ["lost"])

    # Writing.

    def test_whatIsWrittenIsSentAtOnce(self) -> None:
        self.connection.write(bytes(RECORD_BYTES + 1))
        self.connection.write(b"")
        self.assertEqual(len(self.fake.taken), RECORD_BYTES + 1)
        self.assertEqual(self.watched(), (True, False))
        self.assertEqual(self.diary.says, [])

    def test_firstByteThatWaitsPauses(self) -> None:
        """
        A record that the kernel did not take is given to OpenSSL again, the same.
        """
        data = os.urandom(3 * RECORD_BYTES + 5)
        self.fake.room = 1
        self.connection.write(data)
        self.assertEqual((self.fake.taken, self.diary.says), (data[:RECORD_BYTES], ["pause"]))
        self.connection.write(b"more")
        self.assertEqual(self.fake.taken, data[:RECORD_BYTES])
        self.fake.room = 1
        self.happens(write=True)
        self.assertEqual((self.fake.taken, self.diary.says), (data[: 2 * RECORD_BYTES], ["pause", "pause"]))
        self.fake.room = 100
        self.happens(write=True)
        self.assertEqual((self.fake.taken, self.diary.says[-1]), (data + b"more", "resume"))
        self.assertEqual(self.watched(), (True, False))

    def test_shortRecordThatWaitedIsSentByItself(self) -> None:
        """
        Although more has been written behind it: OpenSSL has made it already.
        """
        self.fake.room = 0
        self.connection.write(b"one")
        self.connection.write(b"two")
        self.fake.room = 1
        self.happens(write=True)
        self.assertEqual(self.fake.taken, b"one")
        self.fake.room = 1
        self.happens(write=True)
        self.assertEqual((self.fake.taken, self.diary.says[-1]), (b"onetwo", "resume"))

    def test_brokenConnectionIsLostWhenItIsWritten(self) -> None:
        self.fake.failure = SSL.SysCallError(errno.EPIPE, "EPIPE")
        self.connection.write(b"one")
        self.assertEqual(self.diary.says, ["pause"])
        self.fake.failure = GONE
        self.happens(write=True)
        self.assertLost(ConnectionLost)

    def test_refusalBehindABrokenWriteIsRead(self) -> None:
        self.fake.failure = SSL.SysCallError(errno.EPIPE, "EPIPE")
        self.connection.write(b"one")
        self.fake.coming.append(SSL.Error(ALERT))
        self.happens(read=True, write=True)
        self.assertLost(SSL.Error)

    def test_errorOfOurOwnIsTheReason(self) -> None:
        own = SSL.Error([("SSL routines", "", "bad write retry")])
        self.fake.failure = own
        self.connection.write(b"one")
        self.fake.failure = SSL.Error([])
        self.happens(write=True)
        self.assertLost(SSL.Error)
        assert self.diary.reason is not None
        self.assertIs(self.diary.reason.value, own)

    # New keys.

    def test_answerThatCannotBeSentStopsTheReading(self) -> None:
        """
        The peer has asked for new keys and does not read: nothing wakes us until the
        kernel has room, and the connection counts as full.
        """
        self.fake.coming.extend([LONG, SSL.WantWriteError(), b"two"])
        self.happens(read=True)
        self.assertEqual((self.diary.heard, self.diary.says), ([LONG], ["pause"]))
        self.assertEqual(self.watched(), (False, True))
        self.assertFalse(self.happens(read=True))
        self.assertEqual(self.diary.heard, [LONG])

    def test_readingGoesOnWhenTheAnswerIsSent(self) -> None:
        self.fake.coming.extend([SSL.WantWriteError(), SSL.WantWriteError(), b"two"])
        self.happens(read=True)
        self.happens(write=True)
        self.assertEqual(self.watched(), (False, True))
        self.assertNotIn("resume", self.diary.says)
        self.happens(write=True)
        self.assertEqual((self.diary.heard, self.diary.says[-1]), ([b"two"], "resume"))
        self.assertEqual(self.watched(), (True, False))

    def test_whatWaitedGoesWithTheAnswer(self) -> None:
        self.fake.room = 0
        self.connection.write(b"one")
        self.fake.coming.append(SSL.WantWriteError())
        self.happens(read=True)
        self.fake.room = 10
        self.happens(write=True)
        self.assertEqual((self.fake.taken, self.diary.says[-1]), (b"one", "resume"))
        self.assertEqual(self.watched(), (True, False))

    def test_writeThatNeedsTheRestOfAMessageWaitsUntilSomethingIsRead(self) -> None:
        """
        The peer has begun to ask for new keys, and stopped: the kernel has room, so
        that we would be woken again and again for nothing.
        """
        self.fake.failure = SSL.WantReadError()
        self.connection.write(b"one")
        self.assertEqual(self.diary.says, ["pause"])
        for data in (b"two", b"three"):
            self.happens(write=True)
            self.assertEqual(self.watched(), (True, False))
            self.connection.write(data)
        self.happens(write=True)
        self.assertFalse(self.happens(write=True))
        self.fake.failure = None
        self.fake.coming.append(LONG)
        self.happens(read=True)
        self.assertEqual(self.watched(), (True, True))
        self.happens(write=True)
        self.assertEqual((self.fake.taken, self.diary.says[-1]), (b"onetwothree", "resume"))
        self.assertEqual((self.watched(), self.diary.heard), ((True, False), [LONG]))

    def test_nextPartOfAMessageIsWorthOneAttempt(self) -> None:
        """
        Though it is not the last: a peer that sends it byte by byte costs a turn each.
        """
        self.fake.failure = SSL.WantReadError()
        self.connection.write(b"one")
        self.happens(write=True)
        for _ in range(3):
            self.happens(read=True)
            self.assertEqual(self.watched(), (True, True))
            self.happens(write=True)
            self.assertEqual(self.watched(), (True, False))
        self.assertEqual((self.fake.taken, self.diary.says.count("resume")), (b"", 0))

    def test_kernelThatIsFullAfterwardsIsWaitedForAsEver(self) -> None:
        """
        Until it has room, whether anything more is read or not.
        """
        self.fake.failure = SSL.WantReadError()
        self.connection.write(b"one")
        self.happens(write=True)
        self.fake.failure, self.fake.room = None, 0
        self.happens(read=True)
        self.happens(write=True)
        self.assertEqual(self.watched(), (True, True))
        self.fake.room = 1
        self.happens(write=True)
        self.assertEqual((self.fake.taken, self.diary.says[-1]), (b"one", "resume"))

    def test_messageThatBeginsAmongOurRecordsCutsNoneOfThem(self) -> None:
        """
        Those before it are sent, and those behind it wait.
        """
        data = os.urandom(3 * RECORD_BYTES + 5)
        send, hindrances = self.fake.send, [SSL.WantReadError(), None]

        def sendUntilHindered(part: bytes) -> int:
            hindrance = hindrances.pop() if hindrances else None
            if hindrance is not None:
                raise hindrance
            return send(part)

        self.patch(self.fake, "send", sendUntilHindered)
        self.connection.write(data)
        self.connection.write(b"more")
        self.assertEqual(self.fake.taken, data[:RECORD_BYTES])
        self.happens(write=True)
        self.assertEqual((self.watched(), self.fake.taken), ((True, False), data[:RECORD_BYTES]))
        self.assertNotIn("resume", self.diary.says)
        self.happens(read=True, write=True)
        while self.happens(write=True):
            pass
        self.assertEqual((self.fake.taken, self.diary.says[-1]), (data + b"more", "resume"))

    def test_goodbyeWaitsForTheRestOfAMessageToo(self) -> None:
        """
        It stands behind what was written, as ever.
        """
        self.fake.failure = SSL.WantReadError()
        self.connection.write(b"one")
        self.connection.unregisterProducer()
        self.connection.close()
        self.happens(write=True)
        self.assertEqual((self.fake.goodbyes, self.watched()), (0, (True, False)))
        self.fake.failure = None
        self.happens(read=True)
        self.happens(write=True)
        self.assertEqual((self.fake.taken, self.fake.goodbyes), (b"one", 1))

    def test_peerThatGoesMeanwhileIsFound(self) -> None:
        self.fake.coming.extend([SSL.WantWriteError(), EOF])
        self.happens(read=True)
        self.happens(write=True)
        self.assertLost(ConnectionLost)

    def test_protocolThatProducesNothingNeedNotBeAsked(self) -> None:
        self.connection.unregisterProducer()
        self.fake.coming.append(SSL.WantWriteError())
        self.happens(read=True)
        self.happens(write=True)
        self.assertEqual((self.diary.says, self.watched()), ([], (True, False)))

    # The end.

    def test_closingSaysGoodbyeAndWaitsForTheAnswer(self) -> None:
        self.connection.close()
        self.connection.close()
        self.assertEqual((self.fake.goodbyes, self.socket.shut, self.diary.says), (1, True, []))
        self.fake.coming.extend([LONG, SSL.ZeroReturnError()])
        self.happens(read=True)
        self.assertEqual((self.diary.heard, self.fake.goodbyes), ([LONG], 1))
        self.assertLost(ConnectionDone)

    def test_closingSendsWhatWaitsFirst(self) -> None:
        self.fake.room = 0
        self.connection.write(b"one")
        self.connection.unregisterProducer()
        self.connection.close()
        self.happens(write=True)
        self.assertEqual((self.fake.goodbyes, self.socket.shut), (0, False))
        self.fake.room = 1
        self.happens(write=True)
        self.assertEqual((self.fake.taken, self.fake.goodbyes, self.socket.shut), (b"one", 1, True))
        self.assertEqual(self.watched(), (True, False))

    def test_goodbyeThatCannotBeSentIsAnEndAllTheSame(self) -> None:
        """
        The kernel says that no more comes.
        """
        self.fake.farewell = SSL.WantWriteError()
        self.connection.close()
        self.assertTrue(self.socket.shut)
        self.fake.coming.append(EOF)
        self.happens(read=True)
        self.assertLost(ConnectionLost)

    def test_closingAConnectionThatIsGoneDoesNothing(self) -> None:
        self.fake.coming.append(EOF)
        self.happens(read=True)
        self.connection.close()
        self.connection.abort()
        self.reactor.advance(0)
        self.assertEqual((self.fake.goodbyes, self.diary.says), (0, ["lost"]))

    def test_abortEndsItAtOnce(self) -> None:
        self.fake.room = 0
        self.connection.write(b"one")
        self.connection.abort()
        self.reactor.advance(0)
        self.assertLost(ConnectionAborted)
        self.assertIn(socket.SO_LINGER, [option for _, option, _ in self.socket.options])
        self.assertEqual((self.fake.taken, self.fake.goodbyes), (b"", 0))

    def test_lostConnectionLetsOpensslGo(self) -> None:
        """
        Each knows the other: until they are collected they would cost memory.
        """
        self.fake.coming.append(SSL.Error(ALERT))
        self.happens(read=True)
        self.assertEqual(self.diary.refusal, UNKNOWN_CA)
        self.assertFalse(hasattr(self.connection, "tls"))


class Stranger(Diarist):
    """
    Does not know its peer until it is told.
    """

    isKnown = False


class StrangerTests(_ConnectionTestCase):
    """
    Read from a peer that has not shown who it is.
    """

    diaryClass = Stranger

    def comes(self, data: bytes) -> None:
        """
        Let bytes come, and the reactor say so, and nothing more.
        """
        self.socket.coming.append(data)
        self.assertIsNone(self.connection.doRead())

    def test_whatComesIsReadInItsTurn(self) -> None:
        """
        The reactor does not call again and again until then.
        """
        self.comes(b"one")
        self.assertEqual((self.diary.heard, self.watched()), ([], (False, False)))
        self.reactor.advance(0)
        self.assertEqual((self.diary.heard, self.watched()), ([b"one"], (True, False)))

    def test_onceItIsKnownItIsReadAtOnce(self) -> None:
        self.connection.admit()
        self.comes(b"one")
        self.assertEqual(self.diary.heard, [b"one"])
        self.assertFalse({"doRead", "doWrite"} & set(vars(self.connection)))

    def test_endIsFoundInItsTurnToo(self) -> None:
        for end, kind in ((b"", ConnectionDone), (broken(), ConnectionLost)):
            self.end()
            self.diary, self.socket = Stranger(), FakeSocket()
            self.connection = accept(self.reactor, self.diary, self.socket, None)
            self.socket.coming.append(end)
            self.connection.doRead()
            self.reactor.advance(0)
            self.assertLost(kind)
            self.assertEqual((self.reactor.readers, len(self.connection.handshakes)), (set(), 0))

    def test_whoIsAbortedWhileItWaitsHasNoTurn(self) -> None:
        self.comes(b"one")
        self.connection.abort()
        self.assertEqual(len(self.connection.handshakes), 0)
        self.reactor.advance(0)
        self.assertEqual((self.diary.heard, self.diary.says[-1]), ([], "lost"))

    def test_whoIsLostWhileItWaitsHasNoTurn(self) -> None:
        self.comes(b"one")
        self.connection.connectionLost(Failure(ConnectionLost()))
        self.assertEqual((len(self.connection.handshakes), self.diary.heard), (0, []))

    def test_whoIsClosedWhileItWaitsIsReadToItsEnd(self) -> None:
        """
        What the peer says behind our goodbye is its own.
        """
        self.socket.room = 0
        self.connection.write(b"bye")
        self.comes(b"one")
        self.connection.close()
        self.assertEqual((len(self.connection.handshakes), self.watched()), (0, (True, True)))

    def test_preambleIsReadAtOnceAndWhatFollowsIsNot(self) -> None:
        """
        Its size is bounded.
        """
        self.end()
        self.diary, self.socket = Stranger(), FakeSocket()
        self.connection = accept(self.reactor, self.diary, self.socket, None, ProxyHeader)
        self.comes(b"PROXY 192.0.2.9\r\nhello")
        self.assertEqual(self.diary.heard, [])
        self.comes(b"!")
        self.assertEqual(self.diary.heard, [])
        self.reactor.advance(0)
        self.reactor.happen(self.connection, read=True)
        self.assertEqual(b"".join(self.diary.heard), b"hello!")


class StrangerOverTlsTests(_TlsConnectionTestCase):
    """
    Shake hands in one's turn only.
    """

    handshake = ()
    diaryClass = Stranger

    def test_eachStepWaitsForItsTurn(self) -> None:
        self.fake.handshake.extend([SSL.WantReadError(), None])
        for steps in (1, 2):
            self.connection.doRead()
            self.assertEqual((self.fake.steps, self.watched()), (steps - 1, (False, False)))
            self.reactor.advance(0)
            self.assertEqual((self.fake.steps, self.watched()), (steps, (True, False)))
        self.fake.coming.append(b"hello")
        self.connection.doRead()
        self.assertEqual((self.diary.says, self.diary.heard), (["made", "secured"], []))
        self.reactor.advance(0)
        self.assertEqual(self.diary.heard, [b"hello"])

    def test_roomIsWaitedForAndThenATurn(self) -> None:
        self.fake.handshake.extend([SSL.WantWriteError(), None])
        self.connection.doRead()
        self.reactor.advance(0)
        self.assertEqual(self.watched(), (False, True))
        self.connection.doWrite()
        self.assertEqual((self.fake.steps, self.watched()), (1, (False, False)))
        self.reactor.advance(0)
        self.assertEqual(self.diary.says, ["made", "secured"])

    def test_refusedPeerThatSendsOnIsReadInItsTurnToo(self) -> None:
        """
        And so is one that we have said goodbye to: thousands of them must not keep us busy.
        """
        self.fake.handshake.append(SSL.Error(ALERT))
        self.connection.doRead()
        self.reactor.advance(0)
        self.socket.coming.append(b"what was on its way")
        self.connection.doRead()
        self.assertEqual((len(self.socket.coming), self.watched()), (1, (False, False)))
        self.reactor.advance(0)
        self.assertEqual((len(self.socket.coming), self.watched()), (0, (True, False)))
        self.end()
        self.diary, self.socket, self.fake = Stranger(), FakeSocket(), FakeTls()
        self.connection = accept(self.reactor, self.diary, self.socket, self.fake)
        self.connection.doRead()
        self.reactor.advance(0)
        self.connection.close()
        self.fake.coming.extend([b"late", SSL.ZeroReturnError()])
        for left in (1, 0):
            self.connection.doRead()
            self.assertEqual((len(self.fake.coming), self.watched()), (left + 1, (False, False)))
            self.reactor.advance(0)
            self.assertEqual(len(self.fake.coming), left)
        self.assertLost(ConnectionDone)

    def test_whatHasBegunGoesOnBeforeWhatIsNew(self) -> None:
        """
        Of the same peer.
        """
        journal: list[str] = []
        self.fake.handshake.extend([SSL.WantReadError(), None])
        self.connection.doRead()
        self.reactor.advance(0)
        other = RecordingStep("new", journal)
        self.connection.handshakes.join(PEER.host, other, begun=False)
        self.diary.handshakeCompleted = lambda: journal.append("begun")  # type: ignore[method-assign]
        self.connection.doRead()
        self.reactor.advance(0)
        self.assertEqual(journal, ["begun", "new"])


class TunnelOverTlsTests(SynchronousTestCase):
    """
    Put a tunnel and its connection together.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.socket, self.tls = FakeSocket(), FakeTls()
        self.session = RecordingSession()
        self.owner = RecordingOwner(self.session)
        self.tunnel = AcceptedTunnel(self.reactor, self.owner)
        self.connection = accept(self.reactor, self.tunnel, self.socket, self.tls)
        self.happens(read=True)
        self.tls.coming.append(uuid.uuid4().bytes)
        self.happens(read=True)
        self.assertEqual(self.session.says, ["free"])

    def happens(self, *, read: bool = False, write: bool = False) -> None:
        """
        Let one turn of the reactor pass in which something has happened.
        """
        self.reactor.happen(self.connection, read=read, write=write)

    def send(self, trains: list[Train]) -> None:
        assert self.tunnel.link is not None
        self.tunnel.link.send(trains, self.reactor.seconds())

    def test_tunnelIsFullWithTheFirstByteThatWaits(self) -> None:
        self.tls.room = 1
        self.send([Train(3, b"one")])
        self.assertEqual(self.session.says, ["free"])
        self.send([Train(3, b"two")])
        self.assertEqual(self.session.says, ["free", "full"])
        self.tls.room = 1
        self.happens(write=True)
        self.assertEqual(self.session.says, ["free", "full", "free"])
        self.assertEqual(self.tls.taken, b"\0\3one\0\3two")

    def test_peerThatAsksForKeysAndNeverReadsIsAFullTunnel(self) -> None:
        """
        So whoever looks for those that are stuck finds it.
        """
        self.reactor.advance(7)
        self.tls.coming.append(SSL.WantWriteError())
        self.happens(read=True)
        self.assertEqual((self.session.says, self.tunnel.fullSince), (["free", "full"], 7))
        self.happens(write=True)
        self.assertEqual((self.session.says[-1], self.tunnel.fullSince), ("free", None))

    def test_goodbyeIsNotWaitedForLong(self) -> None:
        self.tunnel.close()
        self.assertEqual(self.tls.goodbyes, 1)
        self.reactor.advance(CLOSE_SECONDS - 0.01)
        self.assertEqual(self.owner.lost, [])
        self.reactor.advance(0.02)
        self.reactor.advance(0)
        self.assertEqual(len(self.owner.lost), 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_goodbyeBehindWhatNobodyReadsIsNotWaitedForEither(self) -> None:
        self.tls.room = 0
        self.send([Train(3, b"one")])
        self.tunnel.close()
        self.happens(write=True)
        self.assertEqual(self.tls.goodbyes, 0)
        self.reactor.advance(CLOSE_SECONDS)
        self.reactor.advance(0)
        self.assertEqual(len(self.owner.lost), 1)
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))


class DialledTests(SynchronousTestCase):
    """
    Open connections.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.socket, self.tls = FakeSocket(), FakeTls()
        self.diary = Diarist()
        self.patch(tcp.BaseClient, "createInternetSocket", lambda _: self.socket)
        self.patch(tcp, "_getpeername", lambda _: (PEER.host, PEER.port))

    def connect(self, kind: type[DialledTcpStream]) -> Any:
        """
        @return: a connection of this kind, when TCP is connected.
        """
        factory: Any = ClientFactory.forProtocol(lambda: self.diary)
        factory.noisy = False
        connector: Any = connectTunnel(kind, self.reactor, "192.0.2.1", 8443, factory)
        self.reactor.advance(0)
        self.addCleanup(self.end, connector)
        return connector.transport

    def end(self, connector: Any) -> None:
        connector.transport.abort()
        self.reactor.advance(0)
        self.assertEqual(self.diary.says.count("lost"), 1)
        self.assertEqual([str(call) for call in self.reactor.getDelayedCalls()], [])

    def tlsKind(self) -> type[DialledTlsStream]:
        """
        @return: connections with TLS, and their turns.
        """
        choices = {"creator": staticmethod(self.createTls), "handshakes": HandshakeQueue(self.reactor)}
        return type("Kind", (DialledTlsStream,), choices)

    def createTls(self, made: object) -> FakeTls:
        """
        @return: OpenSSL's connection.
        """
        self.tls.socket = made
        return self.tls

    def test_plainConnectionIsReadyWhenItIsConnected(self) -> None:
        connection = self.connect(DialledTcpStream)
        connection.write(b"one")
        self.assertEqual((self.diary.says, self.socket.taken), (["made"], b"one"))
        self.assertIn((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), self.socket.options)

    def test_clientBeginsTheHandshakeWhenItIsConnected(self) -> None:
        """
        On its socket, as a client, when it is its turn; and is secured when the server has answered.
        """
        self.tls.handshake = deque([SSL.WantReadError(), None])
        connection = self.connect(self.tlsKind())
        self.assertEqual((self.diary.says, self.tls.side, self.tls.socket), (["made"], "client", self.socket))
        self.assertEqual(self.tls.steps, 1)
        self.assertNotIn(connection, self.reactor.writers)
        self.reactor.happen(connection, read=True)
        self.assertEqual(self.diary.says, ["made", "secured"])

    def test_manyDialledAtOnceDoNotBeginAtOnce(self) -> None:
        """
        Not even OpenSSL's connection is made before it is one's turn, and others are served between.
        """
        kind = self.tlsKind()
        handshakes: HandshakeQueue = kind.handshakes
        journal: list[str] = []
        handshakes.join("another", RecordingStep("another", journal), begun=True)
        self.reactor.callLater(0, lambda: journal.append(f"served, {self.tls.steps} steps"))
        self.connect(kind)
        self.assertEqual((journal, self.tls.steps), (["another", "served, 0 steps"], 1))

    def test_attemptThatIsGivenUpBeforeItHasBegunLeavesNoCycle(self) -> None:
        """
        Twisted begins to connect in the next turn of the reactor, and then sets functions of the
        stream in the stream itself.
        """
        factory: Any = ClientFactory()
        factory.noisy = False
        connector: Any = connectTunnel(DialledTcpStream, self.reactor, "192.0.2.1", 8443, factory)
        stream = connector.transport
        connector.stopConnecting()
        self.reactor.advance(0)
        held = [each for each in vars(stream).values() if getattr(each, "__self__", None) is stream]
        self.assertEqual(held, [])
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))

    def test_clientThatRefusesItsServerLetsItReadWhy(self) -> None:
        self.tls.handshake = deque([SSL.WantReadError(), SSL.Error(ALERT)])
        connection = self.connect(self.tlsKind())
        self.reactor.happen(connection, read=True)
        self.assertEqual((self.diary.says, self.socket.shut), (["made"], True))
        self.socket.coming.append(b"")
        self.reactor.happen(connection, read=True)
        self.assertEqual(self.diary.says, ["made", "lost"])
        assert self.diary.reason is not None
        self.diary.reason.trap(SSL.Error)


class EndOfStreamTests(SynchronousTestCase):
    """
    Tell the end of a connection from a fault.
    """

    def test_errorsOfTheSystemAreAnEnd(self) -> None:
        for end in (
            EOF,
            SSL.SysCallError(errno.ECONNRESET, "ECONNRESET"),
            SSL.Error(),
            SSL.Error([]),
            GONE,
            SSL.Error([("SSL routines", "", "unexpected eof while reading")]),
            None,
        ):
            self.assertTrue(isEndOfStream(end), end)

    def test_whatOpensslDoesNotLikeIsNone(self) -> None:
        for fault in (ALERT, [("SSL routines", "", "wrong version number")], [("uotp", "", "peer not verified")]):
            self.assertFalse(isEndOfStream(SSL.Error(fault)), fault)
