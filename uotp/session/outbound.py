"""
The way of trains from a session into its links.  The steps of a train's way:

1. It is counted.  If the last look is long enough ago, the link in use is looked at
   (L{Outbound._look}).  For a light flow to which answers come, that is up to 5 times a
   second (L{CLEAN_LOOK_SECONDS}), and 20 times where the path loses
   (L{ANSWERED_LOOK_SECONDS}); for a heavy one, or when nothing has come since the
   train before, up to 200 times (L{uotp.session.scheduling.scheduler.LOOK_SECONDS}).
2. The scheduler names the link that takes it, a portion at a time
   (L{uotp.session.scheduling.scheduler}).
3. On a path that loses, datagrams of a light flow and small ones go over two links
   (L{uotp.session.recovery.duplication}).
4. While no link is free, it waits in the backlog (L{uotp.session.backlog}).  The backlog
   holds something only then, so nothing but small datagrams overtakes.

How many links may carry, how much they hold, and how large a portion is follow from the load
(L{uotp.session.load.loadcontrol}).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from uotp.boundaries import Allowance, Link
from uotp.duplicate import Duplicate
from uotp.session.backlog import MAX_AGE_SECONDS, MAX_BACKLOG_BYTES, Backlog, sift
from uotp.session.demand import HEAVY_LINKS
from uotp.session.inbound import Inbound
from uotp.session.load.loadcontrol import LoadControl
from uotp.session.load.standingqueue import STANDSTILL_SECONDS, hasQueue
from uotp.session.notice import doNothing
from uotp.session.recovery.duplication import Duplication
from uotp.session.recovery.handover import Handover
from uotp.session.recovery.nudges import Nudges
from uotp.session.recovery.reinjection import MAX_AGAIN_BYTES, Reinjection
from uotp.session.reordering.resequencer import FIRST_NUMBERS
from uotp.session.scheduling.costs import Costs
from uotp.session.scheduling.doubt import Doubt
from uotp.session.scheduling.scheduler import LOOK_SECONDS, Scheduler
from uotp.session.scheduling.stickiness import Stickiness
from uotp.telemetry import DropCounter
from uotp.train import LAST_NUMBER, Arrival, Missing, Numbering, Train, bytesOf, measured, portions

WAIT_SECONDS = 0.3
"""
A train may wait so long while there are links.  That is longer than most connections need
to repair a loss, and too short for a program to have asked again.
"""

WAIT_LOOK_SECONDS = STANDSTILL_SECONDS / 2 + 0.005
"""
While no link takes the trains that wait, it is looked as often as this whether others had better, though nothing more
comes from UDP.  The second look is after L{STANDSTILL_SECONDS}, and before a train has waited for too long; the first
one shows by then whether anything moves.
"""

WEIGHED_BYTES = 2048
"""Whether a flow is heavy is not asked for less, both ways together, once the round trip is known."""

STUCK_SECONDS = 0.5
"""
When no link has taken anything for so long, the peer may read nothing any more, or the path is
slow.  Little is kept then, and UDP is read only now and then: what is read is dropped.
"""

STUCK_BYTES = 64 * 1024
"""So much may wait in a session whose links are stuck.  It is more than a link takes at one go."""

ANSWERED_LOOK_SECONDS = 0.05
"""
The time between two looks at the link in use, for a light flow to which answers come: 20
looks a second.  Where something has come since the train before was sent, nothing
is overdue, and the kernel knows of no loss before a round trip is over.  This does not hold
while trains wait, or a link stands still, or one was left of late because it was in trouble.
"""

CLEAN_LOOK_SECONDS = 0.2
"""
The same while nothing was lost of late.  Most light flows are on such a path, and a look is a tenth of what a
datagram costs.  Where an answer is missed, we look at once.  Of a call, where both ends send by themselves, we may see
the first loss for long when it is repaired.
"""


class Outbound:
    """
    Hands the trains of one session to its links.

    @ivar numbering: counts the datagrams that are sent.
    @ivar demand: tells how many links are wanted.
    @ivar bytes: payload that UDP has brought so far.
    @ivar trains: how many trains that were.
    @ivar followers: datagrams of these, but for the first of each train.
    @ivar sentAgain: datagrams that were sent a second time.
    @ivar retransmissions: TCP segments that were sent again, of the links that are gone for ever.
    @ivar lastActive: when UDP last brought something, by the clock that was handed in.
    @ivar roundTrip: the longest round trip of any link, in seconds; 0 where none is known.
    """

    __slots__ = (  # without them so many attributes take a kilobyte more
        "_answeredLookAt",
        "_backlog",
        "_callLater",
        "_clock",
        "_costs",
        "_doubt",
        "_duplication",
        "_handover",
        "_inbound",
        "_isStuck",
        "_keepsMuchWithoutLinks",
        "_load",
        "_lookedAt",
        "_notice",
        "_noticeBytes",
        "_nudges",
        "_reinjection",
        "_scheduler",
        "_standsSince",
        "_stickiness",
        "_tellStuck",
        "_tellUnstuck",
        "_waitTimer",
        "_weighAt",
        "_weighedBytes",
        "bytes",
        "demand",
        "followers",
        "lastActive",
        "numbering",
        "retransmissions",
        "roundTrip",
        "sentAgain",
        "trains",
    )

    def __init__(
        self,
        drops: DropCounter,
        clock: Any,
        allowance: Allowance,
        inbound: Inbound,
        *,
        duplicate: Duplicate = Duplicate.AUTO,
    ) -> None:
        """
        @param drops: where what is dropped is counted.
        @param clock: C{IReactorTime}.
        @param allowance: of the session's owner.
        @param inbound: the way in of the same session.
        @param duplicate: when datagrams go over two links.
        """
        self._clock: Callable[[], float] = clock.seconds
        self._callLater: Callable[..., IDelayedCall] = clock.callLater
        self._waitTimer: IDelayedCall | None = None
        self._inbound = inbound
        self._backlog = Backlog(drops, allowance.room(MAX_BACKLOG_BYTES))
        self._costs = Costs()
        self._scheduler: Scheduler[Link] = Scheduler(self._costs.of)
        self._doubt = Doubt(self._scheduler, clock.seconds())
        now: float = clock.seconds()
        self.lastActive = now
        self._lookedAt = self._answeredLookAt = now
        self._reinjection = Reinjection(now, allowance.room(MAX_AGAIN_BYTES))
        self._stickiness = Stickiness(now)
        self._standsSince = now
        self.demand = inbound.demand  # for both ways
        self._load = LoadControl(self._scheduler, self.demand, now)
        self._weighAt = self.demand.sent(0, now)
        self._weighedBytes = 0  # what had been carried, both ways, when the load was looked at
        self._noticeBytes: float = math.inf
        self._notice: Callable[[], None] = doNothing
        self._isStuck = False
        self._keepsMuchWithoutLinks = True
        self._tellStuck: Callable[[], None] = doNothing
        self._tellUnstuck: Callable[[], None] = doNothing
        self.numbering = Numbering()
        self._duplication = Duplication(self._scheduler, self.numbering, clock, duplicate, self.demand, allowance)
        self._handover = Handover(self._scheduler, self._duplication.repairs, now)
        self._nudges = Nudges(self._scheduler, clock, allowance)
        self.roundTrip = 0.0
        self.bytes = self.trains = self.followers = self.sentAgain = self.retransmissions = 0

    def noticeBytes(self, amount: int, call: Callable[[], None]) -> None:
        """
        Make one call when UDP has brought so much payload.
        """
        self._noticeBytes = amount
        self._notice = call

    def finish(self) -> None:
        """
        The session is over: tell nobody any more, and let go of what leads back here, so that
        all is freed without the garbage collector.
        """
        self._noticeBytes, self._notice = math.inf, doNothing
        self._tellStuck = self._tellUnstuck = doNothing
        self.demand.finish()
        self._duplication.finish()
        self._nudges.finish()
        self._scheduler.finish()
        if self._waitTimer is not None:
            self._waitTimer.cancel()
            self._waitTimer = None

    def tellStuck(self, stuck: Callable[[], None], unstuck: Callable[[], None]) -> None:
        """
        Say who reads what UDP brings.  That is somebody who opens no links, so little waits also
        when the session has none.

        @param stuck: called each time something was dropped though no link has taken anything
            for L{STUCK_SECONDS}, so that UDP had better be read seldom.
        @param unstuck: called after that when a link takes something again.
        """
        self._keepsMuchWithoutLinks = False
        self._tellStuck = stuck
        self._tellUnstuck = unstuck

    def beginAnew(self) -> None:
        """
        The other end is another one from now on, which knows nothing of the numbers that were used.  Numbers go on
        where no new session begins, so that it does not wait for those before.
        """
        following = self.numbering.next + FIRST_NUMBERS & LAST_NUMBER
        self.numbering.next = max(following, FIRST_NUMBERS)

    def sendAnew(self, arrivals: list[Arrival]) -> None:
        """
        Send what the other end of before may not have got.
        """
        if arrivals:
            self.sentAgain += sum([train.datagrams for _, train in arrivals])
            self._sendPortions([train for _, train in arrivals], self._clock())

    def send(self, trains: list[Train]) -> None:
        """
        Send trains, now or when a link is free.
        """
        if len(trains) == 1:
            segment, payload = trains[0]
            size = len(payload)
            if size > segment:
                self.followers += -(-size // segment) - 1
            self.trains += 1
        else:
            size, followers = measured(trains)
            self.trains += len(trains)
            self.followers += followers
        self.bytes += size
        before = self.lastActive
        self.lastActive = now = self._clock()
        lookedAt = self._lookedAt
        if now - lookedAt >= LOOK_SECONDS:
            self._lookedAt = now
            if before > lookedAt or now >= self._answeredLookAt or self._inbound.lastActive <= before:
                self._look(now)
        link = self._scheduler.current
        if link is None:
            self._wait(trains, now)
        elif size <= (load := self._load).portion:
            load.given += size
            duplication = self._duplication
            if duplication.isOn:
                duplication.send(trains, link, now)
            else:
                link.send(trains, now)
        else:
            self._sendPortions(trains, now)
        if self.bytes >= self._weighAt:
            self._weigh(now)
        if self.bytes >= self._noticeBytes:
            self._noticeBytes = math.inf
            self._notice()

    def _look(self, now: float) -> None:
        """
        Find out whether to leave the link in use, whether another link stands still and what
        it holds is to be sent again, and how many links may carry.
        """
        scheduler, stickiness, reinjection = self._scheduler, self._stickiness, self._reinjection
        well = current = scheduler.current
        if scheduler.doubted:
            self._doubt.look(now)
        if current is not None and current.isTroubled():
            well = None
            self._leaveTrouble(current, now)
        self._lookAtThePath(now)
        if now >= stickiness.endsAt:
            self._weighIfLoaded(now)
            current, reads = scheduler.current, self._inbound.reads
            if stickiness.isOver(current, len(scheduler), self.bytes, reads, now):
                self._moveOn(current, now)
        if now >= reinjection.lookAt:
            self._sendAgain(now, well)
        load = self._load
        stalled = load.stalled(now)
        if stalled is not None and self._handover.leave(stalled, now):
            self._sendWaiting(now)
        if load.look(current, self.bytes, self._standsSince if self._backlog else None, now):
            self._sendWaiting(now)
        if load.hasWaited or stickiness.leftTrouble or reinjection.hasWork:
            self._answeredLookAt = now
        else:
            duplication = self._duplication
            seconds = ANSWERED_LOOK_SECONDS if duplication.isLossy(now) else CLEAN_LOOK_SECONDS
            self._answeredLookAt = min(now + seconds, duplication.lookAt)

    def _lookAtThePath(self, now: float) -> None:
        """
        Find out whether it loses, and whether the link in use sends nearly nothing though much flows.
        """
        duplication = self._duplication
        if now >= duplication.lookAt:
            isLossyIn = self._inbound.isLossy(now)
            duplication.look(self.bytes, self.roundTrip, now, isFull=self._load.isBound, isLossyIn=isLossyIn)
            repairsMuch = duplication.repairsMuch(now)
            self._costs.rate = duplication.rate if repairsMuch else 0.0
            if repairsMuch:
                self._nudges.watch(self.roundTrip, now)
        if duplication.isLight:
            return
        if not self._load.isSlowedDown and self._handover.leaveIfStalled(now):
            self._sendWaiting(now)
        if self._costs.rate:
            self._handover.look(now)

    def _leaveTrouble(self, current: Link, now: float) -> None:
        loaded = self._stickiness.loaded
        # A heavy flow uses all, and its losses are many: a question would only be one more thing to repair.
        if not loaded and current not in self._scheduler.doubted and isStill(current):
            self._doubt.compare(current, now)
        if not hasQueue(current.pathStats()):
            self.demand.lost(now)
        if self._scheduler.leaveTrouble(loaded=loaded):
            self._stickiness.leftTrouble = True

    def _weighIfLoaded(self, now: float) -> None:
        """
        Know the round trip before the load is weighed, also that of the way in.  For a light flow that needs
        no question to the kernel, once it is known.
        """
        carried = self.bytes + self._inbound.bytes
        if carried - self._weighedBytes >= WEIGHED_BYTES or not self.demand.roundTrip:
            self._weighedBytes = carried
            self._weigh(now)

    def _weigh(self, now: float) -> None:
        """
        Find out how many links are wanted.
        """
        if self.demand.weighsSent(now):
            current = self._scheduler.current
            path = None if current is None else current.pathStats()
            if path is not None:
                self.demand.roundTrip = path.leastRoundTrip  # what waits in a queue fills no more links
        self._weighAt = self.demand.sent(self.bytes, now)
        if self.demand.links(now) >= HEAVY_LINKS:
            self._duplication.lookSoon(now)

    def _moveOn(self, current: Link | None, now: float) -> None:
        if current is not None and current not in self._scheduler.doubted and self._doubt.isUnanswered(current):
            self._doubt.compare(current, now)
        if self._scheduler.moveOn():
            self._stickiness.moved(now)

    def _sendAgain(self, now: float, well: Link | None = None) -> None:
        """
        Send what a link holds that stands still, and what waits to be sent again, through a
        link that is well.  While there is no such link, nothing is taken from the other: it
        may yet carry what it holds.

        @param well: a link that was just seen not to be in trouble.
        """
        if self._reinjection.isTimeToLook(now):
            for still in self._reinjection.findStill(self._scheduler, now, well):
                if self._scheduler.sound() is not None:
                    self._reinjection.take(still, now)
        self._reinjection.dropStale(now)
        while self._reinjection and (sound := self._scheduler.sound()) is not None:
            sound.sendAgain(self._reinjection.next(self._load.portion))

    @property
    def fillsPath(self) -> bool:
        """
        See L{uotp.boundaries.OutboundTrains}.
        """
        return self._load.fillsPath(self._clock())

    @property
    def loadedRoundTrip(self) -> float:
        """
        See L{uotp.boundaries.OutboundTrains}.
        """
        return self._load.loadedRoundTrip(self._clock())

    def _sendPortions(self, trains: list[Train], now: float) -> None:
        duplication = self._duplication
        for portion in portions(trains, self._load.portion):
            link = self._scheduler.current
            if link is None:
                self._wait(portion, now)
                continue
            self._load.given += bytesOf(portion)
            if duplication.isOn:
                duplication.send(portion, link, now)
            else:
                link.send(portion, now)

    def _wait(self, trains: list[Train], now: float) -> None:
        if not self._backlog:
            self._standsSince = now
        self._stickiness.loaded = True
        self._duplication.pathIsFull(now)
        # On a slow path a spare link only puts more into the queue that all have to pass.
        isLate = now - self._standsSince > STANDSTILL_SECONDS
        spare = self._scheduler.spare(self._costs.isAtRest) if isLate or not self._load.isBound else None
        small, others = sift(trains)
        self._load.waits(now, small=bool(small))
        if small and spare is not None:
            spare.send(small, now)
            trains = others
        isStuck = now - self._standsSince > STUCK_SECONDS
        keepsMuch = not len(self._scheduler) and self._keepsMuchWithoutLinks
        self._backlog.maxBytes = STUCK_BYTES if isStuck and not keepsMuch else MAX_BACKLOG_BYTES
        self._backlog.put(trains, now)
        if isStuck and self._backlog.overflowed:
            self._isStuck = True
            self._tellStuck()
        if self._waitTimer is None and len(self._scheduler) > 1:
            self._lookWhenLate(now)

    def _lookAtWaiting(self) -> None:
        """
        Trains may wait for links that stand still while others rest, and the source may send nothing more.
        """
        self._waitTimer = None
        now = self._clock()
        if self._backlog and now - self._standsSince > WAIT_LOOK_SECONDS - LOOK_SECONDS:
            self._load.judgeSoon(now)
            self._lookedAt = now
            self._look(now)
        if self._backlog and len(self._scheduler) > 1:
            self._lookWhenLate(now)

    def _lookWhenLate(self, now: float) -> None:
        seconds = WAIT_LOOK_SECONDS - (now - self._standsSince) % WAIT_LOOK_SECONDS
        if seconds < LOOK_SECONDS:
            seconds += WAIT_LOOK_SECONDS
        self._waitTimer = self._callLater(seconds, self._lookAtWaiting)

    def roundTripChanged(self) -> None:
        """
        Take note of the round trips of all links, and pass the longest on to the way in.
        """
        roundTrips = [link.roundTrip for link in self._scheduler if link.roundTrip]
        self._costs.nearest = min(roundTrips, default=0.0)
        self.roundTrip = max(roundTrips, default=0.0)
        if self.roundTrip:
            self._inbound.roundTripIs(self.roundTrip)

    @property
    def links(self) -> int:
        """
        The number of links.
        """
        return len(self._scheduler)

    @property
    def parallelism(self) -> int:
        """
        The number of links that may carry at once under load, whether or not there are as
        many.
        """
        return self._load.parallelism

    @property
    def backlogBytes(self) -> int:
        """
        Payload and overhead that wait for a link.
        """
        return self._backlog.bytes

    @property
    def againBytes(self) -> int:
        """
        Payload and overhead of what waits to be sent again.
        """
        return self._reinjection.bytes

    def forgetStale(self) -> None:
        """
        Drop what has waited too long for a link.
        """
        if self._backlog:
            self._backlog.dropStale(self._clock())
        if self._reinjection:
            self._reinjection.dropStale(self._clock())

    @property
    def waits(self) -> bool:
        """
        Whether trains wait, and a link will take them before they have waited too
        long.
        """
        return bool((self._backlog or self._reinjection) and len(self._scheduler))

    def linkFree(self, link: Link) -> None:
        """
        A link takes trains.  What waits goes first.
        """
        now = self._clock()
        if self._scheduler.offer(link):
            self._load.came(link)
            if len(self._scheduler) > 1:
                self._meet(link, now)
        self._unstick()  # also when all that waits has become too old
        if self._reinjection:
            self._sendAgain(now)
        self._sendWaiting(now)
        self._backlog.maxAge = WAIT_SECONDS  # trains that waited for the first link were allowed more

    def _meet(self, link: Link, now: float) -> None:
        """
        A new link has come, or one that answers again.  Where the one in use may be dead, go to the
        new one.
        """
        current = self._scheduler.current
        if current is None:
            mayBeDead = bool(self._backlog) and now - self._standsSince > STANDSTILL_SECONDS
        else:
            mayBeDead = current is not link and self._doubt.isSilent(current)
        if mayBeDead:
            self._doubt.compare(current, now)
            self._scheduler.doubted.discard(link)
            self._scheduler.prefer(link)

    def _unstick(self) -> None:
        if self._isStuck:
            self._isStuck = False
            self._tellUnstuck()

    def _sendWaiting(self, now: float) -> None:
        while self._backlog and (current := self._scheduler.current) is not None:
            trains = self._backlog.take(now, self._load.portion)
            if trains:
                self._standsSince = now
                self._unstick()
                self._load.given += bytesOf(trains)
                current.send(trains, now)

    def linkFull(self, link: Link) -> None:
        """
        A link takes no more trains until it is free again.
        """
        self._scheduler.withdraw(link)

    def linkGone(self, link: Link) -> None:
        """
        A link carries nothing any more, for now or for ever.
        """
        self._scheduler.remove(link)
        self._handover.forget(link)
        self._load.forget(link)
        self._duplication.forget(link)
        self._nudges.forget(link)
        self.roundTripChanged()
        if len(self._scheduler):
            now = self._clock()
            self._reinjection.take(link, now)
            self._sendAgain(now)
            self._sendWaiting(now)  # another may carry in its place
        else:
            self._reinjection.forget()
            self._backlog.maxAge = MAX_AGE_SECONDS

    def report(self, missing: list[Missing]) -> None:
        """
        Tell the other end which of its datagrams have not come.
        """
        self._duplication.repairs.report(missing)

    def mayReport(self) -> bool:
        """
        @return: whether a link can take a report now.
        """
        return self._scheduler.isFree

    def missed(self, missing: list[Missing]) -> None:
        """
        See L{uotp.boundaries.OutboundTrains}.
        """
        self._duplication.missed(missing, self.roundTrip)


def isStill(link: Link) -> bool:
    """
    @return: whether a link stands still.
    """
    path = link.pathStats()
    return path is not None and path.isStill
