"""
How long each step on the way to an open tunnel may take.  That follows the path: a satellite
needs seconds for what takes milliseconds elsewhere.  Nothing here knows a clock.
"""

from __future__ import annotations

from enum import Enum

GROWTH = 2.0
"""A step that was not done in time may take so many times longer when it is tried again."""

MOST_SECONDS = 30.0
"""A step may not take longer, unless the user says so: nobody waits for such a path."""

ROOMY = 4.0
"""
A step may take so many round trips, or so many times what it took last.  Two round trips are
what the longest step needs; the rest is for a segment that is lost, or a server that is busy.
"""


class DialStep(Enum):
    """
    Names what has to be done one after another until a tunnel is open.  The values are words
    for the log.
    """

    LOOKUP = "lookup"
    CONNECT = "connect"
    PROXY = "proxy"
    TLS = "TLS"
    UPGRADE = "WebSocket"
    HELLO = "hello"


class Patience:
    """
    Keeps for the connections of one client how long each step may take.

    @ivar first: that time at the beginning, as the user wants it, in seconds.
    """

    def __init__(self, first: float) -> None:
        """
        @param first: seconds.
        """
        self.first = first
        self._most = max(first, MOST_SECONDS)
        self._seconds = dict.fromkeys(DialStep, first)
        self._took = dict.fromkeys(DialStep, 0.0)

    def seconds(self, step: DialStep, roundTrip: float = 0.0) -> float:
        """
        @param roundTrip: what the connection has taken to the server and back, if that is known.
        @return: how long a step may take.
        """
        return min(max(self._seconds[step], ROOMY * roundTrip), self._most)

    def usual(self, step: DialStep) -> float:
        """
        @return: how long a step took when it was last done, in seconds; 0 if it never was.
        """
        return self._took[step]

    def timedOut(self, step: DialStep, after: float) -> None:
        """
        A step was not done in time.  Where several tunnels are dialled, each says so, and the
        time grows once.

        @param after: how long that was.
        """
        self._seconds[step] = max(self._seconds[step], min(after * GROWTH, self._most))

    def succeeded(self, step: DialStep, took: float) -> None:
        """
        A step was done.

        @param took: how long that took, in seconds.
        """
        self._took[step] = took
        self._seconds[step] = min(max(self.first, ROOMY * took), self._most)
