"""
The client's tunnels for one session.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from uotp.boundaries import CarriedSession
from uotp.client.context import ClientContext
from uotp.client.slot import Slot
from uotp.client.slotstates import SlotState
from uotp.wire import ServerHello


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """
    Says how the pool of one session stands at one moment.

    @ivar slots: how many slots are in each state; those in which there is none are named
        too.
    @ivar tunnels: how many slots have a tunnel that is open.
    @ivar retiring: how many tunnels that were replaced may still bring something.
    @ivar failures: attempts that failed in a row, of the slot with the most.
    """

    slots: Mapping[SlotState, int]
    tunnels: int
    retiring: int
    failures: int


class Pool:
    """
    Keeps the slots of one session, which hold its tunnels.
    """

    def __init__(
        self,
        context: ClientContext,
        session: CarriedSession,
        sessionId: bytes,
        whenForgotten: Callable[[], None] | None = None,
    ) -> None:
        """
        @param context: what all pools of the client share.
        @param session: whom the tunnels carry for.
        @param sessionId: what they show.
        @param whenForgotten: called when the server does not know the session any more,
            and has begun it anew.
        """
        size = context.settings.poolSize
        self._slots = [Slot(context, session, sessionId, self._welcomed) for _ in range(size)]
        self._whenForgotten = whenForgotten
        self._isKnown = False
        self._draining: set[Slot] = set()

    def _welcomed(self, answer: ServerHello) -> None:
        wasKnown, self._isKnown = self._isKnown, True
        if wasKnown and answer.isNew and self._whenForgotten is not None:
            self._whenForgotten()

    def start(self) -> None:
        """
        Open one tunnel.  A source costs no more than that before it has shown that
        it is worth a pool: its address may be forged.
        """
        self._slots[0].dial()

    def widen(self) -> None:
        """
        Open the others.
        """
        for slot in self._slots[1:]:
            slot.dial()

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

    def statistics(self) -> PoolStatistics:
        """
        @return: how the pool stands.
        """
        slots = [slot.statistics() for slot in self._slots]
        states = Counter(slot.state for slot in slots)
        return PoolStatistics(
            slots={state: states[state] for state in SlotState},
            tunnels=sum(slot.isUp for slot in slots),
            retiring=sum(slot.retiring for slot in slots),
            failures=max(slot.failures for slot in slots),
        )

    def drain(self) -> None:
        """
        Let what is under way arrive on all tunnels, and then say that the session is
        over.  The tunnels bound how long that may take.
        """
        self._draining = set(self._slots)
        for slot in self._slots:
            slot.drain(self._slotEmptied)

    def _slotEmptied(self, slot: Slot) -> None:
        self._draining.discard(slot)
        if not self._draining:
            self.leave()

    def leave(self) -> None:
        """
        Say that the session is over, and close all, for good.
        """
        self._whenForgotten = None  # the session, which knows its pool
        for slot in self._slots:
            slot.leave()
