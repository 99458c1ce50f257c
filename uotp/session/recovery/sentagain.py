"""
What a session has sent again of late, and whether what it sends twice is lost together.

Losses may come in bursts.  Then a datagram and its copy that are sent at the same moment are lost at the same
moment.  The other end tells what it misses.  When that had a copy too often, copies follow some time after
what they are a copy of.

Pure: time comes in with each call.
"""

from __future__ import annotations

import math
from collections import deque

from uotp.train import LAST_NUMBER, NOTHING_WAITS

REMEMBERED = 256
"""So many trains are remembered that were sent again: what the lightest flows send in seconds."""

COPY_APART_SECONDS = 0.012
"""A copy follows so long after in bursts: five segments of a flow of a hundred datagrams in a second take as long."""

APART_FOR_SECONDS = 60.0
"""Copies follow apart for so long after a burst was seen."""

BURST_LOSSES = 2.5
BURST_SHARE = 0.12
"""
There are bursts when so many datagrams were lost with their copies of late, and so many for each segment that
was lost.  Where three segments in a hundred are lost by chance, that is one in forty.
"""

FORGOTTEN_PER_LOOK = 0.983
"""
With each look at the losses, four in a second, what was counted before counts for so much: for half after ten
seconds.
"""


class SentAgain:
    """
    Remembers for one session what was sent again, and when.
    """

    def __init__(self) -> None:
        self._sent: deque[tuple[float, int, int]] = NOTHING_WAITS
        self._apartUntil = -math.inf
        self._lost = self._both = 0.0

    def note(self, number: int, count: int, now: float) -> None:
        """
        Some datagrams are sent again.

        @param number: of the first.
        @param count: how many there are.
        @param now: monotonic seconds, as in the other methods.
        """
        if self._sent is NOTHING_WAITS:
            self._sent = deque(maxlen=REMEMBERED)
        self._sent.append((now, number, count))

    def lastSent(self, number: int) -> float | None:
        """
        @return: when a datagram was last sent again, if it was of late.
        """
        for at, first, count in reversed(self._sent):
            if number - first & LAST_NUMBER < count:
                return at
        return None

    def lost(self, segments: int) -> None:
        """
        Take note of a look at the losses.

        @param segments: how many were lost since the one before.
        """
        self._lost = self._lost * FORGOTTEN_PER_LOOK + segments
        self._both *= FORGOTTEN_PER_LOOK

    def lostBoth(self, now: float) -> None:
        """
        Something has not come that was sent twice.
        """
        self._both += 1
        if self._both > BURST_LOSSES and self._both > BURST_SHARE * self._lost:
            self._apartUntil = now + APART_FOR_SECONDS

    def apart(self, now: float) -> float:
        """
        @return: seconds by which a copy follows what it is a copy of.
        """
        return COPY_APART_SECONDS if now < self._apartUntil else 0.0
