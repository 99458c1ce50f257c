"""
The place of one tunnel in a client's pool: it dials, waits, dials again, and replaces what is old or does not answer.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure

from tests.client.slots import (
    BYE,
    DRAIN,
    PING,
    REFUSAL,
    SESSION_ID,
    WELCOME,
    WELCOME_AT_FIRST,
    WELCOME_AT_SECOND,
    WELCOME_NEW,
    SlotTestCase,
)
from tests.doubles.dialling import Attempt, MemoryContext
from tests.doubles.streams import MemoryStream, streamOf
from uotp.boundaries import Security
from uotp.client.dial.backoff import FIRST_SECONDS
from uotp.client.dial.outcomes import DialOutcome
from uotp.client.dial.race import MAX_CONTENDERS, STAGGER_SECONDS
from uotp.client.dial.segmentsize import SegmentSizes
from uotp.client.lifetime import AGE_SPREAD
from uotp.client.slot import MOST_STRAY_SECONDS, PROVED_SECONDS, QUICK_STRAYS, STRAY_SECONDS, Slot
from uotp.client.slotstates import SlotEvent as Event
from uotp.client.slotstates import SlotState as State
from uotp.errors import PeerError
from uotp.order import Order, OrderMode
from uotp.telemetry.log import Logger
from uotp.tunnel.dialled import NO_HANDSHAKE
from uotp.tunnel.heartbeat import FIRST_PATIENCE_SECONDS, GIVE_UP_SECONDS
from uotp.tunnel.tunnel import CLOSE_SECONDS, DRAIN_SECONDS
from uotp.wire.hello import ServerHello

NO_TLS_IN_TIME = "connected to 192.0.2.1 by TCP, but no TLS handshake after 4 s: "

EXPECTED = {
    State.IDLE: {Event.DIAL: State.DIALLING, Event.STOP: State.STOPPED},
    State.DIALLING: {
        Event.OPENED: State.UP,
        Event.FAILED: State.WAITING,
        Event.GIVE_UP: State.IDLE,
        Event.STOP: State.STOPPED,
    },
    State.UP: {
        Event.LOST: State.WAITING,
        Event.RENEW: State.RENEWING,
        Event.GIVE_UP: State.IDLE,
        Event.STOP: State.STOPPED,
    },
    State.WAITING: {Event.DIAL: State.DIALLING, Event.GIVE_UP: State.IDLE, Event.STOP: State.STOPPED},
    State.RENEWING: {
        Event.OPENED: State.UP,
        Event.FAILED: State.RETRYING,
        Event.LOST: State.DIALLING,
        Event.GIVE_UP: State.IDLE,
        Event.STOP: State.STOPPED,
    },
    State.RETRYING: {
        Event.DIAL: State.RENEWING,
        Event.LOST: State.WAITING,
        Event.GIVE_UP: State.IDLE,
        Event.STOP: State.STOPPED,
    },
    State.STOPPED: {},
}
"""What each event leads to, from each state; what is not here changes nothing."""


class SlotTableTests(SlotTestCase):
    """
    Bring a slot into each state, and let each event happen there.
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
            State.WAITING: (slot.dial, self.failLast),
            State.RENEWING: (slot.dial, self.openLast, slot.renew),
            State.RETRYING: (slot.dial, self.openLast, slot.renew, self.failLast),
            State.STOPPED: (slot.leave,),
        }
        for step in ways[state]:
            step()
        self.assertIs(slot.state, state)
        return slot

    def failLast(self) -> None:
        """
        Let the newest attempt fail.
        """
        self.last.fail(error.ConnectionRefusedError())

    def happen(self, slot: Slot, event: Event) -> None:
        """
        Let an event come about, in turn or out of turn.
        """
        if event is Event.DIAL:
            slot.dial()
        elif event is Event.RENEW:
            slot.renew()
        elif event is Event.GIVE_UP:
            slot.giveUp()
        elif event is Event.STOP:
            slot.leave()
        elif event is Event.OPENED:
            if slot._attempt is None:
                slot.tunnelOpened(self.stranger())
            else:
                self.last.open()
        elif event is Event.FAILED:
            if slot._attempt is not None:
                self.failLast()
        elif slot._tunnel is None:
            slot.tunnelLost(self.stranger(), Failure(error.ConnectionLost()))
        else:
            streamOf(slot._tunnel).lose()

    def test_everyEventInEveryStateLeadsWhereTheTableSays(self) -> None:
        """
        An event that comes out of turn changes nothing.
        """
        for state in State:
            for event in Event:
                slot = self.reach(state)
                self.happen(slot, event)
                expected = EXPECTED[state].get(event, state)
                self.assertEqual((state, event, slot.state), (state, event, expected))

    def test_tunnelThatOpensOutOfTurnIsAborted(self) -> None:
        """
        A second address answered at the same moment, or the slot has given up.
        """
        for state in State:
            slot = self.reach(state)
            tunnel = self.stranger()
            ups = self.context.reachability.ups
            slot.tunnelOpened(tunnel)
            self.assertEqual((state, streamOf(tunnel).aborted), (state, True))
            self.assertEqual(self.context.reachability.ups, ups)

    def test_stopLeavesNothingWhateverTheSlotWasDoing(self) -> None:
        """
        No timer, no attempt, no tunnel; and nothing begins again.
        """
        for state in State:
            self.context = MemoryContext(self.clock)
            slot = self.reach(state)
            slot.leave()
            slot.leave()
            self.context.settle()
            self.assertEqual((state, self.clock.getDelayedCalls(), len(self.context.liveTunnels)), (state, [], 0))
            attempts = len(self.context.attempts)
            slot.dial()
            self.clock.advance(100)
            self.assertEqual(len(self.context.attempts), attempts)

    def test_stopDuringTheHandshakeLeavesNothing(self) -> None:
        slot = self.reach(State.DIALLING)
        self.last.connect()
        slot.leave()
        self.clock.advance(CLOSE_SECONDS)
        self.context.settle()
        self.assertEqual(len(self.context.liveTunnels), 0)
        self.assertNoTimer()

    def test_stopCancelsTheAttempt(self) -> None:
        slot = self.reach(State.DIALLING)
        slot.leave()
        self.assertTrue(self.last.cancelled)
        self.assertEqual(self.context.reachability.reasons, [])

    def test_stopClosesTheTunnelInGoodOrder(self) -> None:
        slot = self.reach(State.UP)
        slot.leave()
        self.assertTrue(self.last.transport.disconnecting)
        self.assertFalse(self.last.transport.aborted)


