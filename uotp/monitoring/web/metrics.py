"""
Which metrics there are: the names, what they mean, and where a report has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from uotp.monitoring.report import Report, SessionReport, TunnelReport

Sample = tuple[tuple[str, ...], float]
"""The values of the labels, and the value."""

OUT, BACK = "to_tunnels", "to_udp"
"""The values of the label C{direction}."""

OTHER = "other"
"""Stands in place of the name of a session for all those that are not told one by one.  No name is so: they are hex."""

MOST_LABEL_LETTERS = 128
"""A name that a peer has chosen is cut to so many letters."""


@dataclass(frozen=True, slots=True)
class Metric:
    """
    Describes one metric.

    @ivar name: without the unit's ending of counters, C{_total}.
    @ivar kind: what Prometheus calls it.
    @ivar help: what it says, in words.
    @ivar labels: the names of its labels.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()

    @property
    def exportedName(self) -> str:
        """
        The name as Prometheus has it.
        """
        return f"{self.name}_total" if self.kind == "counter" else self.name


def counter(name: str, words: str, *labels: str) -> Metric:
    """
    @return: what only grows.
    """
    return Metric(name, "counter", words, labels)


def gauge(name: str, words: str, *labels: str) -> Metric:
    """
    @return: what tells how something is now.
    """
    return Metric(name, "gauge", words, labels)


def one(value: float) -> list[Sample]:
    """
    @return: the sample of a metric without labels.
    """
    return [((), value)]


def startOf(report: Report) -> float:
    """
    @return: when the program was started, in seconds since 1970; to a millisecond, since the difference is no more
        exact than that.
    """
    return round(report.time - report.seconds, 3)


def each(counts: Mapping[str, int]) -> list[Sample]:
    """
    @return: a sample for each name.
    """
    return [((name,), float(number)) for name, number in counts.items()]


def ways(out: float, back: float) -> list[Sample]:
    """
    @return: a sample for each direction.
    """
    return [((OUT,), out), ((BACK,), back)]


def cutLabel(words: str) -> str:
    """
    @return: the same, cut to L{MOST_LABEL_LETTERS}, with what is no text: a file's name may be any bytes.
    """
    words = words.encode("utf-8", "backslashreplace").decode("utf-8")
    return words if len(words) <= MOST_LABEL_LETTERS else words[: MOST_LABEL_LETTERS - 1] + "…"


def certificates(report: Report) -> Iterable[Sample]:
    """
    @return: a sample for each; of two alike in all labels, the one that ends first.
    """
    found: dict[tuple[str, ...], float] = {}
    for certificate in report.certificates:
        labels = (certificate.kind, cutLabel(certificate.name), cutLabel(certificate.file))
        found[labels] = min(found.get(labels, certificate.expires), certificate.expires)
    return found.items()


OfProcess = tuple[Metric, Callable[[Report], Iterable[Sample]]]

