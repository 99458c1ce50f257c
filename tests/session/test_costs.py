"""
What it costs to give a train to a link.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.sessions import MemoryLink
from uotp.path import LATE, TROUBLED, PathStats, isInTrouble
from uotp.session.scheduling.costs import BYTES_PER_SECOND_FAR, LEAST_REPAIR_SECONDS, MOST_RATE, STALLED_SECONDS, Costs
from uotp.session.scheduling.scheduler import LOOK_SECONDS
from uotp.session.scheduling.stalled import STALLED_SEGMENTS

ROUND_TRIP = 0.035
RATE = 10_000_000.0
"""In bytes a second."""


class CostsTests(SynchronousTestCase):
    """
    Compare links.
    """

    def setUp(self) -> None:
        self.costs = Costs()
        self.link = MemoryLink()

    def sends(self, rate: float, window: int = 800, *, isWaiting: bool = True) -> None:
        """
        Say how fast the link's kernel sends, in bytes a second, and how many segments may be in flight.
        """
        self.link.stands = PathStats(
            9, 0, ROUND_TRIP, ROUND_TRIP, isWaiting=isWaiting, window=window, pacingRate=int(rate)
        )

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

    def check(self, delay: float, *more: int) -> None:
        """
        Compare what the link costs with what the flow brings in a time, in seconds, and what is added.
        """
        self.assertAlmostEqual(self.costs.of(self.link), delay * RATE + sum(more), delta=2)

    def test_aHeavyFlowIsDelayedByALinkThatSendsSlowly(self) -> None:
        """
        By the time that it needs for what it has to send, and what the flow brings until the next look.
        """
        self.costs.rate = RATE
        for times in (10, 1, 0.5):
            self.sends(times * RATE)
            self.check(LOOK_SECONDS / times)
        self.link.costs = int(RATE / 100)
        self.check((LOOK_SECONDS + 0.01) * 2)

    def test_oneThatNeedsLongerThanARepairIsTheWorst(self) -> None:
        """
        A repair takes a round trip.
        """
        self.costs.rate = RATE
        self.sends(RATE / 10)
        self.check(LOOK_SECONDS * 10, LATE)
        self.link.costs = TROUBLED
        self.check(LOOK_SECONDS * 10 + ROUND_TRIP, LATE, TROUBLED)
        self.sends(RATE)
        self.check(LOOK_SECONDS + ROUND_TRIP, TROUBLED)
        self.sends(RATE / 7.9)
        self.link.costs = 0
        self.check(LOOK_SECONDS * 7.9)

    def test_onAShortPathARepairTakesLongerThanARoundTrip(self) -> None:
        """
        So a link is not slow there only since we look seldom.
        """
        self.costs.rate = RATE
        for times, tier in ((1, 0), (4.9, 0), (5.1, LATE)):
            self.sends(RATE / times)
            assert self.link.stands is not None
            self.link.stands = self.link.stands._replace(roundTrip=0.0001)
            self.check(LOOK_SECONDS * times, tier)
            self.link.costs = TROUBLED
            self.check(LOOK_SECONDS * times + LEAST_REPAIR_SECONDS, tier, TROUBLED)
            self.link.costs = 0

    def test_oneThatBbrHasStoppedDelaysForAsLongAsItDoesThat(self) -> None:
        self.costs.rate = RATE
        self.sends(RATE, STALLED_SEGMENTS)
        self.check(LOOK_SECONDS + STALLED_SECONDS + ROUND_TRIP, LATE)
        self.sends(RATE, STALLED_SEGMENTS, isWaiting=False)
        self.check(LOOK_SECONDS)

    def test_aFarOneDelaysByTheLongerWay(self) -> None:
        self.costs.rate, self.costs.nearest = RATE, ROUND_TRIP
        self.link.roundTrip = 10 * ROUND_TRIP
        self.sends(RATE)
        self.check(LOOK_SECONDS + 9 * ROUND_TRIP)

    def test_noDelayLooksLikeTrouble(self) -> None:
        self.costs.rate = 1e30
        self.sends(1)
        self.assertFalse(isInTrouble(self.costs.of(self.link)))
        self.assertLess(self.costs.of(self.link), LATE + TROUBLED)
        self.link.costs = TROUBLED
        self.assertTrue(isInTrouble(self.costs.of(self.link)))

    def test_aLightFlowAsksNothingOfThat(self) -> None:
        self.sends(1)
        self.assertEqual(self.costs.of(self.link), 0)

    def test_whereTheKernelTellsNothingOnlyWhatIsUnsentCosts(self) -> None:
        self.costs.rate = RATE
        self.link.costs = 7
        self.assertEqual(self.costs.of(self.link), 7)
        for rate in (0, MOST_RATE, 2**64 - 1):
            self.sends(rate)
            self.assertEqual(self.costs.of(self.link), 7)

    def test_aLinkIsAtRestHoweverSlowItIs(self) -> None:
        """
        A far one is not, and one that has something to send.
        """
        self.costs.rate, self.costs.nearest = 1e9, ROUND_TRIP
        self.sends(1, 4)
        for roundTrip, costs, expected in ((ROUND_TRIP, 0, True), (ROUND_TRIP, 1, False), (0.5, 0, False)):
            self.link.roundTrip, self.link.costs = roundTrip, costs
            self.assertEqual(self.costs.isAtRest(self.link), expected)
