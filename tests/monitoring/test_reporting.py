"""
Tests of L{uotp.monitoring.reporting}: of thousands of sessions, and of tunnels that end.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reports import SERVER_REPORT, sessionOf
from uotp.monitoring.cached import REPORT_SECONDS
from uotp.monitoring.report import MOST_REPORTED, Report, SessionReport
from uotp.monitoring.reporting import ASKED_AT_ONCE, Ended, ProcessReporter, SessionSums
from uotp.session.counts import SessionCounts


@dataclass(eq=False)
class SomeSession:
    """
    Is a session as a report sees it.

    @ivar carried: bytes, one way.
    @ivar hasEnded: whether it is over.
    """

    number: int
    carried: int = 100
    hasEnded: bool = False


@dataclass(eq=False)
class SomeStream:
    """
    Is the stream of a tunnel.

    @ivar asked: how often the kernel was.
    """

    repeated: int = 3
    asked: int = 0

    def retransmissions(self, *, isAsked: bool = True) -> int:
        self.asked += isAsked
        return self.repeated

    def queuedBytes(self) -> int:
        return 7


@dataclass(eq=False)
class SomeTunnel:
    """
    Is a tunnel that is open, and full.
    """

    number: int
    transport: SomeStream = field(default_factory=SomeStream)
    link: object = "a link"
    fullSince: float | None = 1.0


class SomeTunnels:
    """
    Are the tunnels of a service that live.
    """

    def __init__(self) -> None:
        self.open: list[SomeTunnel] = []

    def all(self) -> list[SomeTunnel]:
        return list(self.open)


class SomeService:
    """
    Is as much of a service as a reporter itself asks.
    """

    def __init__(self, clock: Clock) -> None:
        self.reactor = clock
        self.liveTunnels = SomeTunnels()


class SomeReporter(ProcessReporter[SomeSession]):
    """
    Tells what a test says.
    """

    def __init__(self, service: Any) -> None:
        super().__init__(service)
        self.over = Ended(SessionCounts(), 0, 0)
        self.there: list[SomeSession] = []

    def ended(self) -> Ended:
        return self.over

    def sessions(self) -> list[SomeSession]:
        return list(self.there)

    def sums(self, session: SomeSession) -> SessionSums:
        return SessionSums(SessionCounts(bytesOut=session.carried, late=1), 0.0, 5, 2, 3)

    def told(self, session: SomeSession, now: float) -> SessionReport | None:
        return None if session.hasEnded else sessionOf(f"{session.number:08x}")

    def common(self) -> Report:
        return replace(SERVER_REPORT, sessions=())


class ReportingTests(SynchronousTestCase):
    """
    Make reports.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.service = SomeService(self.clock)
        self.reporter = SomeReporter(self.service)

    def report(self) -> Report:
        self.clock.advance(REPORT_SECONDS)
        return self.successResultOf(self.reporter.report())

    def test_thousandsAreSummedAndTheBusiestTold(self) -> None:
        self.reporter.there = [SomeSession(number) for number in range(1500)]
        report = self.report()
        self.assertEqual((report.sessionsOpen, report.out.bytes, report.late), (1500, 150_000, 1500))
        self.assertEqual((report.queuedBytes, report.tunnelsReady, report.tunnelsWanted), (7500, 3000, 4500))
        self.assertEqual(len(report.sessions), MOST_REPORTED)
        for number in (3, 700, 1499):
            self.reporter.there[number].carried += 1000
        told = [session.name for session in self.report().sessions]
        self.assertEqual(set(told[:3]), {f"{number:08x}" for number in (3, 700, 1499)})

    def test_whoWasBusyLongAgoIsToldAfterWhoIsBusyNow(self) -> None:
        self.reporter.there = [SomeSession(number) for number in range(3)]
        self.reporter.there[1].carried += 100_000
        self.report()
        for _ in range(12):
            self.reporter.there[2].carried += 1000
            told = [session.name for session in self.report().sessions]
        self.assertEqual(told[:2], ["00000002", "00000001"])

    def test_whoHasEndedMeanwhileIsSummedAndNotTold(self) -> None:
        self.reporter.there = [SomeSession(1), SomeSession(2, hasEnded=True)]
        report = self.report()
        self.assertEqual((report.out.bytes, len(report.sessions)), (200, 1))

    def test_countsNeverGoDown(self) -> None:
        """
        Also where a session has counted a little more after its end than was taken over from it.
        """
        self.reporter.there = [SomeSession(1, carried=500)]
        self.assertEqual(self.report().out.bytes, 500)
        self.reporter.over, self.reporter.there = Ended(SessionCounts(bytesOut=450), 1, 0), []
        report = self.report()
        self.assertEqual((report.out.bytes, report.sessionsOpened), (500, 1))

    def test_kernelIsAskedOfAFewTunnelsEachTime(self) -> None:
        self.service.liveTunnels.open = [SomeTunnel(number) for number in range(1, ASKED_AT_ONCE + 101)]
        report = self.report()
        self.assertEqual(report.retransmissions, 3 * len(self.service.liveTunnels.open))
        self.assertEqual(report.queuedBytes, 7 * len(self.service.liveTunnels.open))
        for _ in range(len(self.service.liveTunnels.open) - 1):
            if min(tunnel.transport.asked for tunnel in self.service.liveTunnels.open):
                break
            before = sum(tunnel.transport.asked for tunnel in self.service.liveTunnels.open)
            self.report()
            self.assertEqual(
                sum(tunnel.transport.asked for tunnel in self.service.liveTunnels.open) - before, ASKED_AT_ONCE
            )
        asked = [tunnel.transport.asked for tunnel in self.service.liveTunnels.open]
        self.assertLessEqual(max(asked) - min(asked), 1)

    def test_faultIsToldToAllWhoAsk(self) -> None:
        self.patch(self.reporter, "sums", lambda _: 1 / 0)
        self.reporter.there = [SomeSession(1)]
        self.failureResultOf(self.reporter.report(), ZeroDivisionError)
        self.reporter.there = []
        self.assertEqual(self.report().sessionsOpen, 0)

    def test_whatCannotEvenBeBegunKeepsNobodyWaiting(self) -> None:
        """
        Whoever asks afterwards gets a report.
        """
        patch = self.patch(self.reporter, "make", lambda: 1 / 0)
        self.failureResultOf(self.reporter.report(), ZeroDivisionError)
        patch.restore()
        self.assertEqual(self.report().sessionsOpen, 0)
