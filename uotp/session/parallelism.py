"""
How many of a session's tunnels may carry at once when there is more to carry than
they can.

Each tunnel is a TCP connection that takes for itself what it can get.  Where the
tunnels together fill a link, more of them only drive the queue before it to overflow
again and again: a tenth of what is sent is lost and sent twice, and all that came
behind a lost segment waits at the other end.  A few carry as much, sooner and in
order.  Where segments are lost without a queue, though, on a bad radio link, each
tunnel that carries adds to the sum.

The two can be told apart by the round trip: it is long when a queue is full.  So
halve the number while many segments are repeated and the round trip is long, double
it when the round trip is short though datagrams wait, and otherwise add one now and
then, to see.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uotp.path import PathStats

REPEATED_SHARE = 0.02
"""Of the segments sent; on a link without a queue before it, this is a bad one."""

LONG_ROUND_TRIP = 1.25
LONG_ROUND_TRIP_SECONDS = 0.003
"""
A round trip is long when it takes so many times the least that was ever seen, and so
many seconds besides, since on a short link the computers' own time is most of it.
"""

LEAST_SEGMENTS = 50
"""Of fewer than these the share that was repeated says nothing."""

HALVING_SECONDS = 1.0
"""Between two times: what was in flight before the first has to be gone."""

SHORT_SECONDS = 0.6
"""
For so long the round trip must have been short before the number is doubled: it is
short for a moment, too, whenever a queue has just been emptied.
"""

FIRST_PARALLELISM = 2
"""
With how many a heavy load begins: few enough not to overflow the queue of a slow link
at once, and in a second or two there can be eight.
"""

ADDING_SECONDS = 5.0
"""Between two times that one more is tried."""

MAX_PARALLELISM = 256
"""As many tunnels as a session can have."""


class Parallelism:
    """
    Counts how many links of one session may carry at once.

    @ivar most: how many may carry, whether or not there are as many.
    """

    def __init__(self, now: float) -> None:
        """
        @param now: monotonic seconds, as in L{judge}.
        """
        self.most = FIRST_PARALLELISM
        self._before: dict[Any, PathStats] = {}
        self._halveAt = self._addAt = self._longAt = now

    def judge(self, paths: Mapping[Any, PathStats], now: float) -> int:
        """
        To be called every fraction of a second while datagrams wait, or have waited.

        @param paths: of all links that are open.
        @return: how many may carry; all where the system does not tell.
        """
        if not paths:
            return self.reset()  # the system does not tell
        before, self._before = self._before, dict(paths)
        links = len(paths)
        sent = repeated = 0
        roundTrips = []
        for link, path in paths.items():
            earlier = before.get(link, path)
            segments = path.sent - earlier.sent & 0xFFFFFFFF
            if segments:
                sent += segments
                repeated += path.repeated - earlier.repeated & 0xFFFFFFFF
                roundTrips.append(path.roundTrip)
        if sent >= LEAST_SEGMENTS:
            least = min(path.leastRoundTrip for path in paths.values())
            if min(roundTrips) > least * LONG_ROUND_TRIP + LONG_ROUND_TRIP_SECONDS:
                self._longAt = now
                self._judgeLong(links, now, isLossy=repeated > sent * REPEATED_SHARE)
            elif now - self._longAt >= SHORT_SECONDS:
                self._longAt = now
                self.most = min(2 * self.most, MAX_PARALLELISM)
        return min(self.most, links)

    def _judgeLong(self, links: int, now: float, *, isLossy: bool) -> None:
        if isLossy:
            self._addAt = now + ADDING_SECONDS
            if now >= self._halveAt:
                self._halveAt = now + HALVING_SECONDS
                self.most = max(min(self.most, links) // 2, 1)
        elif now >= self._addAt:
            self._addAt = now + ADDING_SECONDS
            self.most = min(self.most + 1, MAX_PARALLELISM)

    def forget(self, link: Any) -> None:
        """
        A link is gone.
        """
        self._before.pop(link, None)

    def reset(self) -> int:
        """
        Let all carry: those that did have come to a standstill.

        @return: L{most}.
        """
        self.most = MAX_PARALLELISM
        return self.most
