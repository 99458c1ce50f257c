"""
What goes again because the other end misses it.
"""

from __future__ import annotations

from tests.doubles.sessions import MemoryLink
from tests.session.duplicating import LARGE, ROUND_TRIP, SAVED, DuplicationTestCase
from uotp.duplicate import Duplicate
from uotp.path import TROUBLED, PathStats
from uotp.session.recovery.duplication import LOSSES_LOOK_SECONDS
from uotp.session.recovery.nudges import LINKS_PER_UNIT
from uotp.session.recovery.repairs import (
    BEHIND_ROUND_TRIPS,
    BEHIND_SECONDS,
    MAX_REPAIR_BYTES,
    MAX_SEARCHED_UNITS,
    REPORTS,
    SAME_REPORT_SECONDS,
    UNLIKELY_SECONDS,
)
from uotp.session.recovery.resending import LEAST_COUNTED_BYTES
from uotp.session.recovery.sentagain import COPY_APART_SECONDS
from uotp.session.scheduling.stickiness import FIRST_WINDOW_BYTES
from uotp.train import Arrival, Train


class MissedTests(DuplicationTestCase):
    """
    Send again what the other end misses.
    """

    def keep(self, link: MemoryLink, *numbers: int, train: Train = LARGE) -> None:
        """
        A link keeps datagrams that are not known to have arrived.
        """
        link.kept += [(number, train) for number in numbers]

    def test_whatIsMissedGoesThroughAnotherLink(self) -> None:
        """
        And nothing else does.
        """
        for place in range(len(self.links)):
            self.begin(Duplicate.AUTO)
            self.keep(self.links[place], 6, 7, 8, 9)
            self.missed((7, 2))
            self.assertEqual(sorted(self.copies()), [7, 8])
            self.assertEqual(self.links[place].again, [])

    def test_eachHolderIsAsked(self) -> None:
        self.keep(self.links[0], 4)
        self.keep(self.links[3], 8)
        self.missed((4, 1), (8, 1))
        self.assertEqual(sorted(self.copies()), [4, 8])

    def test_whatNobodyKeepsIsPassedOver(self) -> None:
        self.keep(self.links[1], 9)
        self.missed((2, 5), (9, 1))
        self.assertEqual(self.copies(), [9])

    def test_whereThereIsNoOtherLinkNothingIsSent(self) -> None:
        """
        And nothing of what is granted is spent.
        """
        self.begin(Duplicate.AUTO, links=1)
        self.keep(self.links[0], 7)
        left = self.duplication.repairs._grant.left
        self.missed((7, 1))
        self.assertEqual((self.copies(), self.duplication.repairs._grant.left), ([], left))

    def test_whatWasJustSentAgainIsNotSentOnceMore(self) -> None:
        """
        Until a round trip later, when the other end could have it.
        """
        self.keep(self.links[0], 7)
        self.missed((7, 1))
        self.missed((7, 1))
        self.assertEqual(self.copies(), [7])
        self.clock.rightNow += ROUND_TRIP
        self.missed((7, 1))
        self.assertEqual(self.copies(), [7, 7])

    def test_whatIsMissedThoughItHadACopyTellsOfBursts(self) -> None:
        self.keep(self.links[0], *range(10))
        for number in range(10):
            self.missed((number, 1))
        self.assertEqual(self.duplication._sentAgain.apart(self.clock.seconds()), 0.0)
        self.clock.rightNow += ROUND_TRIP
        for number in range(10):
            self.missed((number, 1))
        self.assertEqual(self.duplication._sentAgain.apart(self.clock.seconds()), COPY_APART_SECONDS)

    def test_oneReportHasBoundedEffect(self) -> None:
        self.keep(self.links[0], *range(100))
        self.missed((0, 100))
        self.assertGreater(len(self.copies()) * 1400, MAX_REPAIR_BYTES - 1400)
        self.assertLessEqual(len(self.copies()) * 1400, MAX_REPAIR_BYTES)
        self.begin(Duplicate.AUTO)
        self.keep(self.links[0], *range(0, 100, 2))
        self.missed(*((number, 1) for number in range(0, 100, 2)))
        self.assertLessEqual(len(self.copies()) * 1400, MAX_REPAIR_BYTES + 1400)

    def test_whatMayJustBeOnItsWayDoesNotGoAgain(self) -> None:
        """
        Less than a round trip ago it was given to a link; where its kernel holds more than it sends, somewhat
        more.
        """
        for costs, age, expected in (
            (0, 0.9 * ROUND_TRIP, []),
            (0, ROUND_TRIP + 0.001, [7]),
            (5000, ROUND_TRIP + 0.001, []),
            (TROUBLED, ROUND_TRIP + 0.001, [7]),
            (TROUBLED + 1, ROUND_TRIP + 0.001, []),
            (5000, BEHIND_ROUND_TRIPS * ROUND_TRIP + BEHIND_SECONDS + 0.001, [7]),
        ):
            self.begin(Duplicate.AUTO)
            link = self.links[0]
            self.keep(link, 7)
            link.costs, link.stands = costs, PathStats(9, 0, ROUND_TRIP, ROUND_TRIP)
            self.clock.rightNow += 1.0
            link.keptSince = self.clock.seconds() - age + SAME_REPORT_SECONDS + 0.0001
            self.missed((7, 1))
            self.assertEqual((costs, age, self.copies()), (costs, age, expected))

    def test_sameReportIsReadOnce(self) -> None:
        """
        Each is sent twice.  Another one that comes as soon is read.
        """
        self.keep(self.links[0], 7, 9)
        searched: list[int] = []

        def unackedWithin(begin: int, *_: float) -> list[Arrival]:
            searched.append(begin)
            return []

        self.patch(self.links[0], "unackedWithin", unackedWithin)
        self.duplication.missed([(7, 1)], ROUND_TRIP)
        self.duplication.missed([(7, 1)], ROUND_TRIP)
        self.assertEqual(searched, [7])
        self.duplication.missed([(9, 1)], ROUND_TRIP)
        self.assertEqual(searched, [7, 9])

    def test_repairsAreBoundedApartFromCopies(self) -> None:
        numbers = range(2 * SAVED // 1400)
        for number in numbers:
            self.links[0].kept = [(number, LARGE)]
            self.missed((number, 1))
        self.assertLessEqual(len(self.copies()) * 1400, SAVED)
        self.assertGreater(len(self.copies()) * 1400, SAVED - 1400)
        for link in self.links:
            link.again.clear()
            link.kept.clear()
        self.begin(Duplicate.AUTO)
        self.lose()
        self.send()
        self.assertEqual(len(self.copies()), 1)

    def flowMuch(self) -> None:
        """
        Be heavy at the next looks.
        """
        for _ in range(2):
            self.bytes += 1000 * FIRST_WINDOW_BYTES
            self.clock.rightNow += LOSSES_LOOK_SECONDS
            self.look()
        self.assertFalse(self.duplication.isLight)

    def test_ofAHeavyFlowLittleGoesAgainWhileNothingWasLost(self) -> None:
        """
        What is missing mostly waits somewhere.  Of a light flow all goes again that is missed.
        """
        self.flowMuch()
        self.keep(self.links[0], *range(7, 40))
        self.missed((7, 1))
        self.assertEqual(self.copies(), [7])
        spent = self.allowance.spent
        until = self.clock.seconds() + UNLIKELY_SECONDS
        while self.clock.seconds() < until - 0.1:
            self.missed((9, 1))
            self.clock.rightNow += 0.01
        self.assertEqual((self.copies(), self.allowance.spent), ([7], spent))
        self.clock.rightNow = until
        self.missed((10, 1))
        self.assertEqual(sorted(self.copies()), [7, 10])
        self.stands(self.links[1], repeated=1)
        self.flowMuch()
        for number in range(20, 25):
            self.missed((number, 1))
        self.assertEqual(sorted(self.copies()), [7, 10, *range(20, 25)])

    def test_linksAreRepairingAlsoWhileAllAreFull(self) -> None:
        self.flowMuch()
        self.stands(self.links[0], repeated=1)
        self.flowMuch()
        for link in self.links:
            self.scheduler.withdraw(link)
        self.assertIsNone(self.scheduler.current)
        self.assertTrue(self.duplication.repairsMuch(self.clock.seconds()))
        for link in self.links:
            link.numbers = False
        self.assertFalse(self.duplication.repairsMuch(self.clock.seconds()))

    def test_whereKernelsTellNothingAllGoesAgain(self) -> None:
        for link in self.links:
            link.stands = None
        self.flowMuch()
        self.keep(self.links[0], *range(7, 12))
        for number in range(7, 12):
            self.missed((number, 1))
        self.assertEqual(sorted(self.copies()), list(range(7, 12)))

    def test_ofAHeavyFlowAllGoesAgainWhereTheUserSaysSo(self) -> None:
        self.begin(Duplicate.ALWAYS)
        self.flowMuch()
        self.keep(self.links[0], 7, 8)
        self.missed((7, 1))
        self.missed((8, 1))
        self.assertEqual(sorted(self.copies()), [7, 8])

    def test_searchIsPaidFor(self) -> None:
        """
        Each gap, found or not, and each link that keeps something.
        """
        self.keep(self.links[0], 5000)
        self.keep(self.links[2], 6000)
        self.missed((1000, 1), (2000, 1))
        self.assertEqual(self.allowance.spent, 6)

    def test_whatIsPassedOverIsPaidForToo(self) -> None:
        self.keep(self.links[0], 7)
        self.missed((7, 1))
        spent = self.allowance.spent
        self.missed((7, 1))
        self.assertEqual((self.copies(), self.allowance.spent), ([7], spent + 1))

    def test_whatIsNotSentAgainIsPaidForToo(self) -> None:
        """
        To find out that it was just sent takes some time.
        """
        self.keep(self.links[0], 7)
        self.missed((7, 1))
        before = self.allowance.spent
        for _ in range(5):
            self.missed((7, 1), (7, 1))
        self.assertEqual((self.copies(), self.allowance.spent - before), ([7], 10))

    def test_searchIsBounded(self) -> None:
        """
        However many links there are: the last of them is not reached.
        """
        self.begin(Duplicate.AUTO, links=2 * MAX_SEARCHED_UNITS)
        for link in self.links:
            self.keep(link, 5000)
        self.links[-1].kept.append((7, LARGE))
        self.missed(*((number, 1) for number in range(16)))
        self.assertLess(self.allowance.spent, MAX_SEARCHED_UNITS + 2)
        self.assertEqual(self.copies(), [])

    def test_searchForManyReportsIsBounded(self) -> None:
        """
        Those of one moment together; later ones are obeyed.
        """
        self.keep(self.links[0], 7)
        for number in range(1000, 1000 + 2 * MAX_SEARCHED_UNITS):
            self.duplication.missed([(number, 1)], ROUND_TRIP)
        self.assertLess(self.allowance.spent, MAX_SEARCHED_UNITS + 2)
        self.missed((7, 1))
        self.assertEqual(self.copies(), [7])

    def test_emptyOnesAreBoundedToo(self) -> None:
        numbers = range(2 * SAVED // LEAST_COUNTED_BYTES)
        for number in numbers:
            self.links[0].kept = [(number, Train(0, b""))]
            self.missed((number, 1))
        self.assertEqual(len(self.copies()), SAVED // LEAST_COUNTED_BYTES)

    def test_askingManyLinksIsPaidFor(self) -> None:
        """
        Also those that keep nothing.
        """
        self.begin(Duplicate.AUTO, links=10 * LINKS_PER_UNIT)
        self.missed((7, 1))
        self.assertGreater(self.allowance.spent, 10)

    # What is told.

    def test_whatHasNotComeIsToldThroughSeveralLinks(self) -> None:
        self.duplication.repairs.report([(7, 2)])
        told = [link.reports for link in self.links]
        self.assertEqual(sorted(told), [[]] * (len(self.links) - REPORTS) + [[[(7, 2)]]] * REPORTS)
        self.duplication.repairs.report([(8, 1)])
        self.assertEqual([len(link.reports) for link in self.links], [1] * 4)

    def test_whereThereIsNoLinkNobodyIsTold(self) -> None:
        self.begin(Duplicate.AUTO, links=0)
        self.duplication.repairs.report([(7, 2)])

    def test_throughOneLinkItIsToldOnce(self) -> None:
        self.begin(Duplicate.AUTO, links=1)
        self.duplication.repairs.report([(7, 2)])
        self.assertEqual(self.links[0].reports, [[(7, 2)]])

    def test_throughTwoLinksItIsToldOnceEach(self) -> None:
        """
        Also when one of them waits for a repair.
        """
        self.begin(Duplicate.AUTO, links=2)
        self.duplication.repairs.report([(7, 2)])
        self.stands(self.links[0], isWaiting=True)
        self.stands(self.links[1])
        self.clock.rightNow += 1.0
        self.duplication.repairs.report([(8, 1)])
        self.assertEqual([link.reports for link in self.links], [[[(7, 2)], [(8, 1)]]] * 2)
