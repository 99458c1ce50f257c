"""
What is done about a link that its congestion control has stopped.

The one that may send most carries in its place, and what it holds unsent others bring.  A connection that never
carried much may send ten segments at once, and one that carried much before a whole lot.  So what the other
end waits for is there soonest when the one that may send most goes first, and each takes no more than it may
send.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import islice
from operator import itemgetter

from uotp.boundaries import Link
from uotp.path import TROUBLED
from uotp.session.recovery.repairs import Repairs
from uotp.session.scheduling.scheduler import MOST_LOOKS, Scheduler
from uotp.session.scheduling.stalled import isStalled, roomOf
from uotp.train import LAST_NUMBER, Arrival, split

LEAVE_SECONDS = 0.05
"""The shortest time between two times that a heavy flow leaves a link which sends nearly nothing."""

RELIEVE_SECONDS = 0.02
"""The time between two looks whether links that are not in use send nearly nothing."""


class Handover:
    """
    Leaves links of one session that send nearly nothing, and has others bring what they hold.
    """

    __slots__ = ("_leftAt", "_relieveAt", "_relieved", "_repairs", "_scheduler")

    def __init__(self, scheduler: Scheduler[Link], repairs: Repairs, now: float) -> None:
        """
        @param scheduler: knows the links.
        @param repairs: tells whether so much may go twice.
        @param now: monotonic seconds, as in the other methods.
        """
        self._scheduler = scheduler
        self._repairs = repairs
        self._leftAt = -math.inf
        self._relieveAt = now
        self._relieved: set[Link] = set()  # whose load others have brought since they stalled

    def leaveIfStalled(self, now: float) -> bool:
        """
        Have another link carry where the one in use sends nearly nothing.

        @return: whether another one does.
        """
        current = self._scheduler.current
        if current is None or now - self._leftAt < LEAVE_SECONDS or not isStalled(current.pathStats()):
            return False
        return self.leave(current, now)

    def leave(self, stalled: Link, now: float) -> bool:
        """
        Have another link carry in place of one that sends nearly nothing.

        @return: whether there is one that may send at once.
        """
        takers = self.takers(stalled)
        if not takers:
            return False
        self._leftAt = now
        self._scheduler.prefer(next(iter(takers)))
        self._relieve(stalled, takers)
        return True

    def look(self, now: float) -> None:
        """
        A link that is not in use may hold something and send nearly nothing: have it brought by others, once, and
        for one link at a time.  This is for a path that loses.  It takes a system call for each link, so it is done
        no more often than each L{RELIEVE_SECONDS}.
        """
        if now < self._relieveAt:
            return
        self._relieveAt = now + RELIEVE_SECONDS
        for link in islice(self._scheduler, MOST_LOOKS):
            if not isStalled(link.pathStats()):
                self._relieved.discard(link)
            elif link not in self._relieved and link.cost() % TROUBLED and self._relieve(link, self.takers(link)):
                break

    def forget(self, link: Link) -> None:
        """
        A link is gone.
        """
        self._relieved.discard(link)

    def takers(self, stalled: Link) -> dict[Link, int]:
        """
        @return: the links that may send at once in place of one, and how many bytes; first the one that may
            send most.  A link in doubt takes nothing over.
        """
        links = [link for link in self._scheduler.inTurn()[:MOST_LOOKS] if link not in self._scheduler.doubted]
        rooms = {link: room for link in links if link is not stalled and (room := roomOf(link))}
        return dict(sorted(rooms.items(), key=itemgetter(1), reverse=True))

    def _relieve(self, stalled: Link, takers: dict[Link, int]) -> bool:
        """
        Have others bring what a link holds unsent, for which the other end would have to wait, as far as so much may
        be sent twice.

        @return: whether they do.
        """
        if not takers or not self._repairs.mayRepeat(stalled.cost() % TROUBLED):
            return False
        for link, part in zip(takers, dividedAmong(list(takers.values()), stalled.takeUnsent()), strict=False):
            link.sendAgain(part)
        self._relieved.add(stalled)
        return True


def dividedAmong(rooms: Sequence[int], arrivals: Sequence[Arrival]) -> list[list[Arrival]]:
    """
    @param rooms: how many bytes each link may send at once; there is at least one link.
    @param arrivals: trains with the numbers of their first datagrams, in order.
    @return: what each link is to take, as far as there is enough for all: as much as it may send,
        and the first one all the rest.
    """
    left = deque(arrivals)
    parts: list[list[Arrival]] = []
    for most in rooms:
        part: list[Arrival] = []
        room = most
        while left and room > 0:
            number, train = left.popleft()
            taken, rest = split(train, room)
            if part and len(taken.payload) > room:
                left.appendleft((number, train))
                break
            if rest is not None:
                left.appendleft((number + taken.datagrams & LAST_NUMBER, rest))
            part.append((number, taken))
            room -= max(len(taken.payload), 1)
        if part:
            parts.append(part)
    if left:
        parts[0] += left
    return parts
