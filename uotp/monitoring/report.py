"""
What a process tells of itself: one report holds all that the metrics, the page and the control
socket show.  There is no logic here, and nothing that a datagram passes.

Words of a report have bounds: whoever makes it bounds the number of sessions and tunnels in it, and
adds up what is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred

MOST_REPORTED = 256
"""So many sessions a report tells one by one; with ten tunnels each that is half a megabyte of text."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """
    Counts what went one way since the beginning.

    @ivar trains: runs of datagrams that were handled in one go.
    @ivar datagrams: datagrams.
    @ivar bytes: their payload.
    """

    trains: int
    datagrams: int
    bytes: int

    def atLeast(self, before: Traffic) -> Traffic:
        """
        @return: the same, with no number less than in an earlier count.
        """
        return Traffic(
            max(self.trains, before.trains), max(self.datagrams, before.datagrams), max(self.bytes, before.bytes)
        )


@dataclass(frozen=True, slots=True)
class TunnelReport:
    """
    Tells of one tunnel that is open.

    @ivar number: tells it apart from the others of its process.
    @ivar peer: numeric address and port of the other end.
    @ivar seconds: how long it has been open.
    @ivar wireFormat: 1 or 2.
    @ivar bytesOut: bytes that we have written to it, with all that frames add.
    @ivar bytesIn: bytes that have come by it.
    @ivar roundTrip: to the other program and back, in seconds; 0 while it is not known.
    @ivar retransmissions: TCP segments that the kernel has sent again; 0 where it does not tell.
    @ivar queuedBytes: what waits in the program for the kernel.
    @ivar unackedBytes: what was sent and is not known to have arrived.
    """

    number: int
    peer: str
    seconds: float
    wireFormat: int
    bytesOut: int
    bytesIn: int
    roundTrip: float
    retransmissions: int
    queuedBytes: int
    unackedBytes: int


@dataclass(frozen=True, slots=True)
class SessionReport:
    """
    Tells of one session.

    @ivar name: the beginning of its id, as the log shows it.
    @ivar worker: the number of the worker that has it; 0 where there is one process.
    @ivar peer: at a client the source, at a server where its newest tunnel comes from.
    @ivar client: at a server the name that the client was let in by; empty without one.
    @ivar seconds: since when it has been there.
    @ivar idleSeconds: since when nothing has come from either side.
    @ivar out: what came from UDP and went into tunnels.
    @ivar back: what came from tunnels and went to UDP.
    @ivar drops: datagrams that were dropped, by the name of the reason.
    @ivar roundTrip: the longest of its tunnels, in seconds; 0 while none is known.
    @ivar retransmissions: TCP segments sent again, of all its tunnels since the beginning.
    @ivar again: datagrams that we have sent a second time, since they were missed or in case they would be.
    @ivar heldSeconds: how long datagrams waited for those before them, all together.
    @ivar heldDatagrams: how many waited so.
    @ivar late: datagrams that came too late to be put in order.
    @ivar queuedBytes: what waits for a tunnel, or to be handed to UDP.
    @ivar tunnelsReady: tunnels that are open.
    @ivar tunnelsWanted: how many it wants; at a server, which does not decide it, as many as are ready.
    @ivar tunnels: them, as far as they are told.
    """

    name: str
    worker: int
    peer: str
    client: str
    seconds: float
    idleSeconds: float
    out: Traffic
    back: Traffic
    drops: Mapping[str, int]
    roundTrip: float
    retransmissions: int
    again: int
    heldSeconds: float
    heldDatagrams: int
    late: int
    queuedBytes: int
    tunnelsReady: int
    tunnelsWanted: int
    tunnels: tuple[TunnelReport, ...]


@dataclass(frozen=True, slots=True)
class CertificateReport:
    """
    Tells of a certificate, a CA or a revocation list that is in use.

    @ivar kind: C{"own"}, C{"ca"} or C{"crl"}.
    @ivar name: whose it is.
    @ivar file: where it was read.
    @ivar expires: when it ends, in seconds since 1970.
    """

    kind: str
    name: str
    file: str
    expires: float


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """
    Tells of one worker.

    @ivar number: which.
    @ivar pid: its process; 0 while there is none.
    @ivar state: how it is, in a word.
    @ivar restarts: how often it was started again.
    @ivar seconds: how long it has been in this state.
    @ivar isTold: whether it has said in time how it is, so that its sessions are in the report.
    """

    number: int
    pid: int
    state: str
    restarts: int
    seconds: float
    isTold: bool


@dataclass(frozen=True, slots=True)
class Report:
    """
    Tells of the whole program at one moment.  What counts does so since the program began.

    @ivar end: C{"client"} or C{"server"}.
    @ivar version: of the program.
    @ivar pid: the process that was asked.
    @ivar time: when this was, in seconds since 1970.
    @ivar seconds: how long it has been running.
    @ivar isReady: whether it can do its work.
    @ivar trouble: why it cannot, in words; empty when it can.
    @ivar listening: where it listens, each as C{host:port}.
    @ivar remote: at a client the server where most sessions are, as it is written without its path; at a server the
        target, as C{host:port}.
    @ivar workers: the workers; none where there is one process.
    @ivar out: what came from UDP and went into tunnels, of all sessions that there were.
    @ivar back: what came from tunnels and went to UDP.
    @ivar drops: datagrams that were dropped, by the name of the reason.
    @ivar handshakes: handshakes by how they ended.
    @ivar refusals: peers that were refused, by kind.
    @ivar visitors: connections of no clients, which find a web site, by what became of them.
    @ivar visitorsPresent: how many of these there are.
    @ivar evictions: what had to make room for others, by kind.
    @ivar serversUsed: at a client how many sessions are at each server, by how it is written.
    @ivar serversReady: at a client for how many sessions a tunnel stands by at each server.
    @ivar serversAway: at a client 1 for a server that has failed and is tried again now and then, and 0 for others; of
        several workers the sum.
    @ivar moves: at a client how often sessions have moved to another server, by why.
    @ivar reloads: how often files were read again, by how that ended.
    @ivar filesTrouble: why the files on disk cannot be used, so that the old ones stay in use; empty when they can.
    @ivar certificates: what may end.
    @ivar worstTurn: the longest that something that was due had to wait for its turn of the reactor in the last
        minute or two, in seconds; of several processes the worst.
    @ivar sessionsOpened: sessions since the beginning.
    @ivar sessionsOpen: sessions now.
    @ivar tunnelsReady: open tunnels of all sessions.
    @ivar tunnelsWanted: wanted tunnels of all sessions.
    @ivar queuedBytes: what waits in all queues.
    @ivar heldSeconds: how long datagrams waited for those before them, of all sessions together.
    @ivar heldDatagrams: how many waited so.
    @ivar again: datagrams that were sent a second time, of all sessions.
    @ivar late: datagrams that came too late to be put in order.
    @ivar retransmissions: TCP segments sent again, of all tunnels that there were.
    @ivar sessions: the sessions that carried most lately, at most L{MOST_REPORTED}.
    """

    end: str
    version: str
    pid: int
    time: float
    seconds: float
    isReady: bool
    trouble: str
    listening: tuple[str, ...]
    remote: str
    workers: tuple[WorkerReport, ...]
    out: Traffic
    back: Traffic
    drops: Mapping[str, int]
    handshakes: Mapping[str, int]
    refusals: Mapping[str, int]
    visitors: Mapping[str, int]
    evictions: Mapping[str, int]
    serversUsed: Mapping[str, int]
    serversReady: Mapping[str, int]
    serversAway: Mapping[str, int]
    moves: Mapping[str, int]
    reloads: Mapping[str, int]
    filesTrouble: str
    certificates: tuple[CertificateReport, ...]
    worstTurn: float
    visitorsPresent: int
    sessionsOpened: int
    sessionsOpen: int
    tunnelsReady: int
    tunnelsWanted: int
    queuedBytes: int
    heldSeconds: float
    heldDatagrams: int
    again: int
    late: int
    retransmissions: int
    sessions: tuple[SessionReport, ...]

    def serverWords(self, shown: str) -> str:
        """
        @param shown: one of the servers of a client.
        @return: what it is to the sessions.
        """
        ready = self.serversReady.get(shown, 0)
        standing = f", stands by for {ready}" if ready else ""
        away = ", away" if self.serversAway.get(shown) else ""
        used = self.serversUsed[shown]
        return f"{used} session{'' if used == 1 else 's'}{standing}{away}"


class Reporter(Protocol):
    """
    Is a program that tells of itself, and does what an operator asks.
    """

    def report(self) -> Deferred[Report]:
        """
        @return: how it is; of several workers what they say within a second.
        """

    def reload(self) -> Deferred[None]:
        """
        Read all files again.

        @return: fires when that is done; fails with L{uotp.errors.ConfigurationError} when the old ones stay.
        """

    def disconnect(self, session: str) -> Deferred[int]:
        """
        End sessions.

        @param session: the beginning of their ids, as a report names them, or the name of a client.
        @return: how many were ended.
        """
