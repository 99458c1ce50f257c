"""
Statistics of several workers, as one sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from uotp.errors import PeerError
from uotp.workers.sums import Sums, flattened, gathered, namesOf


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


@dataclass(frozen=True)
class Told:
    """
    Is what a worker tells.
    """

    sessions: int
    bytes: int
    drops: Mapping[str, int]


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
        self.sums = Sums(Told, ["sessions"])

    def test_allThatWasToldLastIsAddedUp(self) -> None:
        self.assertEqual(self.sums.total(), {})
        self.sums.tell(1, {"sessions": 2, "bytes": 10})
        self.sums.tell(2, {"sessions": 3, "bytes": 20})
        self.sums.tell(1, {"sessions": 1, "bytes": 15})
        self.assertEqual(self.sums.total(), {"sessions": 4, "bytes": 35})

    def test_growthCountsFromWhatWasToldLast(self) -> None:
        """
        The next worker in the place of one that died begins with nothing.
        """
        self.assertEqual(self.sums.tell(1, {"bytes": 10}), {"bytes": 10})
        self.assertEqual(self.sums.tell(1, {"bytes": 15, "drops.TOO_LONG": 3}), {"bytes": 5, "drops.TOO_LONG": 3})
        self.sums.gone(1)
        self.assertEqual(self.sums.tell(1, {"bytes": 4}), {"bytes": 4})
        self.assertEqual(self.sums.tell(2, {"bytes": 4}), {"bytes": 4})

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

    def test_otherMappingsAreAddedUpByTheirNames(self) -> None:
        """
        As far as the names are known.
        """
        sums = Sums(Told, ["sessions"], ["refusals.REVOKED"])
        for worker in (1, 2):
            sums.tell(worker, {"refusals.REVOKED": worker})
        self.assertEqual(sums.total(), {"refusals.REVOKED": 3})
        self.assertRaises(PeerError, sums.tell, 1, {"refusals.INVENTED": 1})

    def test_whatThereIsNotIsRefused(self) -> None:
        """
        Names are not kept without a bound, and what was told before still counts.
        """
        self.sums.tell(1, {"bytes": 1})
        for wrong in ("invented", "drops.NO_SUCH", "drops", ""):
            self.assertRaises(PeerError, self.sums.tell, 1, {"bytes": 7, wrong: 1})
        self.assertEqual(self.sums.total(), {"bytes": 1})
