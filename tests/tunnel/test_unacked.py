"""
What a tunnel was given and may not have carried: kept for as long as it is of use, and
never more than there is room for.
"""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from uotp.boundaries import AGAIN_SECONDS
from uotp.process.memory import LEAST_GRANT_BYTES, FixedRoom, Memory, MemoryShare, Room
from uotp.train import HALF_NUMBERS, LAST_NUMBER, TRAIN_OVERHEAD_BYTES, Train, bytesOf, cut
from uotp.tunnel.unacked import ASK_BYTES, ENTRY_TRAINS, LEAST_FOUND_BYTES, MAX_KEPT_BYTES, Unacked

NOW = 1000.0
ONE = Train(3, b"onetwo")
OTHER = Train(5, b"three")
LONG = Train(1000, bytes(20_000))


class Looked(list[Train]):
    """
    Counts how often trains are looked at.
    """

    times = 0

    def __iter__(self) -> Iterator[Train]:
        Looked.times += 1
        return super().__iter__()


class UnackedTests(SynchronousTestCase):
    """
    Keep what one tunnel has sent until it is confirmed.
    """

    def setUp(self) -> None:
        self.unacked = Unacked(FixedRoom(MAX_KEPT_BYTES))

    def test_whatIsNotConfirmedIsGivenBackWithItsNumbers(self) -> None:
        self.unacked.add(LAST_NUMBER, [ONE, OTHER], 11, NOW)
        self.unacked.add(7, [OTHER], 5, NOW)
        self.assertEqual(self.unacked.take(NOW), [(LAST_NUMBER, ONE), (1, OTHER), (7, OTHER)])
        self.assertEqual((self.unacked.take(NOW), self.unacked.kept), ([], 0))

    def test_ofManyTrainsFewAreLookedAt(self) -> None:
        """
        Whoever looks for one finds it among a few, also where the numbers wrap; all are confirmed together.
        """
        trains = [Train(4, number.to_bytes(4, "big") * 2) for number in range(3 * ENTRY_TRAINS + 1)]
        first = LAST_NUMBER - 2 * ENTRY_TRAINS - 2
        self.unacked.add(first, trains, 99, NOW)
        self.assertEqual([len(entry[2]) for entry in self.unacked._sent], [*[ENTRY_TRAINS] * 3, 1])
        self.assertEqual(self.unacked.kept, len(trains) * (8 + TRAIN_OVERHEAD_BYTES))
        for index, train in enumerate(trains):
            number = first + 2 * index & LAST_NUMBER
            self.assertEqual(self.unacked.within(number, 2, 1000), [(number, train)])
        self.unacked.confirm(98)
        self.assertEqual(len(self.unacked.within(first, 1000, 10_000)), len(trains))
        self.unacked.confirm(99)
        self.assertEqual((self.unacked.kept, self.unacked.take(NOW)), (0, []))

    def test_whatIsConfirmedIsForgotten(self) -> None:
        self.unacked.add(0, [ONE, OTHER], 11, NOW)
        self.unacked.add(3, [OTHER], 5, NOW)
        self.assertEqual(self.unacked.position, 16)
        self.unacked.confirm(10)
        self.assertEqual(self.unacked.kept, 16 + 3 * TRAIN_OVERHEAD_BYTES)
        self.unacked.confirm(11)
        self.assertEqual(self.unacked.kept, 5 + TRAIN_OVERHEAD_BYTES)
        self.assertEqual(self.unacked.take(NOW), [(3, OTHER)])
        self.unacked.add(4, [OTHER], 5, NOW)
        self.unacked.confirm(20)
        self.assertEqual(self.unacked.kept, 5 + TRAIN_OVERHEAD_BYTES)
        self.unacked.confirm(21)
        self.assertEqual((self.unacked.kept, self.unacked.position), (0, 21))

    def test_whatIsOldIsOfNoUse(self) -> None:
        self.unacked.add(0, [ONE], 6, NOW)
        self.unacked.add(2, [OTHER], 5, NOW + 0.25)
        self.assertEqual(self.unacked.take(NOW + 0.25 + AGAIN_SECONDS), [(2, OTHER)])
        self.assertEqual(self.unacked.take(NOW), [])

    def test_whatIsOldIsForgottenWhenAsked(self) -> None:
        self.unacked.add(0, [ONE], 6, NOW)
        self.unacked.add(2, [OTHER], 5, NOW + 0.25)
        kept = self.unacked.kept
        self.unacked.dropStale(NOW + AGAIN_SECONDS)
        self.assertEqual(self.unacked.kept, kept)
        self.unacked.dropStale(NOW + AGAIN_SECONDS + 0.1)
        self.assertLess(self.unacked.kept, kept)
        self.assertEqual(self.unacked.take(NOW + AGAIN_SECONDS + 0.1), [(2, OTHER)])
        self.assertEqual(self.unacked.kept, 0)

    def test_whatIsOldIsForgottenWhileMoreIsSent(self) -> None:
        """
        So a flow to which few pongs come has no more kept of it than may be sent again.
        """
        cost = len(OTHER.payload) + TRAIN_OVERHEAD_BYTES
        for number in range(100):
            self.unacked.add(number, [OTHER], 5, NOW + number * AGAIN_SECONDS / 8)
            self.assertLessEqual(self.unacked.kept, 9 * cost)
        self.assertEqual([first for first, _ in self.unacked.take(NOW + 99 * AGAIN_SECONDS / 8)], list(range(91, 100)))

    def test_whatWasSentLastCanBeTakenAlone(self) -> None:
        """
        With what lies on both sides of where it begins, and without what is too old.
        """
        for number, age in ((0, 0.0), (2, 0.0), (4, 2 * AGAIN_SECONDS), (6, 0.0)):
            self.unacked.add(number, [ONE], 6, NOW - age)
        size = len(ONE.payload)
        self.assertEqual(self.unacked.takeBehind(4 * size, NOW), [])
        kept = self.unacked.kept
        self.assertEqual(self.unacked.takeBehind(2 * size - 1, NOW), [(2, ONE), (6, ONE)])
        self.assertEqual(self.unacked.kept, kept // 4)
        self.assertEqual(self.unacked.take(NOW), [(0, ONE)])
        self.assertEqual(self.unacked.takeBehind(0, NOW), [])

    def test_whatIsMissedIsFound(self) -> None:
        """
        Those datagrams alone, in order, and it is kept all the same.
        """
        self.unacked.add(10, [ONE, OTHER], 31, NOW)
        self.unacked.add(20, [Train(2, b"aabbc")], 15, NOW)
        kept = self.unacked.kept
        for wanted, found in (
            ((0, 10), []),
            ((9, 2), [(10, Train(3, b"one"))]),
            ((11, 1), [(11, Train(3, b"two"))]),
            ((11, 9), [(11, Train(3, b"two")), (12, OTHER)]),
            ((13, 7), []),
            ((12, 9), [(12, OTHER), (20, Train(2, b"aa"))]),
            ((21, 1), [(21, Train(2, b"bb"))]),
            ((21, 99), [(21, Train(2, b"bbc"))]),
            ((22, 1), [(22, Train(1, b"c"))]),
            ((23, 1), []),
            ((0, 1 << 31), [(10, ONE), (12, OTHER), (20, Train(2, b"aabbc"))]),
        ):
            came = self.unacked.within(*wanted, 1 << 20)
            self.assertEqual(
                [(number, cut(train)) for number, train in came],
                [(number, cut(train)) for number, train in found],
                wanted,
            )
        self.assertEqual(self.unacked.kept, kept)
        self.assertEqual(len(self.unacked.take(NOW)), 3)

    def test_whatIsMissedIsFoundWhereNumbersWrap(self) -> None:
        self.unacked.add(LAST_NUMBER, [ONE, OTHER], 31, NOW)
        self.unacked.add(2, [ONE], 16, NOW)
        for wanted, found in (
            ((LAST_NUMBER, 1), [(LAST_NUMBER, [b"one"])]),
            ((0, 1), [(0, [b"two"])]),
            ((LAST_NUMBER, 3), [(LAST_NUMBER, [b"one", b"two"]), (1, [b"three"])]),
            ((1, 2), [(1, [b"three"]), (2, [b"one"])]),
            ((4, 9), []),
            ((LAST_NUMBER - 5, 5), []),
        ):
            came = self.unacked.within(*wanted, 1 << 20)
            self.assertEqual([(number, cut(train)) for number, train in came], found, wanted)

    def test_littleIsLookedAtHoweverMuchIsKept(self) -> None:
        """
        The other end decides how often something is looked for.
        """
        first = LAST_NUMBER - 1000
        for number in range(2000):
            self.unacked.add(first + 2 * number & LAST_NUMBER, Looked([OTHER]), 17, NOW)
        for wanted in (0, 1999, 3998, 3999, 1, 5000, HALF_NUMBERS, -1, -5000):
            Looked.times = 0
            found = self.unacked.within(first + wanted & LAST_NUMBER, 1, 1 << 20)
            isKept = 0 <= wanted < 4000 and not wanted % 2
            self.assertEqual(found, [(first + wanted & LAST_NUMBER, OTHER)] if isKept else [], wanted)
            self.assertLess(Looked.times, 3, wanted)
        for wanted in (HALF_NUMBERS + 2, HALF_NUMBERS + 5000, HALF_NUMBERS, 5000):
            Looked.times = 0
            self.assertEqual(self.unacked.within(first + wanted & LAST_NUMBER, LAST_NUMBER, 1 << 20), [])
            self.assertLess(Looked.times, 3, wanted)

    def test_emptyOnesAreBoundedToo(self) -> None:
        for number in range(1000):
            self.unacked.add(number, [Train(0, b"")], 12, NOW)
        self.assertEqual(len(self.unacked.within(0, 1000, 10 * LEAST_FOUND_BYTES)), 10)

    def test_noMoreOfItIsFoundThanIsWanted(self) -> None:
        """
        In bytes, by whole datagrams; but for one that is longer.
        """
        for number in range(10):
            self.unacked.add(4 * number, [Train(100, bytes(400))], 410, NOW)
        for most, datagrams in ((1, 1), (100, 1), (199, 1), (200, 2), (400, 4), (599, 5), (4000, 40), (9999, 40)):
            found = self.unacked.within(0, 40, most)
            self.assertEqual(sum(train.datagrams for _, train in found), datagrams, most)
            self.assertEqual(found[0][0], 0)

    @given(
        st.integers(0, LAST_NUMBER), st.lists(st.integers(1, 5), max_size=12), st.integers(0, 40), st.integers(1, 40)
    )
    def test_whateverIsWantedIsFound(self, first: int, trains: list[int], begin: int, count: int) -> None:
        self.setUp()
        sent: dict[int, bytes] = {}
        number = first
        for datagrams in trains:
            payload = bytes(index % 251 for index in range(len(sent), len(sent) + datagrams))
            self.unacked.add(number, [Train(1, payload)], 10 + datagrams, NOW)
            for each in cut(Train(1, payload)):
                sent[number] = each
                number = number + 1 & LAST_NUMBER
        begin = first + begin - 5 & LAST_NUMBER
        wanted = [begin + index & LAST_NUMBER for index in range(count)]
        found: list[tuple[int, bytes]] = []
        for number, train in self.unacked.within(begin, count, 1 << 20):
            found += [(number + index & LAST_NUMBER, each) for index, each in enumerate(cut(train))]
        self.assertEqual(found, [(each, sent[each]) for each in wanted if each in sent])

    def test_nobodyIsAskedBeforeMuchIsKept(self) -> None:
        """
        And not again before it is twice as much as what was left.
        """
        self.assertFalse(self.unacked.kept >= self.unacked.askAt)
        while not self.unacked.kept >= self.unacked.askAt:
            self.unacked.add(0, [LONG], len(LONG.payload), NOW)
        self.assertGreaterEqual(self.unacked.kept, ASK_BYTES)
        self.assertLess(self.unacked.kept, ASK_BYTES + len(LONG.payload) + TRAIN_OVERHEAD_BYTES)
        left = self.unacked.kept
        self.unacked.confirm(0)
        while not self.unacked.kept >= self.unacked.askAt:
            self.unacked.add(0, [LONG], len(LONG.payload), NOW)
        self.assertGreaterEqual(self.unacked.kept, 2 * left)
        self.unacked.confirm(self.unacked.position)
        self.unacked.add(0, [ONE], 6, NOW)
        self.assertFalse(self.unacked.kept >= self.unacked.askAt)

    def test_whereNobodyTellsNobodyIsAskedAgain(self) -> None:
        self.unacked.nobodyTells()
        for confirmed in (0, 20_000):
            for _ in range(2 * MAX_KEPT_BYTES // 20_000):
                self.unacked.add(0, [LONG], len(LONG.payload), NOW)
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
                self.unacked.add(number, [train], len(train.payload), NOW)
                self.assertLessEqual(self.unacked.kept, MAX_KEPT_BYTES)
            self.assertGreater(self.unacked.kept, MAX_KEPT_BYTES - cost)
            numbers = [each for each, _ in self.unacked.take(NOW)]
            self.assertEqual(numbers, list(range(number - len(numbers) + 1, number + 1)))
            self.assertEqual(len(numbers), MAX_KEPT_BYTES // cost)

    def test_ofAWriteThatIsTooLongTheLastIsKept(self) -> None:
        """
        The account is of that alone.
        """
        self.unacked.add(0, [LONG] * 60, 60 * len(LONG.payload), NOW)
        kept, trains = self.unacked.kept, [train for _, train in self.unacked.take(NOW)]
        self.assertLessEqual(kept, MAX_KEPT_BYTES)
        self.assertEqual(kept, bytesOf(trains) + len(trains) * TRAIN_OVERHEAD_BYTES)
        self.assertEqual(self.unacked.kept, 0)

    def test_tunnelsThatRestTakeNoRoom(self) -> None:
        """
        Ten thousand of one owner, each of which has sent one datagram.
        """
        memory = Memory()
        share = MemoryShare(memory, self.fail)
        tunnels = [Unacked(Room(share, MAX_KEPT_BYTES)) for _ in range(10_000)]
        for each in tunnels:
            each.add(0, [Train(1400, bytes(1400))], 1410, NOW)
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
            self.unacked.add(number, [OTHER] * trains, 5 * trains, NOW)
            ends += [(self.unacked.position, number + index) for index in range(trains)]
            number += trains
            confirmed = min(confirmed + further, self.unacked.position)
            self.unacked.confirm(confirmed)
        kept = [first for first, _ in self.unacked.take(NOW)]
        self.assertEqual(kept, [first for end, first in ends if end > confirmed])