PROCESS_METRICS: tuple[OfProcess, ...] = (
    (
        gauge("uotp_info", "Which program this is; the value is always 1.", "end", "version"),
        lambda report: [((report.end, report.version), 1.0)],
    ),
    (
        gauge("uotp_ready", "1 while the program can do its work, and 0 while it cannot."),
        lambda report: one(float(report.isReady)),
    ),
    (
        gauge("uotp_start_time_seconds", "When the program began, in seconds since 1970."),
        lambda report: one(startOf(report)),
    ),
    (
        counter("uotp_trains", "Trains carried: runs of datagrams that were handled in one go.", "direction"),
        lambda report: ways(report.out.trains, report.back.trains),
    ),
    (
        counter("uotp_datagrams", "Datagrams carried.", "direction"),
        lambda report: ways(report.out.datagrams, report.back.datagrams),
    ),
    (
        counter("uotp_payload_bytes", "Payload of the datagrams carried.", "direction"),
        lambda report: ways(report.out.bytes, report.back.bytes),
    ),
    (
        counter("uotp_dropped_datagrams", "Datagrams that were dropped, by the reason.", "reason"),
        lambda report: each(report.drops),
    ),
    (
        counter("uotp_resent_datagrams", "Datagrams that were sent a second time: missed, or in case they would be."),
        lambda report: one(report.again),
    ),
    (
        counter("uotp_late_datagrams", "Datagrams that came too late to be put in order."),
        lambda report: one(report.late),
    ),
    (
        counter("uotp_held_datagrams", "Datagrams that waited for those sent before them."),
        lambda report: one(report.heldDatagrams),
    ),
    (
        counter("uotp_held_seconds", "How long datagrams waited for those sent before them, all together."),
        lambda report: one(report.heldSeconds),
    ),
    (
        counter("uotp_tcp_retransmissions", "TCP segments of tunnels that the kernel has sent again."),
        lambda report: one(report.retransmissions),
    ),
    (
        gauge("uotp_queued_bytes", "What waits in all queues of the program, in bytes."),
        lambda report: one(report.queuedBytes),
    ),
    (gauge("uotp_sessions", "Sessions that there are."), lambda report: one(report.sessionsOpen)),
    (counter("uotp_sessions_opened", "Sessions that have begun."), lambda report: one(report.sessionsOpened)),
    (gauge("uotp_tunnels_ready", "Tunnels that are open."), lambda report: one(report.tunnelsReady)),
    (gauge("uotp_tunnels_wanted", "Tunnels that all sessions want."), lambda report: one(report.tunnelsWanted)),
    (
        counter("uotp_handshakes", "Attempts to open a tunnel, by how they ended.", "result"),
        lambda report: each(report.handshakes),
    ),
    (counter("uotp_refusals", "Peers that were refused, by the kind of reason.", "kind"), lambda r: each(r.refusals)),
    (
        counter("uotp_visitors", "Connections of no clients, which find a web site, by their fate.", "fate"),
        lambda report: each(report.visitors),
    ),
    (
        gauge("uotp_visitors_present", "Connections of no clients that are open."),
        lambda report: one(report.visitorsPresent),
    ),
    (
        counter("uotp_evictions", "What had to make room for others, by what it was.", "kind"),
        lambda report: each(report.evictions),
    ),
    (
        gauge("uotp_server_sessions", "Sessions that are at each server of a client.", "server"),
        lambda report: each(report.serversUsed),
    ),
    (
        gauge("uotp_server_standby", "Sessions for which a tunnel stands by at each server of a client.", "server"),
        lambda report: each(report.serversReady),
    ),
    (
        gauge(
            "uotp_server_away", "1 for each server of a client that has failed, else 0; workers are summed.", "server"
        ),
        lambda report: each(report.serversAway),
    ),
    (
        counter("uotp_server_moves", "How often sessions of a client have gone to another server, by why.", "reason"),
        lambda report: each(report.moves),
    ),
    (
        counter("uotp_reloads", "How often files were read again, by what became of it.", "result"),
        lambda report: each(report.reloads),
    ),
    (
        gauge("uotp_files_refused", "1 while the files on disk cannot be used and the old ones stay in use, else 0."),
        lambda report: one(float(bool(report.filesTrouble))),
    ),
    (
        gauge(
            "uotp_certificate_expiry_timestamp_seconds",
            "When a certificate, a CA or a revocation list ends, in seconds since 1970.",
            "kind",
            "name",
            "file",
        ),
        certificates,
    ),
    (
        gauge(
            "uotp_reactor_worst_delay_seconds",
            "The longest that something that was due had to wait for its turn in the last minute or two.",
        ),
        lambda report: one(report.worstTurn),
    ),
    (
        gauge("uotp_worker_up", "1 for a worker that has said how it is, and 0 for one that has not.", "worker"),
        lambda report: [((str(worker.number),), float(worker.isTold)) for worker in report.workers],
    ),
    (
        counter("uotp_worker_restarts", "How often a worker was started again.", "worker"),
        lambda report: [((str(worker.number),), worker.restarts) for worker in report.workers],
    ),
)
"""Those of the whole program."""


SUMMED_METRICS: tuple[tuple[Metric, Callable[[SessionReport], float], Callable[[Report], float]], ...] = (
    (
        counter("uotp_session_sent_trains", "Trains that came from UDP.", "session"),
        lambda session: session.out.trains,
        lambda report: report.out.trains,
    ),
    (
        counter("uotp_session_sent_datagrams", "Datagrams that came from UDP.", "session"),
        lambda session: session.out.datagrams,
        lambda report: report.out.datagrams,
    ),
    (
        counter("uotp_session_sent_bytes", "Payload that came from UDP.", "session"),
        lambda session: session.out.bytes,
        lambda report: report.out.bytes,
    ),
    (
        counter("uotp_session_received_trains", "Trains that came from tunnels.", "session"),
        lambda session: session.back.trains,
        lambda report: report.back.trains,
    ),
    (
        counter("uotp_session_received_datagrams", "Datagrams that came from tunnels.", "session"),
        lambda session: session.back.datagrams,
        lambda report: report.back.datagrams,
    ),
    (
        counter("uotp_session_received_bytes", "Payload that came from tunnels.", "session"),
        lambda session: session.back.bytes,
        lambda report: report.back.bytes,
    ),
)
"""What each session has carried, and the same of all sessions that there ever were."""

