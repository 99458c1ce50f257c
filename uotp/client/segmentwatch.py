"""
Looks now and then at open tunnels, for those on which the oldest segment is sent again and again
(L{uotp.client.segmentsize}), and replaces the tunnels whose segments turn out to be too large.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from uotp.client.segmentsize import SegmentSizes
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


@dataclass(frozen=True, slots=True)
class Opened:
    """
    Describes an open tunnel.

    @ivar size: the size of its segments, or L{None} for as large as the system likes.
    @ivar at: when it was opened.
    @ivar renew: replaces it, if nobody is at that already.
    """

    size: int | None
    at: float
    renew: Callable[[], None]


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
            smaller = self._sizes.smallerThan(opened.size)
            if smaller is not None and isStalled(tunnel, smaller):
                self._sizes.tunnelStalled(opened.size, opened.at, self._clock())
            if self._sizes.isTooLarge(opened.size):
                opened.renew()


def isStalled(tunnel: Tunnel, smaller: int) -> bool:
    """
    @param smaller: a size of segments in bytes.
    @return: whether the oldest segment of a tunnel was sent again and again, and may be larger
        than that.
    """
    flight = tunnel.transport.flight()
    return (
        flight is not None and flight.repeats >= STALLED_REPEATS and min(flight.outstanding, flight.largest) > smaller
    )


def lostSegments(tunnel: Tunnel) -> bool:
    """
    @return: whether the kernel knows of segments of a tunnel that do not arrive: ours were sent
        again more than once, or the other end's have come behind a gap.
    """
    flight = tunnel.transport.flight()
    return flight is not None and (flight.repeats >= LOST_REPEATS or flight.outOfOrder > 0)
