"""
Trains that came through several links, put back into the order of their numbers.

A train that came early waits until the gap before it is filled.  The gap is given up when
the train has waited for as long as a train may, or when too much waits.  A datagram of the
gap that comes after that is late, and is passed on at once.

When a link stands still, the sender sends through another link what was in it, and marks
it as sent again.  Of such trains, only datagrams that had not come are passed on.  If the
first link brings them after all, they are dropped.

Pure: time comes in with each call, and the caller sets a timer for L{Resequencer.deadline}.
"""

from __future__ import annotations

from collections import Counter, deque
from heapq import heappop, heappush

from uotp.session.hold import Hold
from uotp.session.ranges import Range, Ranges
from uotp.session.run import Run, runsOf
from uotp.train import LAST_NUMBER, Arrival, Train, datagramsWithin

MAX_HELD_BYTES = 4 * 1024 * 1024
"""
So much may wait in a session: 80 ms of a path of 400 Mbit/s.  A stranger who wants many
sessions to hold so much has to send all of it anew each time that a gap is given up.
"""

HALF = 1 << 31
"""A number is ahead when it is less than this above the expected one; any other is behind."""

MAX_GONE = 1024
"""So many entries of the list by age may belong to trains that were passed on already."""

MISSED_SECONDS = 8.0
"""After so long a gap is not filled any more: its link has been given up."""

MAX_GIVEN_UP = 512
"""
So many gaps are remembered after they were given up.  How late they are filled teaches how
long to wait; and trains that fill them, though sent again, are passed on.  As many ranges
are remembered of trains that were sent again and have come.
"""


