"""
Work that comes for thousands at once.
"""

from __future__ import annotations

from functools import partial

from twisted.logger import LogLevel, capturedLogs

from tests.doubles.contracts import TimerTestCase
from uotp.process.steps import APART_SECONDS, STEPS, STEPS_SECONDS, Round, Steps


class StepsTests(TimerTestCase):
    """
    Take steps, a few in each turn.
    """

    def setUp(self) -> None:
        super().setUp()
        self.steps = Steps(self.clock)
        self.taken: list[int] = []

    def take(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            self.steps.take(partial(self.taken.append, number))

    def test_fewAreTakenAtOnce(self) -> None:
        self.take(0, STEPS)
        self.assertEqual(self.taken, list(range(STEPS)))
        self.assertNoTimer()

    def test_manyAreTakenAFewInEachTurnInTheirOrder(self) -> None:
        self.take(0, 3 * STEPS)
        for turn in (1, 2, 3):
            self.assertEqual(self.taken, list(range(turn * STEPS)))
            self.take(1000 * turn, 1)  # it does not overtake
            self.clock.turn()
        self.assertEqual(self.taken, [*range(3 * STEPS), 1000, 2000, 3000])
        self.assertNoTimer()

    def test_anotherTurnHasRoomAgain(self) -> None:
        self.take(0, STEPS)
        self.clock.advance(APART_SECONDS)
        self.take(STEPS, STEPS)
        self.assertEqual(len(self.taken), 2 * STEPS)

    def test_dearStepsAreFewer(self) -> None:
        for number in range(4):
            self.steps.take(partial(self.takeLong, number))
        self.assertEqual(self.taken, [0])
        self.clock.turn()
        self.assertEqual(self.taken, [0, 1])
        self.clock.turn()
        self.clock.turn()
        self.assertEqual(self.taken, [0, 1, 2, 3])

    def takeLong(self, number: int) -> None:
        """
        Take a step during which time passes.
        """
        self.taken.append(number)
        self.clock.rightNow += STEPS_SECONDS

    def test_eachOfManyHasItsTurnAndTheEndIsTold(self) -> None:
        done = self.steps.each(range(2 * STEPS), self.taken.append)
        self.assertEqual(len(self.taken), STEPS)
        self.assertNoResult(done)
        self.clock.turn()
        self.clock.turn()
        self.assertEqual(self.taken, list(range(2 * STEPS)))
        self.successResultOf(done)

    def test_nothingIsDoneAtOnce(self) -> None:
        self.successResultOf(self.steps.each((), self.taken.append))
        self.assertNoTimer()

    def test_stepThatFailsCostsNoOther(self) -> None:
        with capturedLogs() as events:
            done = self.steps.each([1, 0, 2], lambda number: self.taken.append(2 // number))
        self.successResultOf(done)
        self.assertEqual(self.taken, [2, 1])
        self.assertEqual([event["log_level"] for event in events], [LogLevel.critical])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stepsThatStepsTakeComeBehind(self) -> None:
        self.steps.each([1, 2], lambda number: self.take(number * 10, 1))
        self.assertEqual(self.taken, [10, 20])


class RoundTests(TimerTestCase):
    """
    Go through many things now and then.
    """

    def test_roundsDoNotPileUp(self) -> None:
        """
        One that is due before the one before is over is left out, and the next one begins.
        """
        taken: list[int] = []
        again = Round(Steps(self.clock))
        for _ in range(10):
            again.begin(range(3 * STEPS), taken.append)
        for _ in range(2):
            self.clock.turn()
        self.assertNoTimer()
        self.assertEqual(taken, list(range(3 * STEPS)))
        self.clock.advance(APART_SECONDS)
        again.begin([-1], taken.append)
        self.assertEqual(taken[-1], -1)
