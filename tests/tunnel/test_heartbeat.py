"""
Whether the other end lives: when it is asked, how long its answer may take, and what
becomes of a tunnel that gets none.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.doubles.contracts import TimerTestCase
from tests.doubles.reactors import MemoryReactor
from tests.doubles.tunnels import RecordingHeartbeatOwner
from uotp.path import LONGEST_ROUND_TRIP_SECONDS
from uotp.tunnel.heartbeat import (
    ACCEPTED_GIVE_UP_SECONDS,
    ACCEPTED_IDLE_SECONDS,
    BUSY_SECONDS,
    FIRST_PATIENCE_SECONDS,
    GIVE_UP_SECONDS,
    HEARTBEAT_STATES,
    IDLE_SECONDS,
    JOIN_SECONDS,
    LEAST_PATIENCE_SECONDS,
    LEAST_ROUND_TRIP_SECONDS,
    LONG_PATIENCE_ROUND_TRIPS,
    MOST_HEARD_SECONDS,
    MOST_PATIENCE_SECONDS,
    PATIENCE_ROUND_TRIPS,
    Heartbeat,
)
from uotp.tunnel.heartbeat import HeartbeatEvent as Event
from uotp.tunnel.heartbeat import HeartbeatState as State
from uotp.wire.format2 import PING_BYTES

ROUND_TRIP = 0.0625
"""Of the path, in seconds; what is added up of it is exact."""

MOMENT = 1 / 1024
"""Shorter than anything that is waited for, in seconds."""

EXPECTED: dict[State, dict[Event, State]] = {
    State.QUIET: {Event.ASK: State.ASKED, Event.STOP: State.STOPPED},
    State.ASKED: {Event.ANSWER: State.QUIET, Event.LATE: State.OVERDUE, Event.STOP: State.STOPPED},
    State.OVERDUE: {Event.ANSWER: State.QUIET, Event.LATE: State.GIVEN_UP, Event.STOP: State.STOPPED},
    State.GIVEN_UP: {Event.ANSWER: State.QUIET, Event.STOP: State.STOPPED},
    State.STOPPED: {},
}
"""Every other pair changes nothing."""

TOLD: dict[tuple[State, Event], list[str]] = {
    (State.ASKED, Event.LATE): ["overdue"],
    (State.OVERDUE, Event.LATE): ["given up"],
    (State.OVERDUE, Event.ANSWER): ["came"],
    (State.GIVEN_UP, Event.ANSWER): ["came"],
}
"""What the tunnel is told; of every other pair it hears nothing."""

WAYS: dict[State, tuple[Event, ...]] = {
    State.QUIET: (Event.ASK, Event.ANSWER),
    State.ASKED: (Event.ASK,),
    State.OVERDUE: (Event.ASK, Event.LATE),
    State.GIVEN_UP: (Event.ASK, Event.LATE, Event.LATE),
    State.STOPPED: (Event.ASK, Event.STOP),
}
"""How each state is reached."""


class _ClockTestCase(TimerTestCase):
    """
    Lets time pass.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock = MemoryReactor()

    def elapse(self, seconds: float) -> None:
        """
        Let time pass, and every timer go off at its time.
        """
        end = self.clock.seconds() + seconds
        while (calls := self.clock.getDelayedCalls()) and calls[0].getTime() <= end:
            self.clock.advance(calls[0].getTime() - self.clock.seconds())
        self.clock.advance(end - self.clock.seconds())


