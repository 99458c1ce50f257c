"""
The client's tunnels for one session, together.
"""

from __future__ import annotations

from twisted.internet import error

from tests.client.slots import (
    BYE,
    DRAIN,
    PING,
    REFUSAL,
    SESSION_ID,
    WELCOME,
    WELCOME_AT_FIRST,
    WELCOME_AT_SECOND,
    WELCOME_NEW,
    SlotTestCase,
)
from tests.doubles.dialling import Attempt
from uotp.client.dial.backoff import FIRST_SECONDS
from uotp.client.dial.dialqueue import Urgency
from uotp.client.dial.outage import LONE_SHARE
from uotp.client.pool import (
    FULL_PATH_SECONDS,
    HEDGE_SECONDS,
    PATIENT_REFUSALS,
    Pool,
    PoolOwner,
    PoolStatistics,
)
from uotp.client.slotstates import SlotState
from uotp.tunnel.heartbeat import GIVE_UP_SECONDS, LEAST_PATIENCE_SECONDS
from uotp.tunnel.link2 import Format2Link
from uotp.tunnel.states import TunnelState
from uotp.tunnel.tunnel import CLOSE_SECONDS, DRAIN_SECONDS
from uotp.wire.format2 import Kind, controlFrame


class RecordingPoolOwner:
    """
    Keeps how a pool stands with its server.

    @ivar wasForgotten: each time the server did not know the session any more.
    @ivar wasRefused: each time the server refused it for good.
    """

    def __init__(self) -> None:
        self.wasForgotten: list[Pool] = []
        self.wasRefused: list[Pool] = []
        self.isUp = False

    def forgotten(self, pool: Pool) -> None:
        self.wasForgotten.append(pool)

    def refused(self, pool: Pool) -> None:
        self.wasRefused.append(pool)

    def poolUp(self, pool: Pool) -> None:
        self.isUp = True

    def poolDown(self, pool: Pool) -> None:
        self.isUp = False


# It fits its seam.
_owner: type[PoolOwner] = RecordingPoolOwner


