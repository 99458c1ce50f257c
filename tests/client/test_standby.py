"""
Several servers: which of them may be tried, when a session leaves one, and the tunnel that stands by.
"""

from __future__ import annotations

from itertools import product

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.trial.unittest import SynchronousTestCase

from tests.client.slots import BYE, DRAIN, WELCOME_NEW
from tests.client.test_succession import numbered
from tests.doubles.contracts import TimerTestCase
from tests.doubles.dialling import Attempt, MemoryContext, serversOf
from uotp.client.sources.proof import MOMENT_SECONDS
from uotp.client.sources.source import SourceSession
from uotp.client.standby.health import (
    FIRST_REST_SECONDS,
    GOOD_SECONDS,
    HEALTH_STATES,
    MOST_ALONE_SECONDS,
    MOST_REST_SECONDS,
    Health,
    HealthEvent,
    HealthState,
)
from uotp.client.standby.judgement import (
    FAR_FOR_SECONDS,
    HEALTHY_GROWTH,
    HEALTHY_SECONDS,
    MOST_HEALTHY_SECONDS,
    RELAPSE_SECONDS,
    Judgement,
    isFarWorse,
)
from uotp.client.standby.servers import MOST_SEARCHED, ClientServers, MoveReason, Server
from uotp.client.standby.standby import DOWN_SECONDS, OPENING_SECONDS
from uotp.session.reordering.resequencer import FIRST_NUMBERS
from uotp.telemetry import RateLimit
from uotp.telemetry.drops import Drops
from uotp.train import Train
from uotp.tunnel.states import TunnelState
from uotp.tunnel.tunnel import CLOSE_SECONDS, DRAIN_SECONDS
from uotp.wire.hello import ServerHello, encodeServerHello
from uotp.wire.negotiation import WireChoice

PING = Train(4, b"ping")

ASKED = b"\1\0\0\0\0\x08" + bytes(4)
"""How a ping begins."""

EXPECTED = {
    HealthState.GOOD: {HealthEvent.FAILED: HealthState.RESTING},
    HealthState.RESTING: {HealthEvent.TRY: HealthState.TRIED, HealthEvent.OPENED: HealthState.GOOD},
    HealthState.TRIED: {
        HealthEvent.OPENED: HealthState.GOOD,
        HealthEvent.FAILED: HealthState.RESTING,
        HealthEvent.ABANDONED: HealthState.RESTING,
    },
}


def welcomeAt(number: int) -> bytes:
    """
    @return: the welcome of one instance, to which the session is new.
    """
    return encodeServerHello(ServerHello(True, True, 150, bytes([number]) * 8))


class HealthTests(SynchronousTestCase):
    """
    Let a server fail and come back.
    """

    def test_everyEventInEveryState(self) -> None:
        for state, event in product(HealthState, HealthEvent):
            self.assertEqual(HEALTH_STATES.get((state, event)), EXPECTED[state].get(event), (state, event))

    def test_oneTriesForAllWhatHasFailed(self) -> None:
        health = Health()
        self.assertTrue(health.mayTry(0))
        health.tried()
        self.assertTrue(health.mayTry(0))
        health.failed(0)
        self.assertFalse(health.mayTry(FIRST_REST_SECONDS - 0.1))
        self.assertTrue(health.mayTry(FIRST_REST_SECONDS))
        health.tried()
        self.assertFalse(health.mayTry(1000))
        health.abandoned()
        self.assertTrue(health.mayTry(1000))

    def test_restsGrowUpToABound(self) -> None:
        health, now, rests = Health(), 0.0, []
        for _ in range(9):
            health.failed(now)
            begun = now
            while not health.mayTry(now):
                now += 0.5
            rests.append(now - begun)
            health.tried()
        self.assertEqual(rests[:3], [FIRST_REST_SECONDS, 2 * FIRST_REST_SECONDS, 4 * FIRST_REST_SECONDS])
        self.assertEqual(rests[-1], MOST_REST_SECONDS)

    def test_whoIsFoundAloneIsLookedForLessOften(self) -> None:
        """
        What fails then is tried again as soon as ever.
        """
        health, now = Health(isGood=False), 0.0
        for _ in range(12):
            health.tried()
            health.failed(now, MOST_ALONE_SECONDS)
            begun = now
            while not health.mayTry(now):
                now += 0.5
        self.assertEqual(now - begun, MOST_ALONE_SECONDS)
        health.tried()
        health.failed(now)
        self.assertTrue(health.mayTry(now + MOST_REST_SECONDS))

    def test_whoComesAndGoesRestsLongerThanWhoWasGoodForAWhile(self) -> None:
        for good, rest in ((1.0, 2 * FIRST_REST_SECONDS), (GOOD_SECONDS, FIRST_REST_SECONDS)):
            health = Health()
            health.failed(0)
            health.tried()
            health.opened(100)
            health.failed(100 + good)
            self.assertFalse(health.mayTry(100 + good + rest - 0.1))
            self.assertTrue(health.mayTry(100 + good + rest))

    def test_networkThatHasChangedEndsTheRest(self) -> None:
        health = Health()
        health.failed(0)
        health.forget()
        self.assertTrue(health.mayTry(0))


