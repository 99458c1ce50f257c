"""
How long a flow that fills no link keeps to the same one.

A light flow moves on to another link every second.  A link may have come to a standstill and
still take everything; then the flow loses what it sends in one second, until the turn of
that link comes again.

Where answers come, and the other end's program is asked through the link whether it is there, as in
format 2, the flow keeps its link: pings find such a standstill within seconds, and the end of the
answers tells of it sooner.  A move costs pings on one link more, at both ends, and what the
processor's caches know of a connection.

A connection that has rested may send little at once.  A flow that needs more loses time and order
with each move, so it keeps its link unless there is a reason to leave it.
"""

from __future__ import annotations

from uotp.boundaries import Link
from uotp.path import TROUBLED

STAY_SECONDS = 1.0
"""
A light flow keeps a link for so long.  So a link that stands still costs the flow what it
sends in a second, and not all that it sends.
"""

SEGMENT_BYTES = 1400
"""About what a segment of TCP carries where a packet has 1500 bytes."""

FIRST_WINDOW_BYTES = 10 * SEGMENT_BYTES
"""
A connection that has rested may send so much in a round trip: ten segments (RFC 6928, and
RFC 5681, 4.1).  It delays a flow that needs more, and brings it out of order.
"""

MANY_ANSWERS = 10
"""When a flow had so many answers in a second, the next second without any may mean a standstill."""

LONGEST_STAY_SECONDS = 30.0
"""
After so long even a flow moves on that is answered, or is too heavy for a rested link.  The link in use may
stand still behind a relay that acknowledges, while the way back works or is not used.
"""


class Stickiness:
    """
    Decides when a flow that fills no link moves on to another one.

    @ivar endsAt: when L{isOver} is to be asked next, in monotonic seconds.
    @ivar loaded: whether links were filled since it was asked last.
    @ivar leftTrouble: whether a link was left since then because it was in trouble.
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
        Decide whether to move on.  Ask this from L{endsAt} on.  While the current link still
        has something to send, which trains on another link would overtake, the decision is
        put off for up to a second: ask again.

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
            answers = reads - self._readsBefore
            isSilent = self._suspect(links, answers)
            isAnswered = answers > 0 and current.roundTrip > 0  # which is known where pongs come
            shallMove = isSilent or self._mayMove(current, bytesOut, now, isAnswered=isAnswered)
        self._begin(now, bytesOut, reads)
        return shallMove

    def moved(self, now: float) -> None:
        """
        Another link is in use now.
        """
        self._movedAt = now

    def _mayMove(self, current: Link, bytesOut: int, now: float, *, isAnswered: bool) -> bool:
        """
        @return: whether another link, which has rested, can take over without a delay; or
            whether losses make the flow change links anyway, so that the others had better
            not rest; or whether the last move is long ago.
        """
        if self.leftTrouble or now >= self._movedAt + LONGEST_STAY_SECONDS:
            return True
        return not isAnswered and self._isLight(current, bytesOut, now)

    def _isLight(self, current: Link, bytesOut: int, now: float) -> bool:
        path = current.pathStats()
        if path is None:
            return True
        return (bytesOut - self._bytesBefore) / (now - self._since) * path.roundTrip <= FIRST_WINDOW_BYTES

    def _suspect(self, links: int, answers: int) -> bool:
        """
        @return: whether nothing comes back any more where much did, so that the current
            link may stand still.  This is said once for each link that there is.
        """
        if answers >= MANY_ANSWERS:
            self._suspicions = links
        elif not answers and self._suspicions:
            self._suspicions -= 1
            return True
        return False
