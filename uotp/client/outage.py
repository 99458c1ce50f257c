"""
How a client dials while the server is away.  Of each pool that has no tunnel one slot
dials; with many such pools each waits longer, and all of them dial at once when one of
them has got through.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

LONE_SHARE = 0.15
"""
A slot that dials for its whole pool waits at most this share of the longest wait.  With eight
slots that dialled at times of their own, one of 128 attempts a minute came 0.24 s after the
server (the median); of one slot one of 70 comes after 0.6 s, and the longest wait is
shorter.  That holds for one pool; of two each waits twice as long, and so on up to the longest
wait that the user allows.
"""

Hurry = Callable[[], None]
"""Lets the slot that dials for its pool stop waiting, if it does."""


class Outage:
    """
    Knows which pools of a client have no tunnel.
    """

    def __init__(self, later: Callable[[list[Hurry]], object]) -> None:
        """
        @param later: makes some calls, not too many of them in one turn of the reactor.
        """
        self._later = later
        self._down: dict[Hashable, Hurry] = {}
        self._up: set[Hashable] = set()

    def poolDown(self, pool: Hashable, hurry: Hurry) -> None:
        """
        A pool that wants tunnels has none.

        @param hurry: called when another pool shows that the server is back.
        """
        self._up.discard(pool)
        self._down[pool] = hurry

    def poolUp(self, pool: Hashable) -> None:
        """
        A pool has got its first tunnel.  If it is the first of all, the others need not wait.
        """
        self._down.pop(pool, None)
        wasAway = not self._up
        self._up.add(pool)
        if wasAway and self._down:
            self._later(list(self._down.values()))

    def forget(self, pool: Hashable) -> None:
        """
        A pool is gone.
        """
        self._down.pop(pool, None)
        self._up.discard(pool)

    def longestWait(self, ceiling: float) -> float:
        """
        @param ceiling: the longest wait that the user allows, in seconds.
        @return: how long a slot may wait that dials for its whole pool.
        """
        return min(ceiling, ceiling * LONE_SHARE * max(len(self._down), 1))
