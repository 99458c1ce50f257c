"""
The report of a program with several workers: the sum of what they tell.

What a worker has counted stays counted when it is gone.  One that does not tell in time is named, and what it
has counted by its last report goes on to count, so that no counter goes down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from functools import reduce
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from uotp.errors import PeerError
from uotp.monitoring.cached import CachedReports
from uotp.monitoring.report import MOST_REPORTED, Report, SessionReport, Traffic, WorkerReport
from uotp.monitoring.rows import fromParts
from uotp.monitoring.slices import inSlices

LEAST_EACH = 16
"""Each worker tells so many sessions at least, however many workers there are."""

ToldParts = Mapping[int, Sequence[Sequence[object]]]
"""What workers have told, by their numbers, see L{uotp.monitoring.rows.reportParts}."""


class SeenWorker(Protocol):
    """
    Is how a worker is; L{uotp.workers.WorkerStatistics} are.
    """

    @property
    def number(self) -> int:
        """
        Which one it is.
        """

    @property
    def pid(self) -> int | None:
        """
        Its process, if there is one.
        """

    @property
    def state(self) -> Enum:
        """
        What it is doing.
        """

    @property
    def restarts(self) -> int:
        """
        How often it was started again.
        """

    @property
    def since(self) -> float:
        """
        When it came into its state, by the clock.
        """


class ReportedWorkers(Protocol):
    """
    Leads the workers; L{uotp.workers.Workforce} does.
    """

    def askReports(self, most: int) -> Deferred[Any]:
        """
        @param most: so many sessions each worker tells.
        @return: fires within a second with what they have told, see L{ToldParts}.
        """

    def statistics(self) -> Sequence[SeenWorker]:
        """
        @return: how each worker is.
        """


class ReportedParent(Protocol):
    """
    Is the parent that is told of.
    """

    def commonReport(self) -> Report:
        """
        @return: what the parent knows itself, and 0 in place of all else.
        """

    def reload(self) -> Deferred[None]:
        """
        Read files again.
        """

    def disconnect(self, session: str) -> Deferred[int]:
        """
        End sessions.
        """


class ParentReporter(CachedReports):
    """
    Tells of a program with several workers.
    """

    def __init__(self, parent: ReportedParent, workers: ReportedWorkers, clock: Any) -> None:
        """
        @param parent: is told of.
        @param workers: they are asked.
        @param clock: C{IReactorTime}.
        """
        super().__init__(clock)
        self._parent = parent
        self._workers = workers
        self._known: dict[int, Report] = {}  # what each worker has told last
        self._past: Report | None = None  # what those have counted that are gone
        self._carried: dict[tuple[int, str], int] = {}  # by each session, in the last report

    def make(self) -> Deferred[Report]:
        """
        See L{CachedReports}.
        """
        most = min(MOST_REPORTED, max(LEAST_EACH, 2 * MOST_REPORTED // len(self._workers.statistics())))
        return self._workers.askReports(most).addCallback(self._read)

    def reload(self) -> Deferred[None]:
        """
        See L{uotp.monitoring.Reporter}.
        """
        return self._parent.reload()

    def disconnect(self, session: str) -> Deferred[int]:
        """
        See L{uotp.monitoring.Reporter}.
        """
        return self._parent.disconnect(session)

    def _read(self, told: ToldParts) -> Deferred[Report]:
        reports: dict[int, Report] = {}
        return inSlices(self.clock, self._readAll(told, reports)).addCallback(lambda _: self._sum(reports))

    def _readAll(self, told: ToldParts, reports: dict[int, Report]) -> Iterator[None]:
        for number, parts in told.items():
            found: list[Report] = []
            try:
                yield from fromParts(parts, found)
            except PeerError as error:
                self._log.warn("worker {number} has told no report: {reason}", number=number, reason=str(error))
            else:
                reports[number] = found[0]

    def _sum(self, reports: Mapping[int, Report]) -> Report:
        for number, report in reports.items():
            before = self._known.get(number)
            if before is not None and before.pid != report.pid:
                self._past = counted(before) if self._past is None else added(self._past, counted(before))
            self._known[number] = report
        common = self._parent.commonReport()
        silent = [counted(report) for number, report in self._known.items() if number not in reports]
        past = [] if self._past is None else [self._past]
        total = reduce(added, (*reports.values(), *silent, *past), common)
        troubles = [f"worker {number}: {each.trouble}" for number, each in sorted(reports.items()) if each.trouble]
        trouble = common.trouble or "; ".join(troubles)
        return replace(
            total,
            trouble=trouble,
            isReady=not trouble,
            remote=usedMost(total.serversUsed, common.remote),
            workers=tuple(
                self._workerReport(each, isTold=each.number in reports) for each in self._workers.statistics()
            ),
            sessions=self._busiest(reports),
        )

    def _workerReport(self, worker: SeenWorker, *, isTold: bool) -> WorkerReport:
        seconds = self.clock.seconds() - worker.since
        return WorkerReport(worker.number, worker.pid or 0, worker.state.name.lower(), worker.restarts, seconds, isTold)

    def _busiest(self, reports: Mapping[int, Report]) -> tuple[SessionReport, ...]:
        """
        @return: those sessions that have carried most since the last report.
        """
        sessions = [replace(each, worker=number) for number, report in reports.items() for each in report.sessions]
        carried = {(each.worker, each.name): each.out.bytes + each.back.bytes for each in sessions}
        before, self._carried = self._carried, carried

        def grown(session: SessionReport) -> tuple[int, float]:
            key = session.worker, session.name
            return carried[key] - before.get(key, 0), -session.idleSeconds

        return tuple(sorted(sessions, key=grown, reverse=True)[:MOST_REPORTED])


COUNTS = ("sessionsOpened", "heldSeconds", "heldDatagrams", "again", "late", "retransmissions")
GAUGES = ("visitorsPresent", "sessionsOpen", "tunnelsReady", "tunnelsWanted", "queuedBytes")
NAMED_GAUGES = ("serversUsed", "serversReady", "serversAway")
NAMED = ("drops", "handshakes", "refusals", "visitors", "evictions", "moves", *NAMED_GAUGES)
"""What of reports is added up: counts, what tells how things are now, and counts by name."""


def counted(report: Report) -> Report:
    """
    @return: of a report only what counts since the beginning.
    """
    nothing: dict[str, Any] = dict.fromkeys(GAUGES, 0)
    nothing |= {name: dict.fromkeys(getattr(report, name), 0) for name in NAMED_GAUGES}
    return replace(report, sessions=(), worstTurn=0.0, **nothing)


def added(one: Report, other: Report) -> Report:
    """
    @return: the first report with the numbers of both.
    """
    changes: dict[str, Any] = {name: getattr(one, name) + getattr(other, name) for name in (*COUNTS, *GAUGES)}
    changes |= {name: addedByName(getattr(one, name), getattr(other, name)) for name in NAMED}
    return replace(
        one,
        out=addedTraffic((one.out, other.out)),
        back=addedTraffic((one.back, other.back)),
        worstTurn=max(one.worstTurn, other.worstTurn),
        **changes,
    )


def usedMost(used: Mapping[str, int], otherwise: str) -> str:
    """
    @param used: how many sessions are at each server.
    @param otherwise: where there is no session.
    @return: where most are.
    """
    most = max(used, key=lambda shown: used[shown], default=otherwise)
    return most if used.get(most) else otherwise


def addedByName(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """
    @return: both together.
    """
    total = Counter(one)
    total.update(other)
    return dict(total)


def addedTraffic(each: Iterable[Traffic]) -> Traffic:
    """
    @return: all together.
    """
    both = list(each)
    return Traffic(sum(one.trains for one in both), sum(one.datagrams for one in both), sum(one.bytes for one in both))
