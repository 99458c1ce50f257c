"""
Streams of connections that another process has accepted: given up by the one, and made by the other.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.pipes import CLIENT, PipeReactor, relayedStream
from tests.doubles.sockets import Diarist, FakeSocket, FakeTls, accept, tcpInfo
from uotp.boundaries import Security, StreamFacts
from uotp.net.sockopts import SO_MAX_PACING_RATE, TunnelSocketOptions
from uotp.path import TROUBLED
from uotp.process.turns import Turns
from uotp.transport import relayed
from uotp.transport import tcp as tcpstreams
from uotp.transport.accepted import AcceptedTcpStream
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.phases import StreamPhase
from uotp.transport.pipe import PIPE_SEND_BYTES, newPipe
from uotp.transport.relayed import RelayedStream, adopt

KNOWN = Security(b"uotp/2", b"the peer's", peerName="somebody", peerChain=((b"issuer", b"key", 7), (b"root", b"", 1)))


class Stranger(Diarist):
    """
    Has not shown who he is.
    """

    isKnown = False


class Leaving(Diarist):
    """
    Aborts the connection as soon as it has one.
    """

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.abort()


class Failing(Diarist):
    """
    Has an error.
    """

    def connectionMade(self) -> None:
        super().connectionMade()
        raise ZeroDivisionError


class SurrenderTests(SynchronousTestCase):
    """
    Give a connection up that stays open.
    """

    diaryClass: type[Diarist] = Diarist

    def setUp(self) -> None:
        self.reactor = PipeReactor()
        self.socket, self.diary = FakeSocket(), self.diaryClass()
        self.stream = accept(self.reactor, self.diary, self.socket, None)

    def assertGivenUp(self) -> None:
        """
        Nobody waits for anything, the protocol was told nothing, and the socket is open.
        """
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))
        self.assertEqual([str(call) for call in self.reactor.getDelayedCalls()], [])
        self.assertEqual((self.diary.says, self.socket.closed, self.socket.shut), (["made"], False, False))
        self.assertEqual((self.stream.phase, len(self.stream.handshakes)), (StreamPhase.ENDED, 0))
        self.assertIsNone(self.stream.producer)

    def test_socketIsGivenUpOpen(self) -> None:
        self.assertIs(self.stream.surrender(), self.socket)
        self.assertGivenUp()

    def test_whatIsDoneToItLaterHasNoEffect(self) -> None:
        """
        Whoever still holds the stream does no harm with it.
        """
        self.stream.surrender()
        for _ in range(2):
            self.stream.write(b"late")
            self.stream.close()
            self.stream.abort()
            self.stream.loseConnection()
            self.stream.abortConnection()
            self.stream.acknowledge()
            self.stream.allowSilence(1.0)
            self.stream.boundInFlight(None)
            self.stream.pauseProducing()
            self.stream.resumeProducing()
            self.stream.connectionLost(Failure(ConnectionDone()))
            self.assertGivenUp()
            self.assertEqual((self.stream.doRead(), self.stream.doWrite()), (None, None))
            self.reactor.advance(100)
        self.assertEqual((self.socket.taken, self.stream.cost(), self.stream.isTroubled()), (b"", TROUBLED, True))
        self.assertEqual((self.stream.unacknowledged(), self.stream.pathStats(), self.stream.flight()), (None,) * 3)
        self.assertEqual((self.stream.security, self.stream.getPeer().host), (None, "192.0.2.1"))
        self.assertGivenUp()

    def test_turnToReadAgainDoesNothing(self) -> None:
        """
        It was waited for when the connection was given up.
        """
        allowance = self.stream.allowance = Turns(self.reactor).allowanceOf("somebody")
        while not allowance.owner.isExhausted:
            allowance.spend(1)
        self.stream.doRead()
        self.stream.surrender()
        self.reactor.advance(0)
        self.assertGivenUp()

    def test_whatWasNotReadStaysInTheKernel(self) -> None:
        """
        What was read the protocol has.
        """
        self.socket.coming.extend([b"hello", b"and more"])
        self.reactor.happen(self.stream, read=True)
        given: Any = self.stream.surrender()
        self.assertEqual((self.diary.heard, given.coming), ([b"hello"], deque([b"and more"])))

    def test_protocolMayGiveItUpWhileItReads(self) -> None:
        """
        Which is when it hears the hello.
        """
        given = []
        self.diary.dataReceived = lambda data: given.append((data, self.stream.surrender()))  # type: ignore[method-assign]
        self.socket.coming.extend([b"hello", b"and more"])
        self.reactor.happen(self.stream, read=True, write=True)
        self.assertEqual(given, [(b"hello", self.socket)])
        self.assertGivenUp()

    def test_roomIsNotWaitedForAnyMore(self) -> None:
        """
        The kernel had enough, though it has taken all.
        """
        self.patch(tcpstreams, "isWritable", lambda _: False)
        self.stream.boundUnsent(isBounded=True)
        self.stream.write(b"all of it")
        self.assertIn(self.stream, self.reactor.writers)
        self.stream.surrender()
        self.diary.says.remove("pause")
        self.assertGivenUp()

    def test_streamsThatCannotBeGivenUpAreKept(self) -> None:
        """
        With TLS, with something written that waits, or when it has ended.
        """
        self.socket.room = 0
        self.stream.write(b"waits")
        self.assertRaises(AssertionError, self.stream.surrender)
        self.stream.abort()
        self.assertRaises(AssertionError, self.stream.surrender)
        self.reactor.advance(0)
        self.setUp()
        self.stream.close()
        self.assertRaises(AssertionError, self.stream.surrender)
        self.reactor.happen(self.stream, write=True)
        secured = accept(self.reactor, Diarist(), FakeSocket(), FakeTls())
        self.reactor.happen(secured, read=True)
        self.assertRaises(AssertionError, secured.surrender)
        self.assertIn(secured, self.reactor.readers)


class StrangerSurrenderTests(SurrenderTests):
    """
    Give one up whose peer has shown nothing, so that it is read in its turn.
    """

    diaryClass = Stranger

    def test_turnThatWasWaitedForIsGivenUpToo(self) -> None:
        """
        Something has come meanwhile.
        """
        self.socket.coming.append(b"more")
        self.reactor.readers.discard(self.stream)
        self.stream.doRead()
        self.assertEqual(len(self.stream.handshakes), 1)
        self.stream.surrender()
        self.assertGivenUp()


class RelayedTests(SynchronousTestCase):
    """
    Have a stream over a pipe, and a path of which the kernel says what the test wants.
    """

    diaryClass: type[Diarist] = Diarist

    def setUp(self) -> None:
        self.reactor = PipeReactor()
        self.connect()
        self.addCleanup(self.end)

    def connect(
        self, *, isKnown: bool = True, security: Security | None = KNOWN, begun: bytes = b"", waits: bytes = b""
    ) -> None:
        """
        Make another one.

        @param waits: what is in the pipe already.
        """
        self.path: Any = FakeSocket()
        self.diary = Diarist() if isKnown else Stranger()
        pipe, self.relay = newPipe()
        self.addCleanup(self.relay.close)
        self.relay.send(waits)
        self.stream = relayedStream(self.reactor, self.diary, pipe, self.path, security, begun)
        self.pipe = pipe

    def end(self) -> None:
        """
        Nothing is left of it, and the path was closed too.
        """
        self.stream.abort()
        self.reactor.advance(0)
        self.assertEqual(self.diary.says.count("lost"), 1)
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))
        self.assertEqual([str(call) for call in self.reactor.getDelayedCalls()], [])
        self.assertEqual((self.path.closed, self.pipe.fileno()), (True, -1))

    # How it begins.

    def test_handshakeIsDoneAndTheProtocolIsToldOnce(self) -> None:
        """
        By the other process, so what it has found out is known from the beginning.
        """
        self.assertEqual((self.diary.says, self.stream.security), (["made", "secured"], KNOWN))
        self.relay.send(b"one")
        self.reactor.look(self.stream)
        self.assertEqual(self.diary.says, ["made", "secured"])

    def test_withoutTlsThereIsNoHandshake(self) -> None:
        self.end()
        self.connect(security=None)
        self.assertEqual((self.diary.says, self.stream.security), (["made"], None))
        self.assertIs(self.stream.phase, StreamPhase.OPEN)

    def test_whatHasBegunIsHeardBeforeWhatComes(self) -> None:
        for security in (KNOWN, None):
            self.end()
            self.connect(security=security, begun=b"hello", waits=b"more")
            self.reactor.look(self.stream)
            self.assertEqual(self.diary.heard, [b"hello", b"more"])

    def test_whoAbortsAtOnceHearsNothing(self) -> None:
        for path, security in ((FakeSocket(), KNOWN), (None, None)):
            pipe, relay = newPipe()
            self.addCleanup(relay.close)
            diary = Leaving()
            relayedStream(self.reactor, diary, pipe, path, security, b"hello")
            self.reactor.advance(0)
            self.assertEqual((diary.says, diary.heard), (["made", "lost"], []))

    def test_withoutATurnTheHandshakeWaitsForOne(self) -> None:
        """
        Somebody makes a stream and leaves the rest to it; what is written meanwhile waits, and costs no turn.
        """
        pipe, relay = newPipe()
        self.addCleanup(relay.close)
        diary = Diarist()
        handshakes = HandshakeQueue(self.reactor)
        stream = RelayedStream(
            None, KNOWN, None, handshakes, TunnelSocketOptions(), pipe, diary, CLIENT, None, 0, self.reactor
        )
        diary.makeConnection(stream)
        stream.write(b"early")
        self.reactor.happen(stream, write=True)
        self.assertEqual(diary.says, ["made", "pause", "secured"])
        self.reactor.look(stream)
        self.assertEqual((relay.recv(100), diary.says[-1]), (b"early", "resume"))
        self.assertEqual((stream in self.reactor.readers, stream in self.reactor.writers), (True, False))
        stream.abort()
        self.reactor.advance(0)

    def test_strangerIsReadInItsTurnUntilItIsAdmitted(self) -> None:
        self.end()
        self.connect(isKnown=False)
        self.relay.send(b"one")
        self.stream.doRead()
        self.assertEqual((self.diary.heard, len(self.stream.handshakes)), ([], 1))
        self.reactor.advance(0)
        self.assertEqual(self.diary.heard, [b"one"])
        self.stream.admit()
        self.relay.send(b"two")
        self.stream.doRead()
        self.assertEqual(self.diary.heard, [b"one", b"two"])
        self.assertEqual(self.stream.party, CLIENT[0])

    # What is written.

    def test_whatIsWrittenIsInThePipeAtOnce(self) -> None:
        self.stream.write(b"one")
        self.assertEqual(self.relay.recv(100), b"one")

    def test_pipeIsFullInTime(self) -> None:
        """
        What it takes is no longer than a queue in front of the network; then the producer is paused.
        """
        self.assertEqual(self.pipe.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF), 2 * PIPE_SEND_BYTES)
        for size in (100, 1400, 64_000):
            self.end()
            self.connect()
            written = 0
            while self.diary.says[-1] != "pause":
                self.stream.write(bytes(size))
                written += size
            self.assertLessEqual(written - self.stream.queuedBytes(), 3 * PIPE_SEND_BYTES)

    def test_whoIsToHaveLittleUnsentIsPausedBeforeThat(self) -> None:
        """
        A quarter of the pipe is enough then, whether a link is narrow or what is in flight is bounded.
        """
        for bound in (lambda: self.stream.boundUnsent(isBounded=True), lambda: self.stream.boundInFlight(4096)):
            self.end()
            self.connect()
            bound()
            written = 0
            while self.diary.says[-1] != "pause":
                self.stream.write(bytes(1400))
                written += 1400
            self.assertLess(written, PIPE_SEND_BYTES // 2)
            self.assertEqual(self.stream.queuedBytes(), 0)
            self.assertEqual(len(self.relay.recv(1 << 20)), written)
            self.reactor.look(self.stream)
            self.assertEqual(self.diary.says[-1], "resume")

    # What there is to tell.

    def test_costIsWhatWaitsOnThePathAndInThePipe(self) -> None:
        """
        To the byte, though the kernel counts the memory that it takes.
        """
        self.assertEqual(self.stream.cost(), 0)
        self.path.info = tcpInfo(unsent=1000)
        for size in (1, 100, 1400):
            self.stream.write(bytes(size))
            self.assertEqual(self.stream.cost(), 1000 + size)
            self.relay.recv(1 << 20)
            self.assertEqual(self.stream.cost(), 1000)

    def test_costOfAPipeThatIsNeverEmptyIsNoMoreThanItsMemory(self) -> None:
        """
        What was written since it was empty says less and less then.
        """
        for _ in range(500):
            self.stream.write(bytes(1400))
            if self.stream.queuedBytes():
                break
            self.relay.recv(1399)
        for _ in range(200):
            self.stream.write(bytes(1400))
        waits = len(self.relay.recv(1 << 20, socket.MSG_PEEK)) + self.stream.queuedBytes()
        self.assertGreaterEqual(self.stream.cost(), waits)
        self.assertLess(self.stream.cost(), waits + 2 * PIPE_SEND_BYTES)

    def test_whatTheStreamHoldsIsCountedOnce(self) -> None:
        self.stream.write(bytes(70_000))
        self.assertGreater(self.stream.queuedBytes(), 0)
        self.assertEqual(self.stream.cost(), 70_000)
        taken = len(self.relay.recv(1 << 20))
        self.assertEqual(self.stream.cost(), 70_000 - taken)
        self.reactor.look(self.stream)
        self.assertEqual((self.stream.queuedBytes(), self.stream.cost()), (0, 70_000 - taken))

    def test_troubleIsThatOfThePath(self) -> None:
        self.assertIs(self.stream.isTroubled(), False)
        self.path.info = tcpInfo(3, unsent=10)
        self.assertIs(self.stream.isTroubled(), True)
        self.assertEqual(self.stream.cost(), TROUBLED + 10)
        self.path.info = None
        self.assertIs(self.stream.isTroubled(), True)
        self.end()
        self.assertIs(self.stream.isTroubled(), True)
        self.patch(relayed, "TCP_INFO", None)
        self.assertIs(self.stream.isTroubled(), False)

    def test_whatIsUnacknowledgedNobodyKnows(self) -> None:
        """
        The other process may have read it, and hold it.
        """
        self.assertIsNone(self.stream.unacknowledged())

    def test_factsAreThoseOfTheConnection(self) -> None:
        self.path.getsockname = lambda: ("192.0.2.1", 8443)
        self.assertEqual(self.stream.facts(), StreamFacts("192.0.2.1:8443", "192.0.2.7:4711", "TLSv1.3 it"))
        self.assertEqual((self.stream.getPeer().host, self.stream.getPeer().port), CLIENT)

    def test_pathIsToldWhatSuitsIt(self) -> None:
        self.stream.boundRate(5000)
        self.stream.boundInFlight(4096)
        self.stream.allowSilence(4.0)
        self.stream.acknowledge()
        told = [option for _, option, _ in self.path.options]
        self.assertEqual(told, [SO_MAX_PACING_RATE, socket.SO_SNDBUF, socket.TCP_USER_TIMEOUT, tcpstreams.TCP_QUICKACK])
        self.assertEqual(self.pipe.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF), 2 * PIPE_SEND_BYTES)
        self.path._refused = tuple(told)
        self.stream.acknowledge()

    def test_withoutAPathNothingIsKnownOfIt(self) -> None:
        pipe, relay = newPipe()
        self.addCleanup(relay.close)
        stream = relayedStream(self.reactor, Diarist(), pipe, None, KNOWN)
        stream.write(b"some")
        for tell in (lambda: stream.boundRate(1), lambda: stream.allowSilence(1.0), stream.acknowledge):
            tell()
        stream.boundInFlight(4096)
        self.assertEqual(
            (stream.cost(), stream.isTroubled(), stream.pathStats(), stream.flight()), (4, False, None, None)
        )
        self.assertEqual(stream.facts().peer, "192.0.2.7:4711")
        stream.abort()
        self.reactor.advance(0)

    # The end.

    def test_closingSendsWhatWaitsAndLeavesTheConnectionToTheOther(self) -> None:
        data = os.urandom(4 * PIPE_SEND_BYTES)
        self.stream.write(data)
        self.stream.close()
        heard = b""
        while len(heard) < len(data):
            heard += self.relay.recv(1 << 20)
            self.reactor.look(self.stream)
        self.reactor.look(self.stream)
        self.assertEqual((heard, self.relay.recv(1)), (data, b""))
        assert self.diary.reason is not None
        self.diary.reason.trap(ConnectionDone)
        self.assertEqual((self.path.shut, self.path.closed), (False, True))
        self.assertNotIn(socket.SO_LINGER, [option for _, option, _ in self.path.options])

    def test_abortEndsTheConnectionAtOnce(self) -> None:
        """
        Its kernel drops what it holds, though the other process would send it.
        """
        self.stream.abort()
        self.reactor.advance(0)
        assert self.diary.reason is not None
        self.diary.reason.trap(ConnectionAborted)
        self.assertIn((socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0])), self.path.options)
        self.assertEqual((self.path.shut, self.path.closed), (True, True))

    def test_abortOfAConnectionThatIsBrokenClosesThePathToo(self) -> None:
        for refused in ((socket.SO_LINGER,), ()):
            self.end()
            self.connect()
            self.path._refused = refused
            self.path.failure = OSError()
            self.stream.abort()
            self.reactor.advance(0)
            self.assertTrue(self.path.closed)

    def test_pipesEndIsTheEnd(self) -> None:
        self.relay.send(b"last words")
        self.relay.close()
        self.reactor.lookUntil(lambda: self.diary.reason, self.stream)
        self.assertEqual((self.diary.heard, self.diary.says[-1]), ([b"last words"], "lost"))
        assert self.diary.reason is not None
        self.diary.reason.trap(ConnectionDone)
        self.assertEqual((self.path.shut, self.path.closed), (False, True))
        self.assertEqual((self.stream.cost(), self.stream.isTroubled(), self.stream.security), (TROUBLED, True, KNOWN))

    def test_pipeThatIsClosedWithSomethingUnreadIsALoss(self) -> None:
        self.stream.write(b"unread")
        self.relay.close()
        self.reactor.lookUntil(lambda: self.diary.reason, self.stream)
        assert self.diary.reason is not None
        self.diary.reason.trap(ConnectionLost)


class AdoptTests(SynchronousTestCase):
    """
    Choose the stream for what was handed over.
    """

    def adopt(self, path: Any, security: Security | None, protocol: Any = None) -> tuple[Any, socket.socket]:
        """
        @return: the stream, and what it was made of.
        """
        self.reactor = PipeReactor()
        given, other = newPipe()
        self.addCleanup(other.close)
        self.addCleanup(given.close)
        tuning = TunnelSocketOptions()
        handshakes = HandshakeQueue(self.reactor)
        protocol = protocol or Diarist()
        return adopt(given, path, security, CLIENT, handshakes, tuning, protocol, self.reactor), given

    def test_connectionThatWasHandedOverItselfIsAnAcceptedOne(self) -> None:
        """
        Which is tuned as all are, and may be shown in words though no port of ours has accepted it.
        """
        stream, given = self.adopt(None, None)
        self.assertIs(type(stream), AcceptedTcpStream)
        self.assertEqual(repr(stream), "<AcceptedTcpStream of 192.0.2.7>")
        self.assertTrue(given.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        self.assertIn(stream, self.reactor.readers)
        stream.abort()
        self.reactor.advance(0)
        self.assertEqual(given.fileno(), -1)

    def test_pipeHasAStreamOfItsOwn(self) -> None:
        for path, security in ((FakeSocket(), None), (FakeSocket(), KNOWN), (None, KNOWN)):
            stream, _ = self.adopt(path, security)
            self.assertIs(type(stream), RelayedStream)
            stream.abort()
            self.reactor.advance(0)

    def test_errorLeavesNothing(self) -> None:
        """
        Neither one of the protocol's, nor one that comes before there is a stream.
        """
        for path, security in ((FakeSocket(), KNOWN), (None, None)):
            failing = Failing()
            self.assertRaises(ZeroDivisionError, self.adopt, path, security, failing)
            self.reactor.advance(0)
            self.assertEqual((failing.says, self.reactor.readers), (["made", "lost"], set()))
            self.assertTrue(path is None or path.closed)
        for path, security in ((FakeSocket(), KNOWN), (None, None)):
            untyped: Any = FakeSocket()
            untyped.setblocking = None  # so that nothing can be made of it
            self.assertRaises(TypeError, relayedStream, PipeReactor(), Diarist(), untyped, path, security)
            self.assertTrue(untyped.closed)
            self.assertTrue(path is None or path.closed)
