"""
The client's tunnels for one session.

How many a pool may have is said to it, and becomes more while the source shows that it is
worth them.  Of these it has as many as the session wants for what it carries
(L{uotp.session.demand}), and as many as the user wants it to have at all times.  More are dialled
as soon as they are wanted.  Those that are not wanted any more are given up, the ones that carry
least first.

While none of its tunnels is up, one slot dials for all: where that one does
not get through, the others would not either.  A tunnel is up while it is open and no pong of
it is overdue: the connections to a program that stands still stay open.

While what the session sends keeps a long queue on the path, no further tunnel is dialled: its handshake
would have to pass the same queue, and it could carry no more.

After something that may have changed the path, the tunnels have to show that they are still good.  When
none has in a few round trips, one is dialled beside them, before they are given up: so the other end,
which may know nothing of the change, soon has one that it can use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall

from uotp.boundaries import CarriedSession
from uotp.client.context import ClientContext
from uotp.client.dial.dialqueue import Urgency
from uotp.client.slot import Slot
from uotp.client.slotstates import SlotState
from uotp.client.strays import Strays
from uotp.session import HEAVY_LINKS
from uotp.train import LAST_NUMBER, Arrival
from uotp.tunnel import DialledTunnel, Tunnel
from uotp.wire import ServerHello

HEDGE_SECONDS = 0.2
HEDGE_ROUND_TRIPS = 2.0
"""A tunnel that is good has shown that by then, so that nothing is dialled in vain."""

FULL_PATH_SECONDS = 1.0
"""The time from when a slot may not dial, since the path is full, until it asks again."""


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """
    Says how the pool of one session stands at one moment.

    @ivar slots: how many slots are in each state; those in which there is none are named
        too.
    @ivar wanted: how many tunnels it wants to have.
    @ivar tunnels: how many slots have a tunnel that is open.
    @ivar retiring: how many tunnels that were replaced may still bring something.
    @ivar failures: attempts that failed in a row, of the slot with the most.
    """

    slots: Mapping[SlotState, int]
    wanted: int
    tunnels: int
    retiring: int
    failures: int


PATIENT_REFUSALS = 3
"""
So often in a row a server may refuse a session that it has let in, and that has no tunnel.  That
takes a second.  Then another id is tried: whatever the server has against this one, it does not
say.
"""


class PoolOwner(Protocol):
    """
    Follows how a pool stands with the server.
    """

    def forgotten(self, pool: Pool) -> None:
        """
        The server does not know the session any more, and has begun it anew.
        """

    def refused(self, pool: Pool) -> None:
        """
        The server will not let the session in any more, which it has let in before.
        """

    def poolUp(self, pool: Pool) -> None:
        """
        There is a tunnel that answers.
        """

    def poolDown(self, pool: Pool) -> None:
        """
        There is none any more.
        """


class Pool:
    """
    Keeps the slots of one session, which hold its tunnels.

    @ivar isProved: whether the source has shown that its address is not forged.
    @ivar isKnown: whether the server has welcomed the session, which only format 2 can say.
    @ivar hasBeenUp: whether there ever was a tunnel.
    @ivar isHeld: whether its tunnel only stands by.
    @ivar strays: attempts that came to another server than they were to.
    @ivar isOfOldKey: whether we show another key since the session began, to whose key it belongs.
    """

    def __init__(
        self,
        context: ClientContext,
        session: CarriedSession,
        sessionId: bytes,
        owner: PoolOwner | None = None,
        *,
        isHeld: bool = False,
        shunned: bytes | None = None,
    ) -> None:
        """
        @param context: what all pools of the client share.
        @param session: whom the tunnels carry for.
        @param sessionId: what they show.
        @param owner: told how the pool stands with the server.
        @param isHeld: whether its tunnel only stands by, see L{carryFor}.
        @param shunned: the instance that the tunnel is not to lead to; L{None} for any.
        """
        self.isHeld = isHeld
        self._shunned = shunned
        self.strays = 0
        self._session = session
        self._sessionId = sessionId
        self._context = context
        self._slots: list[Slot] = []  # those that were ever needed
        self._owner = owner
        self._refusals = 0  # in a row
        self.isKnown = self.hasBeenUp = self.isOfOldKey = False
        self._draining: set[Slot] = set()
        self._mayHave = 0
        self._wanting: dict[Slot, None] = {}  # those that have a tunnel, or are to have one
        self._carriedBefore: dict[Slot, int] | None = None  # of each, when there were too many already
        self._instance: bytes | None = None  # of the server that the session is at
        self._hasServer = self._hasMoved = False  # whether that is known; whether it was another one before
        self._up = 0  # slots with a tunnel that answers
        self._astray = Strays(context.clock)
        self._first: Slot | None = None  # the one that dials while none is up
        self._held: dict[Slot, None] = {}  # those that would dial if one were up, or the path not full
        self._retry: IDelayedCall | None = None
        self._hedge: IDelayedCall | None = None
        self._isOver = False
        self._drained: Callable[[Pool], None] | None = None
        self.isProved = False

    # What slots ask and tell.

    @property
    def urgency(self) -> Urgency:
        """
        See L{uotp.client.slot.SlotOwner}.
        """
        if self._up:
            return Urgency.FURTHER_OF_PROVED if self.isProved else Urgency.FURTHER
        return Urgency.FIRST_OF_PROVED if self.isProved else Urgency.FIRST

    @property
    def longestWait(self) -> float:
        """
        See L{uotp.client.slot.SlotOwner}.
        """
        ceiling = self._context.settings.backoff
        return ceiling if self._up else self._context.outage.longestWait(ceiling)

    @property
    def isDown(self) -> bool:
        """
        See L{uotp.client.slot.SlotOwner}.
        """
        return not self._up

    def mayDial(self, slot: Slot) -> bool:
        """
        See L{uotp.client.slot.SlotOwner}.
        """
        if self._shunned is not None and self.strays:  # an attempt has met all addresses, and there is no other server
            self._held[slot] = None
            return False
        if self._up:
            if not slot.isEmpty or self._hasRoomOnPath():
                return True
            self._held[slot] = None
            return False
        if self._first is None:
            self._first = slot
        if self._first is slot:
            return True
        self._held[slot] = None
        return False

    def _hasRoomOnPath(self) -> bool:
        """
        @return: whether the path takes one more tunnel, as far as we know.  Where it does not, those that
            are told to wait are asked again later.
        """
        context = self._context
        if not self._session.outbound.fillsPath:
            return context.connectionLimit.allows(context.connections, context.clock.seconds())
        if self._retry is None:
            self._retry = context.clock.callLater(FULL_PATH_SECONDS, self._dialHeld)
        return False

    def dialStopped(self, begunAt: float) -> None:
        """
        See L{uotp.client.slot.SlotOwner}.
        """
        context, heardAt = self._context, self._session.inbound.lastActive
        limit, tunnels, now = context.connectionLimit, context.reachability.tunnels, context.clock.seconds()
        if not self._up:
            limit.stoppedFirst(tunnels, begunAt, now)
        elif not self._session.outbound.fillsPath:
            limit.stopped(tunnels, begunAt, heardAt, now)

    def slotUp(self, slot: Slot) -> None:
        """
        See L{uotp.client.slot.SlotOwner}.
        """
        self._up += 1
        if self._up == 1:
            self._first = None
            self._context.outage.poolUp(self)
            self._dialHeld()
            self.hasBeenUp = True
            if self._owner is not None:
                self._owner.poolUp(self)

    def _dialHeld(self) -> None:
        """
        Let those slots dial that were told to wait.
        """
        retry, self._retry = self._retry, None
        if retry is not None and retry.active():
            retry.cancel()
        held, self._held = self._held, {}
        for slot in held:
            slot.dial()

    def slotDown(self, slot: Slot) -> None:
        """
        See L{uotp.client.slot.SlotOwner}.
        """
        self._up -= 1
        if not self._up:
            self._noneIsUp()
            if self._owner is not None:
                self._owner.poolDown(self)

    def _noneIsUp(self) -> None:
        if not self._isOver:
            self._context.outage.poolDown(self, self._hurry)

    def _hurry(self) -> None:
        """
        The server is back: do not wait for the next attempt.
        """
        if self._first is not None:
            self._first.dial()

    def admits(self, slot: Slot, answer: ServerHello) -> bool:
        """
        See L{uotp.client.slot.SlotOwner}.  While a tunnel answers, the session stays at its server: another one
        would know nothing of its numbers, and would send to the target from another address.  When none does,
        whichever server answers next has the session from then on.
        """
        if self._isShunned(answer):
            return False
        if not self.isElsewhere(answer):
            self._instance, self._hasServer = answer.instance, True
            return True
        if self._up:
            return False
        self._instance, self._hasMoved = answer.instance, True
        self._astray.release(self._instance)
        for other in self._slots:
            if other is not slot:
                other.leaveServer()
        return True

    def isElsewhere(self, answer: ServerHello) -> bool:
        """
        See L{uotp.client.slot.SlotOwner}.
        """
        return self._isShunned(answer) or (self._hasServer and answer.instance != self._instance)

    def _isShunned(self, answer: ServerHello) -> bool:
        return self._shunned is not None and answer.instance in (None, self._shunned)

    def sendAway(self, tunnel: DialledTunnel, inARow: int) -> None:
        """
        See L{uotp.client.slot.SlotOwner}.
        """
        self._astray.take(tunnel, inARow, self._instance)

    def strayed(self) -> None:
        """
        See L{uotp.client.slot.SlotOwner}.  Who looks for another server says nothing of finding the same.
        """
        self.strays += 1
        if self._shunned is None:
            self._context.reachability.leadsToSeveral()

    @property
    def instance(self) -> bytes | None:
        """
        The instance of the server that the session is at; L{None} while that is not known.
        """
        return self._instance

    def welcomed(self, answer: ServerHello) -> None:
        """
        See L{uotp.client.slot.SlotOwner}.
        """
        wasKnown, self.isKnown = self.isKnown, True
        hasMoved, self._hasMoved = self._hasMoved, False
        self._refusals, self.isOfOldKey = 0, False
        if wasKnown and (answer.isNew or hasMoved) and self._owner is not None:
            self._owner.forgotten(self)

    def refused(self) -> None:
        """
        See L{uotp.client.slot.SlotOwner}.  A session that never was welcomed is not refused for its
        id: another would fare no better.
        """
        self._refusals += 1
        isOver = self.isOfOldKey or (self.isDown and self._refusals >= PATIENT_REFUSALS)
        if isOver and self.isKnown and self._owner is not None:
            self._owner.refused(self)

    # What the session wants.

    def start(self) -> None:
        """
        Open one tunnel.  A source costs no more than that before it has shown that
        it is worth a pool: its address may be forged.
        """
        if not self._isOver:
            self._mayHave = 1
            self._noneIsUp()
            self.grow()

    def widen(self, tunnels: int) -> None:
        """
        The source is proved, and the pool may have more tunnels.

        @param tunnels: how many in all, as far as the settings allow so many; fewer than
            before changes nothing.
        """
        if self._isOver:
            return
        self.isProved = True
        self._mayHave = max(self._mayHave, min(tunnels, self._context.settings.poolSize))
        self.grow()

    @property
    def wanted(self) -> int:
        """
        How many tunnels the pool wants to have: fewer than it has, where another has none because
        of that.
        """
        now = self._context.clock.seconds()
        needed = self._session.outbound.demand.links(now)
        if needed >= HEAVY_LINKS:  # who allows very many may have a path that is slow for each
            needed = max(needed, self._context.settings.poolSize // 2)
        if self._context.connectionLimit.isShort(now):
            needed = min(needed, max(len(self._wanting) - 1, 1))
        return min(self._mayHave, max(needed, self._context.settings.leastTunnels))

    def grow(self) -> None:
        """
        Dial what is missing.
        """
        if self._isOver:
            return
        missing = self.wanted - len(self._wanting)
        for slot in self._unwanted(missing):
            self._wanting[slot] = None
            slot.dial()

    def _unwanted(self, count: int) -> list[Slot]:
        """
        @return: so many slots that are to have no tunnel yet; new ones where there are too few.
        """
        slots = [slot for slot in self._slots if slot not in self._wanting][: max(count, 0)]
        for _ in range(count - len(slots)):
            slot = Slot(self._context, self._session, self._sessionId, self)
            self._slots.append(slot)
            slots.append(slot)
        return slots

    def review(self) -> None:
        """
        Give up what is not wanted any more.  Call this each few seconds: what is given up has
        carried least since the time before.  Where something may be lost by that, it is one tunnel at
        a time, so that none is given up which the other end may be using.
        """
        if self._up:
            self._context.connectionLimit.heard(self._session.inbound.lastActive)
        before, self._carriedBefore = self._carriedBefore, None
        surplus = len(self._wanting) - self.wanted
        if surplus <= 0 or not self._up or self._isOver:
            self.grow()
            if self._up:
                self._dialHeld()
            return
        carried = {slot: slot.carried for slot in self._wanting}
        if before is None:
            self._carriedBefore = carried
            return
        least = sorted(carried, key=lambda slot: (slot.isUp, carried[slot] - before.get(slot, 0)))[:surplus]
        for slot in least[:1] if any(slot.losesWhenClosed for slot in least) else least:
            del self._wanting[slot]
            self._held.pop(slot, None)
            slot.giveUp()

    def renewOld(self) -> None:
        """
        Replace a tunnel that is old, unless one is being replaced already: one after
        the other, so that all the others carry meanwhile.
        """
        if not any(slot.isRenewing() for slot in self._slots):
            old = next((slot for slot in self._slots if slot.isOld()), None)
            if old is not None:
                old.renew()

    def prove(self) -> None:
        """
        The path may have changed: each tunnel has to show that it is still good, or is
        dialled at once.
        """
        for slot in self._slots:
            slot.prove()
        doubted = self._doubted()
        if doubted and self._hedge is None:
            longest = max(slot.roundTrip for slot in doubted)
            wait = max(HEDGE_SECONDS, HEDGE_ROUND_TRIPS * longest)
            self._hedge = self._context.clock.callLater(wait, self._dialBeside)

    def _doubted(self) -> list[Slot]:
        """
        @return: the slots whose tunnels have to show that they are good, if all have to.
        """
        slots = [slot for slot in self._slots if not slot.isEmpty]
        return slots if all(slot.isInDoubt for slot in slots) else []

    def _dialBeside(self) -> None:
        self._hedge = None
        for slot in self._doubted()[:1]:
            slot.renew()

    def belongTo(self, owner: PoolOwner) -> None:
        """
        Tell somebody else from now on how the pool stands.
        """
        self._owner = owner

    def carryFor(self, session: CarriedSession) -> None:
        """
        Carry for a session from now on, which the tunnel has stood by for.
        """
        self.isHeld, self._session = False, session
        for slot in self._slots:
            slot.carryFor(session)

    def bringTo(self, session: CarriedSession) -> None:
        """
        Hand what comes to a session, or to what stands beside it.
        """
        for slot in self._slots:
            slot.bringTo(session)

    def takeUnacked(self) -> list[Arrival]:
        """
        @return: what no tunnel has brought to the other end, in order.
        """
        taken = [arrival for slot in self._slots for arrival in slot.takeUnacked()]
        first = self._session.outbound.numbering.next
        return sorted(taken, key=lambda arrival: arrival[0] - first & LAST_NUMBER)

    def ask(self) -> None:
        """
        Find out how long the server takes to answer.
        """
        for slot in self._slots:
            slot.ask()

    @property
    def roundTrip(self) -> float:
        """
        The shortest round trip of its tunnels, in seconds; 0 while none is known.
        """
        return min((slot.roundTrip for slot in self._slots if slot.isUp and slot.roundTrip), default=0.0)

    def openTunnels(self) -> list[Tunnel]:
        """
        @return: those that carry.
        """
        return [slot.tunnel for slot in self._slots if slot.tunnel is not None and slot.tunnel.link is not None]

    @property
    def ready(self) -> int:
        """
        How many tunnels answer.
        """
        return self._up

    @property
    def wants(self) -> int:
        """
        How many tunnels the pool wants to have, none when it is over.
        """
        return 0 if self._isOver else self.wanted

    def statistics(self) -> PoolStatistics:
        """
        @return: how the pool stands.
        """
        slots = [slot.statistics() for slot in self._slots]
        states = Counter(slot.state for slot in slots)
        return PoolStatistics(
            slots={state: states[state] for state in SlotState},
            wanted=self.wants,
            tunnels=sum(slot.isUp for slot in slots),
            retiring=sum(slot.retiring for slot in slots),
            failures=max((slot.failures for slot in slots), default=0),
        )

    def drain(self, done: Callable[[Pool], None] | None = None) -> None:
        """
        Let what is under way arrive on all tunnels, and then say that the session is
        over.  The tunnels bound how long that may take.

        @param done: called with this pool when that is done.
        """
        self._drained = done
        self._stop()
        self._draining = set(self._slots)
        for slot in self._slots:
            slot.drain(self._slotEmptied)
        if not self._slots:
            self.leave()

    def _slotEmptied(self, slot: Slot) -> None:
        self._draining.discard(slot)
        if not self._draining:
            self.leave()

    def _stop(self) -> None:
        """
        Want no more tunnels.
        """
        self._isOver = True
        self._held.clear()
        self._dialHeld()
        self._astray.release(self._instance)
        if self._hedge is not None:
            self._hedge.cancel()
            self._hedge = None
        self._context.outage.forget(self)

    def leave(self) -> None:
        """
        Say that the session is over, and close all, for good.
        """
        self._owner = None  # who knows its pool
        self._stop()
        slots, self._slots = self._slots, []  # they know their pool, and outlive it with their tunnels
        self._wanting.clear()
        self._carriedBefore = None
        self._first = None
        self._draining.clear()
        for slot in slots:
            slot.leave()
        drained, self._drained = self._drained, None
        if drained is not None:
            drained(self)

    def checkInvariant(self) -> None:
        """
        What holds between any two events.

        @raise AssertionError: when it does not.
        """
        assert self._up == sum(slot.isUp for slot in self._slots)
        assert len(self._wanting) <= self._mayHave
        assert self._held.keys() <= self._wanting.keys()
        for slot in self._slots:
            isWanted = slot in self._wanting
            assert isWanted or slot.state in (SlotState.IDLE, SlotState.STOPPED)
            assert not isWanted or slot in self._held or slot.state is not SlotState.IDLE
