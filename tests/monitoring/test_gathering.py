"""
Tests of L{uotp.monitoring.gathering}: alone, and of a server with workers in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reports import SERVER_REPORT, sessionOf
from tests.doubles.serverworkers import WorkersTestCase, newId
from uotp.monitoring.cached import REPORT_SECONDS
from uotp.monitoring.gathering import LEAST_EACH, ParentReporter
from uotp.monitoring.report import MOST_REPORTED, Report, Traffic
from uotp.monitoring.rows import reportParts
from uotp.workers.owner import WorkerStatistics
from uotp.workers.workerstates import WorkerState

EMPTY = replace(
    SERVER_REPORT,
    out=Traffic(0, 0, 0),
    back=Traffic(0, 0, 0),
    drops={},
    handshakes={},
    refusals={},
    visitors={},
    evictions={},
    serversUsed={},
    serversReady={},
    serversAway={},
    moves={},
    worstTurn=0.0,
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


class ParentReporterTests(SynchronousTestCase):
    """
    Sum what workers tell, as a test says.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: dict[int, Report] = {}
        self.most = 0
        self.reporter = ParentReporter(self, self, self.clock)

    # What the reporter asks of its parent, and of the workforce.

    def askReports(self, most: int) -> Deferred[Any]:
        self.most = most
        return succeed({number: list(reportParts(report, most)) for number, report in self.told.items()})

    def statistics(self) -> Sequence[WorkerStatistics]:
        return [WorkerStatistics(number, 4711 + number, WorkerState.READY, 0, 0.0) for number in (1, 2)]

    def commonReport(self) -> Report:
        return EMPTY

    def reload(self) -> Deferred[None]:
        return succeed(None)

    def disconnect(self, session: str) -> Deferred[int]:
        return succeed(len(session))

    def report(self) -> Report:
        self.clock.advance(REPORT_SECONDS)
        return self.successResultOf(self.reporter.report())

    def worker(self, number: int, **changes: Any) -> None:
        """
        A worker tells a report.
        """
        self.told[number] = replace(SERVER_REPORT, pid=number, **{"sessions": (sessionOf(),), **changes})

    def test_numbersAreSummed(self) -> None:
        self.worker(1, worstTurn=0.001)
        self.worker(2, worstTurn=0.5)
        report = self.report()
        once = SERVER_REPORT
        self.assertEqual(report.out, Traffic(2 * once.out.trains, 2 * once.out.datagrams, 2 * once.out.bytes))
        self.assertEqual(report.drops, {name: 2 * number for name, number in once.drops.items()})
        self.assertEqual((report.sessionsOpen, report.heldSeconds), (2 * once.sessionsOpen, 2 * once.heldSeconds))
        self.assertEqual((report.worstTurn, report.pid), (0.5, once.pid))
        self.assertEqual(
            [(each.number, each.pid, each.state, each.isTold) for each in report.workers],
            [
                (1, 4712, "ready", True),
                (2, 4713, "ready", True),
            ],
        )
        self.assertEqual([session.worker for session in report.sessions], [1, 2])

    def test_silentWorkerIsNamedAndItsCountsStay(self) -> None:
        self.worker(1)
        self.worker(2)
        before = self.report()
        del self.told[2]
        report = self.report()
        self.assertEqual([each.isTold for each in report.workers], [True, False])
        self.assertEqual((report.out, report.drops), (before.out, before.drops))
        self.assertEqual((report.sessionsOpen, len(report.sessions)), (SERVER_REPORT.sessionsOpen, 1))

    def test_whatAWorkerHasCountedStaysWhenAnotherIsInItsPlace(self) -> None:
        self.worker(1)
        before = self.report()
        self.told[1] = replace(EMPTY, pid=99, out=Traffic(1, 1, 1))
        for _ in range(2):
            report = self.report()
            self.assertEqual(report.out.bytes, before.out.bytes + 1)
            self.assertEqual(report.sessionsOpen, 0)

    def test_serverWhereMostSessionsAreIsNamed(self) -> None:
        """
        What a silent worker had there has no part in it.
        """
        self.assertEqual(self.report().remote, EMPTY.remote)
        for number, used in ((1, {"a.test:8443": 1, "b.test:8443": 3}), (2, {"a.test:8443": 1, "b.test:8443": 0})):
            self.worker(number, serversUsed=used, serversAway={"a.test:8443": 1}, moves={"no_tunnel": 2})
        report = self.report()
        self.assertEqual((report.remote, report.serversUsed["a.test:8443"]), ("b.test:8443", 2))
        self.assertEqual((report.serversAway, report.moves), ({"a.test:8443": 2}, {"no_tunnel": 4}))
        del self.told[1]
        report = self.report()
        self.assertEqual((report.remote, report.moves), ("a.test:8443", {"no_tunnel": 4}))

    def test_troubleOfAWorkerIsTheProgramsOwn(self) -> None:
        self.worker(1)
        self.worker(2, trouble="no tunnel can be opened: why", isReady=False)
        report = self.report()
        self.assertEqual((report.isReady, report.trouble), (False, "worker 2: no tunnel can be opened: why"))

    def test_troubleOfTheParentComesFirst(self) -> None:
        """
        When it stops, all else follows from that.
        """
        self.worker(1, trouble="something")
        self.worker(2)
        self.patch(self, "commonReport", lambda: replace(EMPTY, trouble="it stops", isReady=False))
        report = self.report()
        self.assertEqual((report.trouble, report.isReady), ("it stops", False))

    def test_theBusiestSessionsAreTold(self) -> None:
        for number in (1, 2):
            sessions = tuple(sessionOf(f"{number}{place:07x}", out=Traffic(0, 0, 0)) for place in range(200))
            self.worker(number, sessions=sessions)
        self.assertEqual(len(self.report().sessions), MOST_REPORTED)
        busy = sessionOf("2ffffff0", out=Traffic(0, 0, 10**9))
        self.worker(2, sessions=(*self.told[2].sessions[:-1], busy))
        self.assertEqual(self.report().sessions[0].name, busy.name)
        self.assertEqual(self.most, MOST_REPORTED)
        self.assertLess(LEAST_EACH, MOST_REPORTED)

    def test_workerThatTellsNonsenseIsLeftOut(self) -> None:
        self.worker(1)
        self.worker(2)
        self.patch(self, "askReports", lambda most: succeed({1: list(reportParts(self.told[1], most)), 2: [("what",)]}))
        report = self.report()
        self.assertEqual([each.isTold for each in report.workers], [True, False])
        self.assertEqual(report.out, SERVER_REPORT.out)

    def test_ordersReachTheParent(self) -> None:
        self.assertIsNone(self.successResultOf(self.reporter.reload()))
        self.assertEqual(self.successResultOf(self.reporter.disconnect("four")), 4)


class ServerParentReportTests(WorkersTestCase):
    """
    Ask a server with two workers.
    """

    def report(self, reporter: Any) -> Report:
        self.advance(REPORT_SECONDS)
        done = reporter.report()
        for _ in range(50):
            self.settle()
            self.advance(0)
            if done.called:
                break
        report: Report = self.successResultOf(done)
        return report

    def test_allWorkersTell(self) -> None:
        self.start()
        reporter = self.parent.reporter()
        self.assertIs(self.parent.reporter(), reporter)
        report = self.report(reporter)
        self.assertEqual(
            [(each.number, each.state, each.isTold) for each in report.workers],
            [
                (1, "ready", True),
                (2, "ready", True),
            ],
        )
        self.assertEqual((report.end, report.isReady, report.sessions), ("server", True, ()))
        self.assertEqual(len(newId()), 16)
