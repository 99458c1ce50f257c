"""
What a report takes from sessions and tunnels, as types.  Whoever fits them need not know them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from uotp import __version__
from uotp.monitoring.report import CertificateReport, Report, SessionReport, Traffic, TunnelReport
from uotp.process import Lateness
from uotp.telemetry import Drop, Drops


class SeenCounts(Protocol):
    """
    Is what a session has done so far; L{uotp.session.SessionCounts} are.
    """

    @property
    def trainsOut(self) -> int:
        """
        Trains that came from UDP.
        """

    @property
    def datagramsOut(self) -> int:
        """
        Datagrams of these.
        """

    @property
    def bytesOut(self) -> int:
        """
        Payload of these.
        """

    @property
    def trainsIn(self) -> int:
        """
        Trains that came from tunnels.
        """

    @property
    def datagramsIn(self) -> int:
        """
        Datagrams of these.
        """

    @property
    def bytesIn(self) -> int:
        """
        Payload of these.
        """

    @property
    def again(self) -> int:
        """
        Datagrams that were sent a second time.
        """

    @property
    def heldDatagrams(self) -> int:
        """
        Datagrams that waited for those before them.
        """

    @property
    def heldSeconds(self) -> float:
        """
        How long they waited, all together.
        """

    @property
    def late(self) -> int:
        """
        Datagrams that came too late to be put in order.
        """


class SeenSession(Protocol):
    """
    Is how a session stands; L{uotp.session.session.SessionStatistics} are.
    """

    @property
    def counts(self) -> SeenCounts:
        """
        What it has done.
        """

    @property
    def drops(self) -> Mapping[str, int]:
        """
        What it has dropped, by the name of the reason.
        """

    @property
    def lastActive(self) -> float:
        """
        When it last carried something, in monotonic seconds.
        """

    @property
    def roundTrip(self) -> float:
        """
        The longest of its links; 0 while none is known.
        """

    @property
    def retransmissions(self) -> int:
        """
        TCP segments sent again, of links that are gone.
        """

    @property
    def queuedBytes(self) -> int:
        """
        What waits in it.
        """


class ReportedService(Protocol):
    """
    Is a service that is told of; each L{uotp.tunnel.TunnelService} is.
    """

    reactor: Any
    startedAt: float
    listeningAll: tuple[tuple[str, int], ...]
    lateness: Lateness
    drops: Drops
    reloads: dict[str, int]
    liveTunnels: Any

    @property
    def credentials(self) -> Any:
        """
        L{uotp.boundaries.Credentials}, or L{None} without TLS.
        """

    @property
    def filesTrouble(self) -> str:
        """
        Why the files on disk cannot be used, in words; empty when they can.
        """

    @property
    def trouble(self) -> str:
        """
        Why it cannot do its work, in words; empty when it can.
        """

    def reload(self) -> Deferred[None]:
        """
        See L{uotp.monitoring.Reporter}.
        """

    def disconnect(self, session: str) -> Deferred[int]:
        """
        See L{uotp.monitoring.Reporter}.
        """


def tunnelReport(tunnel: Any, now: float) -> TunnelReport:
    """
    @param tunnel: L{uotp.tunnel.Tunnel}, which is open.
    @param now: monotonic seconds.
    @return: how it is.
    """
    link, stream = tunnel.link, tunnel.transport
    numbers, peer = link.statistics(), stream.getPeer()
    path = numbers.path
    return TunnelReport(
        number=tunnel.number,
        peer=placeWords(peer.host, peer.port),
        seconds=now - tunnel.openedAt,
        wireFormat=tunnel.wireFormat.value,
        bytesOut=numbers.bytesOut,
        bytesIn=numbers.bytesIn,
        roundTrip=numbers.roundTrip or (0.0 if path is None else path.roundTrip),
        retransmissions=stream.retransmissions(),
        queuedBytes=numbers.queuedBytes,
        unackedBytes=numbers.unackedBytes,
    )


def certificatesOf(credentials: Any) -> tuple[CertificateReport, ...]:
    """
    @param credentials: L{uotp.boundaries.Credentials}, or L{None} without TLS.
    @return: what of them ends some day.
    """
    return () if credentials is None else tuple(CertificateReport(*each) for each in credentials.expiring())


def commonReport(service: ReportedService, end: str, remote: str) -> Report:
    """
    @param service: is told of.
    @param end: C{"client"} or C{"server"}.
    @param remote: the server, or the target.
    @return: what any service knows, and 0 in place of all else.
    """
    trouble, nothing = service.trouble, Traffic(0, 0, 0)
    return Report(
        end=end,
        version=__version__,
        pid=os.getpid(),
        time=time.time(),
        seconds=service.reactor.seconds() - service.startedAt,
        isReady=not trouble,
        trouble=trouble,
        listening=tuple(placeWords(host, port) for host, port in service.listeningAll),
        remote=remote,
        workers=(),
        out=nothing,
        back=nothing,
        drops={},
        handshakes={},
        refusals={},
        visitors={},
        evictions={},
        serversUsed={},
        serversReady={},
        serversAway={},
        moves={},
        reloads=lowered(service.reloads),
        filesTrouble=service.filesTrouble,
        certificates=certificatesOf(service.credentials),
        worstTurn=service.lateness.worst,
        visitorsPresent=0,
        sessionsOpened=0,
        sessionsOpen=0,
        tunnelsReady=0,
        tunnelsWanted=0,
        queuedBytes=0,
        heldSeconds=0.0,
        heldDatagrams=0,
        again=0,
        late=0,
        retransmissions=0,
        sessions=(),
    )


def lowered(counts: Mapping[str, int]) -> dict[str, int]:
    """
    @param counts: by names of constants.
    @return: the same by names as reports have them, in small letters.
    """
    return {name.lower(): number for name, number in counts.items()}


def dropsOf(drops: Drops) -> dict[str, int]:
    """
    @return: how many datagrams were dropped for each reason, also for those for which none was.
    """
    return {drop.name.lower(): drops.totals[drop] for drop in Drop}


def placeWords(host: str, port: int) -> str:
    """
    @return: both in words; an IPv6 address is in brackets.
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def outOf(counts: SeenCounts) -> Traffic:
    """
    @return: what came from UDP.
    """
    return Traffic(counts.trainsOut, counts.datagramsOut, counts.bytesOut)


