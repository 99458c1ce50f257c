"""
Which tunnel carries the next train.

Stay with one for as long as it takes what it is given: so a light load arrives
in order.  When it is full, go to the one that has been free the longest: so a
heavy load uses all of them, and a slow tunnel holds nobody up.  A light load
never fills a tunnel, though, also not one that has come to a standstill behind a
relay that still acknowledges; so whoever has a clock moves on now and then.  This
is a rotation and not a search, and costs the same for any number of tunnels.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


STAY_SECONDS = 1.0
"""
How long to stay with a tunnel that is never full.  A standstill then costs a flow
a second in turn, and not all that it sends; and of a flow of 20 Mbit/s, with 1800
datagrams a second, only the few that are on their way at the change can arrive out
of order.
"""


class Schedule(Generic[T]):
    """
    The tunnels that can be written to, in the order in which they became free.

    @ivar current: the tunnel to use now, or L{None} when all are full.
    """

    def __init__(self) -> None:
        self._free: dict[T, None] = {}
        self.current: T | None = None

    def __len__(self) -> int:
        """
        How many tunnels are free.
        """
        return len(self._free)

    def offer(self, tunnel: T) -> None:
        """
        A tunnel has become free.  Offering it twice changes nothing.
        """
        self._free[tunnel] = None
        if self.current is None:
            self.current = tunnel

    def moveOn(self) -> None:
        """
        Go to the tunnel that has been free the longest, if there is another.
        """
        if self.current is not None and len(self._free) > 1:
            del self._free[self.current]
            self._free[self.current] = None
            self.current = next(iter(self._free))

    def withdraw(self, tunnel: T) -> None:
        """
        A tunnel is full or gone.  Withdrawing it twice changes nothing.
        """
        self._free.pop(tunnel, None)
        if self.current is tunnel:
            self.current = next(iter(self._free), None)
