"""
How the path of a connection is, as the kernel sees it.  Pure values.
"""

from __future__ import annotations

from typing import NamedTuple


class PathStats(NamedTuple):
    """
    How a tunnel's connection stands, as the kernel counts.

    @ivar sent: segments with data since it was opened, modulo 2^32.
    @ivar repeated: how many of them had been sent before.
    @ivar roundTrip: smoothed, in seconds.
    @ivar leastRoundTrip: the shortest of late, in seconds.
    @ivar isStill: whether nothing was acknowledged for so long that the oldest segment
        has been sent again, and nothing since.
    """

    sent: int
    repeated: int
    roundTrip: float
    leastRoundTrip: float
    isStill: bool = False


TROUBLED = 1 << 40
"""
The least cost of a tunnel that retransmits, or that has stopped; more than any
tunnel could hold in bytes.
"""
