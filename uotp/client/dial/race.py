"""
Tries the addresses of a server until a tunnel is open, one a little after the other (RFC 8305).
An address is no good before the server itself has answered there: a machine in front of it, or
a kernel whose program stands still, accepts TCP too.  So the race ends with the first tunnel
that is open, and not before.

Where the path is known to be slow, each try may take long.  Then addresses are tried again
beside, so that a server that comes back is found soon, though the tries of before wait longer
and longer between the packets that they send.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from uotp.client.context import ClientContext
from uotp.client.dial.contender import Contender
from uotp.client.dial.failures import wordsForAll
from uotp.client.dial.patience import DialStep
from uotp.net import Addresses
from uotp.tunnel import Tunnel

STAGGER_SECONDS = 0.25
"""An address has so much time before the next one is tried beside it, as RFC 8305 recommends."""

STAGGER_TIMES = 2.0
STAGGER_ROUND_TRIPS = 3.0
MOST_STAGGER_SECONDS = 5.0
"""
It has more, up to a bound, where its steps usually take longer: so many times as long as the
step took last with the address that was good last, and so many round trips of this connection.
"""

MAX_CONTENDERS = 4
"""So many addresses are tried at the same time."""

MAX_BESIDE = 2 * MAX_CONTENDERS
"""So many connections there may be, with those that try smaller segments."""


class Race:
    """
    Tries some addresses until one tunnel is open or all have failed.

    @ivar isUrgent: see L{uotp.client.dial.contender.ContenderOwner}.
    @ivar wasStopped: whether the contender that failed last was stopped on the way.
    @ivar strayed: the addresses at which another server has answered than the one that is wanted.
    @ivar hasFailed: whether an address has failed.
    """

    def __init__(
        self,
        context: ClientContext,
        addresses: Addresses,
        makeTunnel: Callable[[], Tunnel],
        failed: Callable[[str], None],
        left: Callable[[Contender, str], None],
        *,
        isUrgent: bool,
    ) -> None:
        """
        @param addresses: one or more, the first to try first.
        @param makeTunnel: makes the tunnel of a connection.
        @param failed: called once, when all have failed, with the reasons in words.
        @param left: called with each contender that is over, and why it is, in words.
        """
        self._context = context
        self._left = deque(addresses)
        self._makeTunnel = makeTunnel
        self._failed = failed
        self._tellLeft = left
        self.isUrgent = isUrgent
        self.wasStopped = False
        self.strayed: list[Any] = []
        self.hasFailed = False
        self._first: list[Contender] = []  # one for each address, which has failed when this one has
        self._again: list[Contender] = []  # those that try an address once more, or with smaller segments
        self._reasons: dict[str, str] = {}
        self._timer: IDelayedCall | None = None

    def begin(self) -> None:
        """
        Try the first address.  All may fail at once.
        """
        self._next()

    def _next(self) -> None:
        """
        Try one address more, or one once more.
        """
        self._timer = None
        if self._left:
            self._try(self._left.popleft(), self._first, self._context.segments.forDial())
            return
        if len(self._first) + len(self._again) >= MAX_CONTENDERS and self._again:
            self._again.pop(0).leave()
        if len(self._first) + len(self._again) < MAX_CONTENDERS:
            oldest = self._first.pop(0)  # and its turn comes again behind the others
            self._first.append(oldest)
            self._try(oldest.address, self._again, self._context.segments.forDial())
        else:
            self._wait(self._context.patience.first)

    def _try(self, address: Any, contenders: list[Contender], segmentSize: int | None) -> None:
        contender = Contender(self._context, self, address, self._makeTunnel, segmentSize)
        contenders.append(contender)
        contender.begin()
        if not contender.isOver:  # or it has failed at once
            self._plan(contender)

    def _plan(self, contender: Contender) -> None:
        """
        Decide when somebody else is tried, if he who came last gets no further.
        """
        if self._left:
            if len(self._first) < MAX_CONTENDERS:
                self._wait(self._stagger(contender))
        elif self.isUrgent and any(each.limit > self._context.patience.first for each in self._first):
            self._wait(self._context.patience.first)
        else:
            self._stopWaiting()

    def _stagger(self, contender: Contender) -> float:
        isBest = contender.address == self._context.addresses.best
        usual = self._context.patience.usual(contender.step) if isBest else 0.0
        roundTrip = contender.took.get(DialStep.CONNECT, 0.0)
        wanted = max(STAGGER_TIMES * usual, STAGGER_ROUND_TRIPS * roundTrip)
        return min(max(wanted, STAGGER_SECONDS), MOST_STAGGER_SECONDS)

    def _wait(self, seconds: float) -> None:
        self._stopWaiting()
        self._timer = self._context.clock.callLater(seconds, self._next)

    def _stopWaiting(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    # What contenders tell.

    def contenderProgressed(self, contender: Contender) -> None:
        """
        See L{uotp.client.dial.contender.ContenderOwner}.
        """
        self._plan(contender)

    def contenderStalls(self, contender: Contender, smaller: int) -> None:
        """
        See L{uotp.client.dial.contender.ContenderOwner}.
        """
        if len(self._first) + len(self._again) < MAX_BESIDE:
            self._try(contender.address, self._again, smaller)

    def contenderFailed(self, contender: Contender, words: str) -> None:
        """
        See L{uotp.client.dial.contender.ContenderOwner}.
        """
        self._tellLeft(contender, words)
        if contender in self._again:
            self._again.remove(contender)
            return
        self._first.remove(contender)
        self.wasStopped, self.hasFailed = contender.wasStopped, True
        self._reasons.setdefault(contender.address.host, words)
        self._context.addresses.failed(contender.address)
        self._goOn()

    def _goOn(self) -> None:
        if self._left:
            self._stopWaiting()
            self._next()
        elif not self._first:
            self.leave()
            self._failed(wordsForAll(self._reasons))

    # What the attempt tells.

    def contenderOf(self, tunnel: Tunnel) -> Contender | None:
        """
        @return: who has dialled a tunnel, or L{None} when that was nobody of this race.
        """
        return next((each for each in (*self._first, *self._again) if each.tunnel is tunnel), None)

    def lostTo(self, contender: Contender, words: str) -> None:
        """
        A tunnel is open to another server than the one that is wanted, and its address is not to blame.

        @param words: the same for the log.
        """
        contender.strayed()
        self._tellLeft(contender, words)
        self.strayed.append(contender.address)
        if contender in self._again:
            self._again.remove(contender)
            return
        self._first.remove(contender)
        self._reasons.setdefault(contender.address.host, words)
        self._goOn()

    def won(self, winner: Contender) -> None:
        """
        A tunnel is open.
        """
        winner.opened()
        self._context.addresses.succeeded(winner.address)
        self._judgeSize(winner)
        self._tellLeft(winner, "open")
        winner.end()
        for other in (*self._first, *self._again):
            if other is not winner:
                self._tellLeft(other, "another was first")
        self.leave()

    def _judgeSize(self, winner: Contender) -> None:
        size = winner.segmentSize
        both = (*self._first, *self._again)
        beside = [each for each in both if each.stalls and each.address == winner.address]
        larger = [each for each in beside if size is not None and (each.segmentSize is None or each.segmentSize > size)]
        if size is not None and larger:
            newest = max(each.stepBegunAt for each in larger)
            sawLoss = any(each.sawLoss for each in larger)
            self._context.segments.smallerPassed(size, newest, self._context.clock.seconds(), sawLoss=sawLoss)

    def leave(self) -> None:
        """
        Give up whatever is under way.
        """
        self._stopWaiting()
        self._left.clear()
        for contender in (*self._first, *self._again):
            contender.leave()
        self._first.clear()
        self._again.clear()
