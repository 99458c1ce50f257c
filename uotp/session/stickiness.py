"""
How long a flow stays with the tunnel in use, while it fills none.

A light flow goes through another tunnel every second, so that one that has come to a
standstill and still takes all costs a second in turn.  For a flow that needs more than a
connection may send which has rested, each change holds something up and spoils the order:
it stays, unless there is a reason.
"""

from __future__ import annotations

from uotp.boundaries import Link
from uotp.path import TROUBLED

STAY_SECONDS = 1.0
"""
How long a light load stays with a tunnel.  A standstill then costs a flow a second in
turn, and not all that it sends.
"""

FIRST_WINDOW_BYTES = 14_000
"""
What a connection that has rested may send in a round trip: ten segments (RFC 6928, and
RFC 5681, 4.1).  A flow that needs more is held up by one, and comes out of order.
"""

MANY_ANSWERS = 10
"""In a second: of a flow that had so many, a second without any is a sign."""

LONGEST_STAY_SECONDS = 30.0
"""
After so long a flow that is too heavy for a rested tunnel goes through another all the
same: the one in use may stand still behind a relay that acknowledges for a long time,
while the way back is fine or never used.
"""


class Stickiness:
    """
    Decides when a flow that fills no link moves on to another one.

    @ivar endsAt: when that is to be considered again, in monotonic seconds.
    @ivar loaded: whether links were filled.
    @ivar leftTrouble: whether a link was left because it was in trouble.
    """

    def __init__(self, now: float) -> None:
        """
        @param now: monotonic seconds.
        """
        self._movedAt = now
        self._suspicions = 0  # how often silence may yet be taken for a standstill
        self._begin(now, 0, 0)

    def _begin(self, now: float, bytesOut: int, reads: int) -> None:
        self._since = now
        self._bytesBefore = bytesOut
        self.endsAt = now + STAY_SECONDS
        self._readsBefore = reads
        self.loaded = self.leftTrouble = False

    def isOver(self, current: Link | None, links: int, bytesOut: int, reads: int, now: float) -> bool:
        """
        To be asked from L{endsAt} on; where something stands before the next train,
        which another link would overtake, again and again for a while.

        @param current: the link in use.
        @param links: how many there are.
        @param bytesOut: payload that came from UDP so far.
        @param reads: how often something came from links so far.
        @return: whether to move on now.
        """
        shallMove = False
        if current is not None and not self.loaded:
            if now < self.endsAt + STAY_SECONDS and 0 < current.cost() < TROUBLED:
                return False
            isSilent = self._suspect(links, reads - self._readsBefore)
            shallMove = isSilent or self._mayMove(current, bytesOut, now)
        self._begin(now, bytesOut, reads)
        return shallMove

    def moved(self, now: float) -> None:
        """
        Another link is in use now.
        """
        self._movedAt = now

    def _mayMove(self, current: Link, bytesOut: int, now: float) -> bool:
        """
        @return: whether another link, which has rested, can take over without holding
            anything up; or whether losses make us change links anyway, so that the
            others had better be warm; or whether it has been long.
        """
        path = current.pathStats()
        if path is None:
            return True
        perRoundTrip = (bytesOut - self._bytesBefore) / (now - self._since) * path.roundTrip
        return perRoundTrip <= FIRST_WINDOW_BYTES or self.leftTrouble or now >= self._movedAt + LONGEST_STAY_SECONDS

    def _suspect(self, links: int, answers: int) -> bool:
        """
        @return: whether nothing comes back any more where much did, so that the current
            link may have come to a standstill; once for each link that there is.
        """
        if answers >= MANY_ANSWERS:
            self._suspicions = links
        elif not answers and self._suspicions:
            self._suspicions -= 1
            return True
        return False