SESSION_METRICS: tuple[tuple[Metric, Callable[[SessionReport], Iterable[Sample]]], ...] = (
    (
        gauge(
            "uotp_session_info",
            "Who has a session: at a client the source; at a server where it comes from, and the name of its "
            "certificate.  The value is always 1.",
            "session",
            "peer",
            "client",
            "worker",
        ),
        lambda s: [((cutLabel(s.peer), cutLabel(s.client), str(s.worker)), 1.0)],
    ),
    (
        counter("uotp_session_dropped_datagrams", "Datagrams that the session has dropped.", "session", "reason"),
        lambda s: each(s.drops),
    ),
    (
        counter("uotp_session_resent_datagrams", "Datagrams that were sent a second time.", "session"),
        lambda s: one(s.again),
    ),
    (
        counter("uotp_session_late_datagrams", "Datagrams that came too late to be put in order.", "session"),
        lambda s: one(s.late),
    ),
    (
        counter("uotp_session_held_datagrams", "Datagrams that waited for those sent before them.", "session"),
        lambda s: one(s.heldDatagrams),
    ),
    (
        counter("uotp_session_held_seconds", "How long datagrams waited for those sent before them.", "session"),
        lambda s: one(s.heldSeconds),
    ),
    (
        counter("uotp_session_tcp_retransmissions", "TCP segments of its tunnels that were sent again.", "session"),
        lambda s: one(s.retransmissions),
    ),
    (
        gauge("uotp_session_round_trip_seconds", "The longest round trip of its tunnels; 0 while unknown.", "session"),
        lambda s: one(s.roundTrip),
    ),
    (
        gauge("uotp_session_queued_bytes", "What waits in its queues, in bytes.", "session"),
        lambda s: one(s.queuedBytes),
    ),
    (gauge("uotp_session_tunnels_ready", "Its tunnels that are open.", "session"), lambda s: one(s.tunnelsReady)),
    (gauge("uotp_session_tunnels_wanted", "How many tunnels it wants.", "session"), lambda s: one(s.tunnelsWanted)),
    (gauge("uotp_session_age_seconds", "How long it has been there.", "session"), lambda s: one(s.seconds)),
    (gauge("uotp_session_idle_seconds", "How long nothing has come for it.", "session"), lambda s: one(s.idleSeconds)),
)
"""What is told of each session, behind the label C{session}."""

TUNNEL_METRICS: tuple[tuple[Metric, Callable[[TunnelReport], float]], ...] = (
    (
        counter("uotp_tunnel_sent_bytes", "Bytes written to a tunnel, with all that frames add.", "session", "tunnel"),
        lambda t: t.bytesOut,
    ),
    (
        counter("uotp_tunnel_received_bytes", "Bytes that have come by a tunnel.", "session", "tunnel"),
        lambda t: t.bytesIn,
    ),
    (
        counter("uotp_tunnel_tcp_retransmissions", "TCP segments that were sent again.", "session", "tunnel"),
        lambda t: t.retransmissions,
    ),
    (
        gauge("uotp_tunnel_round_trip_seconds", "To the other program and back; 0 while unknown.", "session", "tunnel"),
        lambda t: t.roundTrip,
    ),
    (
        gauge("uotp_tunnel_queued_bytes", "What waits in the program for the kernel.", "session", "tunnel"),
        lambda t: t.queuedBytes,
    ),
    (
        gauge("uotp_tunnel_unacked_bytes", "What was sent and is not known to have arrived.", "session", "tunnel"),
        lambda t: t.unackedBytes,
    ),
    (gauge("uotp_tunnel_age_seconds", "How long a tunnel has been open.", "session", "tunnel"), lambda t: t.seconds),
)
"""What is told of each tunnel.  The label C{tunnel} is its place among those of its session, so there are few."""
