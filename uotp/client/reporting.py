"""
How a client, or a worker of one, tells of itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from uotp.client.settings import ClientSettings
from uotp.client.sources.sessions import SessionsBySource
from uotp.client.sources.source import SourceSession
from uotp.client.sources.sourceport import Source
from uotp.client.standby.servers import ClientServers
from uotp.client.statistics import ClientStatistics
from uotp.monitoring import (
    MOST_TUNNELS,
    Ended,
    ProcessReporter,
    Report,
    ReportedService,
    SessionReport,
    SessionSums,
    commonReport,
    dropsOf,
    lowered,
    placeWords,
    sessionReport,
    tunnelReport,
)
from uotp.net import hostOf, shownHost
from uotp.tunnel import LiveTunnels

SourceAndSession = tuple[Source, SourceSession]


class ReportedClient(ReportedService, Protocol):
    """
    Is the client that is told of.
    """

    settings: ClientSettings
    liveTunnels: LiveTunnels
    servers: ClientServers

    @property
    def sessions(self) -> SessionsBySource:
        """
        The sessions of its sources.
        """

    def countKernelDrops(self) -> None:
        """
        Count what the kernel has dropped.
        """

    def statistics(self) -> ClientStatistics:
        """
        @return: what it has done.
        """


class ClientReporter(ProcessReporter[SourceAndSession]):
    """
    Tells of a client.
    """

    def __init__(self, client: ReportedClient) -> None:
        """
        @param client: is told of.
        """
        super().__init__(client)
        self._client = client

    def ended(self) -> Ended:
        """
        See L{ProcessReporter}.
        """
        closing = self._client.sessions.ended
        return Ended(closing.counts, closing.ended, self._client.liveTunnels.retransmissions)

    def sessions(self) -> list[SourceAndSession]:
        """
        See L{ProcessReporter}.
        """
        return self._client.sessions.all()

    def identity(self, session: SourceAndSession) -> int:
        """
        See L{ProcessReporter}.
        """
        return id(session[1])

    def sums(self, session: SourceAndSession) -> SessionSums:
        """
        See L{ProcessReporter}.
        """
        carried, pool = session[1].session, session[1].pool
        return SessionSums(carried.counts(), carried.lastActive, carried.queuedBytes, pool.ready, pool.wants)

    def told(self, session: SourceAndSession, now: float) -> SessionReport | None:
        """
        See L{ProcessReporter}.
        """
        source, entry = session
        if not self._client.sessions.has(source, entry):
            return None
        carrying = sorted(entry.pool.openTunnels(), key=lambda one: one.carried, reverse=True)
        return sessionReport(
            entry.session.statistics(),
            now,
            name=entry.name,
            peer=placeWords(shownHost(hostOf(source.address)), source.address[1]),
            client="",
            openedAt=entry.openedAt,
            tunnels=tuple(tunnelReport(one, now) for one in carrying[:MOST_TUNNELS]),
            tunnelsReady=entry.pool.ready,
            tunnelsWanted=entry.pool.wants,
        )

    def common(self) -> Report:
        """
        See L{ProcessReporter}.
        """
        client = self._client
        client.countKernelDrops()
        return replace(
            commonReport(client, "client", client.servers.current().shown),
            drops=dropsOf(client.drops),
            handshakes=lowered(client.statistics().handshakes),
            serversUsed={server.shown: server.sessions for server in client.servers.all},
            serversReady={server.shown: server.standing for server in client.servers.all},
            serversAway={server.shown: int(server.isAway) for server in client.servers.all},
            moves=lowered({reason.name: number for reason, number in client.servers.moves.items()}),
        )
