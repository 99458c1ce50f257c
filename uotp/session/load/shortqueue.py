"""
Keeps the queue on the path short while small datagrams go beside bulk.

Bulk for which the path is too narrow fills the queue before its narrowest place, and TCP lets it:
a queue of one round trip is what BBR needs, and as much as there is what CUBIC takes.  Whatever is
sent beside it passes the same queue, and is lost when the queue overflows.  But the path carries as
much with a queue of a few milliseconds.  So as long as small datagrams come while bulk waits, one
link carries the bulk, and its kernel is told how fast it may send:

 1. Where the queue is longer than L{MOST_WANTED_SECONDS}, a little slower than the path has carried
    of late, so that it is short after L{EMPTYING_SECONDS}.
 2. Where it is shorter than L{LEAST_WANTED_SECONDS}, a little faster than before, and faster each
    time: so a path that becomes faster is found out.
 3. Between the two, as fast as before.

What the kernel would send on its own is never more than before.  So nobody else has less of the path.
But where others fill the queue, or what looks like a queue is none, whoever sends less only leaves
the path to them.  That is seen when the queue does not become short.  Then all is as it was, for
L{GIVEN_UP_SECONDS}, and for twice as long each time that it is seen again.  It is also given up when
the one link does not use what it may, since it is held up by losses that no queue has caused.

Pure: time comes in with each call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from uotp.path import PathStats
from uotp.session.scheduling.stalled import isStalled

BESIDE_WITHIN_SECONDS = 2.0
BESIDE_TIMES = 4
"""
Small datagrams go beside bulk when they have come so often in so long a time, while bulk waited:
a voice, key strokes, acknowledgements, but not a lone question.
"""

STEP_SECONDS = 0.1
"""
The time between two judgements, or a round trip where that is longer: what was decided before has to
be seen in the round trip.
"""

FELT_SECONDS = 0.012
MOST_WANTED_SECONDS = 0.008
LEAST_WANTED_SECONDS = 0.004
"""
A queue is worth to be shortened, long, and short.  The kernel wakes us a millisecond late, and a busy
computer some more; a delay of ten is not felt by anybody.
"""

LONG_SEGMENTS = 6
FULL_SEGMENT_BYTES = 1500
"""
On a slow path a queue of so many segments is short, however long it takes to send them: TCP sends several
at once.
"""

MIN_RATE = 250_000
"""
In bytes a second.  On a slower path a lone segment is a queue that is felt, and what is in flight is a few
of them: L{uotp.session.load.standingqueue} is for that.
"""

EMPTYING_SECONDS = 0.3
MOST_CUT = 0.3
"""
What is in the queue is to be gone after about so long, but no more than such a share of the rate is
given up for that.
"""

LEAST_CARRIED = 0.85
"""No less than this share of the rate is taken to be carried: while a loss is repaired, less is acknowledged."""

FIRST_GROWTH = 0.01
SLOW_STEPS = 4
MOST_GROWTH = 0.25
"""
By so much the rate grows from one judgement to the next: at first, which makes a queue of a millisecond,
for so many judgements; then by twice as much each time, up to the last.
"""

SHORTENING_SECONDS = 1.5
SHORTENING_ROUND_TRIPS = 4
"""After so long, and so many round trips, a queue of ours is short."""

LEFT_SHARE = 0.4
LEFT_SECONDS = 0.4
"""
When we have had less than this share of what we had while the queue was short, for so long and a round
trip, others have the rest.  For a shorter time that is so while a loss is repaired.
"""

UNUSED_SHARE = 0.7
UNUSED_SECONDS = 1.0
"""
When no more than this share of the rate is used for so long, though bulk waits, the link is held up by
something else.
"""

GIVEN_UP_SECONDS = 10.0
MOST_GIVEN_UP_SECONDS = 300.0
"""For so long nothing is tried again when it has not helped; the second is for when it never helps."""

STALLS_SECONDS = 0.1
"""
The shortest time between two changes of the link that carries.  BBR may stop the new one soon after
the other: what it knows of the path is as old.
"""

NOTHING_WAITS_SECONDS = 1.0
"""After so long without anything that waits there is no load that has to be slowed down."""


class ShortQueue:
    """
    Notices that small datagrams go beside bulk that fills the path, and says how fast the bulk may be
    sent then.

    @ivar rate: in bytes a second; L{None} while it may be as fast as TCP likes.
    @ivar judgeAt: when L{judge} is to be called next, in monotonic seconds; infinite while no small
        datagrams come.
    """

    def __init__(self, now: float) -> None:
        """
        @param now: monotonic seconds, as in the other methods.
        """
        self.rate: int | None = None
        self.judgeAt = math.inf
        self._small: list[float] = []  # when there were small datagrams, the last few times
        self._waitedAt = -math.inf
        self._acknowledged: dict[Any, int] = {}
        self._judgedAt = self._stallAt = now
        self._restUntil = now
        self._rest = GIVEN_UP_SECONDS
        self._growth = FIRST_GROWTH
        self._grown = 0
        self._shortAt = self._usedAt = self._enoughAt = now
        self._had = 0.0  # the rate when the queue was short

    def waits(self, now: float, *, small: bool) -> None:
        """
        Something came while no link took anything.

        @param small: whether there were small datagrams in it.
        """
        self._waitedAt = now
        if small:
            self._small = [*self._small[1 - BESIDE_TIMES :], now]
            if self.judgeAt == math.inf and self._isBeside(now):
                self.judgeAt = now

    def _isBeside(self, now: float) -> bool:
        return len(self._small) == BESIDE_TIMES and now - self._small[0] <= BESIDE_WITHIN_SECONDS

    def forget(self, link: Any) -> None:
        """
        A link is gone.  It knows its session, and so us: all is freed without the garbage collector.
        """
        self._acknowledged.pop(link, None)

    def stop(self) -> None:
        """
        Slow nothing down any more, until small datagrams come again.
        """
        self.rate = None
        self.judgeAt = math.inf
        self._acknowledged.clear()
        self._small.clear()

    @property
    def watches(self) -> bool:
        """
        Whether small datagrams go beside bulk, so that the path has to be looked at.
        """
        return self.judgeAt != math.inf

    def isStalled(self, path: PathStats | None, now: float) -> bool:
        """
        @param path: of the link that carries.
        @return: whether it sends nearly nothing for a while, so that another one had better carry.
        """
        if self.rate is None or now < self._stallAt or not isStalled(path):
            return False
        self._stallAt = now + STALLS_SECONDS
        return True

    def judge(self, paths: Mapping[Any, PathStats], now: float) -> int | None:
        """
        Look at the path.  Call this when it is time, see L{judgeAt}.

        @param paths: what the kernel tells of each link.
        @return: the rate.
        """
        isFirst = not self._acknowledged
        elapsed, self._judgedAt = now - self._judgedAt, now
        busiest, carried = self._count(paths)
        roundTrip = 0.0 if busiest is None else busiest.roundTrip
        self.judgeAt = now + max(STEP_SECONDS, roundTrip)
        if not self._isBeside(now) or now - self._waitedAt > NOTHING_WAITS_SECONDS:
            self.stop()
        elif busiest is not None and not isFirst:
            queue = roundTrip - min(path.leastRoundTrip for path in paths.values())
            self._follow(queue, roundTrip, carried / elapsed, now)
        return self.rate

    def _count(self, paths: Mapping[Any, PathStats]) -> tuple[PathStats | None, int]:
        """
        @return: the link on which most was acknowledged since the last look, and how much was in all.
        """
        before, self._acknowledged = self._acknowledged, {link: path.acknowledged for link, path in paths.items()}
        busiest, most, total = None, 0, 0
        for link, path in paths.items():
            carried = path.acknowledged - before.get(link, path.acknowledged)
            total += carried
            if carried > most:
                busiest, most = path, carried
        return busiest, total

    def _follow(self, queue: float, roundTrip: float, carried: float, now: float) -> None:
        slow = LONG_SEGMENTS * FULL_SEGMENT_BYTES / max(carried, 1.0)
        if self.rate is None:
            if queue > max(FELT_SECONDS, slow) and carried >= MIN_RATE and now >= self._restUntil:
                self._shortAt = self._usedAt = self._enoughAt = now
                self._had = carried
                self._cut(queue, carried)
        elif queue > max(MOST_WANTED_SECONDS, slow):
            self._cut(queue, carried)
            if carried >= max(LEFT_SHARE * self._had, MIN_RATE):
                self._enoughAt = now
            hasSettled = now - self._shortAt > SHORTENING_SECONDS + SHORTENING_ROUND_TRIPS * roundTrip
            if hasSettled or now - self._enoughAt >= LEFT_SECONDS + roundTrip:
                self._giveUp(now)
        else:
            self._shortAt = self._enoughAt = now
            self._had = carried
            self._grow(queue, carried, now)

    def _cut(self, queue: float, carried: float) -> None:
        share = min((queue - LEAST_WANTED_SECONDS) / EMPTYING_SECONDS, MOST_CUT)
        before = carried if self.rate is None else self.rate
        carried = min(max(carried, before * LEAST_CARRIED), before)
        self.rate = int(carried * (1 - share))
        self._growth = FIRST_GROWTH
        self._grown = 0

    def _grow(self, queue: float, carried: float, now: float) -> None:
        assert self.rate is not None
        if carried >= UNUSED_SHARE * self.rate:
            self._usedAt = now
            self._rest = GIVEN_UP_SECONDS
            if queue < LEAST_WANTED_SECONDS:
                self.rate = max(self.rate, int(carried * (1 + self._growth)))
                self._grown += 1
                if self._grown >= SLOW_STEPS:
                    self._growth = min(2 * self._growth, MOST_GROWTH)
        elif now - self._usedAt >= UNUSED_SECONDS:
            self._giveUp(now)

    def _giveUp(self, now: float) -> None:
        """
        It does not help.
        """
        self.rate = None
        self._restUntil = now + self._rest
        self._rest = min(2 * self._rest, MOST_GIVEN_UP_SECONDS)
