"""
What a tunnel was given and may not have carried: kept for as long as it is of use, and
never more than there is room for.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from uotp.boundaries import AGAIN_SECONDS
from uotp.process.memory import LEAST_GRANT_BYTES, FixedRoom, Memory, MemoryShare, Room
from uotp.train import LAST_NUMBER, TRAIN_OVERHEAD_BYTES, Train
from uotp.tunnel.unacked import ASK_BYTES, MAX_KEPT_BYTES, Unacked

NOW = 1000.0
ONE = Train(3, b"onetwo")
OTHER = Train(5, b"three")
LONG = Train(1000, bytes(20_000))


class UnackedTests(SynchronousTestCase):
    """
    Keep what one tunnel has sent until it is confirmed.
    """

    def setUp(self) -> None:
        self.unacked = Unacked(FixedRoom(MAX_KEPT_BYTES))

    def test_whatIsNotConfirmedIsGivenBackWithItsNumbers(self) -> None:
        self.unacked.add(LAST_NUMBER, [ONE, OTHER], NOW)
        self.unacked.add(7, [OTHER], NOW)
        self.assertEqual(self.unacked.take(NOW), [(LAST_NUMBER, ONE), (1, OTHER), (7, OTHER)])
        self.assertEqual((self.unacked.take(NOW), self.unacked.kept), ([], 0))

    def test_whatIsConfirmedIsForgotten(self) -> None:
        self.unacked.add(0, [ONE, OTHER], NOW)
        self.unacked.add(3, [OTHER], NOW)
        self.assertEqual(self.unacked.position, 16)
        self.unacked.confirm(10)
        self.assertEqual(self.unacked.kept, 16 + 3 * TRAIN_OVERHEAD_BYTES)
        self.unacked.confirm(11)
        self.assertEqual(self.unacked.kept, 5 + TRAIN_OVERHEAD_BYTES)
        self.assertEqual(self.unacked.take(NOW), [(3, OTHER)])
        self.unacked.add(4, [OTHER], NOW)
        self.unacked.confirm(20)
        self.assertEqual(self.unacked.kept, 5 + TRAIN_OVERHEAD_BYTES)
        self.unacked.confirm(21)
        self.assertEqual((self.unacked.kept, self.unacked.position), (0, 21))

    def test_whatIsOldIsOfNoUse(self) -> None:
        self.unacked.add(0, [ONE], NOW)
        self.unacked.add(2, [OTHER], NOW + 0.25)
        self.assertEqual(self.unacked.take(NOW + 0.25 + AGAIN_SECONDS), [(2, OTHER)])
        self.assertEqual(self.unacked.take(NOW), [])

    def test_whatIsOldIsForgottenWhenAsked(self) -> None:
        self.unacked.add(0, [ONE], NOW)
        self.unacked.add(2, [OTHER], NOW + 0.25)
        kept = self.unacked.kept
        self.unacked.dropStale(NOW + AGAIN_SECONDS)
        self.assertEqual(self.unacked.kept, kept)
        self.unacked.dropStale(NOW + AGAIN_SECONDS + 0.1)
        self.assertLess(self.unacked.kept, kept)
        self.assertEqual(self.unacked.take(NOW + AGAIN_SECONDS + 0.1), [(2, OTHER)])
        self.assertEqual(self.unacked.kept, 0)

    def test_whatWasSentLastCanBeTakenAlone(self) -> None:
        """
        With what lies on both sides of where it begins, and without what is too old.
        """
        for number, age in ((0, 0.0), (2, 0.0), (4, 2 * AGAIN_SECONDS), (6, 0.0)):
            self.unacked.add(number, [ONE], NOW - age)
        size = len(ONE.payload)
        self.assertEqual(self.unacked.takeBehind(4 * size, NOW), [])
        kept = self.unacked.kept
        self.assertEqual(self.unacked.takeBehind(2 * size - 1, NOW), [(2, ONE), (6, ONE)])
        self.assertEqual(self.unacked.kept, kept // 4)
        self.assertEqual(self.unacked.take(NOW), [(0, ONE)])
        self.assertEqual(self.unacked.takeBehind(0, NOW), [])

    def test_nobodyIsAskedBeforeMuchIsKept(self) -> None:
        """
        And not again before it is twice as much as what was left.
        """
        self.assertFalse(self.unacked.kept >= self.unacked.askAt)
        while not self.unacked.kept >= self.unacked.askAt:
            self.unacked.add(0, [LONG], NOW)
        self.assertGreaterEqual(self.unacked.kept, ASK_BYTES)
        self.assertLess(self.unacked.kept, ASK_BYTES + len(LONG.payload) + TRAIN_OVERHEAD_BYTES)
        left = self.unacked.kept
        self.unacked.confirm(0)
        while not self.unacked.kept >= self.unacked.askAt:
            self.unacked.add(0, [LONG], NOW)
        self.assertGreaterEqual(self.unacked.kept, 2 * left)
        self.unacked.confirm(self.unacked.position)
        self.unacked.add(0, [ONE], NOW)
        self.assertFalse(self.unacked.kept >= self.unacked.askAt)

    def test_whereNobodyTellsNobodyIsAskedAgain(self) -> None:
        self.unacked.nobodyTells()
        for confirmed in (0, 20_000):
            for _ in range(2 * MAX_KEPT_BYTES // 20_000):
                self.unacked.add(0, [LONG], NOW)
                self.assertFalse(self.unacked.kept >= self.unacked.askAt)
            self.unacked.confirm(confirmed)
            self.unacked.take(NOW)

    def test_whatIsKeptIsBounded(self) -> None:
        """
        The oldest is forgotten, and empty datagrams count.
        """
        for train in (LONG, Train(0, b"")):
            self.setUp()
            cost = len(train.payload) + TRAIN_OVERHEAD_BYTES
            for number in range(2 * MAX_KEPT_BYTES // cost):
                self.unacked.add(number, [train], NOW)
                self.assertLessEqual(self.unacked.kept, MAX_KEPT_BYTES)
            self.assertGreater(self.unacked.kept, MAX_KEPT_BYTES - cost)
            numbers = [each for each, _ in self.unacked.take(NOW)]
            self.assertEqual(numbers, list(range(number - len(numbers) + 1, number + 1)))
            self.assertEqual(len(numbers), MAX_KEPT_BYTES // cost)

    def test_aWriteThatIsTooLongIsNotKept(self) -> None:
        """
        Nothing is left of the account either.
        """
        self.unacked.add(0, [LONG] * 60, NOW)
        self.assertEqual((self.unacked.kept, self.unacked.take(NOW)), (0, []))

    def test_tunnelsThatRestTakeNoRoom(self) -> None:
        """
        Ten thousand of one owner, each of which has sent one datagram.
        """
        memory = Memory()
        share = MemoryShare(memory, self.fail)
        tunnels = [Unacked(Room(share, MAX_KEPT_BYTES)) for _ in range(10_000)]
        for each in tunnels:
            each.add(0, [Train(1400, bytes(1400))], NOW)
        self.assertTrue(all(each.kept for each in tunnels))
        self.assertEqual(memory.used, 10_000 * LEAST_GRANT_BYTES)
        for each in tunnels:
            each.confirm(each.position)
        self.assertEqual(memory.used, 0)

    @given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 30)), max_size=40))
    def test_nothingIsForgottenThatIsNotConfirmed(self, events: list[tuple[int, int]]) -> None:
        self.setUp()
        ends: list[tuple[int, int]] = []
        confirmed = number = 0
        for trains, further in events:
            self.unacked.add(number, [OTHER] * trains, NOW)
            ends += [(self.unacked.position, number + index) for index in range(trains)]
            number += trains
            confirmed = min(confirmed + further, self.unacked.position)
            self.unacked.confirm(confirmed)
        kept = [first for first, _ in self.unacked.take(NOW)]
        self.assertEqual(kept, [first for end, first in ends if end > confirmed])
