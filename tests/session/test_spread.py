"""
Over which links a light flow goes on a path that loses.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.sessions import MemoryLink
from uotp.path import TROUBLED, PathStats
from uotp.session.recovery.nudges import NUDGE_SECONDS
from uotp.session.recovery.spread import (
    OVERDUE_ROUND_TRIPS,
    OVERDUE_SECONDS,
    SPREAD_LOOKS,
    Spread,
    Standing,
)

NOW = 1000.0
ROUND_TRIP = 0.04
OVERDUE = OVERDUE_ROUND_TRIPS * ROUND_TRIP + OVERDUE_SECONDS
"""So long after something was sent its acknowledgement is overdue."""


def waits(link: MemoryLink, acknowledged: int = 0, *, isWaiting: bool = True) -> None:
    """
    A link has something that is not acknowledged, or has nothing of the kind.
    """
    link.stands = PathStats(9, 0, ROUND_TRIP, ROUND_TRIP, acknowledged=acknowledged, isWaiting=isWaiting)


class SpreadTests(SynchronousTestCase):
    """
    Choose among links in turn.
    """

    def setUp(self) -> None:
        self.spread = Spread()
        self.links = [MemoryLink() for _ in range(4)]

    def test_whereThereIsNoLinkNoneIsChosen(self) -> None:
        self.assertIsNone(self.spread.choose([], NOW))

    def test_theOnlyLinkIsChosenHoweverItStands(self) -> None:
        [link] = self.links[:1]
        self.spread.choose([link], NOW)
        waits(link)
        self.assertIs(self.spread.choose([link], NOW), link)
        self.assertIs(self.spread.choose([link], NOW + 10.0), link)

    def test_theOneThatHasRestedLongestIsChosen(self) -> None:
        for link in self.links:
            waits(link, isWaiting=False)
        self.assertIs(self.spread.choose(self.links, NOW), self.links[0])
        self.assertIs(self.spread.choose(self.links[::-1], NOW), self.links[3])

    def test_aLinkThatWaitsForNothingComesFirst(self) -> None:
        one, other = self.links[:2]
        self.spread.choose([one], NOW)
        waits(one)
        self.assertIs(self.spread.choose([one, other], NOW + 0.001), other)
        self.assertIs(self.spread.choose([one], NOW + 0.002), one)

    def test_aLinkThatWaitsForARepairComesLast(self) -> None:
        """
        Behind one that waits for its acknowledgement in time.
        """
        lost, other = self.links[:2]
        self.spread.choose([lost], NOW)
        waits(lost)
        self.spread.choose([other], NOW + OVERDUE)
        waits(other)
        self.assertIs(self.spread.choose([lost, other], NOW + OVERDUE + 0.001), other)
        self.assertIs(self.spread.choose([lost, other], NOW + OVERDUE - 0.03), lost)

    def test_aLinkInTroubleComesLastThoughItWasNotUsedInTurn(self) -> None:
        """
        It carries a heavy flow.
        """
        self.links[0].costs = TROUBLED
        self.assertIs(self.spread.choose(self.links, NOW), self.links[1])
        self.assertIs(self.spread.choose(self.links[:1], NOW), self.links[0])

    def test_aLinkOnWhichAllIsAcknowledgedHasRestedAgain(self) -> None:
        link, other = self.links[:2]
        self.assertIs(self.spread.choose([link], NOW), link)
        waits(link)
        self.assertIs(self.spread.choose([link, other], NOW + 0.001), other)
        waits(other)
        waits(link, isWaiting=False)
        self.assertIs(self.spread.choose([other, link], NOW + 0.002), link)

    def test_whatIsAcknowledgedExtendsThePatience(self) -> None:
        """
        What was sent after that is waited for anew, though the link is never at rest.
        """
        link = self.links[0]
        acknowledged = 0
        for step in range(50):
            self.spread.choose([link], NOW + step * 0.02)
            acknowledged += 200
            waits(link, acknowledged)
            self.assertIsNot(self.spread._standingOf(link, NOW + step * 0.02), Standing.OVERDUE)
        self.assertEqual(link.nudges, 0)
        last = NOW + 49 * 0.02
        self.assertIs(self.spread._standingOf(link, last + OVERDUE + 0.05), Standing.OVERDUE)

    def test_overdueLinkIsNudgedNowAndThen(self) -> None:
        lost, other = self.links[:2]
        self.spread.choose([lost], NOW)
        waits(lost)
        self.spread.choose([lost, other], NOW + OVERDUE - 0.001)
        self.assertEqual(lost.nudges, 0)
        least = max(NUDGE_SECONDS, ROUND_TRIP / 2)
        for _ in range(3):
            self.spread.choose([lost, other], NOW + OVERDUE + 0.001)
        self.assertEqual(lost.nudges, 1)
        self.spread.choose([lost, other], NOW + OVERDUE + 0.002 + least)
        self.assertEqual((lost.nudges, other.nudges), (2, 0))

    def test_farLinkIsNudgedAsOftenAsItsRoundTripAllows(self) -> None:
        link = self.links[0]
        self.spread.choose([link], NOW)
        link.stands = PathStats(9, 0, 1.0, 1.0, isWaiting=True)
        for step in range(200):
            self.spread.choose([link, self.links[1]], NOW + 2.0 + step * 0.01)
        self.assertEqual(link.nudges, 4)

    def test_fewLinksAreLookedAt(self) -> None:
        """
        However many there are.
        """
        links = [MemoryLink() for _ in range(100)]
        looks = 0

        def pathStats() -> PathStats:
            nonlocal looks
            looks += 1
            return PathStats(9, 0, ROUND_TRIP, ROUND_TRIP, isWaiting=True)

        for link in links:
            self.spread.choose([link], NOW)
            self.patch(link, "pathStats", pathStats)
        self.assertIs(self.spread.choose(links, NOW + 0.001), links[0])
        self.assertEqual(looks, SPREAD_LOOKS)

    def test_whereTheKernelTellsNothingLinksTakeTurns(self) -> None:
        links = list(self.links)
        for expected in self.links * 2:
            chosen = self.spread.choose(links, NOW)
            self.assertIs(chosen, expected)
            links.remove(expected)
            links.append(expected)

    def test_linkThatIsGoneIsForgotten(self) -> None:
        link = self.links[0]
        self.spread.choose([link], NOW)
        self.spread.forget(link)
        self.spread.forget(link)
        self.assertEqual(self.spread._used, {})

    def test_linkThatRestsIsForgotten(self) -> None:
        """
        So nothing is kept of links that are not used any more, and the next wait begins anew.
        """
        link = self.links[0]
        self.spread.choose([link], NOW)
        waits(link, isWaiting=False)
        self.spread.choose([self.links[1]], NOW)
        self.spread.choose([link], NOW + 5.0)
        waits(link, isWaiting=True)
        self.assertIs(self.spread._standingOf(link, NOW + 5.0 + OVERDUE - 0.001), Standing.WAITING)
