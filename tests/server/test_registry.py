"""
The server's sessions: who may join one, and how long one outlives its tunnels.
"""

from __future__ import annotations

import random
from dataclasses import replace

from twisted.logger import capturedLogs, formatEvent

from tests.doubles.contracts import TimerTestCase
from tests.doubles.dialling import neverLookUp
from tests.doubles.sessions import MemoryLink
from tests.doubles.udp import MemoryUdp, Receiver
from uotp.boundaries import Address
from uotp.errors import PeerError
from uotp.net.resolver import SharedResolver
from uotp.process.turns import Turns
from uotp.server.registry import SILENT_SECONDS, Joined, Registry, RegistryStatistics, ServedSession
from uotp.server.target import TargetProtocol
from uotp.session.pacer import TICK_SECONDS
from uotp.telemetry.drops import Drops
from uotp.telemetry.ratelimit import MAX_LINES_PER_QUIET, RateLimit
from uotp.train import Train

LINGER = 150.0
TARGET = ("127.0.0.1", 51820)


def sessionId(number: int) -> bytes:
    """
    @return: a session id.
    """
    return bytes([number]) * 16


class RegistryTests(TimerTestCase):
    """
    Join and leave the sessions of a server.
    """

    def setUp(self) -> None:
        super().setUp()
        self.drops = Drops()
        self.network = MemoryUdp(self.drops)
        self.target = Receiver()
        self.network.open(TARGET, self.target)
        self.registry = self.makeRegistry()
        self.addCleanup(self.end)

    def makeRegistry(self, maxSessions: int = 100, maxTunnels: int = 100) -> Registry:
        """
        @return: a registry without sessions.
        """
        rateLimit = RateLimit(self.clock.seconds)
        resolver = SharedResolver(neverLookUp)

        def makeTarget() -> TargetProtocol:
            return TargetProtocol(TARGET, self.network.open, resolver, self.clock, self.drops, rateLimit)

        return Registry(makeTarget, self.clock, Turns(self.clock), self.drops, LINGER, maxSessions, maxTunnels)

    def end(self) -> None:
        """
        End all; nothing is left then.
        """
        self.registry.endAll()
        self.registry.checkInvariant()
        self.assertEqual(len(self.registry), 0)
        self.assertEqual(list(self.network.ports), [TARGET])

    def join(self, number: int, owner: bytes | None = None) -> tuple[ServedSession, MemoryLink]:
        """
        Join a session with a new tunnel.
        """
        tunnel = MemoryLink()
        served = self.registry.join(sessionId(number), owner, tunnel).served
        tunnel.carryFor(served.session)
        self.registry.checkInvariant()
        return served, tunnel

    def lose(self, served: ServedSession, tunnel: MemoryLink) -> None:
        tunnel.abort()
        self.registry.tunnelLost(served, tunnel)
        self.registry.checkInvariant()

    def refuse(self, number: int, owner: bytes | None = None) -> str:
        """
        @return: in which words a tunnel is refused.
        """
        tunnel = MemoryLink()
        error = self.assertRaises(PeerError, self.registry.join, sessionId(number), owner, tunnel)
        self.registry.checkInvariant()
        return str(error)

    def seenFrom(self, served: ServedSession) -> Address:
        """
        @return: the address that the target sees a session's datagrams come from.
        """
        self.target.trains.clear()
        served.session.inbound.unnumbered([Train(5, b"hello")], self.clock.seconds())
        self.network.settle()
        ((train, source),) = self.target.trains
        self.assertEqual(train.payload, b"hello")
        return source

    def test_tunnelsWithOneIdShareASession(self) -> None:
        one, _ = self.join(1)
        again, _ = self.join(1)
        other, _ = self.join(2)
        self.assertIs(one, again)
        self.assertEqual((len(self.registry), len(self.network.ports)), (2, 3))
        self.assertEqual(self.seenFrom(one), self.seenFrom(again))
        self.assertNotEqual(self.seenFrom(one), self.seenFrom(other))

    def test_sessionIsNewToItsFirstTunnelOnly(self) -> None:
        """
        Also when all its tunnels were lost meanwhile; one that has ended begins anew.
        """
        first, second = MemoryLink(), MemoryLink()
        joined = self.registry.join(sessionId(1), None, first)
        self.assertTrue(joined.isNew)
        self.assertEqual(self.registry.join(sessionId(1), None, second), Joined(joined.served, isNew=False))
        for tunnel in (first, second):
            self.lose(joined.served, tunnel)
        self.assertEqual(self.registry.join(sessionId(1), None, first), Joined(joined.served, isNew=False))
        self.registry.peerLeft(joined.served)
        self.assertTrue(self.registry.join(sessionId(1), None, second).isNew)

    def test_statisticsCountSessionsTunnelsAndBytes(self) -> None:
        """
        Bytes of sessions that have ended too; and who has waited for the target in vain.
        """
        nothing = RegistryStatistics(sessions=0, lingering=0, silent=0, closing=0, tunnels=0, bytesIn=0, bytesOut=0)
        self.assertEqual(self.registry.statistics(), nothing)
        answered, _ = self.join(1)
        self.join(1)
        alone, tunnel = self.join(2)
        self.join(3)
        self.network.ports[TARGET].sendTrains([Train(4, b"pong")], self.seenFrom(answered))
        alone.session.inbound.unnumbered([Train(100, bytes(300))], self.clock.seconds())
        self.network.settle()
        self.lose(alone, tunnel)
        self.clock.advance(SILENT_SECONDS)
        self.registry.findSilent()
        standing = RegistryStatistics(sessions=3, lingering=1, silent=1, closing=0, tunnels=3, bytesIn=305, bytesOut=4)
        self.assertEqual(self.registry.statistics(), standing)
        alone.session.inbound.unnumbered([Train(1400, bytes(1400 * 200))], self.clock.seconds())
        self.registry.peerLeft(alone)
        ended = replace(standing, sessions=2, lingering=0, silent=0, closing=1, bytesIn=305 + 1400 * 200)
        self.assertEqual(self.registry.statistics(), ended)
        self.clock.pump([TICK_SECONDS] * 100)
        self.assertEqual(self.registry.statistics(), replace(ended, closing=0))

    def test_silentTargetThatAnswersInTheEndIsCountedNoMore(self) -> None:
        """
        Though it was said once that it says nothing.
        """
        served, _ = self.join(1)
        source = self.seenFrom(served)
        self.clock.advance(SILENT_SECONDS)
        self.registry.findSilent()
        self.assertEqual(self.registry.statistics().silent, 1)
        self.network.ports[TARGET].sendTrains([Train(4, b"pong")], source)
        self.network.settle()
        self.assertEqual(self.registry.statistics().silent, 0)

    def test_targetsAnswerGoesOverASessionsOwnTunnels(self) -> None:
        one, tunnel = self.join(1)
        _, stranger = self.join(2)
        self.network.ports[TARGET].sendTrains([Train(4, b"pong")], self.seenFrom(one))
        self.network.settle()
        self.assertEqual((tunnel.sent, stranger.sent), ([Train(4, b"pong")], []))

    def test_sessionThatLostItsTunnelsIsResumedWithItsPort(self) -> None:
        served, tunnel = self.join(1)
        before = self.seenFrom(served)
        self.lose(served, tunnel)
        self.clock.advance(LINGER - 0.1)
        again, _ = self.join(1)
        self.assertIs(again, served)
        self.assertEqual(self.seenFrom(again), before)
        self.clock.advance(10 * LINGER)
        self.assertEqual((len(self.registry), self.seenFrom(again)), (1, before))

    def test_sessionEndsWhenItsTunnelsDoNotComeBack(self) -> None:
        served, tunnel = self.join(1)
        self.lose(served, tunnel)
        self.clock.advance(LINGER)
        self.assertEqual((len(self.registry), list(self.network.ports)), (0, [TARGET]))
        self.assertNoTimer()
        again, _ = self.join(1)
        self.assertIsNot(again, served)

    def test_eachLossBeginsTheTimeAnew(self) -> None:
        served, first = self.join(1)
        _, second = self.join(1)
        self.lose(served, first)
        self.clock.advance(2 * LINGER)
        self.assertEqual(len(self.registry), 1)
        self.lose(served, second)
        self.clock.advance(LINGER - 1)
        _, third = self.join(1)
        self.lose(served, third)
        self.clock.advance(LINGER - 1)
        self.assertEqual(len(self.registry), 1)
        self.clock.advance(1)
        self.assertEqual(len(self.registry), 0)

    def test_tunnelThatIsLostTwiceCountsOnce(self) -> None:
        served, tunnel = self.join(1)
        self.lose(served, tunnel)
        self.lose(served, tunnel)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_answersWhileNoTunnelIsLeftWaitForTheNext(self) -> None:
        served, tunnel = self.join(1)
        source = self.seenFrom(served)
        self.lose(served, tunnel)
        self.network.ports[TARGET].sendTrains([Train(4, b"pong")], source)
        self.network.settle()
        _, again = self.join(1)
        self.assertEqual((tunnel.sent, again.sent), ([], [Train(4, b"pong")]))

    def test_sessionBelongsToTheCertificateThatOpenedIt(self) -> None:
        """
        Another client cannot join it, with another certificate or without one, not even while it has no tunnel.
        """
        served, tunnel = self.join(1, b"mine")
        reason = "the session belongs to another client certificate"
        self.assertEqual((self.refuse(1, b"yours"), self.refuse(1)), (reason, reason))
        self.lose(served, tunnel)
        self.assertEqual(self.refuse(1, b"yours"), reason)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertIs(self.join(1, b"mine")[0], served)
        self.join(2)
        self.assertEqual(self.refuse(2, b"mine"), reason)

    def test_tunnelsOfASessionAreBounded(self) -> None:
        self.registry = self.makeRegistry(maxTunnels=3)
        served, tunnel = self.join(1)
        self.join(1)
        self.join(1)
        self.assertEqual(self.refuse(1), "the session has 3 tunnels already")
        self.join(2)
        self.lose(served, tunnel)
        self.join(1)

    def test_sessionsAreBoundedAndThoseInUseStay(self) -> None:
        self.registry = self.makeRegistry(maxSessions=2)
        self.join(1)
        self.join(2)
        self.assertEqual(self.refuse(3), "there are 2 sessions already")
        self.assertEqual((len(self.registry), len(self.network.ports)), (2, 3))
        self.join(1)

    def test_sessionWithoutTunnelsMakesRoom(self) -> None:
        self.registry = self.makeRegistry(maxSessions=3)
        entries = {number: self.join(number) for number in (1, 2, 3)}
        for number in (1, 2, 3):
            self.lose(*entries[number])
            self.clock.advance(1)
        _, tunnel = self.join(1)
        self.lose(entries[1][0], tunnel)
        self.join(4)
        self.assertEqual(set(self.registry._served), {sessionId(number) for number in (1, 3, 4)})
        self.join(5)
        self.assertEqual(set(self.registry._served), {sessionId(number) for number in (1, 4, 5)})
        self.join(6)
        self.assertEqual(set(self.registry._served), {sessionId(number) for number in (4, 5, 6)})
        self.refuse(7)
        self.assertNoTimer()

    def test_endOfAllClosesTunnelsAndSockets(self) -> None:
        served, tunnel = self.join(1)
        self.join(2)
        lingering, gone = self.join(3)
        self.lose(lingering, gone)
        served.session.inbound.unnumbered([Train(1400, bytes(1400 * 200))], self.clock.seconds())
        ended = self.registry.endAll()
        self.assertTrue(tunnel.closed)
        self.assertFalse(tunnel.aborted)
        self.assertNoResult(ended)
        self.clock.pump([TICK_SECONDS] * 100)
        self.successResultOf(ended)
        self.network.settle()
        self.assertEqual(len(self.target.datagrams()), 200)
        self.lose(served, tunnel)
        self.assertNoTimer()

    def test_clientThatLeavesLosesNothingThatHasCome(self) -> None:
        """
        The session is forgotten at once, and its socket when all has been handed on.
        """
        served, tunnel = self.join(1)
        served.session.inbound.numbered(
            [(0, Train(4, b"zero")), (2, Train(1400, bytes(1400 * 200)))], self.clock.seconds()
        )
        self.registry.peerLeft(served)
        self.registry.peerLeft(served)
        self.assertEqual((len(self.registry), tunnel.closed, len(self.network.ports)), (0, True, 2))
        self.clock.pump([TICK_SECONDS] * 100)
        self.network.settle()
        self.assertEqual((len(self.target.datagrams()), list(self.network.ports)), (201, [TARGET]))

    def test_lateLossDoesNotTouchASessionOfTheSameId(self) -> None:
        """
        A tunnel of the session that ended is lost while a new one has its id.
        """
        served, tunnel = self.join(1)
        self.registry.endAll()
        again, _ = self.join(1)
        self.registry.tunnelLost(served, tunnel)
        self.registry.checkInvariant()
        self.clock.advance(2 * LINGER)
        self.assertEqual(len(self.registry), 1)
        self.assertIs(self.join(1)[0], again)

    def test_invariantHoldsWhateverHappens(self) -> None:
        chance = random.Random(4)  # noqa: S311 - for a test to be the same each time
        self.registry = self.makeRegistry(maxSessions=4, maxTunnels=3)
        alive: list[tuple[ServedSession, MemoryLink]] = []
        refusals = 0
        for _ in range(1500):
            step = chance.random()
            if step < 0.45:
                try:
                    alive.append(self.join(chance.randrange(8), chance.choice((None, b"mine"))))
                except PeerError:
                    refusals += 1
            elif step < 0.95 and alive:
                self.lose(*alive.pop(chance.randrange(len(alive))))
            else:
                self.clock.advance(chance.choice((1, LINGER / 2)))
            self.registry.checkInvariant()
            self.assertEqual(len(self.network.ports), 1 + len(self.registry))
            self.assertTrue(all(not tunnel.closed for _, tunnel in alive))
            lingering = len(self.registry) - len({served.sessionId for served, _ in alive})
            self.assertEqual(len(self.clock.getDelayedCalls()), lingering)
        self.assertGreater(refusals, 50)

    def test_logOfManySessionsIsBounded(self) -> None:
        """
        Who can connect cannot fill the disk.
        """
        with capturedLogs() as events:
            for number in range(100):
                served, tunnel = self.join(number)
                self.lose(served, tunnel)
            self.clock.advance(LINGER)
        self.assertEqual(len(self.registry), 0)
        self.assertEqual(len(events), MAX_LINES_PER_QUIET)

    def test_silentSessionIsFoundOnce(self) -> None:
        served, _ = self.join(1)
        self.join(2)
        served.session.inbound.unnumbered([Train(4, b"ping")], self.clock.seconds())
        self.assertEqual(self.registry.findSilent(), [])
        self.clock.advance(SILENT_SECONDS)
        self.assertEqual(self.registry.findSilent(), [served])
        self.assertEqual(self.registry.findSilent(), [])

    def test_logNamesSessionsByTheirFirstBytesOnly(self) -> None:
        """
        Who reads the log cannot join a session.
        """
        with capturedLogs() as events:
            served, tunnel = self.join(7)
            self.lose(served, tunnel)
            self.join(7)
            self.registry.endAll()
        lines = [formatEvent(event) for event in events]
        self.assertEqual(
            lines,
            [
                "session 07070707 opened from nowhere, 1 in all",
                "session 07070707 has no tunnel left and is kept for 150 s",
                "session 07070707 has tunnels again",
                "session 07070707 ended: the server stops; 0 bytes to the target, 0 back",
            ],
        )
        for event in events:
            self.assertFalse([value for value in event.values() if sessionId(7) == value or "07" * 5 in str(value)])
