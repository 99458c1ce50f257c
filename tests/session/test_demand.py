"""
How many links a session wants.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.sessions import MemoryLink
from uotp.path import TROUBLED, PathStats
from uotp.process.turns import Unlimited
from uotp.session.demand import (
    HEAVY_LINKS,
    LIGHT_LINKS,
    LOSSES_APART_SECONDS,
    LOSSY_LINKS,
    MANY_LOSSES,
    MANY_LOSSES_SECONDS,
    MAX_LINKS,
    QUIET_BYTES,
    QUIET_LINKS,
    WANTED_SECONDS,
    Demand,
)
from uotp.session.inbound import Inbound
from uotp.session.scheduling.stickiness import FIRST_WINDOW_BYTES
from uotp.session.session import Session
from uotp.telemetry.drops import Drops
from uotp.train import Train

START = 1000.0
PATH = 0.04
"""The round trip of a path of average length."""


class DemandTests(SynchronousTestCase):
    """
    Tell what flows, and ask how many links that wants.
    """

    def setUp(self) -> None:
        self.demand = Demand(START)
        self.demand.roundTrip = PATH
        self.told: list[int] = []
        self.now = START
        self.demand.tellWanted(lambda: self.told.append(self.demand.links(self.now)))

    def flow(self, take: Callable[[int, float], int], each: int, gap: float, datagrams: int) -> None:
        """
        Let datagrams of one size come at one pace, as a way does: it says only what it is asked for.
        """
        size, asked = 0, take(0, self.now)
        for _ in range(datagrams):
            self.now += gap
            size += each
            if size >= asked:
                asked = take(size, self.now)

    def test_aFlowThatWasHeavyForAMomentIsLightAgain(self) -> None:
        """
        Though what came since was not counted at first; and one that stays heavy wants all on and on.
        """
        for each, links in ((600, LIGHT_LINKS), (20_000, HEAVY_LINKS)):
            for isOut in (True, False):
                self.setUp()
                take = self.demand.sent if isOut else self.demand.received
                size, asked = 0, take(0, self.now)
                for _ in range(20):
                    self.now += 0.001
                    size += 10_000
                    if size >= asked:
                        asked = take(size, self.now)
                self.assertEqual(self.demand.links(self.now), HEAVY_LINKS)
                for _ in range(round(2 * WANTED_SECONDS / 0.02)):
                    self.now += 0.02
                    size += each
                    if size >= asked:
                        asked = take(size, self.now)
                    self.demand.review(size, self.now)
                self.assertEqual(self.demand.links(self.now), links)

    def test_howManyAFlowWants(self) -> None:
        """
        By its size, its pace and the path, in either direction.
        """
        for each, gap, roundTrip, links in (
            (200, 0.01, PATH, LIGHT_LINKS),  # a game
            (160, 0.02, 0.3, LIGHT_LINKS),  # a call over a satellite
            (1400, 0.01, PATH, LIGHT_LINKS),  # 1.1 Mbit/s: 5.6 KB in a round trip
            (1400, 0.01, 0.2, HEAVY_LINKS),  # the same where it is 28 KB
            (1400, 0.0035, PATH, HEAVY_LINKS),  # 16 KB
            (1400, 0.0045, PATH, LIGHT_LINKS),  # 12 KB
            (60000, 0.02, 0.0, HEAVY_LINKS),  # 24 Mbit/s on a path of no length
            (1400, 0.01, 0.0, LIGHT_LINKS),
        ):
            for isOut in (True, False):
                self.setUp()
                self.demand.roundTrip = roundTrip
                self.flow(self.demand.sent if isOut else self.demand.received, each, gap, 500)
                self.assertEqual((each, gap, roundTrip, self.demand.links(self.now)), (each, gap, roundTrip, links))

    def test_heavyFlowIsKnownWithinTwiceWhatARestedConnectionSends(self) -> None:
        self.now += 10.0
        self.flow(self.demand.sent, 1400, 0.0001, 2 * FIRST_WINDOW_BYTES // 1400)
        self.assertEqual(self.told, [HEAVY_LINKS])

    def test_burstIsHeavyHoweverLongNothingWasSentBefore(self) -> None:
        """
        In one piece or in some; but not one that a rested connection sends in a round trip.
        """
        for pieces, each, links in ((1, 14000, HEAVY_LINKS), (16, 1400, HEAVY_LINKS), (9, 1400, QUIET_LINKS)):
            self.setUp()
            self.now += 100.0
            self.flow(self.demand.sent, each, 0.0001, pieces)
            self.assertEqual((pieces, self.demand.links(self.now)), (pieces, links))

    def test_lightFlowIsNotHeavyForItsManyBytes(self) -> None:
        self.flow(self.demand.received, 200, 0.01, 20000)
        self.assertEqual(self.told, [])

    def test_whatIsWantedIsWantedForAWhile(self) -> None:
        """
        And is told each time it becomes more, and not when it is seen again.
        """
        self.demand.waited(self.now)
        self.now += WANTED_SECONDS - 1
        self.demand.waited(self.now)
        self.now += WANTED_SECONDS - 1
        self.assertEqual((self.demand.links(self.now), self.told), (HEAVY_LINKS, [HEAVY_LINKS]))
        self.now += 2
        self.assertEqual(self.demand.links(self.now), QUIET_LINKS)
        self.demand.waited(self.now)
        self.assertEqual(self.told, [HEAVY_LINKS, HEAVY_LINKS])

    def test_aLightFlowThatGoesTwiceHasLinksThatRest(self) -> None:
        """
        Where losses come in bursts; otherwise as many as a heavy one are enough.
        """
        for inBursts, underWay, links in (
            (False, 0.0, LOSSY_LINKS),
            (False, 3.9, LOSSY_LINKS),
            (False, 4.0, HEAVY_LINKS),
            (False, 1e9, HEAVY_LINKS),
            (True, 0.0, LOSSY_LINKS),
            (True, 2.0, LOSSY_LINKS),
            (True, 4.0, 8),
            (True, 8.4, 16),
            (True, 9.0, 32),
            (True, 1e9, MAX_LINKS),
        ):
            self.setUp()
            self.demand.goesTwice(underWay, self.now, inBursts=inBursts)
            self.assertEqual((inBursts, underWay, self.demand.links(self.now)), (inBursts, underWay, links))

    def test_fewerAreWantedWhenTheGreaterNeedIsOver(self) -> None:
        self.demand.wantsAtLeast(6, START)
        self.demand.wantsAtLeast(3, START + 30)
        for seconds, links in ((30, 6), (59, 6), (61, 3), (89, 3), (91, QUIET_LINKS)):
            self.assertEqual((seconds, self.demand.links(START + seconds)), (seconds, links))

    def test_shortNeedDoesNotShortenALongOne(self) -> None:
        self.demand.wantsAtLeast(3, START, 100.0)
        self.demand.wantsAtLeast(3, START + 10, 5.0)
        self.assertEqual(self.demand.links(START + 99), 3)

    def lose(self, *seconds: float) -> int:
        """
        @return: how many links are wanted after losses at these times.
        """
        for at in seconds:
            self.demand.lost(START + at)
        return self.demand.links(START + seconds[-1])

    def test_oneLossWantsSomeMore(self) -> None:
        self.assertEqual(self.lose(0), LOSSY_LINKS)

    def test_oneLossIsSeenManyTimesAndCountsOnce(self) -> None:
        self.assertEqual(self.lose(*[look * LOSSES_APART_SECONDS / 50 for look in range(50)]), LOSSY_LINKS)

    def test_lossAfterLossWantsMany(self) -> None:
        self.assertEqual(self.lose(*range(MANY_LOSSES)), HEAVY_LINKS)

    def test_lossNowAndThenDoesNotWantMany(self) -> None:
        step = MANY_LOSSES_SECONDS / (MANY_LOSSES - 1) + 0.1
        self.assertEqual(self.lose(*[number * step for number in range(10)]), LOSSY_LINKS)

    def test_quietSessionWantsOne(self) -> None:
        """
        One that carries no more than keepalives; and two again soon after it carries something.
        """
        size, found = 0, []
        for seconds in range(0, 1200, 2):
            if seconds % 24 == 0:
                size += 100  # there and back
            if seconds == 900:
                size += 2 * QUIET_BYTES
            self.demand.review(size, START + seconds)
            found.append(self.demand.links(START + seconds))
        changes = [(2 * at, links) for at, links in enumerate(found) if at == 0 or links != found[at - 1]]
        ends = int(WANTED_SECONDS), 900 + int(WANTED_SECONDS)
        self.assertEqual(
            changes, [(0, LIGHT_LINKS), (ends[0], QUIET_LINKS), (900, LIGHT_LINKS), (ends[1], QUIET_LINKS)]
        )

    def test_lightSessionKeepsItsTwo(self) -> None:
        """
        However little it carries, if it is more than keepalives.
        """
        for seconds in range(0, 3600, 2):
            self.demand.review(seconds * 40, START + seconds)
            self.assertEqual(self.demand.links(START + seconds), LIGHT_LINKS)

    def test_sessionThatIsOverTellsNobody(self) -> None:
        self.demand.finish()
        self.demand.waited(START)
        self.assertEqual(self.told, [])

    def test_whatIsRememberedIsBounded(self) -> None:
        for number in range(3000):
            self.demand.wantsAtLeast(number % 500 + 3, START + number)
        self.assertLessEqual(len(self.demand._until), 501)


class DemandOfASessionTests(SynchronousTestCase):
    """
    See what in a session wants links.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.session = Session(lambda _: None, Drops(), self.clock, Unlimited())
        self.outbound = self.session.outbound
        self.addCleanup(self.session.finish, lambda: None)

    def link(self, room: int = 1 << 30) -> MemoryLink:
        """
        @return: a link that carries for the session.
        """
        link = MemoryLink(room)
        link.stands = PathStats(0, 0, PATH, PATH)
        link.carryFor(self.session)
        return link

    @property
    def wanted(self) -> int:
        return self.outbound.demand.links(self.clock.seconds())

    def test_whatIsSentWantsThem(self) -> None:
        self.link()
        self.assertEqual(self.wanted, LIGHT_LINKS)
        self.outbound.send([Train(1400, bytes(14000))])
        self.assertEqual(self.wanted, HEAVY_LINKS)

    def test_whatComesWantsThem(self) -> None:
        """
        As a lone train, or with others, with numbers or without.
        """
        train = Train(1400, bytes(14000))
        ways: tuple[Callable[[Inbound], None], ...] = (
            lambda inbound: inbound.lone(0, train, 0.0),
            lambda inbound: inbound.numbered([(0, train)], 0.0),
            lambda inbound: inbound.unnumbered([train], 0.0),
        )
        for receive in ways:
            self.setUp()
            receive(self.session.inbound)
            self.assertEqual(self.wanted, HEAVY_LINKS)

    def test_trainsThatWaitWantThem(self) -> None:
        """
        But not those that wait for the first of all, nor where the path has a long queue, which all
        links would have to pass.
        """
        for queue, wanted in ((0.0, HEAVY_LINKS), (0.2, LIGHT_LINKS)):
            self.setUp()
            self.outbound.send([Train(100, bytes(100))])
            self.assertEqual(self.wanted, LIGHT_LINKS)
            link = self.link()
            link.stands = PathStats(0, 0, PATH + queue, PATH)
            for expected in (LIGHT_LINKS, wanted):
                for _ in range(50):
                    self.clock.advance(0.01)
                    self.outbound.send([Train(100, bytes(100))])
                self.assertEqual((queue, self.wanted), (queue, expected))
                link.makeRoom(1)

    def test_lossOnTheWayOutWantsThem(self) -> None:
        """
        Also where the links repair losses all at once, so that none can be left for another; but not
        where a queue overflows.
        """
        for queue, wanted in ((0.0, LOSSY_LINKS), (0.2, LIGHT_LINKS)):
            self.setUp()
            for link in (self.link(), self.link()):
                link.costs = TROUBLED
                link.stands = PathStats(0, 0, PATH + queue, PATH)
            self.clock.advance(1.0)
            self.outbound.send([Train(100, bytes(100))])
            self.assertEqual((queue, self.wanted), (queue, wanted))

    def test_lossOnTheWayInWantsThem(self) -> None:
        """
        What fills a gap comes so late that it was sent again; a change of links makes no such gap.
        """
        inbound = self.session.inbound
        inbound.roundTripIs(PATH)
        for number, delay, wanted in ((1, 0.01, LIGHT_LINKS), (4, 0.1, LOSSY_LINKS)):
            before, after = (number - 1, Train(4, b"this")), (number + 1, Train(4, b"next"))
            inbound.numbered([before, after], self.clock.seconds())
            self.clock.advance(delay)
            inbound.numbered([(number, Train(4, b"late"))], self.clock.seconds())
            self.assertEqual((number, self.wanted), (number, wanted))
