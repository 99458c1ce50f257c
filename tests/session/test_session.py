"""
A session and the tunnels that carry for it: what waits, what goes where, and in which order.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import uotp.session.load.loadcontrol
from tests.doubles.contracts import TimerTestCase
from tests.doubles.sessions import MemoryLink
from uotp.order import Order
from uotp.path import TROUBLED, PathStats
from uotp.process.turns import Unlimited
from uotp.session.backlog import MAX_AGE_SECONDS, MAX_BACKLOG_BYTES, SMALL_BYTES
from uotp.session.counts import SessionCounts
from uotp.session.load.loadcontrol import (
    JUDGE_SECONDS,
    LIGHT_JUDGE_SECONDS,
    MAX_PORTION_BYTES,
    MIN_PORTION_BYTES,
    PORTIONS_IN_FLIGHT,
)
from uotp.session.load.parallelism import FIRST_PARALLELISM, Parallelism
from uotp.session.load.shortqueue import STALLS_SECONDS
from uotp.session.load.standingqueue import MIN_BOUND_BYTES, STANDSTILL_SECONDS, UNLOADED_SECONDS
from uotp.session.outbound import (
    ANSWERED_LOOK_SECONDS,
    CLEAN_LOOK_SECONDS,
    STUCK_BYTES,
    STUCK_SECONDS,
    WAIT_SECONDS,
)
from uotp.session.recovery.duplication import LIGHT_LOOK_SECONDS
from uotp.session.recovery.grant import GRANTED_BYTES_PER_SECOND, SAVED_SECONDS
from uotp.session.recovery.handover import RELIEVE_SECONDS
from uotp.session.recovery.reinjection import AGAIN_WAIT_SECONDS, STILL_LOOK_SECONDS
from uotp.session.reordering.hold import FIRST_HOLD_SECONDS, ROUND_TRIPS
from uotp.session.reordering.missing import SOON_SECONDS
from uotp.session.scheduling.costs import BYTES_PER_SECOND_FAR
from uotp.session.scheduling.scheduler import LOOK_SECONDS, MOST_LOOKS
from uotp.session.scheduling.stickiness import FIRST_WINDOW_BYTES, LONGEST_STAY_SECONDS, STAY_SECONDS
from uotp.session.session import Session, SessionStatistics
from uotp.telemetry.drops import Drop, Drops
from uotp.train import NOTHING_WAITS, TRAIN_OVERHEAD_BYTES, Train, bytesOf, countOf, cut

ROUND_TRIP = 0.04
"""Seconds, on a path that is not short."""


def numbered(number: int, size: int = 8) -> Train:
    """
    @return: a train that one can tell from others.
    """
    return Train(size, number.to_bytes(size, "big"))


def bulk(number: int) -> Train:
    """
    @return: one that is not small.
    """
    return numbered(number, SMALL_BYTES + 1)


class FullParallelism:
    """
    Lets all tunnels carry, always.
    """

    most = 1 << 30

    def __init__(self, now: float) -> None:
        self.resets = 0

    def judge(self, paths: object, now: float) -> int:
        return self.most

    def reset(self) -> int:
        self.resets += 1
        return self.most

    def forget(self, tunnel: object) -> None:
        """
        Remember nothing.
        """


class SessionTests(SynchronousTestCase):
    """
    Send and receive in a session whose tunnels may all carry.
    """

    def setUp(self) -> None:
        self.patch(uotp.session.load.loadcontrol, "Parallelism", FullParallelism)
        self.clock = Clock()
        self.drops = Drops()
        self.delivered: list[Train] = []
        self.answers = 0
        self.session = Session(self.delivered.extend, self.drops, self.clock, Unlimited(), self.answered)

    def answered(self) -> None:
        """
        The other end has sent something.
        """
        self.answers += 1

    def send(self, *numbers: int) -> None:
        """
        Send from the UDP side.
        """
        for number in numbers:
            self.session.outbound.send([numbered(number)])

    def open(self, room: int = 1 << 30) -> MemoryLink:
        """
        @return: one more tunnel.
        """
        tunnel = MemoryLink(room)
        tunnel.carryFor(self.session)
        return tunnel

    def test_firstDatagramsOfAFlowWaitForATunnel(self) -> None:
        self.send(1, 2, 3)
        tunnel = self.open()
        self.send(4)
        self.assertEqual(tunnel.sent, [numbered(number) for number in (1, 2, 3, 4)])
        self.assertEqual(self.drops.totals, {})

    def test_sessionAtRestHasNoQueueOfItsOwn(self) -> None:
        """
        Neither before it has used one nor after that: there may be thousands of sessions.
        """
        outbound, inbound = self.session.outbound, self.session.inbound
        assert inbound._resequencer is not None

        def owned() -> list[object]:
            assert inbound._resequencer is not None
            backlog = outbound._backlog
            queues = (backlog._small, backlog._bulk, outbound._reinjection._waiting)
            return [queue for queue in (*queues, inbound._resequencer._byAge) if queue is not NOTHING_WAITS]

        self.assertEqual(owned(), [])
        self.send(1)
        self.session.outbound.send([bulk(2)])
        inbound.numbered([(0, numbered(0)), (2, numbered(2))], self.clock.seconds())
        self.assertEqual(len(owned()), 3)
        self.open()
        inbound.numbered([(1, numbered(1))], self.clock.seconds())
        self.assertEqual(owned(), [])
        self.assertEqual(self.delivered, [numbered(number) for number in range(3)])

    def test_lightLoadStaysWithOneTunnel(self) -> None:
        first, second = self.open(), self.open()
        self.send(*range(50))
        self.assertEqual((len(first.sent), len(second.sent)), (50, 0))

    def test_standstillCostsALightLoadASecondInTurnAndNotAll(self) -> None:
        """
        A tunnel that takes all and brings nothing to the other end is left for a while,
        also when it does not seem to be in trouble.
        """
        standing, going = self.open(), self.open()
        for number in range(32):
            self.send(number)
            self.clock.advance(STAY_SECONDS / 8)
        self.assertEqual((len(standing.sent), len(going.sent)), (16, 16))
        self.assertEqual(standing.sent[:8], [numbered(number) for number in range(8)])
        self.assertEqual(going.sent[:8], [numbered(number) for number in range(8, 16)])

    def test_onlyWhatARestedTunnelCanCarryMovesOn(self) -> None:
        """
        It may send a little in each round trip.
        """
        first, second = self.openFar(), self.openFar()
        most = FIRST_WINDOW_BYTES / ROUND_TRIP
        self.sendEvenly(1.2 * most, 5 * STAY_SECONDS, answers=True)
        self.assertEqual(len(second.sent), 0)
        self.sendEvenly(0.8 * most, 2.5 * STAY_SECONDS, answers=True)
        self.assertTrue(second.sent)
        self.assertTrue(first.sent)

    def test_whereTunnelsLoseAllAreKeptWarm(self) -> None:
        """
        A flow moves on each second once it had to leave a tunnel, however much it is.
        """
        first, second, third = (self.openFar() for _ in range(3))
        self.sendEvenly(500_000, 0.5 * STAY_SECONDS, answers=True)
        first.costs = TROUBLED
        self.sendEvenly(500_000, 0.4 * STAY_SECONDS, answers=True)
        self.assertTrue(second.sent)
        self.assertEqual(len(third.sent), 0)
        first.costs = 0
        self.sendEvenly(500_000, STAY_SECONDS, answers=True)
        self.assertTrue(third.sent)
        before = [len(tunnel.sent) for tunnel in (first, second)]
        self.sendEvenly(500_000, 3 * STAY_SECONDS, answers=True)
        self.assertEqual([len(tunnel.sent) for tunnel in (first, second)], before)

    def test_lightFlowThatIsAnsweredKeepsItsTunnelForALimitedTime(self) -> None:
        """
        Where pongs come through it as well: to move on costs pings on one tunnel more.
        """
        first, second = self.openFar(pongs=True), self.openFar(pongs=True)
        self.sendEvenly(10_000, LONGEST_STAY_SECONDS - STAY_SECONDS, answers=True)
        self.assertEqual(len(second.sent), 0)
        self.sendEvenly(10_000, 2 * STAY_SECONDS, answers=True)
        self.assertTrue(second.sent)
        before = len(first.sent)
        self.sendEvenly(10_000, LONGEST_STAY_SECONDS / 2, answers=True)
        self.assertEqual(len(first.sent), before)

    def test_lightFlowMovesOnWhenItIsAnsweredNoMore(self) -> None:
        first, second = self.openFar(pongs=True), self.openFar(pongs=True)
        self.sendEvenly(10_000, 3.5 * STAY_SECONDS, answers=True)
        self.assertEqual(len(second.sent), 0)
        self.sendEvenly(10_000, 2 * STAY_SECONDS)
        self.assertTrue(second.sent)
        before = len(first.sent)
        self.sendEvenly(10_000, 2 * STAY_SECONDS)
        self.assertGreater(len(first.sent), before)

    def test_lightFlowOfATunnelWithoutPongsMovesOn(self) -> None:
        """
        What comes may come another way, and nobody else tells of a standstill.
        """
        _, second = self.openFar(), self.openFar()
        self.sendEvenly(10_000, 1.5 * STAY_SECONDS, answers=True)
        self.assertTrue(second.sent)

    def test_heavierLoadIsLeftAloneForALimitedTime(self) -> None:
        """
        A tunnel may have come to a standstill and still take all.
        """
        _, second = self.openFar(), self.openFar()
        self.sendEvenly(500_000, LONGEST_STAY_SECONDS, answers=True)
        self.assertEqual(len(second.sent), 0)
        self.sendEvenly(500_000, 2 * STAY_SECONDS, answers=True)
        self.assertTrue(second.sent)

    def test_tunnelFromWhichNothingComesBackAnyMoreIsLeft(self) -> None:
        """
        And the next, and each once: a flow of which nothing ever comes back is not moved about.
        """
        tunnels = [self.openFar() for _ in range(3)]
        self.sendEvenly(500_000, 5 * STAY_SECONDS, answers=True)
        self.assertEqual(len(tunnels[1].sent), 0)
        self.sendEvenly(500_000, 3.5 * STAY_SECONDS)
        self.assertTrue(all(tunnel.sent for tunnel in tunnels))
        self.sendEvenly(500_000, STAY_SECONDS)
        before = [len(tunnel.sent) for tunnel in tunnels[1:]]
        self.sendEvenly(500_000, 5 * STAY_SECONDS)
        self.assertEqual([len(tunnel.sent) for tunnel in tunnels[1:]], before)

    def test_fewAnswersAreNoSignOfAStandstill(self) -> None:
        _, second = self.openFar(), self.openFar()
        for _ in range(5):
            self.sendEvenly(500_000, 0.01, answers=True)
            self.sendEvenly(500_000, 4 * STAY_SECONDS)
        self.assertEqual(len(second.sent), 0)

    def openFar(self, *, pongs: bool = False) -> MemoryLink:
        """
        @param pongs: whether the other end's program answers through it.
        @return: one more tunnel, with a long round trip.
        """
        tunnel = self.open()
        tunnel.roundTrip = ROUND_TRIP if pongs else 0.0
        tunnel.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP)
        return tunnel

    def test_filledTunnelIsLeftForTheOneBefore(self) -> None:
        self.session.outbound._scheduler.narrow(2)
        first, cold, _ = self.open(), self.open(room=3), self.open(room=0)
        self.sendEvenly(100_000, 1.5 * STAY_SECONDS)
        self.assertEqual((len(first.sent), len(cold.sent)), (147, 3))
        self.assertEqual(self.drops.totals, {})

    def test_troubleIsLeftAtOnceAlsoWhenItIsTimeToMoveOn(self) -> None:
        """
        What is in trouble is not at rest, and yet not waited for.
        """
        first, second = self.open(), self.open()
        self.sendEvenly(100_000, 0.95 * STAY_SECONDS)
        first.costs = TROUBLED
        second.costs = 1
        self.sendEvenly(100_000, 0.1 * STAY_SECONDS)
        self.assertTrue(second.sent)
        second.costs, first.costs = TROUBLED, 1
        before = len(first.sent)
        self.sendEvenly(100_000, 0.03)
        self.assertGreater(len(first.sent), before)

    def test_lightLoadMovesOnWhenNothingIsOvertaken(self) -> None:
        first, second = self.open(), self.open()
        first.costs = second.costs = 1
        self.sendEvenly(100_000, 1.5 * STAY_SECONDS)
        self.assertEqual(len(second.sent), 0)
        first.costs = 0
        self.sendEvenly(100_000, 0.1 * STAY_SECONDS)
        self.assertTrue(second.sent)
        before = len(first.sent)
        self.sendEvenly(100_000, 1.5 * STAY_SECONDS)
        self.assertEqual(len(first.sent), before)
        self.sendEvenly(100_000, 0.7 * STAY_SECONDS)
        self.assertGreater(len(first.sent), before)

    def sendEvenly(self, rate: float, seconds: float, *, answers: bool = False) -> None:
        """
        Send datagrams from the UDP side for some time.

        @param rate: in bytes each second.
        @param answers: whether something comes back.
        """
        for number in range(round(rate * seconds / 1000)):
            self.clock.advance(1000 / rate)
            self.session.outbound.send([numbered(number, 1000)])
            if answers:
                self.session.inbound.unnumbered([numbered(number)], self.clock.seconds())

    def test_heavyLoadUsesEveryTunnelThatIsFree(self) -> None:
        """
        A slow one holds nobody up, and gets no more until it is free again.
        """
        slow, fast = self.open(room=2), self.open()
        self.send(*range(6))
        self.assertEqual([len(tunnel.sent) for tunnel in (slow, fast)], [2, 4])
        slow.makeRoom(10)
        self.send(6)
        self.assertEqual([len(tunnel.sent) for tunnel in (slow, fast)], [2, 5])

    def test_trainsWaitWhileAllTunnelsAreFull(self) -> None:
        """
        Whichever is free first takes them, as many as it can, and nothing overtakes.
        """
        size = MAX_PORTION_BYTES * 5 // 8  # one in each portion
        one, two = self.open(room=1), self.open(room=1)
        for number in range(6):
            self.session.outbound.send([numbered(number, size)])
        two.makeRoom(3)
        one.makeRoom(9)
        self.session.outbound.send([numbered(6, size)])
        self.assertEqual([train.payload[-1] for train in one.sent], [0, 5, 6])
        self.assertEqual([train.payload[-1] for train in two.sent], [1, 2, 3, 4])

    def test_whatWaitsIsWrittenInPortions(self) -> None:
        self.send(*range(100))
        tunnel = self.open()
        self.assertEqual(len(tunnel.writes), 1)
        tunnel.close()
        size = MIN_PORTION_BYTES // 4
        for number in range(10):
            self.session.outbound.send([numbered(number, size)])
        tunnel = self.open()
        self.assertEqual([bytesOf(trains) // size for trains in tunnel.writes], [4, 4, 2])

    def test_slowPathGetsSmallPortions(self) -> None:
        """
        As soon as it has shown that it is slow: a whole train would stand before
        everything else for long.  And whole trains again when it has become fast.
        """
        size = MIN_PORTION_BYTES // 4
        tunnel = self.open(room=1)
        self.load(tunnel, size, JUDGE_SECONDS / 4)
        self.session.outbound.send([numbered(0, size)] * 16)
        self.assertEqual([bytesOf(trains) for trains in tunnel.writes], [MIN_PORTION_BYTES] * 4)
        self.load(tunnel, 8 * size, JUDGE_SECONDS / 1000)
        self.session.outbound.send([numbered(0, size)] * 32)
        self.assertEqual([bytesOf(trains) for trains in tunnel.writes], [MAX_PORTION_BYTES] * 2)

    def load(self, tunnel: MemoryLink, size: int, seconds: float) -> None:
        """
        Offer twice as much as a tunnel takes, for a while, and then let it take all.

        @param size: of what it takes at one go.
        @param seconds: in which it takes that.
        """
        tunnel.makeRoom(1)
        for _ in range(round(4 * JUDGE_SECONDS / seconds)):
            self.session.outbound.send([numbered(0, size)])
            self.session.outbound.send([numbered(0, size)])
            self.clock.advance(seconds)
            tunnel.makeRoom(1)
        tunnel.makeRoom(1 << 30)
        tunnel.writes.clear()

    def test_tunnelsHaveLittleUnsentWhileTrainsWaitForANarrowPath(self) -> None:
        """
        One that comes then, too.  On a fast path they would idle, and where nothing waits it is of no use.
        """
        tunnel = self.open()
        for seconds, isNarrow in ((0.005, True), (0.0005, False), (0.005, True)):
            self.load(tunnel, 16 * 1024, seconds)
            self.assertEqual((seconds, tunnel.unsentBounds[-1]), (seconds, isNarrow))
        another = self.open()
        self.assertIs(another.unsentBounds[-1], True)
        another.close()
        self.clock.advance(JUDGE_SECONDS)
        self.send(1)
        self.assertIs(tunnel.unsentBounds[-1], True, "something had waited until now")
        self.clock.advance(LIGHT_JUDGE_SECONDS)
        self.send(2)
        self.assertIs(tunnel.unsentBounds[-1], False)
        said = len(tunnel.unsentBounds)
        self.load(tunnel, 16 * 1024, 0.0005)
        self.assertEqual(len(tunnel.unsentBounds), said)

    def test_smallDatagramsPassWhatWaitsOfTheBulk(self) -> None:
        """
        A handshake that comes last goes first.
        """
        for number in range(10):
            self.session.outbound.send([numbered(number, 1400)])
        self.send(11, 12)
        tunnel = self.open()
        sizes = [len(train.payload) for train in tunnel.sent]
        self.assertEqual(sizes, [8, 8] + [1400] * 10)
        self.assertEqual(self.drops.totals, {})
        self.assertLess(SMALL_BYTES, 1400)

    def test_longTrainIsSpreadWhenItsTunnelGetsFull(self) -> None:
        """
        What one does not take any more goes to the next, whole and in order.
        """
        train = Train(1000, b"".join(number.to_bytes(2, "big") * 500 for number in range(60)))
        one, two, three = self.open(room=1), self.open(room=1), self.open()
        trains = [train, train, train]
        self.assertGreater(bytesOf(trains), 2 * MAX_PORTION_BYTES)
        self.session.outbound.send(trains)
        sent = [*one.sent, *two.sent, *three.sent]
        self.assertTrue(one.sent and two.sent and three.sent)
        self.assertEqual(
            [datagram for each in sent for datagram in cut(each)],
            [datagram for each in trains for datagram in cut(each)],
        )
        for tunnel in (one, two, three):
            for portion in tunnel.writes:
                self.assertLessEqual(bytesOf(portion), MAX_PORTION_BYTES)

    def test_restOfALongTrainWaitsWhenAllGetFull(self) -> None:
        train = Train(1000, bytes(60000))
        tunnel = self.open(room=1)
        self.session.outbound.send([train, train])
        self.assertEqual(len(tunnel.writes), 1)
        tunnel.makeRoom(1 << 30)
        self.assertEqual(countOf(tunnel.sent), 120)
        self.assertEqual(self.drops.totals, {})

    def test_whatWaitedForTheFirstTunnelIsNotTooOldForIt(self) -> None:
        """
        To dial takes longer than a train may wait for one that is only full.
        """
        self.send(1)
        self.clock.advance(MAX_AGE_SECONDS)
        self.assertEqual(self.open().sent, [numbered(1)])
        self.assertEqual(self.drops.totals, {})

    def test_waitForAFullTunnelIsShort(self) -> None:
        """
        The program asks again meanwhile; but when all tunnels are lost it is long again.
        """
        tunnel = self.open(room=1)
        self.session.outbound.send([bulk(1)])
        self.session.outbound.send([bulk(2)])
        self.clock.advance(WAIT_SECONDS + 0.01)
        self.session.outbound.send([bulk(3)])
        tunnel.makeRoom(1)
        self.assertEqual(tunnel.sent, [bulk(1), bulk(3)])
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_STALE: 1})
        tunnel.abort()
        self.send(4)
        self.clock.advance(MAX_AGE_SECONDS)
        self.assertEqual(self.open().sent, [numbered(4)])

    def test_whatFitsIsOneWrite(self) -> None:
        tunnel = self.open()
        trains = [numbered(1), numbered(2, 1400), Train(0, b"")]
        self.session.outbound.send(trains)
        self.assertEqual(tunnel.writes, [trains])

    def test_tunnelThatRetransmitsIsLeftSoon(self) -> None:
        """
        What is sent behind a lost segment would wait for it.
        """
        lossy, well = self.open(), self.open()
        self.send(1)
        lossy.costs = TROUBLED
        self.clock.advance(LOOK_SECONDS)
        self.send(2)
        self.assertEqual((lossy.sent, well.sent), ([numbered(1)], [numbered(2)]))

    def test_tunnelInTroubleIsNotChosenWhileAnotherIsWell(self) -> None:
        """
        Neither when another is full, nor when it is time to move on.
        """
        first, lossy, well = self.open(room=1), self.open(), self.open()
        lossy.costs = TROUBLED
        self.send(*range(5))
        for _ in range(3):
            self.clock.advance(STAY_SECONDS)
            self.send(5)
        self.assertEqual([len(tunnel.sent) for tunnel in (first, lossy, well)], [1, 0, 7])

    def test_whereAllAreInTroubleTheLeastCarries(self) -> None:
        first, worse, better = self.open(room=1), self.open(), self.open()
        worse.costs, better.costs = TROUBLED + 2000, TROUBLED + 1000
        self.send(*range(3))
        self.clock.advance(LOOK_SECONDS)
        self.send(3)
        self.assertEqual([len(tunnel.sent) for tunnel in (first, worse, better)], [1, 0, 3])

    def test_lightLoadStaysInOrderWhateverTheOthersHold(self) -> None:
        """
        A tunnel that has something to send is no reason to leave it.
        """
        current, other = self.open(), self.open()
        current.costs = 20000
        for number in range(20):
            self.clock.advance(LOOK_SECONDS)
            self.send(number)
        self.assertEqual((len(current.sent), len(other.sent)), (20, 0))
        self.assertLess(20 * LOOK_SECONDS, STAY_SECONDS)

    def countLooks(self, link: MemoryLink) -> list[float]:
        """
        @return: when it was looked whether a link is in trouble, from now on.
        """
        looks: list[float] = []

        def look() -> bool:
            looks.append(self.clock.seconds())
            return False

        self.patch(link, "isTroubled", look)
        return looks

    def test_looksAreFew(self) -> None:
        """
        A look is a system call; a flood does not make one for each datagram.
        """
        tunnel, _ = self.open(), self.open()
        looks = self.countLooks(tunnel)
        self.clock.advance(LOOK_SECONDS)
        self.send(*range(1000))
        self.assertEqual(len(looks), 1)

    def beginToLose(self) -> list[MemoryLink]:
        """
        @return: links of a path that loses, so that what is light goes over two of them.
        """
        links = [self.open() for _ in range(3)]
        for link in links:
            link.stands = PathStats(9, 1, ROUND_TRIP, ROUND_TRIP)
        self.session.outbound._duplication._losses.look(links, self.clock.seconds())
        self.clock.advance(LIGHT_LOOK_SECONDS)
        self.send(1)
        self.assertEqual([link.again for link in links], [[(0, numbered(1))] if link.again else [] for link in links])
        self.assertEqual(sum(len(link.again) for link in links), 1)
        return links

    def test_onAPathThatLosesALightFlowGoesTwice(self) -> None:
        """
        Until a train has to wait.
        """
        links = self.beginToLose()
        for link in links:
            self.session.outbound.linkFull(link)
        self.send(2)
        for link in links:
            self.session.outbound.linkFree(link)
        for number in range(3, 9):
            self.send(number)
        self.assertEqual(sum(len(link.again) for link in links), 1)
        self.assertEqual(sum(len(link.sent) for link in links), 8)

    def test_copyOfWhatALostLinkHadIsNotSentToo(self) -> None:
        """
        All that it had goes through another one.
        """
        links = self.beginToLose()
        for _ in range(9):
            self.session.outbound._duplication._sentAgain.lostBoth(self.clock.seconds())
        before = sum(len(link.again) for link in links)
        self.send(2)
        [given] = [link for link in links if numbered(2) in link.sent]
        given.close()
        self.clock.advance(1.0)
        self.assertEqual(sum(len(link.again) for link in links), before)

    def test_endOfASessionLeavesNoCopyBehind(self) -> None:
        self.beginToLose()
        for _ in range(9):
            self.session.outbound._duplication._sentAgain.lostBoth(self.clock.seconds())
        self.send(2)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.session.finish(lambda: None)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(LIGHT_LOOK_SECONDS)
        self.send(3, 4)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def beginToLoseMuch(self) -> list[MemoryLink]:
        """
        Send as much as a rested tunnel cannot carry, and see a loss.

        @return: the tunnels, which are well.
        """
        links = [self.openFar(pongs=True) for _ in range(3)]
        self.session.outbound.roundTripChanged()
        self.sendEvenly(1_000_000, 1.0)
        links[2].stands = PathStats(0, 1, ROUND_TRIP, ROUND_TRIP, window=9)
        self.sendEvenly(1_000_000, 0.5)
        return links

    def test_tunnelsThatAHeavyFlowLeftAreNudged(self) -> None:
        """
        Also while nothing is sent any more, but not for ever.
        """
        links = self.beginToLoseMuch()
        self.assertEqual([link.nudges for link in links], [0, 0, 0])
        links[1].costs = TROUBLED
        self.sendEvenly(1_000_000, 0.1)
        during = links[1].nudges
        self.assertGreater(during, 1)
        for _ in range(50):
            self.clock.advance(0.001)
        self.assertGreater(links[1].nudges, during)
        self.assertEqual((links[0].nudges, links[2].nudges), (0, 0))
        for _ in range(2000):
            self.clock.advance(0.001)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whereNothingWasLostNobodyIsNudged(self) -> None:
        links = [self.openFar(pongs=True) for _ in range(3)]
        self.session.outbound.roundTripChanged()
        links[1].costs = TROUBLED
        self.sendEvenly(1_000_000, 1.0)
        self.assertEqual((links[1].nudges, self.clock.getDelayedCalls()), (0, []))

    def test_endOfASessionLeavesNobodyToBeNudged(self) -> None:
        [link, *_] = self.beginToLoseMuch()
        self.assertNotEqual(self.clock.getDelayedCalls(), [])
        link.close()
        self.session.finish(lambda: None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_aFlowThatBecomesHeavyIsMeasuredSoon(self) -> None:
        """
        Sooner than the next look that a light flow would have.
        """
        self.openFar(pongs=True)
        self.session.outbound.roundTripChanged()
        self.clock.advance(2.0)
        self.send(1)
        self.assertTrue(self.session.outbound._duplication.isLight)
        self.sendEvenly(1_000_000, LIGHT_LOOK_SECONDS / 2)
        self.assertFalse(self.session.outbound._duplication.isLight)

    def test_aHeavyFlowGoesToATunnelThatCanCarryIt(self) -> None:
        """
        A light one goes to the next.
        """
        first, small, *large = [self.openFar(pongs=True) for _ in range(4)]
        for link in (first, *large):
            link.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, window=400, pacingRate=10_000_000)
        small.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, window=10, pacingRate=100_000)
        self.session.outbound.roundTripChanged()
        self.sendEvenly(1_000_000, 0.5)
        self.assertEqual(self.session.outbound._costs.rate, 0.0, "nothing is lost")
        first.stands = PathStats(0, 1, ROUND_TRIP, ROUND_TRIP, window=400, pacingRate=10_000_000)
        self.sendEvenly(1_000_000, 0.5)
        self.assertGreater(self.session.outbound._costs.rate, 0.0)
        before = len(first.sent)
        first.costs = TROUBLED
        self.sendEvenly(1_000_000, 0.1)
        self.assertEqual(len(small.sent), 0)
        self.assertLess(len(first.sent) - before, 10)
        self.sendEvenly(1000, 5.0)
        self.assertEqual(self.session.outbound._costs.rate, 0.0)

    def test_whatAnotherTunnelHoldsThatIsStalledIsBroughtByOneThatSends(self) -> None:
        """
        Once, while losses are repaired, and as soon as there is such a one.  The one in use stays it.
        """
        first, stalled, warm = [self.openFar(pongs=True) for _ in range(3)]
        sends = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, window=400, pacingRate=10_000_000)
        first.stands = stalled.stands = sends
        warm.stands = sends._replace(window=401)
        outbound = self.session.outbound
        outbound.roundTripChanged()
        self.sendEvenly(1_000_000, 0.5)
        stalled.stands = sends._replace(window=4, isWaiting=True)
        stalled.costs, stalled.unsent = 50, [(7, Train(10, bytes(50)))]
        self.sendEvenly(1_000_000, 0.1)
        self.assertEqual(warm.again, [], "nothing is lost")
        first.stands = sends._replace(repeated=1)
        first.costs = warm.costs = 1
        self.sendEvenly(1_000_000, 0.3)
        self.assertGreater(outbound._costs.rate, 0)
        self.assertEqual(warm.again, [], "nobody may send at once")
        warm.costs = 0
        self.sendEvenly(1_000_000, 0.1)
        self.assertEqual(warm.again, [(7, Train(10, bytes(50)))])
        stalled.unsent = [(12, Train(10, bytes(50)))]
        self.sendEvenly(1_000_000, 0.3)
        self.assertEqual(len(warm.again), 1)
        self.assertIs(outbound._scheduler.current, first)
        stalled.stands = sends
        self.sendEvenly(1_000_000, 0.1)
        self.assertEqual(outbound._handover._relieved, set())
        stalled.stands = sends._replace(window=4, isWaiting=True)
        self.sendEvenly(1_000_000, 0.1)
        self.assertEqual(len(warm.again), 2)
        stalled.close()
        self.assertEqual(outbound._handover._relieved, set())

    def test_othersAreLookedAtNowAndThen(self) -> None:
        """
        Not at each look at the one in use.
        """
        link = self.openFar(pongs=True)
        sends = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, window=400, pacingRate=10_000_000)
        asked = 0

        def ask() -> PathStats:
            nonlocal asked
            asked += 1
            return sends

        self.patch(link, "pathStats", ask)
        now = self.clock.seconds()
        for step in range(100):
            self.session.outbound._handover.look(now + step * RELIEVE_SECONDS / 9.9)
        self.assertEqual(asked, 10)

    def test_aTunnelInDoubtTakesNothingOver(self) -> None:
        """
        It may be dead, and have the largest window.
        """
        stalled, warm, silent = [self.openFar(pongs=True) for _ in range(3)]
        for link, window in ((stalled, 4), (warm, 400), (silent, 900)):
            link.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, window=window)
        self.assertEqual(list(self.session.outbound._handover.takers(stalled)), [silent, warm])
        self.session.outbound._scheduler.doubted.add(silent)
        self.assertEqual(list(self.session.outbound._handover.takers(stalled)), [warm])

    def test_ofManyTunnelsThatStallFewAreAskedInOneLook(self) -> None:
        """
        What a look costs does not grow with their number.
        """
        links = [self.openFar(pongs=True) for _ in range(4 * MOST_LOOKS)]
        sends = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, window=400, pacingRate=10_000_000)
        for link in links:
            link.stands = sends
        self.session.outbound.roundTripChanged()
        self.sendEvenly(1_000_000, 0.5)
        links[0].stands = sends._replace(repeated=1)
        self.sendEvenly(1_000_000, 0.5)
        asked = 0

        def ask() -> PathStats:
            nonlocal asked
            asked += 1
            return sends._replace(window=4, isWaiting=True)

        for link in links[1:]:
            self.patch(link, "pathStats", ask)
            link.costs = 5000
        links[0].costs = 1  # so nobody may take anything, and each look goes on
        self.session.outbound._handover.look(math.inf)
        self.assertLess(asked, MOST_LOOKS * MOST_LOOKS)
        asked = 0
        self.session.outbound._handover.takers(links[0])
        self.assertLessEqual(asked, MOST_LOOKS)

    def test_smallDatagramsBesideAHeavyFlowGoThroughWhatIsAtRest(self) -> None:
        """
        However small its window is.
        """
        carries, *others = [self.openFar(pongs=True) for _ in range(3)]
        self.session.outbound.roundTripChanged()
        for link in (carries, *others):
            link.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, window=10)
        carries.stands = PathStats(0, 1, ROUND_TRIP, ROUND_TRIP, window=10)
        self.sendEvenly(1_000_000, 1.0)
        self.assertGreater(self.session.outbound._costs.rate, 0.0)
        self.session.outbound._scheduler.narrow(1)
        before = sum(len(link.sent) for link in others)
        self.session.outbound.linkFull(carries)
        self.send(1, 2, 3)
        self.assertEqual(sum(len(link.sent) for link in others) - before, 3)

    def test_linksOfALightFlowAreNotWatched(self) -> None:
        """
        And where the format has no empty frames, none is.
        """
        for numbers, rate in ((True, 5000), (False, 1_000_000)):
            self.setUp()
            link = self.openFar(pongs=True)
            link.numbers = numbers
            self.session.outbound.roundTripChanged()
            self.sendEvenly(rate, 1.5)
            link.stands = PathStats(0, 1, ROUND_TRIP, ROUND_TRIP, window=9)
            self.sendEvenly(rate, 1.5)
            self.assertTrue(self.session.outbound._duplication.isLossy(self.clock.seconds()))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_whatTheOtherEndMissesGoesThroughAnotherTunnel(self) -> None:
        one, other = self.open(), self.open()
        one.kept = [(7, numbered(7)), (8, numbered(8))]
        self.session.outbound.missed([(8, 1)])
        self.assertEqual((one.again, other.again), ([], [(8, numbered(8))]))

    def test_whatHasNotComeIsToldTheOtherEnd(self) -> None:
        tunnels = [self.open(), self.open()]
        self.session.inbound.numbered([(0, numbered(0)), (2, numbered(2))], self.clock.seconds())
        self.clock.advance(SOON_SECONDS + 0.001)
        self.assertEqual([tunnel.reports for tunnel in tunnels], [[[(1, 1)]]] * 2)
        self.session.finish(lambda: None)

    def test_lightFlowIsRarelyAskedForAQueue(self) -> None:
        """
        It has none where the round trip is not several seconds; and is judged soon once it is heavy.
        """
        tunnel = self.open()
        asked: list[float] = []

        def pathStats() -> PathStats:
            asked.append(self.clock.seconds())
            return PathStats(9, 0, ROUND_TRIP, ROUND_TRIP)

        self.patch(tunnel, "pathStats", pathStats)
        for _ in range(200):
            self.clock.advance(0.05)
            self.session.outbound.send([numbered(1, 200)])
        # Some ten each for this, for losses, for the load, and for whether to stay.  For this alone it could be 50.
        self.assertLess(len(asked), 60)
        self.session.outbound.linkFull(tunnel)
        asked.clear()
        for _ in range(10):
            self.clock.advance(0.05)
            self.send(1)
        self.assertTrue(asked)

    def test_tunnelThatWasJustSeenToBeWellIsNotAskedAgain(self) -> None:
        """
        A light flow that stays with one makes one system call for each look.
        """
        tunnel, other = self.open(), self.open()
        tunnel.kept = other.kept = [(0, numbered(0))]
        looks, otherLooks = self.countLooks(tunnel), self.countLooks(other)
        for number in range(9):
            self.clock.advance(ANSWERED_LOOK_SECONDS)
            self.send(number)
            other.sentAt = self.clock.seconds()
        self.assertEqual(len(looks), 9)
        self.assertTrue(otherLooks)

    def sendAndBeAnswered(self, number: int) -> None:
        """
        A datagram is sent, and its answer comes at once.
        """
        self.send(number)
        self.clock.advance(LOOK_SECONDS / 8)
        self.session.inbound.lone(number, numbered(number), self.clock.seconds())
        self.clock.advance(LOOK_SECONDS)

    def assertLooksAreApart(self, seconds: float, *, isLossy: bool) -> None:
        """
        @param isLossy: whether something was lost of late.
        """
        tunnel, _ = self.open(), self.open()
        first = 1
        self.sendAndBeAnswered(0)
        if isLossy:
            first = 2
            self.session.outbound._duplication._losses._lossyUntil = math.inf
            self.clock.advance(CLEAN_LOOK_SECONDS)
            self.sendAndBeAnswered(1)
        looks = self.countLooks(tunnel)
        for number in range(first, first + 200):
            self.sendAndBeAnswered(number)
        self.assertGreater(len(looks), 3)
        gaps = [later - earlier for earlier, later in pairwise(looks)]
        self.assertGreaterEqual(min(gaps), seconds - 2 * LOOK_SECONDS)  # once a second it is looked for losses
        self.assertLess(max(gaps), seconds + 2 * LOOK_SECONDS)

    def test_lightFlowThatIsAnsweredIsRarelyLookedAt(self) -> None:
        self.assertLooksAreApart(CLEAN_LOOK_SECONDS, isLossy=False)

    def test_whereThePathLosesItIsLookedAtMoreOften(self) -> None:
        self.assertLooksAreApart(ANSWERED_LOOK_SECONDS, isLossy=True)

    def assertEachIsLookedAt(self, link: MemoryLink) -> None:
        looks = self.countLooks(link)
        for number in range(100, 110):
            self.sendAndBeAnswered(number)
        self.assertGreaterEqual(len(looks), 9)

    def test_whileALinkStandsStillEachDatagramOfAnAnsweredFlowIsLookedAt(self) -> None:
        """
        What the link holds shall soon go through another.
        """
        still, current = self.open(), self.open()
        self.sendAndBeAnswered(0)
        self.session.outbound.linkFull(still)
        self.sendAndBeAnswered(1)
        still.kept, still.still, still.sentAt = [(7, numbered(7))], True, self.clock.seconds()
        seen = self.clock.seconds()
        looks = self.countLooks(current)
        number = 2
        while not current.again:
            self.sendAndBeAnswered(number)
            number += 1
        took = self.clock.seconds() - seen
        self.assertLess(took, CLEAN_LOOK_SECONDS + STILL_LOOK_SECONDS + 4 * LOOK_SECONDS)
        self.assertGreater(len(looks), 10)

    def test_afterTroubleEachDatagramOfAnAnsweredFlowIsLookedAt(self) -> None:
        lossy, well = self.open(), self.open()
        self.sendAndBeAnswered(0)
        lossy.costs = TROUBLED
        self.clock.advance(ANSWERED_LOOK_SECONDS)
        self.sendAndBeAnswered(1)
        self.assertEqual(well.sent, [numbered(1)])
        self.assertEachIsLookedAt(well)

    def test_whileTrainsWaitEachDatagramOfAnAnsweredFlowIsLookedAt(self) -> None:
        """
        How many links may carry is soon judged anew.
        """
        link = self.open(room=1)
        self.sendAndBeAnswered(0)
        self.send(1, 2)
        link.makeRoom(1 << 20)
        self.clock.advance(LOOK_SECONDS)
        self.assertEachIsLookedAt(link)

    def test_lightFlowWithoutAnAnswerIsLookedAtEachTime(self) -> None:
        tunnel, _ = self.open(), self.open()
        self.sendAndBeAnswered(0)
        self.sendAndBeAnswered(1)
        self.send(2)
        looks = self.countLooks(tunnel)
        for number in range(3, 13):
            self.clock.advance(1.1 * LOOK_SECONDS)
            self.send(number)
        self.assertEqual(len(looks), 10)

    def test_flowThatIsNotLightIsLookedAtInTimeThoughAnswersCome(self) -> None:
        """
        What comes says nothing of the last that was sent.
        """
        tunnel, _ = self.open(), self.open()
        self.sendAndBeAnswered(0)
        looks = self.countLooks(tunnel)
        for number in range(1, 400):
            self.send(number)
            self.session.inbound.lone(number, numbered(number), self.clock.seconds())
            self.clock.advance(LOOK_SECONDS / 4)
        self.assertGreater(len(looks), 75)
        self.assertLess(len(looks), 125)

    def test_lostTunnelIsUsedNoMore(self) -> None:
        one, two = self.open(), self.open()
        one.abort()
        self.send(1)
        two.close()
        self.send(2)
        three = self.open()
        self.assertEqual([tunnel.sent for tunnel in (one, two, three)], [[], [numbered(1)], [numbered(2)]])

    def test_whatALostTunnelHeldGoesThroughAnother(self) -> None:
        lost, other = self.open(), self.open()
        self.send(1)
        lost.kept = [(5, numbered(1)), (6, numbered(2))]
        lost.close()
        self.assertEqual(
            (lost.sent, other.again, other.sent), ([numbered(1)], [(5, numbered(1)), (6, numbered(2))], [])
        )

    def test_whatATunnelHoldsThatStandsStillGoesThroughAnother(self) -> None:
        seen: list[object] = []
        still, other = self.open(), self.open()
        self.send(1)
        still.kept, still.still, still.costs = [(0, numbered(1))], True, TROUBLED
        other.whenSent = lambda: seen.append(list(other.again))
        for number in (2, 3, 4):
            self.clock.advance(1.1 * STILL_LOOK_SECONDS)
            self.send(number)
        self.assertEqual((still.sent, other.sent), ([numbered(1)], [numbered(number) for number in (2, 3, 4)]))
        self.assertEqual(seen, [[], [(0, numbered(1))], [(0, numbered(1))]])

    def test_whereNoOtherTunnelIsWellNothingIsSentAgain(self) -> None:
        """
        What stands still may move yet; it goes as soon as one is well.
        """
        still, other = self.open(), self.open()
        self.send(1)
        still.kept, still.still, still.costs = [(0, numbered(1))], True, TROUBLED
        other.costs = TROUBLED
        for number in (2, 3, 4):
            self.clock.advance(1.1 * STILL_LOOK_SECONDS)
            self.send(number)
        self.assertEqual((still.again, other.again, still.kept), ([], [], [(0, numbered(1))]))
        other.costs = 0
        self.clock.advance(1.1 * STILL_LOOK_SECONDS)
        self.send(5)
        self.assertEqual((still.again, other.again), ([], [(0, numbered(1))]))

    def test_loneTunnelIsGivenNothingTwice(self) -> None:
        still = self.open()
        still.kept, still.still, still.costs = [(0, numbered(1))], True, TROUBLED
        for number in range(9):
            self.clock.advance(1.1 * STILL_LOOK_SECONDS)
            self.send(number)
        self.assertEqual((still.again, len(still.sent)), ([], 9))

    def test_whatIsToBeSentAgainIsWaitedFor(self) -> None:
        full, lost = self.open(room=1), self.open()
        self.send(1)
        lost.kept = [(5, numbered(1))]
        lost.close()
        self.assertTrue(self.session.outbound.waits)
        full.makeRoom(1)
        self.assertEqual((self.session.outbound.waits, full.again), (False, [(5, numbered(1))]))

    def test_whatIsNotSentAgainInTimeIsForgotten(self) -> None:
        """
        Also when nothing is sent any more.
        """
        _, lost = self.open(room=1), self.open()
        self.send(1)
        lost.kept = [(5, numbered(1))]
        lost.close()
        self.session.outbound.forgetStale()
        self.assertGreater(self.session.outbound.againBytes, 0)
        self.clock.advance(AGAIN_WAIT_SECONDS * 1.1)
        self.session.outbound.forgetStale()
        self.assertEqual(self.session.outbound.againBytes, 0)

    def test_whatIsSentAgainIsPutInItsPlace(self) -> None:
        self.session.inbound.numbered([(0, numbered(0)), (2, numbered(2))], self.clock.seconds())
        self.session.inbound.again([(1, numbered(1)), (2, numbered(2))], self.clock.seconds())
        self.session.inbound.numbered([(1, numbered(1))], self.clock.seconds())
        self.assertEqual(self.delivered, [numbered(number) for number in range(3)])
        self.assertEqual((self.session.inbound.late, self.session.inbound.bytes), (0, 24))

    def test_whatIsSentAgainGoesBeforeWhatWaits(self) -> None:
        full, lost = self.open(room=1), self.open(room=1)
        self.send(1, 2, 3)
        lost.kept = [(7, bulk(7)), (8, Train(MAX_PORTION_BYTES, bytes(MAX_PORTION_BYTES))), (9, numbered(9))]
        lost.close()
        self.assertEqual(full.again, [])
        full.makeRoom(1)
        self.assertEqual([number for number, _ in full.again], [7])
        full.makeRoom(3)
        self.assertEqual([number for number, _ in full.again], [7, 8, 9])
        self.assertEqual(full.sent, [numbered(1), numbered(3)])

    def test_nothingIsSentAgainWhereAllIsLost(self) -> None:
        full, lost = self.open(room=1), self.open()
        self.send(1)
        lost.kept = [(5, numbered(1))]
        lost.close()
        full.kept = [(0, numbered(1))]
        full.close()
        later = self.open()
        self.assertEqual(later.again, [])
        later.kept = [(6, numbered(6))]
        later.close()
        self.assertEqual(self.open().again, [])

    def test_whatWaitsTooLongIsDroppedAndCounted(self) -> None:
        self.send(1, 2)
        self.clock.advance(MAX_AGE_SECONDS / 2)
        self.send(3)
        self.clock.advance(MAX_AGE_SECONDS / 2 + 0.1)
        self.assertEqual(self.open().sent, [numbered(3)])
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_STALE: 2})

    def test_whatWaitsIsAllStaleAndTheTunnelIsStillFree(self) -> None:
        self.send(1)
        self.clock.advance(MAX_AGE_SECONDS + 1)
        tunnel = self.open()
        self.send(2)
        self.assertEqual(tunnel.sent, [numbered(2)])

    def test_whatWaitsIsBoundedAndTheOldestGoesFirst(self) -> None:
        size = 1400
        fit = MAX_BACKLOG_BYTES // (size + TRAIN_OVERHEAD_BYTES)
        for number in range(3 * fit):
            self.session.outbound.send([numbered(number, size)])
        self.assertEqual(self.open().sent, [numbered(number, size) for number in range(2 * fit, 3 * fit)])
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 2 * fit})

    def test_trainsFromAnyTunnelAreDelivered(self) -> None:
        trains = [numbered(1), Train(0, b""), Train(2, b"aabbc"), numbered(2)]
        self.session.inbound.unnumbered(trains[:3], self.clock.seconds())
        self.session.inbound.unnumbered(trains[3:], self.clock.seconds())
        self.assertEqual(self.delivered, trains)

    def test_repairedLossIsHandedOnBitByBit(self) -> None:
        read = [Train(1400, bytes([number]) * 1400 * 20) for number in range(10)]
        for train in read:
            self.session.inbound.unnumbered([train], self.clock.seconds())
        self.assertLess(countOf(self.delivered), 50)
        self.assertEqual(self.session.inbound.bytes, 200 * 1400)
        self.clock.pump([0.001] * 20)
        self.assertEqual(
            [one for train in self.delivered for one in cut(train)], [one for train in read for one in cut(train)]
        )
        done: list[float] = []
        self.session.finish(lambda: done.append(self.clock.seconds()))
        self.assertEqual(len(done), 1)
        self.session.inbound.unnumbered(read, self.clock.seconds())
        self.clock.advance(1)
        self.assertEqual((countOf(self.delivered), self.clock.getDelayedCalls()), (200, []))

    def test_numberedTrainsAreDeliveredInOrder(self) -> None:
        self.session.inbound.numbered([(0, numbered(0)), (2, numbered(2))], self.clock.seconds())
        self.assertEqual((self.delivered, self.answers), ([numbered(0)], 1))
        self.session.inbound.numbered([(1, numbered(1))], self.clock.seconds())
        self.assertEqual(self.delivered, [numbered(number) for number in range(3)])
        self.assertEqual((self.session.inbound.bytes, self.session.inbound.late), (24, 0))

    def test_linksThatAreStuckAreWaitedForWithLittle(self) -> None:
        """
        Whoever reads UDP is told each time something is dropped, and once when a link takes something again.
        """
        told: list[str] = []
        outbound = self.session.outbound
        outbound.tellStuck(lambda: told.append("stuck"), lambda: told.append("unstuck"))
        tunnel = self.open(room=1)
        self.send(0)
        big = Train(1000, bytes(10_000))
        for _ in range(40):
            outbound.send([big])  # more than may wait, but not for long
        self.assertEqual(told, [])
        self.assertGreater(outbound.backlogBytes, MAX_BACKLOG_BYTES - 10_000)
        self.clock.advance(STUCK_SECONDS + 0.01)
        for _ in range(3):
            for _ in range(8):
                outbound.send([big])
            self.assertLessEqual(outbound.backlogBytes, STUCK_BYTES)
        stuck = len(told)
        self.assertEqual(told, ["stuck"] * stuck)
        self.assertGreaterEqual(stuck, 10)
        waiting = outbound.backlogBytes
        tunnel.makeRoom(1)
        self.assertEqual(told[stuck:], ["unstuck"])
        self.assertLess(outbound.backlogBytes, waiting)
        tunnel.makeRoom(1000)
        dropped = self.drops.totals[Drop.BACKLOG_FULL] + self.drops.totals[Drop.BACKLOG_STALE]
        self.assertEqual(dropped + countOf(tunnel.sent[1:]), 64 * 10)

    def test_linkThatTakesNothingButWhatIsOldIsStuckNoMore(self) -> None:
        told: list[str] = []
        outbound = self.session.outbound
        outbound.tellStuck(lambda: told.append("stuck"), lambda: told.append("unstuck"))
        tunnel = self.open(room=1)
        self.send(0)
        for _ in range(2):
            outbound.send([Train(1000, bytes(MAX_BACKLOG_BYTES // 1000 * 1000))])
            self.clock.advance(WAIT_SECONDS)
            outbound.send([Train(1000, bytes(STUCK_BYTES))] * 2)
        self.assertEqual(set(told), {"stuck"})
        self.clock.advance(10)
        tunnel.makeRoom(1)
        self.assertEqual((told[-1], tunnel.sent[1:]), ("unstuck", []))

    def test_sessionWithoutLinksWaitsWithAsMuchAsEver(self) -> None:
        """
        Its first ones are being opened, or it will have others.  Who opens none keeps little.
        """
        told: list[str] = []
        outbound = self.session.outbound
        big = Train(1000, bytes(10_000))
        outbound.send([big])
        self.clock.advance(STUCK_SECONDS + 0.01)
        for _ in range(40):
            outbound.send([big])
        self.assertGreater(outbound.backlogBytes, MAX_BACKLOG_BYTES - 10_000)
        outbound.tellStuck(lambda: told.append("stuck"), lambda: told.append("unstuck"))
        outbound.send([big])
        self.assertLessEqual(outbound.backlogBytes, STUCK_BYTES)
        self.assertEqual(told, ["stuck"])
        self.open()
        self.assertEqual((told.count("unstuck"), told[-1], outbound.backlogBytes), (1, "unstuck", 0))

    def test_whatIsMissingForTooLongIsWaitedForNoMore(self) -> None:
        self.session.inbound.numbered([(0, numbered(0)), (2, numbered(2))], self.clock.seconds())
        self.clock.advance(FIRST_HOLD_SECONDS)
        self.assertEqual(self.delivered, [numbered(0), numbered(2)])
        self.session.inbound.numbered([(1, numbered(1))], self.clock.seconds())
        self.assertEqual((self.delivered[-1], self.session.inbound.late), (numbered(1), 1))

    def test_peerThatCountsAnewIsFollowed(self) -> None:
        self.session.inbound.numbered([(100000, numbered(0)), (100002, numbered(2))], self.clock.seconds())
        self.session.inbound.restart()
        self.session.inbound.numbered([(0, numbered(3)), (1, numbered(4))], self.clock.seconds())
        self.assertEqual(self.delivered, [numbered(number) for number in (0, 2, 3, 4)])
        self.assertEqual(self.session.inbound.late, 0)

    def test_finishedSessionHasNoTimer(self) -> None:
        self.session.inbound.numbered([(0, numbered(0)), (2, numbered(2))], self.clock.seconds())
        self.assertNotEqual(self.clock.getDelayedCalls(), [])
        self.session.finish(lambda: None)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.delivered, [numbered(0), numbered(2)])

    def test_farTunnelIsChosenWhenNearOnesHoldSomething(self) -> None:
        """
        As much as is sent in the time by which it is further; what is hardly further is as good.
        """
        far, near, other = self.open(), self.open(), self.open()
        far.roundTrip, near.roundTrip, other.roundTrip = 0.2, 0.04, 0.045
        self.session.outbound.roundTripChanged()
        costs = [self.session.outbound._costs.of(tunnel) for tunnel in (far, near, other)]
        self.assertEqual(costs, [int((0.2 - 0.04) * BYTES_PER_SECOND_FAR), 0, 0])
        for held, best in ((costs[0] - 1, near), (costs[0] + 1, far)):
            near.costs = other.costs = held
            self.assertIs(self.session.outbound._scheduler._best({far, near, other})[0], best)

    def test_nearestTunnelIsForgottenWhenItIsGone(self) -> None:
        near, far = self.open(), self.open()
        near.roundTrip, far.roundTrip = 0.01, 0.2
        self.session.outbound.roundTripChanged()
        self.assertGreater(self.session.outbound._costs.of(far), 0)
        near.close()
        self.assertEqual(self.session.outbound._costs.of(far), 0)

    def test_pathIsAsLongAsItsLongestTunnel(self) -> None:
        """
        So long may a gap take to be filled; of a tunnel that does not know, nothing is known.
        """
        self.open()
        self.session.outbound.roundTripChanged()
        tunnels = [self.open(), self.open()]
        for tunnel, roundTrip in zip(tunnels, (0.1, 0.16), strict=True):
            tunnel.roundTrip = roundTrip
        self.session.outbound.roundTripChanged()
        self.session.inbound.numbered([(0, numbered(0)), (2, numbered(2))], self.clock.seconds())
        self.clock.advance(0.16 * ROUND_TRIPS - 0.01)
        self.assertEqual(len(self.delivered), 1)
        self.clock.advance(0.02)
        self.assertEqual(len(self.delivered), 2)

    def test_whatWaitsIsKnownWhileATunnelWillTakeIt(self) -> None:
        """
        A program that stops waits for that, and not for a tunnel that is not there.
        """
        self.send(1)
        self.assertFalse(self.session.outbound.waits)
        tunnel = self.open(1)
        self.assertFalse(self.session.outbound.waits)
        self.send(2)
        self.assertTrue(self.session.outbound.waits)
        tunnel.makeRoom(9)
        self.assertFalse(self.session.outbound.waits)

    def test_firstAnswerIsSaidOnce(self) -> None:
        self.send(1)
        self.assertEqual((self.session.inbound.answered, self.answers), (False, 0))
        self.session.inbound.unnumbered([Train(0, b"")], self.clock.seconds())
        self.session.inbound.unnumbered([numbered(1)], self.clock.seconds())
        self.assertEqual((self.session.inbound.answered, self.answers), (True, 1))

    def test_nobodyNeedsToCareForTheAnswer(self) -> None:
        session = Session(self.delivered.extend, self.drops, self.clock, Unlimited())
        session.inbound.unnumbered([numbered(1)], self.clock.seconds())
        self.assertEqual(self.delivered, [numbered(1)])

    def test_eitherSideKeepsTheSessionActive(self) -> None:
        self.assertEqual(self.session.lastActive, 0)
        self.clock.advance(5)
        self.send(1)
        self.assertEqual(self.session.lastActive, 5)
        self.clock.advance(5)
        self.session.inbound.unnumbered([numbered(1)], self.clock.seconds())
        self.assertEqual(self.session.lastActive, 10)
        self.open()
        self.clock.advance(5)
        self.assertEqual(self.session.lastActive, 10)
        self.send(2)
        self.assertEqual(self.session.lastActive, 15)

    def test_bytesAreCountedBothWays(self) -> None:
        self.send(1, 2, 3)
        self.session.inbound.unnumbered([Train(2, b"aabbc")], self.clock.seconds())
        self.assertEqual((self.session.outbound.bytes, self.session.inbound.bytes), (24, 5))


class NarrowSessionTests(SynchronousTestCase):
    """
    Send in a session that uses few of its tunnels.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.patch(uotp.session.load.loadcontrol, "Parallelism", FullParallelism)
        self.session = Session(lambda _: None, Drops(), self.clock, Unlimited())
        self.session.outbound._scheduler.narrow(1)
        self.tunnels = [MemoryLink(room=1), MemoryLink(), MemoryLink()]
        for tunnel in self.tunnels:
            tunnel.carryFor(self.session)
        self.send(0, 1)
        self.assertEqual([len(tunnel.sent) for tunnel in self.tunnels], [1, 0, 0])

    def send(self, *numbers: int) -> None:
        """
        Send from the UDP side.
        """
        for number in numbers:
            self.session.outbound.send([bulk(number)])

    def sent(self) -> list[Train]:
        return [train for tunnel in self.tunnels[1:] for train in tunnel.sent]

    def test_whatWaitsGoesFirstWhenMoreMayCarry(self) -> None:
        self.clock.advance(JUDGE_SECONDS)
        self.send(2)
        self.assertEqual(self.sent(), [bulk(1), bulk(2)])

    def test_whatWaitsGoesWhenTheFullTunnelIsLost(self) -> None:
        self.tunnels[0].abort()
        self.assertEqual(self.sent(), [bulk(1)])
        self.send(2)
        self.assertEqual(self.sent(), [bulk(1), bulk(2)])

    def test_pauseOfTheSourceIsNoStandstill(self) -> None:
        """
        The tunnels have had nothing to take meanwhile.
        """
        parallelism: Any = self.session.outbound._load._parallelism
        parallelism.most = 1
        self.tunnels[0].makeRoom(2)
        self.clock.advance(10 * STANDSTILL_SECONDS)
        self.send(2, 3)
        self.clock.advance(JUDGE_SECONDS)
        self.send(4)
        self.assertEqual(self.sent(), [])
        self.assertEqual(parallelism.resets, 0)

    def test_smallDatagramsGoThroughATunnelThatIsAtRest(self) -> None:
        """
        They are in nobody's way, and do not wait for those that carry.
        """
        small = numbered(7)
        self.session.outbound.send([bulk(2), small])
        self.assertEqual(self.sent(), [small])

    def test_smallDatagramsWaitWhereNoTunnelIsAtRest(self) -> None:
        for tunnel in self.tunnels[1:]:
            tunnel.costs = 1
        self.session.outbound.send([bulk(2), numbered(7)])
        self.assertEqual(self.sent(), [])
        self.tunnels[0].makeRoom(9)
        self.assertEqual(self.tunnels[0].sent, [bulk(0), numbered(7), bulk(1), bulk(2)])

    def test_standstillLetsAllCarry(self) -> None:
        parallelism: Any = self.session.outbound._load._parallelism
        self.clock.advance(STANDSTILL_SECONDS + JUDGE_SECONDS)
        self.send(2)
        self.assertEqual(parallelism.resets, 1)