class SlotTests(SlotTestCase):
    """
    Let a slot come by its tunnel, or not.
    """

    def test_openTunnelCarriesForTheSession(self) -> None:
        self.slot().dial()
        tunnel = self.last.open()
        self.assertEqual(self.last.transport.getOutBuffer(), SESSION_ID)
        self.assertEqual((self.session.says, self.context.reachability.ups), (["free"], 1))
        self.assertEqual(len(self.context.liveTunnels), 1)
        tunnel.dataReceived(b"\0\2hi")
        self.assertEqual(self.session.datagrams(), [b"hi"])

    def test_serverIsAskedForTheOrderThatTheUserWants(self) -> None:
        self.useFormat2()
        self.context.choose(reorder=Order(OrderMode.BULK))
        self.slot().dial()
        self.openLast()
        self.assertEqual(self.last.transport.getOutBuffer(), b"uotp\2\0\0\4" + SESSION_ID + b"\3\0\1\3")

    def test_slotIsReadyOnlyAfterTheHandshake(self) -> None:
        self.slot().dial()
        self.last.connect()
        self.assertEqual((self.session.says, self.context.reachability.ups), ([], 0))

    def test_firstWaitIsWellBelowASecond(self) -> None:
        """
        A server that was restarted is found soon; and not in the same instant.
        """
        for chance in (0.0, 0.5, 1.0):
            self.context.chance = chance
            self.slot().dial()
            self.last.fail(error.ConnectionRefusedError())
            wait = self.waitForDial()
            self.assertTrue(0.05 <= wait <= 0.5, wait)

    def test_waitsGrowToTheCeilingAndStayThere(self) -> None:
        self.slot().dial()
        waits = []
        for _ in range(12):
            self.last.fail(error.ConnectionRefusedError())
            waits.append(round(self.waitForDial(), 6))
        growing = [0.2, 0.3, 0.45, 0.675, 1.0125, 1.51875, 2.278125, 3.417187]
        self.assertEqual(waits, [*growing, *[5.0] * 4])

    def test_chanceSpreadsTheWaits(self) -> None:
        """
        Tunnels that one event broke do not come back as one.
        """
        waits = []
        for chance in (0.0, 0.5, 1.0):
            self.context.chance = chance
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

    def test_tunnelsThatAreHeardAndNeverStayResetTheWaitOnce(self) -> None:
        """
        A server that says something and closes is not dialled again and again.
        """
        self.slot().dial()
        waits = []
        for _ in range(4):
            self.last.open().dataReceived(b"\0")
            self.last.transport.lose()
            waits.append(round(self.waitForDial(), 6))
        self.assertEqual(waits, [0.2, 0.3, 0.45, 0.675])
        self.last.open()
        self.clock.advance(PROVED_SECONDS + 0.01)
        self.last.transport.lose()
        self.waitForDial()
        self.last.open().dataReceived(b"\0")
        self.last.transport.lose()
        self.assertEqual(round(self.waitForDial(), 6), FIRST_SECONDS)

    def test_tunnelInWhichAnotherProtocolWasHeardDoesNot(self) -> None:
        """
        A web server that refuses what it does not understand is not dialled again and again.
        """
        self.slot().dial()
        self.failTimes(10)
        self.last.open().dataReceived(b"HTTP/1.1 400 Bad Request\r\n")
        self.last.transport.lose()
        self.assertGreater(self.waitForDial(), 2)

    def test_tunnelThatStayedResetsTheWait(self) -> None:
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
        for _ in range(4):
            self.last.open()
            self.clock.advance(PROVED_SECONDS - 0.1)
            self.last.transport.lose()
            waits.append(round(self.waitForDial(), 6))
        self.assertEqual(waits, [0.2, 0.3, 0.45, 0.675])

    def test_timeOutOfTheHandshakeBeginsWhenTcpIsConnected(self) -> None:
        self.context.segments = SegmentSizes(1200, self.context.small.append)  # and so nobody tries smaller ones
        self.slot().dial()
        self.clock.advance(0.5)
        self.last.connect()
        self.clock.advance(3.9)
        self.assertEqual(self.context.reachability.reasons, [])
        self.clock.advance(0.2)
        self.assertReasons(NO_TLS_IN_TIME)
        self.assertTrue(self.last.transport.aborted)
        self.context.settle()
        self.assertReasons(NO_TLS_IN_TIME)
        self.assertEqual((len(self.context.liveTunnels), len(self.context.attempts)), (0, 1))
        self.waitForDial()
        self.last.open()
        self.assertEqual(self.context.reachability.ups, 1)

    def test_timeOutOfATunnelThatLingersAfterOurRefusalSaysTheRefusal(self) -> None:
        self.slot().dial()
        self.last.connect()
        self.last.transport.security = Security(refusal="unknown issuer 'CN=Stranger CA'")
        self.clock.advance(4.0)
        self.assertTrue(self.last.transport.aborted)
        self.context.settle()
        self.assertEqual(self.context.reachability.reasons, ["unknown issuer 'CN=Stranger CA'"])

    def test_timeOutOfATunnelThatNobodyRefusedIsATimeOut(self) -> None:
        self.slot().dial()
        self.last.connect()
        self.last.transport.security = Security(refusal=None)
        self.clock.advance(4.0)
        self.assertReasons(NO_TLS_IN_TIME)

    def test_timeOutCancelsAConnectThatHangs(self) -> None:
        self.slot().dial()
        self.clock.advance(4.0)
        self.assertTrue(self.last.cancelled)
        self.assertReasons("no answer from 192.0.2.1 to the connection after 4 s: ")
        self.assertEqual(round(self.waitForDial(), 6), FIRST_SECONDS)

    def test_openTunnelHasNoTimeOut(self) -> None:
        self.slot().dial()
        self.last.open()
        self.clock.advance(PROVED_SECONDS)
        self.assertEqual(self.context.reachability.stays, [True])
        self.assertNoTimer()
        self.clock.advance(1000)
        self.assertEqual((len(self.context.attempts), self.last.transport.disconnecting), (1, False))

    def test_tunnelThatOnlyStaysIsNoProofOfAUotp(self) -> None:
        """
        In format 1 any server that speaks TLS may be so patient.
        """
        for said, timesReached in (([], 0), ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], 0), ([b"\0\4pong"], 1)):
            self.slot().dial()
            tunnel = self.last.open()
            for data in said:
                tunnel.dataReceived(data)
            self.clock.advance(PROVED_SECONDS)
            self.assertEqual(self.context.reachability.timesReached, timesReached)
        self.assertEqual(self.context.reachability.stays, [True, True])

    def test_tunnelOfAnAttemptThatTimedOutDoesNotDisturbTheNext(self) -> None:
        self.slot().dial()
        self.last.connect()
        late = self.last
        self.clock.advance(4.0)
        self.waitForDial()
        self.last.open()
        late.tunnel.handshakeCompleted()
        late.transport.lose()
        self.assertEqual(self.session.says, ["free"])
        self.assertEqual(len(self.context.reachability.reasons), 1)
        self.assertEqual(len(self.context.liveTunnels), 1)

    def test_lossDuringTheHandshakeIsAFailure(self) -> None:
        self.slot().dial()
        self.last.connect()
        self.last.transport.lose(error.ConnectionLost())
        words = f"connection lost {NO_HANDSHAKE} (or was tls=None said there?)"
        self.assertEqual(self.context.reachability.reasons, [words])
        self.assertEqual(round(self.waitForDial(), 6), FIRST_SECONDS)

    def test_failuresAreSaidInWords(self) -> None:
        self.slot().dial()
        self.last.fail(error.ConnectionRefusedError(errno.ECONNREFUSED))
        self.waitForDial()
        tunnel = self.last.open()
        tunnel.misbehaved(PeerError("it did what it may not"))
        self.context.settle()
        self.assertReasons("connection refused: ", "it did what it may not")

    def test_dialWhileBusyDoesNothing(self) -> None:
        slot = self.slot()
        slot.dial()
        slot.dial()
        self.last.open()
        slot.dial()
        self.assertEqual(len(self.context.attempts), 1)

    def test_secondAddressThatAnswersAtOnceIsNotUsed(self) -> None:
        self.slot().dial()
        attempt = self.last
        attempt.open()
        second = attempt._makeTunnel()
        transport = MemoryStream(second)
        second.makeConnection(transport)
        self.assertTrue(transport.aborted)
        transport.lose()
        self.assertEqual((self.session.says, self.context.reachability.reasons), (["free"], []))
        self.assertEqual(len(self.context.liveTunnels), 1)


