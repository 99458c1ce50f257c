"""
What the kernel tells of the path of a connection, as values.  Nothing here knows how the
kernel is asked.
"""

from __future__ import annotations

from typing import NamedTuple


class PathStats(NamedTuple):
    """
    Says how one connection is at one moment, as its kernel counts.

    @ivar sent: segments with data since the connection was opened, modulo 2^32.
    @ivar repeated: how many of them had been sent before.
    @ivar roundTrip: the round trip, smoothed, in seconds.
    @ivar leastRoundTrip: the shortest round trip of late, in seconds.
    @ivar isStill: whether nothing was acknowledged for so long that the kernel has sent the
        oldest segment again, and nothing has been acknowledged since.
    @ivar acknowledged: bytes that the other kernel has acknowledged since the connection was
        opened.
    @ivar heardAgo: seconds since anything came from the other kernel.
    @ivar isWaiting: whether our kernel has anything that the other has not acknowledged.
    """

    sent: int
    repeated: int
    roundTrip: float
    leastRoundTrip: float
    isStill: bool = False
    acknowledged: int = 0
    heardAgo: float = 0.0
    isWaiting: bool = False


TROUBLED = 1 << 40
"""
The least cost of a link whose connection retransmits or has stopped.  It is more than any
connection can hold in bytes.
"""