class JudgementTests(SynchronousTestCase):
    """
    Decide between two servers that both answer.
    """

    def test_farWorseIsThreeTimesAndATenthOfASecond(self) -> None:
        self.assertTrue(isFarWorse(0.2, 0.05))
        for inUse, other in ((0.14, 0.05), (0.09, 0.001), (0.3, 0.1), (0, 0.1), (0.3, 0)):
            self.assertFalse(isFarWorse(inUse, other), (inUse, other))

    def test_itHasToBeSoForAMinuteWithoutABreak(self) -> None:
        judgement = Judgement()
        self.assertFalse(judgement.isTooFar(0.5, 0.02, 0))
        self.assertFalse(judgement.isTooFar(0.05, 0.02, 30))
        self.assertFalse(judgement.isTooFar(0.5, 0.02, 31))
        self.assertFalse(judgement.isTooFar(0.5, 0.02, 30 + FAR_FOR_SECONDS))
        self.assertTrue(judgement.isTooFar(0.5, 0.02, 31 + FAR_FOR_SECONDS))

    def test_restsAreBreaks(self) -> None:
        judgement = Judgement()
        judgement.isTooFar(0.5, 0.02, 0)
        judgement.rests()
        self.assertFalse(judgement.isTooFar(0.5, 0.02, FAR_FOR_SECONDS))

    def test_comesBackAfterMinutesOfHealth(self) -> None:
        judgement = Judgement()
        self.assertFalse(judgement.mayComeBack(0.02, 0.02, 0))
        self.assertFalse(judgement.mayComeBack(0.02, 0.02, HEALTHY_SECONDS - 1))
        self.assertTrue(judgement.mayComeBack(0.02, 0.02, HEALTHY_SECONDS))
        judgement.otherIsAway()
        self.assertFalse(judgement.mayComeBack(0.02, 0.02, HEALTHY_SECONDS))

    def test_doesNotComeBackToWhatIsFarWorse(self) -> None:
        judgement = Judgement()
        judgement.mayComeBack(0.02, 0.02, 0)
        self.assertFalse(judgement.mayComeBack(0.02, 0.5, HEALTHY_SECONDS))
        self.assertFalse(judgement.mayComeBack(0.02, 0.02, HEALTHY_SECONDS))

    def test_whoFailsSoonAgainIsWaitedForLonger(self) -> None:
        judgement, now, waits = Judgement(), 0.0, []
        for _ in range(7):
            begun = now
            while not judgement.mayComeBack(0.02, 0.02, now):
                now += 1
            waits.append(now - begun)
            judgement.cameBack(now)
            now += 1
            judgement.left(now)
        self.assertEqual(waits[:3], [HEALTHY_SECONDS * HEALTHY_GROWTH**each for each in range(3)])
        self.assertEqual(waits[-1], MOST_HEALTHY_SECONDS)
        judgement.cameBack(now)
        judgement.left(now + RELAPSE_SECONDS)
        judgement.mayComeBack(0.02, 0.02, now)
        self.assertTrue(judgement.mayComeBack(0.02, 0.02, now + HEALTHY_SECONDS))