class SlotWalkTests(SlotTestCase):
    """
    Let anything happen in any order, as chance has it.
    """

    def walk(self, seed: int) -> None:
        """
        Let anything that can happen to a slot happen at random, then stop it.
        """
        chance = random.Random(seed)  # noqa: S311 - for a test to be the same each time
        self.context = MemoryContext(self.clock)
        slot = self.slot()
        slot.dial()
        for _ in range(60):
            attempt = chance.choice(self.context.attempts)
            connected = hasattr(attempt, "transport")
            steps: list[Callable[[], object]] = [
                lambda: self.clock.advance(chance.random() * 3),
                slot.dial,
                slot.renew,
                slot.prove,
            ]
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
        slot.leave()
        self.clock.advance(CLOSE_SECONDS)
        self.context.settle()
        self.assertNoTimer()
        self.assertEqual(len(self.context.liveTunnels), 0)

    def checkSlot(self, slot: Slot) -> None:
        """
        What holds between any two events.
        """
        attempts = self.context.attempts
        under = [each for each in attempts if not each.done.called]
        alive = [
            each
            for each in attempts
            if hasattr(each, "transport") and not each.transport.lost and not each.transport.disconnecting
        ]
        under = [each for each in under if not each.cancelled]
        hasTunnel = slot.state in (State.UP, State.RENEWING, State.RETRYING)
        isDialling = slot.state in (State.DIALLING, State.RENEWING)
        more = len(under) + len(alive) - hasTunnel
        self.assertTrue(isDialling <= more <= isDialling * MAX_CONTENDERS, more)
        self.assertEqual((slot._tunnel is not None, slot._attempt is not None), (hasTunnel, isDialling))
        self.assertLessEqual(self.session.says.count("free") - self.session.says.count("gone"), 1)
        timers = [call for call in self.clock.getDelayedCalls() if "MemoryStream.abort" not in str(call)]
        if slot.state is State.UP:
            self.assertLessEqual(len(timers), 1, "until it has proved itself")
        elif isDialling:
            self.assertTrue(1 <= len(timers) <= 1 + 2 * more, "one for whoever comes next, and those of each try")
        else:
            self.assertEqual(len(timers), 1)

    def test_slotHasOneAttemptOrOneTunnelOrAWait(self) -> None:
        for seed in range(60):
            self.walk(seed)


