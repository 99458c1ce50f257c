"""
Whether the path of a session loses: whether a kernel has sent anything again of late, on any of its
links.

Where an acknowledgement is late, a kernel sends the last segment again although nothing was lost, and the other
kernel says a round trip later that it had it.  So what was sent again counts as lost only when it still does a round
trip later.

Pure: time comes in with each call.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from uotp.boundaries import Link

LOSSY_SECONDS = 30.0
"""
A path loses for so long after a loss was seen.  Where one segment in a hundred is lost, a flow of ten
datagrams in a second has a loss in ten seconds.
"""

DECIDED_ROUND_TRIPS = 1.25
DECIDED_SECONDS = 0.02
"""So many round trips and so many seconds later the other kernel has said what it had already."""

NEW_SEGMENTS = 64
"""A link that we do not know is new as long as it has sent fewer segments than this."""

SEGMENTS_MODULO = 1 << 32
"""The kernel counts segments modulo this."""


class Losses:
    """
    Remembers when segments were last sent again on any link of one session.

    @ivar isBlind: whether no kernel tells, so that nothing is known.
    @ivar isInDoubt: whether something was sent again of which it is not decided yet.
    @ivar decidesAt: when that is decided, in monotonic seconds.
    """

    def __init__(self) -> None:
        # What was sent again when it was decided last, and what counted as lost then.
        self._sentAgain: dict[Link, tuple[int, int]] = {}
        self._lossyUntil = -math.inf
        self.isBlind = True
        self.isInDoubt = False
        self.decidesAt = -math.inf

    def look(self, links: Iterable[Link], now: float, roundTrip: float = 0.0) -> int:
        """
        See what the kernels have sent again since the last look, but for what the other kernels had
        already.  What a new link has sent again before we know it, its handshake included, counts too;
        but not what one has that was away for a while.

        @param now: monotonic seconds.
        @param roundTrip: of the path, in seconds.
        @return: how many segments were lost.
        """
        before, self._sentAgain = self._sentAgain, {}
        mayDecide, self.isInDoubt = now >= self.decidesAt, False
        seen = 0
        for link in links:
            path = link.pathStats()
            if path is None:
                continue
            again = (path.repeated - path.needless) % SEGMENTS_MODULO
            first = (0, 0) if path.sent < NEW_SEGMENTS else (path.repeated, again)
            repeated, known = before.get(link, first)
            if mayDecide:
                lost = (repeated - path.needless) % SEGMENTS_MODULO
                if difference(lost, known) > 0:
                    seen += difference(lost, known)
                    known = lost
                elif difference(known, again) > 0:  # the other kernel has said late what it had
                    known = again
                repeated = path.repeated
            self._sentAgain[link] = repeated, known
            self.isInDoubt = self.isInDoubt or again != known
        if mayDecide and self.isInDoubt:
            self.decidesAt = now + DECIDED_ROUND_TRIPS * roundTrip + DECIDED_SECONDS
        self.isBlind = not self._sentAgain
        if seen:
            self._lossyUntil = now + LOSSY_SECONDS
        return seen

    def isLossy(self, now: float) -> bool:
        """
        @return: whether something was lost of late.
        """
        return now < self._lossyUntil

    def forget(self, link: Link) -> None:
        """
        A link is gone.
        """
        self._sentAgain.pop(link, None)


def difference(count: int, other: int) -> int:
    """
    @return: how much more one of two counts of segments is; less than 0 when it is less.
    """
    return (count - other + SEGMENTS_MODULO // 2) % SEGMENTS_MODULO - SEGMENTS_MODULO // 2
