"""
Reports that are made when somebody asks, and given again for a moment: several who ask cost as much as one.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.python.failure import Failure

from uotp.monitoring.report import Report
from uotp.telemetry import Logger, orLog

REPORT_SECONDS = 0.9
"""A report is given again for so long, so whoever asks each second gets a new one."""


class CachedReports:
    """
    Gives reports.  A subclass makes them.
    """

    _log = Logger()

    def __init__(self, clock: Any) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        self.clock = clock
        self.last: Report | None = None
        self._madeAt = float("-inf")
        self._waiting: list[Deferred[Report]] = []

    def make(self) -> Deferred[Report]:
        """
        @return: a new report.
        """
        raise NotImplementedError

    def report(self) -> Deferred[Report]:
        """
        See L{uotp.monitoring.Reporter}.
        """
        if self.last is not None and self.clock.seconds() - self._madeAt < REPORT_SECONDS:
            return succeed(self.last)
        done: Deferred[Report] = Deferred()
        self._waiting.append(done)
        if len(self._waiting) == 1:
            made = maybeDeferred(self.make).addCallbacks(self._made, self._failed)
            orLog(made, self._log, "whoever asked for a report gets none")
        return done

    def _made(self, report: Report) -> None:
        self.last, self._madeAt = report, self.clock.seconds()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(report)

    def _failed(self, reason: Failure) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.errback(reason)
