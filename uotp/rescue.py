"""
What is to be sent again, through another tunnel, since the one that it was given to stands
still: it does not answer, or the kernel has waited in vain for an acknowledgement and has
begun to repeat, or it is gone.

Under load no tunnel is without an acknowledgement for as long as the kernel waits; and
where it was but a loss, what the kernel repeats is acknowledged a round trip later.  So
what a dead tunnel holds is on its way again in half a second, and hardly anything else
is.  What has arrived all the same is known to the other end by its number.

Pure: time comes in with each call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from uotp.boundaries import Carrier
from uotp.wire.format2 import Arrival

LOOK_SECONDS = 0.1
"""
How often tunnels are looked at, at most, and how long one must have stood still to be
given up: more than a round trip of most paths.
"""

MAX_WAITING_BYTES = 2 * 1024 * 1024
"""What may wait to be sent again: of two tunnels that have died together, or of many at rest."""


class Rescue:
    """
    For one session.
    """

    def __init__(self, now: float) -> None:
        """
        @param now: monotonic seconds.
        """
        self._waiting: deque[Arrival] = deque()
        self._bytes = 0
        self._lookAt = now
        self._still: set[Carrier] = set()  # when it was looked at last

    def __bool__(self) -> bool:
        """
        Whether something waits.
        """
        return bool(self._waiting)

    def look(self, tunnels: Iterable[Carrier], now: float) -> None:
        """
        Find out which tunnels stand still, now and then, and take what those hold that
        have stood still before.
        """
        if now < self._lookAt:
            return
        self._lookAt = now + LOOK_SECONDS
        before, self._still = self._still, {tunnel for tunnel in tunnels if tunnel.isStill()}
        for tunnel in self._still & before:
            self.take(tunnel)

    def take(self, tunnel: Carrier) -> None:
        """
        Take what a tunnel holds that stands still, or is gone.
        """
        for arrival in tunnel.unconfirmed():
            self._waiting.append(arrival)
            self._bytes += len(arrival[1].payload)
        while self._bytes > MAX_WAITING_BYTES:
            self._pop()

    def _pop(self) -> Arrival:
        arrival = self._waiting.popleft()
        self._bytes -= len(arrival[1].payload)
        return arrival

    def next(self, most: int) -> list[Arrival]:
        """
        @param most: bytes; one train may be longer.
        @return: what is to be sent next, and is left to the caller.
        """
        taken = [self._pop()]
        most -= len(taken[0][1].payload)
        while self._waiting and len(self._waiting[0][1].payload) <= most:
            taken.append(self._pop())
            most -= len(taken[-1][1].payload)
        return taken

    def forget(self) -> None:
        """
        Send nothing of it.
        """
        self._waiting.clear()
        self._bytes = 0
