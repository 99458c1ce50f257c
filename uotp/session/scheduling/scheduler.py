"""
Which link carries the next train.

The same link carries as long as it takes what it is given; so a light load arrives in order.
When it is full, the best of the others comes next; so a heavy load uses all of them, and a
slow link delays nobody.  The best is the first that is at rest, in the order in which they
became free.  Where none is at rest, it is the one that has least to send; L{uotp.session.scheduling.costs} says
what that is.  Only a few are looked at: so the choice costs the same for any number of links, and because of the
order each has its turn.  L{uotp.session.load.parallelism} says how many links are used at all when they
cannot take everything.

A light load never fills a link.  That is so even when the link retransmits, or stands still
behind a relay that acknowledges.  So L{uotp.session.outbound}, which has a clock, asks
now and then whether the current link is still well, and moves on after a while even if
it is.

A link may be in doubt: nothing has come through it for a while, though something has through another,
as when the other end has woken from a sleep and has dialled anew.  Its connection seems to be well
until it is used.  Such a link is the last choice, until something is heard of it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from itertools import islice
from typing import Generic, TypeVar

from uotp.path import LATE, TROUBLED, isInTrouble

T = TypeVar("T")

LOOK_SECONDS = 0.005
"""
The shortest time between two looks at the current link, each a system call of a microsecond.
What is sent behind a lost segment waits for its repair, so a loss has to be noticed in much
less than a round trip.
"""

LOOKS = 4
"""
So many links are looked at to find the best.  If any link is at rest, there is almost
always one among four.
"""

MOST_LOOKS = 16
"""The same with those that are L{LATE}: they are not used, so they would stay the first for ever."""


class Scheduler(Generic[T]):
    """
    Chooses among the links of a session.  It knows those that can be written to in the
    order in which they became free.

    @ivar current: the link to use now, or L{None} when there is none.
    @ivar doubted: the links that are in doubt.
    """

    def __init__(self, costOf: Callable[[T], int]) -> None:
        """
        @param costOf: tells how many bytes have to leave before the next train on a link:
            0 at rest, with L{TROUBLED} while it retransmits, and with L{LATE} where even that would be sooner.
        """
        self._costOf = costOf
        self._row: list[T] = []  # the first of them carry, as many as may
        self._most = 0  # no bound
        self._carrying: set[T] = set()
        self._free: dict[T, None] = {}
        self.doubted: set[T] = set()
        self.current: T | None = None

    def finish(self) -> None:
        """
        The session is over: ask nobody any more what a link costs.
        """
        self._costOf = lambda _: 0

    def __len__(self) -> int:
        """
        The number of links.
        """
        return len(self._row)

    def __iter__(self) -> Iterator[T]:
        """
        All links.
        """
        return iter(self._row)

    def offer(self, link: T) -> bool:
        """
        A link has become free.  Offering it twice changes nothing.

        @return: whether it was not known before.
        """
        isNew = link not in self._row
        if isNew:
            self._row.append(link)
            self._choose()
        self._free[link] = None
        if self.current is None:
            self.current = self._best(self._carrying)[0]
        return isNew

    def withdraw(self, link: T) -> None:
        """
        A link is full.  Withdrawing it twice changes nothing.
        """
        self._free.pop(link, None)
        if self.current is link:
            self.current = self._best(self._carrying)[0]

    def remove(self, link: T) -> None:
        """
        A link is gone.
        """
        self.doubted.discard(link)
        if link in self._row:
            self._row.remove(link)
            self._choose()
        self.withdraw(link)
        if self.current is None:
            self.current = self._best(self._carrying)[0]

    def narrow(self, most: int) -> None:
        """
        Let at most so many links carry; 0 means all.
        """
        if most != self._most:
            self._most = most
            self._choose()
            if self.current not in self._carrying:
                self.current = self._best(self._carrying)[0]

    def _choose(self) -> None:
        self._carrying = set(self._row[: self._most or None])

    def spare(self, isAtRest: Callable[[T], bool]) -> T | None:
        """
        @param isAtRest: tells whether a small datagram that a link is given is on its way at once.
        @return: such a link that is not one of those that carry, or L{None}.  It is for
            datagrams that are too small to delay others.
        """
        others = self._row[len(self._carrying) :]
        free = (link for link in self.inTurn() if link in others)
        return next(filter(isAtRest, islice(free, LOOKS)), None)

    def inTurn(self) -> list[T]:
        """
        @return: the links that can be written to, the one that was L{used} longest ago first; those that
            are in doubt last.
        """
        return sorted(self._free, key=self.doubted.__contains__) if self.doubted else list(self._free)

    @property
    def isFree(self) -> bool:
        """
        Whether any link can be written to.
        """
        return bool(self._free)

    def used(self, link: T) -> None:
        """
        A link is the last in turn now.
        """
        if link in self._free:
            del self._free[link]
            self._free[link] = None

    def sound(self) -> T | None:
        """
        @return: the best of the links that can be written to, but none that is in trouble;
            L{None} where all are.
        """
        best, cost = self._best(self._free)
        if not isInTrouble(cost):
            return best
        return next((link for link in self.inTurn()[:MOST_LOOKS] if not isInTrouble(self._costOf(link))), None)

    def moveOn(self) -> bool:
        """
        Go to another link, unless all others are in trouble or later than this one.  Any of them will do, since a
        light load fills none.

        @return: whether there was one to go to.
        """
        return self._goToAnother(self._free)

    def prefer(self, link: T) -> None:
        """
        Use a link from now on, since there is reason to believe that it is the best.
        """
        if link in self._free:
            self._row.remove(link)
            self._row.insert(0, link)
            self._choose()
            self.current = link

    def leaveTrouble(self, *, loaded: bool) -> bool:
        """
        Go to another link if the current one is in trouble, and another is not and will be sooner.

        @param loaded: whether links are being filled, so that it has to be one of those
            that carry.
        @return: whether another link is the current one now.
        """
        if self.current is None or len(self._free) == 1 or self._costOf(self.current) < TROUBLED:
            return False
        return self._goToAnother(self._carrying if loaded else self._free)

    def _goToAnother(self, among: Container[T]) -> bool:
        """
        Go to the best of the others, and keep the one before as the next choice.  The new
        link may have rested, and so may soon be full.  Then the load goes back to the one
        before, where two may carry.

        @return: whether there was a link that is better.
        """
        before = self.current
        if before is None or len(self._free) == 1:
            return False
        del self._free[before]
        best, cost = self._best(among)
        self._free[before] = None
        isLater = cost >= LATE and before not in self.doubted and cost >= self._costOf(before)
        if best is None or isInTrouble(cost) or isLater or (best in self.doubted and before not in self.doubted):
            return False
        if best not in self._carrying:
            self._row.remove(best)
            self._row.remove(before)
            self._row[:0] = [best, before]
            self._choose()
        self.current = best
        return True

    def _best(self, among: Container[T]) -> tuple[T | None, int]:
        free: Iterable[T] = (link for link in self._free if link in among)
        if self.doubted:
            free = sorted(free, key=self.doubted.__contains__)
        best: T | None = None
        least = 0
        looks = 0
        for link in islice(free, MOST_LOOKS):
            cost = self._costOf(link)
            if best is None or cost < least:
                best, least = link, cost
            looks += cost < LATE
            if not cost or looks == LOOKS:
                break
        return best, least
