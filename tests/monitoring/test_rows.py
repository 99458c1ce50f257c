"""
Tests of L{uotp.monitoring.rows}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reports import CLIENT_REPORT, SERVER_REPORT, crowded
from uotp.errors import PeerError
from uotp.monitoring.report import MOST_REPORTED, Report
from uotp.monitoring.rows import SESSIONS_EACH, asRow, fromParts, reportParts
from uotp.workers.questions import MOST_ANSWER_PARTS
from uotp.workers.values import asJson, fromJson


class RowsTests(SynchronousTestCase):
    """
    Write reports as rows, and read them again.
    """

    def read(self, *parts: Any) -> Report:
        found: list[Report] = []
        for _ in fromParts(parts, found):
            pass
        return found[0]

    def test_whatWasWrittenIsRead(self) -> None:
        """
        Also when it has been a message in between.
        """
        for report in (SERVER_REPORT, CLIENT_REPORT, crowded(9, 3)):
            parts = list(reportParts(report, MOST_REPORTED))
            self.assertEqual(self.read(*parts), report)
            self.assertEqual(self.read(*map(fromJson, map(asJson, parts)), ()), report)

    def test_sessionsAreBounded(self) -> None:
        self.assertEqual(len(self.read(*reportParts(crowded(20, 1), 7)).sessions), 7)
        parts = list(reportParts(crowded(MOST_REPORTED, 1), MOST_REPORTED))
        self.assertLess(len(parts), MOST_ANSWER_PARTS)
        self.assertLessEqual(max(map(len, parts)), SESSIONS_EACH)

    def test_whatIsNoReportIsRefused(self) -> None:
        """
        Whoever has taken over a worker tells nothing that its parent cannot show.
        """
        (row,) = next(reportParts(SERVER_REPORT, 0))
        assert isinstance(row, tuple)

        def changed(name: str, value: object) -> tuple[object, ...]:
            place = list(Report.__dataclass_fields__).index(name)
            return ((*row[:place], value, *row[place + 1 :]),)

        for part in (
            (),
            (row, row),
            (row[:-1],),
            ((),),
            ("words",),
            changed("pid", -1),
            changed("pid", True),
            changed("pid", 1.5),
            changed("time", float("nan")),
            changed("time", "now"),
            changed("isReady", 1),
            changed("version", "x" * 5000),
            changed("version", 7),
            changed("drops", {"a": "b"}),
            changed("drops", {1: 1}),
            changed("drops", {str(number): 1 for number in range(100)}),
            changed("drops", ()),
            changed("listening", [1]),
            changed("listening", (1,)),
            changed("out", (1, 2)),
            changed("sessions", ((),)),
            changed("certificates", ((1, 2, 3, 4),)),
        ):
            self.assertRaises(PeerError, self.read, part)
        self.assertRaises(PeerError, self.read)
        self.assertRaises(PeerError, self.read, (row,), (asRow(SERVER_REPORT),))