class _ServersTestCase(TimerTestCase):
    """
    Puts the session of a source at the first of some servers, which are contexts in memory.
    """

    SERVERS = 2

    def setUp(self) -> None:
        super().setUp()
        self.contexts = [MemoryContext(self.clock) for _ in range(self.SERVERS)]
        for context in self.contexts:
            context.choose(poolSize=2, wire=WireChoice.TWO)
        self.servers = serversOf(*self.contexts)
        self.delivered: list[Train] = []
        self.frozen: list[Attempt] = []
        self.source = SourceSession(self.servers, Drops(), self.delivered.extend)
        self.succession = self.source.succession
        self.addCleanup(self.end)

    def end(self) -> None:
        """
        End it, and let what was closed be gone.
        """
        self.succession.leave()
        for seconds in (CLOSE_SECONDS, DRAIN_SECONDS, CLOSE_SECONDS):
            self.clock.advance(seconds)
            self.settle()
        self.source.session.finish(lambda: None)
        self.assertEqual([len(context.liveTunnels) for context in self.contexts], [0] * self.SERVERS)
        self.assertEqual([(server.sessions, server.standing) for server in self.servers.all], [(0, 0)] * self.SERVERS)

    def settle(self) -> None:
        for context in self.contexts:
            context.settle()

    def welcome(self, server: int, hello: bytes = WELCOME_NEW) -> Attempt:
        """
        Let the newest attempt at a server succeed.
        """
        attempt = self.contexts[server].attempts[-1]
        attempt.open().dataReceived(hello)
        return attempt

    def pass_(self, seconds: float) -> None:
        """
        Let time go by, and look at the servers as the client does.
        """
        for _ in range(round(seconds / 0.2)):
            self.clock.advance(0.2)
            self.source.reviewServers()
            for context in self.contexts:
                for attempt in context.attempts:
                    self.answerPings(attempt)

    def answerPings(self, attempt: Attempt) -> None:
        """
        Answer the last ping of a tunnel that is open.
        """
        if hasattr(attempt, "transport") and attempt.tunnel.state is TunnelState.OPEN and attempt not in self.frozen:
            payload = b"".join(attempt.transport.stream).rpartition(b"\1\0\0\0\0\x08\0\0\0\0")[2][:8]
            attempt.tunnel.dataReceived(b"\2\0\0\0\0\x08" + bytes(4) + payload)

    def answer(self, attempt: Attempt) -> None:
        """
        Answer what the client has asked.
        """
        attempt.tunnel.dataReceived(numbered(0, b"pong"))

    def prove(self) -> Attempt:
        """
        Let the first tunnel open, and the source be proved.
        """
        return self.proveAt(self.welcome(0))

    def proveAt(self, first: Attempt) -> Attempt:
        """
        Let something come back to the source, which then sends more.
        """
        self.source.send([PING])
        self.answer(first)
        self.clock.advance(MOMENT_SECONDS)
        self.source.send([PING])
        self.assertTrue(self.succession.isProved)
        return first

    def stand(self) -> tuple[Attempt, Attempt]:
        """
        Have a tunnel that stands by at the second server.

        @return: the first tunnel, and that one.
        """
        first = self.prove()
        self.pass_(0.2)
        return first, self.welcome(1)

    def carried(self, attempt: Attempt) -> bytes:
        return b"".join(attempt.transport.stream)


