"""
Trains that came through several links, put back into the order of their numbers, as far as
the user wants that (L{uotp.order}).

A train that came early waits until the gap before it is filled.  The gap is given up when
the train has waited for as long as a train may, or when too much waits.  A datagram of the
gap that comes after that is late, and is passed on at once.

Where the order is C{OFF}, nothing waits: each gap is given up as soon as it is seen.  Where it is
C{BULK}, small datagrams that came early are passed on at once; in their place only their
numbers wait, so that neither their turn nor a copy passes them on again.  What need not wait
is never late.  In the same way trains of a light flow go ahead after a moment while the
path loses (L{Resequencer.overtake}).

When a link stands still, the sender sends through another link what was in it, and marks
it as sent again.  Of such trains, only datagrams that had not come are passed on.  If the
first link brings them after all, they are dropped.

What is passed on at one go is bounded.  The rest is owed, and the caller asks for it soon
(L{Resequencer.owes}, L{Resequencer.more}).

Pure: time comes in with each call, and the caller sets a timer for L{Resequencer.deadline}.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from heapq import heapify, heappop, heappush

from uotp.boundaries import QueueRoom
from uotp.order import AUTO_ORDER, Order, OrderMode
from uotp.session.reordering.hold import Hold
from uotp.session.reordering.ranges import Range, Ranges
from uotp.session.reordering.run import Run, bySize, runsOf
from uotp.train import HALF_NUMBERS, LAST_NUMBER, NOTHING_WAITS, Arrival, Train, countOf, datagramsWithin

MAX_HELD_BYTES = 4 * 1024 * 1024
"""
So much may wait in a session: 80 ms of a path of 400 Mbit/s.  A stranger who wants many
sessions to hold so much has to send all of it anew each time that a gap is given up.
"""

MAX_HELD_RUNS = 4096
"""
So many runs may wait in a session.  A flow of 8000 lone datagrams in a second has so many when
a train may wait for half a second; each costs some time when it is passed on.
"""

MAX_READY_TRAINS = 64
"""About so many trains are passed on at one go, which takes less than a millisecond."""

FIRST_NUMBERS = 1 << 14
"""
Who has opened a session counts from 0.  A first number that is not below this one does not
belong to the first moments of a session: the other end has kept it, and goes on.
"""

MAX_GONE = 1024
"""So many entries of the list by age may belong to trains that were passed on already."""

MAX_LOOKED_AT = 64
"""While more runs wait than this, only the first gap is looked for: the others take too long to find."""

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

    @ivar late: datagrams that came after their gap had been given up, and had to be in order.
    @ivar held: bytes that wait, overhead included.
    @ivar gapsGivenUp: how many gaps were given up.
    @ivar heldDatagrams: how many datagrams have waited, or still do.
    @ivar overtakesAt: when L{overtake} may find something again, as it said last.
    """

    def __init__(self, hold: Hold, room: QueueRoom, order: Order = AUTO_ORDER) -> None:
        """
        @param hold: how long a train may wait.
        @param room: says how many bytes may wait, overhead included.
        @param order: which trains wait.
        """
        self._nothingWaits = order.mode is OrderMode.OFF
        self._bulkWaits = order.mode is OrderMode.BULK
        self._hold = hold
        self._room = room
        self._expected: int | None = None
        self._base = 0  # the number that came first; nobody knows which of those before it have come
        self._waiting: list[Run] = []  # a heap
        self._leaving: list[Run] = []  # a heap of what waited when the peer began to count anew
        self._byAge: deque[tuple[float, int]] = NOTHING_WAITS  # when a run came, and its number; some are gone already
        self._missed = Ranges(MAX_GIVEN_UP, MISSED_SECONDS)  # gaps that were given up
        self._again = Ranges(MAX_GIVEN_UP, MISSED_SECONDS, joins=True)  # what has come that was sent again
        self._early = Ranges(MAX_HELD_RUNS + 1, math.inf, joins=True)  # what is passed on of what is ahead
        self._behindSince: float | None = None  # since when all that came was behind, and not missed
        self.late = 0
        self.held = self.gapsGivenUp = self.heldDatagrams = 0
        self._waitingDatagrams = 0
        self._waited, self._waitedAt = 0.0, 0.0  # how long datagrams have waited, all together, and until when
        self.overtakesAt = math.inf

    def passLone(self, number: int, datagrams: int) -> bool:
        """
        Take one train if it is the next and nothing waits.  This does what L{put} does with
        that train alone, without lists.

        @param number: of the train's first datagram.
        @param datagrams: how many it has.
        @return: whether the caller can pass it on; if not, nothing has changed, and L{put}
            has to take it.
        """
        if self._waiting or self._leaving:
            return False
        expected = self._expected
        if expected is None:
            if 0 < number < FIRST_NUMBERS:
                return False
            expected = self._base = number
        elif number != expected & LAST_NUMBER:
            return False
        self._expected = expected + datagrams
        self._behindSince = None
        return True

    def heldSeconds(self, now: float) -> float:
        """
        @return: how long datagrams have waited, all together.
        """
        return self._waited + self._waitingDatagrams * (now - self._waitedAt)

    def _timeIs(self, now: float) -> None:
        """
        Count how long those have waited that wait.
        """
        if self._waitingDatagrams:
            self._waited += self._waitingDatagrams * (now - self._waitedAt)
        self._waitedAt = now

    def _begin(self, number: int) -> int:
        """
        @param number: the first that comes.
        @return: the number that is expected, which is 0 in a new session.  What of a new
            session came through another link first does not make the others late then.
        """
        self._expected = self._base = 0 if number < FIRST_NUMBERS else number
        return self._expected

    @property
    def expected(self) -> int:
        """
        The number before which nothing is waited for, counted without end.
        """
        return self._expected or 0

    @property
    def owes(self) -> bool:
        """
        Whether something can be passed on that was too much at one go.
        """
        if self._leaving:
            return True
        return bool(self._waiting and self._expected is not None and self._waiting[0].number <= self._expected)

    def more(self, most: int = MAX_READY_TRAINS) -> list[Train]:
        """
        Go on with what is owed.

        @param most: about how many trains to pass on.
        @return: what can be passed on, in order.
        """
        ready: list[Train] = []
        while self._leaving and len(ready) < most:
            run = heappop(self._leaving)
            self.held -= run.cost()
            self._waitingDatagrams -= run.datagrams
            ready += run.trains
        self._room.shrink(self.held)
        if not self._leaving and self._waiting:
            self._release(ready, most)
        return ready

    def put(self, arrivals: list[Arrival], now: float) -> list[Train]:
        """
        Take trains that were not sent before.

        @param arrivals: trains as they came.
        @param now: monotonic seconds.
        @return: what can be passed on, in order.
        """
        self._timeIs(now)
        ready: list[Train] = []
        for run in runsOf(arrivals):
            expected = self._begin(run.number) if self._expected is None else self._expected
            ahead = run.number - expected & LAST_NUMBER
            if ahead < HALF_NUMBERS:
                self._takeNew(run._replace(number=expected + ahead), now, ready)
            else:
                number = expected + ahead - LAST_NUMBER - 1
                for train in run.trains:
                    assert self._expected is not None
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
            self._release(ready, len(ready) + MAX_READY_TRAINS)

    def _keep(self, run: Run, now: float, ready: list[Train]) -> None:
        """
        Let a run that is ahead wait.  Where too much waits, gaps are given up.
        """
        heappush(self._waiting, run)
        if self._byAge is NOTHING_WAITS:
            self._byAge = deque()
        self._byAge.append((now, run.number))
        self.held += run.cost()
        if run.trains:
            self.heldDatagrams += run.datagrams
            self._waitingDatagrams += run.datagrams
        self._behindSince = None
        room = self._room
        while self._waiting and (
            (self.held > room.granted and not room.reaches(self.held))
            or len(self._waiting) + len(self._leaving) > MAX_HELD_RUNS
        ):
            self._giveUp(self._waiting[0].number, ready, len(ready) + 1)

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
            self.restart()
            ready += self.more()
            self._expected = self._base = number
            self._goOn(Run(number, train.datagrams, [train]), now, ready)
            return
        if behind < end:
            self._takeNew(
                Run(behind, end - behind, [datagramsWithin(train, behind - number, end - number)]), now, ready
            )

    def _passLate(self, number: int, train: Train, parts: list[Range], ready: list[Train]) -> None:
        """
        Pass on parts of a train that is late.

        @param number: of the train's first datagram.
        @param parts: the numbers that are to be passed on.
        """
        for begin, end, _ in parts:
            late = datagramsWithin(train, begin - number, end - number)
            self._countLate([late], end - begin)
            ready.append(late)

    def _countLate(self, trains: list[Train], datagrams: int) -> None:
        """
        Count what is late of some trains.

        @param datagrams: how many datagrams they have.
        """
        if self._bulkWaits:
            self.late += sum(part.datagrams for areSmall, part in bySize(Run(0, datagrams, trains)) if not areSmall)
        elif not self._nothingWaits:
            self.late += datagrams

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
        self._timeIs(now)
        ready: list[Train] = []
        for run in runsOf(arrivals):
            expected = self._begin(run.number) if self._expected is None else self._expected
            number = expected + ((run.number - expected + HALF_NUMBERS & LAST_NUMBER) - HALF_NUMBERS)
            run = run._replace(number=number)  # noqa: PLW2901 - the same run
            end = number + run.datagrams
            behind = min(end, expected)
            if number < behind:
                missed = self._missed.take(number, behind, now)
                if number < self._base:  # what of it no other copy has brought may not have come
                    others = self._again.others(number, min(end, self._base))
                    missed[:0] = [Range(begin, last, now) for begin, last in others]
                for begin, last, _ in missed:
                    self._again.add(begin, last, now)
                    late = run.within(begin, last)
                    self._countLate(late, last - begin)
                    ready += late
            if end > behind:
                begin = max(number, behind)
                for first, last in self._again.others(begin, end):
                    self._again.add(first, last, now)
                self._takeNew(Run(begin, end - begin, run.within(begin, end)), now, ready)
        return ready

    def _takeNew(self, run: Run, now: float, ready: list[Train]) -> None:
        """
        Take a run of which nothing is behind.
        """
        if run.number == self._expected and not self._early:
            self._goOn(run, now, ready)
        elif self._nothingWaits:
            self._passOver(run, now, ready)
        elif self._bulkWaits:
            for areSmall, part in bySize(run):
                self._takePart(part, now, ready, areSmall=areSmall)
        elif self._early:
            self._takePart(run, now, ready, areSmall=False)
        else:
            self._keep(run, now, ready)

    def _passOver(self, run: Run, now: float, ready: list[Train]) -> None:
        """
        Give up the gap before a run that is ahead, and pass it on.
        """
        assert self._expected is not None
        self._missed.add(self._expected, run.number, now)
        self._expected = run.number
        self._goOn(run, now, ready)

    def _takePart(self, run: Run, now: float, ready: list[Train], *, areSmall: bool) -> None:
        """
        Take a run whose datagrams are small, and do not wait, or are not.  What was passed on
        of it already, when it was ahead or since the run came, is dropped.
        """
        assert self._expected is not None
        self._behindSince = None
        for first, end in self._early.others(run.number, run.number + run.datagrams):
            begin = max(first, self._expected)
            if begin >= end:
                continue
            part = Run(begin, end - begin, run.within(begin, end))
            if begin == self._expected:
                self._goOn(part, now, ready)
            elif areSmall:
                ready += part.trains
                self._early.add(begin, end, now)
                self._keep(Run(begin, end - begin, []), now, ready)
            else:
                self._keep(part, now, ready)

    def _release(self, ready: list[Train], most: int) -> int:
        """
        Pass on the runs that have no gap before them any more, each datagram once.

        @param most: no further run is passed on when so many trains are ready.
        @return: the same, less the runs that were passed on before, which take time as well.
        """
        assert self._expected is not None
        waiting = self._waiting
        while waiting and waiting[0].number <= self._expected and len(ready) < most:
            run = heappop(waiting)
            self.held -= run.cost()
            if run.trains:
                self._waitingDatagrams -= run.datagrams
            else:
                most -= 1
                self._early.take(run.number, run.number + run.datagrams, -math.inf)
            if run.number == self._expected:
                ready += run.trains
                self._expected += run.datagrams
            elif run.number + run.datagrams > self._expected:
                end = run.number + run.datagrams
                ready += run.within(self._expected, end)
                self._expected = end
        self._room.shrink(self.held)
        passed = min(self._expected, waiting[0].number) if waiting else self._expected
        while self._byAge and self._byAge[0][1] < passed:
            self._byAge.popleft()
        if len(self._byAge) > 2 * len(waiting) + MAX_GONE:  # the oldest may be far ahead
            self._byAge = deque(entry for entry in self._byAge if entry[1] >= passed)
        elif not self._byAge:
            self._byAge = NOTHING_WAITS
        return most

    def _giveUp(self, number: int, ready: list[Train], most: int) -> int:
        """
        Give up the gaps before a run that waits, and pass on what waited behind them.

        @param number: of the run.
        @param most: no further gap is given up when so many trains are ready.
        @return: see L{_release}.
        """
        assert self._expected is not None
        since = self._byAge[0][0]
        while self._waiting and self._waiting[0].number <= number and len(ready) < most:
            begin, self._expected = self._expected, max(self._expected, self._waiting[0].number)
            if begin < self._expected:
                self.gapsGivenUp += 1
                self._missed.add(begin, self._expected, since)
            most = self._release(ready, most)
        return most

    def expire(self, now: float, most: int = MAX_READY_TRAINS) -> list[Train]:
        """
        Give up the gaps before trains that have waited for as long as they may.

        @param most: about how many trains to pass on; ask again when there are more.
        @return: what can be passed on, in order.
        """
        self._timeIs(now)
        ready = self.more(most)
        hold = self._hold.seconds(now)
        while self._byAge and self._byAge[0][0] + hold <= now and len(ready) < most:
            most = self._giveUp(self._byAge[0][1], ready, most)
        return ready

    def deadline(self, now: float) -> float | None:
        """
        @return: when L{expire} has to be called, in monotonic seconds, or L{None}
            while nothing waits.
        """
        return self._byAge[0][0] + self._hold.seconds(now) if self._byAge else None

    @property
    def runs(self) -> int:
        """
        How many runs wait.
        """
        return len(self._waiting)

    def overtake(self, now: float, seconds: float, most: int = MAX_READY_TRAINS) -> list[Train]:
        """
        Pass on what has waited for a gap before it for long enough, though it may be filled yet.  In its place only
        numbers wait, as one run for all that follow one another.  What stands before such a train, or directly behind
        it, has waited for that gap as well.

        @param seconds: how long a train waits.
        @param most: no further run is passed on when so many trains are ready, but those that overlap the last one.
        @return: what can be passed on, in order.  It is nothing while very much waits, as that is no light flow, or
            while something is owed, which goes first.
        """
        self._timeIs(now)
        self.overtakesAt = math.inf
        if not self._byAge or len(self._waiting) > MAX_LOOKED_AT or self.owes:
            return []
        ready: list[Train] = []
        kept: list[tuple[float, Run]] = []
        at, following, passed = math.inf, -1, -1
        for knownAt, cameAt, run in self._withAges():
            end = run.number + run.datagrams
            if run.number > following:  # behind another gap
                at = knownAt + seconds
            following = max(following, end)
            if run.trains and at <= now and (len(ready) < most or run.number < passed):
                for first, last in self._early.others(run.number, end):
                    ready += run.within(first, last)
                    self._early.add(first, last, now)
                run = run._replace(trains=[])  # noqa: PLW2901 - what is left of it
                passed = max(passed, end)
            if run.trains:
                self.overtakesAt = min(self.overtakesAt, max(at, now))
            elif kept and not kept[-1][1].trains and run.number <= kept[-1][1].number + kept[-1][1].datagrams:
                since, before = kept.pop()
                end = max(end, before.number + before.datagrams)
                kept.append((min(since, cameAt), Run(before.number, end - before.number, [])))
                continue
            kept.append((cameAt, run))
        self._waiting = [run for _, run in kept]  # they are sorted, so it is a heap
        self._byAge = deque(sorted((cameAt, run.number) for cameAt, run in kept))
        self.held = sum(run.cost() for run in (*self._waiting, *self._leaving))
        self._waitingDatagrams = self._countWaiting()
        self._room.shrink(self.held)
        return ready

    def _countWaiting(self) -> int:
        return sum(run.datagrams for run in (*self._waiting, *self._leaving) if run.trains)

    def _withAges(self) -> list[tuple[float, float, Run]]:
        """
        @return: of each run that waits, in order, since when the gap before it is known, and when it came.
        """
        cameAt = {number: since for since, number in reversed(self._byAge)}
        knownAt = math.inf
        runs: list[tuple[float, float, Run]] = []
        for run in sorted(self._waiting, reverse=True):
            knownAt = min(knownAt, cameAt[run.number])
            runs.append((knownAt, cameAt[run.number], run))
        runs.reverse()
        return runs

    def gaps(self, most: int) -> list[tuple[int, int, float]]:
        """
        @param most: how many are wanted.
        @return: of the first gaps, or of the last ones where nothing waits for them: the number that is missing
            first, the number behind the last one, and since when the gap is known, in monotonic seconds.
        """
        if self._nothingWaits:
            return list(self._missed.last(most))
        if self._expected is None or not self._byAge:
            return []
        if len(self._waiting) > MAX_LOOKED_AT:
            return [(self._expected, self._waiting[0].number, self._byAge[0][0])]
        found: list[tuple[int, int, float]] = []
        expected = self._expected
        for knownAt, _, run in self._withAges():
            if run.number > expected:
                found.append((expected, run.number, knownAt))
                if len(found) == most:
                    break
            expected = max(expected, run.number + run.datagrams)
        return found

    @property
    def misses(self) -> bool:
        """
        Whether L{gaps} may find some.
        """
        return bool(self._missed if self._nothingWaits else self._waiting)

    def isMissing(self, end: int) -> bool:
        """
        @param end: the number behind a gap, as L{gaps} has told it.
        @return: whether the gap is still there: nothing of its end has come, and it is not given up.
        """
        if self._nothingWaits:
            return not self._missed.others(end - 1, end)
        return end > self.expected

    def restart(self) -> None:
        """
        Expect any number, because the peer has begun to count anew.  What waited is owed.
        """
        if self._waiting:
            assert self._expected is not None
            begin = self._expected
            for run in sorted(self._waiting):
                end = run.number + run.datagrams
                if begin < end and run.trains:  # some may have come twice
                    first = max(begin, run.number)
                    self._leaving.append(Run(first, end - first, run.within(first, end)))
                begin = max(begin, end)
            heapify(self._leaving)
            self.held = sum(run.cost() for run in self._leaving)
            self._room.shrink(self.held)
            self._waiting.clear()
            self._waitingDatagrams = self._countWaiting()
            self._byAge.clear()
            self._early.clear()
        self._missed.clear()
        self._again.clear()
        self._expected = self._behindSince = None
        self.overtakesAt = math.inf

    def checkInvariant(self) -> None:
        """
        Check what holds between any two events.

        @raise AssertionError: when it does not hold.
        """
        waiting = self._waiting
        numbers = [run.number for run in waiting]
        assert self.held == sum(run.cost() for run in (*waiting, *self._leaving))
        assert self._waitingDatagrams == self._countWaiting()
        assert not waiting or self.held <= self._room.granted
        assert not waiting or len(waiting) + len(self._leaving) <= MAX_HELD_RUNS
        assert all(numbers[(index - 1) // 2] <= number for index, number in enumerate(numbers) if index), "a heap"
        assert all(run.datagrams > 0 and len(run.trains) <= run.datagrams for run in waiting)
        assert all(countOf(run.trains) == run.datagrams for run in (*waiting, *self._leaving) if run.trains)
        assert all(run.trains for run in self._leaving), "numbers alone are owed to nobody"
        early = [run for run in waiting if not run.trains]
        first = self._expected or 0
        assert all(not self._early.others(max(run.number, first), run.number + run.datagrams) for run in early)
        assert early or not self._early, "what has been passed on holds its place"
        kept = [(run.number, run.number + run.datagrams) for run in waiting if run.trains]
        isTwice = any(self._early.others(*each) != [each] for each in kept)
        # Where bulk waits, a peer may give one number to a large datagram that waits and to a small one.
        assert self._bulkWaits or not isTwice, "what waits was not passed on"
        assert not waiting or not self._nothingWaits
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
            assert all(number > self._expected for number in numbers) or self.owes, "what is next does not wait"
