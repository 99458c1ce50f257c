"""
Datagrams that wait: for a short time, in bounded number, small ones first, and counted when dropped.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from uotp.process.memory import FixedRoom, Memory, MemoryShare, Room
from uotp.session.backlog import (
    MAX_AGE_SECONDS,
    MAX_BACKLOG_BYTES,
    SMALL_AGE_SECONDS,
    SMALL_BYTES,
    SMALL_TRAIN_BYTES,
    Backlog,
)
from uotp.telemetry.drops import Drop, Drops
from uotp.train import TRAIN_OVERHEAD_BYTES, Train, bytesOf, countOf, cut

ALL = 1 << 30
"""More than any backlog holds."""

BULK = SMALL_BYTES + 1
"""The smallest datagram that is not small."""

LENGTHS = st.sampled_from([0, 2, 100, SMALL_BYTES, BULK, 500])
STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.lists(st.tuples(LENGTHS, st.integers(1, 4), LENGTHS), min_size=1, max_size=3) | st.integers(1, 1500),
    ),
    max_size=20,
)
"""
Seconds that pass, and then trains that are put, each as a length, how many there are
of it and the length of one more; or how many bytes are taken at most.
"""


def lone(payload: bytes) -> Train:
    """
    @return: a train of one datagram.
    """
    return Train(len(payload), payload)


def bulk(*marks: bytes) -> Train:
    """
    @return: a train of datagrams that are not small.
    """
    return Train(BULK, b"".join(mark * BULK for mark in marks))


def marks(trains: list[Train]) -> bytes:
    """
    @return: the first byte of each datagram.
    """
    return b"".join(datagram[:1] for train in trains for datagram in cut(train))


class BacklogTests(SynchronousTestCase):
    """
    Put trains into the queue, and take them out.
    """

    def setUp(self) -> None:
        self.drops = Drops()

    def roomFor(self, trains: int, size: int) -> Backlog:
        """
        @return: a backlog for so many trains of a size, and not a byte more.
        """
        return Backlog(self.drops, FixedRoom(trains * (size + TRAIN_OVERHEAD_BYTES)), maxAge=10.0)

    def test_whatWaitedFirstGoesFirst(self) -> None:
        backlog = Backlog(self.drops, FixedRoom(MAX_BACKLOG_BYTES))
        backlog.put([lone(b"a"), lone(b"")], 0.0)
        backlog.put([lone(b"c")], 0.0)
        self.assertEqual(len(backlog), 3)
        taken = [backlog.take(0.0, 1) for _ in range(4)]
        self.assertEqual(taken, [[lone(b"a")], [lone(b"")], [lone(b"c")], []])
        self.assertEqual((len(backlog), backlog.bytes), (0, 0))
        self.assertEqual(self.drops.totals, {})

    def test_noMoreIsTakenThanIsAskedFor(self) -> None:
        backlog = Backlog(self.drops, FixedRoom(MAX_BACKLOG_BYTES))
        backlog.put([bulk(b"a", b"b", b"c"), bulk(b"d")], 0.0)
        self.assertEqual(backlog.take(0.0, 2 * BULK + 1), [bulk(b"a", b"b")])
        self.assertEqual(backlog.take(0.0, 2 * BULK), [bulk(b"c"), bulk(b"d")])
        self.assertEqual((len(backlog), backlog.bytes, self.drops.totals), (0, 0, {}))

    def test_datagramThatIsLongerThanWhatIsAskedForGoesAlone(self) -> None:
        backlog = Backlog(self.drops, FixedRoom(MAX_BACKLOG_BYTES))
        backlog.put([bulk(b"a"), bulk(b"b")], 0.0)
        self.assertEqual(backlog.take(0.0, 1), [bulk(b"a")])
        self.assertEqual(backlog.take(0.0, BULK + 1), [bulk(b"b")])

    def test_smallDatagramsGoBeforeBulk(self) -> None:
        """
        Somebody waits for them, and the bulk hardly notices.
        """
        backlog = Backlog(self.drops, FixedRoom(MAX_BACKLOG_BYTES))
        backlog.put([bulk(b"a"), lone(b"1"), bulk(b"b")], 0.0)
        backlog.put([lone(b"2" * SMALL_BYTES)], 1.0)
        self.assertEqual(marks(backlog.take(1.0, ALL)), b"12ab")

    def test_smallDatagramAtTheEndOfABulkTrainGoesBeforeItToo(self) -> None:
        """
        A sender's last acknowledgement stands behind its data by chance.
        """
        backlog = Backlog(self.drops, FixedRoom(MAX_BACKLOG_BYTES))
        backlog.put([Train(BULK, b"a" * BULK + b"b" * BULK + b"1")], 0.0)
        backlog.put([Train(BULK, b"c" * BULK + b"d" * (BULK - 1))], 0.0)
        self.assertEqual(backlog.take(0.0, ALL)[0], lone(b"1"))
        self.assertEqual(self.drops.totals, {})

    def test_smallDatagramsWaitLonger(self) -> None:
        """
        They are seldom sent again as soon as what is large.
        """
        backlog = Backlog(self.drops, FixedRoom(MAX_BACKLOG_BYTES), maxAge=0.3)
        backlog.put([bulk(b"a"), lone(b"1")], 0.0)
        self.assertEqual(marks(backlog.take(SMALL_AGE_SECONDS, ALL)), b"1")
        backlog.put([lone(b"2")], 10.0)
        self.assertEqual(backlog.take(10.0 + SMALL_AGE_SECONDS + 0.1, ALL), [])
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_STALE: 2})

    def test_longTrainOfTheSmallestDatagramsIsBulk(self) -> None:
        """
        It would stand before what is small as long as any other.
        """
        backlog = Backlog(self.drops, FixedRoom(MAX_BACKLOG_BYTES))
        many = Train(1, b"a" * (SMALL_TRAIN_BYTES + 1))
        backlog.put([many, lone(b"1")], 0.0)
        self.assertEqual(backlog.take(0.0, ALL), [lone(b"1"), many])

    def test_acknowledgementsThatComeTogetherAreSmallToo(self) -> None:
        backlog = Backlog(self.drops, FixedRoom(MAX_BACKLOG_BYTES))
        together = Train(96, bytes(96 * (SMALL_TRAIN_BYTES // 96)))
        backlog.put([bulk(b"a"), together], 0.0)
        self.assertEqual(backlog.take(0.0, ALL), [together, bulk(b"a")])

    def test_theOldestMakesRoom(self) -> None:
        """
        When it is full the newest is kept: the program has long given the oldest up.
        """
        backlog = self.roomFor(2, 4)
        for payload in (b"aaaa", b"bbbb", b"cccc"):
            backlog.put([lone(payload)], 0.0)
        self.assertEqual(backlog.take(0.0, ALL), [lone(b"bbbb"), lone(b"cccc")])
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 1})

    def test_oldestMakesRoomWhetherItIsSmallOrNot(self) -> None:
        for first, second, left in (
            ((lone(b"1"), 0.0), (bulk(b"a"), 1.0), b"ab"),
            ((bulk(b"a"), 0.0), (lone(b"1"), 1.0), b"1b"),
            ((lone(b"1"), 0.0), (bulk(b"a"), 0.0), b"1b"),
        ):
            backlog = Backlog(self.drops, FixedRoom(2 * (BULK + TRAIN_OVERHEAD_BYTES)))
            backlog.put([first[0]], first[1])
            backlog.put([second[0]], second[1])
            backlog.put([bulk(b"b")], 1.0)
            self.assertEqual(marks(backlog.take(1.0, ALL)), left)

    def test_aLongTrainMakesAsMuchRoomAsItNeeds(self) -> None:
        backlog = self.roomFor(3, 1)
        for payload in (b"a", b"b", b"c"):
            backlog.put([lone(payload)], 0.0)
        backlog.put([lone(bytes(100))], 0.0)
        self.assertEqual(len(backlog), 2)
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 2})

    def test_onlyAsManyDatagramsOfATrainAreDroppedAsMakeRoom(self) -> None:
        backlog = self.roomFor(1, 4 * BULK)
        backlog.put([bulk(b"a", b"b", b"c", b"d")], 0.0)
        backlog.put([lone(b"1")], 0.0)
        self.assertEqual(marks(backlog.take(0.0, ALL)), b"1bcd")
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 1})

    def test_aTrainThatIsTooLongLosesItsFront(self) -> None:
        backlog = self.roomFor(1, 2 * BULK)
        backlog.put([bulk(b"a", b"b", b"c")], 0.0)
        self.assertEqual(backlog.take(0.0, ALL), [bulk(b"b", b"c")])
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 1})

    def test_datagramsAreCountedAndNotTrains(self) -> None:
        backlog = self.roomFor(1, 10)
        backlog.put([Train(2, bytes(9))], 0.0)
        backlog.put([lone(bytes(10))], 0.0)
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 5})
        backlog.take(99.0, ALL)
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 5, Drop.BACKLOG_STALE: 1})

    def test_aDatagramThatNeverFitsIsDroppedItself(self) -> None:
        backlog = self.roomFor(1, 10)
        backlog.put([lone(bytes(11))], 0.0)
        self.assertEqual((len(backlog), backlog.bytes), (0, 0))
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 1})

    def test_emptyDatagramsAreBoundedToo(self) -> None:
        """
        They have no bytes, and still cost memory.
        """
        backlog = Backlog(self.drops, FixedRoom(MAX_BACKLOG_BYTES))
        for _ in range(3000):
            backlog.put([lone(b"")], 0.0)
        self.assertEqual(len(backlog), MAX_BACKLOG_BYTES // TRAIN_OVERHEAD_BYTES)
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 3000 - len(backlog)})

    def test_whatWaitedTooLongIsNotSent(self) -> None:
        """
        To the end of its time a train is of use, after that it is not, small or bulk.
        """
        for a, b, c in ((lone(b"a"), lone(b"b"), lone(b"c")), (bulk(b"a"), bulk(b"b"), bulk(b"c"))):
            drops = Drops()
            backlog = Backlog(drops, FixedRoom(MAX_BACKLOG_BYTES))
            backlog.put([a], 100.0)
            backlog.put([b], 100.5)
            backlog.put([c], 101.0)
            self.assertEqual(backlog.take(100.0 + MAX_AGE_SECONDS, 1), [a])
            self.assertEqual(backlog.take(100.75 + MAX_AGE_SECONDS, ALL), [c])
            self.assertEqual(drops.totals, {Drop.BACKLOG_STALE: 1})

    def test_roomOfWhatIsTooOldIsFree(self) -> None:
        """
        Though something waits that has come since.
        """
        memory = Memory()
        backlog = Backlog(self.drops, Room(MemoryShare(memory, self.fail), MAX_BACKLOG_BYTES))
        for _ in range(40):
            backlog.put([Train(1400, bytes(4200))], 0.0)
        self.assertGreater(memory.used, 40 * 4200)
        backlog.put([lone(b"a")], MAX_AGE_SECONDS + 0.1)
        self.assertLess(memory.used, 4200)
        backlog.dropStale(2 * MAX_AGE_SECONDS + 0.2)
        self.assertEqual((backlog.bytes, memory.used), (0, 0))

    def test_whatIsLeftOfATrainIsAsOldAsTheTrain(self) -> None:
        backlog = Backlog(self.drops, FixedRoom(2 * BULK + TRAIN_OVERHEAD_BYTES))
        backlog.put([bulk(b"a", b"b", b"c")], 0.0)
        self.assertEqual(backlog.take(MAX_AGE_SECONDS, 1), [bulk(b"b")])
        self.assertEqual(backlog.take(MAX_AGE_SECONDS + 0.1, 1), [])
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 1, Drop.BACKLOG_STALE: 1})

    def test_whatIsStaleMakesRoomAsStale(self) -> None:
        """
        The counters tell a long wait from a crowd.
        """
        backlog = self.roomFor(1, 1)
        backlog.put([lone(b"a")], 0.0)
        backlog.put([lone(b"b")], 10.5)
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_STALE: 1})

    def test_theFirstFlightOfAFlowHasRoom(self) -> None:
        """
        Unless told otherwise it holds 150 full datagrams, and outlasts the 4 s in which a tunnel comes up.
        """
        backlog = Backlog(self.drops, FixedRoom(MAX_BACKLOG_BYTES))
        for _ in range(150):
            backlog.put([lone(bytes(1400))], 0.0)
        self.assertEqual(countOf(backlog.take(4.5, ALL)), 150)
        self.assertEqual(self.drops.totals, {})

    @given(STEPS)
    def test_nothingIsLostUncounted(self, steps: list[tuple[int, list[tuple[int, int, int]] | int]]) -> None:
        """
        At every moment: put is taken, dropped or waiting, the bounds hold, and the
        order of what is small and of what is not is kept.
        """
        drops = Drops()
        backlog = Backlog(drops, FixedRoom(3000), maxAge=4.0)
        now = 0.0
        put: list[bytes] = []
        taken: list[Train] = []
        small: set[bytes] = set()
        for wait, step in steps:
            now += wait
            if isinstance(step, int):
                trains = backlog.take(now, step)
                self.assertTrue(bytesOf(trains) <= step or countOf(trains) == 1, trains)
                self.assertTrue(trains or not len(backlog))
                taken += trains
            else:
                for shape in step:
                    train = numbered(len(put), *shape)
                    datagrams = cut(train)
                    put += datagrams
                    small.update(one for one in datagrams if isSmall(one, train))
                    backlog.put([train], now)
            waiting = [*backlog._small, *backlog._bulk]
            self.assertEqual(backlog.bytes, sum(len(one.payload) + TRAIN_OVERHEAD_BYTES for _, one in waiting))
            self.assertLessEqual(backlog.bytes, 3000)
            self.assertEqual(len(backlog), len(waiting))
            self.assertEqual(len(put), countOf(taken) + countOf(one for _, one in waiting) + drops.totals.total())
            self.assertTrue(all(now - since <= 4.0 for since, _ in waiting))
        datagrams = [one for train in taken for one in cut(train) if one]
        for row in ([one for one in datagrams if one in small], [one for one in datagrams if one not in small]):
            self.assertEqual(row, sorted(row, key=put.index))


def isSmall(datagram: bytes, train: Train) -> bool:
    """
    @return: whether a datagram of a train goes before bulk.
    """
    if train.segment > SMALL_BYTES:
        return len(datagram) <= SMALL_BYTES
    return len(train.payload) <= SMALL_TRAIN_BYTES


def numbered(number: int, segment: int, count: int, last: int) -> Train:
    """
    @return: a train of C{count} datagrams, all different, and a shorter last one if that is one.
    """
    sizes = [segment] * (count if segment else 1)
    if 0 < last < segment:
        sizes.append(last)
    datagrams = [((number + place).to_bytes(2, "big") * (size // 2 + 1))[:size] for place, size in enumerate(sizes)]
    return Train(segment, b"".join(datagrams))
