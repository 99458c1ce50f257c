"""
What goes over two links.
"""

from __future__ import annotations

import math

from tests.session.duplicating import LARGE, ROUND_TRIP, SAVED, SMALL, DuplicationTestCase
from uotp.duplicate import Duplicate
from uotp.session.backlog import SMALL_BYTES
from uotp.session.demand import HEAVY_LINKS, LIGHT_LINKS, LOSSY_LINKS
from uotp.session.recovery.duplication import (
    FULL_SECONDS,
    LARGE_RESERVE_BYTES,
    LIGHT_LOOK_SECONDS,
    LOSSES_LOOK_SECONDS,
)
from uotp.session.recovery.grant import GRANTED_BYTES_PER_SECOND
from uotp.session.recovery.losses import DECIDED_ROUND_TRIPS, DECIDED_SECONDS, LOSSY_SECONDS
from uotp.session.recovery.resending import LEAST_COUNTED_BYTES
from uotp.session.recovery.sentagain import COPY_APART_SECONDS
from uotp.session.scheduling.stickiness import FIRST_WINDOW_BYTES
from uotp.train import LAST_NUMBER, Train


class CopiesTests(DuplicationTestCase):
    """
    Send datagrams twice.
    """

    def test_nothingGoesTwiceWhereNothingIsLost(self) -> None:
        for _ in range(40):
            self.look()
            self.send()
        self.assertEqual((self.copies(), self.duplication.isOn, self.duplication.spreads), ([], False, False))
        self.assertEqual(self.demand.links(self.clock.seconds()), LIGHT_LINKS)

    def test_onAPathThatLosesEachGoesOverTwoLinks(self) -> None:
        """
        With the same number, through links that take turns.
        """
        self.lose()
        self.assertEqual((self.duplication.isOn, self.duplication.spreads), (True, True))
        sent = [self.send() for _ in range(8)]
        self.assertEqual(sorted(self.copies(), key=sent.index), sent)
        self.assertEqual([len(link.sent) + len(link.again) for link in self.links], [4] * 4)
        for link in self.links:
            self.assertLessEqual(len(link.again), 4)

    def test_copiesOfSeveralTrainsHaveTheirNumbers(self) -> None:
        """
        Where they wrap, too.
        """
        self.lose()
        current = self.scheduler.current
        assert current is not None
        self.numbering.next = LAST_NUMBER
        trains = [Train(3, b"onetwo"), Train(5, b"three")]
        self.duplication.send(trains, current, self.clock.seconds())
        again = [arrival for link in self.links for arrival in link.again]
        self.assertEqual(again, [(LAST_NUMBER, trains[0]), (1, trains[1])])

    def test_firstAndCopyNeverShareALink(self) -> None:
        self.begin(Duplicate.AUTO, links=2)
        self.lose()
        for _ in range(10):
            self.assertEqual(sorted(self.shares()), [[0, 1], [1, 0]])

    def test_aLinkThatWaitsForARepairIsPassedOver(self) -> None:
        self.lose()
        for _ in self.links:
            self.send()
        behind = self.links[1]
        for link in self.links:
            self.stands(link, repeated=link.stands.repeated if link.stands else 0, isWaiting=link is behind)
        self.clock.rightNow += 0.2
        sent, again = list(behind.sent), list(behind.again)
        for _ in range(6):
            self.send()
        self.assertEqual((behind.sent, behind.again), (sent, again))
        self.assertGreater(behind.nudges, 0)

    def test_withOneLinkThereIsNoCopy(self) -> None:
        """
        And more of them are wanted.
        """
        self.begin(Duplicate.AUTO, links=1)
        self.lose()
        self.send()
        self.assertEqual((self.copies(), self.duplication.isOn), ([], False))
        self.assertEqual(len(self.links[0].sent), 1)
        self.assertGreaterEqual(self.demand.links(self.clock.seconds()), LOSSY_LINKS)

    def test_whenTheOthersAreGoneThereIsNoCopy(self) -> None:
        """
        Also between two looks.  Nothing of what is granted is spent then.
        """
        self.lose()
        for link in self.links[1:]:
            self.scheduler.remove(link)
            self.duplication.forget(link)
        left = self.duplication._grant.left
        self.send()
        self.assertEqual((self.copies(), self.duplication._grant.left), ([], left))
        self.assertEqual(len(self.links[0].sent), 1)

    def test_withoutNumbersNothingGoesTwice(self) -> None:
        """
        The other end could not tell what comes twice.
        """
        for choice in Duplicate:
            self.begin(choice)
            for link in self.links:
                link.numbers = False
            self.lose()
            self.look(isLossyIn=True)
            self.send()
            self.assertEqual((self.copies(), self.duplication.isOn), ([], False))
            self.assertLess(self.demand.links(self.clock.seconds()), LOSSY_LINKS)

    def test_linkWithoutNumbersAmongOthersTakesNoPart(self) -> None:
        """
        What it is given has no number, so a copy with that number would be taken for the next datagram.
        """
        self.lose()
        self.links[1].numbers = False
        for _ in range(20):
            self.send()
        self.assertEqual((self.links[1].sent, self.links[1].again), ([], []))
        self.assertEqual(len(self.copies()), 20)
        for link in self.links:
            link.numbers = False
        self.send()
        self.assertEqual(len(self.copies()), 20)

    def test_itIsOffAWhileAfterTheLastLoss(self) -> None:
        self.lose()
        self.clock.rightNow += LOSSY_SECONDS - 1
        self.look()
        self.assertTrue(self.duplication.isOn)
        self.clock.rightNow += 1
        self.look()
        self.assertFalse(self.duplication.isOn)

    def test_userMayWantItAlwaysOrNever(self) -> None:
        self.begin(Duplicate.ALWAYS)
        self.look()
        self.assertTrue(self.duplication.isOn)
        self.begin(Duplicate.OFF)
        self.lose()
        self.send()
        self.assertEqual((self.duplication.isOn, self.copies()), (False, []))
        self.assertEqual(self.demand.links(self.clock.seconds()), LIGHT_LINKS)

    def test_nothingGoesTwiceWhileThePathIsFull(self) -> None:
        """
        From the moment at which something waits, until a while after that; and while what is in flight is bounded.
        """
        for choice in (Duplicate.AUTO, Duplicate.ALWAYS):
            self.begin(choice)
            self.lose()
            self.duplication.pathIsFull(self.clock.seconds())
            self.assertEqual((self.duplication.isOn, self.duplication.spreads), (False, False))
            self.duplication.lookAt = self.clock.seconds() + FULL_SECONDS - 0.01
            self.look()
            self.assertFalse(self.duplication.isOn)
            self.look()
            self.assertTrue(self.duplication.isOn)
            self.look(isFull=True)
            self.assertEqual((self.duplication.isOn, self.duplication.spreads), (False, False))

    def loseWhileHeavy(self) -> None:
        """
        See a loss, and that the flow is heavy.
        """
        self.lose()
        while self.clock.seconds() < self.duplication.lookAt:
            self.clock.rightNow += 0.001
            self.bytes += FIRST_WINDOW_BYTES
        self.look()
        self.assertEqual((self.duplication.isOn, self.duplication.spreads), (True, False))

    def test_smallOnesGoTwiceAlsoWhereTheyComeWithLargeOnes(self) -> None:
        """
        Between them, together, and as the shorter last one of a train; they leave nothing to larger ones.
        """
        self.loseWhileHeavy()
        current = self.scheduler.current
        assert current is not None
        self.numbering.next = LAST_NUMBER - 3
        together = Train(100, bytes(300))
        trains = [LARGE, SMALL, Train(1400, bytes(2800)), together, Train(1400, bytes(2900))]
        self.duplication._grant.left = SMALL_BYTES + 300 + 100
        self.duplication.send(trains, current, self.clock.seconds())
        again = [arrival for link in self.links for arrival in link.again]
        self.assertEqual(again, [(LAST_NUMBER - 2, SMALL), (0, together), (5, Train(100, bytes(100)))])
        self.assertEqual(current.again, [])
        self.assertEqual(self.duplication._grant.left, 0)

    def test_ofAHeavyFlowOnlySmallOnesGoTwice(self) -> None:
        """
        The first time through the link in use.
        """
        self.loseWhileHeavy()
        current = self.scheduler.current
        numbers = []
        for _ in range(5):
            self.send(LARGE)
            numbers.append(self.send())
        assert current is not None
        self.assertEqual(len(current.sent), 10)
        self.assertEqual(sorted(self.copies(), key=numbers.index), numbers)
        self.assertEqual(current.again, [])

    def test_copiesAreBounded(self) -> None:
        """
        Larger ones leave half of what is saved to small ones.
        """
        self.lose()
        for _ in range(2 * SAVED // 1400):
            self.send(LARGE)
        larger = len(self.copies()) * 1400
        self.assertLessEqual(larger, SAVED - LARGE_RESERVE_BYTES)
        self.assertGreater(larger, SAVED - LARGE_RESERVE_BYTES - 1400)
        for link in self.links:
            link.again.clear()
        for _ in range(2 * SAVED // SMALL_BYTES):
            self.send()
        self.assertLessEqual(len(self.copies()) * SMALL_BYTES, SAVED - larger)
        self.assertGreater(len(self.copies()) * SMALL_BYTES, LARGE_RESERVE_BYTES - SMALL_BYTES)

    def test_copiesOfShortOnesAreBoundedToo(self) -> None:
        self.lose()
        for _ in range(2 * SAVED // LEAST_COUNTED_BYTES):
            self.send(Train(0, b""))
        self.assertEqual(len(self.copies()), SAVED // LEAST_COUNTED_BYTES)

    def test_whatIsNotSpentIsGrantedAnew(self) -> None:
        self.test_copiesAreBounded()
        for link in self.links:
            link.again.clear()
        self.bytes = 0
        self.duplication._bytesBefore = 0
        before = self.duplication._measuredAt
        self.clock.rightNow += 1.0
        self.look()
        granted = GRANTED_BYTES_PER_SECOND * (self.clock.seconds() - before)
        for _ in range(SAVED // SMALL_BYTES):
            self.send()
        sent = len(self.copies()) * SMALL_BYTES
        self.assertTrue(abs(granted - sent) < 2 * SMALL_BYTES, (granted, sent))

    def test_aFlowThatLosesWantsSomeLinks(self) -> None:
        """
        And one of many datagrams more, above all where losses come in bursts.
        """
        self.lose()
        self.assertEqual(self.demand.links(self.clock.seconds()), LOSSY_LINKS)
        for inBursts in (False, True):
            if inBursts:
                self.duplication._sentAgain._apartUntil = math.inf
            for _ in range(100):
                self.send(Train(9, bytes(9)))
            self.look(roundTrip=0.1)
            wanted = self.demand.links(self.clock.seconds())
            self.assertEqual((inBursts, wanted > HEAVY_LINKS, wanted >= HEAVY_LINKS), (inBursts, inBursts, True))

    def test_linksAreWantedAlsoWhereTheOtherWayLoses(self) -> None:
        self.look(isLossyIn=True)
        self.assertFalse(self.duplication.isOn)
        self.assertEqual(self.demand.links(self.clock.seconds()), LOSSY_LINKS)

    def test_looksAreFewWhereTheFlowIsLight(self) -> None:
        """
        And nothing was lost of late.
        """
        now = self.clock.seconds
        self.look()
        self.assertEqual(self.duplication.lookAt, now() + LIGHT_LOOK_SECONDS)
        self.bytes += 10_000
        self.look()
        self.assertEqual(self.duplication.lookAt, now() + LOSSES_LOOK_SECONDS)
        self.look()
        self.assertEqual(self.duplication.lookAt, now() + LIGHT_LOOK_SECONDS)
        self.lose()
        self.assertEqual(self.duplication.lookAt, now() + LOSSES_LOOK_SECONDS)

    def test_whatIsInDoubtIsLookedAtSoon(self) -> None:
        """
        When the other kernel has had the time to say that it had what was sent again.  The flow is not measured
        by then: that is too short a time.
        """
        self.bytes += 10_000
        self.look()
        self.stands(self.links[-1], 1)
        self.bytes += 5000
        self.look()
        now, rate = self.clock.seconds(), self.duplication.rate
        self.assertAlmostEqual(self.duplication.lookAt, now + DECIDED_ROUND_TRIPS * ROUND_TRIP + DECIDED_SECONDS)
        self.bytes += 100_000
        self.look()
        self.assertTrue(self.duplication.isOn)
        self.assertEqual(self.duplication.rate, rate)
        self.look()
        self.assertGreater(self.duplication.rate, 4 * rate)
        self.stands(self.links[-1], 2)
        self.bytes += 10_000
        self.look()
        self.assertEqual(self.duplication.lookAt, self.clock.seconds() + LOSSES_LOOK_SECONDS, "that it loses is known")


class ApartTests(DuplicationTestCase):
    """
    Send copies apart, where losses come in bursts.
    """

    def setUp(self) -> None:
        super().setUp()
        self.beginBursts()

    def beginBursts(self, links: int = 4) -> None:
        """
        See that what is sent twice is lost together.
        """
        self.begin(Duplicate.AUTO, links)
        self.lose()
        for _ in range(4):
            self.duplication._sentAgain.lostBoth(self.clock.seconds())

    def test_copiesFollow(self) -> None:
        numbers = [self.send()]
        self.clock.advance(COPY_APART_SECONDS / 2)
        numbers.append(self.send())
        self.assertEqual(self.copies(), [])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(COPY_APART_SECONDS / 2)
        self.assertEqual(self.copies(), numbers[:1])
        self.clock.advance(COPY_APART_SECONDS / 2)
        self.assertEqual(sorted(self.copies(), key=numbers.index), numbers)
        self.assertNoTimer()

    def test_copyGoesThroughAnotherLinkThanTheFirst(self) -> None:
        self.beginBursts(links=2)
        for _ in range(6):
            self.assertEqual(sorted(self.shares(COPY_APART_SECONDS)), [[0, 1], [1, 0]])

    def test_whatIsStillToFollowIsNotRepaired(self) -> None:
        number = self.send()
        for link in self.links:
            link.kept = [(number, SMALL)]
        self.missed((number, 1))
        self.assertEqual(self.copies(), [])
        self.clock.advance(COPY_APART_SECONDS)
        self.assertEqual(self.copies(), [number])

    def test_ofSeveralThatAreToFollowNoneIsRepaired(self) -> None:
        """
        Whichever is missed, also where the numbers wrap.
        """
        numbers = [self.send() for _ in range(9)]
        for link in self.links:
            link.kept = [(number, SMALL) for number in numbers]
        now = self.clock.seconds()
        for number in numbers:
            self.duplication.repairs._reported = []
            self.duplication.missed([(number, 1)], ROUND_TRIP)
        self.assertEqual((self.copies(), self.clock.seconds()), ([], now))

    def test_copiesThatFollowAreBoundedTogether(self) -> None:
        self.duplication._grant.left = SMALL_BYTES
        for _ in range(3):
            self.send()
        self.clock.advance(COPY_APART_SECONDS)
        self.assertEqual((len(self.copies()), self.duplication._grant.left), (1, 0))

    def test_whatALinkWasGivenThatIsGoneIsNotCopied(self) -> None:
        """
        All that it had goes through another link then.
        """
        self.send()
        [given] = [link for link in self.links if link.sent]
        self.scheduler.remove(given)
        self.duplication.forget(given)
        self.clock.advance(COPY_APART_SECONDS)
        self.assertEqual(self.copies(), [])
        self.assertNoTimer()

    def test_whereNoOtherLinkIsLeftNothingIsCopied(self) -> None:
        self.send()
        for link in self.links:
            if not link.sent:
                self.scheduler.remove(link)
                self.duplication.forget(link)
        self.clock.advance(COPY_APART_SECONDS)
        self.assertEqual(self.copies(), [])

    def test_endOfTheSessionLeavesNoTimer(self) -> None:
        self.send()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.duplication.finish()
        self.assertNoTimer()
        self.duplication.finish()
        self.assertFalse(self.duplication.isOn)
        self.clock.advance(1.0)
        self.assertEqual(self.copies(), [])


class HeavyTests(DuplicationTestCase):
    """
    Carry a flow that becomes heavy.
    """

    def test_itIsMeasuredSoon(self) -> None:
        self.look()
        self.assertEqual(self.duplication.lookAt, self.clock.seconds() + LIGHT_LOOK_SECONDS)
        self.duplication.lookSoon(self.clock.seconds())
        self.assertEqual(self.duplication.lookAt, self.clock.seconds() + LOSSES_LOOK_SECONDS)
        self.duplication.lookSoon(self.clock.seconds() + 1.0)
        self.assertEqual(self.duplication.lookAt, self.clock.seconds() + LOSSES_LOOK_SECONDS)
        self.bytes += round(2 * FIRST_WINDOW_BYTES / ROUND_TRIP * LOSSES_LOOK_SECONDS)
        self.look()
        self.assertFalse(self.duplication.isLight)
        self.assertAlmostEqual(self.duplication.rate * ROUND_TRIP, 2 * FIRST_WINDOW_BYTES, delta=2)
        before = self.duplication.lookAt
        self.duplication.lookSoon(self.clock.seconds() - LIGHT_LOOK_SECONDS)
        self.assertEqual(self.duplication.lookAt, before)

    def test_afterTheEndItIsNotMeasured(self) -> None:
        self.duplication.finish()
        self.duplication.lookSoon(self.clock.seconds())
        self.assertEqual(self.duplication.lookAt, math.inf)
