"""
How much of a session may be in flight on a slow path with a deep queue.

TCP fills the queue before the narrowest place of a path, whatever its length.  Where the path
is slow and the queue deep, a datagram then waits for seconds behind what we have sent before
it, and the flow inside never learns by a loss that it is too fast.  The round trip tells: it is
longer than the least by what the queue holds.

 1. When a load has made the round trip longer by L{LONG_QUEUE_SECONDS}, what the kernels hold of
    all links together is bounded to what the path has carried of late in the least round trip
    and L{TARGET_SECONDS}.  The rest waits in the backlog, where small datagrams go first and old
    ones are dropped: that is the loss that tells the flow inside.
    A light load is never bounded: what it has in flight makes no queue.
 2. Few links carry then: one, or two where each may still hold several segments.
 3. The bound follows the rate.  A path that becomes faster empties its queue; then more is
    acknowledged, and the bound grows with it.
 4. It is lifted when the queue has become short (L{SHORT_QUEUE_SECONDS}), when there was no load
    for a while, and when it is so high that the path is not slow at all.
 5. It is also lifted when it does not help: then others fill the queue, and whoever holds back
    only leaves the path to them; or the path itself has become longer, and there is no queue.  After
    L{OTHERS_SECONDS} it is tried again, and after twice as long each time that it does not help.

Pure: time comes in with each call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uotp.path import PathStats
from uotp.session.load.parallelism import LONG_ROUND_TRIP, LONG_ROUND_TRIP_SECONDS

STANDSTILL_SECONDS = 0.25
"""
When trains wait, and no link has taken any for so long, nor has anything been acknowledged, all links
may carry.  It is less than a train may wait.
"""

LONG_QUEUE_SECONDS = 0.5
"""A longer queue is felt by whoever talks or types, and it is longer than a link ever needs."""

LONG_FOR_SECONDS = 0.2
"""It has to be seen to be long for so long: a path may stand still for a moment."""

TARGET_SECONDS = 0.3
"""
What may wait in the queue, as time.  A link needs something there, or it is idle between two
acknowledgements.
"""

SHORT_QUEUE_SECONDS = 0.1
"""A queue that is shorter needs no bound."""

MEASURE_SECONDS = 0.5
"""
The rate is measured over so long, or over two of the least round trips where that is longer:
acknowledgements of a load that is bounded come once in a round trip.
"""

FIRST_MEASURE_SECONDS = 1.0
"""
The first time that is a round trip at least, or so long where that is longer: before that, a load has
only begun, and its rate says nothing.
"""

UNLOADED_SECONDS = 2.0
"""After so long without a judgement there was no load, and what was measured before says nothing."""

MIN_BOUND_BYTES = 4 * 1024
"""A link holds so much at least: two or three segments, so that a loss can be repaired."""

MIN_LOAD_BYTES = 8 * 1024
"""
Whoever has less in flight, which is its rate in one round trip, keeps no queue: the path has become longer, or
others fill it.  And small datagrams need much more room in a kernel than they have bytes.
"""

ANOTHER_LINK_BYTES = 32 * 1024
"""Where so much may be held, a second link carries, so that one that repairs a loss does not hold up all."""

MAX_BOUND_BYTES = 256 * 1024
"""A path that carries more in so short a time is not slow, and its connections had better do as TCP does."""

SETTLE_SECONDS = 2.0
SETTLE_ROUND_TRIPS = 2.0
"""A bound has had its effect so long after it began: what was in the queue before has to be gone."""

UNCHANGED_QUEUE_SECONDS = 0.55
"""A queue that is longer than this, and half as long as it was, has not become shorter with the bound."""

STARVED_SHARE = 0.3
"""When the rate is no more than this share of what it was, though the queue is long, others have the rest."""

SHORTENED_SHARE = 0.6
"""
What a link holds at the least may itself be a long queue where the path is very slow.  With the least
bound it is ours if it has become as much shorter as this since the bound began.
"""

OTHERS_SECONDS = 10.0
MOST_OTHERS_SECONDS = 320.0
"""
For so long nothing is bounded after others were seen to fill the queue; up to the most when that is
seen again and again.  In so long the kernel has forgotten how short the path once was.
"""


class StandingQueue:
    """
    Notices that the load of one session keeps a long queue on its path, and says how much may be in
    flight then.

    @ivar bound: bytes that the kernels may hold of all links together, or L{None} while nothing is
        bounded.
    @ivar rate: bytes that were acknowledged in a second, when it was measured last.
    @ivar movedAt: when it was last seen that anything was acknowledged, in monotonic seconds.
    @ivar roundTrip: of the link that was fastest when we looked last, in seconds; 0 while it is not
        known.
    """

    def __init__(self, now: float) -> None:
        """
        @param now: monotonic seconds, as in L{judge}.
        """
        self._judgedAt = now
        self._restUntil = now
        self._rest = OTHERS_SECONDS
        self._least: dict[Any, float] = {}  # of each link, for as long as it is there
        self.bound: int | None = None
        self.roundTrip = 0.0
        self.movedAt = now
        self._begin(now)

    def _begin(self, now: float) -> None:
        """
        Measure anew.
        """
        self.bound = None
        self._acknowledged: dict[Any, int] = {}
        self._carried = 0
        self._since = now
        self.rate = 0.0
        self._longSince: float | None = None
        self._helpedAt = now  # when the queue was last short enough
        self._worst = 0.0  # the longest queue since
        self._longest = 0.0  # the longest since the bound began
        self._boundRate = 0.0  # the rate when the bound began
        self._floor = 0  # the bound becomes no lower before it is seen to help

    @property
    def links(self) -> int:
        """
        How many links may carry while there is a bound.
        """
        return 2 if self.bound is not None and self.bound >= ANOTHER_LINK_BYTES else 1

    def isRecent(self, now: float) -> bool:
        """
        @return: whether the last judgement says how the path is now.
        """
        return now - self._judgedAt <= UNLOADED_SECONDS

    def moves(self, now: float) -> bool:
        """
        @return: whether links that take nothing more at present are slow and do not stand still: what
            they hold is being acknowledged, later than it would be without a queue.
        """
        if now - self.movedAt > max(STANDSTILL_SECONDS, self.roundTrip):
            return False
        least = min(self._least.values(), default=self.roundTrip)
        if self.bound is not None:
            return True
        rate = self.rate or self._carried / max(now - self._since, STANDSTILL_SECONDS)
        isLong = self.roundTrip > least * LONG_ROUND_TRIP + LONG_ROUND_TRIP_SECONDS
        return isLong and rate * (least + TARGET_SECONDS) <= MAX_BOUND_BYTES

    def forget(self, link: Any) -> None:
        """
        A link is gone.  It knows its session, and so us: all is freed without the garbage collector.
        """
        self._least.pop(link, None)
        self._acknowledged.pop(link, None)

    def judge(self, paths: Mapping[Any, PathStats], now: float) -> int | None:
        """
        Look at the path.  Call this a few times a second while datagrams wait or have waited.

        @param paths: what the kernel tells of each link.
        @return: the bound.
        """
        if not self.isRecent(now):
            self._begin(now)
        self._judgedAt = now
        busiest = self._count(paths)
        if busiest is None:
            return self.bound
        self.movedAt = now
        self.roundTrip = busiest.roundTrip
        least = min(self._least.values())
        queue = self.roundTrip - least
        if queue < SHORT_QUEUE_SECONDS:
            self._rest = OTHERS_SECONDS
        if self.bound is not None and queue < SHORT_QUEUE_SECONDS:
            self._begin(now)
            return None
        self._measure(least, now)
        if queue <= LONG_QUEUE_SECONDS:
            self._longSince = None
        elif self._longSince is None:
            self._longSince = now
        if self.rate:
            self._decide(queue, max(int(self.rate * (least + TARGET_SECONDS)), MIN_BOUND_BYTES), now)
        return self.bound

    def _measure(self, least: float, now: float) -> None:
        """
        Measure the rate, if enough time has passed for that.
        """
        first = 0.0 if self.rate else min(self.roundTrip, FIRST_MEASURE_SECONDS)
        if now - self._since < max(MEASURE_SECONDS, 2 * least, first):
            return
        rate = self._carried / (now - self._since)
        self.rate = (self.rate + rate) / 2 if self.rate else rate
        self._carried = 0
        self._since = now

    def _count(self, paths: Mapping[Any, PathStats]) -> PathStats | None:
        """
        Count what was acknowledged since the last look.

        @return: of the link on which most was; L{None} when nothing was.
        """
        before, self._acknowledged = self._acknowledged, {link: path.acknowledged for link, path in paths.items()}
        # The kernel forgets after some minutes, in which the queue may never have been empty.
        earlier, self._least = self._least, {}
        busiest, most = None, 0
        for link, path in paths.items():
            self._least[link] = min(path.leastRoundTrip, earlier.get(link, path.leastRoundTrip))
            carried = path.acknowledged - before.get(link, path.acknowledged)
            self._carried += carried
            if carried > most:
                busiest, most = path, carried
        return busiest

    def _decide(self, queue: float, bound: int, now: float) -> None:
        if bound > MAX_BOUND_BYTES:
            self.bound = None
        elif self.bound is None:
            isLong = self._longSince is not None and now - self._longSince >= LONG_FOR_SECONDS
            if isLong and self.rate * self.roundTrip > MIN_LOAD_BYTES:
                self._bind(bound, queue, now)
        elif self._isOfOthers(queue, now):
            self._begin(now)
            self._least.clear()  # maybe the path itself is longer than it was
            self._restUntil = now + self._rest
            self._rest = min(2 * self._rest, MOST_OTHERS_SECONDS)
        else:
            self.bound = max(bound, self._floor)

    def _bind(self, bound: int, queue: float, now: float) -> None:
        if now >= self._restUntil:
            self.bound = bound
            self._boundRate = self.rate
            self._longest = queue
            self._helped(queue, now)

    def _helped(self, queue: float, now: float) -> None:
        """
        The queue is as short as can be expected of the bound.
        """
        self._helpedAt, self._worst = now, queue
        self._floor = 0 if self.bound is None else self.bound // 2

    def _isOfOthers(self, queue: float, now: float) -> bool:
        """
        @return: whether the queue is long though we have held back for a while.
        """
        self._worst = max(self._worst, queue)
        isStarved = queue > LONG_QUEUE_SECONDS and self.rate < self._boundRate * STARVED_SHARE
        self._longest = max(self._longest, queue)
        was = SHORTENED_SHARE * self._longest if self.bound == MIN_BOUND_BYTES else self._worst / 2
        isUnchanged = queue > max(UNCHANGED_QUEUE_SECONDS, was)
        if not (isUnchanged or isStarved):
            self._helped(queue, now)
            return False
        return now - self._helpedAt >= SETTLE_SECONDS + SETTLE_ROUND_TRIPS * self._worst


def hasQueue(path: PathStats | None) -> bool:
    """
    @return: whether there is a queue on the path of a link that is worth to be looked at.
    """
    return path is not None and path.roundTrip - path.leastRoundTrip > SHORT_QUEUE_SECONDS
