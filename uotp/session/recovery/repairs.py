"""
Datagrams that go again because the other end misses them.

What the other end says it misses, though later ones have come, is sent again at once, as far as a link still keeps it,
through another link.  But what was sent again so lately that the other end could not know of it, is not; and
of a heavy flow hardly anything is while no kernel knows of a loss.  This is bounded as copies are, by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from uotp.boundaries import Allowance, Link
from uotp.path import TROUBLED
from uotp.session.recovery.grant import Grant
from uotp.session.recovery.nudges import LINKS_PER_UNIT
from uotp.session.recovery.resending import Resending, countedBytes
from uotp.session.scheduling.scheduler import Scheduler
from uotp.train import Arrival, Missing

MAX_REPAIR_BYTES = 16 * 1024
"""So much is sent again at once of what the other end misses."""

SAME_REPORT_SECONDS = 0.005
"""The same report so soon after is passed over: each is sent through two links."""

UNLIKELY_SECONDS = 1.0
"""While no kernel knows of a loss, a report of what a heavy flow misses is heeded no more often than this."""

MAX_SEARCHED_UNITS = 256
"""
So much is done for all reports of L{SAME_REPORT_SECONDS} together, a unit for each gap and for each link that is
searched.  That takes a millisecond, and honest reports seldom need it: eight gaps, and thirty links that keep
something.
"""

BEHIND_ROUND_TRIPS = 1.25
BEHIND_SECONDS = 0.02
"""
Where a kernel holds what it has not sent, it may take so many round trips and so many seconds
more before the other end can miss what the kernel was given.
"""

REPORTS = 2
"""What is missed is told through so many links: there the path loses, too."""


class Repairs:
    """
    Tells the other end of one session what is missed here, and sends again what is missed there.
    """

    def __init__(self, scheduler: Scheduler[Link], resending: Resending, clock: Any, allowance: Allowance) -> None:
        """
        @param scheduler: knows the links.
        @param resending: sends trains again.
        @param clock: C{IReactorTime}.
        @param allowance: of the session's owner.
        """
        self._scheduler = scheduler
        self._resending = resending
        self._clock = clock
        self._allowance = allowance
        self._grant = Grant()
        self._reported: list[Missing] = []
        self._reportedAt = -math.inf
        self._unlikelyAt = -math.inf  # when a report was heeded last though no kernel knew of a loss
        self._searchLeft = 0  # units that may be spent for reports of this moment
        self._searchedAt = -math.inf  # when that moment began

    def measured(self, rate: float, seconds: float) -> None:
        """
        The flow was measured.

        @param rate: what it has sent, in bytes in a second.
        @param seconds: since it was measured before.
        """
        self._grant.add(rate, seconds)

    def mayRepeat(self, size: int) -> bool:
        """
        @param size: bytes that a link holds unsent and will send, and that another is to bring sooner.
        @return: whether they may be sent again, too; then they count with what is missed.
        """
        return self._grant.spend(size)

    def report(self, missing: list[Missing]) -> None:
        """
        Tell the other end which of its datagrams have not come.
        """
        now = self._clock.seconds()
        links = self._scheduler.inTurn()
        for _ in range(REPORTS):
            link = self._resending.choose(links, now)
            if link is not None:
                links.remove(link)
                link.report(missing)

    def missed(
        self, missing: list[Missing], roundTrip: float, isToFollow: Callable[[int], bool], *, isLikely: bool
    ) -> None:
        """
        The other end says which datagrams have not come.

        @param roundTrip: of the path, in seconds.
        @param isToFollow: tells whether the copy of the datagram with a number is not sent yet.
        @param isLikely: whether something may be lost.  Otherwise it mostly waits somewhere, so few reports are
            heeded: the loss may be behind a relay.
        """
        now = self._clock.seconds()
        if not self._isToHeed(missing, now, isLikely=isLikely):
            return
        if now - self._searchedAt >= SAME_REPORT_SECONDS:
            self._searchLeft, self._searchedAt = MAX_SEARCHED_UNITS, now
        left = MAX_REPAIR_BYTES
        sentAgain = self._resending.sentAgain
        for first, count in missing:
            if self._searchLeft <= 0:
                return
            self._spend(1 + len(self._scheduler) // LINKS_PER_UNIT)
            at = sentAgain.lastSent(first)
            if (at is not None and now - at < roundTrip) or isToFollow(first):
                continue
            found, holder = self._find(first, count, left, now)
            if holder is None:
                continue
            if at is not None:
                sentAgain.lostBoth(now)
            size = countedBytes(found)
            if not self._grant.allows(size) or not self._resending.sendByAnother(found, holder, now):
                return
            self._grant.spend(size)
            left -= size
            if left <= 0:
                return

    def _isToHeed(self, missing: list[Missing], now: float, *, isLikely: bool) -> bool:
        """
        @return: whether to do what a report asks for.
        """
        if missing == self._reported and now - self._reportedAt < SAME_REPORT_SECONDS:
            return False
        if not isLikely:
            if now - self._unlikelyAt < UNLIKELY_SECONDS:
                return False
            self._unlikelyAt = now
        self._reported, self._reportedAt = missing, now
        return True

    def _find(self, first: int, count: int, most: int, now: float) -> tuple[list[Arrival], Link | None]:
        """
        @return: what a link keeps of some datagrams, and that link; but not what was given to it so lately that
            it may just be on its way.  Small datagrams overtake bulk that waits in a kernel.
        """
        for link in self._scheduler:
            if self._searchLeft <= 0:
                break
            if link.holdsUnacked():
                self._spend(1)
                found = link.unackedWithin(first, count, most, now - leastAgeOf(link))
                if found:
                    return found, link
        return [], None

    def _spend(self, units: int) -> None:
        self._searchLeft -= units
        self._allowance.spend(units)


def leastAgeOf(link: Link) -> float:
    """
    @return: how long ago, in seconds, a link must have been given what the other end can miss by now.
    """
    path = link.pathStats()
    if path is None:
        return 0.0
    isBehind = link.cost() % TROUBLED > 0  # what is unsent
    return path.roundTrip * BEHIND_ROUND_TRIPS + BEHIND_SECONDS if isBehind else path.roundTrip
