"""
Which tunnel carries the next train.

Stay with one for as long as it takes what it is given: so a light load arrives
in order.  When it is full, go to the best of the others: so a heavy load uses all
of them, and a slow tunnel holds nobody up.  The best is the first that is at rest,
in the order in which they became free; where none is, the one that will soonest
have sent what it holds.  Only a few are looked at, so that it costs the same for any
number of tunnels, and the rotation is fair by itself.  How many of the tunnels are
used at all when there is too much for them, L{uotp.session.parallelism} says.

A light load never fills a tunnel, also not one that retransmits, or that has come
to a standstill behind a relay that still acknowledges.  So whoever has a clock asks
now and then whether the current tunnel is still well, and moves on after a while
even if it is.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from itertools import islice
from typing import Generic, TypeVar

from uotp.path import TROUBLED

T = TypeVar("T")

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


class Scheduler(Generic[T]):
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
        self._row: list[T] = []  # the first of them carry, as many as the most says
        self._most = 0  # no bound
        self._carrying: set[T] = set()
        self._free: dict[T, None] = {}
        self.current: T | None = None

    def __len__(self) -> int:
        """
        How many tunnels there are.
        """
        return len(self._row)

    def __iter__(self) -> Iterator[T]:
        """
        All tunnels.
        """
        return iter(self._row)

    def offer(self, tunnel: T) -> None:
        """
        A tunnel has become free.  Offering it twice changes nothing.
        """
        if tunnel not in self._row:
            self._row.append(tunnel)
            self._choose()
        self._free[tunnel] = None
        if self.current is None:
            self.current = self._best(self._carrying)[0]

    def withdraw(self, tunnel: T) -> None:
        """
        A tunnel is full.  Withdrawing it twice changes nothing.
        """
        self._free.pop(tunnel, None)
        if self.current is tunnel:
            self.current = self._best(self._carrying)[0]

    def remove(self, tunnel: T) -> None:
        """
        A tunnel is gone.
        """
        if tunnel in self._row:
            self._row.remove(tunnel)
            self._choose()
        self.withdraw(tunnel)
        if self.current is None:
            self.current = self._best(self._carrying)[0]

    def narrow(self, most: int) -> None:
        """
        Fill no more tunnels than so many.
        """
        if most != self._most:
            self._most = most
            self._choose()
            if self.current not in self._carrying:
                self.current = self._best(self._carrying)[0]

    def _choose(self) -> None:
        self._carrying = set(self._row[: self._most or None])

    def spare(self) -> T | None:
        """
        @return: a tunnel at rest that is not one of those that carry, if there is any:
            for what is too small to be in anybody's way.
        """
        best, cost = self._best(self._row[len(self._carrying) :])
        return None if cost else best

    def sound(self) -> T | None:
        """
        @return: the best of the tunnels that can be written to, if it is not in trouble.
        """
        best, cost = self._best(self._free)
        return None if cost >= TROUBLED else best

    def moveOn(self) -> bool:
        """
        Go to another tunnel, unless all others are in trouble; to any, for a light load
        fills none.

        @return: whether there was one to go to.
        """
        return self._goToAnother(self._free)

    def leaveTrouble(self, *, loaded: bool) -> bool:
        """
        Go to another tunnel if the current one is in trouble, and another is not.

        @param loaded: whether tunnels are being filled, so that it has to be one of
            those that carry.
        @return: whether it was, and there was one to go to.
        """
        if self.current is None or len(self._free) == 1 or self._costOf(self.current) < TROUBLED:
            return False
        return self._goToAnother(self._carrying if loaded else self._free)

    def _goToAnother(self, among: Container[T]) -> bool:
        """
        Go to the best of the others, and keep the one before at hand: should the load
        fill the new one, which may not be warm yet, it can go back, where two may carry.

        @return: whether there was one that is not in trouble.
        """
        before = self.current
        if before is None or len(self._free) == 1:
            return False
        del self._free[before]
        best, cost = self._best(among)
        self._free[before] = None
        if best is None or cost >= TROUBLED:
            return False
        if best not in self._carrying:
            self._row.remove(best)
            self._row.remove(before)
            self._row[:0] = [best, before]
            self._choose()
        self.current = best
        return True

    def _best(self, among: Container[T]) -> tuple[T | None, int]:
        best: T | None = None
        least = 0
        for tunnel in islice((tunnel for tunnel in self._free if tunnel in among), LOOKS):
            cost = self._costOf(tunnel)
            if best is None or cost < least:
                best, least = tunnel, cost
            if not cost:
                break
        return best, least
