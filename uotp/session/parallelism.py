"""
How many of a session's links may carry at once under overload.

Each link is a TCP connection that takes as much of the path as it can get.  Where the links
together fill the path, more of them only make the queue before its narrowest place overflow
again and again: a tenth of what is sent is lost and sent twice, and all that came behind a
lost segment waits at the other end.  Few links carry as much, sooner and in order.  But
where segments are lost without a queue, as on a bad radio path, each link that carries adds
to the sum.

The round trip tells the two apart: it is long when a queue is full.  So the number is halved
while many segments are repeated and the round trip is long.  It is doubled when the round
trip is short though datagrams wait.  Otherwise one more link is tried now and then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uotp.path import PathStats

REPEATED_SHARE = 0.02
"""Many segments are repeated when this share of them is.  Where no queue overflows, the path is a bad one then."""

LONG_ROUND_TRIP = 1.25
LONG_ROUND_TRIP_SECONDS = 0.003
"""
A round trip is long when it exceeds so many times the least of late, and so many seconds
more.  On a short path the computers' own time is most of it, which the seconds are for.
"""

LEAST_SEGMENTS = 50
"""The repeated share of fewer segments says nothing."""

HALVING_SECONDS = 1.0
"""The time between two halvings.  What was in flight before the first has to be gone."""

SHORT_SECONDS = 0.6
"""
The number is doubled when the round trip has been short for so long.  It is short for a
moment whenever a queue has just been emptied.
"""

FIRST_PARALLELISM = 2
"""
A heavy load begins with so many links.  They are too few to overflow the queue of a slow path
at once, and in a second or two there can be eight.
"""

ADDING_SECONDS = 5.0
"""The time from trying one more link to trying the next."""

MAX_PARALLELISM = 256
"""A session can have so many links."""


class Parallelism:
    """
    Decides how many links of one session may carry at once.

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
        Decide anew.  Call this a few times a second while datagrams wait or have waited.

        @param paths: what the kernel tells of each link.
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

    def rest(self, paths: Mapping[Any, PathStats], now: float) -> None:
        """
        Somebody else decides for now: take note of how the path is, in place of L{judge}.
        """
        self._before = dict(paths)
        self._longAt = now

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
        self.most = MAX_PARALLELISM
        return self.most