class SlowPathTests(SynchronousTestCase):
    """
    Load a path that is slow, and whose queue is long.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.session = Session(lambda _: None, Drops(), self.clock, Unlimited())
        self.tunnels = [MemoryLink(room=1) for _ in range(4)]
        self.acknowledged = 0
        for tunnel in self.tunnels:
            tunnel.carryFor(self.session)
            tunnel.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP)

    def load(self, seconds: float, roundTrip: float, rate: float = 25_000) -> None:
        """
        Send for some time, while the first tunnel takes one train after the other.
        """
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)
            self.acknowledged += int(rate * 0.05)
            self.tunnels[0].stands = PathStats(0, 0, roundTrip, ROUND_TRIP, acknowledged=self.acknowledged)
            self.session.outbound.send([bulk(1)])
            self.session.outbound.send([bulk(2)])
            self.tunnels[0].makeRoom(1)

    def test_littleIsInFlight(self) -> None:
        """
        In any tunnel, and one carries.
        """
        self.load(5, 2.0)
        bound = self.session.outbound._load._standingQueue.bound
        self.assertIsNotNone(bound)
        for tunnel in self.tunnels:
            self.assertEqual(tunnel.bounds[-1], bound)
            self.assertEqual(tunnel.allowedRoundTrip, 2.0)
        self.assertEqual(self.session.outbound._scheduler._carrying, {self.tunnels[0]})
        self.assertTrue(self.session.outbound.fillsPath)
        self.assertEqual(self.session.outbound.loadedRoundTrip, 2.0)

    def test_littleIsGivenAtOneGo(self) -> None:
        self.load(5, 2.0)
        bound = self.session.outbound._load._standingQueue.bound
        assert bound is not None
        self.tunnels[0].writes.clear()
        self.session.outbound.send([Train(1000, bytes(20_000))])
        for _ in range(30):
            self.tunnels[0].makeRoom(1)
        self.assertLessEqual(max(map(bytesOf, self.tunnels[0].writes)), bound // PORTIONS_IN_FLIGHT)

    def test_smallDatagramsStayWithTheOneThatCarries(self) -> None:
        """
        They would stand in the same queue, and have to wait at the other end besides.
        """
        self.load(5, 2.0)
        before = [len(tunnel.sent) for tunnel in self.tunnels[1:]]
        self.session.outbound.linkFull(self.tunnels[0])
        self.session.outbound.send([numbered(7)])
        self.assertEqual([len(tunnel.sent) for tunnel in self.tunnels[1:]], before)
        self.tunnels[0].makeRoom(1)
        self.assertIn(numbered(7), self.tunnels[0].writes[-1])

    def test_boundEndsWithTheQueue(self) -> None:
        self.load(5, 2.0)
        self.load(1, ROUND_TRIP)
        self.assertEqual([tunnel.bounds[-1] for tunnel in self.tunnels], [None] * 4)
        self.assertFalse(self.session.outbound.fillsPath)

    def test_boundOfALoadThatHasEndedSaysNothing(self) -> None:
        self.load(5, 2.0)
        self.clock.advance(UNLOADED_SECONDS + 0.1)
        self.assertFalse(self.session.outbound.fillsPath)
        self.assertEqual(self.session.outbound.loadedRoundTrip, 0.0)

    def test_shortQueueBoundsNothing(self) -> None:
        self.load(5, ROUND_TRIP + 0.2)
        self.assertEqual([set(tunnel.bounds) - {None} for tunnel in self.tunnels], [set()] * 4)

    def test_slowPathDoesNotStandStill(self) -> None:
        """
        Trains wait for longer than a standstill takes, but what was sent is acknowledged.  That
        is so before there is a bound.
        """
        self.tunnels[0].makeRoom(0)
        for number in range(20):
            self.clock.advance(0.05)
            self.acknowledged += 1250
            self.tunnels[0].stands = PathStats(0, 0, 2 * ROUND_TRIP, ROUND_TRIP, acknowledged=self.acknowledged)
            self.session.outbound.linkFull(self.tunnels[0])
            self.session.outbound.send([bulk(number)])
        self.assertIsNone(self.session.outbound._load._standingQueue.bound)
        self.assertEqual(self.session.outbound.parallelism, FIRST_PARALLELISM)

    def test_tunnelThatDiesOnASlowPathIsNoReasonToFillIt(self) -> None:
        """
        All may carry then, and have little in flight together.
        """
        self.load(5, 2.0)
        bound = self.session.outbound._load._standingQueue.bound
        assert bound is not None
        for _ in range(60):
            self.clock.advance(0.05)
            self.session.outbound.send([bulk(3)])
        self.assertEqual(len(self.session.outbound._scheduler._carrying), 4)
        self.assertEqual(self.tunnels[1].bounds[-1], max(bound // 4, MIN_BOUND_BYTES))

    def test_everyTunnelOfASlowPathMayDie(self) -> None:
        """
        Trains go on waiting, for longer than a standstill takes, until another is there.
        """
        self.load(5, 2.0)
        for tunnel in self.tunnels:
            self.session.outbound.linkGone(tunnel)
        for _ in range(100):
            self.clock.advance(0.05)
            self.session.outbound.send([bulk(3)])
        another = MemoryLink()
        another.carryFor(self.session)
        self.assertIn(bulk(3), another.sent)


class SessionStatisticsTests(TimerTestCase):
    """
    How a session stands, for whoever asks.
    """

    def test_everythingIsTold(self) -> None:
        """
        What came and went, what waits where, and how the links are.
        """
        self.clock.advance(100.0)
        session = Session(lambda _: None, Drops(), self.clock, Unlimited())
        self.addCleanup(session.finish, lambda: None)
        self.assertEqual(
            session.statistics(),
            SessionStatistics(
                counts=SessionCounts(),
                drops={},
                lastActive=100.0,
                links=0,
                parallelism=FIRST_PARALLELISM,
                backlogBytes=0,
                againBytes=0,
                roundTrip=0.0,
                heldBytes=0,
                pacedBytes=0,
                retransmissions=0,
            ),
        )
        self.clock.advance(1.0)
        session.outbound.send([Train(1400, bytes(2800))])
        self.assertEqual(session.statistics().backlogBytes, 2800 + TRAIN_OVERHEAD_BYTES)
        one, other = MemoryLink(), MemoryLink()
        one.roundTrip, other.roundTrip = 0.125, 0.25
        for link in (one, other):
            link.carryFor(session)
        session.outbound.roundTripChanged()
        session.inbound.numbered([(0, numbered(0)), (2, numbered(2))], self.clock.seconds())
        told = session.statistics()
        self.assertEqual((told.counts.bytesOut, told.counts.bytesIn), (2800, 2 * len(numbered(0).payload)))
        self.assertEqual((told.lastActive, told.links, told.roundTrip, told.backlogBytes), (101.0, 2, 0.25, 0))
        self.assertEqual(told.heldBytes, len(numbered(2).payload) + TRAIN_OVERHEAD_BYTES)

    def test_whatIsHandedOnLaterAndWhatCameLateAreTold(self) -> None:
        session = Session(lambda _: None, Drops(), self.clock, Unlimited(), order=Order.within(0.01))
        session.inbound.numbered([(1, numbered(1)), (3, Train(1400, bytes(1400 * 200)))], self.clock.seconds())
        self.clock.advance(0.01)
        session.inbound.numbered([(2, numbered(2))], self.clock.seconds())
        told = session.statistics()
        self.assertEqual(told.counts.late, 1)
        self.assertGreater(told.pacedBytes, 0)
        session.finish(lambda: None)
        self.clock.pump([0.001] * 100)
        self.assertEqual(session.statistics().pacedBytes, 0)

    def test_whatWaitsToBeSentAgainIsTold(self) -> None:
        session = Session(lambda _: None, Drops(), self.clock, Unlimited())
        self.addCleanup(session.finish, lambda: None)
        lost, full = MemoryLink(), MemoryLink(room=1)
        for link in (lost, full):
            link.carryFor(session)
        session.outbound.linkFull(full)
        lost.kept = [(7, Train(100, bytes(100)))]
        lost.close()
        self.assertEqual(session.statistics().againBytes, 100 + TRAIN_OVERHEAD_BYTES)


class BesideBulkTests(SynchronousTestCase):
    """
    Send small datagrams beside bulk that fills the path.
    """

    RATE = 5_000_000
    QUEUE = 0.03

    def setUp(self) -> None:
        self.clock = Clock()
        self.session = Session(lambda _: None, Drops(), self.clock, Unlimited())
        self.tunnels = [MemoryLink(room=1)] + [MemoryLink() for _ in range(3)]
        self.acknowledged = 0
        for tunnel in self.tunnels:
            tunnel.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, window=10)
            tunnel.carryFor(self.session)
        self.session.outbound._scheduler.narrow(1)

    def load(self, seconds: float, *, small: bool = True) -> None:
        """
        Send for some time, while the first tunnel takes one train after the other.
        """
        for _ in range(round(seconds / 0.02)):
            self.clock.advance(0.02)
            self.acknowledged += int(self.RATE * 0.02)
            self.tunnels[0].stands = PathStats(
                0, 0, ROUND_TRIP + self.QUEUE, ROUND_TRIP, acknowledged=self.acknowledged, isWaiting=True, window=300
            )
            self.session.outbound.send([bulk(1)])
            self.session.outbound.send([bulk(2), numbered(3)] if small else [bulk(2)])
            self.tunnels[0].makeRoom(1)

    def test_bulkIsSentALittleSlower(self) -> None:
        """
        Through one tunnel; and the small ones go through another.
        """
        self.load(0.5)
        for tunnel in self.tunnels:
            rate = tunnel.rates[-1]
            assert rate is not None
            self.assertLess(rate, self.RATE)
            self.assertGreater(rate, self.RATE / 2)
        self.assertEqual(self.session.outbound._scheduler._carrying, {self.tunnels[0]})
        self.assertIn(numbered(3), self.tunnels[1].sent)
        self.assertNotIn(numbered(3), self.tunnels[0].sent)

    def test_nobodyElseDecidesHowManyCarry(self) -> None:
        rests: list[float] = []
        self.load(0.5)
        self.patch(Parallelism, "rest", lambda _, now: rests.append(now))
        self.patch(Parallelism, "judge", lambda *_: self.fail("it was asked"))
        self.session.outbound._scheduler.narrow(2)
        self.load(1)
        self.assertEqual(self.session.outbound._scheduler._carrying, {self.tunnels[0]})
        self.assertGreater(len(rests), 2)

    def test_itNeedsNoOtherTunnel(self) -> None:
        for tunnel in self.tunnels[1:]:
            tunnel.close()
        self.load(0.5)
        self.assertIsNotNone(self.tunnels[0].rates[-1])
        self.assertIn(numbered(3), self.tunnels[0].sent)

    def test_bulkAloneIsNot(self) -> None:
        self.load(2, small=False)
        self.assertEqual([set(tunnel.rates) - {None} for tunnel in self.tunnels], [set()] * 4)

    def test_itEndsWithTheSmallDatagrams(self) -> None:
        self.load(0.5)
        self.load(3, small=False)
        self.assertEqual([tunnel.rates[-1] for tunnel in self.tunnels], [None] * 4)

    def test_itEndsForATunnelThatWasAway(self) -> None:
        """
        Its pong was overdue, and comes.
        """
        away = self.tunnels[2]
        self.load(0.5)
        self.session.outbound.linkGone(away)
        self.load(3, small=False)
        self.assertIsNotNone(away.rates[-1])
        self.session.outbound.linkFree(away)
        self.assertIsNone(away.rates[-1])

    def test_boundOfWhatIsInFlightEndsForATunnelThatWasAwayToo(self) -> None:
        outbound, away = self.session.outbound, self.tunnels[2]
        outbound._load._bindLinks(100_000, 1)
        outbound.linkGone(away)
        outbound._load._freeLinks()
        self.assertIsNotNone(away.bounds[-1])
        outbound.linkFree(away)
        self.assertIsNone(away.bounds[-1])

    def test_itBeginsForANewTunnelAtOnce(self) -> None:
        self.load(0.5)
        new = MemoryLink()
        new.carryFor(self.session)
        self.assertEqual(new.rates[-1:], self.tunnels[0].rates[-1:])

    def test_standstillEndsItToo(self) -> None:
        """
        The one tunnel may be dead: all may carry, as fast as they can.
        """
        self.load(0.5)
        self.tunnels[0].makeRoom(0)
        self.session.outbound.linkFull(self.tunnels[0])
        for _ in range(20):
            self.clock.advance(JUDGE_SECONDS / 4)
            self.session.outbound.send([bulk(4), numbered(5)])
        self.assertEqual([tunnel.rates[-1] for tunnel in self.tunnels], [None] * 4)
        self.assertEqual(len(self.session.outbound._scheduler._carrying), 4)

    def test_tunnelThatSendsNothingHandsOver(self) -> None:
        """
        What it holds unsent goes through those that have rested, and the bulk through the first of them.
        """
        self.load(0.5)
        stalled, small, *rested = self.tunnels
        stalled.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, isWaiting=True, window=4)
        small.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, isWaiting=True, window=10)
        stalled.unsent = [(7, Train(1000, bytes(20_000)))]
        self.clock.advance(0.02)
        self.session.outbound.send([bulk(4)])
        self.assertEqual([bytesOf(train for _, train in tunnel.again) for tunnel in rested], [14_000, 6_000])
        self.assertEqual([tunnel.again[0][0] for tunnel in rested], [7, 21])
        self.assertEqual((stalled.again, small.again), ([], []))
        self.assertIs(self.session.outbound._scheduler.current, rested[0])
        self.assertIn(bulk(4), rested[0].sent)

    def test_itHandsOverToTheOneThatMaySendMost(self) -> None:
        """
        One that has carried much before knows the path.  It takes all, if it may send so much.
        """
        self.load(0.5)
        stalled, *rested, warm = self.tunnels
        stalled.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, isWaiting=True, window=4)
        warm.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, isWaiting=True, window=300)
        stalled.unsent = [(7, Train(1000, bytes(60_000)))]
        self.clock.advance(0.02)
        self.session.outbound.send([bulk(4)])
        self.assertEqual(warm.again, [(7, Train(1000, bytes(60_000)))])
        self.assertEqual([tunnel.again for tunnel in rested], [[], []])
        self.assertIs(self.session.outbound._scheduler.current, warm)

    def test_theOneThatTookOverMayBeStoppedSoonAfter(self) -> None:
        self.assertLessEqual(STALLS_SECONDS, 0.1)
        self.load(0.5)
        for stalled in self.tunnels[:2]:
            self.session.outbound._scheduler.prefer(stalled)
            stalled.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, isWaiting=True, window=4)
            self.clock.advance(STALLS_SECONDS)
            self.session.outbound.send([bulk(4)])
            self.assertIsNot(self.session.outbound._scheduler.current, stalled)

    def test_whatIsHandedOverIsBounded(self) -> None:
        """
        It is sent twice in the end, as what is missed.  Where losses keep each window small a tunnel seems to
        send nothing all the time.  Another one carries then, but what it holds stays there.
        """
        size, outbound = 50_000, self.session.outbound
        stalled, *rested = self.tunnels
        for _ in range(20):
            outbound._scheduler.prefer(stalled)
            stalled.unsent, stalled.costs = [(7, Train(1000, bytes(size)))], size
            outbound._handover.leave(stalled, self.clock.seconds())
            self.assertIs(outbound._scheduler.current, rested[0])
        again = sum(bytesOf(train for _, train in tunnel.again) for tunnel in rested)
        granted = int(GRANTED_BYTES_PER_SECOND * SAVED_SECONDS)
        self.assertEqual(again, granted // size * size)
        self.assertEqual(stalled.unsent, [(7, Train(1000, bytes(size)))])

    def test_withoutAnotherItKeepsTheBulk(self) -> None:
        self.load(0.5)
        for tunnel in self.tunnels:
            tunnel.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, isWaiting=True, window=4)
        self.tunnels[0].unsent = [(7, bulk(1))]
        self.clock.advance(0.02)
        self.session.outbound.send([bulk(4)])
        self.assertEqual(self.tunnels[0].unsent, [(7, bulk(1))])

    def test_tunnelThatIsGoneIsForgotten(self) -> None:
        self.load(0.5)
        self.tunnels[0].close()
        self.assertNotIn(self.tunnels[0], self.session.outbound._load._shortQueue._acknowledged)


class LateTests(SynchronousTestCase):
    """
    Let a burst wait for tunnels that stand still, while others rest, and send nothing more.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.drops = Drops()
        self.session = Session(lambda _: None, self.drops, self.clock, Unlimited())
        self.tunnels = [MemoryLink(room=2 if number < FIRST_PARALLELISM else 1 << 30) for number in range(8)]
        for tunnel in self.tunnels:
            tunnel.stands = PathStats(99, 0, ROUND_TRIP, ROUND_TRIP)
            tunnel.carryFor(self.session)

    def burst(self) -> None:
        """
        Send more than the tunnels take that carry, but no more than may wait.
        """
        for number in range(10):
            self.session.outbound.send([bulk(number)])

    def waitFor(self, seconds: float) -> None:
        """
        Let time pass in small steps.
        """
        for _ in range(round(seconds / 0.001)):
            self.clock.advance(0.001)
            self.session.outbound.forgetStale()

    def sentByOthers(self) -> int:
        """
        @return: how many trains those have that rested.
        """
        return sum(len(tunnel.sent) for tunnel in self.tunnels[FIRST_PARALLELISM:])

    def test_theOthersTakeItInTime(self) -> None:
        self.burst()
        self.waitFor(STANDSTILL_SECONDS)
        self.assertEqual(self.sentByOthers(), 0)
        self.waitFor(WAIT_SECONDS - STANDSTILL_SECONDS)
        self.assertGreater(self.sentByOthers(), 0)
        self.assertEqual((self.session.outbound.backlogBytes, self.drops.totals), (0, {}))
        self.waitFor(1.0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_aBurstThatComesSoonAfterOneIsTakenInTimeToo(self) -> None:
        """
        A tunnel has taken something meanwhile.
        """
        self.burst()
        self.waitFor(0.2)
        self.tunnels[0].makeRoom(1)
        self.waitFor(0.2)
        self.assertEqual(self.sentByOthers(), 0)
        self.burst()
        self.waitFor(WAIT_SECONDS)
        self.assertGreater(self.sentByOthers(), 0)

    def test_twoJudgementsAreApart(self) -> None:
        """
        They tell what moves between them.
        """
        load, now = self.session.outbound._load, 1000.0
        load._judgedAt, load._judgeAt = now, now + JUDGE_SECONDS
        load.judgeSoon(now + JUDGE_SECONDS / 3)
        self.assertEqual(load._judgeAt, now + JUDGE_SECONDS)
        load.judgeSoon(now + JUDGE_SECONDS / 2)
        self.assertEqual(load._judgeAt, now + JUDGE_SECONDS / 2)

    def test_whileThereIsNoTunnelNobodyLooks(self) -> None:
        """
        Whatever comes takes what waits.
        """
        self.burst()
        for tunnel in self.tunnels[1:]:
            self.session.outbound.linkGone(tunnel)
        self.session.outbound.linkFull(self.tunnels[0])
        self.session.outbound.send([bulk(7)])
        self.session.outbound.linkGone(self.tunnels[0])
        self.assertGreater(self.session.outbound.backlogBytes, 0)
        self.clock.advance(STANDSTILL_SECONDS)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_theEndOfTheSessionLeavesNoTimer(self) -> None:
        self.burst()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.session.finish(lambda: None)
        self.assertEqual(self.clock.getDelayedCalls(), [])
