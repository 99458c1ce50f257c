"""
Timers do not follow a clock that can be set.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.clock import useMonotonicClock


class ClockTests(SynchronousTestCase):
    """
    Choosing the clock of a reactor.
    """

    def test_timersFollowTheMonotonicClock(self) -> None:
        """
        The reactor is asked for the time, and asks the monotonic clock.
        """
        reactor: Any = Clock()
        useMonotonicClock(reactor)
        self.assertIs(reactor.seconds, time.monotonic)

    def test_choosingAgainIsAllowedWithTimersPending(self) -> None:
        """
        Both ends in one process choose it, each before its own first timer.
        """
        reactor: Any = Clock()
        useMonotonicClock(reactor)
        reactor.callLater(1.0, list)
        useMonotonicClock(reactor)
        self.assertIs(reactor.seconds, time.monotonic)

    def test_timersOfTheOtherClockForbidIt(self) -> None:
        """
        Those would be off by decades, so nothing is changed, and it is said why.
        """
        reactor: Any = Clock()
        before = reactor.seconds
        reactor.callLater(1.0, list)
        error = self.assertRaises(RuntimeError, useMonotonicClock, reactor)
        self.assertIn("timers are pending already", str(error))
        self.assertEqual(reactor.seconds, before)
