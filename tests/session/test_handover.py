"""
What a link holds that has stopped to send, divided among others.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.session.handover import dividedAmong
from uotp.session.stickiness import FIRST_WINDOW_BYTES
from uotp.train import LAST_NUMBER, Train, bytesOf, cut

LONG = Train(1400, bytes(range(250)) * 56 * 4)
"""Forty datagrams: four times the first window."""


class DividingTests(SynchronousTestCase):
    """
    Divide trains.
    """

    def check(self, links: int, first: int = 7) -> list[int]:
        """
        Divide two trains, and find each datagram in its place.

        @return: how many bytes each link is to take.
        """
        trains = [(first, LONG), (first + 40 & LAST_NUMBER, Train(100, b"small"))]
        parts = dividedAmong(links, trains)
        found = [
            (number + index & LAST_NUMBER, datagram)
            for part in parts
            for number, train in part
            for index, datagram in enumerate(cut(train))
        ]
        sent = [datagram for _, train in trains for datagram in cut(train)]
        self.assertEqual(found, [(first + index & LAST_NUMBER, datagram) for index, datagram in enumerate(sent)])
        return [bytesOf(train for _, train in part) for part in parts]

    def test_eachTakesAFirstWindow(self) -> None:
        self.assertEqual(self.check(9), [FIRST_WINDOW_BYTES] * 4 + [5])

    def test_theLastTakesTheRest(self) -> None:
        self.assertEqual(self.check(3), [FIRST_WINDOW_BYTES] * 2 + [2 * FIRST_WINDOW_BYTES + 5])
        self.assertEqual(self.check(1), [4 * FIRST_WINDOW_BYTES + 5])

    def test_numbersBeginAnew(self) -> None:
        self.check(3, LAST_NUMBER - 3)

    def test_littleIsForOne(self) -> None:
        self.assertEqual(
            dividedAmong(5, [(0, Train(3, b"onetwo")), (2, Train(0, b""))]),
            [[(0, Train(3, b"onetwo")), (2, Train(0, b""))]],
        )

    def test_nothingIsForNobody(self) -> None:
        self.assertEqual(dividedAmong(5, []), [])

    def test_longDatagramIsNotTornApart(self) -> None:
        long = Train(60_000, bytes(60_000))
        short = Train(10, bytes(10))
        self.assertEqual(
            dividedAmong(3, [(0, short), (1, long), (2, short)]), [[(0, short)], [(1, long)], [(2, short)]]
        )
