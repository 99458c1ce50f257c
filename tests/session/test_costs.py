"""
What it costs to give a train to a link.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.sessions import MemoryLink
from uotp.path import TROUBLED, PathStats
from uotp.session.costs import BYTES_PER_SECOND_FAR, Costs
from uotp.session.stickiness import SEGMENT_BYTES

ROUND_TRIP = 0.04


class CostsTests(SynchronousTestCase):
    """
    Compare links.
    """

    def setUp(self) -> None:
        self.costs = Costs()
        self.link = MemoryLink()

    def hasWindow(self, segments: int) -> None:
        """
        Say how large the link's congestion window is.
        """
        self.link.stands = PathStats(9, 0, ROUND_TRIP, ROUND_TRIP, window=segments)

    def test_whatHasToLeaveBefore(self) -> None:
        for costs in (0, 1, 5000, TROUBLED, TROUBLED + 7):
            self.link.costs = costs
            self.assertEqual(self.costs.of(self.link), costs)

    def test_aLongerWayCostsMore(self) -> None:
        """
        A hardly longer one does not.
        """
        self.costs.nearest = 0.04
        for roundTrip, expected in ((0.04, 0), (0.045, 0), (0.0, 0), (0.2, int((0.2 - 0.04) * BYTES_PER_SECOND_FAR))):
            self.link.roundTrip = roundTrip
            self.link.costs = 7
            self.assertEqual(self.costs.of(self.link), 7 + expected)

    def test_aSmallWindowCostsAHeavyFlowMore(self) -> None:
        """
        By what the flow would have under way on it besides.  One that holds half of that is not small.
        """
        self.costs.rate = 100 * SEGMENT_BYTES / ROUND_TRIP
        for segments, expected in ((4, 96), (49, 51), (50, 0), (800, 0)):
            self.hasWindow(segments)
            self.assertAlmostEqual(self.costs.of(self.link), expected * SEGMENT_BYTES, delta=1)
        self.costs.rate = 0.0
        self.hasWindow(4)
        self.assertEqual(self.costs.of(self.link), 0)

    def test_onALongWayMoreIsUnderWay(self) -> None:
        """
        So a window that is enough for a short way does not make it worse than a long one.
        """
        self.costs.rate, self.costs.nearest = 10_000_000.0, ROUND_TRIP
        far = MemoryLink()
        self.link.roundTrip, far.roundTrip = ROUND_TRIP, 10 * ROUND_TRIP
        self.hasWindow(300)
        far.stands = PathStats(9, 0, 10 * ROUND_TRIP, 10 * ROUND_TRIP, window=2900)
        self.assertEqual(self.costs.of(self.link), 0)
        self.assertGreater(self.costs.of(far), 0)

    def test_aLinkInTroubleStaysTheWorst(self) -> None:
        """
        Of it nothing more is asked.
        """
        self.costs.rate = 1e30
        self.hasWindow(4)
        self.assertLess(self.costs.of(self.link), TROUBLED)
        self.link.costs = TROUBLED
        self.assertEqual(self.costs.of(self.link), TROUBLED)

    def test_whereTheKernelTellsNothingWindowsCostNothing(self) -> None:
        self.costs.rate = 1e9
        self.assertEqual(self.costs.of(self.link), 0)
        self.hasWindow(0)
        self.assertEqual(self.costs.of(self.link), 0)

    def test_aLinkIsAtRestHoweverSmallItsWindow(self) -> None:
        """
        A far one is not, and one that has something to send.
        """
        self.costs.rate, self.costs.nearest = 1e9, ROUND_TRIP
        self.hasWindow(4)
        for roundTrip, costs, expected in ((ROUND_TRIP, 0, True), (ROUND_TRIP, 1, False), (0.5, 0, False)):
            self.link.roundTrip, self.link.costs = roundTrip, costs
            self.assertEqual(self.costs.isAtRest(self.link), expected)
