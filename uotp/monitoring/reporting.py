"""
How one process makes its report.  Sums are made of all sessions, and those that have carried most lately
are told one by one.  There may be thousands, so that is done in slices, and the reactor turns between.

What counts never goes down: what sessions have done that have ended is taken in the moment in which those
that live are listed, and a session that ends meanwhile is still read from that list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from heapq import nlargest
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred

from uotp.monitoring.cached import CachedReports
from uotp.monitoring.report import MOST_REPORTED, Report, SessionReport
from uotp.monitoring.seen import ReportedService, SeenCounts, backOf, outOf
from uotp.monitoring.slices import inSlices

SUMMED_AT_ONCE = 32
"""Sessions, or tunnels, in one step: each takes a few microseconds."""

ASKED_AT_ONCE = 1024
"""Of so many tunnels the kernel is asked for each report, of others for the next one."""

MOST_TUNNELS = 16
"""Of one session so many tunnels are told: as many as most pools have, and twice while they are replaced."""

Reported = TypeVar("Reported")


@dataclass(frozen=True, slots=True)
class SessionSums:
    """
    Says of one session what is summed of all.

    @ivar counts: what it has done.
    @ivar lastActive: when it last carried something, in monotonic seconds.
    @ivar queuedBytes: what waits in it.
    @ivar tunnelsReady: its open tunnels.
    @ivar tunnelsWanted: how many it wants.
    """

    counts: SeenCounts
    lastActive: float
    queuedBytes: int
    tunnelsReady: int
    tunnelsWanted: int


@dataclass(frozen=True, slots=True)
class Ended:
    """
    Says what the sessions and tunnels of a service have done that are gone.

    @ivar counts: what sessions have done.
    @ivar sessions: how many there were.
    @ivar retransmissions: TCP segments sent again, of tunnels.
    """

    counts: SeenCounts
    sessions: int
    retransmissions: int


class ProcessReporter(CachedReports, Generic[Reported]):
    """
    Makes the reports of one process that carries datagrams, and does what an operator asks of it.  A subclass
    knows its end.
    """

    def __init__(self, service: ReportedService) -> None:
        """
        @param service: is told of.
        """
        super().__init__(service.reactor)
        self._service = service
        self._scores: dict[int, tuple[float, int]] = {}  # how much sessions have carried lately, and ever
        self._asked = 0  # the number of the tunnel of which the kernel was asked last

    # What a subclass knows.

    def ended(self) -> Ended:
        """
        @return: what is over.
        """
        raise NotImplementedError

    def sessions(self) -> list[Reported]:
        """
        @return: those that there are.
        """
        raise NotImplementedError

    def sums(self, session: Reported) -> SessionSums:
        """
        @return: what is summed of a session, also of one that has ended.
        """
        raise NotImplementedError

    def identity(self, session: Reported) -> int:
        """
        @return: tells a session apart from others that live.
        """
        return id(session)

    def told(self, session: Reported, now: float) -> SessionReport | None:
        """
        @param now: monotonic seconds.
        @return: all of a session; L{None} when it has ended.
        """
        raise NotImplementedError

    def common(self) -> Report:
        """
        @return: what is known without a look at the sessions and tunnels, and 0 in place of all else.
        """
        raise NotImplementedError

    # What is asked.

    def reload(self) -> Deferred[None]:
        """
        See L{uotp.monitoring.Reporter}.
        """
        return self._service.reload()

    def disconnect(self, session: str) -> Deferred[int]:
        """
        See L{uotp.monitoring.Reporter}.
        """
        return self._service.disconnect(session)

    def make(self) -> Deferred[Report]:
        """
        See L{CachedReports}.
        """
        found: list[Report] = []
        return inSlices(self.clock, self._make(found)).addCallback(lambda _: found[0])

    def _make(self, found: list[Report]) -> Iterator[None]:
        report, ended, sessions = self.common(), self.ended(), self.sessions()
        counts: Any = ended.counts
        queued = ready = wanted = 0
        scores: dict[int, tuple[float, int]] = {}
        ranks: list[tuple[float, float, int]] = []
        for start in range(0, len(sessions), SUMMED_AT_ONCE):
            for place, session in enumerate(sessions[start : start + SUMMED_AT_ONCE], start):
                sums = self.sums(session)
                counts = counts.plus(sums.counts)
                queued += sums.queuedBytes
                ready += sums.tunnelsReady
                wanted += sums.tunnelsWanted
                carried = sums.counts.bytesOut + sums.counts.bytesIn
                identity = self.identity(session)
                score, before = self._scores.get(identity, (0.0, 0))
                score = score / 2 + max(carried - before, 0)
                scores[identity] = score, carried
                ranks.append((score, sums.lastActive, place))
            if len(ranks) > 2 * MOST_REPORTED:  # to choose among all at the end would take too long for one turn
                ranks = nlargest(MOST_REPORTED, ranks)
            yield
        self._scores = scores
        told: list[SessionReport] = []
        for _, _, place in nlargest(MOST_REPORTED, ranks):
            one = self.told(sessions[place], self.clock.seconds())
            if one is not None:
                told.append(one)
            yield
        retransmissions = ended.retransmissions
        tunnelsQueued = 0
        for counted, waits in self._ofTunnels(self._service.liveTunnels.all()):
            retransmissions += counted
            tunnelsQueued += waits
            yield
        made = replace(
            report,
            out=outOf(counts),
            back=backOf(counts),
            sessionsOpened=ended.sessions + len(sessions),
            sessionsOpen=len(sessions),
            tunnelsReady=ready,
            tunnelsWanted=wanted,
            queuedBytes=queued + tunnelsQueued,
            heldSeconds=counts.heldSeconds,
            heldDatagrams=counts.heldDatagrams,
            again=counts.again,
            late=counts.late,
            retransmissions=retransmissions,
            sessions=tuple(told),
        )
        found.append(made if self.last is None else notLess(made, self.last))

    def _ofTunnels(self, tunnels: list[Any]) -> Iterator[tuple[int, int]]:
        """
        @return: of a few tunnels each time: what their kernels have sent again, and what waits in them.  Of
            very many, only some are asked anew.
        """
        tunnels = sorted((tunnel for tunnel in tunnels if tunnel.link is not None), key=numberOf)
        following = [tunnel for tunnel in tunnels if tunnel.number > self._asked]
        chosen = (following + tunnels)[:ASKED_AT_ONCE]
        asked = {tunnel.number for tunnel in chosen}
        self._asked = 0 if len(tunnels) <= ASKED_AT_ONCE else chosen[-1].number
        for start in range(0, len(tunnels), SUMMED_AT_ONCE):
            part = tunnels[start : start + SUMMED_AT_ONCE]
            yield (
                sum(tunnel.transport.retransmissions(isAsked=tunnel.number in asked) for tunnel in part),
                sum(tunnel.transport.queuedBytes() for tunnel in part if tunnel.fullSince is not None),
            )


def numberOf(tunnel: Any) -> int:
    """
    @return: what tells a tunnel apart from others.
    """
    number: int = tunnel.number
    return number


GROWING = ("heldSeconds", "heldDatagrams", "again", "late", "retransmissions", "sessionsOpened")
"""What of a report counts, and is a number."""


def notLess(report: Report, before: Report) -> Report:
    """
    @return: the same report, in which nothing that counts is less than in an earlier one.  What a session
        does in the moments of its end may be counted for one report and not for the next.
    """
    grown = {name: max(getattr(report, name), getattr(before, name)) for name in GROWING}
    return replace(report, out=report.out.atLeast(before.out), back=report.back.atLeast(before.back), **grown)
