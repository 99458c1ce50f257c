"""
The slots of a client's pool: each dials, waits, and dials again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from types import SimpleNamespace

from twisted.internet import error
from twisted.python.failure import Failure

from tests.contracts import TimerTestCase
from tests.twins import Attempt, MemorySurroundings, MemoryTransport, RecordingOwner, RecordingSession
from uotp.backoff import FIRST_SECONDS
from uotp.errors import PeerError
from uotp.pool import PROVED_SECONDS, Event, Pool, Slot, State
from uotp.tunnel import CLOSE_SECONDS
from uotp.tunnelends import DialledTunnel
from uotp.wire import FrameCodec

HELLO = b"a session's id !"

EXPECTED = {
    State.IDLE: {Event.DIAL: State.DIALLING, Event.STOP: State.STOPPED},
    State.DIALLING: {Event.OPENED: State.UP, Event.LOST: State.WAITING, Event.STOP: State.STOPPED},
    State.UP: {Event.LOST: State.WAITING, Event.STOP: State.STOPPED},
    State.WAITING: {Event.DIAL: State.DIALLING, Event.STOP: State.STOPPED},
    State.STOPPED: {},
}
"""What each event leads to, from each state; what is not here changes nothing."""


class _PoolTestCase(TimerTestCase):
    """
    A test with surroundings in memory.
    """

    def setUp(self) -> None:
        """
        Make them.
        """
        super().setUp()
        self.around = MemorySurroundings(self.clock)
        self.session = RecordingSession()

    @property
    def last(self) -> Attempt:
        """
        The newest attempt.
        """
        return self.around.attempts[-1]

    def openLast(self) -> None:
        """
        Let the newest attempt succeed.
        """
        self.last.open()

    def slot(self) -> Slot:
        """
        @return: a slot, which is stopped in the end.
        """
        slot = Slot(self.around, self.session, HELLO)
        self.addCleanup(self.end, slot)
        return slot

    def end(self, stoppable: Slot | Pool) -> None:
        """
        Stop, and let what was closed be gone.
        """
        stoppable.stop()
        self.around.settle()

    def waitForDial(self) -> float:
        """
        @return: how long it takes to the next attempt.
        """
        attempts = len(self.around.attempts)
        started = self.clock.seconds()
        while len(self.around.attempts) == attempts:
            calls = self.clock.getDelayedCalls()
            self.assertTrue(calls, "nobody is going to dial")
            self.clock.advance(calls[0].getTime() - self.clock.seconds())
        return self.clock.seconds() - started

    def stranger(self) -> DialledTunnel:
        """
        @return: a tunnel that is no slot's own.
        """
        tunnel = DialledTunnel(self.clock, FrameCodec(), RecordingOwner(), HELLO)
        tunnel.makeConnection(MemoryTransport(tunnel))
        return tunnel


class SlotTableTests(_PoolTestCase):
    """
    What a slot is doing, and what can happen to it there.
    """

    def reach(self, state: State) -> Slot:
        """
        @return: a slot in a state.
        """
        slot = self.slot()
        ways: dict[State, tuple[Callable[[], object], ...]] = {
            State.IDLE: (),
            State.DIALLING: (slot.dial,),
            State.UP: (slot.dial, self.openLast),
            State.WAITING: (slot.dial, lambda: self.last.fail(error.ConnectionRefusedError())),
            State.STOPPED: (slot.stop,),
        }
        for step in ways[state]:
            step()
        self.assertIs(slot._state, state)
        return slot

    def happen(self, slot: Slot, event: Event) -> None:
        """
        Let an event come about, in turn or out of turn.
        """
        state = slot._state
        if event is Event.DIAL:
            slot.dial()
        elif event is Event.STOP:
            slot.stop()
        elif event is Event.OPENED:
            if state is State.DIALLING:
                self.last.open()
            else:
                slot.tunnelOpened(self.stranger())
        elif state is State.DIALLING:
            self.last.fail(error.ConnectionRefusedError())
        elif state is State.UP:
            self.last.transport.lose()
        else:
            slot.tunnelLost(self.stranger(), Failure(error.ConnectionLost()))

    def test_everyEventInEveryStateLeadsWhereTheTableSays(self) -> None:
        """
        An event that comes out of turn changes nothing.
        """
        for state in State:
            for event in Event:
                slot = self.reach(state)
                self.happen(slot, event)
                expected = EXPECTED[state].get(event, state)
                self.assertEqual((state, event, slot._state), (state, event, expected))

    def test_tunnelThatOpensOutOfTurnIsAborted(self) -> None:
        """
        A second address answered at the same moment, or the slot has given up.
        """
        for state in State:
            slot = self.reach(state)
            tunnel = self.stranger()
            ups = self.around.record.ups
            slot.tunnelOpened(tunnel)
            self.assertEqual((state, tunnel.transport.aborted), (state, True))
            self.assertEqual(self.around.record.ups, ups)

    def test_stopLeavesNothingWhateverTheSlotWasDoing(self) -> None:
        """
        No timer, no attempt, no tunnel; and nothing begins again.
        """
        for state in State:
            self.around = MemorySurroundings(self.clock)
            slot = self.reach(state)
            slot.stop()
            slot.stop()
            self.around.settle()
            self.assertEqual((state, self.clock.getDelayedCalls(), len(self.around.roll)), (state, [], 0))
            attempts = len(self.around.attempts)
            slot.dial()
            self.clock.advance(100)
            self.assertEqual(len(self.around.attempts), attempts)

    def test_stopDuringTheHandshakeLeavesNothing(self) -> None:
        """
        TCP is connected, and the server says nothing.
        """
        slot = self.reach(State.DIALLING)
        self.last.connect()
        slot.stop()
        self.clock.advance(CLOSE_SECONDS)
        self.around.settle()
        self.assertEqual(len(self.around.roll), 0)
        self.assertNoTimer()

    def test_stopCancelsTheAttempt(self) -> None:
        """
        TCP is not connected yet.
        """
        slot = self.reach(State.DIALLING)
        slot.stop()
        self.assertTrue(self.last.cancelled)
        self.assertEqual(self.around.record.reasons, [])

    def test_stopClosesTheTunnelInGoodOrder(self) -> None:
        """
        What was given to it is still sent.
        """
        slot = self.reach(State.UP)
        slot.stop()
        self.assertTrue(self.last.transport.disconnecting)
        self.assertFalse(self.last.transport.aborted)


class SlotTests(_PoolTestCase):
    """
    How a slot comes by its tunnel.
    """

    def test_openTunnelCarriesForTheSession(self) -> None:
        """
        Once it has said the session id.
        """
        self.slot().dial()
        tunnel = self.last.open()
        self.assertEqual(self.last.transport.getOutBuffer(), HELLO)
        self.assertEqual((self.session.says, self.around.record.ups), (["free"], 1))
        self.assertEqual(len(self.around.roll), 1)
        tunnel.dataReceived(b"\0\2hi")
        self.assertEqual(self.session.datagrams(), [b"hi"])

    def test_slotIsReadyOnlyAfterTheHandshake(self) -> None:
        """
        A TCP connection is no tunnel.
        """
        self.slot().dial()
        self.last.connect()
        self.assertEqual((self.session.says, self.around.record.ups), ([], 0))

    def test_firstWaitIsWellBelowASecond(self) -> None:
        """
        A server that was restarted is found soon; and not in the same instant.
        """
        for chance in (0.0, 0.5, 1.0):
            self.around.chance = chance
            self.slot().dial()
            self.last.fail(error.ConnectionRefusedError())
            wait = self.waitForDial()
            self.assertTrue(0.05 <= wait <= 0.5, wait)

    def test_waitsGrowToTheCeilingAndStayThere(self) -> None:
        """
        A server that stays away is not hammered.
        """
        self.slot().dial()
        waits = []
        for _ in range(12):
            self.last.fail(error.ConnectionRefusedError())
            waits.append(round(self.waitForDial(), 6))
        self.assertEqual(waits, [0.2, 0.4, 0.8, 1.6, 3.2, *[5.0] * 7])

    def test_chanceSpreadsTheWaits(self) -> None:
        """
        Tunnels that one event broke do not come back as one.
        """
        waits = []
        for chance in (0.0, 0.5, 1.0):
            self.around.chance = chance
            self.slot().dial()
            self.last.fail(error.ConnectionRefusedError())
            waits.append(round(self.waitForDial(), 6))
        self.assertEqual(waits, [0.1, 0.15, 0.2])

    def failTimes(self, times: int) -> None:
        """
        Fail, and dial again.
        """
        for _ in range(times):
            self.last.fail(error.ConnectionRefusedError())
            self.waitForDial()

    def test_tunnelThatWasHeardResetsTheWait(self) -> None:
        """
        A byte from the server is real success.
        """
        self.slot().dial()
        self.failTimes(5)
        self.last.open().dataReceived(b"\0")
        self.last.transport.lose()
        self.assertEqual(round(self.waitForDial(), 6), FIRST_SECONDS)

    def test_tunnelThatStayedResetsTheWait(self) -> None:
        """
        Even when the target is silent.
        """
        self.slot().dial()
        self.failTimes(5)
        self.last.open()
        self.clock.advance(PROVED_SECONDS + 0.01)
        self.last.transport.lose()
        self.assertEqual(round(self.waitForDial(), 6), FIRST_SECONDS)

    def test_handshakeAloneDoesNotResetTheWait(self) -> None:
        """
        With TLS 1.3 a server that wants another certificate says so later.
        """
        self.slot().dial()
        waits = []
        for _ in range(7):
            self.last.open()
            self.clock.advance(PROVED_SECONDS - 0.1)
            self.last.transport.lose()
            waits.append(round(self.waitForDial(), 6))
        self.assertEqual(waits, [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])

    def test_timeOutCoversConnectAndHandshakeTogether(self) -> None:
        """
        However long each of them took.
        """
        self.slot().dial()
        self.clock.advance(3.0)
        self.last.connect()
        self.clock.advance(0.9)
        self.assertEqual(self.around.record.reasons, [])
        self.clock.advance(0.2)
        self.assertEqual(self.around.record.reasons, ["no TLS handshake after 4 s"])
        self.assertTrue(self.last.transport.aborted)
        self.around.settle()
        self.assertEqual((len(self.around.roll), self.around.record.reasons), (0, ["no TLS handshake after 4 s"]))
        self.assertEqual(len(self.around.attempts), 1)
        self.waitForDial()
        self.last.open()
        self.assertEqual(self.around.record.ups, 1)

    def test_timeOutOfATunnelThatLingersAfterOurRefusalSaysTheRefusal(self) -> None:
        """
        The server has not closed yet, to which we have said what is wrong with it.
        """
        self.slot().dial()
        self.last.connect()
        refused = SimpleNamespace(refusal="unknown issuer 'CN=Stranger CA'")
        self.patch(self.last.transport, "getHandle", lambda: refused)
        self.clock.advance(4.0)
        self.assertTrue(self.last.transport.aborted)
        self.around.settle()
        self.assertEqual(self.around.record.reasons, ["unknown issuer 'CN=Stranger CA'"])

    def test_timeOutOfATunnelThatNobodyRefusedIsATimeOut(self) -> None:
        """
        OpenSSL's connection is there, and has nothing against the server.
        """
        self.slot().dial()
        self.last.connect()
        self.patch(self.last.transport, "getHandle", lambda: SimpleNamespace(refusal=None))
        self.clock.advance(4.0)
        self.assertEqual(self.around.record.reasons, ["no TLS handshake after 4 s"])

    def test_timeOutCancelsAConnectThatHangs(self) -> None:
        """
        One failure, not two, and one line.
        """
        self.slot().dial()
        self.clock.advance(4.0)
        self.assertTrue(self.last.cancelled)
        self.assertEqual(self.around.record.reasons, ["no connection after 4 s"])
        self.assertEqual(round(self.waitForDial(), 6), FIRST_SECONDS)

    def test_openTunnelHasNoTimeOut(self) -> None:
        """
        It stays for as long as it likes.
        """
        self.slot().dial()
        self.last.open()
        self.clock.advance(PROVED_SECONDS)
        self.assertEqual(self.around.record.timesReached, 1)
        self.assertNoTimer()
        self.clock.advance(1000)
        self.assertEqual((len(self.around.attempts), self.last.transport.disconnecting), (1, False))

    def test_tunnelOfAnAttemptThatTimedOutDoesNotDisturbTheNext(self) -> None:
        """
        It may be lost late.
        """
        self.slot().dial()
        self.last.connect()
        late = self.last
        self.clock.advance(4.0)
        self.waitForDial()
        self.last.open()
        late.tunnel.handshakeCompleted()
        late.transport.lose()
        self.assertEqual(self.session.says, ["free"])
        self.assertEqual(len(self.around.record.reasons), 1)
        self.assertEqual(len(self.around.roll), 1)

    def test_lossDuringTheHandshakeIsAFailure(self) -> None:
        """
        Said in the words of the reason.
        """
        self.slot().dial()
        self.last.connect()
        self.last.transport.lose(error.ConnectionLost())
        self.assertEqual(self.around.record.reasons, ["connection lost"])
        self.assertEqual(round(self.waitForDial(), 6), FIRST_SECONDS)

    def test_failuresAreSaidInWords(self) -> None:
        """
        The server's fault before the transport's reason.
        """
        self.slot().dial()
        self.last.fail(error.DNSLookupError())
        self.waitForDial()
        tunnel = self.last.open()

        def findFault(_: bytes) -> None:
            reason = "it did what it may not"
            raise PeerError(reason)

        self.patch(tunnel._codec, "decode", findFault)
        tunnel.dataReceived(b"x")
        self.around.settle()
        self.assertEqual(self.around.record.reasons, ["host name not found", "it did what it may not"])

    def test_dialWhileBusyDoesNothing(self) -> None:
        """
        A slot has one tunnel at most.
        """
        slot = self.slot()
        slot.dial()
        slot.dial()
        self.last.open()
        slot.dial()
        self.assertEqual(len(self.around.attempts), 1)

    def test_secondAddressThatAnswersAtOnceIsNotUsed(self) -> None:
        """
        The first one carries, and the other one is aborted.
        """
        self.slot().dial()
        attempt = self.last
        attempt.open()
        second = attempt._makeTunnel()
        transport = MemoryTransport(second)
        second.makeConnection(transport)
        self.assertTrue(transport.aborted)
        transport.lose()
        self.assertEqual((self.session.says, self.around.record.reasons), (["free"], []))
        self.assertEqual(len(self.around.roll), 1)


class SlotWalkTests(_PoolTestCase):
    """
    Whatever happens, in any order.
    """

    def walk(self, seed: int) -> None:
        """
        Let anything that can happen to a slot happen at random, then stop it.
        """
        chance = random.Random(seed)  # noqa: S311 - for a test to be the same each time
        self.around = MemorySurroundings(self.clock)
        slot = self.slot()
        slot.dial()
        for _ in range(60):
            attempt = chance.choice(self.around.attempts)
            connected = hasattr(attempt, "transport")
            steps: list[Callable[[], object]] = [lambda: self.clock.advance(chance.random() * 3), slot.dial]
            if not connected and not attempt.done.called:
                steps += [attempt.connect, attempt.open, lambda at=attempt: at.fail(error.ConnectionRefusedError())]  # type: ignore[misc]
            elif connected and not attempt.transport.lost:
                steps += [
                    attempt.transport.lose,
                    attempt.transport.settle,
                    attempt.tunnel.handshakeCompleted,
                    lambda at=attempt: at.tunnel.dataReceived(b"\0"),  # type: ignore[misc]
                ]
            chance.choice(steps)()
            self.checkSlot(slot)
        slot.stop()
        self.clock.advance(CLOSE_SECONDS)
        self.around.settle()
        self.assertNoTimer()
        self.assertEqual(len(self.around.roll), 0)

    def checkSlot(self, slot: Slot) -> None:
        """
        What holds between any two events.
        """
        attempts = self.around.attempts
        under = [each for each in attempts if not each.done.called]
        alive = [
            each
            for each in attempts
            if hasattr(each, "transport") and not each.transport.lost and not each.transport.disconnecting
        ]
        self.assertLessEqual(len(under) + len(alive), 1)
        self.assertLessEqual(self.session.says.count("free") - self.session.says.count("gone"), 1)
        calls = self.clock.getDelayedCalls()
        if slot._state is State.UP:
            self.assertEqual((len(under), len(alive)), (0, 1))
            self.assertLessEqual(len(calls), 1, "until it has proved itself")
        else:
            self.assertEqual(len(calls), 1)

    def test_slotHasOneAttemptOrOneTunnelOrAWait(self) -> None:
        """
        Never two of them, never none.
        """
        for seed in range(60):
            self.walk(seed)


class PoolTests(_PoolTestCase):
    """
    The slots of one session together.
    """

    def pool(self, size: int = 4) -> Pool:
        """
        @return: a pool, which is stopped in the end.
        """
        pool = Pool(self.around, self.session, HELLO, size)
        self.addCleanup(self.end, pool)
        return pool

    def widePool(self, size: int = 4) -> Pool:
        """
        @return: a pool of which every slot dials.
        """
        pool = self.pool(size)
        pool.start()
        pool.widen()
        return pool

    def test_poolBeginsWithOneTunnel(self) -> None:
        """
        And opens the others when it is told to, once.
        """
        pool = self.pool()
        self.assertEqual(len(self.around.attempts), 0)
        pool.start()
        self.assertEqual(len(self.around.attempts), 1)
        pool.widen()
        pool.widen()
        self.assertEqual(len(self.around.attempts), 4)

    def test_wideningDoesNotHurryTheFirstTunnel(self) -> None:
        """
        A source that sends much to a server that is away dials no more often.
        """
        pool = self.pool()
        pool.start()
        self.last.fail(error.ConnectionRefusedError())
        pool.widen()
        self.assertEqual(len(self.around.attempts), 4)
        self.waitForDial()
        self.assertEqual(len(self.around.attempts), 5)

    def test_allTunnelsShowTheSameId(self) -> None:
        """
        By which the server knows that they belong together.
        """
        self.widePool()
        for attempt in self.around.attempts:
            attempt.open()
            self.assertEqual(attempt.transport.getOutBuffer(), HELLO)

    def test_slotThatHangsHoldsNoOtherUp(self) -> None:
        """
        Each has its own attempt, its own failures, and its own time-out.
        """
        self.widePool()
        hanging, failing, *others = self.around.attempts
        for attempt in others:
            attempt.open()
        failing.fail(error.ConnectionRefusedError())
        self.assertEqual(self.session.says, ["free", "free"])
        self.clock.advance(0.3)
        self.assertEqual(len(self.around.attempts), 5)
        self.last.open()
        self.assertEqual(self.session.says, ["free"] * 3)
        self.assertFalse(hanging.cancelled)

    def test_lostTunnelIsReplacedAlone(self) -> None:
        """
        The others stay.
        """
        self.widePool()
        for attempt in self.around.attempts:
            attempt.open()
        self.around.attempts[1].transport.lose()
        self.waitForDial()
        self.assertEqual(len(self.around.attempts), 5)
        self.assertEqual([attempt.transport.disconnecting for attempt in self.around.attempts[:4]].count(True), 1)

    def test_stoppedPoolIsGoneForGood(self) -> None:
        """
        With every slot in another state.
        """
        pool = self.widePool(5)
        self.around.attempts[0].open()
        self.around.attempts[1].connect()
        self.around.attempts[2].fail(error.ConnectionRefusedError())
        pool.stop()
        self.around.settle()
        self.clock.advance(CLOSE_SECONDS)
        self.around.settle()
        self.assertEqual(len(self.around.roll), 0)
        self.assertNoTimer()
        pool.start()
        pool.widen()
        self.assertEqual(len(self.around.attempts), 5)