class StandbyTests(_ServersTestCase):
    """
    Let one of two servers fail.
    """

    def test_sourceThatIsNotProvedHasNoTunnelThatStandsBy(self) -> None:
        self.welcome(0)
        self.pass_(5)
        self.assertEqual(self.contexts[1].attempts, [])

    def test_tunnelStandsByAndCarriesNothing(self) -> None:
        first, other = self.stand()
        self.source.send([PING])
        self.assertIn(b"ping", self.carried(first))
        self.assertNotIn(b"ping", self.carried(other))
        self.assertEqual([server.standing for server in self.servers.all], [0, 1])
        self.assertIs(self.succession.server, self.servers.all[0])

    def test_whatComesMeanwhileIsHandedOn(self) -> None:
        _, other = self.stand()
        other.tunnel.dataReceived(numbered(0, b"here"))
        self.assertEqual(self.delivered[-1].payload, b"here")

    def test_movesInTheTurnInWhichTheLastTunnelIsLost(self) -> None:
        """
        The numbers begin anew there, both ways, and the target's answers come in order.
        """
        first, other = self.stand()
        first.transport.lose()
        self.assertIs(self.succession.server, self.servers.all[1])
        self.source.send([Train(5, b"moved")])
        sent = self.carried(other)
        self.assertIn(numbered(self.source.session.outbound.numbering.next - 1, b"moved"), sent)
        self.assertGreaterEqual(self.source.session.outbound.numbering.next, FIRST_NUMBERS)
        other.tunnel.dataReceived(numbered(0, b"new") + numbered(1, b"next"))
        self.assertEqual([train.payload for train in self.delivered[-2:]], [b"new", b"next"])

    def test_movesWhenNoTunnelAnswersAndSaysByeToTheOldServer(self) -> None:
        """
        The server stands still, which nobody but its answers tells.  It is asked at once when nothing comes back.
        """
        first, other = self.stand()
        self.pass_(2)
        self.frozen.append(first)
        for _ in range(5):
            self.source.send([PING])
            self.pass_(0.2)
        self.assertIs(self.succession.server, self.servers.all[1])
        self.assertTrue(self.carried(first).endswith(BYE))
        self.source.send([Train(5, b"moved")])
        self.assertIn(b"moved", self.carried(other))

    def test_whatTheOldServersKernelHasNotGoesToTheNew(self) -> None:
        """
        What that kernel has may have arrived, and would arrive twice.
        """
        first, other = self.stand()
        self.pass_(2)
        self.source.send([Train(7, b"arrived")])
        for _ in range(10):  # what else is written besides trains counts as if it were of them
            self.source.send([PING])
        first.transport.held = 0
        self.frozen.append(first)
        first.transport.stalled = True
        self.source.send([Train(4, b"lost")])
        for _ in range(5):
            self.pass_(0.2)
            self.source.send([PING])
        self.assertIs(self.succession.server, self.servers.all[1])
        self.assertIn(b"lost", self.carried(other))
        self.assertNotIn(b"arrived", self.carried(other))

    def test_whatFailsToStandByIsTriedAgainLater(self) -> None:
        self.prove()
        self.pass_(0.2)
        self.contexts[1].attempts[-1].fail(Refused())
        self.pass_(0.4)
        tried = len(self.contexts[1].attempts)
        self.pass_(FIRST_REST_SECONDS - 1)
        self.assertEqual(len(self.contexts[1].attempts), tried)
        self.pass_(1)
        self.assertEqual(len(self.contexts[1].attempts), tried + 1)

    def test_whatDoesNotOpenInTimeIsGivenUp(self) -> None:
        self.prove()
        self.pass_(0.2)
        attempt = self.contexts[1].attempts[-1]
        self.pass_(OPENING_SECONDS + 0.4)
        self.assertTrue(attempt.cancelled)

    def test_sourceThatIsNotProvedIsHelpedWhenItsServerIsAway(self) -> None:
        """
        A first datagram that nobody can carry waits for whichever server answers first.
        """
        self.source.send([PING])
        self.contexts[0].attempts[-1].fail(Refused())
        self.pass_(DOWN_SECONDS + 0.6)
        other = self.welcome(1)
        self.assertIs(self.succession.server, self.servers.all[1])
        self.assertIn(b"ping", self.carried(other))

    def test_comesBackInGoodOrder(self) -> None:
        """
        What the server that is left has sent still comes.
        """
        first, other = self.stand()
        first.transport.lose()
        self.pass_(FIRST_REST_SECONDS + 0.6)
        back = self.welcome(0)
        self.assertEqual([server.standing for server in self.servers.all], [1, 0])
        for _ in range(int(HEALTHY_SECONDS) + 60):  # the round trips here are coarse at first
            if self.succession.server.rank:
                self.pass_(1)
        self.assertIs(self.succession.server, self.servers.all[0])
        self.assertIn(DRAIN, self.carried(other))
        self.source.send([Train(4, b"back")])
        self.assertIn(b"back", self.carried(back))
        other.tunnel.dataReceived(numbered(0, b"late"))
        back.tunnel.dataReceived(numbered(0, b"new"))
        self.assertEqual([train.payload for train in self.delivered[-2:]], [b"late", b"new"])

    def test_tunnelsThatCarryLittleKnowHowFarTheirServerIs(self) -> None:
        """
        Each is asked now and then, or an old short round trip of one would count for all.
        """
        first, _ = self.stand()
        self.succession.widen(2)
        self.source.session.outbound.demand.tellWanted(lambda: None)
        while len(self.contexts[0].attempts) < 2:
            for _ in range(20):
                self.source.send([Train(1400, bytes(1400))])
            self.succession.grow()
            self.clock.advance(0.1)
        idle = self.welcome(0)
        self.pass_(1)
        asked = self.carried(idle).count(ASKED)
        for number in range(50):
            self.source.send([PING])
            first.tunnel.dataReceived(numbered(1 + number, b"pong"))
            self.pass_(0.2)
        self.assertGreater(self.carried(idle).count(ASKED), asked)

    def test_newSessionsBeginWhereMostAre(self) -> None:
        first, _ = self.stand()
        self.assertIs(self.servers.current(), self.servers.all[0])
        first.transport.lose()
        self.assertIs(self.servers.current(), self.servers.all[1])

    def test_movesAreCountedByWhy(self) -> None:
        """
        Whoever has failed is away until a tunnel opens there.
        """
        first, _ = self.stand()
        self.assertEqual(sum(self.servers.moves.values()), 0)
        first.transport.lose()
        self.assertEqual(self.servers.moves[MoveReason.NO_TUNNEL], 1)
        self.assertEqual([server.isAway for server in self.servers.all], [True, False])
        self.pass_(FIRST_REST_SECONDS + 0.6)
        self.welcome(0)
        self.assertEqual([server.isAway for server in self.servers.all], [False, False])

    def test_endsWithTheSession(self) -> None:
        _, other = self.stand()
        self.succession.drain()
        self.assertTrue(self.carried(other).endswith(BYE))
        self.pass_(1)
        self.assertEqual(len(self.contexts[1].attempts), 1)

    def test_anotherKeyIsShownThereToo(self) -> None:
        _, other = self.stand()
        self.succession.keyChanged()
        self.assertTrue(self.carried(other).endswith(BYE))
        self.pass_(0.4)
        self.assertEqual(len(self.contexts[1].attempts), 2)

    def test_pathThatMayHaveChangedIsProvedThereToo(self) -> None:
        _, other = self.stand()
        self.clock.advance(1)
        self.succession.prove()
        self.assertTrue(other.tunnel.isInDoubt)


