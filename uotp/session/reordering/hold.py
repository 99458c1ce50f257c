"""
How long a train that came early waits for those before it.

The wait follows what was seen: it is somewhat longer than the longest delay after which a
gap was filled of late, and never shorter than a repair takes.  Almost every gap in what
came through TCP is filled in the end.  So a wait that is longer than necessary costs
nothing, unless a tunnel has died.

Pure: time comes in with each call.
"""

from __future__ import annotations

import math
from collections.abc import Callable

LEAST_HOLD_SECONDS = 0.03
"""The shortest wait, where the round trip is short or not known.  Nobody notices so short a wait."""

ROUND_TRIPS = 2.0
"""A train waits at least so many round trips: a repair takes one, and it begins some time after the loss."""

FIRST_HOLD_SECONDS = 0.15
"""The wait while no gap was seen yet: a repair takes so long on a path of average length."""

LONGEST_HOLD_SECONDS = 0.5
"""
The longest wait that follows from what was seen.  A segment that was lost twice comes after
0.3 s on most paths; after 0.5 s a program would have asked again.
"""

MARGIN = 1.5
"""The next delay may be so many times as long as the longest of late."""

LOST_ROUND_TRIPS = 0.5
LOST_SECONDS = 0.06
"""
A gap that is filled after more than this share of a round trip, and so many seconds, was a loss.  One
that comes of a change from link to link is filled sooner, also where a processor has much to do.
"""

REMEMBERED_PER_SECOND = 0.977
"""A delay that was seen counts for this share of itself one second later, and for half of it after thirty."""


class Hold:
    """
    Knows how long a train may wait for those before it, and learns it from the gaps that
    are filled.

    @ivar roundTrip: of the path, in seconds, or 0 while it is not known.
    """

    def __init__(self, now: float, fixed: float | None = None, lost: Callable[[float], None] | None = None) -> None:
        """
        @param now: monotonic seconds.
        @param fixed: seconds that a train may always wait; L{None} to follow what is seen.
        @param lost: told the time when a gap was filled so late that something was lost.
        """
        self.roundTrip = 0.0
        self._fixed = fixed
        self._lost = lost
        self._longest = FIRST_HOLD_SECONDS / MARGIN
        self._seenAt = now

    def seconds(self, now: float) -> float:
        """
        @return: how long a train may wait, by what is known now.
        """
        if self._fixed is not None:
            return self._fixed
        return min(
            max(self._remembered(now) * MARGIN, LEAST_HOLD_SECONDS, self.roundTrip * ROUND_TRIPS), LONGEST_HOLD_SECONDS
        )

    def filled(self, delay: float, now: float) -> None:
        """
        Learn from a gap that was filled, before or after it was given up.

        @param delay: seconds from when the gap was seen.
        """
        if self._lost is not None and delay > max(LOST_SECONDS, LOST_ROUND_TRIPS * self.roundTrip):
            self._lost(now)
        if delay > self._remembered(now):
            self._longest, self._seenAt = min(delay, LONGEST_HOLD_SECONDS), now  # a longer wait would help nobody

    def _remembered(self, now: float) -> float:
        """
        @return: the longest delay of late, which counts for less the longer ago it was.
        """
        return self._longest * math.pow(REMEMBERED_PER_SECOND, now - self._seenAt)