class SlotOfFormat2Tests(SlotTestCase):
    """
    Follow what a slot does in format 2 only.
    """

    def setUp(self) -> None:
        super().setUp()
        self.useFormat2()

    def up(self) -> Slot:
        """
        @return: a slot whose tunnel is open.
        """
        slot = self.slot()
        slot.dial()
        self.welcomeLast()
        return slot

    def test_welcomeIsReal(self) -> None:
        """
        The server has let us in: nothing has to be waited for.
        """
        self.up()
        self.assertEqual(self.welcomes, [ServerHello(True, False, 150)])
        self.assertEqual(
            (self.context.reachability.timesReached, self.context.reachability.answers), (1, self.welcomes)
        )

    def test_welcomeThatDoesNotLastDoesNotResetTheWait(self) -> None:
        """
        A server that welcomes and closes is not dialled again and again.
        """
        self.slot().dial()
        waits = []
        for _ in range(4):
            self.welcomeLast()
            self.last.transport.lose()
            waits.append(round(self.waitForDial(), 6))
        self.welcomeLast()
        self.clock.advance(PROVED_SECONDS)
        self.last.transport.lose()
        waits.append(round(self.waitForDial(), 6))
        self.assertEqual(waits, [0.2, 0.3, 0.45, 0.675, 0.2])

    def test_refusalIsAFailure(self) -> None:
        self.slot().dial()
        waits = []
        for _ in range(3):
            self.welcomeLast(REFUSAL)
            self.context.settle()
            waits.append(round(self.waitForDial(), 6))
        self.assertEqual(waits, [0.2, 0.3, 0.45])
        self.assertIn("refuses", self.context.reachability.reasons[0])
        self.assertEqual((self.owner.refusals, self.welcomes), (3, []))
        self.assertEqual(self.context.reachability.timesReached, 0)

    def test_serverThatDoesNotAnswerTheHelloIsFound(self) -> None:
        self.slot().dial()
        self.last.open()
        self.clock.advance(4.0)
        self.assertReasons("connected to 192.0.2.1, but no answer to the hello after 4 s: ")
        self.assertTrue(self.last.transport.aborted)

    def test_newTunnelCarriesBeforeTheOldOneGoes(self) -> None:
        """
        The old one sends no more, but what is under way arrives.
        """
        slot = self.up()
        old = self.last
        slot.renew()
        self.assertEqual((self.session.says, old.transport.disconnecting), (["free"], False))
        old.transport.getOutBuffer()
        self.welcomeLast()
        self.assertEqual(self.session.says, ["free", "free", "gone"])
        self.assertEqual(old.transport.getOutBuffer(), DRAIN)
        old.tunnel.dataReceived(b"\0\0\0\1\0\1\0\0\0\0x" + DRAIN)
        self.assertEqual(self.session.datagrams(), [b"x"])
        self.assertTrue(old.transport.disconnecting)
        self.context.settle()
        self.assertEqual((self.context.reachability.ups, self.context.reachability.downs), (2, 1))
        self.assertEqual(self.context.reachability.reasons, [])
        self.assertIs(slot.state, State.UP)

    def test_oldTunnelThatNobodyDrainsIsClosedInTime(self) -> None:
        slot = self.up()
        old = self.last
        slot.renew()
        self.welcomeLast()
        self.last.tunnel.dataReceived(b"\2\0\0\0\0\x08" + bytes(4) + (1).to_bytes(8, "big"))
        self.clock.advance(DRAIN_SECONDS + 0.01)
        self.assertTrue(old.transport.disconnecting)

    def test_tunnelThatDoesNotAnswerIsReplaced(self) -> None:
        """
        It stays until the new one is ready, and is then drained, in case that it lives.
        """
        slot = self.up()
        old = self.last
        self.clock.advance(FIRST_PATIENCE_SECONDS)
        self.assertEqual(self.session.says, ["free", "gone"])
        self.clock.advance(GIVE_UP_SECONDS)
        self.assertEqual(self.context.reachability.reasons, ["no answer"])
        self.assertEqual(len(self.context.attempts), 2)
        self.welcomeLast()
        self.assertEqual(self.session.says, ["free", "gone", "free"])
        self.assertIs(slot.state, State.UP)
        self.clock.advance(DRAIN_SECONDS + 0.01)
        self.assertTrue(old.transport.disconnecting)

    def test_replacementThatFailsIsTriedAgain(self) -> None:
        slot = self.up()
        old = self.last
        slot.renew()
        self.last.fail(error.ConnectionRefusedError())
        self.assertEqual((slot.state, old.transport.disconnecting), (State.RETRYING, False))
        self.assertEqual(round(self.waitForDial(), 6), FIRST_SECONDS)
        self.assertIs(slot.state, State.RENEWING)
        old.transport.lose()
        self.assertIs(slot.state, State.DIALLING)
        self.welcomeLast()
        self.assertEqual((slot.state, len(self.context.attempts)), (State.UP, 3))

    def test_serverThatDrainsIsDialledAgain(self) -> None:
        slot = self.up()
        old = self.last
        old.transport.getOutBuffer()
        old.tunnel.dataReceived(DRAIN)
        self.assertEqual((old.transport.getOutBuffer(), old.transport.disconnecting), (DRAIN, True))
        self.assertEqual((slot.state, self.context.reachability.reasons), (State.WAITING, ["the server stops"]))
        self.assertEqual(round(self.waitForDial(), 6), FIRST_SECONDS)

    def test_tunnelThatProvesItselfStays(self) -> None:
        """
        One that does not is dialled again after a few round trips.
        """
        slot = self.up()
        answered = self.last
        self.clock.advance(0.1)
        answered.tunnel.dataReceived(b"\2\0\0\0\0\x08" + bytes(4) + (1).to_bytes(8, "big"))
        answered.transport.getOutBuffer()
        slot.prove()
        self.assertEqual(answered.transport.getOutBuffer(), PING + (2).to_bytes(8, "big"))
        answered.tunnel.dataReceived(b"\2\0\0\0\0\x08" + bytes(4) + (2).to_bytes(8, "big"))
        self.clock.advance(1.0)
        self.assertEqual((slot.state, len(self.context.attempts)), (State.UP, 1))
        slot.prove()
        self.clock.advance(0.5)
        self.assertEqual((slot.state, len(self.context.attempts)), (State.RENEWING, 2))

    def test_tunnelThatIsBeingReplacedHasToProveItselfToo(self) -> None:
        slot = self.up()
        up = self.last
        up.tunnel.dataReceived(b"\2\0\0\0\0\x08" + bytes(4) + (1).to_bytes(8, "big"))
        slot.renew()
        up.transport.getOutBuffer()
        slot.prove()
        self.assertEqual(up.transport.getOutBuffer(), PING + (2).to_bytes(8, "big"))
        self.assertEqual((slot.state, len(self.context.attempts)), (State.RENEWING, 3))

    def test_proofIsWantedOfWhateverThereIs(self) -> None:
        """
        An attempt that hangs is made again, and a wait is over.
        """
        slot = self.slot()
        slot.prove()
        self.assertEqual(self.context.attempts, [])
        slot.dial()
        hanging = self.last
        slot.prove()
        self.assertEqual((hanging.cancelled, len(self.context.attempts)), (True, 2))
        self.last.fail(error.ConnectionRefusedError())
        slot.prove()
        self.assertEqual((slot.state, len(self.context.attempts)), (State.DIALLING, 3))
        self.assertEqual(len(self.context.reachability.reasons), 1)

    def test_tunnelOfFormat1ThatCannotProveItselfIsReplaced(self) -> None:
        self.context = MemoryContext(self.clock)
        slot = self.slot()
        slot.dial()
        old = self.last
        old.open()
        slot.prove()
        self.assertEqual((slot.state, old.transport.disconnecting), (State.RENEWING, False))
        self.last.open()
        self.assertEqual((slot.state, old.transport.disconnecting), (State.UP, True))

    def test_tunnelIsOldAfterItsTimeOrItsBytes(self) -> None:
        """
        Less a share that is left to chance; without a limit, never.
        """
        slot = self.up()
        self.assertFalse(slot.isOld())
        self.context.choose(maxAge=100.0)
        for chance, age in ((0.0, 100.0), (1.0, 100.0 * (1 - AGE_SPREAD))):
            self.context.chance = chance
            slot.renew()
            self.welcomeLast()
            self.clock.advance(1.0)
            self.last.tunnel.dataReceived(b"\2\0\0\0\0\x08" + bytes(4) + (1).to_bytes(8, "big"))
            assert self.last.tunnel.link is not None
            self.last.tunnel.link.end(isLost=False)
            self.clock.advance(age - 1.5)
            self.assertFalse(slot.isOld())
            self.clock.advance(0.5)
            self.assertTrue(slot.isOld())
        self.context.choose(maxAge=None, maxBytes=100_000)
        self.context.chance = 0.0
        slot.renew()
        self.assertFalse(slot.isOld(), "it is being replaced")
        self.welcomeLast()
        link = self.last.tunnel.link
        assert link is not None
        link.bytesOut = 99_999
        self.assertFalse(slot.isOld())
        link.bytesOut = 100_000
        self.assertTrue(slot.isOld())

    def test_slotThatLeavesSaysSo(self) -> None:
        slot = self.up()
        self.last.transport.getOutBuffer()
        slot.leave()
        self.assertEqual(self.last.transport.stream, [BYE])
        self.assertTrue(self.last.transport.disconnecting)

    def test_slotIsDrainedWhenBothHaveSaidIt(self) -> None:
        drained: list[Slot] = []
        slot = self.up()
        self.last.transport.getOutBuffer()
        slot.drain(drained.append)
        self.assertEqual((self.last.transport.getOutBuffer(), drained), (DRAIN, []))
        self.last.tunnel.dataReceived(DRAIN)
        self.assertEqual((drained, self.last.transport.disconnecting), ([slot], False))
        slot.leave()
        self.assertEqual(self.last.transport.stream, [BYE])

    def test_slotIsDrainedWhenTheTunnelBeforeIsToo(self) -> None:
        drained: list[Slot] = []
        slot = self.up()
        before = self.last
        slot.renew()
        self.welcomeLast()
        slot.drain(drained.append)
        self.last.tunnel.dataReceived(DRAIN)
        self.assertEqual(drained, [])
        before.tunnel.dataReceived(DRAIN)
        self.assertEqual((drained[0], before.transport.disconnecting), (slot, True))
        self.assertFalse(self.last.transport.disconnecting)

    def test_slotWithNothingToDrainSaysSo(self) -> None:
        drained: list[Slot] = []
        idle = self.slot()
        idle.drain(drained.append)
        self.assertEqual(drained, [idle])
        slot = self.up()
        slot.drain(drained.append)
        self.last.transport.lose()
        self.assertEqual(set(drained), {idle, slot})
        self.assertEqual(len(self.context.attempts), 1)

    def test_whoeverServesForgetsASessionIsSeen(self) -> None:
        slot = self.up()
        slot.renew()
        self.welcomeLast(WELCOME_NEW)
        self.assertEqual([answer.isNew for answer in self.welcomes], [False, True])


