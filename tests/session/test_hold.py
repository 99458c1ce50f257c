"""
How long a train may wait: as long as was chosen, or as what was seen lets expect.
"""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from uotp.session.reordering import hold
from uotp.session.reordering.hold import (
    LEAST_HOLD_SECONDS,
    LONGEST_HOLD_SECONDS,
    MARGIN,
    REMEMBERED_PER_SECOND,
    ROUND_TRIPS,
    Hold,
)

START = 1000.0
"""When the tests begin."""

FIRST = 0.15
"""The wait before anything was seen."""


class HoldTests(SynchronousTestCase):
    """
    Teach a session how long a train may wait.
    """

    def setUp(self) -> None:
        """
        Let it begin with so little that what is learnt is not cut off soon.
        """
        self.patch(hold, "FIRST_HOLD_SECONDS", FIRST)

    def begin(self, fixed: float | None) -> None:
        """
        @param fixed: seconds that a train may wait, or L{None} to follow what is seen.
        """
        self.now = START
        self.hold = Hold(self.now, fixed)

    def passTime(self, seconds: float) -> None:
        self.now += seconds

    def learn(self, delay: float) -> None:
        """
        A gap is filled after some time.
        """
        self.hold.filled(delay, self.now)

    def assertHold(self, seconds: float) -> None:
        """
        A train may wait for so long.
        """
        self.assertAlmostEqual(self.hold.seconds(self.now), seconds)

    def test_chosenHoldIsKept(self) -> None:
        for seconds in (0.001, 0.07, 5.0):
            self.begin(seconds)
            self.learn(0.3)
            self.hold.roundTrip = 0.4
            self.passTime(100)
            self.assertHold(seconds)

    def test_holdFollowsTheLongestDelayOfLate(self) -> None:
        self.begin(None)
        self.assertHold(FIRST)
        self.learn(0.2)
        self.assertHold(0.2 * MARGIN)
        self.learn(0.15)
        self.assertHold(0.2 * MARGIN)
        self.learn(0.25)
        self.assertHold(0.25 * MARGIN)

    def test_whatWasSeenIsForgotten(self) -> None:
        """
        It counts for half after thirty seconds; then what is shorter may count.
        """
        self.begin(None)
        self.learn(0.3)
        self.passTime(30)
        self.assertAlmostEqual(self.hold.seconds(self.now), 0.3 * MARGIN / 2, places=2)
        self.assertHold(0.3 * MARGIN * math.pow(REMEMBERED_PER_SECOND, 30))
        self.learn(0.16)
        self.assertHold(0.16 * MARGIN)
        self.passTime(10)
        self.assertHold(0.16 * MARGIN * math.pow(REMEMBERED_PER_SECOND, 10))

    def test_holdIsNeverShorterThanARepairTakes(self) -> None:
        self.begin(None)
        self.passTime(600)
        self.assertHold(LEAST_HOLD_SECONDS)
        self.hold.roundTrip = LEAST_HOLD_SECONDS
        self.assertHold(LEAST_HOLD_SECONDS * ROUND_TRIPS)
        self.hold.roundTrip = 0.001
        self.assertHold(LEAST_HOLD_SECONDS)

    def test_holdIsNeverLongerThanAProgramWaits(self) -> None:
        self.begin(None)
        self.hold.roundTrip = 0.7
        self.assertHold(LONGEST_HOLD_SECONDS)
        self.hold.roundTrip = 0.0
        self.learn(LONGEST_HOLD_SECONDS)
        self.assertHold(LONGEST_HOLD_SECONDS)

    def test_longStallIsForgottenAsSoonAsAnother(self) -> None:
        """
        A tunnel that stood still for a minute is no reason to wait for longer, or to remember it for longer.
        """
        self.begin(None)
        self.learn(60.0)
        self.assertHold(LONGEST_HOLD_SECONDS)
        self.passTime(60)
        self.assertLess(self.hold.seconds(self.now), LONGEST_HOLD_SECONDS / 2)
