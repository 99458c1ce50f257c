"""
Numbers that are remembered for a while.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from uotp.session.reordering.ranges import Ranges

NOW = 1000.0
SECONDS = 8.0
MOST = 4


class RangesTests(SynchronousTestCase):
    """
    Add ranges of numbers, and take them once.
    """

    def setUp(self) -> None:
        self.ranges = Ranges(MOST, SECONDS)

    def take(self, begin: int, end: int, now: float = NOW) -> list[tuple[int, int, float]]:
        """
        @return: what was taken, as plain tuples.
        """
        return [tuple(each) for each in self.ranges.take(begin, end, now)]  # type: ignore[misc]

    def test_whatIsTakenIsNotRememberedAnyMore(self) -> None:
        self.ranges.add(10, 20, NOW)
        self.assertEqual(self.take(0, 10), [])
        self.assertEqual(self.take(20, 30), [])
        self.assertEqual(self.take(5, 12), [(10, 12, NOW)])
        self.assertEqual(self.take(14, 16), [(14, 16, NOW)])
        self.assertEqual(self.take(0, 30), [(12, 14, NOW), (16, 20, NOW)])
        self.assertEqual((self.take(0, 30), len(self.ranges)), ([], 0))

    def test_severalAreTakenInOrder(self) -> None:
        for begin in (30, 10, 20):
            self.ranges.add(begin, begin + 5, NOW + begin)
        self.assertEqual(self.take(12, 32), [(12, 15, NOW + 10), (20, 25, NOW + 20), (30, 32, NOW + 30)])
        self.assertEqual(self.take(0, 99), [(10, 12, NOW + 10), (32, 35, NOW + 30)])

    def test_rangesThatFollowOneAnotherBecomeOneWhereThatIsAsked(self) -> None:
        """
        Whichever comes first; it is remembered since the later moment.
        """
        self.ranges.add(10, 20, NOW)
        self.ranges.add(20, 30, NOW)
        self.assertEqual(len(self.ranges), 2)
        for order in ((10, 20, 30), (30, 20, 10), (10, 30, 20), (20, 10, 30)):
            self.ranges = Ranges(MOST, SECONDS, joins=True)
            self.ranges.add(50, 60, NOW + 3)
            for begin in order:
                self.ranges.add(begin, begin + 10, NOW + begin)
            self.assertEqual(len(self.ranges), 2)
            self.assertEqual(self.take(0, 99), [(10, 40, NOW + 30), (50, 60, NOW + 3)])

    def test_theLastAreToldInOrder(self) -> None:
        for begin in (30, 10, 20):
            self.ranges.add(begin, begin + 5, NOW)
        self.assertEqual([each.begin for each in self.ranges.last(2)], [20, 30])
        self.assertEqual(len(self.ranges.last(9)), 3)

    def test_lowestAreForgottenWhereThereAreTooMany(self) -> None:
        for begin in range(0, 50, 10):
            self.ranges.add(begin, begin + 5, NOW)
        self.assertEqual((len(self.ranges), self.take(0, 5)), (MOST, []))
        self.assertEqual(self.take(32, 33), [(32, 33, NOW)])
        self.assertEqual((len(self.ranges), self.take(10, 15)), (MOST, []))

    def test_oldOnesAreForgotten(self) -> None:
        self.ranges.add(0, 5, NOW)
        self.ranges.add(10, 15, NOW + 1)
        self.assertEqual(self.take(0, 1, NOW + SECONDS), [(0, 1, NOW)])
        self.assertEqual(self.take(0, 11, NOW + SECONDS + 0.5), [(10, 11, NOW + 1)])

    def test_allCanBeForgotten(self) -> None:
        self.ranges.add(0, 5, NOW)
        self.ranges.clear()
        self.assertEqual((len(self.ranges), self.take(0, 5)), (0, []))

    def test_othersAreToldAndNothingIsForgotten(self) -> None:
        self.assertEqual(self.ranges.others(3, 9), [(3, 9)])
        self.ranges.add(10, 20, NOW)
        self.ranges.add(20, 25, NOW)
        self.ranges.add(30, 35, NOW)
        self.assertEqual(self.ranges.others(0, 40), [(0, 10), (25, 30), (35, 40)])
        self.assertEqual(self.ranges.others(12, 31), [(25, 30)])
        self.assertEqual(self.ranges.others(30, 35), [])
        self.assertEqual(self.ranges.others(35, 40), [(35, 40)])
        self.assertEqual(self.ranges.others(5, 5), [])
        self.assertEqual(len(self.ranges), 3)

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 60), st.integers(1, 20)), max_size=30))
    def test_theyAreASetOfNumbers(self, events: list[tuple[bool, int, int]]) -> None:
        ranges = Ranges(1000, SECONDS)
        known: set[int] = set()
        for isAdded, begin, size in events:
            numbers = set(range(begin, begin + size))
            others = ranges.others(begin, begin + size)
            self.assertEqual([number for each in others for number in range(*each)], sorted(numbers - known))
            if isAdded:
                for each in others:
                    ranges.add(*each, NOW)
                known |= numbers
            else:
                taken = [
                    number for each in ranges.take(begin, begin + size, NOW) for number in range(each.begin, each.end)
                ]
                self.assertEqual(taken, sorted(known & numbers))
                known -= numbers