class SlotLogTests(SlotTestCase):
    """
    Read at C{debug} what becomes of the tunnels of a slot, and why.
    """

    def setUp(self) -> None:
        super().setUp()
        self.patch(Logger, "threshold", LogLevel.debug)
        self.useFormat2()

    def said(self, act: Callable[[], object]) -> list[str]:
        """
        @return: what is said of tunnels when something is done.
        """
        with capturedLogs() as events:
            act()
        said = [str(formatEvent(event)) for event in events if "local" in event]
        return [line.partition(": ")[2] or line for line in said]

    def up(self, hello: bytes = WELCOME) -> Slot:
        """
        @return: a slot with a tunnel.
        """
        slot = self.slot()
        slot.dial()
        self.welcomeLast(hello)
        return slot

    def test_theAnswerToTheHelloIsSaid(self) -> None:
        kept = "keeps it for 150 s without a tunnel"
        for hello, words in ((WELCOME, "knows"), (WELCOME_NEW, "has begun")):
            (line,) = self.said(lambda hello=hello: self.up(hello))  # type: ignore[misc]
            self.assertEqual(line, f"TLSv1.3 some cipher, no ALPN, format 2; the server {words} the session, {kept}")

    def test_aReplacementSaysItsReason(self) -> None:
        self.context.choose(maxAge=100.0)
        slot = self.up()
        tunnel = self.last.tunnel
        for act, why in (
            (lambda: slot.renew("a reason"), "a reason"),
            (slot.renew, "it is as old as it may become (maxAge)"),
            (lambda: slot.pongGivenUp(self.last.tunnel), "no pong has come"),
        ):
            self.clock.advance(100.0)
            self.assertEqual(self.said(act), [f"another one is opened to replace it: {why}"])
            lines = self.said(self.welcomeLast)
            self.assertEqual(lines[1], "carries no more, and is closed when what is on its way has arrived")
        self.assertIsNot(self.last.tunnel, tunnel)

    def test_whatATunnelHasCarriedIsAReasonToo(self) -> None:
        self.context.choose(maxBytes=65536)
        slot = self.up()
        tunnel = self.last.tunnel
        assert tunnel.link is not None
        tunnel.link.bytesOut = 65536
        why = "it has carried as much as it may (maxBytes)"
        self.assertEqual(self.said(slot.renew), [f"another one is opened to replace it: {why}"])

    def test_overduePongsAreSaid(self) -> None:
        slot = self.up()
        overdue = self.said(lambda: slot.pongOverdue(self.last.tunnel))
        self.assertEqual(overdue, ["a pong is overdue, it carries nothing until it comes"])
        self.assertEqual(self.said(lambda: slot.pongCame(self.last.tunnel)), ["the pong has come"])

    def test_theEndSaysItsReason(self) -> None:
        self.up()
        lines = self.said(lambda: streamOf(self.last.tunnel).lose(error.ConnectionLost()))
        self.assertEqual(lines, ["connection lost"])

    def test_whoeverClosesATunnelThatIsOverClosesItInGoodOrder(self) -> None:
        slot = self.up()
        old = self.last
        slot.renew()
        self.welcomeLast()
        old.tunnel.dataReceived(DRAIN)
        self.assertTrue(old.transport.disconnecting)
        self.assertEqual(self.said(lambda: old.transport.lose(error.ConnectionDone())), ["closed in good order"])
        self.assertEqual(
            self.said(lambda: self.last.transport.lose(error.ConnectionDone())), ["closed by the other end"]
        )

    def test_aServerThatStopsIsSaid(self) -> None:
        self.up()
        lines = self.said(lambda: self.last.tunnel.dataReceived(DRAIN))
        self.assertEqual(lines[0], "the server sends no more through it")

    def test_aSessionThatIsOverIsSaid(self) -> None:
        self.assertEqual(self.said(self.up().leave)[0], "its session is over")


