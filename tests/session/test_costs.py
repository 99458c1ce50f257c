"""
What it costs to give a train to a link.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.sessions import MemoryLink
from uotp.path import TROUBLED, PathStats
from uotp.session.costs import BYTES_PER_SECOND_FAR, Costs
from uotp.session.stickiness import SEGMENT_BYTES


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
        self.link.stands = PathStats(9, 0, 0.04, 0.04, window=segments)

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
        By what the flow has under way besides.
        """
        self.costs.underWay = 100.0 * SEGMENT_BYTES
        for segments, expected in ((4, 96), (99, 1), (100, 0), (800, 0)):
            self.hasWindow(segments)
            self.assertEqual(self.costs.of(self.link), expected * SEGMENT_BYTES)
        self.costs.underWay = 0.0
        self.hasWindow(4)
        self.assertEqual(self.costs.of(self.link), 0)

    def test_aLinkInTroubleStaysTheWorst(self) -> None:
        """
        Of it nothing more is asked.
        """
        self.costs.underWay = 1e9
        self.hasWindow(4)
        self.assertLess(self.costs.of(self.link), TROUBLED)
        self.link.costs = TROUBLED
        self.assertEqual(self.costs.of(self.link), TROUBLED)

    def test_whereTheKernelTellsNothingWindowsCostNothing(self) -> None:
        self.costs.underWay = 1e6
        self.assertEqual(self.costs.of(self.link), 0)
        self.hasWindow(0)
        self.assertEqual(self.costs.of(self.link), 0)
