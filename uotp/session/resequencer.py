"""
Trains that came through several tunnels, in the order of their numbers again.

A train that came early waits until the gap before it is filled, or until it has waited
for as long as a train may, or until too much waits; then the gap is given up.  What
still comes of it is late, and passed on at once.

A sender whose tunnel stands still sends again what was in it, through another, and says
so.  Of that only what was missed is passed on, and of what comes by the first tunnel after
all only what has not come again.

How long a train may wait follows what was seen: somewhat longer than the longest delay
after which a gap was filled of late, and never less than a repair takes.  A gap in what
came through TCP is almost always filled, so to wait costs nothing that a smaller number
would save, unless a tunnel has died.

Pure: time comes in with each call, and the caller sets a timer for L{Resequencer.deadline}.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from uotp.session.ranges import Range, Ranges
from uotp.train import LAST_NUMBER, TRAIN_OVERHEAD_BYTES, Arrival, Train, bytesOf, datagramsWithin

MAX_REORDER_SECONDS = 5.0
"""The longest that a user can choose: what has waited longer is of no use to anybody."""

LEAST_HOLD_SECONDS = 0.03
"""Where nothing is known of the round trip: nobody notices so short a delay."""

ROUND_TRIPS = 2.0
"""A repair takes one, and somewhat more until the loss is seen."""

FIRST_HOLD_SECONDS = 0.15
"""Before anything was seen: a repair on a path of average length."""

LONGEST_HOLD_SECONDS = 0.5
"""
A segment that was lost twice comes after 0.3 s on most paths.  After this a program
would have asked again.
"""

MARGIN = 1.5
"""So much longer than the longest delay of late may the next one be."""

REMEMBERED_PER_SECOND = 0.977
"""What was seen counts for half after thirty seconds."""

MAX_HELD_BYTES = 4 * 1024 * 1024
"""
What may wait in a session: 80 ms of a path of 400 Mbit/s.  A stranger who wants many
sessions to hold so much has to send all of it again every L{LONGEST_HOLD_SECONDS}.
"""

HALF = 1 << 31
"""A number less than this ahead is ahead; any other is behind."""

MAX_GONE = 1024
"""Trains that are gone and may still be in the list by age."""

MISSED_SECONDS = 8.0
"""After so long a gap is not filled any more: its tunnel has been given up."""

MAX_GIVEN_UP = 512
"""
Gaps remembered after they were given up, to learn from what comes late and to know what
is of use of that which was sent again; and as many ranges of the latter that have come.
"""


class Hold:
    """
    How long a train may wait.

    @ivar roundTrip: of the path, in seconds, or 0 while it is not known.
    """

    def __init__(self, now: float, fixed: float | None = None) -> None:
        """
        @param now: monotonic seconds.
        @param fixed: seconds that it may always wait; L{None} to follow what is seen.
        """
        self.roundTrip = 0.0
        self._fixed = fixed
        self._longest = FIRST_HOLD_SECONDS / MARGIN
        self._seenAt = now

    def seconds(self, now: float) -> float:
        """
        @return: how long a train may wait, as things stand.
        """
        if self._fixed is not None:
            return self._fixed
        return min(
            max(self._remembered(now) * MARGIN, LEAST_HOLD_SECONDS, self.roundTrip * ROUND_TRIPS), LONGEST_HOLD_SECONDS
        )

    def filled(self, delay: float, now: float) -> None:
        """
        A gap was filled, or would have been if it had not been given up.

        @param delay: seconds after the gap was seen.
        """
        if delay > self._remembered(now):
            self._longest, self._seenAt = min(delay, LONGEST_HOLD_SECONDS), now  # more helps nobody

    def _remembered(self, now: float) -> float:
        return self._longest * math.pow(REMEMBERED_PER_SECOND, now - self._seenAt)


class Run(NamedTuple):
    """
    Trains that came together and follow one another.

    @ivar number: of the first datagram.
    @ivar datagrams: how many there are.
    @ivar trains: all of them.
    """

    number: int
    datagrams: int
    trains: list[Train]

    def cost(self) -> int:
        """
        @return: what it takes when it waits, in bytes.
        """
        return bytesOf(self.trains) + len(self.trains) * TRAIN_OVERHEAD_BYTES

    def within(self, begin: int, end: int) -> list[Train]:
        """
        @return: its datagrams from one number to the one before another.
        """
        parts: list[Train] = []
        first = self.number
        for train in self.trains:
            last = first + train.datagrams
            if begin < last and first < end:
                parts.append(datagramsWithin(train, max(begin - first, 0), min(end, last) - first))
            first = last
        return parts


def runsOf(arrivals: Iterable[Arrival]) -> Iterator[Run]:
    """
    @return: trains as they came, those together whose numbers follow one another.
    """
    first = following = 0
    trains: list[Train] = []
    for number, train in arrivals:
        if trains and number == following & LAST_NUMBER:
            trains.append(train)
        else:
            if trains:
                yield Run(first, following - first, trains)
            first = following = number
            trains = [train]
        segment, payload = train
        size = len(payload)
        following += 1 if size <= segment else -(-size // segment)
    if trains:
        yield Run(first, following - first, trains)


class Resequencer:
    """
    What has come early, and what is expected.  Numbers are taken modulo 2^32; inside,
    they go on for ever.

    @ivar late: datagrams that came after their gap had been given up.
    @ivar held: bytes that wait, with what they cost.
    """

    def __init__(self, hold: Hold) -> None:
        """
        @param hold: how long a train may wait.
        """
        self._hold = hold
        self._expected: int | None = None
        self._base = 0  # what was expected first: of those before it nothing is known
        self._waiting: list[Run] = []  # a heap
        self._byAge: deque[tuple[float, int]] = deque()  # when a run came, and its number; some are gone already
        self._missed = Ranges(MAX_GIVEN_UP, MISSED_SECONDS)  # gaps that were given up
        self._again = Ranges(MAX_GIVEN_UP, MISSED_SECONDS)  # what has come that was sent again
        self._behindSince: float | None = None  # nothing has come but what is behind, and not missed
        self.late = 0
        self.held = 0

    def put(self, arrivals: list[Arrival], now: float) -> list[Train]:
        """
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
                    else:  # since the peer counts anew, or the run began behind
                        self._takeNew(Run(number, train.datagrams, [train]), now, ready)
                    number += train.datagrams
        return ready

    def _goOn(self, run: Run, now: float, ready: list[Train]) -> None:
        """
        The run that is expected has come.
        """
        assert self._expected is not None
        ready += run.trains
        self._expected += run.datagrams
        self._behindSince = None
        if self._waiting:
            self._hold.filled(now - self._byAge[0][0], now)
            self._release(ready)

    def _keep(self, run: Run, now: float, ready: list[Train]) -> None:
        heappush(self._waiting, run)
        self._byAge.append((now, run.number))
        self.held += run.cost()
        self._behindSince = None
        while self.held > MAX_HELD_BYTES:
            self._giveUp(self._waiting[0].number, ready)

    def _takeBehind(self, number: int, train: Train, now: float, ready: list[Train]) -> None:
        """
        A train has come whose first datagram, at least, is behind: it is late.  What of it
        has come by another tunnel, sent again, is dropped.
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
        @param number: of the train.
        @param parts: of it that are to be passed on.
        """
        for begin, end, _ in parts:
            self.late += end - begin
            ready.append(datagramsWithin(train, begin - number, end - number))

    def _countsAnew(self, now: float) -> bool:
        """
        @return: whether nothing has come but what is behind, and was not missed, for longer
            than anything may wait: then the peer counts anew.
        """
        if self._behindSince is None:
            self._behindSince = now
        return now - self._behindSince > self._hold.seconds(now)

    def putAgain(self, arrivals: list[Arrival], now: float) -> list[Train]:
        """
        Trains have come that were sent before, by another tunnel, and may have come by
        that as well, or come yet.

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
                    missed.insert(0, Range(number, min(end, self._base), now))  # who knows
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
        if run.number == self._expected:
            self._goOn(run, now, ready)
        else:
            self._keep(run, now, ready)

    def _release(self, ready: list[Train]) -> None:
        """
        Pass on what waits without a gap before it, each datagram once.
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
        if len(self._byAge) > 2 * len(waiting) + MAX_GONE:  # behind one number that is far ahead
            self._byAge = deque(entry for entry in self._byAge if entry[1] >= self._expected)

    def _giveUp(self, number: int, ready: list[Train]) -> None:
        """
        Wait no longer for what is missing before a number that waits.
        """
        assert self._expected is not None
        since = self._byAge[0][0]
        while self._waiting and self._waiting[0].number <= number:
            begin, self._expected = self._expected, self._waiting[0].number
            self._missed.add(begin, self._expected, since)
            self._release(ready)

    def expire(self, now: float) -> list[Train]:
        """
        @return: what has waited for as long as it may, and what waited for nothing but
            the same gaps, in order.
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
        Expect any number, since the peer counts anew.

        @return: what waited, in order.
        """
        ready: list[Train] = []
        if self._waiting:
            self._giveUp(max(run.number for run in self._waiting), ready)
        self._missed.clear()
        self._again.clear()
        self._expected = self._behindSince = None
        return ready
