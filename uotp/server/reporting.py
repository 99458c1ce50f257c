"""
How a server, or a worker of one, tells of itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from uotp.monitoring import (
    MOST_TUNNELS,
    Ended,
    ProcessReporter,
    Report,
    ReportedService,
    SessionReport,
    SessionSums,
    TunnelReport,
    commonReport,
    dropsOf,
    lowered,
    placeWords,
    sessionReport,
    tunnelReport,
)
from uotp.server.registry import Registry, ServedSession
from uotp.server.settings import ServerSettings
from uotp.server.statistics import ServerStatistics
from uotp.tunnel import LiveTunnels, Tunnel


class ReportedServer(ReportedService, Protocol):
    """
    Is the server that is told of.
    """

    settings: ServerSettings
    registry: Registry
    liveTunnels: LiveTunnels

    def statistics(self) -> ServerStatistics:
        """
        @return: what it has done.
        """


class ServerReporter(ProcessReporter[ServedSession]):
    """
    Tells of a server.
    """

    def __init__(self, server: ReportedServer) -> None:
        """
        @param server: is told of.
        """
        super().__init__(server)
        self._server = server

    def ended(self) -> Ended:
        """
        See L{ProcessReporter}.
        """
        closing = self._server.registry.closing
        return Ended(closing.counts, closing.ended, self._server.liveTunnels.retransmissions)

    def sessions(self) -> list[ServedSession]:
        """
        See L{ProcessReporter}.
        """
        return self._server.registry.all()

    def sums(self, session: ServedSession) -> SessionSums:
        """
        See L{ProcessReporter}.
        """
        carried, tunnels = session.session, len(session.tunnels)
        session.target.countKernelDrops()
        return SessionSums(carried.counts(), carried.lastActive, carried.queuedBytes, tunnels, tunnels)

    def told(self, session: ServedSession, now: float) -> SessionReport | None:
        """
        See L{ProcessReporter}.
        """
        if not self._server.registry.has(session):
            return None
        carrying = [one for one in session.tunnels if isinstance(one, Tunnel) and one.link is not None]
        carrying.sort(key=lambda one: one.carried, reverse=True)
        tunnels: tuple[TunnelReport, ...] = tuple(tunnelReport(one, now) for one in carrying[:MOST_TUNNELS])
        newest = max(carrying, key=lambda one: one.openedAt, default=None)
        peer = None if newest is None else newest.transport.getPeer()
        return sessionReport(
            session.session.statistics(),
            now,
            name=session.name,
            peer="" if peer is None else placeWords(peer.host, peer.port),
            client=session.clientName,
            openedAt=session.openedAt,
            tunnels=tunnels,
            tunnelsReady=len(session.tunnels),
            tunnelsWanted=len(session.tunnels),
        )

    def common(self) -> Report:
        """
        See L{ProcessReporter}.
        """
        server = self._server
        numbers = server.statistics()
        strangers = numbers.acceptor.strangers
        return replace(
            commonReport(server, "server", placeWords(*server.settings.target)),
            drops=dropsOf(server.drops),
            handshakes=lowered(numbers.acceptor.handshakes),
            refusals=lowered(numbers.acceptor.refusals),
            visitors=lowered(numbers.acceptor.visitors.fates),
            visitorsPresent=numbers.acceptor.visitors.present,
            evictions={
                "session_for_room": numbers.registry.endedForRoom,
                "session_for_share": numbers.registry.endedForShare,
                "connection": numbers.acceptor.knownEvicted,
                "silent_connection": strangers.silentEvicted,
                "begun_connection": strangers.begunEvicted,
                "visitor": numbers.acceptor.visitors.evicted,
            },
        )
