"""
How fast it goes, by two reports.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reports import SERVER_REPORT, SESSION
from uotp.cli.operate.rates import Followed, ProgramRates, Rate, ratesBetween
from uotp.monitoring import Report, SessionReport, Traffic


def more(traffic: Traffic, amount: int) -> Traffic:
    """
    @return: the same and so many bytes more.
    """
    return replace(traffic, bytes=traffic.bytes + amount)


def later(report: Report, seconds: float, amount: int) -> Report:
    """
    @return: a report so many seconds later, when each session and all together have carried so many bytes more out,
        and twice as many back.
    """

    def grown(session: SessionReport) -> SessionReport:
        return replace(session, out=more(session.out, amount), back=more(session.back, 2 * amount))

    return replace(
        report,
        seconds=report.seconds + seconds,
        out=more(report.out, amount),
        back=more(report.back, 2 * amount),
        sessions=tuple(map(grown, report.sessions)),
    )


class RatesTests(SynchronousTestCase):
    """
    Compare reports.
    """

    def test_whatWasCarriedMeanwhileIsTheRate(self) -> None:
        rates = ratesBetween(SERVER_REPORT, later(SERVER_REPORT, 2.0, 1000))
        self.assertEqual(rates.all, Rate(500.0, 1000.0))
        self.assertEqual(rates.of(SERVER_REPORT.sessions[1]).both, 1500.0)
        self.assertEqual(rates.of(replace(SESSION, worker=3)), Rate())

    def test_aSessionThatIsNewHasNoRateYet(self) -> None:
        after = later(SERVER_REPORT, 2.0, 1000)
        after = replace(after, sessions=(replace(SESSION, name="00000000"), *after.sessions[1:]))
        rates = ratesBetween(SERVER_REPORT, after)
        self.assertEqual([rates.of(each).out for each in after.sessions], [0.0, 500.0])

    def test_nothingIsSaidOfAProgramThatWasStartedAgain(self) -> None:
        for after in (replace(SERVER_REPORT, seconds=1.0), replace(later(SERVER_REPORT, 2.0, 1000), pid=1)):
            self.assertEqual(ratesBetween(SERVER_REPORT, after), ProgramRates())

    def test_aCountThatShrinksIsNoRate(self) -> None:
        self.assertEqual(ratesBetween(SERVER_REPORT, later(SERVER_REPORT, 2.0, -1000)).all, Rate())

    def test_theSameReportAgainChangesNothing(self) -> None:
        followed = Followed()
        after = later(SERVER_REPORT, 2.0, 1000)
        for report in (SERVER_REPORT, after, after):
            self.assertFalse(followed.follow(report))
        self.assertEqual(followed.rates.all.out, 500.0)
        self.assertTrue(followed.follow(replace(after, pid=1, seconds=0.5)))
        self.assertEqual(followed.rates, ProgramRates())
        self.assertFalse(followed.follow(replace(after, pid=1, seconds=2.5)))
