"""
What goes over two links, and what goes again because the other end misses it.
"""

from __future__ import annotations

import math

from tests.doubles.contracts import TimerTestCase
from tests.doubles.sessions import MemoryLink, RecordingSession
from uotp.duplicate import Duplicate
from uotp.path import TROUBLED, PathStats
from uotp.process.turns import Unlimited
from uotp.session.backlog import SMALL_BYTES
from uotp.session.demand import ALL_LINKS, LIGHT_LINKS, LOSSY_LINKS, Demand
from uotp.session.duplication import (
    BEHIND_ROUND_TRIPS,
    BEHIND_SECONDS,
    FULL_SECONDS,
    LARGE_RESERVE_BYTES,
    LEAST_COUNTED_BYTES,
    LIGHT_LOOK_SECONDS,
    LOSSES_LOOK_SECONDS,
    MAX_REPAIR_BYTES,
    MAX_SEARCHED_UNITS,
    REPORTS,
    SAME_REPORT_SECONDS,
    UNLIKELY_SECONDS,
    Duplication,
)
from uotp.session.grant import GRANTED_BYTES_PER_SECOND, SAVED_SECONDS
from uotp.session.losses import LOSSY_SECONDS
from uotp.session.nudges import LINKS_PER_UNIT
from uotp.session.scheduler import Scheduler
from uotp.session.sentagain import COPY_APART_SECONDS
from uotp.session.stickiness import FIRST_WINDOW_BYTES
from uotp.train import LAST_NUMBER, Arrival, Missing, Numbering, Train

ROUND_TRIP = 0.04

SMALL = Train(SMALL_BYTES, bytes(SMALL_BYTES))
LARGE = Train(1400, bytes(1400))

SAVED = int(GRANTED_BYTES_PER_SECOND * SAVED_SECONDS)


