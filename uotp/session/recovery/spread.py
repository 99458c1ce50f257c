"""
Over which links the datagrams of a light flow go on a path that loses.

What is sent behind a lost segment waits for its repair.  So the links take turns, and each datagram takes
the one that has rested for longest.  A link is passed over that has waited for an acknowledgement for
longer than a round trip and a bit, since the other kernel acknowledges at once while copies come: there
something is lost, and until it is repaired all that follows waits.

Such a link is nudged: it is given an empty frame.  The acknowledgement for that tells its kernel what was
lost, where otherwise a timer has to run out.

Pure: time comes in with each call.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from itertools import islice

from uotp.boundaries import Link
from uotp.session.recovery.nudges import pauseBetween

SPREAD_LOOKS = 8
"""So many links are looked at to find those for one datagram, each with a system call of less than a microsecond."""

OVERDUE_ROUND_TRIPS = 1.25
OVERDUE_SECONDS = 0.01
"""
An acknowledgement is overdue after so many round trips, as the kernel measures them, and so many seconds more.
"""


class Standing(IntEnum):
    """
    Says of a link that was used of late whether all that it was given is acknowledged, is not yet, or should
    have been.
    """

    QUIET = 0
    WAITING = 1
    OVERDUE = 2


class Used:
    """
    Tells how a link stands that was used for a datagram of late.

    @ivar since: nothing that was sent by then is known to be acknowledged, in monotonic seconds.
    @ivar at: when it was used last.
    @ivar acknowledged: bytes that its kernel said were acknowledged when we looked last; -1 before that.
    @ivar nudgedAt: when it was nudged last.
    """

    __slots__ = ("acknowledged", "at", "nudgedAt", "since")

    def __init__(self, now: float) -> None:
        self.since = self.at = self.nudgedAt = now
        self.acknowledged = -1


class Spread:
    """
    Chooses links for one session in turn.
    """

    def __init__(self) -> None:
        self._used: dict[Link, Used] = {}

    def choose(self, links: Iterable[Link], now: float) -> Link | None:
        """
        @param links: those that can be written to, the one that has rested for longest first.
        @return: the first of them that waits for nothing, or else the first that waits for no repair, or else
            the first.
        """
        chosen: Link | None = None
        best = len(Standing)
        for link in islice(links, SPREAD_LOOKS):
            standing = self._standingOf(link, now)
            if standing < best:
                chosen, best = link, standing
                if standing is Standing.QUIET:
                    break
        if chosen is None:
            return None
        used = self._used.get(chosen)
        if used is None:
            used = self._used[chosen] = Used(now)
        used.at = now
        return chosen

    def _standingOf(self, link: Link, now: float) -> Standing:
        used = self._used.get(link)
        if used is None:  # it may carry a heavy flow
            return Standing.OVERDUE if link.isTroubled() else Standing.QUIET
        path = link.pathStats()
        if path is None:
            return Standing.QUIET
        if not path.isWaiting:
            del self._used[link]
            return Standing.QUIET
        if path.acknowledged != used.acknowledged:
            if used.acknowledged >= 0:
                used.since = used.at
            used.acknowledged = path.acknowledged
        late = now - used.since - OVERDUE_SECONDS - OVERDUE_ROUND_TRIPS * path.roundTrip
        if late < 0:
            return Standing.WAITING
        if now - used.nudgedAt >= pauseBetween(path.roundTrip):
            used.nudgedAt = used.at = now
            link.nudge()
        return Standing.OVERDUE

    def forget(self, link: Link) -> None:
        """
        A link is gone.
        """
        self._used.pop(link, None)
