"""
Tests of L{uotp.process.lateness}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.process.lateness import LATENESS_SECONDS, WINDOW_SECONDS, Lateness


class LatenessTests(SynchronousTestCase):
    """
    Let turns take long.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.lateness = Lateness(self.clock)
        self.lateness.start()
        self.addCleanup(self.lateness.stop)

    def test_inTimeIsNotLate(self) -> None:
        for _ in range(20):
            self.clock.advance(LATENESS_SECONDS)
        self.assertAlmostEqual(self.lateness.worst, 0.0)

    def test_aLongTurnIsSeenAndForgotten(self) -> None:
        self.clock.advance(LATENESS_SECONDS + 0.25)
        self.assertAlmostEqual(self.lateness.worst, 0.25)
        for _ in range(int(WINDOW_SECONDS / LATENESS_SECONDS)):
            self.clock.advance(LATENESS_SECONDS)
        self.assertAlmostEqual(self.lateness.worst, 0.25)
        for _ in range(2 * int(WINDOW_SECONDS / LATENESS_SECONDS)):
            self.clock.advance(LATENESS_SECONDS)
        self.assertAlmostEqual(self.lateness.worst, 0.0)

    def test_itStopsAndStartsOnce(self) -> None:
        self.lateness.start()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.lateness.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.lateness.stop()