def backOf(counts: SeenCounts) -> Traffic:
    """
    @return: what came from tunnels.
    """
    return Traffic(counts.trainsIn, counts.datagramsIn, counts.bytesIn)


def sessionReport(
    seen: SeenSession,
    now: float,
    *,
    name: str,
    peer: str,
    client: str,
    openedAt: float,
    tunnels: tuple[TunnelReport, ...],
    tunnelsReady: int,
    tunnelsWanted: int,
) -> SessionReport:
    """
    @param now: monotonic seconds.
    @return: how a session is; for the others see L{SessionReport}.
    """
    counts = seen.counts
    return SessionReport(
        name=name,
        worker=0,
        peer=peer,
        client=client,
        seconds=now - openedAt,
        idleSeconds=max(now - seen.lastActive, 0.0),
        out=outOf(counts),
        back=backOf(counts),
        drops=lowered(seen.drops),
        roundTrip=seen.roundTrip or max((tunnel.roundTrip for tunnel in tunnels), default=0.0),
        retransmissions=seen.retransmissions + sum(tunnel.retransmissions for tunnel in tunnels),
        again=counts.again,
        heldSeconds=counts.heldSeconds,
        heldDatagrams=counts.heldDatagrams,
        late=counts.late,
        queuedBytes=seen.queuedBytes + sum(tunnel.queuedBytes for tunnel in tunnels),
        tunnelsReady=tunnelsReady,
        tunnelsWanted=tunnelsWanted,
        tunnels=tunnels,
    )
