"""
What a link holds that has stopped to send, divided among others.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.sessions import MemoryLink
from uotp.path import TROUBLED, PathStats
from uotp.session.recovery.handover import dividedAmong
from uotp.session.scheduling.stalled import STALLED_SEGMENTS, isStalled, roomOf
from uotp.session.scheduling.stickiness import FIRST_WINDOW_BYTES, SEGMENT_BYTES
from uotp.train import LAST_NUMBER, Train, bytesOf, cut

LONG = Train(1400, bytes(range(250)) * 56 * 4)
"""Forty datagrams: four times the first window."""


class DividingTests(SynchronousTestCase):
    """
    Divide trains.
    """

    def check(self, rooms: list[int], first: int = 7) -> list[int]:
        """
        Divide two trains, and find each datagram in its place.

        @param rooms: see L{dividedAmong}.
        @return: how many bytes each link is to take.
        """
        trains = [(first, LONG), (first + 40 & LAST_NUMBER, Train(100, b"small"))]
        parts = dividedAmong(rooms, trains)
        found = [
            (number + index & LAST_NUMBER, datagram)
            for part in parts
            for number, train in part
            for index, datagram in enumerate(cut(train))
        ]
        sent = [datagram for _, train in trains for datagram in cut(train)]
        self.assertEqual(len(found), len(sent))
        self.assertEqual(dict(found), {first + index & LAST_NUMBER: datagram for index, datagram in enumerate(sent)})
        return [bytesOf(train for _, train in part) for part in parts]

    def test_eachTakesAsMuchAsItMaySend(self) -> None:
        self.assertEqual(self.check([FIRST_WINDOW_BYTES] * 9), [FIRST_WINDOW_BYTES] * 4 + [5])
        self.assertEqual(self.check([3 * FIRST_WINDOW_BYTES, 5600, 2800, 1400]), [42_000 + 4205, 5600, 2800, 1400])
        self.assertEqual(self.check([100_000, 1400]), [4 * FIRST_WINDOW_BYTES + 5])

    def test_theFirstTakesTheRest(self) -> None:
        """
        It may send most.
        """
        takes = [2 * FIRST_WINDOW_BYTES + 5, FIRST_WINDOW_BYTES, FIRST_WINDOW_BYTES]
        self.assertEqual(self.check([FIRST_WINDOW_BYTES] * 3), takes)
        self.assertEqual(self.check([1]), [4 * FIRST_WINDOW_BYTES + 5])

    def test_numbersBeginAnew(self) -> None:
        self.check([FIRST_WINDOW_BYTES] * 3, LAST_NUMBER - 3)

    def test_littleIsForOne(self) -> None:
        self.assertEqual(
            dividedAmong([FIRST_WINDOW_BYTES] * 5, [(0, Train(3, b"onetwo")), (2, Train(0, b""))]),
            [[(0, Train(3, b"onetwo")), (2, Train(0, b""))]],
        )

    def test_nothingIsForNobody(self) -> None:
        self.assertEqual(dividedAmong([1] * 5, []), [])

    def test_longDatagramIsNotTornApart(self) -> None:
        long = Train(60_000, bytes(60_000))
        short = Train(10, bytes(10))
        self.assertEqual(
            dividedAmong([FIRST_WINDOW_BYTES] * 3, [(0, short), (1, long), (2, short)]),
            [[(0, short)], [(1, long)], [(2, short)]],
        )


class StalledTests(SynchronousTestCase):
    """
    Tell a link that BBR has stopped.
    """

    def check(self, window: int, pacingRate: float, *, isWaiting: bool = True) -> bool:
        path = PathStats(0, 0, 0.1, 0.1, isWaiting=isWaiting, window=window, pacingRate=int(pacingRate))
        return isStalled(path)

    def test_itsWindowIsSmallThoughItKnowsAFastPace(self) -> None:
        self.assertTrue(self.check(STALLED_SEGMENTS, 1_000_000))
        self.assertTrue(self.check(STALLED_SEGMENTS, 0), "the pace is not known")
        self.assertFalse(self.check(STALLED_SEGMENTS + 1, 1_000_000))
        self.assertFalse(self.check(0, 1_000_000), "the window is not known")
        self.assertFalse(self.check(STALLED_SEGMENTS, 1_000_000, isWaiting=False))
        self.assertFalse(isStalled(None))

    def test_oneThatHasBecomeSlowByItsLossesIsNotStopped(self) -> None:
        """
        CUBIC paces twice what the window holds.
        """
        self.assertFalse(self.check(STALLED_SEGMENTS, 2 * STALLED_SEGMENTS * SEGMENT_BYTES / 0.1))


class RoomTests(SynchronousTestCase):
    """
    How much a link may send at once.
    """

    def check(self, window: int, *, isWaiting: bool = False, cost: int = 0) -> int:
        link = MemoryLink()
        link.stands = PathStats(0, 0, 0.1, 0.1, isWaiting=isWaiting, window=window)
        link.costs = cost
        return roomOf(link)

    def test_whatItsWindowHolds(self) -> None:
        self.assertEqual(self.check(10), FIRST_WINDOW_BYTES)
        self.assertEqual(self.check(350), 350 * SEGMENT_BYTES)
        self.assertEqual(self.check(STALLED_SEGMENTS + 1), (STALLED_SEGMENTS + 1) * SEGMENT_BYTES)

    def test_halfOfThatWhileSomethingIsUnderWay(self) -> None:
        """
        And nothing where that is little: it may be in flight already.
        """
        self.assertEqual(self.check(350, isWaiting=True), 175 * SEGMENT_BYTES)
        self.assertEqual(self.check(20, isWaiting=True), FIRST_WINDOW_BYTES)
        self.assertEqual(self.check(19, isWaiting=True), 0)

    def test_whereTheWindowIsNotKnown(self) -> None:
        self.assertEqual(self.check(0), FIRST_WINDOW_BYTES)
        self.assertEqual(self.check(0, isWaiting=True), 0)

    def test_nothingThroughOneThatIsStalledItself(self) -> None:
        self.assertEqual(self.check(STALLED_SEGMENTS), 0)

    def test_nothingWhileSomethingIsUnsent(self) -> None:
        self.assertEqual(self.check(350, cost=1), 0)
        self.assertEqual(self.check(350, cost=TROUBLED), 0)
        self.assertEqual(roomOf(MemoryLink()), 0)
