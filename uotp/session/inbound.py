"""
The way of trains from a session's links to UDP.  The steps of a train's way:

1. It is counted.  With the first train of all, whoever waits for an answer is told.
2. Numbered trains are put in order (L{uotp.session.reordering.resequencer}).  A lone train that is
   the next one, while nothing waits, goes on at once.
3. It is handed to UDP, no faster than its reader can be expected to read
   (L{uotp.session.pacer}).

What is too much for one turn of the reactor waits for the owner's next one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from uotp.boundaries import Allowance
from uotp.order import Order, OrderMode
from uotp.session.demand import Demand, Flow
from uotp.session.pacer import Pacer
from uotp.session.reordering.hold import Hold
from uotp.session.reordering.missing import GAPS_AT_ONCE, SOON_SECONDS, MissingReports
from uotp.session.reordering.resequencer import MAX_HELD_BYTES, MAX_READY_TRAINS, Resequencer
from uotp.telemetry import DropCounter
from uotp.train import Arrival, Missing, TakeTrains, Train, measured

COPIES_SECONDS = 5.0
"""The other end finds that the path loses while copies have come in the last seconds, so many."""

WEIGH_COPIES_SECONDS = 1.0
"""While copies come, it is asked no more often than this how many links that takes."""

OVERTAKE_SECONDS = 0.003
"""
On a path that loses a datagram of a light flow waits for those before it for so long, unless the user says how long.
Two connections of one path differ by less, mostly.  Order is worth less than time to a call, a game or a shell; and
what lets TCP believe that it has lost something, as it does when three segments overtake one, costs a light flow
little.
"""

LIGHT_AFTER_SECONDS = 2.0
"""A flow that was heavy is light when it was heavy no more for so long: it may pause."""

OVERTAKING_RUNS_PER_UNIT = 16
"""To look at so many that wait, for which may go ahead, takes about as long as to handle a datagram."""

FULL_LINKS_SECONDS = 0.02
"""While no link can take a report, we look so much later whether one can."""

TIMER_SECONDS = 0.001
"""A timer that is later by less than this is early enough."""


class Inbound:
    """
    Takes what the links of one session bring, and hands it to UDP.

    @ivar demand: tells how many links are wanted, for both ways.
    @ivar answered: whether the other end has ever sent a train.
    @ivar bytes: payload that came, without what was sent again.
    @ivar followers: datagrams of it, but for the first of each train.
    @ivar reads: how often the links have brought something.
    @ivar lastActive: when the links last brought something, by the clock that was handed in.
    @ivar acknowledgesSoon: whether the kernel is to acknowledge at once what comes.  The other end sends
        twice, and wants to know which links wait for a repair.
    """

    def __init__(
        self,
        deliver: TakeTrains,
        drops: DropCounter,
        clock: Any,
        allowance: Allowance,
        order: Order,
        whenAnswered: Callable[[], None] | None = None,
    ) -> None:
        """
        @param deliver: sends trains to UDP.
        @param drops: where what is dropped is counted.
        @param clock: C{IReactorTime}.
        @param allowance: of the session's owner.
        @param order: which trains wait for those before them, and for how long.
        @param whenAnswered: called once, when the first train comes.
        """
        self._clock = clock
        self._allowance = allowance
        self._pacer = Pacer(deliver, drops, clock, allowance, smallFirst=order.mode is OrderMode.BULK)
        self.lastActive: float = clock.seconds()
        self.demand = Demand(self.lastActive)
        self._weighAt = self.demand.received(0, self.lastActive)
        self._flow = Flow(self.lastActive)
        self._before = self.lastActive  # when something came before that
        self._hold = Hold(self.lastActive, order.seconds, self.demand.lost)
        self._resequencer = Resequencer(self._hold, allowance.room(MAX_HELD_BYTES), order)
        self._mayOvertake = order.mode in (OrderMode.AUTO, OrderMode.BULK)
        self._missing = MissingReports()
        self._report: Callable[[list[Missing]], None] | None = None
        self._mayReport: Callable[[], bool] = bool
        self._reportAt = -math.inf
        self._timer: IDelayedCall | None = None
        self._hasTurn = False  # the owner's next turn begins with what waits here
        self._closed = False
        self._whenFinished: Callable[[], None] | None = None
        self._whenAnswered = whenAnswered
        self.answered = False
        self.bytes = self.reads = self.followers = 0
        self._others = 0  # trains that came, more than reads
        self.acknowledgesSoon = False
        self._lossyUntil = -math.inf
        self._copiesWeighedAt, self._copiesNumber = -math.inf, 0  # when copies were weighed, and what came by then
        self._weighCopiesAt = -math.inf

    @property
    def trains(self) -> int:
        """
        How many trains came, without those that were sent again.
        """
        return self.reads + self._others

    @property
    def heldDatagrams(self) -> int:
        """
        How many datagrams have waited for those before them, or still do.
        """
        return self._resequencer.heldDatagrams

    def heldSeconds(self, now: float) -> float:
        """
        @return: how long they have waited, all together.
        """
        return self._resequencer.heldSeconds(now)

    @property
    def late(self) -> int:
        """
        How many datagrams came too late to be put in order.
        """
        return self._resequencer.late

    @property
    def heldBytes(self) -> int:
        """
        Payload and overhead of what waits for trains before it.
        """
        return self._resequencer.held

    @property
    def pacedBytes(self) -> int:
        """
        What waits to be handed to UDP, as L{uotp.session.pacer} measures it.
        """
        return self._pacer.waiting

    def lone(self, number: int, train: Train, now: float) -> None:
        """
        A read has brought one train and nothing else.

        @param number: of the train's first datagram.
        @param now: by the clock, as in the other methods.
        """
        segment, payload = train
        size = len(payload)
        self.bytes += size
        self._before, self.lastActive = self.lastActive, now
        self.reads += 1
        if not self.answered:
            self._firstAnswer()
        if self.bytes >= self._weighAt:
            self._weigh(now)
        if size <= segment:
            datagrams = 1
        else:
            datagrams = -(-size // segment)
            self.followers += datagrams - 1
        if self._resequencer.passLone(number, datagrams):
            self._pacer.send([train], now)
        else:
            self._put([(number, train)], now)

    def numbered(self, arrivals: list[Arrival], now: float) -> None:
        """
        Trains came, each with the number of its first datagram.
        """
        size, followers = measured([train for _, train in arrivals])
        self.bytes += size
        self.followers += followers
        self._others += len(arrivals) - 1
        self._heard(now)
        self._put(arrivals, now)

    def _put(self, arrivals: list[Arrival], now: float) -> None:
        before = self._resequencer.gapsGivenUp
        trains = self._resequencer.put(arrivals, now)
        self._close(before, now)
        self._pass(trains, now)

    def _close(self, before: int, now: float) -> None:
        """
        Gaps may have been filled by what was sent first, unless some were given up.

        @param before: how many had been given up before that.
        """
        if self._missing.areOpen:
            if self._resequencer.gapsGivenUp == before:
                self._missing.filled(self._resequencer.isMissing, now)
            else:
                self._missing.closed(self._resequencer.isMissing)

    def again(self, arrivals: list[Arrival], now: float) -> None:
        """
        Trains came that were sent before, each with the number of its first datagram.  They
        are not counted again.
        """
        self._others -= 1
        self._heard(now)
        self.acknowledgesSoon, self._lossyUntil = True, now + COPIES_SECONDS
        if now >= self._weighCopiesAt:
            self._weighCopies(now)
        self._missing.answered()
        trains = self._resequencer.putAgain(arrivals, now)
        if self._missing.areOpen:
            self._missing.closed(self._resequencer.isMissing)
        self._pass(trains, now)

    def _weighCopies(self, now: float) -> None:
        """
        The other end sends twice, and takes the links for that which there are.  Where it is the one that dials, it
        knows how many that takes; where it is not, nobody but us does.
        """
        number, elapsed = self._resequencer.expected, now - self._copiesWeighedAt
        perSecond = (number - self._copiesNumber) / elapsed
        self._copiesNumber, self._copiesWeighedAt, self._weighCopiesAt = number, now, now + WEIGH_COPIES_SECONDS
        isSteady = elapsed < 2 * COPIES_SECONDS and perSecond > 0  # nobody knows what came in a longer time
        if isSteady and self._hold.roundTrip > 0 and now >= self._flow.heavyUntil:
            self.demand.goesTwice(2 * perSecond * self._hold.roundTrip, now, inBursts=False)

    def isLossy(self, now: float) -> bool:
        """
        @return: whether the other end has sent copies of late, because it finds that the path loses.
        """
        self.acknowledgesSoon = now < self._lossyUntil
        return self.acknowledgesSoon

    def unnumbered(self, trains: list[Train], now: float) -> None:
        """
        Trains came whose order nobody knows.
        """
        size, followers = measured(trains)
        self.bytes += size
        self.followers += followers
        self._others += len(trains) - 1
        self._heard(now)
        self._pacer.send(trains, now)

    def _heard(self, now: float) -> None:
        self._before, self.lastActive = self.lastActive, now
        self.reads += 1
        if self.bytes >= self._weighAt:
            self._weigh(now)
        if not self.answered:
            self._firstAnswer()

    def _weigh(self, now: float) -> None:
        # The round trip of the demand ends at a relay, where there is one; the hold's does not.
        self._flow.weigh(self.bytes, self._hold.roundTrip, now)
        self._weighAt = min(self.demand.received(self.bytes, now), self._flow.askAt)
        self.isLossy(now)  # also where nothing goes out, by which that is asked

    def _firstAnswer(self) -> None:
        self.answered = True
        if self._whenAnswered is not None:
            self._whenAnswered()

    def _pass(self, trains: list[Train], now: float) -> None:
        if self._resequencer.held and self._overtakes(now):
            trains += self._overtake(now, MAX_READY_TRAINS)
        if trains:
            self._pacer.send(trains, now)
        if self._resequencer.held or self._resequencer.misses:
            self._wait(now)

    def _overtakes(self, now: float) -> bool:
        """
        @return: whether what waits may go ahead soon, since it is a light flow on a path that loses.
        """
        isLight = self._hold.roundTrip > 0 and now >= self._flow.heavyUntil + LIGHT_AFTER_SECONDS
        return self._mayOvertake and now < self._lossyUntil and isLight

    def _overtake(self, now: float, most: int) -> list[Train]:
        self._allowance.spend(1 + self._resequencer.runs // OVERTAKING_RUNS_PER_UNIT)
        return self._resequencer.overtake(now, OVERTAKE_SECONDS, most)

    def _wait(self, now: float) -> None:
        """
        See to it that what is owed, or waits, is passed on in time.  There is one timer;
        whoever was given trains may have caused that it is set, or that the session has
        closed.  When the timer fires, what it waits for may be gone.
        """
        if self._hasTurn or self._closed:
            return
        if self._resequencer.owes:
            self._takeTurn()
            return
        if not self._resequencer.misses:
            return
        overtakesAt = self._resequencer.overtakesAt if self._overtakes(now) else math.inf
        if self._timer is not None and now < self._missing.restsUntil and overtakesAt == math.inf:
            return  # it is early enough: nothing is told meanwhile, and no train waits for longer than those before it
        deadline, reportAt = self._resequencer.deadline(now), self._reportMissing(now)
        at = min(overtakesAt, *(each for each in (deadline, reportAt) if each is not None), math.inf)
        if at == math.inf:
            return
        if self._timer is None:
            self._timer = self._clock.callLater(max(at - now, 0), self._expire)
        elif self._timer.getTime() > at + TIMER_SECONDS:
            self._timer.reset(max(at - now, 0))

    def _reportMissing(self, now: float) -> float | None:
        """
        Tell the other end what has not come, as far as it is time for that.

        @return: when it is time to look again, if ever.
        """
        if self._report is None:
            return None
        if now < self._missing.restsUntil:
            return self._missing.restsUntil
        if now < self._reportAt:
            return self._reportAt
        if not self._mayReport():
            return now + FULL_LINKS_SECONDS
        pause = self.lastActive - self._before if now == self.lastActive else 0.0
        missing, again = self._missing.due(self._resequencer.gaps(GAPS_AT_ONCE), now, pause)
        if missing:
            self._report(missing)
        soon = now + SOON_SECONDS  # a new gap may come meanwhile
        self._reportAt = soon if again is None else min(again, soon)
        return again

    def reportBy(self, report: Callable[[list[Missing]], None], mayReport: Callable[[], bool]) -> None:
        """
        Know how the other end is told what has not come.

        @param mayReport: tells whether there is a link that can take a report now.
        """
        self._report, self._mayReport = report, mayReport

    def _expire(self) -> None:
        self._timer = None
        self._takeTurn()

    def _takeTurn(self) -> None:
        """
        Pass on what is due in the next turn of the owner.
        """
        if not self._hasTurn:
            self._hasTurn = True
            self._allowance.later(self._turn)

    def _turn(self) -> None:
        self._hasTurn = False
        resequencer = self._resequencer
        now = self._clock.seconds()
        most = max(self._allowance.left, 1)
        before = resequencer.gapsGivenUp
        trains = resequencer.more(most) if self._closed else resequencer.expire(now, most)
        self._close(before, now)
        if not self._closed and self._overtakes(now):
            trains += self._overtake(now, max(most - len(trains), 1))
        if trains:
            self._allowance.spend(len(trains))
            self._pacer.send(trains, now)
        if self._closed:
            self._finishOn()
        else:
            self._wait(now)

    def deliverBy(self, deliver: TakeTrains) -> None:
        """
        Know how trains are sent to UDP from now on.
        """
        self._pacer.deliver = deliver

    def roundTripIs(self, seconds: float) -> None:
        """
        Take note of the path's round trip.
        """
        self._hold.roundTrip = self._missing.roundTrip = seconds

    def restart(self) -> None:
        """
        The other end has forgotten the session, and counts anew.
        """
        self._resequencer.restart()
        self._missing.restart()
        self._wait(self._clock.seconds())

    def absorb(self, other: Inbound) -> None:
        """
        Count as ours what another way in of the same session has brought, which is used no more.
        """
        self.bytes += other.bytes
        self.followers += other.followers
        self.reads += other.reads
        self._others += other.trains - other.reads
        self.lastActive = max(self.lastActive, other.lastActive) if other.reads else self.lastActive
        if other.answered and not self.answered:
            self._firstAnswer()

    def finish(self, done: Callable[[], None]) -> None:
        """
        Hand on what has come, wait for nothing more, and close.

        @param done: called when that is done; maybe at once.
        """
        self._closed = True
        self._whenAnswered = self._report = None
        self._mayReport = bool
        self._whenFinished = done
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._resequencer.restart()
        self._finishOn()

    def _finishOn(self) -> None:
        if self._resequencer.owes:
            self._takeTurn()
            return
        done, self._whenFinished = self._whenFinished, None
        if done is not None:
            self._pacer.finish(done)
