"""
Empty frames for links that repair a loss and carry nothing meanwhile.

A heavy flow leaves a link at the first sign of a loss.  Where the repair is lost too, the kernel learns of
that from the acknowledgement of something that was sent behind the repair.  If there is nothing, it waits for a
timer, of 0.2 s at least; and where order is kept, all that came through the other links waits as well.  So
something follows: a few bytes.  The flow itself may be at a standstill by then, as TCP inside a VPN is that waits
for the same datagrams; so this has a timer of its own.
"""

from __future__ import annotations

import math
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from uotp.boundaries import Allowance, Link
from uotp.path import TROUBLED
from uotp.session.scheduling.scheduler import Scheduler

TROUBLE_LOOK_SECONDS = 0.01
"""The time between two looks at all links, each of which costs a system call for each link."""

NUDGE_SECONDS = 0.02
"""The least time between two nudges of a link; half a round trip where that is longer."""

LINKS_PER_UNIT = 32
"""To ask so many links something takes about as long as to handle a datagram."""

MOST_NUDGES = 8
"""A link gets so many of them until it is well: four round trips or more.  A dead one would get them for ever."""

WATCHED_SECONDS = 0.5
WATCHED_ROUND_TRIPS = 4
MOST_WATCHED_SECONDS = 2.0
"""
The links are watched for so long, or for so many round trips where that is longer, but not for longer than the
last of these: it is the other end that decides how long a round trip seems to be.
"""


def pauseBetween(roundTrip: float) -> float:
    """
    @param roundTrip: of the path, in seconds.
    @return: seconds between two nudges of one link.
    """
    return max(NUDGE_SECONDS, roundTrip / 2)


class Nudged:
    """
    Remembers of one link in trouble when it was nudged.
    """

    __slots__ = ("at", "times")

    def __init__(self) -> None:
        self.at = -math.inf
        self.times = 0


class Nudges:
    """
    Nudges those links of one session that are in trouble.
    """

    def __init__(self, scheduler: Scheduler[Link], clock: Any, allowance: Allowance) -> None:
        """
        @param scheduler: knows the links.
        @param clock: C{IReactorTime}.
        @param allowance: of the session's owner.
        """
        self._scheduler = scheduler
        self._clock = clock
        self._allowance = allowance
        self._nudged: dict[Link, Nudged] = {}
        self._until = -math.inf
        self._pause = NUDGE_SECONDS
        self._timer: IDelayedCall | None = None

    def watch(self, roundTrip: float, now: float) -> None:
        """
        Watch the links from now on for a while.

        @param roundTrip: of the path, in seconds.
        @param now: monotonic seconds.
        """
        self._until = now + min(max(WATCHED_SECONDS, WATCHED_ROUND_TRIPS * roundTrip), MOST_WATCHED_SECONDS)
        self._pause = pauseBetween(roundTrip)
        if self._timer is None:
            self._timer = self._clock.callLater(TROUBLE_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        self._allowance.spend(1 + len(self._scheduler) // LINKS_PER_UNIT)
        now = self._clock.seconds()
        for link in list(self._scheduler):
            cost = link.cost()
            if cost < TROUBLED:
                self._nudged.pop(link, None)
            elif cost == TROUBLED and link in self._scheduler:  # what is unsent would follow by itself
                self._nudge(link, now)
        if now < self._until:
            self._timer = self._clock.callLater(TROUBLE_LOOK_SECONDS, self._look)
        else:
            self._nudged.clear()

    def _nudge(self, link: Link, now: float) -> None:
        """
        Nudge a link if it is time, and it got few nudges so far.
        """
        nudged = self._nudged.get(link)
        if nudged is None:
            nudged = self._nudged[link] = Nudged()
        isTime = now - nudged.at >= self._pause and now - link.sentAt >= TROUBLE_LOOK_SECONDS
        if isTime and nudged.times < MOST_NUDGES:
            nudged.at = now
            nudged.times += 1
            link.nudge()

    def forget(self, link: Link) -> None:
        """
        A link is gone.
        """
        self._nudged.pop(link, None)

    def finish(self) -> None:
        """
        The session is over, and nobody is nudged any more.
        """
        self._until = -math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._nudged.clear()
