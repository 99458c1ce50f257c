"""
What it costs to give a train to a link, so that the best of several can be chosen.

 - A link costs what has to leave before the train.
 - One whose round trip is longer costs more.
 - Beside a heavy flow that loses, so does one whose congestion window is much smaller than what the flow would
   have under way on it.  It may be at rest, and would take all it is given, and send it late: a tenth of a second
   later where its timer has just run out, and where order is kept all others wait for it.
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

SMALL_SHARE = 0.5
"""A congestion window is small that holds less than this share of what is under way."""

MOST_UNDER_WAY_BYTES = 1 << 30
"""So much at most counts as under way.  However little a link may send, one in trouble is worse."""


class Costs:
    """
    Knows what the links of one session cost.

    @ivar nearest: the shortest round trip of any link, in seconds; 0 where none is known.
    @ivar rate: in bytes in a second, of a heavy flow whose links repair losses; otherwise 0.  A light flow every link
        can carry; and where nothing is lost, links keep their windows, and to ask for them takes system calls.
    """

    def __init__(self) -> None:
        self.nearest = 0.0
        self.rate = 0.0

    def of(self, link: Link) -> int:
        """
        @return: of a link, in bytes; L{TROUBLED} or more while it is in trouble.
        """
        cost = link.cost()
        further = self._further(link)
        if further:
            cost += int(further * BYTES_PER_SECOND_FAR)
        if self.rate and cost < TROUBLED:
            path = link.pathStats()
            if path is not None and path.window:
                underWay = min(self.rate * path.roundTrip, MOST_UNDER_WAY_BYTES)
                window = path.window * SEGMENT_BYTES
                if window < SMALL_SHARE * underWay:
                    cost += int(underWay) - window
        return cost

    def _further(self, link: Link) -> float:
        further = link.roundTrip - self.nearest
        return further if further > FAR_SECONDS and link.roundTrip > FAR * self.nearest else 0.0

    def isAtRest(self, link: Link) -> bool:
        """
        @return: whether a link is near and has nothing to send, so that a small datagram is on its way at once,
            however small the window is.
        """
        return not self._further(link) and not link.cost()