class ThreeServersTests(_ServersTestCase):
    """
    Let two of three fail.
    """

    SERVERS = 3

    def test_eachHasANameOfItsOwn(self) -> None:
        """
        Where only the paths differ, which nobody may see, their order tells them apart.
        """
        alike = [Server(server.place, server.context, "wss://a.test:443/...") for server in self.servers.all[:2]]
        other = Server(self.servers.all[2].place, self.servers.all[2].context, "b.test:443")
        shown = [server.shown for server in ClientServers([*alike, other], RateLimit(self.clock.seconds)).all]
        self.assertEqual(shown, ["wss://a.test:443/... (1)", "wss://a.test:443/... (2)", "b.test:443"])

    def test_anotherOneStandsByWhereTheFlowHasMoved(self) -> None:
        first, _ = self.stand()
        first.transport.lose()
        self.pass_(0.2)
        self.welcome(2)
        self.assertEqual([server.standing for server in self.servers.all], [0, 0, 1])

    def test_thirdStandsByWhileTheSecondIsAway(self) -> None:
        """
        When the second is back, its tunnel takes the place of the other.
        """
        self.prove()
        self.pass_(0.2)
        self.contexts[1].attempts[-1].fail(Refused())
        self.pass_(0.4)
        third = self.welcome(2)
        self.assertEqual([server.standing for server in self.servers.all], [0, 0, 1])
        self.pass_(FIRST_REST_SECONDS)
        self.welcome(1)
        self.assertEqual([server.standing for server in self.servers.all], [0, 1, 0])
        self.assertTrue(self.carried(third).endswith(BYE))


