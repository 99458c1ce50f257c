"""
The way of trains that go over a second link: copies, and what the other end misses.

Pure: time comes in with each call.
"""

from __future__ import annotations

from collections.abc import Iterable

from uotp.boundaries import Link
from uotp.session.recovery.sentagain import SentAgain
from uotp.session.recovery.spread import Spread
from uotp.session.scheduling.scheduler import Scheduler
from uotp.train import Arrival

LEAST_COUNTED_BYTES = 64
"""A train that is sent again counts as so long at least, so that short ones are bounded too."""


class Resending:
    """
    Chooses links of one session in turn, and sends trains again through another one than that which had them.

    @ivar sentAgain: remembers what was sent again.
    """

    def __init__(self, scheduler: Scheduler[Link]) -> None:
        """
        @param scheduler: knows the links.
        """
        self._scheduler = scheduler
        self._spread = Spread()
        self.sentAgain = SentAgain()

    def choose(self, links: Iterable[Link], now: float) -> Link | None:
        """
        @param links: those to choose from, the one that has rested for longest first.
        @param now: monotonic seconds, as in the other methods.
        @return: the one that is to be used, and counts as used now; L{None} where there is none.  What goes
            by it has a number, so it is never one that knows of none.
        """
        link = self._spread.choose((link for link in links if link.numbers), now)
        if link is not None:
            self._scheduler.used(link)
        return link

    def sendByAnother(self, arrivals: list[Arrival], given: Link, now: float) -> bool:
        """
        Send trains again through another link than the one that was given them.

        @return: whether there is one.
        """
        link = self.choose([link for link in self._scheduler.inTurn() if link is not given], now)
        if link is None:
            return False
        for number, train in arrivals:
            self.sentAgain.note(number, train.datagrams, now)
        link.sendAgain(arrivals)
        return True

    def forget(self, link: Link) -> None:
        """
        A link is gone.
        """
        self._spread.forget(link)


def countedBytes(arrivals: Iterable[Arrival]) -> int:
    """
    @return: how many bytes some trains count as when they are sent again.
    """
    return sum(max(len(train.payload), LEAST_COUNTED_BYTES) for _, train in arrivals)
