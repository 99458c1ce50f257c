"""
Datagrams that wait: for a short time, in bounded number, and counted when dropped.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from uotp.backlog import MAX_AGE_SECONDS, MAX_BYTES, TRAIN_OVERHEAD_BYTES, Backlog
from uotp.drops import Drop, Drops
from uotp.train import Train

STEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 500) | st.none()), max_size=30)
"""Seconds that pass, and then the length of a train that is put, or none: one is taken."""


def lone(payload: bytes) -> Train:
    """
    @return: a train of one datagram.
    """
    return Train(len(payload), payload)


class BacklogTests(SynchronousTestCase):
    """
    The queue of trains.
    """

    def setUp(self) -> None:
        """
        Begin with nothing dropped.
        """
        self.drops = Drops()

    def roomFor(self, trains: int, size: int) -> Backlog:
        """
        @return: a backlog for so many trains of a size, and not a byte more.
        """
        return Backlog(self.drops, maxBytes=trains * (size + TRAIN_OVERHEAD_BYTES), maxAge=10.0)

    def test_whatWaitedFirstGoesFirst(self) -> None:
        """
        Trains leave in the order in which they came, and nothing is dropped.
        """
        backlog = Backlog(self.drops)
        for payload in (b"a", b"", b"c"):
            backlog.put(lone(payload), 0.0)
        self.assertEqual(len(backlog), 3)
        taken = [backlog.take(0.0) for _ in range(4)]
        self.assertEqual(taken, [lone(b"a"), lone(b""), lone(b"c"), None])
        self.assertEqual((len(backlog), backlog.bytes), (0, 0))
        self.assertEqual(self.drops.totals, {})

    def test_theOldestMakesRoom(self) -> None:
        """
        When it is full the newest is kept: the program has long given the oldest up.
        """
        backlog = self.roomFor(2, 4)
        for payload in (b"aaaa", b"bbbb", b"cccc"):
            backlog.put(lone(payload), 0.0)
        self.assertEqual([backlog.take(0.0), backlog.take(0.0)], [lone(b"bbbb"), lone(b"cccc")])
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 1})

    def test_aLongTrainMakesAsMuchRoomAsItNeeds(self) -> None:
        """
        Several short ones may have to go for one that is long.
        """
        backlog = self.roomFor(3, 1)
        for payload in (b"a", b"b", b"c"):
            backlog.put(lone(payload), 0.0)
        backlog.put(lone(bytes(100)), 0.0)
        self.assertEqual(len(backlog), 2)
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 2})

    def test_datagramsAreCountedAndNotTrains(self) -> None:
        """
        Dropping a train of five is five datagrams fewer.
        """
        backlog = self.roomFor(1, 10)
        backlog.put(Train(2, bytes(9)), 0.0)
        backlog.put(lone(bytes(10)), 0.0)
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 5})
        backlog.take(99.0)
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 5, Drop.BACKLOG_STALE: 1})

    def test_aTrainThatNeverFitsIsDroppedItself(self) -> None:
        """
        There is no end to making room for it, and it is counted like any other.
        """
        backlog = self.roomFor(1, 10)
        backlog.put(lone(bytes(11)), 0.0)
        self.assertEqual((len(backlog), backlog.bytes), (0, 0))
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 1})

    def test_emptyDatagramsAreBoundedToo(self) -> None:
        """
        They have no bytes, and still cost memory.
        """
        backlog = Backlog(self.drops)
        for _ in range(3000):
            backlog.put(lone(b""), 0.0)
        self.assertEqual(len(backlog), MAX_BYTES // TRAIN_OVERHEAD_BYTES)
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 3000 - len(backlog)})

    def test_whatWaitedTooLongIsNotSent(self) -> None:
        """
        To the end of its time a train is of use, after that it is not.
        """
        backlog = Backlog(self.drops)
        backlog.put(lone(b"a"), 100.0)
        backlog.put(lone(b"b"), 100.5)
        backlog.put(lone(b"c"), 101.0)
        self.assertEqual(backlog.take(100.0 + MAX_AGE_SECONDS), lone(b"a"))
        self.assertEqual(backlog.take(100.75 + MAX_AGE_SECONDS), lone(b"c"))
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_STALE: 1})

    def test_whatIsStaleMakesRoomAsStale(self) -> None:
        """
        The counters tell a long wait from a crowd.
        """
        backlog = self.roomFor(1, 1)
        backlog.put(lone(b"a"), 0.0)
        backlog.put(lone(b"b"), 10.5)
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_STALE: 1})

    def test_theFirstFlightOfAFlowHasRoom(self) -> None:
        """
        Unless told otherwise it holds 150 full datagrams, and outlasts the 4 s in which a tunnel comes up.
        """
        backlog = Backlog(self.drops)
        for _ in range(150):
            backlog.put(lone(bytes(1400)), 0.0)
        self.assertIsNotNone(backlog.take(4.5))
        self.assertEqual(self.drops.totals, {})

    @settings(max_examples=100, deadline=None, database=None)
    @given(STEPS)
    def test_nothingIsLostUncounted(self, steps: list[tuple[int, int | None]]) -> None:
        """
        At every moment: put is taken, dropped or waiting, and the bounds hold.
        """
        drops = Drops()
        backlog = Backlog(drops, maxBytes=1000, maxAge=4.0)
        now = 0.0
        put = taken = 0
        for wait, size in steps:
            now += wait
            if size is None:
                taken += backlog.take(now) is not None
            else:
                put += 1
                backlog.put(lone(bytes(size)), now)
            waiting = [train for _, train in backlog._waiting]
            self.assertEqual(backlog.bytes, sum(len(one.payload) + TRAIN_OVERHEAD_BYTES for one in waiting))
            self.assertLessEqual(backlog.bytes, 1000)
            self.assertEqual(len(backlog), len(waiting))
            self.assertEqual(put, taken + len(backlog) + drops.totals.total())
            self.assertTrue(all(now - since <= 4.0 for since, _ in backlog._waiting))