class SlotAtOneServerTests(SlotTestCase):
    """
    Dial where connections come to several servers.
    """

    def setUp(self) -> None:
        super().setUp()
        self.useFormat2()
        self.owner.instance = b"\1" * 8

    def stray(self) -> Attempt:
        """
        Let the newest attempt come to another server.
        """
        self.clock.advance(0)
        return self.welcomeLast(WELCOME_AT_SECOND)

    def test_tunnelToAnotherServerSaysByeAndIsDialledAgain(self) -> None:
        """
        It is no failure, and nothing is carried.
        """
        slot = self.slot()
        slot.dial()
        first = self.stray()
        self.assertTrue(first.transport.getOutBuffer().endswith(BYE))
        self.assertIsNone(first.tunnel.link)
        self.assertEqual((self.owner.up, self.welcomes, self.context.reachability.reasons), ([], [], []))
        self.assertEqual(self.waitForDial(), STRAY_SECONDS)
        self.welcomeLast(WELCOME_AT_FIRST)
        self.assertEqual((self.owner.up, len(self.welcomes)), ([slot], 1))
        self.assertEqual(self.context.outcomes[DialOutcome.ELSEWHERE], 1)
        self.assertEqual(self.context.reachability.strays, 1)

    def test_triesBecomeRareWhereAllComeToAnotherServer(self) -> None:
        self.slot().dial()
        waits = []
        for _ in range(QUICK_STRAYS + 30):
            self.stray()
            waits.append(round(self.waitForDial(), 6))
        self.assertEqual(waits[:QUICK_STRAYS], [STRAY_SECONDS] * QUICK_STRAYS)
        self.assertEqual(waits[QUICK_STRAYS], FIRST_SECONDS)
        self.assertEqual(waits[-1], MOST_STRAY_SECONDS)

    def test_quickTriesComeBackWithATunnelThatStays(self) -> None:
        """
        Servers that close what they have just welcomed, and are others each time, are not dialled as fast as can be.
        """
        self.slot().dial()
        for _ in range(QUICK_STRAYS):
            self.stray()
            self.waitForDial()
        for stays, wait in ((0.0, FIRST_SECONDS), (PROVED_SECONDS, STRAY_SECONDS)):
            opened = self.welcomeLast(WELCOME_AT_FIRST)
            self.clock.advance(stays)
            opened.transport.lose()
            self.waitForDial()
            self.stray()
            self.assertEqual(round(self.waitForDial(), 6), wait)

    def test_anotherAddressIsTriedFirstTheNextTime(self) -> None:
        """
        The one that leads elsewhere has not failed: for other sessions it is as good as before.
        """
        self.context.dialer.addresses = [IPv4Address("TCP", f"192.0.2.{number}", 8443) for number in (1, 2)]
        self.slot().dial()
        self.stray()
        self.assertEqual(self.last.address.host, "192.0.2.2")
        self.welcomeLast(WELCOME_AT_FIRST)
        self.assertEqual(self.context.addresses.best, self.last.address)
        self.assertEqual(len(self.owner.up), 1)

    def test_tunnelThatIsReplacedStaysUntilOneComesToItsServer(self) -> None:
        slot = self.slot()
        slot.dial()
        old = self.welcomeLast(WELCOME_AT_FIRST)
        slot.renew()
        self.stray()
        self.assertEqual(slot.state, State.RETRYING)
        self.assertFalse(old.transport.getOutBuffer().endswith(DRAIN))
        self.waitForDial()
        self.welcomeLast(WELCOME_AT_FIRST)
        self.assertTrue(old.transport.getOutBuffer().endswith(DRAIN))
        self.assertEqual(self.owner.up, [slot])

    def test_addressThatFailsBesideIsAFailure(self) -> None:
        self.context.dialer.addresses = [IPv4Address("TCP", f"192.0.2.{number}", 8443) for number in (1, 2)]
        self.slot().dial()
        self.stray()
        self.last.fail(error.ConnectionRefusedError())
        self.assertEqual(len(self.context.reachability.reasons), 1)

    def test_secondTunnelOfARaceToAnotherServerSaysBye(self) -> None:
        self.context.dialer.addresses = [IPv4Address("TCP", f"192.0.2.{number}", 8443) for number in (1, 2)]
        slot = self.slot()
        slot.dial()
        self.clock.advance(STAGGER_SECONDS)
        one, other = self.context.attempts
        one.open()
        other.open()
        one.tunnel.dataReceived(WELCOME_AT_FIRST)
        self.assertTrue(other.transport.aborted)
        self.assertEqual(self.owner.up, [slot])