class OneNameTests(_ServersTestCase):
    """
    One name has several addresses, of one server or of several.
    """

    SERVERS = 1

    def setUp(self) -> None:
        super().setUp()
        self.succession.leave()
        self.contexts[0].dialer.addresses = [IPv4Address("TCP", f"192.0.2.{number}", 8443) for number in (1, 2)]
        self.source = SourceSession(self.servers, Drops(), self.delivered.extend)
        self.succession = self.source.succession

    def test_tunnelStandsByAtAnotherInstance(self) -> None:
        first = self.proveAt(self.welcome(0, welcomeAt(1)))
        self.pass_(0.2)
        self.assertTrue(self.carried(self.welcome(0, welcomeAt(1))).endswith(BYE))
        other = self.welcome(0, welcomeAt(2))
        self.assertEqual(self.servers.all[0].standing, 1)
        first.transport.lose()
        self.source.send([Train(5, b"moved")])
        self.assertIn(b"moved", self.carried(other))

    def test_oneServerWithTwoAddressesIsFoundToBeOne(self) -> None:
        """
        It costs two handshakes, and then nothing for a while.
        """
        self.proveAt(self.welcome(0, welcomeAt(1)))
        self.pass_(0.2)
        for _ in range(2):
            self.welcome(0, welcomeAt(1))
        attempts = len(self.contexts[0].attempts)
        self.pass_(FIRST_REST_SECONDS - 1)
        self.assertLessEqual(len(self.contexts[0].attempts), attempts)
        self.assertEqual(self.contexts[0].reachability.strays, 0)

    def test_newAddressIsLookedAtSoon(self) -> None:
        """
        There may be another server.  Addresses that were looked at are no news, in whatever order.
        """
        server = self.servers.all[0]
        self.proveAt(self.welcome(0, welcomeAt(1)))
        self.pass_(0.2)
        for _ in range(2):
            self.welcome(0, welcomeAt(1))
        self.pass_(0.4)
        now = self.clock.seconds()
        self.assertFalse(server.others.mayTry(now))
        server.context.addresses.order(list(reversed(self.contexts[0].dialer.addresses)))  # type: ignore[arg-type]
        server.noticeAddresses()
        self.assertFalse(server.others.mayTry(now))
        server.context.addresses.order([IPv4Address("TCP", f"192.0.2.{number}", 8443) for number in (2, 3)])
        server.noticeAddresses()
        self.assertTrue(server.others.mayTry(now))

    def test_nameThatAlwaysHasOtherAddressesCostsNoMore(self) -> None:
        """
        What is remembered of them is bounded, and no more than so many searches come of it.
        """
        server = self.servers.all[0]
        searches = 0
        for number in range(3 * MOST_SEARCHED):
            server.others.tried()
            server.others.failed(0.0)
            server.context.addresses.order([IPv4Address("TCP", f"192.0.{number // 256}.{number % 256}", 8443)])
            server.noticeAddresses()
            searches += server.others.mayTry(0.0)
        self.assertEqual((searches, len(server.searched)), (MOST_SEARCHED, MOST_SEARCHED))
