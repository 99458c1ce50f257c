"""
How many connections the path to the server lets through at once, where something on the way counts
them: a network address translator with few places, or a firewall.  Further tunnels then cannot be
opened, attempt after attempt, while those that there are carry.  So the client holds no more than
there are, and tries one more now and then.  And where a session has no tunnel at all, those that have
several give some up, one after the other, until it has one.

What looks alike must not be taken for that: a server that restarts or refuses, a path that is broken
for a while, a name that cannot be looked up.  So an attempt counts only where the path has stopped
it, and something has come through another tunnel just before it failed; and it takes several, each
begun after the one before had failed, over some seconds, with no success between them.

Where a client has several workers, each learns this for itself, of its own connections.  The path counts
those of all, so what one finds is less than the path lets through, and the others find the rest.  A session that has
no tunnel gets one from others of its own worker only.
"""

from __future__ import annotations

import math
from collections.abc import Callable

MANY_FAILURES = 3
LEAST_SPAN_SECONDS = 5.0
"""
So many attempts, one after the other, over so long a time at least: a program that was replaced by
another one while its old tunnels went on is back by then.
"""

HEARD_SECONDS = 1.0
"""A tunnel carries if something has come through it so lately."""

HEARD_OF_OTHERS_SECONDS = 3.0
"""The same of the tunnels of other sessions, of which we hear each two seconds."""

SHORTAGE_SECONDS = 15.0
"""A session that has no tunnel dials again within so long."""

TRY_SECONDS = 300.0
"""
After so long one more tunnel is tried.  Who counts connections forgets old ones after some minutes, and
an attempt costs little.
"""


class ConnectionLimit:
    """
    Learns for one client how many connections the path lets through.

    @ivar most: so many; L{None} while there is no sign of a limit.
    """

    def __init__(self, found: Callable[[int], None]) -> None:
        """
        @param found: called with the number when a limit is found.
        """
        self._found = found
        self.forget()

    def forget(self) -> None:
        """
        The path may have changed.
        """
        self.most: int | None = None
        self._tryAt = 0.0
        self._heardAt = self._shortUntil = -math.inf
        self._forgetFailures()

    def _forgetFailures(self) -> None:
        self._failures = 0
        self._firstAt = self._failedAt = -math.inf

    def allows(self, connections: int, now: float) -> bool:
        """
        @param connections: how many there are, with those that are being opened.
        @param now: monotonic seconds, as in the other methods.
        @return: whether one more may be opened for a session that has a tunnel already.  Where that
            is one more than seems to get through, the next one has to wait.
        """
        if self.most is None:
            return True
        if self.isShort(now):
            return False
        if connections < self.most:
            return True
        if now < self._tryAt:
            return False
        self._tryAt = now + TRY_SECONDS
        return True

    def opened(self, connections: int, now: float) -> None:
        """
        A tunnel is open.

        @param connections: how many there are now.
        """
        self._forgetFailures()
        self._shortUntil = -math.inf
        if self.most is not None and connections > self.most:
            self.most, self._tryAt = connections, now

    def isShort(self, now: float) -> bool:
        """
        @return: whether a session has no tunnel, since others have all that get through.
        """
        return now < self._shortUntil

    def heard(self, at: float) -> None:
        """
        Something has come through a tunnel.
        """
        self._heardAt = max(self._heardAt, at)

    def stoppedFirst(self, connections: int, begunAt: float, now: float) -> None:
        """
        The same as L{stopped}, of a session that has no tunnel.  What counts is what has come through
        tunnels of others.
        """
        self.stopped(connections, begunAt, self._heardAt + HEARD_OF_OTHERS_SECONDS - HEARD_SECONDS, now)
        if self.most is not None and now - self._heardAt <= HEARD_OF_OTHERS_SECONDS:
            self._shortUntil = now + SHORTAGE_SECONDS

    def stopped(self, connections: int, begunAt: float, heardAt: float, now: float) -> None:
        """
        Something on the way has stopped an attempt to open a further tunnel of a session.

        @param connections: how many there are.
        @param begunAt: when the attempt was begun.
        @param heardAt: when something has come through another tunnel last.
        """
        if now - heardAt > HEARD_SECONDS or begunAt < self._failedAt:
            return
        if not self._failures:
            self._firstAt = now
        self._failures += 1
        self._failedAt = now
        if self._failures >= MANY_FAILURES and now - self._firstAt >= LEAST_SPAN_SECONDS:
            wasKnown = self.most is not None
            self.most, self._tryAt = max(connections, 1), now + TRY_SECONDS
            self._forgetFailures()
            if not wasKnown:
                self._found(self.most)
