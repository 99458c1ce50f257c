"""
What happens again and again is said now and again.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.telemetry.ratelimit import MAX_LINES_PER_QUIET, MAX_REMEMBERED, QUIET_SECONDS, LineBudget, RateLimit, again


class RepeatsTests(SynchronousTestCase):
    """
    Ask which event is worth a line.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(12345.0)
        self.rateLimit = RateLimit(self.clock.seconds)

    def test_theFirstTimeIsNews(self) -> None:
        self.assertEqual(self.rateLimit.suppressedBefore("refused"), 0)

    def test_theSameThingIsQuietForTenMinutes(self) -> None:
        """
        Not said until the time is up, to the second, and then with how often it happened.
        """
        self.rateLimit.suppressedBefore("refused")
        for _ in range(3):
            self.assertIsNone(self.rateLimit.suppressedBefore("refused"))
        self.clock.advance(599.0)
        self.assertIsNone(self.rateLimit.suppressedBefore("refused"))
        self.clock.advance(1.0)
        self.assertEqual(self.rateLimit.suppressedBefore("refused"), 4)
        self.assertIsNone(self.rateLimit.suppressedBefore("refused"))
        self.clock.advance(QUIET_SECONDS)
        self.assertEqual(self.rateLimit.suppressedBefore("refused"), 1)

    def test_anotherThingIsNews(self) -> None:
        self.rateLimit.suppressedBefore(("refused", "192.0.2.1"))
        self.assertEqual(self.rateLimit.suppressedBefore(("refused", "192.0.2.2")), 0)

    def test_inventingNewThingsFillsNoDisk(self) -> None:
        """
        There is a limit to different things too, and another time after it.
        """
        said = [self.rateLimit.suppressedBefore(number) for number in range(1000)]
        self.assertEqual(said, [0] * MAX_LINES_PER_QUIET + [None] * (1000 - MAX_LINES_PER_QUIET))
        self.clock.advance(QUIET_SECONDS - 1)
        self.assertIsNone(self.rateLimit.suppressedBefore("new"))
        self.clock.advance(1.0)
        self.assertEqual(self.rateLimit.suppressedBefore("new"), 1000 - MAX_LINES_PER_QUIET + 1, "which it tells")

    def test_whatTheLimitSilencedIsCounted(self) -> None:
        """
        A thing said before, whose time is up while the lines are used up, is not forgotten.
        """
        self.rateLimit.suppressedBefore("refused")
        self.clock.advance(QUIET_SECONDS - 1)
        self.assertIsNone(self.rateLimit.suppressedBefore("refused"))
        self.clock.advance(1.0)
        for number in range(MAX_LINES_PER_QUIET):
            self.assertEqual(self.rateLimit.suppressedBefore(number), 0)
        self.assertIsNone(self.rateLimit.suppressedBefore("refused"))
        self.clock.advance(QUIET_SECONDS)
        self.assertEqual(self.rateLimit.suppressedBefore("refused"), 2)

    def test_nothingIsRememberedForEver(self) -> None:
        """
        However many things happen in however long a time, memory has its limit.
        """
        for number in range(3 * MAX_REMEMBERED):
            if number % MAX_LINES_PER_QUIET == 0:
                self.clock.advance(QUIET_SECONDS)
            self.assertEqual(self.rateLimit.suppressedBefore(number), 0)
            self.assertLessEqual(len(self.rateLimit._last), MAX_REMEMBERED)
        self.assertEqual(len(self.rateLimit._last), MAX_REMEMBERED)

    def test_whatIsSaidOftenIsRememberedLongest(self) -> None:
        """
        The one that was said the longest ago makes room, not the one that began first.
        """
        self.rateLimit.suppressedBefore("regular")
        for number in range(280):
            if number % 60 == 0:
                self.clock.advance(QUIET_SECONDS)
            if number == 240:
                self.assertEqual(self.rateLimit.suppressedBefore("regular"), 0)
            self.assertEqual(self.rateLimit.suppressedBefore(number), 0)
        self.assertIsNone(self.rateLimit.suppressedBefore("regular"))
        self.assertIsNone(self.rateLimit.suppressedBefore(279))
        self.assertNotIn(0, self.rateLimit._last)

    def test_wordsForRepetitions(self) -> None:
        self.assertEqual(again(0), "")
        self.assertEqual(again(3), " (and 3 not said before)")


class BudgetTests(SynchronousTestCase):
    """
    What strangers can make happen has so many lines in so long a time.
    """

    def test_whatIsOverTheBudgetIsCountedAndSaidLater(self) -> None:
        clock = Clock()
        budget = LineBudget(clock.seconds, lines=3, seconds=60.0)
        self.assertEqual([budget.spend() for _ in range(5)], [0, 0, 0, None, None])
        clock.advance(59.0)
        self.assertIsNone(budget.spend())
        clock.advance(1.0)
        self.assertEqual([budget.spend(), budget.spend()], [3, 0])

    def test_ofSeveralProcessesEachHasItsPart(self) -> None:
        """
        Also by budgets that were there before it was said how many there are, and one line at least.
        """
        clock = Clock()
        budgets = [LineBudget(clock.seconds, lines) for lines in (64, 7, 3, 1)]
        rateLimit = RateLimit(clock.seconds)
        self.patch(LineBudget, "processes", 4)
        said = [sum(budget.spend() is not None for _ in range(100)) for budget in budgets]
        self.assertEqual(said, [16, 1, 1, 1])
        numbers = [rateLimit.suppressedBefore(number) for number in range(100)]
        self.assertEqual(numbers, [0] * (MAX_LINES_PER_QUIET // 4) + [None] * (100 - MAX_LINES_PER_QUIET // 4))

    def test_ofManyProcessesEachHasAQuarter(self) -> None:
        clock = Clock()
        self.patch(LineBudget, "processes", 64)
        for lines, each in ((64, 16), (7, 1), (1, 1)):
            budget = LineBudget(clock.seconds, lines)
            self.assertEqual(sum(budget.spend() is not None for _ in range(100)), each)

    def test_aProcessIsAloneUnlessItIsToldOtherwise(self) -> None:
        self.assertEqual(LineBudget.processes, 1)
