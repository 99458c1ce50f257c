"""
Reports that nobody has made, and a program that tells them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, succeed

from uotp.monitoring.report import (
    CertificateReport,
    Report,
    Reporter,
    SessionReport,
    Traffic,
    TunnelReport,
    WorkerReport,
)

NOW = 1795816800.0
"""When reports are made: in 2026."""

TUNNEL = TunnelReport(
    number=3,
    peer="192.0.2.7:51000",
    seconds=90.0,
    wireFormat=2,
    bytesOut=150_000,
    bytesIn=2_500_000,
    roundTrip=0.0214,
    retransmissions=4,
    queuedBytes=0,
    unackedBytes=1400,
)

SESSION = SessionReport(
    name="1f2e3d4c",
    worker=0,
    peer="192.0.2.7:51000",
    client="laptop, sha256 1a2b3c4d",
    seconds=3700.0,
    idleSeconds=0.4,
    out=Traffic(900, 1000, 140_000),
    back=Traffic(1800, 2000, 2_400_000),
    drops={"backlog_full": 2},
    roundTrip=0.0214,
    retransmissions=9,
    again=3,
    heldSeconds=0.25,
    heldDatagrams=11,
    late=1,
    queuedBytes=2800,
    tunnelsReady=2,
    tunnelsWanted=2,
    tunnels=(TUNNEL, replace(TUNNEL, number=4, bytesOut=7)),
)

SERVER_REPORT = Report(
    end="server",
    version="0.1.0",
    pid=4711,
    time=NOW,
    seconds=93784.0,
    isReady=True,
    trouble="",
    listening=("0.0.0.0:8443", "[::]:8443"),
    remote="127.0.0.1:51820",
    workers=(),
    out=Traffic(10, 12, 9_000_000),
    back=Traffic(20, 24, 150_000_000),
    drops={"backlog_full": 2, "send_refused": 1},
    handshakes={"done": 12, "failed": 3},
    refusals={"certificate": 3},
    visitors={"page": 1},
    evictions={"sessions": 0},
    serversUsed={},
    serversReady={},
    serversAway={},
    moves={},
    reloads={"done": 1, "failed": 0},
    filesTrouble="",
    certificates=(
        CertificateReport("own", "vpn.example.com", "/etc/uotp/server.pem", NOW + 800 * 86400),
        CertificateReport("ca", "uotp", "/etc/uotp/ca.pem", NOW + 12 * 86400),
    ),
    worstTurn=0.0031,
    visitorsPresent=1,
    sessionsOpened=17,
    sessionsOpen=2,
    tunnelsReady=3,
    tunnelsWanted=3,
    queuedBytes=2800,
    heldSeconds=0.25,
    heldDatagrams=11,
    again=3,
    late=1,
    retransmissions=9,
    sessions=(SESSION, replace(SESSION, name="aabbccdd", client="", peer="[2001:db8::7]:40000", drops={})),
)

CLIENT_REPORT = replace(
    SERVER_REPORT,
    end="client",
    pid=4712,
    listening=("127.0.0.1:8911", "[::1]:8911"),
    remote="vpn.example.com:8443",
    serversUsed={"vpn.example.com:8443": 2, "vpn.example.org:8443": 0},
    serversReady={"vpn.example.com:8443": 0, "vpn.example.org:8443": 1},
    serversAway={"vpn.example.com:8443": 0, "vpn.example.org:8443": 0},
    moves={"no_tunnel": 1, "too_far": 0, "comes_back": 1},
    workers=(WorkerReport(1, 4713, "ready", 0, 93780.0, True), WorkerReport(2, 4720, "ready", 1, 40.0, True)),
    certificates=(),
    sessions=(replace(SESSION, worker=2, client="", peer="127.0.0.1:40000", tunnelsWanted=4),),
)


WORKER = WorkerReport(1, 4713, "ready", 0, 60.0, isTold=True)


def reportOf(**changes: Any) -> Report:
    """
    @return: L{SERVER_REPORT} with one session, and with changes.
    """
    return replace(SERVER_REPORT, **{"sessions": (SESSION,), **changes})


def sessionOf(name: str = SESSION.name, **changes: Any) -> SessionReport:
    """
    @return: L{SESSION}, with changes.
    """
    return replace(SESSION, name=name, **changes)


def crowded(sessions: int, tunnels: int) -> Report:
    """
    @return: the report of a server that has many sessions with many tunnels each.
    """
    each = tuple(replace(TUNNEL, number=number) for number in range(tunnels))
    return replace(
        SERVER_REPORT,
        sessions=tuple(replace(SESSION, name=f"{number:08x}", tunnels=each) for number in range(sessions)),
    )


class ScriptedReporter:
    """
    Tells what a test wants.

    @ivar told: what it tells.
    @ivar asked: what it was asked to do.
    @ivar reloaded: what a reload waits for.
    @ivar restart: what needs a restart after it.
    @ivar ended: how many sessions end.
    @ivar error: raised by whatever is asked, if it is set.
    """

    def __init__(self, told: Report = SERVER_REPORT) -> None:
        self.told = told
        self.asked: list[str] = []
        self.reloaded: Deferred[None] = succeed(None)
        self.restart: tuple[str, ...] = ()
        self.ended = 1
        self.error: Exception | None = None

    def _ask(self, words: str) -> None:
        self.asked.append(words)
        if self.error is not None:
            raise self.error

    def report(self) -> Deferred[Report]:
        self._ask("report")
        return succeed(self.told)

    def reload(self) -> Deferred[None]:
        self._ask("reload")
        return self.reloaded

    def reloadProgram(self) -> Deferred[tuple[str, ...]]:
        return self.reload().addCallback(lambda _: self.restart)

    def disconnect(self, session: str) -> Deferred[int]:
        self._ask(f"disconnect {session}")
        return succeed(self.ended)


_reporter: type[Reporter] = ScriptedReporter
