"""
A Deferred that nobody has takes its failure to the log.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from uotp.telemetry import Logger, orLog


class EndTests(SynchronousTestCase):
    """
    Let something fail, or not.
    """

    def test_failureIsLoggedAtOnce(self) -> None:
        failing: Deferred[None] = Deferred()
        orLog(failing, Logger(), "the door was not closed")
        with capturedLogs() as events:
            failing.errback(ValueError("it is stuck"))
        (event,) = events
        self.assertEqual(formatEvent(event), "the door was not closed")
        (failure,) = self.flushLoggedErrors(ValueError)
        self.assertIs(event["log_failure"], failure)

    def test_successIsNot(self) -> None:
        working: Deferred[int] = Deferred()
        orLog(working, Logger(), "the door was not closed")
        with capturedLogs() as events:
            working.callback(1)
        self.assertEqual(list(events), [])
