"""
What it costs to give a train to a link, so that the best of several can be chosen.

 - A link costs what has to leave before the train.
 - One whose round trip is longer costs more.
 - Beside a heavy flow, so does one whose congestion window is smaller than what the flow has under way.  It would be
   at rest, take all it is given, and send it late: a tenth of a second later where its timer has just run out,
   and where order is kept all others wait for it.
"""

from __future__ import annotations

from uotp.boundaries import Link
from uotp.path import TROUBLED
from uotp.session.stickiness import SEGMENT_BYTES

FAR_SECONDS = 0.01
FAR = 1.5
"""
A link is far when its round trip exceeds the session's shortest by so many seconds and is
also so many times as long.  A smaller difference may be chance.
"""

BYTES_PER_SECOND_FAR = 2_500_000
"""
What a far link costs for each second of its longer round trip, in bytes: as many as a link
of 20 Mbit/s sends in that time.
"""

MOST_UNDER_WAY_BYTES = 1 << 30
"""So much at most counts as under way.  However little a link may send, one in trouble is worse."""


class Costs:
    """
    Knows what the links of one session cost.

    @ivar nearest: the shortest round trip of any link, in seconds; 0 where none is known.
    @ivar underWay: bytes that a heavy flow has under way at any moment, L{MOST_UNDER_WAY_BYTES} at most; 0 for
        a light one, which every link can carry.
    """

    def __init__(self) -> None:
        self.nearest = 0.0
        self.underWay = 0.0

    def of(self, link: Link) -> int:
        """
        @return: of a link, in bytes; L{TROUBLED} or more while it is in trouble.
        """
        cost = link.cost()
        further = link.roundTrip - self.nearest
        if further > FAR_SECONDS and link.roundTrip > FAR * self.nearest:
            cost += int(further * BYTES_PER_SECOND_FAR)
        if self.underWay and cost < TROUBLED:
            path = link.pathStats()
            if path is not None and path.window:
                cost += max(int(self.underWay) - path.window * SEGMENT_BYTES, 0)
        return cost
