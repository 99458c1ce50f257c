"""
The way of trains to UDP: in order where they are numbered, paced, and with one timer.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.doubles.contracts import TimerTestCase
from tests.session.duplicating import CountingAllowance
from uotp.order import MAX_REORDER_SECONDS, Order, OrderMode
from uotp.process.turns import Unlimited
from uotp.session.demand import HEAVY_LINKS, LIGHT_LINKS, LOSSY_LINKS, WEIGH_BYTES
from uotp.session.inbound import (
    COPIES_SECONDS,
    FULL_LINKS_SECONDS,
    LIGHT_AFTER_SECONDS,
    OVERTAKE_SECONDS,
    WEIGH_COPIES_SECONDS,
    Inbound,
)
from uotp.session.pacer import BURST_BYTES, DATAGRAM_BYTES, TICK_SECONDS
from uotp.session.reordering.hold import FIRST_HOLD_SECONDS, ROUND_TRIPS
from uotp.session.reordering.missing import (
    GAPS_AT_ONCE,
    IN_VAIN_SECONDS,
    MOST_IN_VAIN,
    MOST_TELLS,
    SMALL_GAP,
    SOON_SECONDS,
)
from uotp.session.reordering.resequencer import FIRST_NUMBERS, MAX_HELD_RUNS, MAX_READY_TRAINS
from uotp.telemetry.drops import Drops
from uotp.train import LAST_NUMBER, Arrival, Missing, Train

HOLD = 0.125
"""Seconds that a train may wait where a test does not say otherwise."""


def train(number: int) -> Train:
    """
    @return: a train that tells its number.
    """
    return Train(8, number.to_bytes(8, "big"))


class InboundTests(TimerTestCase):
    """
    Let trains come for one session.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock.advance(1000.0)
        self.begin(Order.within(HOLD))
        self.addCleanup(self.end)

    def begin(self, order: Order) -> None:
        """
        Make one, as the user has chosen.
        """
        self.passed: list[int] = []
        self.whenDelivered: Callable[[], None] = lambda: None
        self.inbound = Inbound(self.deliver, Drops(), self.clock, Unlimited(), order)

    def end(self) -> None:
        self.inbound.finish(lambda: None)

    def deliver(self, trains: list[Train]) -> None:
        """
        What UDP is given.
        """
        self.passed += [int.from_bytes(each.payload[:8], "big") for each in trains]
        self.whenDelivered()

    def come(self, *numbers: int) -> None:
        """
        Numbered trains come in one read.
        """
        arrivals: list[Arrival] = [(number, train(number)) for number in numbers]
        self.inbound.numbered(arrivals, self.clock.seconds())
        self.assertLessEqual(len(self.clock.getDelayedCalls()), 1)

    def beginLosing(self) -> None:
        """
        Let number 0 come with its copy.
        """
        self.inbound.roundTripIs(0.04)
        self.come(0)
        self.inbound.again([(0, train(0))], self.clock.seconds())

    def assertDeadline(self, seconds: float) -> None:
        """
        The one timer goes off after so many seconds.
        """
        [call] = self.clock.getDelayedCalls()
        self.assertAlmostEqual(call.getTime() - self.clock.seconds(), seconds)

    def test_whatComesInOrderCostsNoTimer(self) -> None:
        self.come(0)
        self.come(1, 2)
        self.assertEqual(self.passed, [0, 1, 2])
        self.assertNoTimer()

    def test_nothingIsHandedOnWhereNothingIsReady(self) -> None:
        self.come(0)
        calls: list[None] = []
        self.whenDelivered = lambda: calls.append(None)
        self.come(2)
        self.assertEqual(calls, [])

    def test_gapIsFilledInTime(self) -> None:
        self.come(0)
        self.come(2)
        self.assertDeadline(HOLD)
        self.clock.advance(HOLD / 2)
        self.come(1)
        self.assertEqual(self.passed, [0, 1, 2])
        self.whenDelivered = lambda: self.fail("handed on")
        self.clock.advance(HOLD / 2)
        self.assertNoTimer()

    def test_gapIsGivenUpInTime(self) -> None:
        self.come(0)
        self.come(2)
        self.clock.advance(HOLD / 4)
        self.come(4)
        self.clock.advance(HOLD / 4)
        self.come(6)
        self.assertDeadline(HOLD / 2)
        self.clock.advance(HOLD / 2)
        self.assertEqual(self.passed, [0, 2])
        self.assertDeadline(HOLD / 4)
        self.clock.advance(HOLD / 4)
        self.assertEqual(self.passed, [0, 2, 4])
        self.come(5)
        self.assertEqual(self.passed, [0, 2, 4, 5, 6])
        self.clock.advance(HOLD / 4)
        self.assertNoTimer()

    def test_timerWaitsForWhoeverIsNextWhenItGoesOff(self) -> None:
        self.come(0)
        self.come(2)
        self.clock.advance(HOLD / 2)
        self.come(1, 4)
        self.clock.advance(HOLD / 2)
        self.assertEqual(self.passed, [0, 1, 2])
        self.assertDeadline(HOLD / 2)
        self.clock.advance(HOLD / 2)
        self.assertEqual(self.passed, [0, 1, 2, 4])
        self.assertNoTimer()

    def test_timerOfABusyProgramMayBeLate(self) -> None:
        """
        What has waited for too long passes all the same.
        """
        self.come(0)
        self.come(2)
        self.clock.rightNow += 2 * HOLD
        self.come(4)
        self.clock.advance(0)
        self.assertEqual(self.passed, [0, 2])
        self.assertDeadline(HOLD)

    def comeTwice(self, seconds: float, every: float, size: int = 8) -> None:
        """
        A flow comes, and each of it twice.
        """
        first = self.inbound._resequencer.expected
        for number in range(first, first + round(seconds / every)):
            self.clock.advance(every)
            arrival = number & LAST_NUMBER, Train(size, bytes(size))
            self.inbound.again([arrival], self.clock.seconds())
            self.inbound.lone(*arrival, self.clock.seconds())

    def test_copiesThatComeWantLinks(self) -> None:
        """
        Also where nothing is sent: as many as for a flow that is sent twice.
        """
        for every, links in ((0.01, HEAVY_LINKS), (0.1, LOSSY_LINKS)):
            self.begin(Order())
            self.inbound.roundTripIs(0.04)
            self.comeTwice(WEIGH_COPIES_SECONDS / 2, every)
            self.assertEqual(self.inbound.demand.links(self.clock.seconds()), LIGHT_LINKS)
            self.comeTwice(2 * WEIGH_COPIES_SECONDS, every)
            self.assertEqual(self.inbound.demand.links(self.clock.seconds()), links)
            self.end()

    def test_afterAPauseNobodyKnowsHowManyLinksCopiesWant(self) -> None:
        self.begin(Order())
        self.inbound.roundTripIs(0.04)
        for _ in range(3):
            self.comeTwice(WEIGH_COPIES_SECONDS / 2, 0.01)
            self.clock.advance(2 * COPIES_SECONDS)
        self.assertEqual(self.inbound.demand.links(self.clock.seconds()), LIGHT_LINKS)

    def test_lateDatagramsAreCounted(self) -> None:
        self.assertEqual(self.inbound.late, 0)
        self.come(0)
        self.come(2)
        self.clock.advance(HOLD)
        self.come(1)
        self.assertEqual((self.passed, self.inbound.late), ([0, 2, 1], 1))

    def test_nothingIsPutInOrderWhereNobodyWantsIt(self) -> None:
        self.begin(Order(OrderMode.OFF))
        self.come(0, 5, 3)
        self.come(1)
        self.assertEqual((self.passed, self.inbound.late), ([0, 5, 3, 1], 0))
        self.inbound.restart()
        self.inbound.roundTripIs(0.1)
        self.assertEqual((self.inbound.heldBytes, self.inbound._resequencer.misses), (0, False))

    def test_copiesAreDroppedWhereNobodyWantsOrder(self) -> None:
        """
        Of what was sent again only what has not come is handed on, and the first is dropped after that.
        """
        self.begin(Order(OrderMode.OFF))
        self.come(0, 3)
        self.inbound.again([(number, train(number)) for number in (3, 2, 0)], self.clock.seconds())
        self.assertEqual(self.passed, [0, 3, 2])
        self.come(1, 2)
        self.inbound.lone(4, train(4), self.clock.seconds())
        self.assertEqual(self.passed, [0, 3, 2, 1, 4])
        self.inbound.lone(2, train(2), self.clock.seconds())
        self.inbound.again([(4, train(4))], self.clock.seconds())
        self.assertEqual(self.passed, [0, 3, 2, 1, 4, 2])  # nobody has said that it might come twice

    def test_smallDatagramsDoNotWaitWhereBulkDoes(self) -> None:
        """
        As long as in automatic order, what is large waits for what is missing.
        """
        self.begin(Order(OrderMode.BULK))
        bulk = Train(1400, bytes(1400))
        handed: list[Train] = []
        self.inbound.deliverBy(handed.extend)
        self.come(0)
        self.inbound.lone(2, bulk, self.clock.seconds())
        self.inbound.lone(3, train(3), self.clock.seconds())
        self.assertEqual(handed, [train(0), train(3)])
        self.assertDeadline(FIRST_HOLD_SECONDS)
        self.assertEqual(self.inbound.late, 0)
        self.clock.advance(FIRST_HOLD_SECONDS)
        self.assertEqual(handed, [train(0), train(3), bulk])
        self.assertEqual((self.inbound.heldBytes, self.inbound.late), (0, 0))
        self.come(5)
        self.assertEqual(handed[-1], train(5))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)  # to forget the gap
        self.end()
        self.assertNoTimer()

    def test_smallDatagramsPassWhatWaitsForTheReader(self) -> None:
        """
        Bulk that a filled gap lets go all at once does not hold them up either.
        """
        for order, place in ((Order(), -1), (Order(OrderMode.BULK), 2)):
            self.begin(order)
            size = BURST_BYTES // 2 - DATAGRAM_BYTES
            self.inbound.numbered([(number, Train(size, bytes(size))) for number in range(6)], self.clock.seconds())
            self.inbound.numbered([(6, train(6))], self.clock.seconds())
            self.clock.pump([TICK_SECONDS] * 20)
            self.assertEqual(len(self.passed), 7)
            self.assertEqual(self.passed[place], 6)
            self.end()

    def test_unnumberedTrainsPassAsTheyCome(self) -> None:
        self.come(0, 2)
        self.inbound.unnumbered([train(7), train(6)], self.clock.seconds())
        self.assertEqual(self.passed, [0, 7, 6])

    def test_chosenTimeIsKept(self) -> None:
        self.begin(Order.within(MAX_REORDER_SECONDS))
        self.inbound.roundTripIs(0.1)
        self.come(0, 2)
        self.assertDeadline(MAX_REORDER_SECONDS)

    def test_holdFollowsThePath(self) -> None:
        self.begin(Order())
        self.come(0, 2)
        self.assertDeadline(FIRST_HOLD_SECONDS)
        self.inbound.roundTripIs(roundTrip := 0.2)
        self.clock.advance(FIRST_HOLD_SECONDS)
        self.assertEqual(self.passed, [0])
        self.clock.advance(roundTrip * ROUND_TRIPS - FIRST_HOLD_SECONDS - 0.001)
        self.assertEqual(self.passed, [0])
        self.clock.advance(0.001)
        self.assertEqual(self.passed, [0, 2])

    def test_lightFlowHardlyWaits(self) -> None:
        """
        What comes directly behind one that went ahead does not wait at all.  The late one is not out of turn for it,
        and comes once, whoever brings it.
        """
        self.begin(Order())
        self.beginLosing()
        self.come(2)
        self.clock.advance(OVERTAKE_SECONDS - 0.0005)
        self.assertEqual(self.passed, [0])
        self.clock.advance(0.0005)
        self.assertEqual(self.passed, [0, 2])
        self.come(3)
        self.assertEqual(self.passed, [0, 2, 3])
        self.come(1)
        self.inbound.again([(1, train(1)), (2, train(2))], self.clock.seconds())
        self.come(4)
        self.assertEqual((self.passed, self.inbound.late, self.inbound.heldBytes), ([0, 2, 3, 1, 4], 0, 0))

    def test_eachGapOfALightFlowIsWaitedFor(self) -> None:
        """
        Copies of it follow a moment later.
        """
        self.begin(Order())
        self.beginLosing()
        self.come(2)
        self.clock.advance(OVERTAKE_SECONDS)
        self.come(4)
        self.clock.advance(OVERTAKE_SECONDS / 2)
        self.come(3)
        self.assertEqual(self.passed, [0, 2, 3, 4])
        self.come(6)
        self.clock.advance(OVERTAKE_SECONDS)
        self.assertEqual(self.passed, [0, 2, 3, 4, 6])

    def test_heavyFlowWaits(self) -> None:
        """
        A moment after it was heavy, too; and one whose round trip is not known.
        """
        self.begin(Order())
        self.come(0, 2)
        self.inbound.again([(0, train(0))], self.clock.seconds())
        self.clock.advance(2 * OVERTAKE_SECONDS)
        self.assertEqual(self.passed, [0])
        self.come(1)
        self.inbound.roundTripIs(0.04)
        for number in range(3, 100):
            self.inbound.numbered([(number, Train(1000, number.to_bytes(8, "big").ljust(1000)))], self.clock.seconds())
            self.clock.advance(0.001)
        self.clock.advance(LIGHT_AFTER_SECONDS / 2)
        self.inbound.again([(0, train(0))], self.clock.seconds())
        del self.passed[:]
        self.come(101)
        self.clock.advance(2 * OVERTAKE_SECONDS)
        self.assertEqual(self.passed, [])
        self.come(100)
        self.clock.advance(2 * LIGHT_AFTER_SECONDS)
        self.come(103)
        self.clock.advance(2 * OVERTAKE_SECONDS)
        self.assertEqual(self.passed, [100, 101, 103])

    def test_flowThatIsHeavyForTheWholePathWaits(self) -> None:
        """
        What the kernel tells of the path may end at a relay: there the flow is light.
        """
        for roundTrip, isHeavy in ((0.2, True), (0.0001, False)):
            self.begin(Order())
            self.beginLosing()
            self.inbound.roundTripIs(roundTrip)
            self.inbound.demand.roundTrip = 0.0001
            for number in range(1, 100):
                self.inbound.numbered(
                    [(number, Train(1000, number.to_bytes(8, "big").ljust(1000)))], self.clock.seconds()
                )
                self.clock.advance(0.005)
            del self.passed[:]
            self.come(101)
            self.inbound.again([(0, train(0))], self.clock.seconds())
            self.clock.advance(2 * OVERTAKE_SECONDS)
            self.assertEqual(self.passed, [] if isHeavy else [101])
            self.end()

    def test_whatGoesAheadIsPaidFor(self) -> None:
        allowance = CountingAllowance()
        self.inbound = Inbound(self.deliver, Drops(), self.clock, allowance, Order())
        self.beginLosing()
        self.come(2)
        before = allowance.spent
        for number in range(3, 20):
            self.come(number)
        self.assertGreaterEqual(allowance.spent - before, 17)
        self.assertEqual(self.passed, [0])
        self.end()

    def test_whoSaysATimeWaitsForIt(self) -> None:
        self.beginLosing()
        self.come(2)
        self.clock.advance(HOLD - 0.001)
        self.assertEqual(self.passed, [0])

    def test_whereNothingIsLostEachFlowWaits(self) -> None:
        """
        Then it is only a connection, or a machine, that is slower than another.
        """
        self.begin(Order())
        self.beginLosing()
        self.clock.advance(COPIES_SECONDS)
        self.come(2)
        self.clock.advance(2 * OVERTAKE_SECONDS)
        self.assertEqual(self.passed, [0])

    def test_whatWasHeldIsHandedOnPaced(self) -> None:
        """
        A receiver's buffer is not long: the rest follows a tick later, and what comes then stays behind it.
        """
        size = BURST_BYTES // 2 - DATAGRAM_BYTES
        arrivals: list[Arrival] = [
            (number, Train(size, number.to_bytes(8, "big") * (size // 8))) for number in range(9)
        ]
        self.inbound.numbered([arrivals[0], *arrivals[2:]], self.clock.seconds())
        self.clock.advance(HOLD / 2)
        self.assertEqual(self.passed, [0])
        self.inbound.numbered([arrivals[1]], self.clock.seconds())
        self.assertEqual(self.passed, [0, 1, 2])
        self.inbound.numbered([(9, train(9))], self.clock.seconds())
        self.clock.pump([TICK_SECONDS] * 20)
        self.assertEqual(self.passed, list(range(10)))

    def test_whatWaitsGoesByTheNewestWay(self) -> None:
        """
        The port was lost meanwhile, and another is there.
        """
        size = BURST_BYTES // 2 - DATAGRAM_BYTES
        self.inbound.unnumbered([Train(size, bytes(size))] * 4, self.clock.seconds())
        self.assertEqual(len(self.passed), 2)
        after: list[Train] = []
        self.inbound.deliverBy(after.extend)
        self.clock.pump([TICK_SECONDS] * 20)
        self.come(0)
        self.assertEqual((len(self.passed), len(after), after[-1]), (2, 3, train(0)))

    def test_expiryIsPacedToo(self) -> None:
        size = BURST_BYTES // 2 - DATAGRAM_BYTES
        arrivals: list[Arrival] = [
            (number, Train(size, number.to_bytes(8, "big") * (size // 8))) for number in range(9)
        ]
        for release in (lambda: self.clock.advance(HOLD), lambda: self.inbound.restart()):  # noqa: PLW0108 - another one then
            self.end()
            self.begin(Order.within(HOLD))
            self.inbound.numbered([arrivals[0], *arrivals[2:]], self.clock.seconds())
            self.clock.advance(HOLD / 2)
            release()
            self.assertEqual(self.passed, [0, 2, 3])
            self.clock.pump([TICK_SECONDS] * 20)
            self.assertEqual(self.passed, [0, *range(2, 9)])

    def test_whatHasComeIsHandedOnBeforeTheEnd(self) -> None:
        done: list[None] = []
        self.inbound.numbered([(0, train(0)), (2, train(2))], self.clock.seconds())
        self.inbound.finish(lambda: done.append(None))
        self.assertEqual((self.passed, done, self.clock.getDelayedCalls()), ([0, 2], [None], []))

    def test_peerThatCountsAnewIsExpectedTo(self) -> None:
        before = [FIRST_NUMBERS, FIRST_NUMBERS + 2, FIRST_NUMBERS + 4]
        self.come(before[0], before[2], before[1])
        self.inbound.restart()
        self.assertEqual(self.passed, before)
        self.come(0)
        self.come(2, 1)
        self.assertEqual((self.passed, self.inbound.late), ([*before, 0, 1, 2], 0))
        self.whenDelivered = lambda: self.fail("handed on")
        self.inbound.restart()
        self.clock.advance(HOLD)
        self.assertNoTimer()

    def test_finishedHandsNothingOn(self) -> None:
        self.come(0, 2)
        self.end()
        self.assertNoTimer()
        self.end()
        self.come(1, 3, 9)
        self.inbound.unnumbered([train(5)], self.clock.seconds())
        self.inbound.restart()
        self.clock.advance(HOLD)
        self.assertEqual(self.passed, [0, 2])
        self.assertNoTimer()

    def test_whoeverIsGivenTrainsMayFinish(self) -> None:
        steps: tuple[Callable[[], None], ...] = (
            lambda: self.come(1, 7),
            lambda: self.clock.advance(HOLD / 2),
            lambda: self.inbound.restart(),  # noqa: PLW0108 - another one then
        )
        for step in steps:
            self.end()
            self.begin(Order.within(HOLD))
            self.come(0, 2)
            self.clock.advance(HOLD / 2)
            self.come(4)
            self.whenDelivered = self.end
            step()
            self.assertNoTimer()
            self.assertEqual(self.passed[:1], [0])

    def test_whoeverIsGivenTrainsMayBringMore(self) -> None:
        self.come(0, 2)
        self.clock.advance(HOLD / 2)
        self.come(4)

        def bring() -> None:
            self.whenDelivered = lambda: None
            self.come(6)

        self.whenDelivered = bring
        self.clock.advance(HOLD / 2)
        self.assertEqual(self.passed, [0, 2])
        self.assertDeadline(HOLD / 2)
        self.clock.advance(HOLD)
        self.assertEqual(self.passed, [0, 2, 4, 6])


class ReportTests(InboundTests):
    """
    Tell the other end what has not come.  What holds without that holds with it, too, but for the time of the
    timer.
    """

    def begin(self, order: Order) -> None:
        super().begin(order)
        self.reports: list[list[Missing]] = []
        self.mayReport = True
        self.inbound.reportBy(self.reports.append, lambda: self.mayReport)

    def assertDeadline(self, seconds: float) -> None:
        [call] = self.clock.getDelayedCalls()
        self.assertLessEqual(call.getTime() - self.clock.seconds(), seconds + 0.001)

    def passTime(self, seconds: float) -> None:
        """
        Let time pass in small steps.
        """
        for _ in range(round(seconds / 0.001)):
            self.clock.advance(0.001)

    def countLooks(self) -> list[int]:
        """
        @return: has one value more each time gaps are looked for.
        """
        looks: list[int] = []
        gaps = self.inbound._resequencer.gaps

        def look(most: int) -> list[tuple[int, int, float]]:
            looks.append(most)
            return gaps(most)

        self.patch(self.inbound._resequencer, "gaps", look)
        return looks

    def test_aSmallGapIsToldSoon(self) -> None:
        self.come(0)
        self.come(2)
        self.assertEqual(self.reports, [])
        self.passTime(SOON_SECONDS + 0.001)
        self.assertEqual(self.reports, [[(1, 1)]])

    def test_aGapOfASparseFlowIsToldAtOnce(self) -> None:
        """
        What is missing should have come between; of two reads at once that is not known.
        """
        for lone in (False, True):
            self.begin(Order.within(HOLD))
            self.come(0)
            self.passTime(2 * SOON_SECONDS)
            if lone:
                self.inbound.lone(2, train(2), self.clock.seconds())
            else:
                self.come(2)
            self.assertEqual(self.reports, [[(1, 1)]])
            self.end()

    def test_aGapOfADenseFlowIsToldABitLater(self) -> None:
        """
        Two tunnels differ by so much.
        """
        for lone in (False, True):
            self.begin(Order.within(HOLD))
            self.come(0)
            self.passTime(0.1)
            for number in (1, 2, 3, 5):
                self.passTime(0.001)
                if lone:
                    self.inbound.lone(number, train(number), self.clock.seconds())
                else:
                    self.come(number)
            self.assertEqual(self.reports, [])
            self.passTime(SOON_SECONDS + 0.001)
            self.assertEqual(self.reports, [[(4, 1)]])
            self.end()

    def test_aGapThatWasOvertakenIsTold(self) -> None:
        self.begin(Order())
        self.beginLosing()
        self.come(2)
        self.passTime(OVERTAKE_SECONDS + 0.001)
        self.assertEqual((self.passed, self.reports), ([0, 2], [[(1, 1)]]))
        self.passTime(0.1)
        self.assertGreater(len(self.reports), 1)

    def test_whereNothingWaitsItIsToldToo(self) -> None:
        """
        The newest gaps, a few times each, until what is missing comes, sent for the first time or again.
        """
        self.begin(Order(OrderMode.OFF))
        self.come(0)
        self.come(2)
        self.come(4)
        self.assertEqual((self.passed, self.reports), ([0, 2, 4], []))
        self.passTime(SOON_SECONDS + 0.001)
        self.assertEqual(self.reports, [[(1, 1), (3, 1)]])
        self.inbound.again([(1, train(1))], self.clock.seconds())
        self.come(3)
        self.assertFalse(self.inbound._missing.areOpen)
        self.passTime(1.0)
        self.assertEqual((self.passed, self.reports), ([0, 2, 4, 1, 3], [[(1, 1), (3, 1)]]))
        self.come(6)
        self.passTime(1.0)
        self.assertEqual(self.reports[1:], [[(5, 1)]] * MOST_TELLS)
        for number in range(8, 8 + 4 * GAPS_AT_ONCE, 2):
            self.come(number)
        self.passTime(SOON_SECONDS + 0.001)
        self.passTime(1.0)
        later = {first for report in self.reports[1 + MOST_TELLS :] for first, _ in report}
        behind = 7 + 4 * GAPS_AT_ONCE
        self.assertEqual(later - {7}, set(range(behind - 2 * GAPS_AT_ONCE, behind, 2)))  # 7 was missed by then
        self.assertNoTimer()

    def test_whereNothingWaitsReportsInVainAreFewToo(self) -> None:
        """
        All that is told comes by itself.
        """
        self.begin(Order(OrderMode.OFF))
        self.come(0)
        for number in range(1, 4 * MOST_IN_VAIN, 2):
            self.come(number + 1)
            self.passTime(SOON_SECONDS + 0.001)
            self.come(number)
        self.assertGreater(self.inbound._missing.restsUntil, self.clock.seconds())
        self.assertLess(len(self.reports), 2 * MOST_IN_VAIN)

    def test_whileNoLinkTakesAReportNothingCountsAsTold(self) -> None:
        self.begin(Order.within(MAX_REORDER_SECONDS))
        asked: list[bool] = []

        def mayReport() -> bool:
            asked.append(self.mayReport)
            return self.mayReport

        self.inbound.reportBy(self.reports.append, mayReport)
        self.mayReport = False
        self.come(0)
        self.come(2)
        self.passTime(0.5)
        self.assertEqual(self.reports, [])
        self.assertLess(len(asked), 2 + 0.5 / FULL_LINKS_SECONDS)
        self.mayReport = True
        self.passTime(0.5)
        self.assertEqual(self.reports, [[(1, 1)]] * MOST_TELLS)

    def test_anOldGapMakesNoOtherOld(self) -> None:
        """
        A large one is told when a repair of it should have come.
        """
        self.begin(Order.within(MAX_REORDER_SECONDS))
        self.inbound.roundTripIs(0.1)
        self.come(0)
        self.come(2)
        self.passTime(0.5)
        self.reports.clear()
        self.come(200)
        self.passTime(0.1)
        self.assertEqual(self.reports, [])
        self.passTime(0.1)
        self.assertEqual([count for report in self.reports for first, count in report if first == 3], [197])

    def test_aGapThatIsFilledInTimeIsNotTold(self) -> None:
        self.come(0)
        self.come(2)
        self.clock.advance(SOON_SECONDS / 2)
        self.come(1)
        self.passTime(2 * HOLD)
        self.assertEqual(self.reports, [])
        self.assertNoTimer()

    def test_whatComesInOrderIsNotTold(self) -> None:
        for number in range(50):
            self.come(number)
            self.passTime(0.005)
        self.assertEqual(self.reports, [])

    def test_aLargeGapIsToldLater(self) -> None:
        self.inbound.roundTripIs(HOLD / 2)
        self.come(0)
        self.come(2 + SMALL_GAP)
        self.passTime(HOLD / 2)
        self.assertEqual(self.reports, [])
        self.passTime(HOLD / 3)
        self.assertEqual(self.reports, [[(1, SMALL_GAP + 1)]])

    def test_eachGapIsToldAFewTimes(self) -> None:
        """
        However long it is waited for, and however much comes meanwhile.
        """
        self.begin(Order.within(MAX_REORDER_SECONDS))
        self.come(0)
        for number in range(2, 500):
            self.come(number)
            self.passTime(0.004)
        self.assertEqual(self.reports, [[(1, 1)]] * MOST_TELLS)
        self.passTime(MAX_REORDER_SECONDS)
        self.assertEqual(len(self.passed), 499)
        self.assertNoTimer()

    def test_gapsThatComeOneAfterTheOtherAreAllTold(self) -> None:
        self.begin(Order.within(MAX_REORDER_SECONDS))
        self.come(0)
        for number in range(2, 12, 2):
            self.come(number)
            self.passTime(0.002)
        self.passTime(0.02)
        told = {first for report in self.reports for first, _ in report}
        self.assertEqual(told, {1, 3, 5, 7, 9})

    def test_aSmallGapIsToldSoonBesideALargeOne(self) -> None:
        """
        Of which it is known for how long nothing is to be told, though nothing comes after it.
        """
        self.begin(Order.within(MAX_REORDER_SECONDS))
        self.inbound.roundTripIs(1.0)
        self.come(0)
        self.come(100)
        self.passTime(0.001)
        self.come(102)
        self.passTime(0.1)
        self.assertEqual(self.reports, [[(101, 1)]])

    def test_gapsAreLookedForNowAndThen(self) -> None:
        """
        However much comes while something is missing.
        """
        looks = self.countLooks()
        self.come(0)
        for number in range(1000):
            self.come(2 + number)
        self.assertEqual(len(looks), 1)
        self.end()
        self.passTime(0.2)

    def test_gapsThatWereToldOftenAreLookedForNowAndThenToo(self) -> None:
        """
        And new ones beside them are told.
        """
        self.begin(Order.within(MAX_REORDER_SECONDS))
        self.come(0)
        self.come(2)
        self.passTime(1.0)
        self.assertEqual(self.reports, [[(1, 1)]] * MOST_TELLS)
        looks = self.countLooks()
        for number in range(3, 30):
            self.come(number)
        self.come(31)
        self.assertEqual(len(looks), 1)
        self.passTime(2 * SOON_SECONDS)
        self.assertEqual(self.reports[MOST_TELLS:], [[(30, 1)]])
        self.end()
        self.passTime(0.2)

    def test_numbersAreToldAsTheWireHasThem(self) -> None:
        self.come(LAST_NUMBER - 1)
        self.come(2)
        self.passTime(0.01)
        self.assertEqual(self.reports[0], [(LAST_NUMBER, 3)])

    def test_reportsAreBoundedWhateverComes(self) -> None:
        """
        Each datagram makes a gap, for a second, a thousand times.
        """
        self.begin(Order.within(MAX_REORDER_SECONDS))
        for number in range(1000):
            self.come(3 * number)
            self.passTime(0.001)
        self.assertLessEqual(len(self.reports), 1000 * 0.001 / SOON_SECONDS + 1)
        self.end()
        self.passTime(0.2)

    def test_whereTrainsOnlyWaitSomewhereFewGapsAreTold(self) -> None:
        """
        What was sent first fills them all.  When something comes again for one, all are told once more.
        """
        self.begin(Order.within(MAX_REORDER_SECONDS))
        looks = self.countLooks()
        self.come(0)
        seconds = 2 * SOON_SECONDS
        for number in range(1, 401, 2):
            self.come(number + 1)
            self.passTime(seconds)
            if number % 4 == 1:
                self.come(number)
            else:
                self.inbound.lone(number, train(number), self.clock.seconds())
        self.assertLessEqual(len(self.reports), MOST_IN_VAIN + 1 + 200 * seconds / IN_VAIN_SECONDS)
        self.assertLessEqual(len(looks), 3 * len(self.reports))
        self.passTime(IN_VAIN_SECONDS)
        before = len(self.reports)
        self.come(402)
        self.passTime(IN_VAIN_SECONDS + SOON_SECONDS)
        self.assertGreater(len(self.reports), before, "though nothing comes behind the gap that asks for it")
        self.inbound.again([(401, train(401))], self.clock.seconds())
        del self.reports[:]
        for number in range(403, 403 + 2 * MOST_IN_VAIN, 2):
            self.come(number + 1)
            self.passTime(seconds)
            self.come(number)
        self.assertEqual(self.reports, [[(number, 1)] for number in range(403, 403 + 2 * MOST_IN_VAIN, 2)])
        self.assertEqual(self.passed, list(range(403 + 2 * MOST_IN_VAIN)))

    def beInVain(self, number: int) -> None:
        """
        Have gaps told in vain until the receiver rests.

        @param number: the first that is expected.
        """
        for _ in range(MOST_IN_VAIN + 1):
            self.come(number + 1)
            self.passTime(2 * SOON_SECONDS)
            self.come(number)
            number += 2
        self.assertGreater(self.inbound._missing.restsUntil, self.clock.seconds())
        self.come(number + 1)

    def test_whoeverRestsHandsOnAtOnceWhatIsThere(self) -> None:
        """
        Also more than what goes at one go, and though there is a timer for later.
        """
        self.begin(Order.within(MAX_REORDER_SECONDS))
        first = 2 * (MOST_IN_VAIN + 1)
        self.beInVain(0)
        last = first + MAX_READY_TRAINS + 30
        for number in range(first + 2, last):
            self.come(number)
        self.assertEqual(len(self.passed), first)
        self.come(first)
        self.passTime(0.01)
        self.assertEqual(self.passed, list(range(last)))

    def test_aGapOfTheRestIsToldWhenThatIsOver(self) -> None:
        """
        Though nothing comes behind it, and the timer for the gap before it has gone off.
        """
        hold = 0.8 * IN_VAIN_SECONDS
        self.begin(Order.within(hold))
        first = 2 * MOST_IN_VAIN
        for number in range(0, first, 2):
            self.come(number + 1)
            self.passTime(2 * SOON_SECONDS)
            self.come(number)
        self.come(first + 1)
        self.passTime(hold + 2 * SOON_SECONDS)
        self.assertNoTimer()
        self.come(first + 3)
        del self.reports[:]
        self.passTime(IN_VAIN_SECONDS - hold)
        self.assertEqual(self.reports, [[(first + 2, 1)]])
        self.end()

    def test_whatIsRepairedWasNotToldInVain(self) -> None:
        """
        However many gaps there were at once; and neither was what is given up.
        """
        self.begin(Order.within(HOLD))
        for number in range(0, 4 * MOST_IN_VAIN, 2):
            self.come(number)
        self.passTime(2 * SOON_SECONDS)
        self.assertTrue(self.inbound._missing.areOpen)
        now = self.clock.seconds()
        self.inbound.again([(number, train(number)) for number in range(1, 4 * MOST_IN_VAIN, 2)], now)
        self.come(4 * MOST_IN_VAIN)
        self.assertEqual((self.inbound._missing._inVain, self.inbound._missing.areOpen), (0, False))
        self.come(4 * MOST_IN_VAIN + 2)
        self.passTime(2 * SOON_SECONDS)
        self.assertTrue(self.inbound._missing.areOpen)
        self.passTime(2 * HOLD)
        self.come(4 * MOST_IN_VAIN + 3)
        self.assertEqual((self.inbound._missing._inVain, self.inbound._missing.areOpen), (0, False))

    def test_whatIsGivenUpForWantOfRoomWasNotToldInVain(self) -> None:
        self.begin(Order.within(MAX_REORDER_SECONDS))
        self.come(0)
        self.come(2)
        self.passTime(2 * SOON_SECONDS)
        self.assertTrue(self.inbound._missing.areOpen)
        for number in range(4, 4 + 2 * MAX_HELD_RUNS, 2):
            self.come(number)
        self.assertGreater(self.inbound._resequencer.gapsGivenUp, 0)
        self.assertEqual((self.inbound._missing._inVain, 2 in self.inbound._missing._told), (0, False))
        self.end()
        self.passTime(0.2)

    def test_afterTheEndNobodyIsTold(self) -> None:
        self.come(0)
        self.come(2)
        self.end()
        self.assertNoTimer()
        self.come(9)
        self.passTime(0.2)
        self.assertEqual((self.reports, self.inbound._report), ([], None))

    def test_kernelAcknowledgesAtOnceWhileCopiesCome(self) -> None:
        """
        Whether or not anything is sent, by which that is asked.
        """
        for asks in (True, False):
            self.end()
            self.begin(Order.within(HOLD))
            self.come(0)
            self.assertFalse(self.inbound.acknowledgesSoon)
            self.inbound.again([(0, train(0))], self.clock.seconds())
            self.assertTrue(self.inbound.acknowledgesSoon)
            self.clock.advance(COPIES_SECONDS - 0.1)
            self.assertTrue(self.inbound.isLossy(self.clock.seconds()))
            self.clock.advance(0.2)
            if asks:
                self.assertFalse(self.inbound.isLossy(self.clock.seconds()))
            else:
                self.inbound.unnumbered([Train(1000, bytes(WEIGH_BYTES))], self.clock.seconds())
                self.passTime(0.5)
            self.assertFalse(self.inbound.acknowledgesSoon)
