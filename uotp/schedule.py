"""
Which tunnel carries the next train.

Stay with one for as long as it takes what it is given: so a light load arrives
in order.  When it is full, go to the best of the others: so a heavy load uses all
of them, and a slow tunnel holds nobody up.  The best is the first that is at rest,
in the order in which they became free; where none is, the one that will soonest
have sent what it holds.  Only a few are looked at, so that it costs the same for any
number of tunnels, and the rotation is fair by itself.  How many of the tunnels are
used at all when there is too much for them, L{uotp.width} says.

A light load never fills a tunnel, also not one that retransmits, or that has come
to a standstill behind a relay that still acknowledges.  So whoever has a clock asks
now and then whether the current tunnel is still well, and moves on after a while
even if it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")

STAY_SECONDS = 1.0
"""
How long to stay with a tunnel that is never full.  A standstill then costs a flow
a second in turn, and not all that it sends; and of a flow of 20 Mbit/s, with 1800
datagrams a second, only the few that are on their way at the change can arrive out
of order.
"""

LOOK_SECONDS = 0.005
"""
How often a tunnel that is never full is looked at, at most: a system call of a
microsecond.  What is sent behind a lost segment waits for it, so it is worth
noticing in much less than a round trip.
"""

LOOKS = 4
"""
Tunnels that are looked at to find the best: of four, one that is at rest is found
almost always, if there is any.
"""

TROUBLED = 1 << 40
"""
The least cost of a tunnel that retransmits, or that has stopped; more than any
tunnel could hold in bytes.
"""


class Schedule(Generic[T]):
    """
    The tunnels of a session, and those that can be written to in the order in which
    they became free.

    @ivar current: the tunnel to use now, or L{None} when there is none.
    """

    def __init__(self, costOf: Callable[[T], int]) -> None:
        """
        @param costOf: what stands before the next train on a tunnel, in bytes; 0 at
            rest, and L{TROUBLED} or more while it retransmits.
        """
        self._costOf = costOf
        self._tunnels: dict[T, None] = {}
        self._free: dict[T, None] = {}
        self._width = 0
        self._chosen: set[T] | None = None
        self.current: T | None = None

    def __len__(self) -> int:
        """
        How many tunnels there are.
        """
        return len(self._tunnels)

    def __iter__(self) -> Iterator[T]:
        """
        All tunnels.
        """
        return iter(self._tunnels)

    def offer(self, tunnel: T) -> None:
        """
        A tunnel has become free.  Offering it twice changes nothing.
        """
        if tunnel not in self._tunnels:
            self._tunnels[tunnel] = None
            self._choose()
        self._free[tunnel] = None
        if self.current is None:
            self.current = self._best()[0]

    def withdraw(self, tunnel: T) -> None:
        """
        A tunnel is full.  Withdrawing it twice changes nothing.
        """
        self._free.pop(tunnel, None)
        if self.current is tunnel:
            self.current = self._best()[0]

    def remove(self, tunnel: T) -> None:
        """
        A tunnel is gone.
        """
        if self._tunnels.pop(tunnel, self) is None:
            self._choose()
        self.withdraw(tunnel)
        if self.current is None:
            self.current = self._best()[0]

    def narrow(self, width: int) -> None:
        """
        Use no more tunnels than so many.
        """
        if width != self._width:
            self._width = width
            self._choose()
            if self.current is None or not self._mayCarry(self.current):
                self.current = self._best()[0]

    def _choose(self) -> None:
        narrowed = 0 < self._width < len(self._tunnels)
        self._chosen = set(islice(self._tunnels, self._width)) if narrowed else None

    def _mayCarry(self, tunnel: T) -> bool:
        return self._chosen is None or tunnel in self._chosen

    def moveOn(self) -> None:
        """
        Go to another tunnel, unless all others are in trouble.
        """
        if self.current is not None and len(self._free) > 1:
            del self._free[self.current]
            best, cost = self._best()
            self._free[self.current] = None
            if best is not None and cost < TROUBLED:
                self.current = best

    def leaveTrouble(self) -> None:
        """
        Go to another tunnel if the current one is in trouble, and another is not.
        """
        if self.current is not None and len(self._free) > 1 and self._costOf(self.current) >= TROUBLED:
            self.moveOn()

    def _best(self) -> tuple[T | None, int]:
        best: T | None = None
        least = 0
        for tunnel in islice(filter(self._mayCarry, self._free), LOOKS):
            cost = self._costOf(tunnel)
            if best is None or cost < least:
                best, least = tunnel, cost
            if not cost:
                break
        return best, least
