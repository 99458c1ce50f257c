"""
What it costs to give a train to a link, so that the best of several can be chosen.

 - A link costs what has to leave before the train.
 - One whose round trip is longer costs more.
 - For a heavy flow on a path that loses, it costs what the flow brings in the time that the link needs to send:
   one whose kernel sends slowly may be at rest, and would take all it is given until it is looked at again, and send
   it late, and where order is kept all others wait for it.  One that repairs a loss is often sooner.
"""

from __future__ import annotations

from uotp.boundaries import Link
from uotp.path import LATE, TROUBLED
from uotp.session.scheduling.scheduler import LOOK_SECONDS
from uotp.session.scheduling.stalled import isStalled

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

LEAST_REPAIR_SECONDS = 0.02
"""
What a link brings that repairs a loss comes a round trip later, and so much later at least: on a short path a
repair that is lost itself waits for a timer or a nudge.
"""

STALLED_SECONDS = 0.2
"""For so long, and for a round trip, BBR lets a connection send nearly nothing."""

MOST_RATE = TROUBLED
"""In bytes a second.  A kernel that tells more has not measured anything yet."""


class Costs:
    """
    Knows what the links of one session cost.

    @ivar nearest: the shortest round trip of any link, in seconds; 0 where none is known.
    @ivar rate: in bytes in a second, of a heavy flow whose links repair losses; otherwise 0.  A light flow every link
        can carry; and where nothing is lost, nearly all links are fast, and to ask them takes system calls.
    """

    def __init__(self) -> None:
        self.nearest = 0.0
        self.rate = 0.0

    def of(self, link: Link) -> int:
        """
        @return: of a link, in bytes; with L{TROUBLED} or L{LATE} where that holds.
        """
        cost = link.cost()
        further = self._further(link)
        path = link.pathStats() if self.rate else None
        if path is None or not 0 < path.pacingRate < MOST_RATE:
            return cost + int(further * BYTES_PER_SECOND_FAR)
        delay = (cost % TROUBLED + self.rate * LOOK_SECONDS) / path.pacingRate
        if isStalled(path):
            delay += STALLED_SECONDS + path.roundTrip
        repair = max(path.roundTrip, LEAST_REPAIR_SECONDS)
        tier = LATE if delay > repair + LOOK_SECONDS else 0
        if cost >= TROUBLED:
            delay += repair
            tier += TROUBLED
        return tier + min(int((delay + further) * self.rate), TROUBLED - 1)

    def _further(self, link: Link) -> float:
        further = link.roundTrip - self.nearest
        return further if further > FAR_SECONDS and link.roundTrip > FAR * self.nearest else 0.0

    def isAtRest(self, link: Link) -> bool:
        """
        @return: whether a link is near and has nothing to send, so that a small datagram is on its way at once,
            however small the window is.
        """
        return not self._further(link) and not link.cost()
