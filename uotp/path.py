"""
What the kernel tells of the path of a connection, as values.  Nothing here knows how the
kernel is asked.
"""

from __future__ import annotations

from typing import NamedTuple

LONGEST_ROUND_TRIP_SECONDS = 30.0
"""
No path is taken to be longer.  How long we wait follows the round trip, and a peer can make that seem as long
as it likes: it lets its acknowledgements or pongs wait, or forges the time stamps in them.
"""


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
    @ivar window: how many segments may be in flight, as congestion control has it; 0 where that is not
        known.
    @ivar needless: how many of the repeated segments the other kernel had already, as far as it has said.
    @ivar pacingRate: how fast our kernel sends at present, in bytes a second; 0 where that is not known.
    """

    sent: int
    repeated: int
    roundTrip: float
    leastRoundTrip: float
    isStill: bool = False
    acknowledged: int = 0
    heardAgo: float = 0.0
    isWaiting: bool = False
    window: int = 0
    needless: int = 0
    pacingRate: int = 0


class Flight(NamedTuple):
    """
    Says what is under way on one connection at one moment, as its kernel counts.

    @ivar largest: how many bytes a segment carries at most that we send.
    @ivar outstanding: bytes that were sent and are not acknowledged.
    @ivar repeats: how often the oldest of them was sent again by its timer, since anything was
        acknowledged.
    @ivar outOfOrder: segments that have come behind a gap, since the connection was opened; 0
        where the system does not tell.
    @ivar received: bytes that have come without a gap before them, since then.
    """

    largest: int
    outstanding: int
    repeats: int
    outOfOrder: int
    received: int = 0


TROUBLED = 1 << 40
"""
The least cost of a link whose connection retransmits or has stopped.  It is more than any
connection can hold in bytes.
"""

LATE = 1 << 50
"""
Is added to the cost of a link that needs longer to send what it is given than another needs to repair a loss.
"""


def isInTrouble(cost: int) -> bool:
    """
    @param cost: of a link, see L{TROUBLED} and L{LATE}.
    @return: whether it retransmits, or has stopped.
    """
    return cost % LATE >= TROUBLED
