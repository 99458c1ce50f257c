"""
How to know a link that its congestion control has stopped, and one that may send at once.
"""

from __future__ import annotations

from uotp.boundaries import Link
from uotp.path import PathStats
from uotp.session.scheduling.stickiness import FIRST_WINDOW_BYTES, SEGMENT_BYTES

STALLED_SEGMENTS = 4
"""
A link that may have no more segments than this in flight sends nearly nothing.  BBR does that to each of
its connections for 0.2 s when it has not seen the least round trip for ten seconds, and so it
does where the queue is never quite empty; all that the kernel holds unsent comes late then.
"""

PACE_SEGMENTS = 10
"""
By its own pace such a link would have more than so many segments in flight.  Other congestion controls set the pace
to no more than twice what the window holds in a round trip, which is eight here.
"""


def isStalled(path: PathStats | None) -> bool:
    """
    @param path: of a link that carries more than such a link can.
    @return: whether it sends nearly nothing for a while, so that another one had better carry.  Where congestion
        control knows of no faster pace than that, as after many losses, it is no stop.
    """
    if path is None or not path.isWaiting or not 0 < path.window <= STALLED_SEGMENTS:
        return False
    return not path.pacingRate or path.pacingRate * path.roundTrip > PACE_SEGMENTS * SEGMENT_BYTES


def roomOf(link: Link) -> int:
    """
    @return: about how many bytes a link may send at once; 0 while it has something to send, or nearly nothing
        may be in flight.
    """
    path = link.pathStats()
    if path is None or link.cost():
        return 0
    if not path.window:
        return 0 if path.isWaiting else FIRST_WINDOW_BYTES
    if path.window <= STALLED_SEGMENTS:
        return 0
    room = path.window * SEGMENT_BYTES
    if path.isWaiting:  # how much of that is in flight is not known
        room //= 2
        return room if room >= FIRST_WINDOW_BYTES else 0
    return room