class CountingAllowance(Unlimited):
    """
    Counts what is spent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spent = 0

    def spend(self, units: int) -> None:
        self.spent += units


class _DuplicationTestCase(TimerTestCase):
    """
    Has a session's links, of which a test says how they are.

    @ivar links: all of them.
    @ivar bytes: payload that came from UDP so far.
    """

    choice = Duplicate.AUTO

    def setUp(self) -> None:
        super().setUp()
        self.clock.advance(1000.0)
        self.begin(self.choice)
        self.addCleanup(self.finish)

    def finish(self) -> None:
        self.duplication.finish()

    def begin(self, choice: Duplicate, links: int = 4) -> None:
        """
        Begin a session with so many links.
        """
        self.scheduler: Scheduler[MemoryLink] = Scheduler(lambda link: link.costs)
        self.numbering = Numbering(LAST_NUMBER - 5)
        self.demand = Demand(self.clock.seconds())
        self.allowance = CountingAllowance()
        self.links: list[MemoryLink] = []
        self.bytes = 0
        self.duplication = Duplication(
            self.scheduler,  # type: ignore[arg-type]
            self.numbering,
            self.clock,
            choice,
            self.demand,
            self.allowance,
        )
        for _ in range(links):
            self.open()

    def open(self) -> MemoryLink:
        """
        @return: one more link.
        """
        link = MemoryLink()
        link.carryFor(RecordingSession())
        self.stands(link)
        self.links.append(link)
        self.scheduler.offer(link)
        return link

    def stands(self, link: MemoryLink, repeated: int = 0, *, isWaiting: bool = False) -> None:
        """
        Say how a link stands.
        """
        link.stands = PathStats(99, repeated, ROUND_TRIP, ROUND_TRIP, isWaiting=isWaiting)

    def look(self, *, isFull: bool = False, isLossyIn: bool = False, roundTrip: float = ROUND_TRIP) -> None:
        """
        Look when it is time.
        """
        self.clock.rightNow = max(self.clock.seconds(), self.duplication.lookAt)
        now = self.clock.seconds()
        self.duplication.look(self.bytes, roundTrip, now, isFull=isFull, isLossyIn=isLossyIn)

    def lose(self) -> None:
        """
        See a loss on one of the links.
        """
        self.look()
        stands = self.links[-1].stands
        assert stands is not None
        self.stands(self.links[-1], stands.repeated + 1)
        self.look()

    def send(self, train: Train = SMALL) -> int:
        """
        Send a train as a session does.

        @return: its number.
        """
        number, size = self.numbering.next, len(train.payload)
        self.bytes += size
        link = self.scheduler.current
        assert link is not None
        for each in self.links:
            each.whenSent = self.count
        if self.duplication.isOn and (self.duplication.spreads or size <= SMALL_BYTES):
            self.duplication.send([train], size, link, self.clock.seconds())
        else:
            link.send([train], self.clock.seconds())
        return number

    def count(self) -> None:
        """
        A link gives the next number.
        """
        self.numbering.next = self.numbering.next + 1 & LAST_NUMBER

    def shares(self, seconds: float = 0.0) -> list[list[int]]:
        """
        Send something and let some time pass.

        @return: how much of it each link was given first, and how much each was given again.
        """
        sent = [len(link.sent) for link in self.links]
        again = [len(link.again) for link in self.links]
        self.send()
        self.clock.advance(seconds)
        return [
            [len(link.sent) - before for link, before in zip(self.links, sent, strict=True)],
            [len(link.again) - before for link, before in zip(self.links, again, strict=True)],
        ]

    def copies(self) -> list[int]:
        """
        @return: numbers of what was sent again, link by link.
        """
        return [number for link in self.links for number, _ in link.again]

    def missed(self, *missing: Missing) -> None:
        """
        The other end says what it misses, in good time.
        """
        self.clock.rightNow += SAME_REPORT_SECONDS + 0.0001
        self.duplication.missed(list(missing), ROUND_TRIP)


class CopiesTests(_DuplicationTestCase):
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
        self.duplication.send(trains, 11, current, self.clock.seconds())
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
        Also between two looks.
        """
        self.lose()
        for link in self.links[1:]:
            self.scheduler.remove(link)
            self.duplication.forget(link)
        self.send()
        self.assertEqual(self.copies(), [])
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

    def test_ofAHeavyFlowOnlySmallOnesGoTwice(self) -> None:
        """
        The first time through the link in use.
        """
        self.lose()
        while self.clock.seconds() < self.duplication.lookAt:
            self.clock.rightNow += 0.001
            self.bytes += FIRST_WINDOW_BYTES
        self.look()
        self.assertEqual((self.duplication.isOn, self.duplication.spreads), (True, False))
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
        self.clock.rightNow += 1.0
        self.look()
        for _ in range(SAVED // SMALL_BYTES):
            self.send()
        sent = len(self.copies()) * SMALL_BYTES
        self.assertTrue(0 <= GRANTED_BYTES_PER_SECOND - sent < 2 * SMALL_BYTES, sent)

    def test_aFlowThatLosesWantsSomeLinks(self) -> None:
        """
        And one of many datagrams all of them.
        """
        self.lose()
        self.assertEqual(self.demand.links(self.clock.seconds()), LOSSY_LINKS)
        for _ in range(100):
            self.send(Train(9, bytes(9)))
        self.look(roundTrip=0.1)
        self.assertEqual(self.demand.links(self.clock.seconds()), ALL_LINKS)

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


class ApartTests(_DuplicationTestCase):
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


class HeavyTests(_DuplicationTestCase):
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


class MissedTests(_DuplicationTestCase):
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
        self.begin(Duplicate.AUTO, links=1)
        self.keep(self.links[0], 7)
        self.missed((7, 1))
        self.assertEqual(self.copies(), [])

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
        Be heavy at the next look.
        """
        self.bytes += 1000 * FIRST_WINDOW_BYTES
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
        self.duplication.report([(7, 2)])
        told = [link.reports for link in self.links]
        self.assertEqual(sorted(told), [[]] * (len(self.links) - REPORTS) + [[[(7, 2)]]] * REPORTS)
        self.duplication.report([(8, 1)])
        self.assertEqual([len(link.reports) for link in self.links], [1] * 4)

    def test_whereThereIsNoLinkNobodyIsTold(self) -> None:
        self.begin(Duplicate.AUTO, links=0)
        self.duplication.report([(7, 2)])

    def test_throughOneLinkItIsToldOnce(self) -> None:
        self.begin(Duplicate.AUTO, links=1)
        self.duplication.report([(7, 2)])
        self.assertEqual(self.links[0].reports, [[(7, 2)]])

    def test_throughTwoLinksItIsToldOnceEach(self) -> None:
        """
        Also when one of them waits for a repair.
        """
        self.begin(Duplicate.AUTO, links=2)
        self.duplication.report([(7, 2)])
        self.stands(self.links[0], isWaiting=True)
        self.stands(self.links[1])
        self.clock.rightNow += 1.0
        self.duplication.report([(8, 1)])
        self.assertEqual([link.reports for link in self.links], [[[(7, 2)], [(8, 1)]]] * 2)
