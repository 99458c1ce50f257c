"""
What a session's load does to its path, and what follows from that: how many links may carry at once, how much
they may hold, how fast they may send, and how large a portion is.  What the kernels tell is judged in three
ways, of which the first that applies counts:

 - L{uotp.session.load.standingqueue}: the load keeps a long queue on the path.
 - L{uotp.session.load.shortqueue}: small datagrams go beside bulk that fills the path.
 - L{uotp.session.load.parallelism}: neither; trains wait all the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from uotp.boundaries import Link
from uotp.path import PathStats
from uotp.session.demand import Demand
from uotp.session.load.parallelism import Parallelism
from uotp.session.load.shortqueue import ShortQueue
from uotp.session.load.standingqueue import MIN_BOUND_BYTES, STANDSTILL_SECONDS, StandingQueue, hasQueue
from uotp.session.recovery.duplication import LIGHT_BYTES_PER_SECOND
from uotp.session.scheduling.scheduler import Scheduler

MAX_PORTION_BYTES = 64 * 1024
MIN_PORTION_BYTES = 16 * 1024
PORTION_SECONDS = 0.0005
"""
A link is given at most so much at one go as the path has lately carried in
L{PORTION_SECONDS}, since everything else on that link has to wait behind it.  It is never
more than a whole train and never less than a record of TLS, with which each session begins.
"""

NARROW_BYTES_PER_SECOND = 12_500_000
"""
A path that carries less while trains wait is narrow: 64 KiB, which a kernel takes in one piece, need 5 ms and more
there, and far more on a link that has a small part of the path.  A faster one needs so much, or it idles between two
turns of ours.
"""

PORTIONS_IN_FLIGHT = 4
"""Where what is in flight is bounded, this share of the bound is given at one go."""

JUDGE_SECONDS = 0.2
"""The time between two judgements of how many links may carry: a few round trips."""

LIGHT_JUDGE_SECONDS = 1.0
"""
The same while no train waits and no more comes than L{LIGHT_BYTES_PER_SECOND}.  A flow that is so light
keeps a queue only where the round trip is longer than a second (L{uotp.session.load.standingqueue.MIN_LOAD_BYTES}).
"""


class LoadControl:
    """
    Follows the load of one session, and sets its links and its scheduler accordingly.

    @ivar portion: bytes that a link may be given at one go.
    @ivar given: whoever gives trains to links counts their bytes here.
    @ivar isBound: whether what is in flight is bounded, since the load keeps a long queue on the path.
    @ivar hasWaited: whether trains have waited since it was judged last.
    """

    __slots__ = (
        "_askedAt",
        "_bytesBefore",
        "_demand",
        "_isNarrow",
        "_judgeAt",
        "_judgedAt",
        "_parallelism",
        "_scheduler",
        "_shortQueue",
        "_standingQueue",
        "_waitedForMore",
        "given",
        "hasWaited",
        "isBound",
        "portion",
    )

    def __init__(self, scheduler: Scheduler[Link], demand: Demand, now: float) -> None:
        """
        @param scheduler: knows the links.
        @param demand: is told when more of them are wanted.
        @param now: monotonic seconds, as in the other methods.
        """
        self._scheduler = scheduler
        self._demand = demand
        self._parallelism = Parallelism(now)
        self._standingQueue = StandingQueue(now)
        self._shortQueue = ShortQueue(now)
        scheduler.narrow(self._parallelism.most)
        self.portion = MIN_PORTION_BYTES
        self.given = 0
        self._judgedAt = self._judgeAt = now
        self._askedAt, self._bytesBefore = now, 0  # when it was asked last whether to judge
        self.isBound = self.hasWaited = self._waitedForMore = self._isNarrow = False

    def waits(self, now: float, *, small: bool) -> None:
        """
        Trains have to wait, since no link takes them.

        @param small: whether there are small datagrams among them.
        """
        self.hasWaited = True
        self._waitedForMore = self._waitedForMore or len(self._scheduler) > 0
        self._judgeAt = min(self._judgeAt, now + JUDGE_SECONDS)
        self._shortQueue.waits(now, small=small)

    @property
    def isSlowedDown(self) -> bool:
        """
        Whether links are kept from sending as fast as TCP would.
        """
        return self.isBound or self._shortQueue.rate is not None

    @property
    def parallelism(self) -> int:
        """
        How many links may carry at once, whether or not there are as many.
        """
        return self._parallelism.most

    def fillsPath(self, now: float) -> bool:
        """
        @return: whether the load of late keeps a long queue on the path.
        """
        return self.isBound and self._standingQueue.isRecent(now)

    def loadedRoundTrip(self, now: float) -> float:
        """
        @return: of the path with the queue that the load keeps, in seconds; 0 without one of late.
        """
        return self._standingQueue.roundTrip if self._standingQueue.isRecent(now) else 0.0

    # Links come and go.

    def came(self, link: Link) -> None:
        """
        A link is there that was not known before, or was away.
        """
        link.boundRate(self._shortQueue.rate)  # it may have been away when that was said to the others
        link.boundUnsent(isBounded=self._isNarrow)
        if not self.isBound:
            link.boundInFlight(None)

    def forget(self, link: Link) -> None:
        """
        A link is gone.
        """
        self._parallelism.forget(link)
        self._standingQueue.forget(link)
        self._shortQueue.forget(link)

    # Looking.

    def stalled(self, now: float) -> Link | None:
        """
        While small datagrams go beside bulk that fills the path, let one link carry the bulk, no faster than
        the path does.

        @return: that link, when another one had better carry.
        """
        if not self._shortQueue.watches:
            return None
        if now >= self._shortQueue.judgeAt:
            rate = self._shortQueue.judge(statsOf(self._scheduler), now)
            if rate is not None:
                self._scheduler.narrow(1)
            self._boundRates(rate)
        carrying = next(iter(self._scheduler), None)
        isStalled = carrying is not None and self._shortQueue.isStalled(carrying.pathStats(), now)
        return carrying if isStalled else None

    def judgeSoon(self, now: float) -> None:
        """
        There is a reason to judge at the next look, unless that was done a moment ago: two judgements tell what moves
        between them.
        """
        if now - self._judgedAt >= JUDGE_SECONDS / 2:
            self._judgeAt = now

    def look(self, current: Link | None, bytesOut: int, standsSince: float | None, now: float) -> bool:
        """
        Judge if it is time, and there is a reason.  A light flow is asked for one less often.

        @param current: the link in use.
        @param bytesOut: payload that came from UDP so far.
        @param standsSince: since when trains wait and none was taken; L{None} while none waits.
        @return: whether it was judged, so that what waits may be sent.
        """
        if now < self._judgeAt:
            return False
        isLight = bytesOut - self._bytesBefore < LIGHT_BYTES_PER_SECOND * (now - self._askedAt)
        self._bytesBefore, self._askedAt = bytesOut, now
        self._judgeAt = now + (LIGHT_JUDGE_SECONDS if isLight else JUDGE_SECONDS)
        self.hasWaited = self.hasWaited or standsSince is not None
        if not (self.hasWaited or self.isBound or (current is not None and hasQueue(current.pathStats()))):
            self._setNarrow(isNarrow=False)
            return False
        self._judgeAt = now + JUDGE_SECONDS
        self._judge(standsSince, now)
        return True

    def _judge(self, standsSince: float | None, now: float) -> None:
        elapsed, self._judgedAt = now - self._judgedAt, now
        given, self.given = self.given, 0
        isLoaded = elapsed < 2 * JUDGE_SECONDS  # otherwise there was a time without load
        if isLoaded:
            carried = int(given / elapsed * PORTION_SECONDS)
            self.portion = min(max(carried, MIN_PORTION_BYTES), MAX_PORTION_BYTES)
        waited, self.hasWaited = self.hasWaited, False
        self._setNarrow(isNarrow=waited and isLoaded and given < NARROW_BYTES_PER_SECOND * elapsed)
        paths = statsOf(self._scheduler)
        if self._waitedForMore and not any(map(hasQueue, paths.values())):
            self._demand.waited(now)
        self._waitedForMore = False
        bound = self._standingQueue.judge(paths, now)
        isLate = standsSince is not None and now - standsSince > STANDSTILL_SECONDS
        stands = isLate and not self._standingQueue.moves(now)
        if stands or bound is not None:
            self._shortQueue.stop()
            self._boundRates(None)
        if self._shortQueue.rate is not None:
            self._parallelism.rest(now)
        elif bound is not None:
            self._parallelism.rest(now)
            # there may be no link at all
            self._bindLinks(bound, max(len(paths), 1) if stands else self._standingQueue.links)
        else:
            self._freeLinks()
            if waited and len(self._scheduler):
                self._scheduler.narrow(self._parallelism.reset() if stands else self._parallelism.judge(paths, now))

    # What follows.

    def _setNarrow(self, *, isNarrow: bool) -> None:
        """
        Let kernels have little unsent while trains wait for a narrow path: what comes late on one link, others wait
        for at the other end.
        """
        if isNarrow != self._isNarrow:
            self._isNarrow = isNarrow
            for link in self._scheduler:
                link.boundUnsent(isBounded=isNarrow)

    def _boundRates(self, rate: int | None) -> None:
        for link in self._scheduler:
            link.boundRate(rate)

    def _bindLinks(self, bound: int, carrying: int) -> None:
        """
        Our load keeps a long queue on the path: let few links carry, and hold little.

        @param bound: bytes that they may hold together.
        """
        self.isBound = True
        each = max(bound // carrying, MIN_BOUND_BYTES)
        self.portion = each // PORTIONS_IN_FLIGHT
        self._scheduler.narrow(carrying)
        for link in self._scheduler:
            link.boundInFlight(each)
            link.allowSilence(self._standingQueue.roundTrip)

    def _freeLinks(self) -> None:
        if self.isBound:
            self.isBound = False
            for link in self._scheduler:
                link.boundInFlight(None)


def statsOf(links: Iterable[Link]) -> dict[Link, PathStats]:
    """
    @return: what the kernel tells of each link, where it does.
    """
    return {link: path for link in links if (path := link.pathStats()) is not None}
