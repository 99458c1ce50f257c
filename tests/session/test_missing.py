"""
Which gaps the other end is told, and when.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from uotp.session.reordering.missing import (
    GAPS_AT_ONCE,
    IN_VAIN_SECONDS,
    MOST_IN_VAIN,
    MOST_TELLS,
    REPAIR_ROUND_TRIPS,
    REPAIR_SECONDS,
    SMALL_GAP,
    SOON_AFTER_SECONDS,
    SOON_ROUND_TRIPS,
    SOON_SECONDS,
    MissingReports,
)
from uotp.train import LAST_NUMBER
from uotp.wire.format2 import MAX_MISSING

NOW = 1000.0
ROUND_TRIP = 0.1
SOON = ROUND_TRIP * SOON_ROUND_TRIPS
REPAIR = ROUND_TRIP * REPAIR_ROUND_TRIPS + REPAIR_SECONDS

Gap = tuple[int, int, float]


def behind(number: int) -> Callable[[int], bool]:
    """
    @return: tells that all is missing behind a number, and nothing before it.
    """
    return lambda end: end > number


class MissingReportsTests(SynchronousTestCase):
    """
    Ask what is to be told of gaps that there are since L{NOW}.
    """

    def setUp(self) -> None:
        self.reports = MissingReports()
        self.reports.roundTrip = ROUND_TRIP

    def askAt(self, gaps: list[Gap], after: float) -> float | None:
        """
        @return: after how many seconds more it is to be asked again.  Nothing is to be told now.
        """
        missing, again = self.reports.due(gaps, NOW + after)
        self.assertEqual(missing, [])
        return None if again is None else again - NOW

    def test_whereThereIsNoGapNobodyIsTold(self) -> None:
        self.assertEqual(self.reports.due([], NOW), ([], None))

    def test_aSmallGapIsToldSoon(self) -> None:
        for count in (1, SMALL_GAP):
            self.setUp()
            gap = (7, 7 + count, NOW)
            again = self.askAt([gap], 0.0)
            assert again is not None
            self.assertAlmostEqual(again, SOON)
            self.assertEqual(self.reports.due([gap], NOW + SOON)[0], [(7, count)])

    def test_aGapThatAPauseHasShownIsToldSooner(self) -> None:
        """
        By the pause, in which what is missing should have come; a large one is not.
        """
        gap = (7, 8, NOW)
        self.assertEqual(self.reports.due([gap], NOW, SOON / 2)[0], [])
        self.assertEqual(self.reports.due([gap], NOW + SOON / 2, 0.6 * SOON)[0], [(7, 1)])
        self.setUp()
        self.assertEqual(self.reports.due([gap], NOW, 2 * SOON)[0], [(7, 1)])
        self.setUp()
        self.assertEqual(self.reports.due([(7, 8 + SMALL_GAP, NOW)], NOW, 2 * SOON)[0], [])

    def test_aLargeGapIsToldWhenTheRepairIsLate(self) -> None:
        gap = (7, 8 + SMALL_GAP, NOW)
        again = self.askAt([gap], SOON)
        assert again is not None
        self.assertAlmostEqual(again, REPAIR)
        self.assertEqual(self.reports.due([gap], NOW + REPAIR)[0], [(7, SMALL_GAP + 1)])

    def test_onAShortPathThereIsAShortestTime(self) -> None:
        """
        And while nothing is known of it.
        """
        for roundTrip in (0.001, 0.0):
            self.setUp()
            self.reports.roundTrip = roundTrip
            again = self.askAt([(7, 8, NOW)], 0.0)
            assert again is not None
            self.assertAlmostEqual(again, SOON_SECONDS)
            self.assertEqual(self.reports.due([(7, 8, NOW)], NOW + SOON_SECONDS)[0], [(7, 1)])

    def test_eachGapIsToldAFewTimes(self) -> None:
        """
        Each time when what was asked for should have come.
        """
        gap = (7, 8, NOW)
        told: list[float] = []
        at: float | None = NOW
        while at is not None:
            self.assertLess(len(told), MOST_TELLS + 1)
            self.assertEqual(self.reports.due([gap], at - 0.001)[0], [], "sooner")
            missing, again = self.reports.due([gap], at)
            if missing:
                told.append(at)
            at = again
        self.assertEqual(len(told), MOST_TELLS)
        for before, after in pairwise(told):
            self.assertAlmostEqual(after - before, REPAIR)
        self.assertEqual(self.reports.due([gap], NOW + 1000.0), ([], None))

    def test_aGapThatIsFilledFromTheFrontIsStillTheSame(self) -> None:
        self.reports.due([(7, 9, NOW)], NOW + SOON)
        self.assertEqual(self.reports.due([(8, 9, NOW)], NOW + SOON + 0.001)[0], [])
        self.assertEqual(self.reports.due([(8, 9, NOW)], NOW + SOON + REPAIR)[0], [(8, 1)])

    def test_aNewGapIsToldBesideAnOldOne(self) -> None:
        old, new = (7, 8, NOW), (9, 10, NOW + SOON)
        self.reports.due([old], NOW + SOON)
        missing, again = self.reports.due([old, new], NOW + 2 * SOON)
        self.assertEqual(missing, [(9, 1)])
        assert again is not None
        self.assertAlmostEqual(again, NOW + SOON + REPAIR)

    def test_whatIsFilledIsForgotten(self) -> None:
        self.reports.due([(7, 8, NOW)], NOW + SOON)
        self.reports.due([], NOW + SOON)
        self.assertEqual(self.reports._told, {})

    def test_fewGapsAreToldAtOnce(self) -> None:
        """
        They fit into one frame, and no more are remembered.
        """
        gaps = [(2 * number, 2 * number + 1, NOW) for number in range(100)]
        missing, _ = self.reports.due(gaps, NOW + SOON)
        self.assertEqual(missing, [(2 * number, 1) for number in range(GAPS_AT_ONCE)])
        self.assertEqual(len(self.reports._told), GAPS_AT_ONCE)
        self.assertLessEqual(GAPS_AT_ONCE, MAX_MISSING)

    def test_numbersAreToldAsTheWireHasThem(self) -> None:
        gap = (LAST_NUMBER + 1 + 5, LAST_NUMBER + 1 + 6, NOW)
        self.assertEqual(self.reports.due([gap], NOW + SOON)[0], [(5, 1)])

    def tell(self, number: int, at: float) -> None:
        """
        Have a gap that is told.
        """
        self.assertEqual(self.reports.due([(number, number + 1, at - SOON)], at)[0], [(number, 1)])
        self.assertTrue(self.reports.areOpen)

    def tellInVain(self, times: int, since: float) -> float:
        """
        Have gaps that are told, one soon after the other, and each of them filled by what was sent first.

        @return: when that is over.
        """
        for number in range(times):
            self.tell(number, since)
            self.reports.filled(behind(number + 1), since)
            self.assertFalse(self.reports.areOpen)
            since += SOON_AFTER_SECONDS / 2
        return since

    def test_whereItIsInVainGapsAreToldNowAndThen(self) -> None:
        """
        However many there are; until something comes again.
        """
        now = self.tellInVain(MOST_IN_VAIN, NOW)
        self.assertLess(self.reports.restsUntil, NOW)
        self.assertEqual(self.reports.due([(50, 51, now)], now)[0], [], "nothing is due")
        self.assertLess(self.reports.restsUntil, now)
        rested = now + IN_VAIN_SECONDS
        self.assertEqual(self.reports.due([(50, 51, now - SOON)], now), ([(50, 1)], rested))
        self.assertEqual(self.reports.restsUntil, rested)
        self.reports.answered()
        self.assertLess(self.reports.restsUntil, now)
        self.tellInVain(MOST_IN_VAIN, now)

    def test_oneThatIsOfUseIsEnough(self) -> None:
        """
        Not all that is told is lost.
        """
        now = NOW
        for _ in range(5):
            now = self.tellInVain(MOST_IN_VAIN - 1, now)
            self.reports.answered()
        self.tell(60, now)
        self.assertLess(self.reports.restsUntil, now)

    def test_whatIsLongAgoDoesNotCount(self) -> None:
        now = NOW
        for _ in range(5):
            now = self.tellInVain(MOST_IN_VAIN - 1, now) + 2 * SOON_AFTER_SECONDS
        self.tell(60, now)
        self.assertLess(self.reports.restsUntil, now)

    def test_afterAPauseTheFirstGapsAreToldAgain(self) -> None:
        now = self.tellInVain(MOST_IN_VAIN, NOW) + 2 * SOON_AFTER_SECONDS
        for number in range(60, 60 + MOST_IN_VAIN - 1):
            self.tell(number, now)
            self.reports.filled(behind(number + 1), now)
        self.assertLess(self.reports.restsUntil, now)

    def test_whatIsNotFilledTellsNothing(self) -> None:
        """
        And neither does what is given up.
        """
        for number in range(10, 10 + 2 * MOST_IN_VAIN):
            self.reports.due([(number, number + 1, NOW)], NOW + SOON)
            self.reports.filled(behind(9), NOW + SOON)
            self.assertTrue(self.reports.areOpen)
            self.reports.closed(behind(9))
            self.assertTrue(self.reports.areOpen)
            self.reports.closed(behind(number + 1))
            self.assertFalse(self.reports.areOpen)
        self.tell(60, NOW + 1.0)
        self.assertLess(self.reports.restsUntil, NOW)

    def test_whoeverCountsAnewHasTheGapsOfABeginning(self) -> None:
        now = self.tellInVain(MOST_IN_VAIN, NOW)
        self.tell(50, now)
        self.assertGreater(self.reports.restsUntil, now)
        self.reports.restart()
        self.assertFalse(self.reports.areOpen)
        self.assertLess(self.reports.restsUntil, now)
        self.tell(3, now)
        self.assertLess(self.reports.restsUntil, now)
