"""
What a tunnel was given and may not have carried: kept for as long as it is of use, and
never more than there is room for.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from uotp.boundaries import AGAIN_SECONDS
from uotp.train import LAST_NUMBER, TRAIN_OVERHEAD_BYTES, Train
from uotp.tunnel.unacked import ASK_BYTES, MAX_KEPT_BYTES, Unacked

NOW = 1000.0
ONE = Train(3, b"onetwo")
OTHER = Train(5, b"three")
LONG = Train(1000, bytes(20_000))


class UnconfirmedTests(SynchronousTestCase):
    """
    One tunnel's.
    """

    def setUp(self) -> None:
        self.unconfirmed = Unacked()

    def test_whatIsNotConfirmedIsGivenBackWithItsNumbers(self) -> None:
        self.unconfirmed.add(LAST_NUMBER, [ONE, OTHER], NOW)
        self.unconfirmed.add(7, [OTHER], NOW)
        self.assertEqual(self.unconfirmed.take(NOW), [(LAST_NUMBER, ONE), (1, OTHER), (7, OTHER)])
        self.assertEqual((self.unconfirmed.take(NOW), self.unconfirmed.kept), ([], 0))

    def test_whatIsConfirmedIsForgotten(self) -> None:
        self.unconfirmed.add(0, [ONE, OTHER], NOW)
        self.unconfirmed.add(3, [OTHER], NOW)
        self.assertEqual(self.unconfirmed.position, 16)
        self.unconfirmed.confirm(10)
        self.assertEqual(self.unconfirmed.kept, 16 + 3 * TRAIN_OVERHEAD_BYTES)
        self.unconfirmed.confirm(11)
        self.assertEqual(self.unconfirmed.kept, 5 + TRAIN_OVERHEAD_BYTES)
        self.assertEqual(self.unconfirmed.take(NOW), [(3, OTHER)])
        self.unconfirmed.add(4, [OTHER], NOW)
        self.unconfirmed.confirm(20)
        self.assertEqual(self.unconfirmed.kept, 5 + TRAIN_OVERHEAD_BYTES)
        self.unconfirmed.confirm(21)
        self.assertEqual((self.unconfirmed.kept, self.unconfirmed.position), (0, 21))

    def test_whatIsOldIsOfNoUse(self) -> None:
        """
        It is forgotten with the rest.
        """
        self.unconfirmed.add(0, [ONE], NOW)
        self.unconfirmed.add(2, [OTHER], NOW + 0.25)
        self.assertEqual(self.unconfirmed.take(NOW + 0.25 + AGAIN_SECONDS), [(2, OTHER)])
        self.assertEqual(self.unconfirmed.take(NOW), [])

    def test_nobodyIsAskedBeforeMuchIsKept(self) -> None:
        """
        And not again before it is twice as much as what was left.
        """
        self.assertFalse(self.unconfirmed.kept >= self.unconfirmed.askAt)
        while not self.unconfirmed.kept >= self.unconfirmed.askAt:
            self.unconfirmed.add(0, [LONG], NOW)
        self.assertGreaterEqual(self.unconfirmed.kept, ASK_BYTES)
        self.assertLess(self.unconfirmed.kept, ASK_BYTES + len(LONG.payload) + TRAIN_OVERHEAD_BYTES)
        left = self.unconfirmed.kept
        self.unconfirmed.confirm(0)
        while not self.unconfirmed.kept >= self.unconfirmed.askAt:
            self.unconfirmed.add(0, [LONG], NOW)
        self.assertGreaterEqual(self.unconfirmed.kept, 2 * left)
        self.unconfirmed.confirm(self.unconfirmed.position)
        self.unconfirmed.add(0, [ONE], NOW)
        self.assertFalse(self.unconfirmed.kept >= self.unconfirmed.askAt)

    def test_whereNobodyTellsNobodyIsAskedAgain(self) -> None:
        self.unconfirmed.nobodyTells()
        for confirmed in (0, 20_000):
            for _ in range(2 * MAX_KEPT_BYTES // 20_000):
                self.unconfirmed.add(0, [LONG], NOW)
                self.assertFalse(self.unconfirmed.kept >= self.unconfirmed.askAt)
            self.unconfirmed.confirm(confirmed)
            self.unconfirmed.take(NOW)

    def test_whatIsKeptIsBounded(self) -> None:
        """
        The oldest is forgotten, and empty datagrams count.
        """
        for train in (LONG, Train(0, b"")):
            self.setUp()
            cost = len(train.payload) + TRAIN_OVERHEAD_BYTES
            for number in range(2 * MAX_KEPT_BYTES // cost):
                self.unconfirmed.add(number, [train], NOW)
                self.assertLessEqual(self.unconfirmed.kept, MAX_KEPT_BYTES)
            self.assertGreater(self.unconfirmed.kept, MAX_KEPT_BYTES - cost)
            numbers = [each for each, _ in self.unconfirmed.take(NOW)]
            self.assertEqual(numbers, list(range(number - len(numbers) + 1, number + 1)))
            self.assertEqual(len(numbers), MAX_KEPT_BYTES // cost)

    def test_aWriteThatIsTooLongIsNotKept(self) -> None:
        """
        Nothing is left of the account either.
        """
        self.unconfirmed.add(0, [LONG] * 60, NOW)
        self.assertEqual((self.unconfirmed.kept, self.unconfirmed.take(NOW)), (0, []))

    @given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 30)), max_size=40))
    def test_nothingIsForgottenThatIsNotConfirmed(self, events: list[tuple[int, int]]) -> None:
        self.setUp()
        ends: list[tuple[int, int]] = []
        confirmed = number = 0
        for trains, further in events:
            self.unconfirmed.add(number, [OTHER] * trains, NOW)
            ends += [(self.unconfirmed.position, number + index) for index in range(trains)]
            number += trains
            confirmed = min(confirmed + further, self.unconfirmed.position)
            self.unconfirmed.confirm(confirmed)
        kept = [first for first, _ in self.unconfirmed.take(NOW)]
        self.assertEqual(kept, [first for end, first in ends if end > confirmed])
