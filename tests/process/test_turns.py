"""
Whose turn it is, and how much is done in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from tests.doubles.contracts import TimerTestCase
from uotp.process.turns import (
    LOAN_UNITS,
    MOST_DEBT_UNITS,
    OWNER_UNITS,
    READ_UNITS,
    SLICE_UNITS,
    TURN_SECONDS,
    TurnAllowance,
    Turns,
    Unlimited,
)


class TurnsTests(TimerTestCase):
    """
    Let owners have work done.
    """

    def setUp(self) -> None:
        super().setUp()
        self.turns = Turns(self.clock)
        self.done: list[str] = []
        self.stopped: set[str] = set()

    def settle(self) -> list[int]:
        """
        Let turns pass until nobody waits.

        @return: how often something was done in each.
        """
        counts = []
        while len(self.turns):
            before = len(self.done)
            self.clock.turn()
            counts.append(len(self.done) - before)
        return counts

    def work(self, allowance: TurnAllowance, name: str, units: int = 1, times: int = 1) -> None:
        """
        Leave something to the next turn, which leaves itself again, as often as is said.
        """

        def act(left: int) -> None:
            self.done.append(name)
            allowance.spend(units)
            if left > 1:
                allowance.later(lambda: act(left - 1))

        allowance.later(lambda: act(times))

    def test_whoSpendsLittleIsNeverKeptWaiting(self) -> None:
        allowance = self.turns.allowanceOf("one")
        allowance.spend(READ_UNITS - LOAN_UNITS - 1)
        self.assertFalse(allowance.isSpent or allowance.owner.isExhausted)
        self.assertNoTimer()

    def test_whoHasSpentTheOwnersUnitsWaitsForTheNextTurn(self) -> None:
        """
        And so do the owner's other sessions, which have spent nothing.
        """
        allowance, other = self.turns.allowanceOf("one"), self.turns.allowanceOf("one")
        spent = 0
        while not other.owner.isExhausted:
            allowance.spend(1)
            spent += 1
        self.assertGreaterEqual(spent, READ_UNITS - 2 * LOAN_UNITS)
        self.assertLessEqual(spent, READ_UNITS)
        self.assertEqual(len(self.turns), 1)
        self.clock.turn()
        self.assertFalse(other.owner.isExhausted)
        self.assertEqual(len(self.turns), 0)
        self.assertNoTimer()

    def test_ownerOfManySessionsHasNoMoreInOneTurn(self) -> None:
        """
        Something has come for all of its sessions, of which none has spent anything.
        """
        spent = 0
        for session in [self.turns.allowanceOf("one") for _ in range(40 * READ_UNITS // SLICE_UNITS)]:
            if not (session.isSpent or session.owner.isExhausted):  # as a stream or a port asks before it reads
                session.spend(SLICE_UNITS)
                spent += SLICE_UNITS
        while len(self.turns):
            self.clock.turn()
        self.assertLessEqual(spent, READ_UNITS + SLICE_UNITS)

    def test_whatWasTooMuchInATurnIsTakenOffTheNext(self) -> None:
        """
        But a slice is always left.
        """
        for excess, left in ((10, READ_UNITS - 10), (100 * READ_UNITS, SLICE_UNITS)):
            allowance = self.turns.allowanceOf(excess)
            allowance.spend(READ_UNITS + excess - LOAN_UNITS)
            self.assertTrue(allowance.owner.isExhausted)
            self.settle()
            self.assertEqual((allowance.owner.left, allowance.owner.isExhausted), (left, False))

    def test_manyThatWaitToReadGoOnInTurns(self) -> None:
        """
        The tunnels of one session, or of many: no more begin to read in a turn than may read in it, the one that
        has waited longest first.
        """
        for sessions in (1, 8 * READ_UNITS):
            allowances = [self.turns.allowanceOf("one") for _ in range(sessions)]
            resumed: list[int] = []
            for number in range(8 * READ_UNITS):
                allowances[number % sessions].readLater(partial(resumed.append, number))
            counts = []
            while len(self.turns):
                before = len(resumed)
                self.clock.turn()
                counts.append(len(resumed) - before)
            self.assertLessEqual(max(counts), READ_UNITS)
            self.assertEqual(resumed, list(range(8 * READ_UNITS)))
            self.assertFalse(any(allowance.isSpent for allowance in allowances))

    def test_theShortWayOfSpendingIsTheSame(self) -> None:
        """
        Subtract, and call only below 0.
        """
        short, long = self.turns.allowanceOf("one"), self.turns.allowanceOf("other")
        for _ in range(OWNER_UNITS * 2):
            short.left -= 1
            if short.left < 0:
                short.overdraw()
            long.spend(1)
            self.assertEqual((short.left, short.isSpent), (long.left, long.isSpent))
        self.settle()

    def test_whatIsLeftOverIsDoneBeforeMoreIsRead(self) -> None:
        allowance = self.turns.allowanceOf("one")
        self.work(allowance, "a")
        self.work(allowance, "b")
        self.assertTrue(allowance.isSpent)
        self.assertEqual(self.done, [])
        self.clock.turn()
        self.assertEqual(self.done, ["a", "b"])
        self.assertFalse(allowance.isSpent)
        self.assertNoTimer()

    def test_aTurnOfASessionIsBounded(self) -> None:
        """
        It has all of its owner's units while nobody else of that owner waits, and what costs more
        waits for one turn more.
        """
        allowance = self.turns.allowanceOf("one")
        self.work(allowance, "a", times=3 * OWNER_UNITS)
        counts = self.settle()
        self.assertEqual(sum(counts), 3 * OWNER_UNITS)
        self.assertLessEqual(max(counts), OWNER_UNITS)
        self.assertFalse(allowance.isSpent)
        self.assertNoTimer()

    def test_sessionsOfOneOwnerHaveTheirTurnsOneAfterTheOther(self) -> None:
        """
        However many there are, an owner's turn is bounded, and none of them is left out.
        """
        sessions = [self.turns.allowanceOf("one") for _ in range(40)]
        for number, session in enumerate(sessions):
            self.work(session, str(number), times=2 * SLICE_UNITS)
        while any(session.isSpent for session in sessions):
            before = len(self.done)
            self.clock.turn()
            self.assertLessEqual(len(self.done) - before, OWNER_UNITS)
            counts = Counter(self.done)
            self.assertLessEqual(max(counts.values()) - min(counts[str(number)] for number in range(40)), SLICE_UNITS)
        self.settle()

    def read(self, allowance: TurnAllowance, name: str, units: int = 1) -> None:
        """
        Something has come for a session, as in each turn: read it if that may be done now, or
        else when it is the session's turn.
        """
        if name in self.stopped:
            return
        if allowance.isSpent or allowance.owner.isExhausted:
            self.stopped.add(name)
            allowance.readLater(lambda: self.stopped.remove(name))
        else:
            self.done.append(name)
            allowance.spend(units)

    def test_aSessionThatOnlyReadsIsServedBesideOneThatIsFlooded(self) -> None:
        """
        Both are of one owner: nobody can tell them apart by what they are.
        """
        flooded, light = self.turns.allowanceOf("one"), self.turns.allowanceOf("one")
        self.work(flooded, "flood", times=40 * OWNER_UNITS)
        for _ in range(30):
            self.clock.turn()
            self.read(light, "light")
        self.assertGreaterEqual(self.done.count("light"), 28)
        self.settle()

    def test_sessionsThatReadMuchHaveTheirTurnsOneAfterTheOther(self) -> None:
        """
        Though something has come for all of them, always in the same order, none is left out.
        """
        sessions = {str(number): self.turns.allowanceOf("one") for number in range(40)}
        for _ in range(100):
            before = len(self.done)
            for name, session in sessions.items():
                self.read(session, name, SLICE_UNITS)
            self.assertLessEqual(len(self.done) - before, READ_UNITS // SLICE_UNITS + 1)
            self.clock.turn()
        counts = Counter(self.done)
        self.assertGreaterEqual(min(counts[name] for name in sessions), 5)
        self.settle()

    def test_aSessionForWhichWorkComesAgainAndAgainIsReadAllTheSame(self) -> None:
        """
        It keeps its place among those that wait to be read.
        """
        sessions = {str(number): self.turns.allowanceOf("one") for number in range(40)}
        for _ in range(100):
            for name, session in sessions.items():
                self.read(session, name, SLICE_UNITS)
            self.work(sessions["20"], "work")
            self.clock.turn()
        counts = Counter(self.done)
        self.assertEqual(counts["work"], 100)
        self.assertGreaterEqual(min(counts[name] for name in sessions), 5)
        self.settle()

    def test_whatIsLeftOverForLongComesBeforeWhatIsRead(self) -> None:
        """
        Also of a session that was to be read when the work came.
        """
        allowance = self.turns.allowanceOf("one")
        others = [self.turns.allowanceOf("one") for _ in range(12)]
        allowance.readLater(lambda: self.done.append("read"))
        for other in others:
            self.work(other, "other", times=2 * SLICE_UNITS)
        self.work(allowance, "work", times=4 * SLICE_UNITS)
        self.settle()
        self.assertEqual([name for name in self.done if name != "other"], ["work"] * 4 * SLICE_UNITS + ["read"])
        self.assertFalse(allowance.isSpent)

    def test_whatIsLeftOverComesBeforeWhatIsRead(self) -> None:
        allowance = self.turns.allowanceOf("one")
        allowance.readLater(lambda: self.done.append("read"))
        self.work(allowance, "work", times=2 * SLICE_UNITS)
        self.settle()
        self.assertEqual(self.done, ["work"] * 2 * SLICE_UNITS + ["read"])

    def test_ownersDoNotWaitForOneAnother(self) -> None:
        many = [self.turns.allowanceOf("many") for _ in range(100)]
        for session in many:
            self.work(session, "many", times=SLICE_UNITS)
        one = self.turns.allowanceOf("one")
        self.work(one, "one")
        self.clock.turn()
        self.assertIn("one", self.done)
        self.settle()

    def test_whoReadsLittleInEachTurnIsNotKeptWaitingByOtherOwners(self) -> None:
        """
        What it has read in many turns is no more than it may in each.
        """
        for number in range(20):
            self.work(self.turns.allowanceOf(number), "much", units=OWNER_UNITS, times=8 * READ_UNITS)
        allowance = self.turns.allowanceOf("little")
        for _ in range(4 * READ_UNITS):
            allowance.spend(1)
            self.assertFalse(allowance.isSpent or allowance.owner.isExhausted)
            self.assertGreater(len(self.turns), 1)
            self.clock.turn()
        self.settle()

    def test_manyTurnsOfOthersGiveNobodyMoreThanOneTurn(self) -> None:
        """
        Units that were not used in a turn are not kept for the next.
        """
        self.work(self.turns.allowanceOf("other"), "other", units=OWNER_UNITS, times=10)
        allowance = self.turns.allowanceOf("one")
        allowance.spend(LOAN_UNITS + 1)
        for _ in range(5):
            self.clock.turn()
        spent = 0
        while not allowance.owner.isExhausted:
            allowance.spend(1)
            spent += 1
        self.assertLessEqual(spent, READ_UNITS + LOAN_UNITS)
        self.settle()

    def test_aTurnOfAllTogetherIsBoundedInTime(self) -> None:
        """
        Whoever was not served comes first in the next turn.
        """
        sessions = [self.turns.allowanceOf(number) for number in range(8)]

        def slow(name: str) -> Callable[[], None]:
            def act() -> None:
                self.done.append(name)
                self.clock.rightNow += TURN_SECONDS * 0.6

            return act

        for number, session in enumerate(sessions):
            session.later(slow(str(number)))
        for turn in range(4):
            self.clock.turn()
            self.assertEqual(self.done, [str(number) for number in range(2 * turn + 2)])
        self.assertNoTimer()

    def test_anErrorCostsNobodyElse(self) -> None:
        allowance = self.turns.allowanceOf("one")

        def fail() -> None:
            raise ZeroDivisionError

        allowance.later(fail)
        self.work(allowance, "a")
        self.clock.turn()
        self.assertEqual(self.done, ["a"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertFalse(allowance.isSpent)

    def test_aDebtIsPaidAndForgotten(self) -> None:
        """
        No session waits for ever for what it was given at one go.
        """
        allowance = self.turns.allowanceOf("one")
        self.work(allowance, "a", units=100 * SLICE_UNITS)
        self.work(allowance, "b")
        self.settle()
        self.assertEqual(self.done, ["a", "b"])
        self.assertFalse(allowance.isSpent or allowance.owner.isExhausted)
        self.assertLess(MOST_DEBT_UNITS, OWNER_UNITS)

    def test_whoIsForgottenTakesNothingAlong(self) -> None:
        """
        An owner without a session begins anew.
        """
        allowance = self.turns.allowanceOf("one")
        allowance.spend(READ_UNITS // 2)
        del allowance
        fresh = self.turns.allowanceOf("one")
        self.assertEqual(fresh.owner.left, READ_UNITS)

    def test_anUnlimitedOneIsNeverSpent(self) -> None:
        unlimited = Unlimited()
        unlimited.spend(1 << 30)
        unlimited.overdraw()
        unlimited.later(lambda: self.done.append("a"))
        unlimited.readLater(lambda: self.done.append("b"))
        self.assertEqual((unlimited.isSpent, unlimited.owner.isExhausted, self.done), (False, False, ["a", "b"]))
