"""
Where sources come in: the protocol on one UDP port of a client.  It finds the session of whoever
sends.  A client may have several such ports; all sessions together are in
L{uotp.client.sources.sessions}.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from uotp.boundaries import Address
from uotp.client.sources.source import SourceSession
from uotp.telemetry import Drops
from uotp.train import TakeTrains, Train
from uotp.udp import TrainProtocol


class Source(NamedTuple):
    """
    Names somebody who sends to a client.  Whoever sends to two ports of ours, or to two
    addresses of ours at one port, is two sources, and each is answered from where it sends to.

    @ivar port: the port to which it sends.
    @ivar address: its address, as the port tells it.
    """

    port: SourcePort
    address: Address


class Newcomers(Protocol):
    """
    Decides about sources that have no session.
    """

    def welcome(self, source: Source, trains: list[Train]) -> SourceSession | None:
        """
        @param trains: what the source has sent; it is counted if it is dropped.
        @return: a session for the source, or L{None}.
        """


class SourcePort(TrainProtocol):
    """
    Keeps the sessions of the sources that send to one port, as its protocol.

    @ivar bySource: the sessions by the addresses of the sources.
    """

    def __init__(self, drops: Drops, newcomers: Newcomers, whenLost: Callable[[str], None]) -> None:
        """
        @param newcomers: decides who gets a session.
        @param whenLost: told why, when the port is gone and we did not close it.
        """
        super().__init__(drops)
        self.bySource: dict[Address, SourceSession] = {}
        self._newcomers = newcomers
        self._whenLost = whenLost
        self._ignoring = False

    def trainsReceived(self, trains: list[Train], source: Address) -> None:
        """
        A source sent trains.
        """
        if self._ignoring:
            return
        session = self.bySource.get(source)
        if session is None:
            session = self._newcomers.welcome(Source(self, source), trains)
            if session is None:
                return
        session.send(trains)

    def startProtocol(self) -> None:
        """
        A port is bound: sessions that are there send through it from now on.
        """
        self._ignoring = False
        for address, entry in self.bySource.items():
            entry.session.inbound.deliverBy(self.deliverTo(address))

    def deliverTo(self, address: Address) -> TakeTrains:
        """
        @return: what sends to a source through the port that is bound, with no function of
            ours between.
        """
        return partial(self.sendTrains, destination=address)

    def ignoreSources(self) -> None:
        """
        Take nothing more from sources, until another port is bound.
        """
        self._ignoring = True

    def portLost(self, reason: str) -> None:
        """
        See L{TrainProtocol}.
        """
        self._whenLost(reason)
