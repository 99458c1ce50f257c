"""
Timers do not follow a clock that can be set; and what that one tells beside the other.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.process.clock import JUMP_SECONDS, SleepDetector, useMonotonicClock


class ClockTests(SynchronousTestCase):
    """
    Choose the clock of a reactor.
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


class SleepTests(SynchronousTestCase):
    """
    Ask whether this machine has slept.
    """

    def setUp(self) -> None:
        self.wall, self.monotonic = 1_700_000_000.0, 5000.0
        self.sleep = SleepDetector(lambda: self.wall, lambda: self.monotonic)

    def passTime(self, seconds: float, wallSeconds: float | None = None) -> None:
        """
        Time passes on both clocks.

        @param wallSeconds: on the wall clock, where that is not the same.
        """
        self.monotonic += seconds
        self.wall += seconds if wallSeconds is None else wallSeconds

    def test_timeThatPassesIsNoSleep(self) -> None:
        self.assertFalse(self.sleep.isOver())
        for seconds in (0.0, 1.0, 1.5, 3600.0, 1e7):
            self.passTime(seconds)
            self.assertFalse(self.sleep.isOver())

    def test_sleepIsNoticedOnce(self) -> None:
        for seconds in (JUMP_SECONDS, 5.0, 8 * 3600.0):
            self.passTime(1.0, 1.0 + seconds)
            self.assertTrue(self.sleep.isOver())
            self.passTime(1.0)
            self.assertFalse(self.sleep.isOver())

    def test_clockThatIsSetBackLooksTheSame(self) -> None:
        """
        Nobody knows what has happened meanwhile.
        """
        self.passTime(1.0, 1.0 - JUMP_SECONDS)
        self.assertTrue(self.sleep.isOver())
        self.passTime(1.0, -3600.0)
        self.assertTrue(self.sleep.isOver())
        self.passTime(1.0)
        self.assertFalse(self.sleep.isOver())

    def test_shortJumpIsNoSleep(self) -> None:
        for seconds in (JUMP_SECONDS - 0.25, -JUMP_SECONDS + 0.25):
            self.passTime(1.0, 1.0 + seconds)
            self.assertFalse(self.sleep.isOver())

    def test_driftIsNoSleep(self) -> None:
        """
        However much it adds up to: each time only what is new counts.
        """
        for drift in (0.125, -0.125):
            for _ in range(100):
                self.passTime(1.0, 1.0 + drift)
                self.assertFalse(self.sleep.isOver())

    def test_sleepIsCountedFromTheBeginning(self) -> None:
        self.passTime(1.0, 60.0)
        self.assertTrue(self.sleep.isOver())
