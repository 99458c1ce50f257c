"""
A session joins one remote UDP endpoint with the links that carry for it, at either end.

Outwards, trains from UDP go to the links through L{uotp.session.outbound}.  Inwards, trains
from the links go to UDP through L{uotp.session.inbound}.  UDP and links call these two
directly; the session itself is not on the way of a train.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from uotp.boundaries import Allowance
from uotp.duplicate import Duplicate
from uotp.order import AUTO_ORDER, Order
from uotp.session.counts import SessionCounts
from uotp.session.inbound import Inbound
from uotp.session.outbound import Outbound
from uotp.telemetry import DropCounter, SessionDrops
from uotp.train import TakeTrains


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """
    Says what a session has done so far, and how it is now.

    @ivar counts: what it has done so far.
    @ivar drops: how many datagrams it has dropped, by the name of the reason.
    @ivar lastActive: when a train last came from either side, by the session's clock.
    @ivar links: the number of its links.
    @ivar parallelism: how many of them may carry at once under load.
    @ivar backlogBytes: payload and overhead that wait for a link.
    @ivar againBytes: payload and overhead that wait to be sent again.
    @ivar roundTrip: the longest round trip of its links, in seconds; 0 while none is known.
    @ivar heldBytes: payload and overhead that wait for trains before them.
    @ivar pacedBytes: what waits to be handed to UDP, in bytes of a socket's buffer.
    @ivar retransmissions: TCP segments that were sent again, of the links that are gone for ever.
    """

    counts: SessionCounts
    drops: Mapping[str, int]
    lastActive: float
    links: int
    parallelism: int
    backlogBytes: int
    againBytes: int
    roundTrip: float
    heldBytes: int
    pacedBytes: int
    retransmissions: int

    @property
    def queuedBytes(self) -> int:
        """
        All that waits in the session.
        """
        return self.backlogBytes + self.againBytes + self.heldBytes + self.pacedBytes


class SessionAside:
    """
    Stands for a session towards tunnels to a server that the session is not at: they stand by, or leave.  What they
    bring is handed on, in an order of its own, since each server counts by itself.

    @ivar allowance: of the session.
    @ivar inbound: takes what these tunnels bring.
    @ivar outbound: of the session.
    """

    def __init__(self, session: Session, inbound: Inbound) -> None:
        self.allowance = session.allowance
        self.inbound = inbound
        self.outbound = session.outbound


class Session:
    """
    Joins the way out and the way in of one session.

    @ivar allowance: of the owner, for whom the session is.
    @ivar inbound: the way in, which the links call.
    @ivar outbound: the way out, which the UDP side and the links call.
    """

    def __init__(
        self,
        deliver: TakeTrains,
        drops: DropCounter,
        clock: Any,
        allowance: Allowance,
        whenAnswered: Callable[[], None] | None = None,
        order: Order = AUTO_ORDER,
        *,
        duplicate: Duplicate = Duplicate.AUTO,
    ) -> None:
        """
        @param deliver: sends trains to the remote UDP endpoint.
        @param drops: where what is dropped is counted.
        @param clock: C{IReactorTime}.
        @param allowance: of the owner, for whom the session is.
        @param whenAnswered: called once, when the other end sends its first train.
        @param order: see L{Inbound}.
        @param duplicate: see L{Outbound}.
        """
        self.allowance = allowance
        self._clock, self._deliver, self._order = clock, deliver, order
        self._seconds: Callable[[], float] = clock.seconds
        self._drops = drops = SessionDrops(drops)
        self.inbound = Inbound(deliver, drops, clock, allowance, order, whenAnswered)
        self.outbound = Outbound(drops, clock, allowance, self.inbound, duplicate=duplicate)
        self.inbound.reportBy(self.outbound.report, self.outbound.mayReport)

    def aside(self) -> SessionAside:
        """
        @return: what tunnels to another server carry for.  Give it to L{absorb} when they are no more.
        """
        return SessionAside(self, Inbound(self._deliver, self._drops, self._clock, self.allowance, self._order))

    def absorb(self, aside: SessionAside) -> None:
        """
        The tunnels to another server are no more, or are to ours from now on.
        """
        self.inbound.absorb(aside.inbound)
        aside.inbound.finish(lambda: None)

    @property
    def lastActive(self) -> float:
        """
        When a train last came, from either side, by the clock that was handed in.
        """
        return max(self.inbound.lastActive, self.outbound.lastActive)

    def finish(self, done: Callable[[], None]) -> None:
        """
        Hand on what has come for UDP, and nothing that comes later.

        @param done: called when that is done, maybe at once.
        """
        self.outbound.finish()
        self.inbound.finish(done)

    def statistics(self) -> SessionStatistics:
        """
        @return: what the session has done, and how it is now.
        """
        inbound, outbound = self.inbound, self.outbound
        return SessionStatistics(
            counts=self.counts(),
            drops={drop.name: number for drop, number in self._drops.totals.items()},
            lastActive=self.lastActive,
            links=outbound.links,
            parallelism=outbound.parallelism,
            backlogBytes=outbound.backlogBytes,
            againBytes=outbound.againBytes,
            roundTrip=outbound.roundTrip,
            heldBytes=inbound.heldBytes,
            pacedBytes=inbound.pacedBytes,
            retransmissions=outbound.retransmissions,
        )

    @property
    def queuedBytes(self) -> int:
        """
        All that waits in the session.
        """
        inbound, outbound = self.inbound, self.outbound
        return outbound.backlogBytes + outbound.againBytes + inbound.heldBytes + inbound.pacedBytes

    def counts(self) -> SessionCounts:
        """
        @return: what the session has done so far.
        """
        inbound, outbound = self.inbound, self.outbound
        trainsOut, trainsIn = outbound.trains, inbound.trains
        return SessionCounts(
            trainsOut,
            trainsOut + outbound.followers,
            outbound.bytes,
            trainsIn,
            trainsIn + inbound.followers,
            inbound.bytes,
            outbound.sentAgain,
            inbound.heldDatagrams,
            inbound.heldSeconds(self._seconds()),
            inbound.late,
        )


def wordsForLate(datagrams: int) -> str:
    """
    @return: how many datagrams came late, as words for the end of a line.
    """
    return f"; {datagrams} came late" if datagrams else ""