class PoolTests(SlotTestCase):
    """
    Dial, lose, replace and drain the tunnels of one session together.
    """

    def setUp(self) -> None:
        super().setUp()
        self.poolOwner = RecordingPoolOwner()
        self.forgotten = self.poolOwner.wasForgotten

    def pool(self, size: int = 4) -> Pool:
        """
        @return: a pool, which is stopped in the end.
        """
        self.context.choose(poolSize=size)
        pool = Pool(self.context, self.session, SESSION_ID, self.poolOwner)
        self.addCleanup(self.end, pool)
        return pool

    def widePool(self, size: int = 4) -> Pool:
        """
        @return: a pool that may have all its tunnels, and of which the first slot dials.
        """
        pool = self.pool(size)
        pool.start()
        pool.widen(size)
        return pool

    def openFirst(self, welcome: bytes = b"") -> None:
        """
        Let the first tunnel open, so that every slot dials.
        """
        self.context.attempts[0].open().dataReceived(welcome)

    def test_poolBeginsWithOneTunnel(self) -> None:
        pool = self.pool()
        self.assertEqual(len(self.context.attempts), 0)
        pool.start()
        self.openFirst()
        self.assertEqual((len(self.context.attempts), pool.isProved), (1, False))

    def test_poolGrowsAsItIsTold(self) -> None:
        """
        One tunnel after the other, never more than the settings say, and never fewer than
        before.
        """
        pool = self.pool()
        pool.start()
        self.openFirst()
        for tunnels, attempts in ((1, 1), (2, 2), (2, 2), (1, 2), (3, 3), (9, 4), (2, 4)):
            pool.widen(tunnels)
            self.assertEqual((len(self.context.attempts), pool.isProved), (attempts, True))

    def test_oneSlotDialsWhileNoneIsUp(self) -> None:
        """
        A source that sends much to a server that is away dials no more often.
        """
        pool = self.pool()
        pool.start()
        self.last.fail(error.ConnectionRefusedError())
        pool.widen(4)
        self.assertEqual(len(self.context.attempts), 1)
        for attempts in (2, 3, 4):
            self.waitForDial()
            self.assertEqual(len(self.context.attempts), attempts)
            self.last.fail(error.ConnectionRefusedError())
        self.waitForDial()
        self.assertEqual(len(self.context.attempts), 5)
        self.last.open()
        self.assertEqual(len(self.context.attempts), 8)

    def test_serverThatStaysAwayIsAskedSeldom(self) -> None:
        """
        27 times a minute, whatever the size of the pool, and more often in the first seconds.
        """
        self.context.chance = 0.5
        self.widePool(8)
        times = [self.clock.seconds()]
        while times[-1] < times[0] + 180:
            self.last.fail(error.ConnectionRefusedError())
            self.waitForDial()
            times.append(self.clock.seconds())
        self.assertEqual(sum(time < times[0] + 3 for time in times), 6)
        self.assertIn(sum(time >= times[0] + 120 for time in times), (26, 27, 28))
        self.context.chance = 1.0
        self.last.fail(error.ConnectionRefusedError())
        self.assertAlmostEqual(self.waitForDial(), 3.0)

    def test_serverThatHangsIsAskedAgainSoon(self) -> None:
        """
        What an attempt took counts as waited, and an attempt that takes longer than the first
        connects anew beside, so that nobody is away for more than 5 s after the server is back.
        """
        self.widePool(8)
        longest = self.context.settings.timeout + FIRST_SECONDS
        started = self.clock.seconds()
        for _ in range(40):
            self.assertLessEqual(self.waitForDial(), longest + 0.001)
        self.assertGreater(self.clock.seconds() - started, 40 * longest * 0.8)
        self.assertEqual(self.context.dials.underWay, 1)

    def test_slotThatHangsBesideOthersIsNoSooner(self) -> None:
        """
        The session has a tunnel, and nothing is urgent.
        """
        self.widePool(2)
        self.openFirst()
        for seconds in (4.2, 4.3, 4.45, 4.675, 5.0125, 5.51875, 6.278125, 7.4171875, 9.0, 9.0):
            self.assertAlmostEqual(self.waitForDial(), seconds)

    def test_oneSlotDialsWhenAllAreLost(self) -> None:
        """
        The first whose wait is over, and no later than it would otherwise; the others follow
        at once when it has got through.
        """
        self.widePool()
        self.openFirst()
        for attempt in self.context.attempts[1:]:
            attempt.open()
        for attempt in self.context.attempts:
            attempt.transport.lose()
        self.assertLess(self.waitForDial(), 0.25)
        self.clock.advance(1.0)
        self.assertEqual(len(self.context.attempts), 5)
        self.last.fail(error.ConnectionRefusedError())
        self.assertLess(self.waitForDial(), 0.5)
        self.assertEqual(len(self.context.attempts), 6)
        self.last.open()
        self.assertEqual(len(self.context.attempts), 9)

    def test_attemptsThatWereUnderWayGoOn(self) -> None:
        """
        Whichever of them opens first lets the others dial.
        """
        self.widePool()
        self.openFirst()
        self.context.attempts[0].transport.lose()
        self.waitForNothing()
        self.context.attempts[2].open()
        self.assertEqual(len(self.context.attempts), 5)

    def waitForNothing(self) -> None:
        """
        Let the waits after a first failure be over.
        """
        self.clock.advance(0.3)

    def test_proofIsWantedOfOneSlotWhileNoneIsUp(self) -> None:
        pool = self.widePool()
        self.last.fail(error.ConnectionRefusedError())
        pool.prove()
        self.assertEqual(len(self.context.attempts), 2)

    def test_urgencyTellsWhatTheTunnelIsFor(self) -> None:
        pool = self.pool()
        pool.start()
        told = [pool.urgency]
        self.openFirst()
        told.append(pool.urgency)
        pool.widen(1)
        told.append(pool.urgency)
        self.context.attempts[0].transport.lose()
        told.append(pool.urgency)
        self.assertEqual(told, [Urgency.FIRST, Urgency.FURTHER, Urgency.FURTHER_OF_PROVED, Urgency.FIRST_OF_PROVED])

    def slotsIn(self, **states: int) -> dict[SlotState, int]:
        """
        @return: how many slots are in each state; in those that are left out there is none.
        """
        return {state: states.get(state.name, 0) for state in SlotState}

    def test_statisticsTellHowTheSlotsStand(self) -> None:
        self.useFormat2()
        pool = self.pool()
        nothing = PoolStatistics(self.slotsIn(), wanted=0, tunnels=0, retiring=0, failures=0)
        self.assertEqual(pool.statistics(), nothing)  # slots are made when they are needed
        pool.start()
        pool.widen(4)
        self.openFirst(WELCOME)
        attempts = list(self.context.attempts)
        attempts[1].open().dataReceived(WELCOME)
        attempts[2].fail(error.ConnectionRefusedError())
        self.waitForDial()
        self.last.fail(error.ConnectionRefusedError())
        states = self.slotsIn(UP=2, WAITING=1, DIALLING=1)
        self.assertEqual(pool.statistics(), PoolStatistics(states, wanted=4, tunnels=2, retiring=0, failures=2))
        pool._slots[0].renew()
        states = self.slotsIn(RENEWING=1, UP=1, WAITING=1, DIALLING=1)
        self.assertEqual(pool.statistics(), PoolStatistics(states, wanted=4, tunnels=2, retiring=0, failures=2))
        self.welcomeLast()
        states = self.slotsIn(UP=2, WAITING=1, DIALLING=1)
        self.assertEqual(pool.statistics(), PoolStatistics(states, wanted=4, tunnels=2, retiring=1, failures=2))
        pool.drain()  # the tunnels that bring what is under way were not replaced
        states = self.slotsIn(STOPPED=4)
        self.assertEqual(pool.statistics(), PoolStatistics(states, wanted=0, tunnels=2, retiring=1, failures=2))
        self.end(pool)
        after = pool.statistics()
        self.assertEqual((after.slots, after.tunnels, after.retiring), (self.slotsIn(), 0, 0))

    def grownPool(self, wanted: int, size: int = 4) -> Pool:
        """
        @return: a proved pool of format 2 whose session wants so many tunnels, and has them.
        """
        self.useFormat2()
        self.session.demand.wanted = wanted
        pool = self.pool(size)
        pool.start()
        self.openFirst(WELCOME)
        pool.widen(size)
        self.openAll()
        return pool

    def test_aHeavyFlowHasHalfOfALargePool(self) -> None:
        for size, wanted, tunnels in ((4, 8, 4), (8, 8, 8), (16, 8, 8), (32, 8, 16), (32, 4, 4), (32, 20, 20)):
            self.setUp()
            pool = self.grownPool(wanted, size)
            self.assertEqual((size, wanted, self.tunnelsOf(pool)), (size, wanted, (tunnels, 0)))

    def tunnelsOf(self, pool: Pool) -> tuple[int, int]:
        """
        @return: how many tunnels are up, and how many were given up or replaced.
        """
        pool.checkInvariant()
        statistics = pool.statistics()
        return statistics.tunnels, statistics.retiring

    def test_tunnelsAreDialledWhenTheyAreWanted(self) -> None:
        """
        No more at once than that, and never more than there may be.
        """
        pool = self.grownPool(wanted=2)
        self.assertEqual((self.tunnelsOf(pool), pool.wanted), ((2, 0), 2))
        for wanted, dialled in ((2, 0), (3, 1), (99, 1)):
            self.session.demand.wanted = wanted
            pool.grow()
            self.assertEqual((wanted, self.context.dials.underWay), (wanted, dialled))
            self.openAll()
        self.assertEqual((self.tunnelsOf(pool), pool.wanted), ((4, 0), 4))

    def test_sourceThatIsNotProvedHasOneTunnelWhateverItWants(self) -> None:
        pool = self.pool()
        pool.start()
        self.openFirst()
        pool.grow()
        pool.review()
        self.assertEqual((len(self.context.attempts), pool.wanted), (1, 1))

    def test_userMayWantThemAtAllTimes(self) -> None:
        self.context.choose(minPool=3)
        pool = self.grownPool(wanted=1)
        for _ in range(3):
            self.assertEqual(self.tunnelsOf(pool), (3, 0))
            pool.review()

    def carry(self, amounts: list[int]) -> None:
        """
        Let the newest tunnels carry so many bytes.
        """
        for attempt, amount in zip(self.context.attempts[-len(amounts) :], amounts, strict=True):
            assert attempt.tunnel.link is not None
            attempt.tunnel.link.bytesOut += amount

    def test_tunnelsThatCarryLeastAreGivenUp(self) -> None:
        """
        In format 2 all that are too many, in good order: each says that nothing follows, and is
        closed when the server has said so too.
        """
        pool = self.grownPool(wanted=4)
        self.session.demand.wanted = 2
        pool.review()
        self.assertEqual(self.tunnelsOf(pool), (4, 0))
        self.carry([10, 1000, 20, 2000])
        pool.review()
        self.assertEqual(self.tunnelsOf(pool), (2, 2))
        states = [attempt.tunnel.state for attempt in self.context.attempts]
        drained, kept = TunnelState.DRAINING, TunnelState.OPEN
        self.assertEqual(states, [drained, kept, drained, kept])
        for attempt in self.context.attempts[::2]:
            self.assertIn(DRAIN, attempt.transport.getOutBuffer())
            attempt.tunnel.dataReceived(DRAIN)
        self.context.settle()
        self.assertEqual((self.tunnelsOf(pool), len(self.context.liveTunnels)), ((2, 0), 2))
        self.session.demand.wanted = 4
        pool.grow()
        self.openAll()
        self.assertEqual(self.tunnelsOf(pool), (4, 0))
        reachability = self.context.reachability
        self.assertEqual((reachability.ups - reachability.downs, reachability.reasons), (4, []))

    def test_tunnelsOfFormat1AreGivenUpOneByOne(self) -> None:
        """
        What the server sends through one that we close is lost, so it is the one that carries least.
        """
        pool = self.widePool(4)
        for attempt in self.context.attempts:
            if not attempt.done.called:
                attempt.open()
        self.session.demand.wanted = 2
        for left in (3, 2):
            pool.review()
            self.carry([10, 20, 30, 40])
            pool.review()
            self.assertEqual(self.tunnelsOf(pool)[0], left)
        self.assertEqual([each.transport.disconnecting for each in self.context.attempts], [True, True, False, False])

    def test_tunnelsThatAreWantedAgainAreKept(self) -> None:
        pool = self.grownPool(wanted=4)
        for wanted in (2, 4, 2):
            self.session.demand.wanted = wanted
            pool.review()
        self.assertEqual(self.tunnelsOf(pool), (4, 0))

    def test_slotsWithoutATunnelAreGivenUpFirst(self) -> None:
        """
        And what is not there is not dialled again.
        """
        pool = self.grownPool(wanted=4)
        for attempt in self.context.attempts[2:]:
            attempt.transport.lose()
        self.session.demand.wanted = 2
        pool.review()
        pool.review()
        self.assertEqual(self.tunnelsOf(pool), (2, 0))
        self.clock.advance(60.0)
        self.assertEqual(len(self.context.attempts), 4)

    def test_nothingIsGivenUpWhileNoTunnelAnswers(self) -> None:
        pool = self.grownPool(wanted=3)
        for attempt in self.context.attempts:
            attempt.transport.lose()
        self.session.demand.wanted = 1
        for _ in range(3):
            pool.review()
        self.assertEqual(sum(pool.statistics().slots[state] for state in (SlotState.WAITING, SlotState.DIALLING)), 3)
        pool.checkInvariant()

    def test_tunnelThatIsGivenUpMidwayLeavesNothing(self) -> None:
        """
        One waits to be dialled, one is being replaced, one could not be replaced.
        """
        pool = self.grownPool(wanted=4)
        slots = list(pool._slots)
        self.context.attempts[0].transport.lose()
        slots[2].renew()
        self.last.fail(error.ConnectionRefusedError())
        slots[1].renew()
        for slot in slots[:3]:
            slot.giveUp()
            slot.giveUp()
        self.assertEqual([slot.state for slot in slots], [SlotState.IDLE] * 3 + [SlotState.UP])
        self.assertEqual((self.context.dials.underWay, pool.statistics().failures), (0, 0))
        self.clock.advance(60.0)
        self.assertEqual(len(self.context.attempts), 6)

    def test_allTunnelsShowTheSameId(self) -> None:
        self.widePool()
        self.openFirst()
        for attempt in self.context.attempts[1:]:
            attempt.open()
        self.assertEqual([attempt.transport.getOutBuffer() for attempt in self.context.attempts], [SESSION_ID] * 4)

    def test_slotThatHangsHoldsNoOtherUp(self) -> None:
        self.widePool()
        self.openFirst()
        _, hanging, failing, other = self.context.attempts
        other.open()
        failing.fail(error.ConnectionRefusedError())
        self.assertEqual(self.session.says, ["free", "free"])
        self.clock.advance(0.3)
        self.assertEqual(len(self.context.attempts), 5)
        self.last.open()
        self.assertEqual(self.session.says, ["free"] * 3)
        self.assertFalse(hanging.cancelled)

    def test_lostTunnelIsReplacedAlone(self) -> None:
        self.widePool()
        self.openFirst()
        for attempt in self.context.attempts[1:]:
            attempt.open()
        self.context.attempts[1].transport.lose()
        self.waitForDial()
        self.assertEqual(len(self.context.attempts), 5)
        self.assertEqual([attempt.transport.disconnecting for attempt in self.context.attempts[:4]].count(True), 1)

    def test_stoppedPoolIsGoneForGood(self) -> None:
        pool = self.widePool(5)
        self.openFirst()
        self.context.attempts[1].connect()
        self.context.attempts[2].fail(error.ConnectionRefusedError())
        pool.leave()
        self.context.settle()
        self.clock.advance(CLOSE_SECONDS)
        self.context.settle()
        self.assertEqual(len(self.context.liveTunnels), 0)
        self.assertNoTimer()
        pool.start()
        pool.widen(5)
        self.assertEqual(len(self.context.attempts), 5)
        self.assertEqual((self.context.dials.underWay, self.context.dials.waiting), (0, 0))
        self.assertEqual(self.context.outage.longestWait(1.0), LONE_SHARE)

    def openAll(self) -> None:
        """
        Let every attempt that is under way succeed, in format 2.
        """
        for attempt in self.context.attempts:  # to which those are added that the first lets dial
            if not attempt.done.called:
                attempt.open().dataReceived(WELCOME)
                attempt.transport.getOutBuffer()

    def test_tunnelsAreReplacedOneAtATime(self) -> None:
        self.useFormat2()
        self.context.choose(maxBytes=10**9)
        self.context.chance = 0.0
        pool = self.widePool(3)
        self.openAll()
        pool.renewOld()
        self.assertEqual(len(self.context.attempts), 3)
        for attempt in self.context.attempts[1:]:
            assert attempt.tunnel.link is not None
            attempt.tunnel.link.bytesOut = 10**9
        for count in (4, 5):
            pool.renewOld()
            pool.renewOld()
            self.assertEqual(len(self.context.attempts), count)
            self.openAll()
        pool.renewOld()
        self.assertEqual(len(self.context.attempts), 5)
        drained = [attempt.tunnel.state is TunnelState.DRAINING for attempt in self.context.attempts]
        self.assertEqual(drained, [False, True, True, False, False])

    def test_tunnelThatCannotBeReplacedHoldsNoOtherUp(self) -> None:
        self.useFormat2()
        self.context.choose(maxBytes=100_000)
        pool = self.widePool(2)
        self.openAll()
        for attempt in self.context.attempts:
            assert attempt.tunnel.link is not None
            attempt.tunnel.link.bytesOut = 100_000
        pool.renewOld()
        self.last.fail(error.ConnectionRefusedError())
        pool.renewOld()
        self.assertEqual(len(self.context.attempts), 4)

    def test_nothingIsSaidToBeOverBeforeAllHasArrived(self) -> None:
        """
        The server forgets a session with the first bye.
        """
        self.useFormat2()
        pool = self.widePool(3)
        self.openAll()
        pool.drain()
        transports = [attempt.transport for attempt in self.context.attempts]
        self.assertEqual([transport.getOutBuffer() for transport in transports], [DRAIN] * 3)
        for attempt in self.context.attempts[1:]:
            attempt.tunnel.dataReceived(DRAIN)
        self.assertEqual([transport.stream for transport in transports], [[], [], []])
        self.context.attempts[0].tunnel.dataReceived(DRAIN)
        self.assertEqual([transport.stream for transport in transports], [[BYE]] * 3)

    def test_drainBeforeTheStartEndsAtOnce(self) -> None:
        pool = self.pool()
        pool.drain()
        self.assertEqual((pool._slots, pool._owner, self.context.attempts), ([], None, []))
        pool.start()
        self.assertEqual(self.context.attempts, [])

    def test_drainEndsThoughATunnelDoesNotAnswer(self) -> None:
        """
        It is closed after a while, and the others then say that they leave.
        """
        self.useFormat2()
        pool = self.widePool(2)
        self.openAll()
        pool.drain()
        silent, answering = self.context.attempts
        silent.transport.getOutBuffer()
        answering.transport.getOutBuffer()
        self.clock.advance(1.0)
        answering.tunnel.dataReceived(DRAIN)
        self.clock.advance(DRAIN_SECONDS - 1.0)
        self.assertTrue(silent.transport.disconnecting)
        silent.transport.settle()
        self.assertEqual(answering.transport.stream, [BYE])

    def test_poolOfFormat1IsDrainedByClosing(self) -> None:
        pool = self.widePool(2)
        self.openFirst()
        self.last.open()
        pool.drain()
        self.assertEqual([attempt.transport.disconnecting for attempt in self.context.attempts], [True, True])

    def test_sessionThatTheServerForgotIsNoticed(self) -> None:
        """
        When it is new to it though it was welcome before, and not the first time.
        """
        self.useFormat2()
        pool = self.widePool(2)
        self.openFirst(WELCOME_NEW)
        _, second = self.context.attempts
        second.open().dataReceived(WELCOME)
        self.assertEqual(self.forgotten, [])
        second.transport.lose()
        self.waitForDial()
        self.welcomeLast(WELCOME_NEW)
        self.assertEqual(self.forgotten, [pool])

    def refuseLast(self, hello: bytes) -> None:
        """
        Let the newest attempt be refused.
        """
        self.welcomeLast(hello)
        self.context.settle()

    def test_refusalIsForGoodWhenOurKeyIsAnother(self) -> None:
        """
        Also while other tunnels of it carry.  A session that never was let in fares no better with
        another id.
        """
        self.useFormat2()
        pool = self.widePool(2)
        pool.isOfOldKey = True
        self.refuseLast(REFUSAL)
        self.assertEqual(self.poolOwner.wasRefused, [])
        self.waitForDial()
        self.welcomeLast(WELCOME_NEW)
        self.assertEqual((self.poolOwner.isUp, pool.isOfOldKey), (True, False))
        pool.isOfOldKey = True
        self.refuseLast(REFUSAL)
        self.assertEqual(self.poolOwner.wasRefused, [pool])

    def test_refusalForNowIsForGoodWhenItStays(self) -> None:
        """
        A server that says no more than that, while no tunnel is up: a welcome makes the count begin anew.
        """
        self.useFormat2()
        pool = self.widePool(1)
        self.openFirst(WELCOME_NEW)
        for refusals in (PATIENT_REFUSALS - 1, PATIENT_REFUSALS):
            self.last.transport.lose()
            for _ in range(refusals):
                self.assertEqual(self.poolOwner.wasRefused, [])
                self.waitForDial()
                self.refuseLast(REFUSAL)
            if refusals < PATIENT_REFUSALS:
                self.waitForDial()
                self.welcomeLast()
        self.assertEqual(self.poolOwner.wasRefused, [pool])
        self.assertFalse(self.poolOwner.isUp)

    def test_refusalForNowBesideATunnelMeansThatItHasEnough(self) -> None:
        self.widePool(2)
        first = self.last.open()
        self.useFormat2()
        for _ in range(2 * PATIENT_REFUSALS):
            self.refuseLast(REFUSAL)
            self.waitForDial()
        self.assertIs(first.state, TunnelState.OPEN)
        self.assertEqual(self.poolOwner.wasRefused, [])

    def openPoolOfFormat2(self, size: int = 8) -> Pool:
        """
        @return: a pool of which every tunnel is open and has answered once.
        """
        self.useFormat2()
        pool = self.widePool(size)
        self.openAll()
        for attempt in self.context.attempts:
            self.pong(attempt, 1)
        return pool

    def pong(self, attempt: Attempt, number: int) -> None:
        """
        The server answers a ping.
        """
        attempt.tunnel.dataReceived(b"\2\0\0\0\0\x08" + bytes(4) + number.to_bytes(8, "big"))

    def ask(self, attempts: list[Attempt]) -> None:
        """
        Let tunnels ping, as those do that carry.
        """
        for attempt in attempts:
            assert isinstance(attempt.tunnel.link, Format2Link)
            attempt.tunnel.link._heartbeat.ask()

    def giveUp(self, count: int) -> None:
        """
        Let so many tunnels have no answer, until all of them are given up.
        """
        self.ask(self.context.attempts[:count])
        self.clock.advance(LEAST_PATIENCE_SECONDS)
        self.clock.advance(GIVE_UP_SECONDS)

    def test_tunnelsThatDoNotAnswerAreReplacedAtOnceBesideOneThatDoes(self) -> None:
        """
        One, two or seven of eight.
        """
        for count in (1, 2, 7):
            self.context.attempts.clear()
            pool = self.openPoolOfFormat2()
            self.giveUp(count)
            self.assertEqual(len(self.context.attempts), 8 + count)
            self.openAll()
            states = self.slotsIn(UP=8)
            self.assertEqual(pool.statistics(), PoolStatistics(states, wanted=8, tunnels=8, retiring=count, failures=0))
            pool.leave()

    def test_oneSlotDialsWhileNoTunnelAnswers(self) -> None:
        """
        The connections to a server that stands still stay open.  The others follow at once
        when the one has got through.
        """
        pool = self.openPoolOfFormat2()
        self.giveUp(8)
        self.assertEqual((len(self.context.attempts), self.context.dials.underWay), (9, 1))
        self.assertEqual(pool.urgency, Urgency.FIRST_OF_PROVED)
        for attempts in (10, 11, 12):
            self.waitForDial()
            self.assertEqual((len(self.context.attempts), self.context.dials.underWay), (attempts, 1))
        self.welcomeLast()
        self.assertEqual((len(self.context.attempts), self.context.dials.underWay), (19, 7))
        self.openAll()
        self.assertEqual(pool.statistics().slots, self.slotsIn(UP=8))

    def test_slotsThatDialGiveWayWhenNoTunnelAnswersAnyMore(self) -> None:
        """
        What was under way goes on, and is not tried again but by one.
        """
        self.openPoolOfFormat2()
        self.ask(self.context.attempts[:5])
        self.clock.advance(LEAST_PATIENCE_SECONDS)
        self.clock.advance(GIVE_UP_SECONDS - 0.1)
        self.giveUp(8)
        self.assertEqual((len(self.context.attempts), self.context.dials.underWay), (13 + 1, 6))
        for _ in range(6):
            self.clock.advance(1.0)
        self.assertEqual(self.context.dials.underWay, 1)

    def test_answerLetsTheOthersDialToo(self) -> None:
        """
        An old tunnel answers again: it is kept, and the others are replaced, or kept if they
        do so too.
        """
        pool = self.openPoolOfFormat2(4)
        first, second, third, fourth = self.context.attempts
        self.giveUp(4)
        self.assertEqual(len(self.context.attempts), 5)
        fourth.transport.lose()
        self.pong(second, 2)
        self.assertEqual(len(self.context.attempts), 7)
        self.assertEqual(pool.statistics().slots, self.slotsIn(UP=1, RENEWING=2, DIALLING=1))
        self.openAll()
        self.assertEqual(pool.statistics().slots, self.slotsIn(UP=4))
        self.assertEqual(
            [each.tunnel.state is TunnelState.OPEN for each in (first, second, third)], [False, True, False]
        )

    def test_tunnelsThatAllAnswerLateAreKept(self) -> None:
        """
        Nobody dials because the path was broken for a moment.
        """
        pool = self.openPoolOfFormat2()
        self.ask(self.context.attempts)
        self.clock.advance(LEAST_PATIENCE_SECONDS)
        for attempt in self.context.attempts:
            self.pong(attempt, 2)
        self.clock.advance(GIVE_UP_SECONDS)
        self.assertEqual(len(self.context.attempts), 8)
        self.assertEqual(pool.urgency, Urgency.FURTHER_OF_PROVED)

    def test_oneSlotDialsWhenTunnelsThatDoNotAnswerAreLost(self) -> None:
        """
        They count as lost already, and are not counted twice.
        """
        self.openPoolOfFormat2(4)
        self.giveUp(4)
        for attempt in self.context.attempts[:4]:
            attempt.transport.lose()
        self.clock.advance(1.0)
        self.assertEqual(len(self.context.attempts), 5)
        self.last.fail(error.ConnectionRefusedError())
        self.waitForDial()
        self.welcomeLast()
        self.assertEqual(len(self.context.attempts), 9)

    def test_proofIsWantedOfOneSlotWhileNoTunnelAnswers(self) -> None:
        pool = self.openPoolOfFormat2(4)
        self.giveUp(4)
        pool.prove()
        self.assertEqual((len(self.context.attempts), self.context.dials.underWay), (6, 1))

    def test_noTunnelIsDialledIntoAPathThatWeFill(self) -> None:
        """
        But one that does not answer is replaced; and the others are dialled when there is room.
        """
        pool = self.pool(3)
        pool.start()
        self.openFirst()
        self.session.fillsPath = True
        pool.widen(3)
        self.context.clock.advance(10 * FULL_PATH_SECONDS)
        self.assertEqual(len(self.context.attempts), 1)
        pool._slots[0].renew()
        self.assertEqual(len(self.context.attempts), 2)
        self.session.fillsPath = False
        self.context.clock.advance(FULL_PATH_SECONDS)
        self.assertEqual(len(self.context.attempts), 4)

    def test_poolThatWaitsForRoomLeavesNoTimer(self) -> None:
        pool = self.pool(3)
        pool.start()
        self.openFirst()
        self.session.fillsPath = True
        pool.widen(3)
        pool.leave()

    def test_oneTunnelIsDialledSoonWhereNoneShowsThatItIsGood(self) -> None:
        """
        The other end may know nothing of what has changed, and has one that it can use soon.
        """
        pool = self.openPoolOfFormat2(4)
        pool.prove()
        pool.prove()
        self.context.clock.advance(HEDGE_SECONDS - 0.01)
        self.assertEqual(len(self.context.attempts), 4)
        self.context.clock.advance(0.02)
        self.assertEqual(len(self.context.attempts), 5)
        self.assertLess(HEDGE_SECONDS, LEAST_PATIENCE_SECONDS)

    def test_nothingIsDialledInVainWhereOneTunnelIsGood(self) -> None:
        pool = self.openPoolOfFormat2(4)
        pool.prove()
        tunnel = self.context.attempts[0].tunnel
        assert isinstance(tunnel.link, Format2Link)
        tunnel.link.received(controlFrame(Kind.PONG, tunnel.link._heartbeat._asked.to_bytes(8, "big")))
        self.context.clock.advance(2 * HEDGE_SECONDS)
        self.assertEqual(len(self.context.attempts), 4)

    def test_poolThatIsOverDialsNothingBeside(self) -> None:
        pool = self.openPoolOfFormat2(4)
        pool.prove()
        pool.leave()
        self.context.clock.advance(2 * HEDGE_SECONDS)
        self.assertEqual(len(self.context.attempts), 4)

    def test_everyTunnelHasToProveItself(self) -> None:
        self.useFormat2()
        pool = self.widePool(3)
        self.openFirst(WELCOME)
        first, second, third = self.context.attempts
        first.tunnel.dataReceived(b"\2\0\0\0\0\x08" + bytes(4) + (1).to_bytes(8, "big"))
        second.fail(error.ConnectionRefusedError())
        first.transport.getOutBuffer()
        pool.prove()
        self.assertEqual(first.transport.getOutBuffer(), PING + (2).to_bytes(8, "big"))
        self.assertEqual((third.cancelled, len(self.context.attempts)), (True, 5))


