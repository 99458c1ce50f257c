"""
The relay between a TLS connection and the process that has its session: every state with every event,
nothing lost and order kept while either side is slow, and nothing left in whatever order ends come.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import errno
import os
import socket
import weakref
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.contracts import numbered, summary
from tests.doubles.pipes import PipeReactor
from tests.doubles.sockets import Diarist, FakeSocket, FakeTls, accept
from uotp.process.turns import READ_UNITS, Turns, Unlimited
from uotp.transport import tcp as tcpstreams
from uotp.transport.phases import StreamPhase
from uotp.transport.pipe import PIPE_SEND_BYTES, newPipe
from uotp.transport.relay import HANGUP_SECONDS, RELAY_CLOSE_SECONDS, UNIT_BYTES, Relay, RelayStatistics
from uotp.transport.relaystates import RELAY_STATES, RelayEvent, RelayState
from uotp.transport.tcp import READ_BYTES
from uotp.transport.tls import RECORD_BYTES

EXPECTED = {
    RelayState.CARRYING: {
        RelayEvent.LEFT: RelayState.LEAVING,
        RelayEvent.READ_OUT: RelayState.CLOSING,
        RelayEvent.STREAM_LOST: RelayState.EMPTYING,
    },
    RelayState.LEAVING: {
        RelayEvent.READ_OUT: RelayState.CLOSING,
        RelayEvent.STREAM_LOST: RelayState.EMPTYING,
    },
    RelayState.CLOSING: {RelayEvent.STREAM_LOST: RelayState.EMPTYING},
    RelayState.EMPTYING: {RelayEvent.EMPTIED: RelayState.GONE},
    RelayState.GONE: {},
}

LONG = numbered(50_000)
"""A train that comes at one go: four records."""

GOODBYE = SSL.ZeroReturnError()

KERNEL_BYTES = 2 * PIPE_SEND_BYTES
"""What Linux counts for a pipe of that size."""


class RelayTests(SynchronousTestCase):
    """
    Relay a connection whose kernel does what the test says, through a real pipe.
    """

    def setUp(self) -> None:
        self.reactor = PipeReactor()
        self.isWritable = True
        self.patch(tcpstreams, "isWritable", lambda _: self.isWritable)
        self.connect()
        self.addCleanup(self.leaveNothing)

    def connect(self, allowance: Any = None) -> None:
        """
        Begin with another connection.
        """
        self.socket, self.tls, self.tunnel = FakeSocket(), FakeTls(), Stranger()
        self.stream = accept(self.reactor, self.tunnel, self.socket, self.tls)
        self.reactor.happen(self.stream, read=True)
        self.pipe, self.owner = newPipe()
        self.addCleanup(self.owner.close)
        self.gone = 0
        self.relay = Relay(self.stream, self.pipe, allowance or Unlimited(), self.reactor, self.isGone)
        self.end = self.relay._end

    def isGone(self) -> None:
        self.assertEqual((self.relay.state, self.pipe.fileno()), (RelayState.GONE, -1))
        self.assertFalse(hasattr(self.stream, "socket"))
        self.gone += 1

    def leaveNothing(self) -> None:
        """
        Whatever was done: in the end both are closed, that was said once, and nothing is watched or waits.
        """
        self.relay.abort()
        self.reactor.advance(0)
        self.assertGone()

    def assertGone(self) -> None:
        self.assertEqual((self.gone, self.relay.state), (1, RelayState.GONE))
        self.assertTrue(self.socket.closed)
        self.assertEqual(self.pipe.fileno(), -1)
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))
        self.assertEqual([str(call) for call in self.reactor.getDelayedCalls()], [])
        self.assertEqual(self.tunnel.says, ["made", "secured"], "the tunnel was told nothing more")

    def comes(self, *records: bytes | Exception) -> None:
        """
        The client sends records, and each is read as far as anybody waits for it.
        """
        self.tls.coming.extend(records)
        while self.tls.coming and self.reactor.happen(self.stream, read=True):
            pass

    def turn(self) -> bool:
        return self.reactor.look(self.end)

    def ownerHears(self) -> bytes:
        """
        @return: all that waits for the owner; the relay gets no turn meanwhile.
        """
        heard = bytearray()
        while True:
            try:
                data = self.owner.recv(1 << 20)
            except BlockingIOError:
                return bytes(heard)
            if not data:
                return bytes(heard)
            heard += data

    def fillPipe(self) -> bytes:
        """
        Have the client send until the pipe takes no more.

        @return: what it has sent.
        """
        sent = b""
        while not self.relay.statistics().heldForOwner:
            self.assertLess(len(sent), 1 << 22)
            sent += LONG
            self.comes(LONG)
        return sent

    def fillStream(self) -> bytes:
        """
        Have the owner write until the stream takes no more: its client reads nothing.

        @return: what was read of it.
        """
        self.tls.room = 0
        self.owner.send(b"waits")
        self.turn()
        self.assertNotIn(self.end, self.reactor.readers)
        return b"waits"

    def abort(self) -> None:
        self.relay.abort()

    def leave(self) -> None:
        self.relay.close()

    def leaveWhileFull(self) -> None:
        """
        The client has not taken all, and we close.
        """
        self.fillStream()
        self.relay.close()

    def loseWhileHeld(self) -> None:
        """
        The client goes, and the owner has not taken all.
        """
        self.relay.dataReceived(LONG * 5)
        self.stream.connectionLost(Failure(ConnectionDone()))

    # The states.

    def test_everyEventInEveryStateLeadsWhereTheTableSays(self) -> None:
        for state in RelayState:
            for event in RelayEvent:
                after = RELAY_STATES.get((state, event), state)
                self.assertEqual((state, event, after), (state, event, EXPECTED[state].get(event, state)))
        self.assertEqual(set(RELAY_STATES.values()), set(RelayState) - {RelayState.CARRYING})

    # One datagram.

    def test_loneDatagramLeavesInTheTurnInWhichItCame(self) -> None:
        """
        Both ways, and no turn passes between.
        """
        self.tls.coming.append(b"to the owner")
        self.stream.doRead()
        self.assertEqual(self.owner.recv(100), b"to the owner")
        self.owner.send(b"to the client")
        self.end.doRead()
        self.assertEqual(self.tls.taken, b"to the client")
        self.assertEqual(self.relay.statistics(), RelayStatistics(12, 13, 0, 0))

    def test_clientIsReadAtOnce(self) -> None:
        """
        It has shown who it is before it was handed over.
        """
        self.assertEqual(self.stream.doRead.__func__, type(self.stream).doRead)

    def test_wakingForNothingChangesNothing(self) -> None:
        self.end.doRead()
        self.end.doWrite()
        self.assertEqual((self.relay.state, self.tls.taken, self.ownerHears()), (RelayState.CARRYING, b"", b""))

    def test_reactorKnowsWhatItWatches(self) -> None:
        self.assertEqual((self.end.logPrefix(), self.end.fileno()), ("Relay", self.pipe.fileno()))

    # Back-pressure.

    def test_ownerThatReadsNothingStopsTheReadingOfTheClient(self) -> None:
        """
        Then no more than one read is held, and when the owner reads, all comes in order.
        """
        sent = self.fillPipe()
        held = self.relay.statistics().heldForOwner
        self.assertLessEqual(held, READ_BYTES + RECORD_BYTES)
        self.assertLessEqual(len(sent) - held, 3 * PIPE_SEND_BYTES)
        self.tls.coming.append(b"last")
        self.assertFalse(self.reactor.happen(self.stream, read=True))
        heard = b""
        while len(heard) < len(sent) + 4:
            before = len(heard)
            heard += self.ownerHears()
            self.turn()
            self.comes()
            self.assertGreater(len(heard) + len(self.ownerPeeks()), before)
        self.assertEqual(summary([heard]), summary([sent + b"last"]))
        self.assertEqual(heard, sent + b"last")
        self.assertEqual(self.relay.statistics(), RelayStatistics(len(heard), 0, 0, 0))
        self.assertNotIn(self.end, self.reactor.writers)

    def ownerPeeks(self) -> bytes:
        try:
            return self.owner.recv(1 << 20, socket.MSG_PEEK)
        except BlockingIOError:
            return b""

    def test_whatIsReadWhileSomethingIsHeldStandsBehindIt(self) -> None:
        """
        A turn that was granted before may still read once more.
        """
        sent = self.fillPipe()
        self.relay.dataReceived(b"one")
        heard = self.ownerHears()
        self.relay.dataReceived(b"two")
        while len(heard) < len(sent) + 6:
            heard += self.ownerHears()
            self.turn()
        self.assertEqual(heard, sent + b"onetwo")

    def test_whatThePipeTakesAPartOfGoesPartByPart(self) -> None:
        """
        A write that comes too early changes nothing.
        """
        self.relay.dataReceived(bytes(PIPE_SEND_BYTES) + LONG * 5)
        heard = b""
        while len(heard) < PIPE_SEND_BYTES + len(LONG) * 5:
            self.end.doWrite()
            heard += self.ownerHears()
            self.turn()
        self.assertEqual(heard, bytes(PIPE_SEND_BYTES) + LONG * 5)
        self.assertIs(self.relay.state, RelayState.CARRYING)

    def test_clientThatReadsNothingStopsTheReadingOfTheOwner(self) -> None:
        """
        What was read is the last record at the most, and when the client reads, all comes in order.
        """
        said = b""
        self.tls.room = 3
        data = os.urandom(200_000)
        while len(said) < len(data):
            with contextlib.suppress(BlockingIOError):
                said += data[len(said) : len(said) + self.owner.send(data[len(said) :])]
            waits = self.end not in self.reactor.readers
            happened = self.turn()
            self.assertLessEqual(self.relay.statistics().heldForClient, RECORD_BYTES)
            if waits:
                self.assertFalse(happened)
                self.tls.room = 2
                self.reactor.happen(self.stream, write=True)
        self.tls.room = 1 << 30
        self.reactor.happen(self.stream, write=True)
        self.reactor.lookUntil(lambda: len(self.tls.taken) == len(data), self.end)
        self.assertEqual(self.tls.taken, data)
        self.assertEqual(self.relay.statistics(), RelayStatistics(0, len(data), 0, 0))

    def test_streamIsFullAsSoonAsItsKernelHasEnough(self) -> None:
        """
        Though it would take more: what waits there nobody else can see.
        """
        self.isWritable = False
        self.owner.send(bytes(3 * RECORD_BYTES))
        self.turn()
        self.assertEqual((len(self.tls.taken), self.end in self.reactor.readers), (RECORD_BYTES, False))
        self.isWritable = True
        self.reactor.happen(self.stream, write=True)
        self.turn()
        self.assertEqual(len(self.tls.taken), 3 * RECORD_BYTES)

    def test_relayOfAStreamThatIsFullWaitsFromTheBeginning(self) -> None:
        """
        Whether it holds something, or its kernel has enough.
        """
        for isHeld in (True, False):
            self.leaveNothing()
            self.socket, self.tls, self.tunnel = FakeSocket(), FakeTls(), Stranger()
            self.stream = accept(self.reactor, self.tunnel, self.socket, self.tls)
            self.reactor.happen(self.stream, read=True)
            self.tls.room, self.isWritable = 0 if isHeld else 9, isHeld
            if isHeld:
                self.stream.unregisterProducer()  # so that nobody was told
            else:
                self.stream.boundUnsent(isBounded=True)
            self.stream.write(b"welcome")
            self.tunnel.says = ["made", "secured"]
            self.pipe, self.owner = newPipe()
            self.addCleanup(self.owner.close)
            self.gone = 0
            self.relay = Relay(self.stream, self.pipe, Unlimited(), self.reactor, self.isGone)
            self.end = self.relay._end
            self.owner.send(b"more")
            self.assertFalse(self.turn())
            self.tls.room, self.isWritable = 9, True
            self.reactor.happen(self.stream, write=True)
            self.turn()
            self.assertEqual(self.tls.taken, b"welcomemore")

    def test_pipeHoldsAboutWhatAConnectionDoes(self) -> None:
        self.assertEqual(self.pipe.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF), KERNEL_BYTES)

    # What it costs.

    def test_eachReadCostsByWhatItBrings(self) -> None:
        """
        One unit for a lone datagram, of whatever length, and as many as there are datagrams in a train.
        """
        for size, units in ((1, 1), (UNIT_BYTES, 1), (UNIT_BYTES + 1, 2), (10 * UNIT_BYTES, 10)):
            allowance = Counted()
            self.leaveNothing()
            self.connect(allowance)
            self.comes(bytes(size))
            self.assertEqual((size, allowance.spent), (size, units))
            self.owner.send(bytes(size))
            self.turn()
            self.assertEqual((size, allowance.spent), (size, 2 * units))

    def test_nothingIsReadOfWhoeverHasSpentItsTurn(self) -> None:
        """
        Neither way; what has come goes on in the next turn.
        """
        allowance = Turns(self.reactor).allowanceOf("somebody")
        self.leaveNothing()
        self.connect(allowance)
        while not allowance.owner.isExhausted:
            allowance.spend(1)
        self.owner.send(b"one")
        self.end.doRead()
        self.tls.coming.append(b"two")
        self.stream.doRead()
        self.assertEqual((self.tls.taken, self.ownerHears()), (b"", b""))
        self.assertEqual((self.reactor.readers, self.reactor.writers), (set(), set()))
        for _ in range(3):
            self.reactor.advance(0)
        self.turn()
        self.comes()
        self.assertEqual((self.tls.taken, self.ownerHears()), (b"one", b"two"))

    def test_whoHasToWaitForOthersOfTheSameOwnerWaits(self) -> None:
        """
        Though the owner has units left; whatever becomes of the connection meanwhile, it is not read afterwards.
        """
        for end in (None, self.loseWhileHeld, self.abort):
            self.leaveNothing()
            self.connect(waiting := Waiting())
            self.owner.send(b"one")
            self.turn()
            self.assertEqual((self.tls.taken, self.end in self.reactor.readers), (b"", False))
            if end is not None:
                end()
            waiting.isSpent = False
            for resume in waiting.resumes:
                resume()
            self.assertEqual(self.end in self.reactor.readers, end is None)
            self.turn()
            self.assertEqual(self.tls.taken, b"one" if end is None else b"")

    def test_oneTurnReadsNoMoreThanItsShare(self) -> None:
        """
        However much the owner has written, and less when its units are spent before.
        """
        self.owner.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        waiting = 0
        while True:
            try:
                waiting += self.owner.send(bytes(READ_BYTES))
            except BlockingIOError:
                break
        self.assertGreater(waiting, 2 * READ_BYTES)
        self.end.doRead()
        self.assertEqual(len(self.tls.taken), READ_BYTES)
        allowance = Turns(self.reactor).allowanceOf("somebody")
        allowance.spend(READ_UNITS - 20)
        self.relay._allowance = allowance
        self.end.doRead()
        self.assertLess(len(self.tls.taken), 2 * READ_BYTES)

    def test_whoIsToBeReadAgainWhileTheStreamIsFullIsNot(self) -> None:
        allowance = Turns(self.reactor).allowanceOf("somebody")
        self.leaveNothing()
        self.connect(allowance)
        while not allowance.owner.isExhausted:
            allowance.spend(1)
        self.owner.send(b"one")
        self.end.doRead()
        self.tls.room = 0
        self.stream.write(b"waits")
        self.reactor.advance(0)
        self.assertNotIn(self.end, self.reactor.readers)

    def test_whatIsHeldCountsInTheMemoryOfItsOwner(self) -> None:
        """
        Whoever the connection is for; when all is handed on, or at whatever end, nothing stays counted.
        """
        for end in (None, self.abort, self.ownerGoes, self.clientGoes, self.leave):
            turns = Turns(self.reactor)
            self.leaveNothing()
            self.connect(turns.allowanceOf("somebody"))
            self.assertEqual(turns.memory.used, 0)
            self.relay.dataReceived(LONG * 5)
            held = self.relay.statistics().heldForOwner
            self.assertEqual((held > 0, turns.memory.used), (True, held))
            self.relay.dataReceived(b"more")
            self.assertEqual(turns.memory.used, held + 4)
            if end is None:
                while self.relay.statistics().heldForOwner:
                    self.ownerHears()
                    self.turn()
            else:
                end()
                self.reactor.advance(RELAY_CLOSE_SECONDS)
                self.reactor.advance(0)
                self.assertGone()
            self.assertEqual(turns.memory.used, 0)

    def test_whoeverHoldsTooMuchIsAborted(self) -> None:
        """
        It is the memory of all that counts, so that a crowd of slow owners does not fill it.
        """
        turns = Turns(self.reactor)
        self.leaveNothing()
        self.connect(turns.allowanceOf("somebody"))
        turns.memory.bytes = 1
        self.relay.dataReceived(LONG * 5)
        self.assertIsNot(self.relay.state, RelayState.GONE, "not within the call")
        for _ in range(3):
            self.reactor.advance(0)
        self.assertGone()
        self.assertEqual(turns.memory.used, 0)

    def ownerGoes(self) -> None:
        self.owner.close()
        self.turn()

    def clientGoes(self) -> None:
        self.stream.connectionLost(Failure(ConnectionDone()))

    # Ends, in every order.

    def test_ownerThatClosesIsSentToItsEnd(self) -> None:
        """
        What it has written before is sent, then the client is told goodbye.
        """
        self.owner.send(LONG)
        self.owner.close()
        self.reactor.lookUntil(lambda: self.relay.state is RelayState.CLOSING, self.end)
        self.assertEqual((self.tls.taken, self.tls.goodbyes), (LONG, 1))
        self.assertEqual((self.gone, self.end in self.reactor.readers), (0, False))
        self.comes(GOODBYE)
        self.assertGone()

    def test_ownerThatClosesWithoutReadingAllIsSentToItsEndToo(self) -> None:
        """
        The kernel says then that the connection is reset, behind what it has written.
        """
        self.comes(b"never read")
        self.owner.send(LONG)
        self.owner.close()
        self.reactor.lookUntil(lambda: self.relay.state is RelayState.CLOSING, self.end)
        self.assertEqual((self.tls.taken, self.tls.goodbyes), (LONG, 1))

    def test_clientThatDoesNotAnswerTheGoodbyeIsNotWaitedForLong(self) -> None:
        self.owner.close()
        self.turn()
        self.reactor.advance(RELAY_CLOSE_SECONDS - 0.01)
        self.assertEqual(self.gone, 0)
        self.reactor.advance(0.02)
        self.reactor.advance(0)
        self.assertGone()

    def test_clientThatReadsNothingDoesNotKeepTheRelay(self) -> None:
        """
        The owner finds that it is stalled, and closes.  The relay is not told, since it does not read the
        pipe; it finds out by itself, and waits no longer than for any other.
        """
        self.fillStream()
        self.reactor.advance(10)
        self.assertEqual((self.relay.state, self.gone), (RelayState.CARRYING, 0))
        self.owner.send(b"never sent")
        self.owner.close()
        self.reactor.advance(HANGUP_SECONDS)
        self.assertIs(self.relay.state, RelayState.LEAVING)
        self.reactor.advance(RELAY_CLOSE_SECONDS)
        self.reactor.advance(0)
        self.assertGone()

    def test_clientThatReadsOnInTimeGetsAllThatTheOwnerHasWritten(self) -> None:
        said = self.fillStream()
        self.owner.send(LONG)
        self.owner.close()
        self.reactor.advance(HANGUP_SECONDS)
        self.tls.room = 1 << 20
        self.reactor.happen(self.stream, write=True)
        self.reactor.lookUntil(lambda: self.relay.state is RelayState.CLOSING, self.end)
        self.assertEqual((self.tls.taken, self.tls.goodbyes), (said + LONG, 1))
        self.comes(GOODBYE)
        self.assertGone()

    def test_allStepsOfAnEndTogetherAreBounded(self) -> None:
        """
        Each of them could take a part of the time, and the next one has what is left.
        """
        self.fillStream()
        self.owner.close()
        self.reactor.advance(HANGUP_SECONDS)
        self.reactor.advance(0.6 * RELAY_CLOSE_SECONDS)
        self.tls.room = 1 << 20
        self.reactor.happen(self.stream, write=True)
        self.turn()
        self.assertIs(self.relay.state, RelayState.CLOSING)
        self.reactor.advance(0.5 * RELAY_CLOSE_SECONDS)
        self.reactor.advance(0)
        self.assertGone()

    def test_relayThatIsFullNowAndThenLooksNoMoreOftenForThat(self) -> None:
        """
        One timer is set, and it is none that goes on for ever.
        """
        for _ in range(5):
            self.fillStream()
            self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
            self.tls.room = 1 << 20
            self.reactor.happen(self.stream, write=True)
        self.reactor.advance(HANGUP_SECONDS)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.fillStream()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)

    def test_ownerThatTakesNothingMoreIsReadToItsEnd(self) -> None:
        """
        It is found when something is sent to it; that is thrown away, and so is what the client sends later.
        """
        sent = self.fillPipe()
        self.owner.send(b"last words")
        self.owner.close()
        self.reactor.happen(self.end, write=True)
        self.assertEqual(self.relay.statistics().heldForOwner, 0)
        self.assertIn(self.stream, self.reactor.readers)
        self.reactor.lookUntil(lambda: self.tls.goodbyes, self.end)
        self.assertEqual((self.tls.taken, self.tls.goodbyes), (b"last words", 1))
        self.comes(b"late", GOODBYE)
        self.assertGone()
        self.assertEqual(self.relay.statistics().fromClient, len(sent) + 4)

    def test_reactorThatFindsThePipeClosedLeavesWhatWaitsInIt(self) -> None:
        """
        While the stream is full, the reactor watches the pipe for writing only, and says no more than that it is gone.
        """
        self.fillPipe()
        said = self.fillStream()
        self.owner.send(b"last words")
        self.owner.close()
        self.assertEqual((self.end in self.reactor.readers, self.end in self.reactor.writers), (False, True))
        self.turn()
        self.assertIs(self.relay.state, RelayState.LEAVING)
        self.tls.room = 1 << 20
        self.reactor.happen(self.stream, write=True)
        self.reactor.lookUntil(lambda: self.tls.goodbyes, self.end)
        self.assertEqual((self.tls.taken, self.tls.goodbyes), (said + b"last words", 1))

    def test_clientThatGoesIsHeardToItsEnd(self) -> None:
        """
        And then the owner sees the end.
        """
        for end in (GOODBYE, SSL.SysCallError(-1, "Unexpected EOF")):
            self.leaveNothing()
            self.connect()
            self.comes(b"last words", end)
            self.assertGone()
            self.assertEqual((self.owner.recv(100), self.owner.recv(100)), (b"last words", b""))

    def test_whatIsHeldWhenTheClientGoesIsHandedOn(self) -> None:
        """
        As fast as the owner takes it.
        """
        sent = self.fillPipe()
        self.stream.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.relay.state, self.gone), (RelayState.EMPTYING, 0))
        self.assertNotIn(self.end, self.reactor.readers)
        heard = b""
        while not self.gone:
            heard += self.ownerHears()
            self.turn()
        heard += self.ownerHears()
        self.assertEqual(heard, sent)
        self.assertGone()

    def test_ownerThatDoesNotTakeThatIsNotWaitedForLong(self) -> None:
        self.fillPipe()
        self.stream.connectionLost(Failure(ConnectionDone()))
        self.reactor.advance(RELAY_CLOSE_SECONDS)
        self.assertGone()

    def test_ownerThatGoesMeanwhileEndsIt(self) -> None:
        for happens in ("write", "hangup"):
            self.leaveNothing()
            self.connect()
            self.fillPipe()
            self.stream.connectionLost(Failure(ConnectionDone()))
            self.owner.close()
            if happens == "write":
                self.reactor.happen(self.end, write=True)
            else:
                self.end.connectionLost(Failure(ConnectionDone()))
            self.assertGone()

    def test_bothEndsAtOnceAreOneEnd(self) -> None:
        for isOwnerFirst in (True, False):
            self.leaveNothing()
            self.connect()
            self.owner.close()
            self.tls.coming.append(GOODBYE)
            if isOwnerFirst:
                self.end.doRead()
                self.comes()
            else:
                self.comes()
                self.end.doRead()
            self.assertGone()

    def test_streamThatBreaksWhileItIsWrittenIsLost(self) -> None:
        self.tls.failure = SSL.SysCallError(errno.EPIPE, "EPIPE")
        self.owner.send(b"some")
        self.turn()
        self.reactor.happen(self.stream, write=True)
        self.assertGone()

    # What the program wants.

    def test_closingSendsWhatHasComeFromEitherSide(self) -> None:
        """
        Though it is held, or waits in the pipe; what comes later is left.
        """
        sent = self.fillPipe()
        self.owner.send(LONG)
        for _ in range(2):
            self.relay.close()
        self.assertEqual((self.tls.taken, self.tls.goodbyes), (LONG, 1))
        heard = b""
        while len(heard) < len(sent):
            heard += self.ownerHears()
            self.turn()
        self.assertEqual(heard, sent)
        self.assertEqual(self.gone, 0)
        self.comes(GOODBYE)
        self.assertGone()
        self.assertEqual(self.ownerHears(), b"")

    def test_closingWhileTheStreamIsFullSendsTheRestWhenItIsNot(self) -> None:
        said = self.fillStream()
        self.owner.send(LONG)
        self.relay.close()
        self.assertEqual((self.relay.state, self.tls.goodbyes), (RelayState.LEAVING, 0))
        self.tls.room = 1 << 20
        self.reactor.happen(self.stream, write=True)
        self.assertEqual((self.tls.taken, self.tls.goodbyes), (said + LONG, 1))

    def test_closingWhileTheTurnIsSpentReadsTheRestInTheNext(self) -> None:
        allowance = Turns(self.reactor).allowanceOf("somebody")
        self.leaveNothing()
        self.connect(allowance)
        while not allowance.owner.isExhausted:
            allowance.spend(1)
        self.owner.send(b"one")
        self.relay.close()
        self.assertEqual(self.tls.taken, b"")
        for _ in range(3):
            self.reactor.advance(0)
        self.assertEqual((self.tls.taken, self.tls.goodbyes), (b"one", 1))

    def test_clientThatGoesAfterAPauseIsSeenAtOnce(self) -> None:
        """
        The owner was slow once, and takes everything again: the end waits for nothing behind what was read with it.
        """
        self.fillPipe()
        while self.relay.statistics().heldForOwner:
            self.ownerHears()
            self.turn()
        self.ownerHears()
        self.comes(LONG, GOODBYE)
        self.assertGone()
        self.assertEqual(self.ownerHears(), LONG)

    def test_closingWhenAWholeReadWaitsIsAnEndInGoodOrder(self) -> None:
        """
        All of it is read in one turn, and nothing comes that would wake the relay for the end.
        """
        self.owner.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.assertEqual(self.owner.send(bytes(READ_BYTES)), READ_BYTES)
        self.relay.close()
        self.reactor.advance(0)
        self.assertEqual((len(self.tls.taken), self.tls.goodbyes), (READ_BYTES, 1))
        self.comes(GOODBYE)
        self.assertGone()

    def test_closingTakesNoLongerThanItMay(self) -> None:
        for fill in (self.fillStream, self.fillPipe, bytes):
            self.leaveNothing()
            self.connect()
            fill()
            self.relay.close()
            self.reactor.advance(RELAY_CLOSE_SECONDS)
            self.reactor.advance(0)
            self.assertGone()

    def test_clientIsReadWhileTheStreamClosesThoughTheOwnerIsSlow(self) -> None:
        """
        As soon as the owner has taken what is held: or the client's goodbye would never be seen.
        """
        self.fillPipe()
        self.relay.close()
        self.assertNotIn(self.stream, self.reactor.readers)
        while self.relay.statistics().heldForOwner:
            self.ownerHears()
            self.turn()
        self.assertIn(self.stream, self.reactor.readers)

    def test_abortEndsItAtOnceInEveryState(self) -> None:
        """
        What is held is dropped, and aborting again, or closing, changes nothing.
        """
        for prepare in (
            bytes,
            self.fillPipe,
            self.fillStream,
            self.leave,
            self.leaveWhileFull,
            self.loseWhileHeld,
            lambda: self.comes(GOODBYE),
        ):
            self.leaveNothing()
            self.connect()
            prepare()
            for _ in range(2):
                self.relay.abort()
                self.relay.close()
                self.end.connectionLost(Failure(ConnectionDone()))
                self.assertEqual((self.pipe.fileno(), self.reactor.readers, self.reactor.writers), (-1, set(), set()))
            self.reactor.advance(0)
            self.assertGone()
            for late in (self.relay.abort, self.relay.close, self.end._lost):
                late()
            self.assertGone()

    def test_reactorThatStopsLeavesNothing(self) -> None:
        """
        It tells whatever it watches that it is lost.
        """
        for _ in range(2):
            self.reactor.readers.clear()
            self.end.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.reactor.readers, set())
        self.stream.connectionLost(Failure(ConnectionDone()))
        self.assertGone()

    def test_relayThatIsGoneIsForgotten(self) -> None:
        """
        At once, and not only when somebody looks for garbage.
        """
        self.leaveNothing()
        ref = weakref.ref(self.relay)
        self.connect()
        self.assertIsNone(ref())

    def test_streamThatHasEndedIsNotRelayed(self) -> None:
        self.leaveNothing()
        self.assertRaises(AssertionError, Relay, self.stream, self.pipe, Unlimited(), self.reactor, self.isGone)

    def test_streamThatWasAbortedByOthersEndsIt(self) -> None:
        self.stream.abort()
        self.reactor.advance(0)
        self.assertGone()
        self.assertIs(self.stream.phase, StreamPhase.ENDED)


class Stranger(Diarist):
    """
    Is told of a peer that has shown nothing.
    """

    isKnown = False


class Waiting(Unlimited):
    """
    Has to wait for others.

    @ivar resumes: what goes on then.
    """

    isSpent = True

    def __init__(self) -> None:
        self.resumes: list[Callable[[], None]] = []

    def readLater(self, resume: Callable[[], None]) -> None:
        self.resumes.append(resume)


class Counted(Unlimited):
    """
    Counts what is spent.
    """

    def __init__(self) -> None:
        self.spent = 0

    def spend(self, units: int) -> None:
        self.spent += units