class Resequencer:
    """
    Keeps trains that came early until those before them have come or are given up.
    Numbers come modulo 2^32; in here they go on without end.

    @ivar late: datagrams that came after their gap had been given up.
    @ivar held: bytes that wait, overhead included.
    """

    def __init__(self, hold: Hold) -> None:
        """
        @param hold: how long a train may wait.
        """
        self._hold = hold
        self._expected: int | None = None
        self._base = 0  # the number that came first; nobody knows which of those before it have come
        self._waiting: list[Run] = []  # a heap
        self._byAge: deque[tuple[float, int]] = deque()  # when a run came, and its number; some are gone already
        self._missed = Ranges(MAX_GIVEN_UP, MISSED_SECONDS)  # gaps that were given up
        self._again = Ranges(MAX_GIVEN_UP, MISSED_SECONDS)  # what has come that was sent again
        self._behindSince: float | None = None  # since when all that came was behind, and not missed
        self.late = 0
        self.held = 0

    def passLone(self, number: int, datagrams: int) -> bool:
        """
        Take one train if it is the next and nothing waits.  This does what L{put} does with
        that train alone, without lists.

        @param number: of the train's first datagram.
        @param datagrams: how many it has.
        @return: whether the caller can pass it on; if not, nothing has changed, and L{put}
            has to take it.
        """
        expected = self._expected
        if expected is None:
            expected = self._base = number
        elif self._waiting or number != expected & LAST_NUMBER:
            return False
        self._expected = expected + datagrams
        self._behindSince = None
        return True

    def put(self, arrivals: list[Arrival], now: float) -> list[Train]:
        """
        Take trains that were not sent before.

        @param arrivals: trains as they came.
        @param now: monotonic seconds.
        @return: what can be passed on, in order.
        """
        ready: list[Train] = []
        for run in runsOf(arrivals):
            if self._expected is None:
                self._expected = self._base = run.number
            ahead = run.number - self._expected & LAST_NUMBER
            if ahead < HALF:
                self._takeNew(run._replace(number=self._expected + ahead), now, ready)
            else:
                number = self._expected + ahead - LAST_NUMBER - 1
                for train in run.trains:
                    if number < self._expected:
                        self._takeBehind(number, train, now, ready)
                    else:  # the peer has begun to count anew, or the run began behind
                        self._takeNew(Run(number, train.datagrams, [train]), now, ready)
                    number += train.datagrams
        return ready

    def _goOn(self, run: Run, now: float, ready: list[Train]) -> None:
        """
        Pass on the run that is expected, and what waited for it.
        """
        assert self._expected is not None
        ready += run.trains
        self._expected += run.datagrams
        self._behindSince = None
        if self._waiting:
            self._hold.filled(now - self._byAge[0][0], now)
            self._release(ready)

    def _keep(self, run: Run, now: float, ready: list[Train]) -> None:
        """
        Let a run that is ahead wait.  Where too much waits, gaps are given up.
        """
        heappush(self._waiting, run)
        self._byAge.append((now, run.number))
        self.held += run.cost()
        self._behindSince = None
        while self.held > MAX_HELD_BYTES:
            self._giveUp(self._waiting[0].number, ready)

    def _takeBehind(self, number: int, train: Train, now: float, ready: list[Train]) -> None:
        """
        Take a train of which at least the first datagram is behind.  It is late.  Its
        datagrams that were sent again and have come through another link are dropped.
        """
        assert self._expected is not None
        end = number + train.datagrams
        behind = min(end, self._expected)
        missed = self._missed.take(number, behind, now)
        for gap in missed:
            self._hold.filled(now - gap.since, now)
            self._behindSince = None
        if self._again.take(number, behind, now):
            self._passLate(number, train, missed, ready)
        elif missed or not self._countsAnew(now):
            self._passLate(number, train, [Range(number, behind, now)], ready)
        else:
            ready += self.restart()
            self._expected = self._base = number
            self._goOn(Run(number, train.datagrams, [train]), now, ready)
            return
        if behind < end:
            self._goOn(Run(behind, end - behind, [datagramsWithin(train, behind - number, end - number)]), now, ready)

    def _passLate(self, number: int, train: Train, parts: list[Range], ready: list[Train]) -> None:
        """
        Pass on parts of a train that is late.

        @param number: of the train's first datagram.
        @param parts: the numbers that are to be passed on.
        """
        for begin, end, _ in parts:
            self.late += end - begin
            ready.append(datagramsWithin(train, begin - number, end - number))

    def _countsAnew(self, now: float) -> bool:
        """
        Find out whether the peer has begun to count anew.  In that case all that comes is
        behind and was not missed, for longer than any train may wait.
        """
        if self._behindSince is None:
            self._behindSince = now
        return now - self._behindSince > self._hold.seconds(now)

    def putAgain(self, arrivals: list[Arrival], now: float) -> list[Train]:
        """
        Take trains that were sent before through another link, which may have brought them,
        or may still bring them.

        @param arrivals: trains as they came.
        @param now: monotonic seconds.
        @return: what can be passed on.
        """
        ready: list[Train] = []
        for run in runsOf(arrivals):
            if self._expected is None:
                self._expected = self._base = run.number
            number = self._expected + ((run.number - self._expected + HALF & LAST_NUMBER) - HALF)
            run = run._replace(number=number)  # noqa: PLW2901 - the same run
            end = number + run.datagrams
            behind = min(end, self._expected)
            if number < behind:
                missed = self._missed.take(number, behind, now)
                if number < self._base:
                    missed.insert(0, Range(number, min(end, self._base), now))  # it may not have come
                for begin, last, _ in missed:
                    self._again.add(begin, last, now)
                    self.late += last - begin
                    ready += run.within(begin, last)
            if end > behind:
                begin = max(number, behind)
                self._again.add(begin, end, now)
                self._takeNew(Run(begin, end - begin, run.within(begin, end)), now, ready)
        return ready

    def _takeNew(self, run: Run, now: float, ready: list[Train]) -> None:
        """
        Take a run of which nothing is behind.
        """
        if run.number == self._expected:
            self._goOn(run, now, ready)
        else:
            self._keep(run, now, ready)

    def _release(self, ready: list[Train]) -> None:
        """
        Pass on the runs that have no gap before them any more, each datagram once.
        """
        assert self._expected is not None
        waiting = self._waiting
        while waiting and waiting[0].number <= self._expected:
            run = heappop(waiting)
            self.held -= run.cost()
            if run.number == self._expected:
                ready += run.trains
                self._expected += run.datagrams
            elif run.number + run.datagrams > self._expected:
                end = run.number + run.datagrams
                ready += run.within(self._expected, end)
                self._expected = end
        while self._byAge and self._byAge[0][1] < self._expected:
            self._byAge.popleft()
        if len(self._byAge) > 2 * len(waiting) + MAX_GONE:  # the oldest may be far ahead
            self._byAge = deque(entry for entry in self._byAge if entry[1] >= self._expected)

    def _giveUp(self, number: int, ready: list[Train]) -> None:
        """
        Give up all gaps before a run that waits, and pass on what waited behind them.

        @param number: of the run.
        """
        assert self._expected is not None
        since = self._byAge[0][0]
        while self._waiting and self._waiting[0].number <= number:
            begin, self._expected = self._expected, self._waiting[0].number
            self._missed.add(begin, self._expected, since)
            self._release(ready)

    def expire(self, now: float) -> list[Train]:
        """
        Give up the gaps before trains that have waited for as long as they may.

        @return: what can be passed on, in order.
        """
        ready: list[Train] = []
        hold = self._hold.seconds(now)
        while self._byAge and self._byAge[0][0] + hold <= now:
            self._giveUp(self._byAge[0][1], ready)
        return ready

    def deadline(self, now: float) -> float | None:
        """
        @return: when L{expire} has to be called, in monotonic seconds, or L{None}
            while nothing waits.
        """
        return self._byAge[0][0] + self._hold.seconds(now) if self._byAge else None

    def restart(self) -> list[Train]:
        """
        Expect any number, because the peer has begun to count anew.

        @return: the trains that waited, in order.
        """
        ready: list[Train] = []
        if self._waiting:
            self._giveUp(max(run.number for run in self._waiting), ready)
        self._missed.clear()
        self._again.clear()
        self._expected = self._behindSince = None
        return ready

    def checkInvariant(self) -> None:
        """
        Check what holds between any two events.

        @raise AssertionError: when it does not hold.
        """
        waiting = self._waiting
        numbers = [run.number for run in waiting]
        assert self.held == sum(run.cost() for run in waiting) <= MAX_HELD_BYTES
        assert all(numbers[(index - 1) // 2] <= number for index, number in enumerate(numbers) if index), "a heap"
        assert all(run.datagrams == sum(train.datagrams for train in run.trains) > 0 for run in waiting)
        assert not Counter(numbers) - Counter(number for _, number in self._byAge), "each that waits has an age"
        assert not self._byAge or self._byAge[0][1] in numbers, "the deadline is of a run that waits"
        assert len(self._byAge) <= 2 * len(waiting) + MAX_GONE
        ages = [since for since, _ in self._byAge]
        assert ages == sorted(ages)
        assert len(self._missed) <= MAX_GIVEN_UP
        assert len(self._again) <= MAX_GIVEN_UP
        if self._expected is None:
            assert not waiting
            assert not self._missed
            assert not self._again
            assert self._behindSince is None
        else:
            assert self._base <= self._expected
            assert all(number > self._expected for number in numbers), "what is next does not wait"