class PoolAtOneServerTests(SlotTestCase):
    """
    Keep a session at one of several servers.
    """

    def setUp(self) -> None:
        super().setUp()
        self.useFormat2()
        self.context.choose(poolSize=2, minPool=2)
        self.poolOwner = RecordingPoolOwner()
        self.pool = Pool(self.context, self.session, SESSION_ID, self.poolOwner)
        self.addCleanup(self.end, self.pool)
        self.pool.start()
        self.pool.widen(2)
        self.welcomeLast(WELCOME_AT_FIRST)
        self.first = self.context.attempts[0]

    def test_firstThatIsWelcomedDecides(self) -> None:
        self.welcomeLast(WELCOME_AT_SECOND)
        self.assertEqual(self.pool.ready, 1)
        self.waitForDial()
        self.welcomeLast(WELCOME_AT_FIRST)
        self.assertEqual((self.pool.ready, self.poolOwner.wasForgotten), (2, []))
        self.pool.checkInvariant()

    def test_whenNoneIsLeftTheNextDecidesAnew(self) -> None:
        """
        The numbers begin anew, also where the other server had the session once.
        """
        self.last.fail(error.ConnectionRefusedError())
        self.first.transport.lose()
        self.waitForDial()
        self.welcomeLast(WELCOME_AT_SECOND)
        self.assertEqual((self.pool.ready, self.poolOwner.wasForgotten), (1, [self.pool]))
        self.pool.checkInvariant()

    def test_tunnelsThatDoNotAnswerAreLeftToTheOtherServer(self) -> None:
        """
        The server stands still, and its connections stay open.  When it goes on, the session is not there any more.
        """
        second = self.welcomeLast(WELCOME_AT_FIRST)
        attempts = len(self.context.attempts)
        self.clock.pump([0.1] * 50)
        self.assertEqual(self.pool.ready, 0)
        self.assertGreater(len(self.context.attempts), attempts)
        self.welcomeLast(WELCOME_AT_SECOND)
        self.assertEqual(self.poolOwner.wasForgotten, [self.pool])
        for each in (self.first, second):
            self.assertTrue(each.transport.getOutBuffer().endswith((BYE, DRAIN)))
        self.pool.checkInvariant()

    def test_serversThatNameThemselvesNotAreTakenForOne(self) -> None:
        """
        As before there were names, and beside one that has a name they are another.
        """
        self.welcomeLast(WELCOME)
        self.assertEqual(self.pool.ready, 1)
        self.assertEqual(self.context.reachability.strays, 1)
