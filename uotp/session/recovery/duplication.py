"""
Datagrams that go over two links.

On a path that loses, what is lost arrives a round trip later, and what is behind it on the same connection
waits for it.  A copy that takes another connection arrives in time.  The copy has the number of the first one
and says that it was sent before, so the other end drops what comes second.

 1. Datagrams of a light flow take the links in turn (L{uotp.session.recovery.spread}), and go over two.  So do
    small ones of any other flow, also where UDP brings them together with large ones, the first time through the
    link that carries the flow.
 2. Copies are bounded (L{uotp.session.recovery.grant}).  Small datagrams may have all of that, and larger
    ones leave half of what can be saved up to them.
 3. While trains wait for a link, the path is full, and nothing goes twice.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from uotp.boundaries import Allowance, Link
from uotp.duplicate import Duplicate
from uotp.session.backlog import endApart, isSmall
from uotp.session.demand import Demand
from uotp.session.recovery.grant import GRANTED_BYTES_PER_SECOND, SAVED_SECONDS, Grant
from uotp.session.recovery.losses import Losses
from uotp.session.recovery.repairs import Repairs
from uotp.session.recovery.resending import Resending, countedBytes
from uotp.session.scheduling.scheduler import Scheduler
from uotp.session.scheduling.stickiness import FIRST_WINDOW_BYTES
from uotp.train import LAST_NUMBER, NOTHING_WAITS, Arrival, Missing, Numbering, Train, numberedFrom

LOSSES_LOOK_SECONDS = 0.25
"""
The usual time between two looks at all links, each of which costs a system call for each link.  While it is not decided
whether anything was lost on a path that does not lose, the next look may be sooner.
"""

LIGHT_LOOK_SECONDS = 1.0
LIGHT_BYTES_PER_SECOND = 8192
"""The same while nothing was lost of late, and the flow is lighter than this."""

FULL_SECONDS = 0.3
"""A path on which trains have waited is full for so long."""

LARGE_RESERVE_BYTES = GRANTED_BYTES_PER_SECOND * SAVED_SECONDS / 2
"""What larger datagrams leave to small ones of what is granted."""

EARLY_SECONDS = 0.001
"""A copy may follow sooner by so much."""


class Duplication:
    """
    Sends datagrams of one session twice where it is worth it.

    @ivar repairs: sends again what the other end misses.
    @ivar isOn: whether the path loses, has room, and the other end drops copies: so small datagrams go twice.
    @ivar isLight: whether a connection that has rested could carry the flow, as it was measured last.
    @ivar rate: of the flow, in bytes in a second, as it was measured last.
    @ivar spreads: whether the flow is light besides, so that all its datagrams do, and take the links in turn.
    """

    def __init__(
        self,
        scheduler: Scheduler[Link],
        numbering: Numbering,
        clock: Any,
        choice: Duplicate,
        demand: Demand,
        allowance: Allowance,
    ) -> None:
        """
        @param scheduler: knows the links.
        @param numbering: of what the session sends.
        @param clock: C{IReactorTime}.
        @param choice: what the user says.
        @param demand: told how many links this takes.
        @param allowance: of the session's owner.
        """
        self._scheduler = scheduler
        self._numbering = numbering
        self._clock = clock
        self._choice = choice
        self._demand = demand
        self._losses = Losses()
        self._grant = Grant()
        self._resending = Resending(scheduler)
        self._sentAgain = self._resending.sentAgain
        self.repairs = Repairs(scheduler, self._resending, clock, allowance)
        self._apart: deque[tuple[float, list[Arrival], Link]] = NOTHING_WAITS  # copies that follow, and when
        self._timer: IDelayedCall | None = None
        self._fullAt = -math.inf
        self._measuredAt: float = clock.seconds()
        self._bytesBefore, self._numberBefore = 0, numbering.next
        self.isLight = True
        self.rate = self._perSecond = 0.0  # bytes, and datagrams
        self.lookAt = self._measuredAt
        self.isOn = self.spreads = False

    # What goes twice.

    def look(self, bytesOut: int, roundTrip: float, now: float, *, isFull: bool, isLossyIn: bool) -> None:
        """
        Decide what goes twice from now on.  Call this when it is time (L{lookAt}).

        @param bytesOut: payload that came from UDP so far.
        @param roundTrip: of the path, in seconds; 0 while it is not known.
        @param now: monotonic seconds, as in the other methods.
        @param isFull: whether what is in flight is bounded, since the path is full.
        @param isLossyIn: whether the other end sends twice.
        """
        self._sentAgain.lost(self._losses.look(self._scheduler, now, roundTrip))
        isBusy = bytesOut - self._bytesBefore > LIGHT_BYTES_PER_SECOND * (now - self._measuredAt)
        self._measure(bytesOut, roundTrip, now)
        self.lookAt = now + (LOSSES_LOOK_SECONDS if isBusy or self._losses.isLossy(now) else LIGHT_LOOK_SECONDS)
        if self._losses.isInDoubt and not self._losses.isLossy(now):
            self.lookAt = min(self.lookAt, self._losses.decidesAt)
        current = self._scheduler.current
        isLossy = self.isLossy(now)
        mayCopy = self._choice is not Duplicate.OFF and current is not None and current.numbers
        isWanted = isLossy and mayCopy and not isFull and now - self._fullAt >= FULL_SECONDS
        self.isOn = isWanted and len(self._scheduler) > 1
        self.spreads = self.isOn and self.isLight
        if (isWanted or (mayCopy and isLossyIn)) and self.isLight:
            self._demand.goesTwice(2 * self._perSecond * roundTrip, now, inBursts=self._sentAgain.apart(now) > 0)

    def lookSoon(self, now: float) -> None:
        """
        The flow may be heavy now.
        """
        if self.isLight and self.lookAt != math.inf:
            self.lookAt = min(self.lookAt, now + LOSSES_LOOK_SECONDS)

    def isLossy(self, now: float) -> bool:
        """
        @return: whether something was lost of late, or the user wants that to be assumed.
        """
        return self._choice is Duplicate.ALWAYS or self._losses.isLossy(now)

    def repairsMuch(self, now: float) -> bool:
        """
        @return: whether the flow is heavy, and its links repair losses of late, as far as they can be nudged.  The
            links of a light flow are nudged where they are chosen.
        """
        return not self.isLight and self.isLossy(now) and any(link.numbers for link in self._scheduler)

    def _measure(self, bytesOut: int, roundTrip: float, now: float) -> None:
        """
        Measure the flow, and grant what follows from that, unless that was done a moment ago.
        """
        elapsed = now - self._measuredAt
        if elapsed < LOSSES_LOOK_SECONDS:
            return
        rate = self.rate = (bytesOut - self._bytesBefore) / elapsed
        self._perSecond = (self._numbering.next - self._numberBefore & LAST_NUMBER) / elapsed
        self._measuredAt, self._bytesBefore, self._numberBefore = now, bytesOut, self._numbering.next
        self.isLight = rate * roundTrip <= FIRST_WINDOW_BYTES
        self._grant.add(rate, elapsed)
        self.repairs.measured(rate, elapsed)

    def pathIsFull(self, now: float) -> None:
        """
        A train has to wait for a link.
        """
        self._fullAt = now
        self.isOn = self.spreads = False

    def send(self, trains: list[Train], link: Link, now: float) -> None:
        """
        Send trains over links that wait for no repair, and over two if that is not too much: all of a light flow,
        and of any other the small datagrams among them.

        @param link: the link in use.
        """
        number = self._numbering.next
        if self.spreads:
            link = self._resending.choose(self._scheduler.inTurn(), now) or link
        link.send(trains, now)
        if not link.numbers:  # there may be one among others, where several servers have one address
            return
        arrivals = list(numberedFrom(number, trains) if self.spreads else smallOf(number, trains))
        if not arrivals or not self._grant.allows(countedBytes(arrivals), self._reserveFor(arrivals)):
            return
        apart = self._sentAgain.apart(now)
        if apart:
            if self._apart is NOTHING_WAITS:
                self._apart = deque()
            self._apart.append((now + apart, arrivals, link))
            self._wait(now)
        else:
            self._copy(arrivals, link, now)

    def _reserveFor(self, arrivals: list[Arrival]) -> float:
        return 0.0 if all(isSmall(train) for _, train in arrivals) else LARGE_RESERVE_BYTES

    def _copy(self, arrivals: list[Arrival], given: Link, now: float) -> None:
        if self._resending.sendByAnother(arrivals, given, now):
            self._grant.spend(countedBytes(arrivals))

    def _wait(self, now: float) -> None:
        if self._apart and self._timer is None:
            self._timer = self._clock.callLater(max(self._apart[0][0] - now, 0), self._sendApart)

    def _sendApart(self) -> None:
        """
        Send the copies that are due.
        """
        self._timer = None
        now = self._clock.seconds()
        while self._apart and self._apart[0][0] <= now + EARLY_SECONDS:
            _, arrivals, given = self._apart.popleft()
            if self._grant.allows(countedBytes(arrivals)):
                self._copy(arrivals, given, now)
        self._wait(now)

    # What is missed.

    def missed(self, missing: list[Missing], roundTrip: float) -> None:
        """
        The other end says which datagrams have not come.

        @param roundTrip: of the path, in seconds.
        """
        # Of a light flow, a kernel may learn of a loss later than the other end.
        isLikely = self.isLight or self.isLossy(self._clock.seconds()) or self._losses.isBlind
        self.repairs.missed(missing, roundTrip, self._isToFollow, isLikely=isLikely)

    def _isToFollow(self, number: int) -> bool:
        """
        @return: whether the copy of a datagram is not sent yet.
        """
        apart = self._apart
        if not apart:
            return False
        begin = apart[0][1][0][0]
        # They are in the order of their numbers, and the other end decides how often it is asked.
        index = bisect_right(apart, number - begin & LAST_NUMBER, key=lambda each: each[1][0][0] - begin & LAST_NUMBER)
        return any(number - first & LAST_NUMBER < train.datagrams for first, train in apart[index - 1][1])

    # The end.

    def forget(self, link: Link) -> None:
        """
        A link is gone.
        """
        self._losses.forget(link)
        self._resending.forget(link)
        if self._apart:
            self._apart = deque(each for each in self._apart if each[2] is not link)

    def finish(self) -> None:
        """
        The session is over, and nothing goes twice any more.
        """
        self.lookAt = math.inf
        self._apart.clear()
        self.isOn = self.spreads = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def smallOf(number: int, trains: Iterable[Train]) -> Iterator[Arrival]:
    """
    @param number: of the first datagram.
    @return: the trains of small datagrams among some, and small ones at the end of others, with their numbers.
    """
    parts = (part for train in trains for part in endApart(train))
    return ((first, part) for first, part in numberedFrom(number, parts) if isSmall(part))
