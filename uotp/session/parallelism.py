"""
How many of a session's links may carry at once under overload.

Each link is a TCP connection that takes as much of the path as it can get.  Where the links
together fill the path, more of them only make the queue before its narrowest place overflow
again and again: a tenth of what is sent is lost and sent twice, and all that came behind a
lost segment waits at the other end.  Few links carry as much, sooner and in order.  But
where segments are lost without a queue, as on a bad radio path, each link that carries adds
to the sum.

What tells the two apart:

 - Many segments are repeated, and the round trip is long: a queue overflows.  The number is halved.
 - Some are repeated, and the round trip is short: the path loses by itself.  The number is doubled.
 - Otherwise what the other kernels acknowledge tells.  One link that fills the path brings as much as many do, and
   two with BBR keep each other's queue full.  So half of the links are tried while there is a queue, and they
   stay where they bring as much.  More are tried while datagrams wait, and stay where they bring more, or make no
   queue.  After a trial in vain, the next one is after a longer and longer pause.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from uotp.path import PathStats

REPEATED_SHARE = 0.02
"""A queue overflows where this share of the segments is repeated, and the round trip is long."""

LEAST_REPEATED_SHARE = 0.002
"""A path loses by itself where this share of the segments is repeated, and the round trip is short."""

LONG_ROUND_TRIP = 1.25
LONG_ROUND_TRIP_SECONDS = 0.003
"""
A round trip is long when it exceeds so many times the least of late, and so many seconds
more.  On a short path the computers' own time is most of it, which the seconds are for.
"""

QUEUE_SECONDS = 0.01
"""
There is a queue where a long round trip is so much longer than the least.  With a shorter one there is no
delay worth a trial of fewer links: on a short path what is measured is how busy the computers are.
"""

LEAST_SEGMENTS = 50
"""The repeated share of fewer segments says nothing."""

HALVING_SECONDS = 1.0
"""The time between two halvings.  What was in flight before the first has to be gone."""

STEADY_SECONDS = 0.6
"""
The round trip has to be short, or a queue to stand, for so long.  It is short for a moment whenever a queue has just
been emptied.  What is acknowledged in this time is compared, too.
"""

BRIEF_SECONDS = 0.15
"""
Where there is no queue, what is acknowledged in so short a time is compared.  That is less than the time between two
judgements, and so a heavy load on a fast path has all its links in less than a second.
"""

FIRST_PARALLELISM = 2
"""
A heavy load begins with so many links.  They are too few to overflow the queue of a slow path
at once, and in a second or two there can be eight.
"""

SETTLING_SECONDS = 0.4
SETTLING_ROUND_TRIPS = 8
"""
What another number of links brings is measured so much later.  A connection that has rested
begins with ten segments, and doubles them in each round trip.
"""

LONGEST_SETTLING_SECONDS = 4.0
"""At most so much later: a peer can make the round trip seem as long as it likes."""

GAIN = 0.05
"""Links bring more than others when they bring this share more.  Less may be chance."""

FIRST_PAUSE_SECONDS = 8.0
LONGEST_PAUSE_SECONDS = 64.0
PAUSE_GROWTH = 4
"""The pause after the first trial in vain, the longest one, and how many times as long each is as the one before."""

NO_LOAD_SECONDS = 1.0
"""Where nothing was judged for so long, no datagram has waited, and a new load begins."""

MAX_PARALLELISM = 256
"""A session can have so many links."""


class Trial(NamedTuple):
    """
    Another number of links is tried.

    @ivar before: the number before.
    @ivar rate: what was acknowledged with it, in bytes a second.
    @ivar endsAt: when it is decided.
    """

    before: int
    rate: float
    endsAt: float


class Acknowledged:
    """
    Measures how much is acknowledged.
    """

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: list[tuple[float, int]] = []  # when, and how much since the first of them

    def begin(self) -> None:
        """
        Forget what was measured.
        """
        self._sums.clear()

    def count(self, amount: int, now: float) -> None:
        """
        @param amount: bytes that were acknowledged since the last call.
        @param now: monotonic seconds.
        """
        sums = self._sums
        sums.append((now, amount + sums[-1][1] if sums else 0))
        while now - sums[0][0] > STEADY_SECONDS and now - sums[1][0] >= STEADY_SECONDS:
            del sums[0]

    def rate(self, seconds: float) -> float | None:
        """
        @param seconds: L{STEADY_SECONDS} at most.
        @return: bytes a second, over the last so many seconds or a little more; L{None} where that is not known yet.
        """
        if not self._sums:
            return None
        end, last = self._sums[-1]
        for begin, first in reversed(self._sums):
            if end - begin >= seconds:
                return (last - first) / (end - begin)
        return None


class Pause:
    """
    The time until something is tried again.

    @ivar endsAt: when it may be.
    """

    __slots__ = ("_seconds", "endsAt")

    def __init__(self, now: float) -> None:
        self.endsAt = now
        self._seconds = FIRST_PAUSE_SECONDS

    def begin(self, now: float) -> None:
        """
        It was in vain.
        """
        self.endsAt = now + self._seconds
        self._seconds = min(PAUSE_GROWTH * self._seconds, LONGEST_PAUSE_SECONDS)


class Parallelism:
    """
    Decides how many links of one session may carry at once.

    @ivar most: how many may carry, whether or not there are as many.
    """

    __slots__ = (
        "_acknowledged",
        "_before",
        "_enoughUntil",
        "_fewer",
        "_halveAt",
        "_judgedAt",
        "_longAt",
        "_more",
        "_noQueueAt",
        "_queueAt",
        "_trial",
        "most",
    )

    def __init__(self, now: float) -> None:
        """
        @param now: monotonic seconds, as in L{judge}.
        """
        self.most = FIRST_PARALLELISM
        self._before: dict[Any, PathStats] = {}
        self._acknowledged = Acknowledged()
        self._trial: Trial | None = None
        self._longAt = self._queueAt = self._noQueueAt = now  # when it was so
        self._halveAt = now
        self._begin(now)

    def _begin(self, now: float) -> None:
        """
        A load begins.
        """
        self._judgedAt = now
        self._endTrial(isKept=False)
        self._acknowledged.begin()
        self._more, self._fewer = Pause(now), Pause(now)
        self._enoughUntil = now  # fewer have brought as much

    def _endTrial(self, *, isKept: bool) -> None:
        if not isKept and self._trial is not None:
            self.most = self._trial.before
            self._acknowledged.begin()
        self._trial = None

    def judge(self, paths: Mapping[Any, PathStats], now: float) -> int:
        """
        Decide anew.  Call this a few times a second while datagrams wait or have waited.

        @param paths: what the kernel tells of each link.
        @return: how many may carry; all where the system does not tell.
        """
        if not paths:
            return self.reset()  # the system does not tell
        if now - self._judgedAt > NO_LOAD_SECONDS:
            self._begin(now)
        self._judgedAt = now
        before, self._before = self._before, dict(paths)
        sent = repeated = acknowledged = 0
        roundTrips = []
        for link, path in paths.items():
            earlier = before.get(link, path)
            acknowledged += path.acknowledged - earlier.acknowledged
            segments = path.sent - earlier.sent & 0xFFFFFFFF
            if segments:
                sent += segments
                repeated += path.repeated - earlier.repeated & 0xFFFFFFFF
                roundTrips.append(path.roundTrip)
        self._acknowledged.count(acknowledged, now)
        if sent >= LEAST_SEGMENTS:
            least = min(path.leastRoundTrip for path in paths.values())
            roundTrip = min(roundTrips)
            isLong = roundTrip > least * LONG_ROUND_TRIP + LONG_ROUND_TRIP_SECONDS
            if isLong:
                self._longAt = now
            if isLong and roundTrip - least > QUEUE_SECONDS:
                self._queueAt = now
            else:
                self._noQueueAt = now
            self._decide(len(paths), roundTrip, repeated / sent, now)
        return min(self.most, len(paths))

    def _decide(self, links: int, roundTrip: float, repeatedShare: float, now: float) -> None:
        carrying = min(self.most, links)
        if self._longAt == now and repeatedShare > REPEATED_SHARE:
            if self._trial is not None:
                self._halveAt = now + HALVING_SECONDS
                self._end(self._trial, now, moreAreBetter=False)
            elif carrying > 1 and now >= self._halveAt:
                self._halveAt = now + HALVING_SECONDS
                self.most = carrying // 2
                self._more.begin(now)
                self._acknowledged.begin()
        elif self._isLossy(repeatedShare, now):
            self._longAt = now
            self._endTrial(isKept=True)
            self.most = min(2 * self.most, MAX_PARALLELISM)
            self._acknowledged.begin()
        else:
            if self._trial is not None:
                self._compare(self._trial, now)
            if self._trial is None:
                self._tryAnother(carrying, links, roundTrip, now)

    def _tryAnother(self, carrying: int, links: int, roundTrip: float, now: float) -> None:
        isMoreDue = self.most < links and now >= self._more.endsAt
        if now - self._noQueueAt >= STEADY_SECONDS:
            if carrying > 1 and now >= self._fewer.endsAt:
                self._try(carrying // 2, STEADY_SECONDS, roundTrip, now)
            elif isMoreDue:
                self._try(self.most + 1, STEADY_SECONDS, roundTrip, now)
        elif isMoreDue and now - self._queueAt >= STEADY_SECONDS:
            self._try(2 * self.most, BRIEF_SECONDS, roundTrip, now)

    def _isLossy(self, repeatedShare: float, now: float) -> bool:
        """
        @return: whether the path loses by itself, and nothing has shown that fewer are enough.
        """
        isShort = now - self._longAt >= STEADY_SECONDS
        return isShort and repeatedShare > LEAST_REPEATED_SHARE and now >= self._enoughUntil

    def _try(self, most: int, seconds: float, roundTrip: float, now: float) -> None:
        rate = self._acknowledged.rate(seconds)
        if rate is not None:
            settling = min(max(SETTLING_SECONDS, SETTLING_ROUND_TRIPS * roundTrip), LONGEST_SETTLING_SECONDS)
            self._trial = Trial(self.most, rate, now + settling + STEADY_SECONDS)
            self.most = most
            self._acknowledged.begin()

    def _compare(self, trial: Trial, now: float) -> None:
        areMore = self.most > trial.before
        hasNoQueue = now - self._queueAt >= STEADY_SECONDS
        if areMore and hasNoQueue and self._brings(trial.rate * (1 + GAIN), BRIEF_SECONDS):
            self._endTrial(isKept=True)
        elif now >= trial.endsAt:
            enough = trial.rate * (1 + GAIN if areMore and not hasNoQueue else 1 - GAIN)
            isEnough = self._brings(enough, STEADY_SECONDS)
            if areMore and hasNoQueue and isEnough:
                self._endTrial(isKept=True)
            else:
                self._end(trial, now, moreAreBetter=areMore == isEnough)

    def _brings(self, rate: float, seconds: float) -> bool:
        measured = self._acknowledged.rate(seconds)
        return measured is not None and measured >= rate

    def _end(self, trial: Trial, now: float, *, moreAreBetter: bool) -> None:
        areFewer = self.most < trial.before
        self._endTrial(isKept=areFewer != moreAreBetter)
        if moreAreBetter:
            self._fewer.begin(now)
        else:
            self._more.begin(now)
            self._longAt = self._queueAt = self._noQueueAt = now
            if areFewer:
                self._enoughUntil = self._more.endsAt

    def rest(self, paths: Mapping[Any, PathStats], now: float) -> None:
        """
        Somebody else decides for now: take note of how the path is, in place of L{judge}.
        """
        self._before = dict(paths)
        self._longAt = self._queueAt = self._noQueueAt = now
        self._begin(now)

    def forget(self, link: Any) -> None:
        """
        A link is gone.
        """
        self._before.pop(link, None)

    def reset(self) -> int:
        """
        Let all links carry, because those that did stand still, or because the system tells
        nothing of them.

        @return: L{most}.
        """
        self._endTrial(isKept=True)
        self.most = MAX_PARALLELISM
        return self.most