class _HeartbeatTestCase(_ClockTestCase):
    """
    Has one heartbeat, which is stopped in the end.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock.advance(1000.0)
        self.begin()
        self.addCleanup(self.end)

    def begin(self) -> None:
        self.owner = RecordingHeartbeatOwner()
        self.pings: list[bytes] = []
        self.heartbeat = Heartbeat(self.clock, self.owner, self.pings.append)

    def end(self) -> None:
        """
        Stop the latest heartbeat.
        """
        self.heartbeat.stop()

    def answer(self) -> bool:
        """
        The pong to the latest ping comes.
        """
        return self.heartbeat.answered(self.heartbeat._asked.to_bytes(PING_BYTES, "big"))

    def waitForTimer(self) -> None:
        """
        Let time pass until the next timer, if there is one.
        """
        for call in self.clock.getDelayedCalls()[:1]:
            self.clock.advance(call.getTime() - self.clock.seconds())

    def reach(self, state: State) -> None:
        """
        Bring a new heartbeat into a state.
        """
        self.heartbeat.stop()
        self.begin()
        for event in WAYS[state]:
            self.happen(event)
        self.assertIs(self.heartbeat.state, state)

    def happen(self, event: Event) -> None:
        """
        Let an event come about, or what would be one in another state.
        """
        {
            Event.ASK: self.heartbeat.ask,
            Event.ANSWER: self.answer,
            Event.LATE: self.waitForTimer,
            Event.STOP: self.heartbeat.stop,
        }[event]()

    def settle(self, roundTrip: float) -> None:
        """
        Ask for the first time, and get the answer.
        """
        self.heartbeat.ask()
        self.elapse(roundTrip)
        self.answer()
        self.pings.clear()

    def assertNextPing(self, seconds: float) -> None:
        """
        The next ping is sent after so many seconds, and not before.
        """
        self.pings.clear()
        self.elapse(seconds - MOMENT)
        self.assertEqual(len(self.pings), 0)
        self.elapse(MOMENT)
        self.assertEqual(len(self.pings), 1)

    def assertOverdue(self, seconds: float) -> None:
        """
        The answer is overdue after so many seconds, and not before.
        """
        self.assertEqual(self.owner.told, [])
        self.elapse(seconds - MOMENT)
        self.assertEqual(self.owner.told, [])
        self.elapse(MOMENT)
        self.assertEqual(self.owner.told[:1], ["overdue"])


class TableTests(_HeartbeatTestCase):
    """
    Let every event happen in every state.
    """

    def test_tableIsTheExpectedOne(self) -> None:
        for state in State:
            for event in Event:
                self.assertEqual(
                    (state, event, HEARTBEAT_STATES.get((state, event))), (state, event, EXPECTED[state].get(event))
                )

    def test_everyEventInEveryStateDoesWhatTheTableSays(self) -> None:
        """
        And tells the tunnel what it has to know; only a new question sends a ping.
        """
        for state in State:
            for event in Event:
                self.reach(state)
                self.owner.told.clear()
                self.pings.clear()
                self.happen(event)
                after = self.heartbeat.state
                self.assertEqual((state, event, after), (state, event, EXPECTED[state].get(event, state)))
                self.assertEqual((state, event, self.owner.told), (state, event, TOLD.get((state, event), [])))
                self.assertEqual(
                    (state, event, len(self.pings)), (state, event, int((state, event) == (State.QUIET, Event.ASK)))
                )
                timers = 0 if after in (State.GIVEN_UP, State.STOPPED) else 1
                self.assertEqual((state, event, len(self.clock.getDelayedCalls())), (state, event, timers))

    def test_stoppedLeavesNoTimer(self) -> None:
        for state in State:
            self.reach(state)
            self.heartbeat.due = True
            self.heartbeat.stop()
            self.assertNoTimer()
            self.assertFalse(self.heartbeat.due)
            self.owner.told.clear()
            self.pings.clear()
            self.heartbeat.ask()
            self.heartbeat.prove()
            self.assertIsNone(self.heartbeat.join())
            self.assertFalse(self.answer())
            self.heartbeat.stop()
            self.assertEqual((self.owner.told, self.pings), ([], []))
            self.assertNoTimer()

    def test_tunnelMayStopItWhateverItIsTold(self) -> None:
        for isProof in (False, True):
            for (state, event), told in TOLD.items():
                self.reach(state)
                self.heartbeat.isProving = isProof
                self.owner.told.clear()
                self.owner.whenTold = self.heartbeat.stop
                self.happen(event)
                self.assertEqual((state, event, self.owner.told), (state, event, told))
                self.assertIs(self.heartbeat.state, State.STOPPED)
                self.assertNoTimer()


class AskingTests(_HeartbeatTestCase):
    """
    See when the other end is asked.
    """

    def test_nothingIsDueBeforeTheFirstPing(self) -> None:
        """
        Which is sent when the tunnel opens, and not with a train.
        """
        self.assertFalse(self.heartbeat.due or self.heartbeat.carried or self.heartbeat.heard)
        self.assertNoTimer()

    def test_neverMoreThanOnePingIsOnItsWay(self) -> None:
        self.heartbeat.ask()
        self.assertEqual([len(ping) for ping in self.pings], [PING_BYTES])
        self.heartbeat.ask()
        self.assertIsNone(self.heartbeat.join())
        self.assertEqual(len(self.pings), 1)

    def test_everyPingIsAnother(self) -> None:
        """
        So that an answer tells to which it belongs.
        """
        for _ in range(3):
            self.heartbeat.ask()
            self.answer()
        self.assertEqual(len(set(self.pings)), 3)

    def test_tunnelThatCarriesIsAskedEverySecondSecond(self) -> None:
        self.settle(ROUND_TRIP)
        self.heartbeat.carried = True
        self.assertNextPing(BUSY_SECONDS - ROUND_TRIP)
        for _ in range(3):
            self.elapse(ROUND_TRIP)
            self.answer()
            self.heartbeat.carried = True
            self.assertNextPing(BUSY_SECONDS - ROUND_TRIP)

    def test_tunnelThatHasCarriedNothingWaitsForATrain(self) -> None:
        self.settle(ROUND_TRIP)
        self.elapse(BUSY_SECONDS - JOIN_SECONDS - ROUND_TRIP - MOMENT)
        self.assertFalse(self.heartbeat.due)
        self.elapse(MOMENT)
        self.assertTrue(self.heartbeat.due)
        self.assertEqual(self.pings, [])
        self.elapse(1.0)
        payload = self.heartbeat.join()
        self.assertEqual(payload, self.heartbeat._asked.to_bytes(PING_BYTES, "big"))
        self.assertEqual((self.heartbeat.due, self.pings), (False, []))
        self.elapse(ROUND_TRIP)
        self.answer()
        self.assertEqual(self.heartbeat.roundTrip, ROUND_TRIP)
        self.heartbeat.carried = True
        self.assertNextPing(BUSY_SECONDS - ROUND_TRIP)

    def test_pingOfATunnelThatCarriesGoesWithATrain(self) -> None:
        """
        If one comes in time; then none is sent alone.
        """
        self.settle(ROUND_TRIP)
        for _ in range(3):
            self.heartbeat.carried = True
            self.elapse(BUSY_SECONDS - JOIN_SECONDS - ROUND_TRIP - MOMENT)
            self.assertFalse(self.heartbeat.due)
            self.elapse(MOMENT)
            self.assertTrue(self.heartbeat.due)
            self.assertIsNotNone(self.heartbeat.join())
            self.elapse(ROUND_TRIP)
            self.answer()
        self.assertEqual(self.pings, [])

    def test_whatWasCarriedBeforeThePingDoesNotCount(self) -> None:
        self.heartbeat.carried = True
        self.settle(ROUND_TRIP)
        self.elapse(BUSY_SECONDS)
        self.assertEqual((self.pings, self.heartbeat.due), ([], True))

    def test_answerThatTookLongIsFollowedByAPingAtOnce(self) -> None:
        self.heartbeat.ask()
        self.heartbeat.carried = self.heartbeat.heard = True
        self.elapse(BUSY_SECONDS + 1)
        self.answer()
        self.pings.clear()
        self.elapse(0)
        self.assertEqual(len(self.pings), 1)

    def test_silentTunnelIsAsked(self) -> None:
        self.settle(ROUND_TRIP)
        self.assertNextPing(BUSY_SECONDS - JOIN_SECONDS + IDLE_SECONDS - ROUND_TRIP)
        for _ in range(3):
            self.elapse(ROUND_TRIP)
            self.heartbeat.heard = True  # the pong
            self.answer()
            self.assertTrue(self.heartbeat.due)
            self.assertNextPing(IDLE_SECONDS)

    def test_tunnelThatWasSilentIsAskedWithItsNextTrains(self) -> None:
        """
        And not with each of them.
        """
        self.settle(ROUND_TRIP)
        self.assertNextPing(BUSY_SECONDS - JOIN_SECONDS + IDLE_SECONDS - ROUND_TRIP)
        self.heartbeat.carried = True  # a train that comes before the answer
        self.elapse(ROUND_TRIP)
        self.answer()
        self.assertFalse(self.heartbeat.due)
        self.assertNextPing(BUSY_SECONDS - ROUND_TRIP)
        self.elapse(ROUND_TRIP)
        self.answer()
        self.assertNextPing(BUSY_SECONDS - JOIN_SECONDS + IDLE_SECONDS - ROUND_TRIP)
        self.elapse(ROUND_TRIP)
        self.answer()
        self.assertIsNotNone(self.heartbeat.join())
        self.elapse(ROUND_TRIP)
        self.answer()
        self.assertFalse(self.heartbeat.due)

    def test_tunnelIsAskedWhenNothingHasComeForAWhile(self) -> None:
        """
        However much has come before.
        """
        for tenths in range(25, 400, 11):
            self.heartbeat.stop()
            self.begin()
            self.settle(ROUND_TRIP)
            for _ in range(tenths):
                self.elapse(0.1)
                self.heartbeat.heard = True
            self.assertEqual(self.pings, [])
            heardAt = self.clock.seconds()
            while not self.pings:
                self.elapse(0.05)
            silence = self.clock.seconds() - heardAt
            self.assertLessEqual(silence, IDLE_SECONDS + 0.1)

    def test_ofTwoIdleEndsOnlyOneAsks(self) -> None:
        """
        The one that has dialled.  What it asks tells the other one that it is there, however the
        two began.
        """
        for begun in range(0, 45, 7):
            self.heartbeat.stop()
            self.begin()
            self.heartbeat = Heartbeat(
                self.clock, self.owner, self.pings.append, ACCEPTED_GIVE_UP_SECONDS, ACCEPTED_IDLE_SECONDS
            )
            self.settle(ROUND_TRIP)
            self.elapse(begun)
            for _ in range(4):
                self.heartbeat.heard = True
                self.heartbeat.pinged()
                self.elapse(IDLE_SECONDS + ROUND_TRIP)
            self.assertEqual(self.pings, [])
            self.elapse(ACCEPTED_IDLE_SECONDS - IDLE_SECONDS)
            self.assertEqual(len(self.pings), 1)

    def test_questionChangesNothingOfATunnelThatCarriesOrIsAsked(self) -> None:
        self.settle(ROUND_TRIP)
        self.heartbeat.carried = True
        self.heartbeat.pinged()
        self.assertNextPing(BUSY_SECONDS - ROUND_TRIP)
        self.heartbeat.pinged()
        self.elapse(LEAST_PATIENCE_SECONDS + MOMENT)
        self.assertIs(self.heartbeat.state, State.OVERDUE)
        self.heartbeat.pinged()
        self.elapse(GIVE_UP_SECONDS)
        self.assertIs(self.heartbeat.state, State.GIVEN_UP)
        self.heartbeat.stop()
        self.heartbeat.pinged()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whateverComesATunnelThatOnlyHearsIsAsked(self) -> None:
        """
        Unless what comes is a question: the other end may say something once and then nothing for long.
        """
        self.settle(ROUND_TRIP)
        for _ in range(int(BUSY_SECONDS + IDLE_SECONDS)):
            self.elapse(1.0)
            self.heartbeat.heard = True
        self.assertEqual(len(self.pings), 1)


class TwoEndsTests(_ClockTestCase):
    """
    Let both ends of one tunnel be idle, and watch what goes over it.
    """

    def setUp(self) -> None:
        super().setUp()
        self.asked: list[str] = []
        self.saidAt = 0.0
        self.longest = 0.0
        self.dialled = self.end("dialled", GIVE_UP_SECONDS, IDLE_SECONDS)
        self.accepted = self.end("accepted", ACCEPTED_GIVE_UP_SECONDS, ACCEPTED_IDLE_SECONDS)

    def end(self, name: str, giveUpSeconds: float, idleSeconds: float) -> Heartbeat:
        """
        @return: one end.
        """

        def ping(payload: bytes) -> None:
            self.asked.append(name)
            self.say(self.clock.callLater, ROUND_TRIP / 2, pinged, payload)

        def pinged(payload: bytes) -> None:
            asking, other = (self.dialled, self.accepted) if name == "dialled" else (self.accepted, self.dialled)
            other.heard = True
            other.pinged()
            self.say(self.clock.callLater, ROUND_TRIP / 2, ponged, asking, payload)

        def ponged(asking: Heartbeat, payload: bytes) -> None:
            asking.heard = True
            asking.answered(payload)

        heartbeat = Heartbeat(self.clock, RecordingHeartbeatOwner(), ping, giveUpSeconds, idleSeconds)
        self.addCleanup(heartbeat.stop)
        return heartbeat

    def say(self, call: Callable[..., object], *arguments: object) -> None:
        """
        Something goes over the tunnel.
        """
        self.longest = max(self.longest, self.clock.seconds() - self.saidAt)
        self.saidAt = self.clock.seconds()
        call(*arguments)

    def begin(self) -> None:
        """
        Both ends ask as soon as the tunnel is open.
        """
        self.dialled.ask()
        self.accepted.ask()
        self.elapse(BUSY_SECONDS + 1)
        self.asked.clear()

    def test_onlyWhoHasDialledAsks(self) -> None:
        self.begin()
        self.elapse(10 * IDLE_SECONDS)
        self.assertEqual(set(self.asked), {"dialled"})
        self.assertIn(len(self.asked), (9, 10))

    def test_neverSilentForAsLongAsRelaysAllow(self) -> None:
        """
        Which is 50 seconds, whatever is said once by an end that says nothing else.
        """
        for seconds in range(1, 90, 4):
            for speaks in ((True, True), (True, False), (False, True)):
                self.setUp()
                self.begin()
                self.elapse(seconds)
                for hears, speaking in zip((self.accepted, self.dialled), speaks, strict=True):
                    if speaking:
                        self.say(setattr, hears, "heard", True)
                self.elapse(200)
                self.assertLess(self.longest, 48.0, (seconds, speaks))


class PatienceTests(_HeartbeatTestCase):
    """
    See how long an answer may take.
    """

    def test_firstAnswerMayTakeLong(self) -> None:
        self.heartbeat.ask()
        self.assertOverdue(FIRST_PATIENCE_SECONDS)

    def test_answerMayTakeAFewRoundTrips(self) -> None:
        for roundTrip, patience in (
            (0.01, LEAST_PATIENCE_SECONDS),
            (LEAST_PATIENCE_SECONDS / PATIENCE_ROUND_TRIPS, LEAST_PATIENCE_SECONDS),
            (0.25, 0.25 * PATIENCE_ROUND_TRIPS),
            (MOST_PATIENCE_SECONDS / PATIENCE_ROUND_TRIPS, MOST_PATIENCE_SECONDS),
            (1.5, MOST_PATIENCE_SECONDS),
        ):
            self.heartbeat.stop()
            self.begin()
            self.settle(roundTrip)
            self.heartbeat.ask()
            self.assertOverdue(patience)

    def test_overdueAnswerIsGivenUp(self) -> None:
        self.settle(ROUND_TRIP)
        self.heartbeat.ask()
        self.assertOverdue(LEAST_PATIENCE_SECONDS)
        self.elapse(GIVE_UP_SECONDS - MOMENT)
        self.assertEqual(self.owner.told, ["overdue"])
        self.elapse(MOMENT)
        self.assertEqual(self.owner.told, ["overdue", "given up"])
        self.assertNoTimer()
        self.elapse(100)
        self.heartbeat.ask()
        self.assertEqual((self.owner.told, len(self.pings)), (["overdue", "given up"], 1))

    def test_someOwnersWaitLonger(self) -> None:
        """
        Until they give an answer up that is overdue; unless it was to be a proof.
        """
        for isProof in (False, True):
            self.heartbeat.stop()
            self.begin()
            self.heartbeat = Heartbeat(self.clock, self.owner, self.pings.append, ACCEPTED_GIVE_UP_SECONDS)
            self.settle(ROUND_TRIP)
            if isProof:
                self.heartbeat.prove()
            else:
                self.heartbeat.ask()
            self.assertOverdue(LEAST_PATIENCE_SECONDS)
            if not isProof:
                self.elapse(ACCEPTED_GIVE_UP_SECONDS - MOMENT)
                self.assertEqual(self.owner.told, ["overdue"])
                self.elapse(MOMENT)
            self.assertEqual(self.owner.told, ["overdue", "given up"])

    def test_answerInTimeIsNotSpokenOf(self) -> None:
        self.heartbeat.ask()
        self.elapse(FIRST_PATIENCE_SECONDS - MOMENT)
        self.answer()
        self.elapse(BUSY_SECONDS + IDLE_SECONDS - FIRST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, [])

    def test_whatComesExtendsThePatience(self) -> None:
        """
        Each time by as much, for whoever sends much may answer late.
        """
        self.settle(ROUND_TRIP)
        self.heartbeat.ask()
        for _ in range(3):
            self.elapse(LEAST_PATIENCE_SECONDS / 2)
            self.heartbeat.heard = True
            self.elapse(LEAST_PATIENCE_SECONDS / 2)
        self.assertOverdue(LEAST_PATIENCE_SECONDS)

    def test_patienceHasAnEnd(self) -> None:
        """
        Whatever comes: who does not answer for so long had better be replaced.
        """
        for roundTrip in (ROUND_TRIP, 0.275, 0.4, 0.6, 0.9):
            self.heartbeat.stop()
            self.begin()
            self.settle(roundTrip)
            self.heartbeat.ask()
            for _ in range(int((MOST_HEARD_SECONDS - MOMENT) * 32)):
                self.elapse(1 / 32)
                self.heartbeat.heard = True
            self.assertEqual(self.owner.told, [])
            self.elapse(2 / 32)
            self.assertEqual(self.owner.told, ["overdue"])

    def test_timerOfABusyProgramMayBeLate(self) -> None:
        """
        What has come meanwhile counts as long as the patience has not ended.
        """
        for late in (0.25, MOST_HEARD_SECONDS):
            self.heartbeat.stop()
            self.begin()
            self.settle(ROUND_TRIP)
            self.heartbeat.ask()
            self.clock.rightNow += LEAST_PATIENCE_SECONDS + late
            self.heartbeat.heard = True
            self.clock.advance(0)
            self.assertEqual(self.owner.told, ["overdue"] if late == MOST_HEARD_SECONDS else [])

    def test_whatCameBeforeThePingProvesNothing(self) -> None:
        self.settle(ROUND_TRIP)
        self.heartbeat.heard = True
        self.heartbeat.ask()
        self.assertOverdue(LEAST_PATIENCE_SECONDS)

    def test_lateAnswerBringsTheTunnelBack(self) -> None:
        """
        Overdue or given up; it is asked again as any other.
        """
        for state in (State.OVERDUE, State.GIVEN_UP):
            self.reach(state)
            self.owner.told.clear()
            self.heartbeat.carried = True
            self.assertTrue(self.answer())
            self.assertEqual(self.owner.told, ["came"])
            self.pings.clear()
            self.elapse(0)
            self.assertEqual((self.owner.told, len(self.pings)), (["came"], 1))

    def test_whatComesIsNoAnswer(self) -> None:
        """
        A tunnel whose answer is overdue is given up though something comes.
        """
        self.reach(State.OVERDUE)
        self.heartbeat.heard = True
        self.elapse(GIVE_UP_SECONDS)
        self.assertEqual(self.owner.told, ["overdue", "given up"])


class AnswerTests(_HeartbeatTestCase):
    """
    See what is an answer, and what it tells.
    """

    def test_onlyTheAnswerToThePingThatIsOnItsWayCounts(self) -> None:
        """
        None that nobody has asked for, that came before, or of another length.
        """
        self.assertFalse(self.heartbeat.answered(bytes(PING_BYTES)))
        self.heartbeat.ask()
        [first] = self.pings
        self.elapse(2 * ROUND_TRIP)
        self.answer()
        self.assertFalse(self.heartbeat.answered(first))
        self.heartbeat.ask()
        self.elapse(ROUND_TRIP)
        for payload in (first, bytes(PING_BYTES), b"\xff" * PING_BYTES, b"", self.pings[-1] + b"\0"):
            self.assertFalse(self.heartbeat.answered(payload))
        self.assertIs(self.heartbeat.state, State.ASKED)
        self.assertEqual(self.heartbeat.roundTrip, 2 * ROUND_TRIP)
        self.assertTrue(self.heartbeat.answered(self.pings[-1]))
        self.assertEqual(self.heartbeat.roundTrip, ROUND_TRIP)

    def test_roundTripIsSmoothed(self) -> None:
        """
        The first counts in full, and every one that is shorter; others for a quarter.
        """
        self.assertEqual(self.heartbeat.roundTrip, 0)
        for took, expected in ((0.1, 0.1), (0.3, 0.15), (0.05, 0.05), (0.05, 0.05), (0.0, LEAST_ROUND_TRIP_SECONDS)):
            self.heartbeat.ask()
            self.elapse(took)
            self.answer()
            self.assertAlmostEqual(self.heartbeat.roundTrip, expected)

    def test_lateAnswerTellsTheRoundTripToo(self) -> None:
        self.heartbeat.ask()
        self.elapse(FIRST_PATIENCE_SECONDS)
        self.elapse(GIVE_UP_SECONDS)
        self.assertEqual(self.owner.told, ["overdue", "given up"])
        self.answer()
        self.assertEqual(self.heartbeat.roundTrip, FIRST_PATIENCE_SECONDS + GIVE_UP_SECONDS)


class LongerPathTests(_HeartbeatTestCase):
    """
    Let a queue grow on the path: answers are later than they were.
    """

    def test_patienceFollowsThePath(self) -> None:
        """
        As the kernel sees it, also while an answer is on its way; up to the most.
        """
        self.heartbeat.ask()
        self.elapse(ROUND_TRIP)
        self.answer()
        self.heartbeat.ask()
        self.elapse(LEAST_PATIENCE_SECONDS - MOMENT)
        self.owner.path = 0.4
        self.elapse(4 * 0.4 - LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, [])
        self.elapse(2 * MOMENT)
        self.assertEqual(self.owner.told, ["overdue"])

    def test_patienceOnAVeryLongPathIsTheTimeOfARepair(self) -> None:
        for roundTrip in (1.6, 2.4, 4.0, 8.0):
            self.heartbeat.stop()
            self.begin()
            self.heartbeat.ask()
            self.elapse(ROUND_TRIP)
            self.answer()
            self.owner.path = roundTrip
            self.heartbeat.ask()
            self.assertOverdue(max(MOST_PATIENCE_SECONDS, LONG_PATIENCE_ROUND_TRIPS * roundTrip))

    def test_firstPongMayTakeAsLongAsThePathNeeds(self) -> None:
        """
        What the kernel has seen in the handshakes is known before the first pong.
        """
        self.owner.path = 2.4
        self.heartbeat.ask()
        self.assertOverdue(LONG_PATIENCE_ROUND_TRIPS * 2.4)

    def test_tunnelOverALongPathIsGivenUpARoundTripLater(self) -> None:
        self.owner.path = 2.5
        self.heartbeat.ask()
        self.assertOverdue(LONG_PATIENCE_ROUND_TRIPS * 2.5)
        self.elapse(2.5 - 2 * MOMENT)
        self.assertEqual(self.owner.told, ["overdue"])
        self.elapse(2 * MOMENT)
        self.assertEqual(self.owner.told, ["overdue", "given up"])

    def test_pongsThatComeLaterAndLaterAreNotWaitedForWithoutEnd(self) -> None:
        """
        A peer could make each wait longer than the one before.
        """
        for _ in range(80):
            self.heartbeat.ask()
            self.elapse(self.heartbeat._patience() - MOMENT)
            self.answer()
        self.heartbeat.ask()
        self.assertOverdue(LONG_PATIENCE_ROUND_TRIPS * LONGEST_ROUND_TRIP_SECONDS)


class DeepQueueTests(_HeartbeatTestCase):
    """
    Let the ping wait behind much that was written before it.
    """

    def setUp(self) -> None:
        super().setUp()
        self.settle(ROUND_TRIP)

    def askBehind(self, waiting: int) -> None:
        """
        Ask while so many bytes wait to be acknowledged, of which the ping is the last.
        """
        self.owner.delivered = (10_000, waiting)
        self.heartbeat.ask()

    def test_slowPathIsNotADeadOne(self) -> None:
        """
        As long as what goes before the ping is acknowledged, however slowly.
        """
        self.askBehind(20_000)
        for acknowledged in range(1000, 20_000, 1000):
            self.owner.delivered = (10_000 + acknowledged, 20_000 - acknowledged)
            self.elapse(LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, [])
        self.answer()
        self.assertEqual((self.owner.told, self.heartbeat.state), ([], State.QUIET))

    def test_pathThatAcknowledgesNothingIsDead(self) -> None:
        self.askBehind(20_000)
        self.assertOverdue(LEAST_PATIENCE_SECONDS)

    def test_pathThatStopsToAcknowledgeIsDead(self) -> None:
        self.askBehind(20_000)
        self.owner.delivered = (15_000, 15_000)
        self.elapse(LEAST_PATIENCE_SECONDS)
        self.assertOverdue(LEAST_PATIENCE_SECONDS)

    def test_programThatStandsStillIsFoundThoughItsKernelAcknowledges(self) -> None:
        """
        The ping has arrived, so the pong is due; what is sent behind the ping is acknowledged too.
        """
        self.askBehind(100)
        self.elapse(LEAST_PATIENCE_SECONDS / 2)
        self.owner.delivered = (10_100, 500_000)
        self.assertOverdue(LEAST_PATIENCE_SECONDS / 2)

    def test_programThatStandsStillIsFoundBehindASlowPath(self) -> None:
        self.askBehind(20_000)
        self.owner.delivered = (29_999, 1)
        self.elapse(LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, [])
        self.owner.delivered = (40_000, 1)
        self.assertOverdue(LEAST_PATIENCE_SECONDS)

    def test_programThatReadsNothingIsFoundWhenItsKernelIsFull(self) -> None:
        self.askBehind(4_000_000)
        for _ in range(8):
            self.elapse(LEAST_PATIENCE_SECONDS / 2)
            acknowledged = min(self.owner.delivered[0] + 65_536, 300_000) if self.owner.delivered else 0
            self.owner.delivered = (acknowledged, 4_000_000 - acknowledged)
        self.elapse(2 * LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, ["overdue"])

    def test_pongMayTakeAsLongAsItsPing(self) -> None:
        """
        A relay acknowledges what it has not passed on yet.
        """
        self.askBehind(20_000)
        for acknowledged in range(2000, 18_000, 2000):
            self.owner.delivered = (10_000 + acknowledged, 20_000 - acknowledged)
            self.elapse(LEAST_PATIENCE_SECONDS)
        self.owner.delivered = (30_000, 0)
        self.assertOverdue(8 * LEAST_PATIENCE_SECONDS)

    def test_proofWaitsForASlowPathToo(self) -> None:
        self.askBehind(20_000)
        self.heartbeat.prove()
        self.owner.delivered = (20_000, 10_000)
        self.elapse(LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, [])
        self.elapse(LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, ["overdue", "given up"])

    def test_pingThatJoinsTrainsIsMeasuredWhenItIsWritten(self) -> None:
        self.owner.delivered = (10_000, 0)
        self.heartbeat.join()
        self.owner.delivered = (10_000, 20_000)
        self.heartbeat.written()
        self.owner.delivered = (20_000, 10_000)
        self.elapse(LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, [])


class ProofTests(_HeartbeatTestCase):
    """
    Let the path change: the other end is to prove that it is there.
    """

    def test_quietTunnelIsAskedAtOnce(self) -> None:
        self.settle(ROUND_TRIP)
        self.heartbeat.prove()
        self.assertEqual(len(self.pings), 1)
        self.assertOverdue(LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, ["overdue", "given up"])
        self.assertNoTimer()

    def test_answerIsTheProof(self) -> None:
        """
        Nobody is told; and the next answer that is overdue has its time again.
        """
        self.settle(ROUND_TRIP)
        self.heartbeat.prove()
        self.elapse(ROUND_TRIP)
        self.answer()
        self.heartbeat.ask()
        self.assertOverdue(LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, ["overdue"])
        self.elapse(GIVE_UP_SECONDS)
        self.assertEqual(self.owner.told, ["overdue", "given up"])

    def test_pingThatIsOnItsWayIsWaitedForAnew(self) -> None:
        """
        The machine may have slept since, and with it the answer's time.
        """
        self.settle(ROUND_TRIP)
        self.heartbeat.ask()
        self.elapse(LEAST_PATIENCE_SECONDS - MOMENT)
        self.heartbeat.prove()
        self.assertEqual(len(self.pings), 1)
        self.assertOverdue(LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, ["overdue", "given up"])

    def test_whatCameBeforeIsNoProof(self) -> None:
        """
        Only what comes from now on extends the patience.
        """
        self.settle(ROUND_TRIP)
        self.heartbeat.ask()
        self.heartbeat.heard = True
        self.heartbeat.prove()
        self.assertOverdue(LEAST_PATIENCE_SECONDS)

    def test_tunnelThatBringsMuchMayProveItselfLate(self) -> None:
        """
        What comes is a proof of the path, though not of the other end's program.
        """
        self.settle(ROUND_TRIP)
        self.heartbeat.prove()
        self.heartbeat.heard = True
        self.elapse(LEAST_PATIENCE_SECONDS)
        self.assertOverdue(LEAST_PATIENCE_SECONDS)
        self.assertEqual(self.owner.told, ["overdue", "given up"])

    def test_overdueTunnelIsGivenUpAtOnce(self) -> None:
        self.reach(State.OVERDUE)
        self.heartbeat.prove()
        self.assertEqual((self.owner.told, len(self.pings)), (["overdue", "given up"], 1))
        self.assertNoTimer()

    def test_tunnelThatWasGivenUpIsNotGivenUpAgain(self) -> None:
        self.reach(State.GIVEN_UP)
        self.heartbeat.prove()
        self.assertEqual((self.owner.told, len(self.pings)), (["overdue", "given up"], 1))
        self.assertNoTimer()
        self.answer()
        self.assertEqual(self.owner.told, ["overdue", "given up", "came"])

    def test_doubtingTwiceAsksOnce(self) -> None:
        self.settle(ROUND_TRIP)
        self.heartbeat.prove()
        self.elapse(LEAST_PATIENCE_SECONDS / 2)
        self.heartbeat.prove()
        self.assertOverdue(LEAST_PATIENCE_SECONDS)
        self.assertEqual((self.owner.told, len(self.pings)), (["overdue", "given up"], 1))
