"""
One remote UDP endpoint and the tunnels that carry for it, on either end.

Outwards, trains from UDP go to the tunnels by way of the L{Outbound}; inwards, trains
from any tunnel go to UDP by way of the L{Inbound}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uotp.boundaries import Carrier
from uotp.session.inbound import Inbound
from uotp.session.outbound import Outbound
from uotp.telemetry import Drops
from uotp.train import Arrival, Numbering, Train, bytesOf


class Session:
    """
    What both ends of a session have in common.

    @ivar answered: whether the other end has ever sent a train.
    @ivar bytesIn: payload that came from the tunnels.
    @ivar numbering: of what its tunnels send.
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
        self._delivery = Inbound(deliver, clock, reorder)
        self._dispatch = Outbound(drops, clock.seconds)
        self.numbering = Numbering()
        self._whenAnswered = whenAnswered
        self._clock: Callable[[], float] = clock.seconds
        self._heardAt = self._clock()
        self.answered = False
        self.bytesIn = 0

    def trainsFromUdp(self, trains: list[Train]) -> None:
        """
        The remote UDP endpoint sent trains.
        """
        self._dispatch.send(trains)

    def roundTripSeen(self) -> None:
        """
        A tunnel knows better how far the other end is.
        """
        longest = self._dispatch.measure()
        if longest:
            self._delivery.roundTripIs(longest)

    def trainsFromTunnel(self, trains: list[Train]) -> None:
        """
        The other end sent trains, in a format that does not number them.
        """
        self.bytesIn += bytesOf(trains)
        self._delivery.unnumbered(trains, self._heard())

    def numberedFromTunnel(self, arrivals: list[Arrival]) -> None:
        """
        The other end sent trains, each with the number of its first datagram.
        """
        for _, train in arrivals:
            self.bytesIn += len(train.payload)
        self._delivery.numbered(arrivals, self._heard())

    def againFromTunnel(self, arrivals: list[Arrival]) -> None:
        """
        The other end sent trains again; they are not counted again.
        """
        self._delivery.again(arrivals, self._heard())

    def _heard(self) -> float:
        """
        @return: what time it is.
        """
        self._heardAt = now = self._clock()
        self._dispatch.answered()
        if not self.answered:
            self.answered = True
            if self._whenAnswered is not None:
                self._whenAnswered()
        return now

    def restartOfPeer(self) -> None:
        """
        The other end did not know the session any more, and counts anew.
        """
        self._delivery.restart()

    @property
    def lastActive(self) -> float:
        """
        When a train came last, from either side, by the clock that was handed in.
        """
        return float(max(self._heardAt, self._dispatch.lastActive))

    @property
    def bytesOut(self) -> int:
        """
        Payload that came from UDP.
        """
        return self._dispatch.bytes

    @property
    def waits(self) -> bool:
        """
        See L{Outbound.waits}.
        """
        return self._dispatch.waits

    @property
    def late(self) -> int:
        """
        How many datagrams came too late to be put in order.
        """
        return self._delivery.late

    def tunnelFree(self, tunnel: Carrier) -> None:
        """
        A tunnel takes trains.
        """
        self._dispatch.tunnelFree(tunnel)

    def tunnelFull(self, tunnel: Carrier) -> None:
        """
        A tunnel takes no more trains until it is free again.
        """
        self._dispatch.tunnelFull(tunnel)

    def tunnelGone(self, tunnel: Carrier) -> None:
        """
        A tunnel carries no more, for now or for ever.
        """
        self._dispatch.tunnelGone(tunnel)
        self.roundTripSeen()

    def finish(self, done: Callable[[], None]) -> None:
        """
        Hand on what has come for UDP, and nothing after it.

        @param done: called when that is done; maybe at once.
        """
        self._delivery.finish(done)


def wordsForLate(datagrams: int) -> str:
    """
    @return: how many datagrams came late, as words for the end of a line.
    """
    return f"; {datagrams} came late" if datagrams else ""
