"""
One remote UDP endpoint and the links that carry for it, on either end.

Outwards, trains from UDP go to the links by way of L{uotp.session.outbound}; inwards,
trains from any link go to UDP by way of L{uotp.session.inbound}.  Both are called
straight by those who have something for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from uotp.session.inbound import Inbound
from uotp.session.outbound import Outbound
from uotp.telemetry import Drops
from uotp.train import Train


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """
    What a session has done and how it stands.

    @ivar bytesOut: payload that came from UDP.
    @ivar bytesIn: payload that came from the links, without what was sent again.
    @ivar lastActive: when a train came last from either side, by the session's clock.
    @ivar links: how many carry for it.
    @ivar parallelism: how many of them may carry at once under load.
    @ivar backlogBytes: payload and overhead that wait for a link.
    @ivar againBytes: the same of what is to be sent again.
    @ivar roundTrip: the longest of its links', in seconds; 0 while none is known.
    @ivar heldBytes: payload and overhead that wait for trains before them.
    @ivar pacedBytes: what waits to be handed to UDP, in a socket's measure.
    @ivar late: datagrams that came too late to be put in order.
    """

    bytesOut: int
    bytesIn: int
    lastActive: float
    links: int
    parallelism: int
    backlogBytes: int
    againBytes: int
    roundTrip: float
    heldBytes: int
    pacedBytes: int
    late: int


class Session:
    """
    Joins the way out and the way in of one session.

    @ivar inbound: what its links call.
    @ivar outbound: what its links and its UDP side call.
    """

    def __init__(
        self,
        deliver: Callable[[list[Train]], None],
        drops: Drops,
        clock: Any,
        whenAnswered: Callable[[], None] | None = None,
        reorder: float | None = None,
    ) -> None:
        """
        @param deliver: sends trains to the remote UDP endpoint.
        @param drops: where what is dropped is counted.
        @param clock: C{IReactorTime}.
        @param whenAnswered: called once, when the other end sends its first train.
        @param reorder: see L{Inbound}.
        """
        self.inbound = Inbound(deliver, clock, reorder, whenAnswered)
        self.outbound = Outbound(drops, clock.seconds, self.inbound)

    @property
    def lastActive(self) -> float:
        """
        When a train came last, from either side, by the clock that was handed in.
        """
        return max(self.inbound.lastActive, self.outbound.lastActive)

    def finish(self, done: Callable[[], None]) -> None:
        """
        Hand on what has come for UDP, and nothing after it.

        @param done: called when that is done; maybe at once.
        """
        self.inbound.finish(done)

    def statistics(self) -> SessionStatistics:
        """
        @return: how the session stands.
        """
        inbound, outbound = self.inbound, self.outbound
        return SessionStatistics(
            bytesOut=outbound.bytes,
            bytesIn=inbound.bytes,
            lastActive=self.lastActive,
            links=outbound.links,
            parallelism=outbound.parallelism,
            backlogBytes=outbound.backlogBytes,
            againBytes=outbound.againBytes,
            roundTrip=outbound.roundTrip,
            heldBytes=inbound.heldBytes,
            pacedBytes=inbound.pacedBytes,
            late=inbound.late,
        )


def wordsForLate(datagrams: int) -> str:
    """
    @return: how many datagrams came late, as words for the end of a line.
    """
    return f"; {datagrams} came late" if datagrams else ""
