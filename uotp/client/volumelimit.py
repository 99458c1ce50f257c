"""
How much one connection may carry, where something on the way ends connections that have carried so
much, as some networks do.  It shows when connections that we did not close end again and again after
about the same volume.  Then tunnels are replaced before they have carried as much, and in format 2
nothing is lost by that.

Tunnels that end together, as when the server restarts, count as one: a load is spread over them, so
that they have carried about the same.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

MANY_ENDS = 3
ALIKE = 1.15
"""
So many connections ended after volumes that differ by no more than this factor.  What was on its way
when one ended is counted by us and not by the network.
"""

LEAST_VOLUME_BYTES = 64 * 1024
"""Connections that end sooner end for another reason; and to replace them more often would cost too much."""

ENDS_APART_SECONDS = 1.0
"""Connections that end within so long of each other end for the same reason."""

REPLACED_SHARE = 0.7
"""
Tunnels are replaced at this share of the least volume: the new one has to be open before, and what
counts may be more than our payload, such as the records of TLS.
"""

KEPT_SECONDS = 1800.0
"""What was learned is forgotten after so long, to find out whether it is still so."""


class VolumeLimit:
    """
    Learns for one client how much the path lets each connection carry.
    """

    def __init__(self, found: Callable[[int], None]) -> None:
        """
        @param found: called with a volume in bytes when a limit is found.
        """
        self._found = found
        self.forget()

    def forget(self) -> None:
        """
        The path may have changed.
        """
        self._volumes: deque[int] = deque(maxlen=MANY_ENDS)
        self._endedAt = -math.inf
        self._bytes: int | None = None
        self._until = 0.0

    def most(self, now: float) -> int | None:
        """
        @param now: monotonic seconds, as in the other methods.
        @return: bytes after which a tunnel is to be replaced, or L{None} when no limit is known.
        """
        if self._bytes is not None and now >= self._until:
            self.forget()
        return self._bytes

    def ended(self, volume: int, now: float) -> None:
        """
        A connection has ended, or carries nothing any more, and we have not closed it.

        @param volume: bytes that it has carried, both ways together.
        """
        if now - self._endedAt < ENDS_APART_SECONDS:
            return
        self._endedAt = now
        if volume < LEAST_VOLUME_BYTES:
            self._volumes.clear()
            return
        self._volumes.append(volume)
        least = min(self._volumes)
        if len(self._volumes) == MANY_ENDS and max(self._volumes) <= ALIKE * least:
            wasKnown = self.most(now) is not None
            self._bytes, self._until = int(REPLACED_SHARE * least), now + KEPT_SECONDS
            self._volumes.clear()
            if not wasKnown:
                self._found(least)
