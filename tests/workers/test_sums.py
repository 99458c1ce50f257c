"""
Statistics of several workers, as one sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from uotp.workers.sums import MOST_NUMBERS, Sums, flattened, gathered, namesOf


@dataclass(frozen=True)
class Inner:
    """
    Has numbers.
    """

    sessions: int
    bytesIn: int


@dataclass(frozen=True)
class Outer:
    """
    Has numbers, and what has numbers.
    """

    inner: Inner
    uptime: int
    drops: Mapping[str, int]


SOME = Outer(Inner(2, 300), 7, {"TOO_LONG": 4})
FLAT = {"inner.sessions": 2, "inner.bytesIn": 300, "uptime": 7, "drops.TOO_LONG": 4}


class NamesTests(SynchronousTestCase):
    """
    Numbers get names, by which they pass from process to process.
    """

    def test_numbersHaveNames(self) -> None:
        self.assertEqual(flattened(SOME), FLAT)
        self.assertEqual(namesOf(Outer), {"inner.sessions", "inner.bytesIn", "uptime"})

    def test_namesLeadBack(self) -> None:
        self.assertEqual(gathered(Outer, FLAT), SOME)

    def test_whatIsMissingIsNothingAndWhatIsUnknownIsLeftOut(self) -> None:
        """
        A worker has told nothing yet, or too much.
        """
        self.assertEqual(gathered(Outer, {}), Outer(Inner(0, 0), 0, {}))
        self.assertEqual(gathered(Outer, {**FLAT, "outer": 1, "inner": 2, "sessions": 3, "innersessions": 4}), SOME)


class SumsTests(SynchronousTestCase):
    """
    Workers tell, and die.
    """

    def setUp(self) -> None:
        self.sums = Sums(["sessions"])

    def test_allThatWasToldLastIsAddedUp(self) -> None:
        self.assertEqual(self.sums.total(), {})
        self.sums.tell(1, {"sessions": 2, "bytes": 10})
        self.sums.tell(2, {"sessions": 3, "bytes": 20})
        self.sums.tell(1, {"sessions": 1, "bytes": 15})
        self.assertEqual(self.sums.total(), {"sessions": 4, "bytes": 35})

    def test_growthCountsFromWhatWasToldLast(self) -> None:
        """
        To ask for it changes nothing; and the next worker in the place of one that died begins with nothing.
        """
        self.sums.tell(1, {"bytes": 10})
        for _ in range(2):
            self.assertEqual(self.sums.growth(1, {"bytes": 15, "other": 3}), {"bytes": 5, "other": 3})
        self.sums.gone(1)
        self.assertEqual(self.sums.growth(1, {"bytes": 4}), {"bytes": 4})
        self.assertEqual(self.sums.growth(2, {"bytes": 4}), {"bytes": 4})

    def test_whatOneHasDoneStaysCountedWhenItIsGone(self) -> None:
        """
        Its sessions are no more, what it has carried was carried.
        """
        self.sums.tell(1, {"sessions": 2, "bytes": 10})
        self.sums.gone(1)
        self.assertEqual(self.sums.total(), {"bytes": 10})
        self.sums.gone(1)
        self.sums.tell(1, {"sessions": 1, "bytes": 1})
        self.assertEqual(self.sums.total(), {"sessions": 1, "bytes": 11})
        self.sums.gone(1)
        self.assertEqual(self.sums.total(), {"bytes": 11})

    def test_namesAreNotKeptWithoutBound(self) -> None:
        """
        Those that are known still count.
        """
        for life in range(5):
            self.sums.tell(1, {"bytes": 1, **{f"{life} {number}": 1 for number in range(MOST_NUMBERS - 1)}})
            self.sums.gone(1)
        self.assertEqual(len(self.sums.total()), MOST_NUMBERS)
        self.assertEqual(self.sums.total()["bytes"], 5)
