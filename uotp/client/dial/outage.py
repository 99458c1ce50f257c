"""
How a client dials while the server is away.  Of each pool that has no tunnel that answers
one slot dials; with several such pools each waits longer, and all of them dial at once when
one of them has got through.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

LONE_SHARE = 0.6
"""
A slot that dials for its whole pool waits at most this share of the longest wait that the
user allows.  Of 5 s that is 3 s, or 2.25 s in the mean, since half of a wait is left to
chance: 27 attempts a minute, where eight slots at times of their own made 128.  The next
attempt comes 1.2 s after the server in the mean, and 3 s at most.  The waits grow to that in
the first seconds (L{uotp.client.dial.backoff}), so that a server that only restarts is found
sooner.  A thousand clients come back in three seconds.  With a share of 0.15 a server is found
after 0.3 s, for 107 attempts a minute.

An attempt that hangs takes its whole time-out, of 4 s, which counts as waited, so that the
next follows 0.2 s later at most; one that may take longer begins another connection each 4 s.
A server whose connections were swallowed is found after 4.2 s at most, and 2.1 s in the mean.

That holds for one pool.  Each of two or more waits for as long as the user allows, and the
first that gets through calls the others.
"""

Hurry = Callable[[], None]
"""Lets the slot that dials for its pool stop waiting, if it does."""


class Outage:
    """
    Knows which pools of a client have no tunnel that answers.
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
        A pool that wants tunnels has none that answers.

        @param hurry: called when another pool shows that the server is back.
        """
        self._up.discard(pool)
        self._down[pool] = hurry

    def poolUp(self, pool: Hashable) -> None:
        """
        A pool has a tunnel that answers again.  If it is the first of all, the others need not wait.
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
