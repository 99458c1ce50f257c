"""
Whether the path of a session loses: whether a kernel has sent anything again of late, on any of its
links.

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

NEW_SEGMENTS = 64
"""A link that we do not know is new as long as it has sent fewer segments than this."""

SEGMENTS_MODULO = 1 << 32
"""The kernel counts segments modulo this."""


class Losses:
    """
    Remembers when segments were last sent again on any link of one session.

    @ivar isBlind: whether no kernel tells, so that nothing is known.
    """

    def __init__(self) -> None:
        self._lost: dict[Link, int] = {}
        self._lossyUntil = -math.inf
        self.isBlind = True

    def look(self, links: Iterable[Link], now: float) -> int:
        """
        See what the kernels have sent again since the last look, but for what the other kernels had
        already.  What a new link has sent again before we know it, its handshake included, counts too;
        but not what one has that was away for a while.

        @param now: monotonic seconds.
        @return: how many segments were sent again.
        """
        before, self._lost = self._lost, {}
        seen = 0
        for link in links:
            path = link.pathStats()
            if path is not None:
                self._lost[link] = lost = path.repeated - path.needless
                known = before.get(link, 0 if path.sent < NEW_SEGMENTS else lost)
                more = (lost - known) % SEGMENTS_MODULO
                seen += more if more < SEGMENTS_MODULO // 2 else 0  # the other kernel may say later what it had
        self.isBlind = not self._lost
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
        self._lost.pop(link, None)
