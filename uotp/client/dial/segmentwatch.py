"""
Looks now and then at open tunnels, for those on which one segment does not arrive, however often
it is sent again (L{uotp.client.dial.segmentsize}), and replaces the tunnels whose segments turn out to
be too large.  Of our own segments the kernel tells how often.  Of the other end's it tells that
some have come behind a gap, and whether that was closed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from uotp.client.dial.segmentsize import SegmentSizes
from uotp.path import Flight
from uotp.tunnel import Tunnel

WATCH_SECONDS = 0.5
"""How often some tunnels are looked at."""

WATCHED_AT_ONCE = 32
"""So many are looked at: a path that swallows large segments does so on all tunnels that carry large datagrams."""

STALLED_REPEATS = 3
"""
The oldest segment of a stalled tunnel was sent again so often by its timer, each time after twice as
long.  Where the round trip is short that takes 1.4 s.
"""

LOST_REPEATS = 2
"""So often in a handshake that has just begun: chance alone seldom loses a segment three times."""


GAP_SECONDS = 1.5
GAP_ROUND_TRIPS = 3.0
"""
A gap in what comes stays so long on a stalled tunnel, and so many round trips, while the other end sends
again what it is.
"""


@dataclass(slots=True)
class Opened:
    """
    Describes an open tunnel.

    @ivar size: the size of its segments, or L{None} for as large as the system likes.
    @ivar at: when it was opened.
    @ivar renew: replaces it, if nobody is at that already.
    @ivar received: bytes that have come, as of the last look at which they were more than before.
    @ivar outOfOrder: segments that had come behind a gap at that look.
    @ivar gapSince: when others had come behind one after it, or L{None}.
    """

    size: int | None
    at: float
    renew: Callable[[], None]
    received: int = -1
    outOfOrder: int = 0
    gapSince: float | None = None

    def hasGap(self, flight: Flight, roundTrip: float, now: float) -> bool:
        """
        @param roundTrip: of the path, in seconds.
        @return: whether something that has to come first does not come.
        """
        if flight.received != self.received:
            self.received, self.outOfOrder, self.gapSince = flight.received, flight.outOfOrder, None
        elif flight.outOfOrder > self.outOfOrder and self.gapSince is None:
            self.gapSince = now
        longest = max(GAP_SECONDS, GAP_ROUND_TRIPS * roundTrip)
        return self.gapSince is not None and now - self.gapSince >= longest


class SegmentWatch:
    """
    Keeps the open tunnels of a client, and looks at some of them in turn.
    """

    def __init__(self, sizes: SegmentSizes, clock: Callable[[], float]) -> None:
        """
        @param sizes: decides how large segments are.
        @param clock: monotonic seconds.
        """
        self._sizes = sizes
        self._clock = clock
        self._opened: dict[Tunnel, Opened] = {}  # whoever was looked at longest ago first

    def __len__(self) -> int:
        """
        How many tunnels are watched.
        """
        return len(self._opened)

    def opened(self, tunnel: Tunnel, size: int | None, renew: Callable[[], None]) -> None:
        """
        A tunnel is open.

        @param size: the size of its segments.
        @param renew: replaces it.
        """
        self._opened[tunnel] = Opened(size, self._clock(), renew)

    def forget(self, tunnel: Tunnel) -> None:
        """
        A tunnel is lost, or was replaced.
        """
        self._opened.pop(tunnel, None)

    def look(self) -> None:
        """
        Look at some tunnels.
        """
        for tunnel in list(self._opened)[:WATCHED_AT_ONCE]:
            opened = self._opened.pop(tunnel)
            self._opened[tunnel] = opened
            now = self._clock()
            if self._isStalled(tunnel, opened, now):
                self._sizes.tunnelStalled(opened.size, opened.at, now)
            if self._sizes.isTooLarge(opened.size):
                opened.renew()

    def _isStalled(self, tunnel: Tunnel, opened: Opened, now: float) -> bool:
        """
        @return: whether a segment of a tunnel does not arrive that may be too large.
        """
        smaller, flight = self._sizes.smallerThan(opened.size), tunnel.transport.flight()
        if smaller is None or flight is None:
            return False
        path = tunnel.transport.pathStats()
        roundTrip = 0.0 if path is None else path.roundTrip
        isRepeated = flight.repeats >= STALLED_REPEATS and min(flight.outstanding, flight.largest) > smaller
        return opened.hasGap(flight, roundTrip, now) or isRepeated


def lostSegments(tunnel: Tunnel) -> bool:
    """
    @return: whether the kernel knows of segments of a tunnel that do not arrive: ours were sent
        again more than once, or the other end's have come behind a gap.
    """
    flight = tunnel.transport.flight()
    return flight is not None and (flight.repeats >= LOST_REPEATS or flight.outOfOrder > 0)
