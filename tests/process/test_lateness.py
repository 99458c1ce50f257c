"""
Tests of L{uotp.process.lateness}, and of the calls that see how late they are.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.process.lateness import WINDOW_SECONDS, Lateness
from uotp.process.periodic import PeriodicCalls

SECONDS = 0.5
TURN_SECONDS = SECONDS / 8


class LatenessTests(SynchronousTestCase):
    """
    Let turns take long, while a call is made twice in a second.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.lateness = Lateness()
        self.calls = PeriodicCalls(self.clock, self.lateness.note)
        self.calls.every(SECONDS, lambda: None)
        self.addCleanup(self.calls.stop)

    def goOn(self, seconds: float) -> None:
        """
        Let time pass with short turns.
        """
        for _ in range(int(seconds / TURN_SECONDS)):
            self.clock.advance(TURN_SECONDS)

    def test_inTimeIsNotLate(self) -> None:
        self.goOn(10)
        self.assertAlmostEqual(self.lateness.worst, 0.0)

    def test_aLongTurnIsSeen(self) -> None:
        """
        Also one in which several calls were due; those after it are in time again.
        """
        for late in (0.25, 0.75, 2.125, 3.3125):
            self.clock.advance(SECONDS + late)
            self.assertAlmostEqual(self.lateness.worst, late)
            self.goOn(10 + -late % SECONDS)  # until the next one is due in half a second again
            self.assertAlmostEqual(self.lateness.worst, late)

    def test_itIsForgottenWhenNothingWasNotedForLong(self) -> None:
        """
        As in a program whose service was stopped for a while.
        """
        self.clock.advance(SECONDS + 0.25)
        self.calls.stop()
        self.clock.advance(3 * WINDOW_SECONDS)
        self.calls.every(SECONDS, lambda: None)
        self.clock.advance(SECONDS)
        self.assertAlmostEqual(self.lateness.worst, 0.0)

    def test_itIsForgotten(self) -> None:
        self.clock.advance(SECONDS + 0.25)
        self.goOn(WINDOW_SECONDS / 2)
        self.assertAlmostEqual(self.lateness.worst, 0.25)
        self.goOn(2 * WINDOW_SECONDS)
        self.assertAlmostEqual(self.lateness.worst, 0.0)
