"""
The server's sessions: who may join one, and how long one outlives its tunnels.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from dataclasses import replace
from itertools import pairwise

from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.doubles.contracts import TimerTestCase
from tests.doubles.dialling import neverLookUp
from tests.doubles.sessions import MemoryLink
from tests.doubles.targets import targetMaker
from tests.doubles.udp import MemoryUdp, Receiver
from uotp.boundaries import Address
from uotp.duplicate import Duplicate
from uotp.errors import PeerError
from uotp.net.resolver import SharedResolver
from uotp.process.steps import APART_SECONDS, STEPS
from uotp.process.turns import Turns
from uotp.server.registry import (
    ANY_ANSWER_SECONDS,
    EXPIRED_AT_ONCE,
    SILENT_SECONDS,
    Joined,
    Registry,
    RegistryStatistics,
    ServedSession,
)
from uotp.server.sessionshares import ONLY_ONE_IDLE_SECONDS
from uotp.server.target import Target
from uotp.session import STOPPED_SECONDS
from uotp.session.pacer import TICK_SECONDS
from uotp.telemetry.drops import Drops
from uotp.telemetry.ratelimit import MAX_LINES_PER_QUIET
from uotp.train import Train
from uotp.wire.status import ServerStatus

LINGER = 150.0
TARGET = ("127.0.0.1", 51820)


def sessionId(number: int) -> bytes:
    """
    @return: a session id.
    """
    return bytes([number]) * 16 if number <= 0xFF else number.to_bytes(16, "little")


class RegistryTests(TimerTestCase):
    """
    Join and leave the sessions of a server.
    """

    def setUp(self) -> None:
        super().setUp()
        self.drops = Drops()
        self.local: Address = ("127.0.0.1", 0)
        self.network = MemoryUdp(self.drops)
        self.target = Receiver()
        self.network.open(TARGET, self.target)
        self.registry = self.makeRegistry()
        self.stopped: list[ServedSession] = []
        self.addCleanup(self.end)

    def makeRegistry(
        self,
        maxSessions: int = 100,
        maxTunnels: int = 100,
        ownerShare: int = 100,
        duplicate: Duplicate = Duplicate.AUTO,
    ) -> Registry:
        """
        @param duplicate: what its user has chosen.
        @return: a registry without sessions.
        """
        resolver = SharedResolver(neverLookUp)
        return Registry(
            targetMaker(TARGET, self.network.open, resolver, self.clock, self.drops, self.routeTo),
            self.clock,
            Turns(self.clock),
            self.drops,
            LINGER,
            maxSessions,
            maxTunnels,
            duplicate=duplicate,
            ownerShare=ownerShare,
        )

    def routeTo(self, destination: Address) -> Address:
        return self.local

    def end(self) -> None:
        """
        End all; nothing is left then.
        """
        self.registry.endAll()
        self.clock.pump([0] * 200)
        self.registry.checkInvariant()
        self.assertEqual(len(self.registry), 0)
        self.assertEqual(list(self.network.ports), [TARGET])

    def join(
        self, number: int, owner: bytes | None = None, peer: str = "nowhere", certificate: str | None = None
    ) -> tuple[ServedSession, MemoryLink]:
        """
        Join a session with a new tunnel.
        """
        tunnel = MemoryLink()
        served = self.registry.join(sessionId(number), owner, tunnel, peer, certificate).served
        tunnel.carryFor(served.session)
        self.registry.checkInvariant()
        return served, tunnel

    def lose(self, served: ServedSession, tunnel: MemoryLink) -> None:
        tunnel.abort()
        self.registry.tunnelLost(served, tunnel)
        self.registry.checkInvariant()

    def refuse(self, number: int, owner: bytes | None = None, peer: str = "nowhere") -> str:
        """
        @return: in which words a tunnel is refused.
        """
        tunnel = MemoryLink()
        error = self.assertRaises(PeerError, self.registry.join, sessionId(number), owner, tunnel, peer)
        self.registry.checkInvariant()
        return str(error)

    def findSilent(self) -> list[ServedSession]:
        """
        @return: sessions of which it is found now that nothing comes back to them.
        """
        found: list[ServedSession] = []
        self.registry.review(found.append, self.stopped.append)
        self.registry.checkInvariant()
        return found

    def numbers(self) -> set[int]:
        """
        @return: the numbers of the sessions that there are.
        """
        return {number for number in range(1000) if sessionId(number) in self.registry._served}

    def use(self, served: ServedSession) -> None:
        """
        Let a session carry something now.
        """
        served.session.inbound.unnumbered([Train(1, b"x")], self.clock.seconds())

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

    def disconnect(self, word: str) -> int:
        """
        @return: how many sessions an operator ends so.
        """
        ended = self.registry.disconnect(word)
        self.clock.pump([0] * 100)
        self.registry.checkInvariant()
        return self.successResultOf(ended)

    def test_anOperatorEndsTheSessionThatItNames(self) -> None:
        """
        Its tunnels are closed, and it is gone at once, so that a new one may begin.
        """
        served, tunnel = self.join(1)
        self.join(2)
        self.assertEqual(self.disconnect(served.name), 1)
        self.assertEqual(self.numbers(), {2})
        self.assertTrue(tunnel.closed)
        self.assertEqual(self.disconnect(served.name), 0)
        self.join(1)

    def test_aFewLettersMeanNoSession(self) -> None:
        """
        They may be the name of a client, whole.
        """
        self.join(0xAB)
        self.join(1, b"key", certificate="ab, sha256 1a2b3c4d")
        for word, ended in (("aba", 0), ("ab", 1), ("abab", 1)):
            self.assertEqual(self.disconnect(word), ended, word)

    def test_anOperatorEndsAllSessionsOfAClient(self) -> None:
        """
        By its name, with or without the fingerprint behind it; also those without tunnels.
        """
        laptop = "laptop, sha256 1a2b3c4d"
        for word in ("laptop", laptop):
            for number in range(3):
                self.lose(*self.join(number, b"key", certificate=laptop))
                self.join(number + 10, b"key", certificate=laptop)
            self.join(20, b"other", certificate="laptop2, sha256 1a2b3c4d")
            self.join(21)
            self.assertEqual(self.disconnect("lap"), 0)
            self.assertEqual(self.disconnect(""), 0)
            self.assertEqual(self.disconnect(word), 6)
            self.assertEqual(self.numbers(), {20, 21})

    def test_aListedNameIsComparedWhole(self) -> None:
        """
        A list of clients may have a name with a comma, and another that is the beginning of it.
        """
        self.join(1, b"key", certificate="laptop")
        self.join(2, b"other", certificate="laptop, x")
        self.join(3, b"third", certificate="laptop, x, y")
        self.assertEqual((self.disconnect("laptop"), self.numbers()), (1, {2, 3}))
        self.assertEqual((self.disconnect("laptop, x"), self.numbers()), (1, {3}))
        self.assertEqual(self.disconnect("laptop"), 0)

    def test_manyThatAnOperatorEndsTakeMoreThanOneTurn(self) -> None:
        many = 3 * STEPS
        for number in range(many):
            self.join(number, b"key", certificate="office")
        self.clock.advance(APART_SECONDS)
        ended = self.registry.disconnect("office")
        self.assertNoResult(ended)
        self.assertGreater(len(self.registry), STEPS)
        self.clock.pump([0] * 100)
        self.assertEqual((self.successResultOf(ended), len(self.registry)), (many, 0))

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

    def test_clientMayKnowWhatWasHeardOfTheTarget(self) -> None:
        """
        By its own session, and by any.
        """
        one, _ = self.join(1)
        other, _ = self.join(2)
        self.assertEqual(self.registry.status(one, 7), ServerStatus(7, hasWay=True))
        self.network.ports[TARGET].sendTrains([Train(4, b"pong")], self.seenFrom(other))
        self.network.settle()
        self.clock.advance(3)
        self.assertEqual(self.registry.status(one, 8), ServerStatus(8, hasWay=True, answeredAny=3))
        self.assertEqual(self.registry.status(other, 9), ServerStatus(9, hasWay=True, answered=3, answeredAny=3))
        one.target.searchRefused()
        self.clock.advance(1.5)
        self.assertEqual(self.registry.status(one, 10), ServerStatus(10, hasWay=True, refused=1, answeredAny=4))

    def test_clientMayKnowThatNothingLeadsToTheTarget(self) -> None:
        self.local = ()
        one, _ = self.join(1)
        one.target.searchEnded("no way")
        self.assertEqual(self.registry.status(one, 7), ServerStatus(7, hasWay=False))

    def test_sessionsAreNotLookedThroughForEachQuestion(self) -> None:
        """
        There may be thousands, and a client may ask all the time.
        """
        one, _ = self.join(1)
        self.registry.status(one, 7)
        self.network.ports[TARGET].sendTrains([Train(4, b"pong")], self.seenFrom(one))
        self.network.settle()
        self.assertEqual(self.registry.status(one, 7).answeredAny, None)
        self.clock.advance(ANY_ANSWER_SECONDS)
        self.assertEqual(self.registry.status(one, 7).answeredAny, 1)

    def test_statisticsCountSessionsTunnelsAndBytes(self) -> None:
        """
        Bytes of sessions that have ended too; and who has waited for the target in vain.
        """
        nothing = RegistryStatistics(
            sessions=0,
            lingering=0,
            silent=0,
            closing=0,
            owners=0,
            endedForRoom=0,
            endedForShare=0,
            refused=0,
            tunnels=0,
            bytesIn=0,
            bytesOut=0,
        )
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
        self.findSilent()
        standing = replace(nothing, sessions=3, lingering=1, silent=1, owners=1, tunnels=3, bytesIn=305, bytesOut=4)
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
        self.findSilent()
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

    def test_datagramsGoTwiceAsTheUserWants(self) -> None:
        for number, choice in enumerate(Duplicate):
            self.registry = self.makeRegistry(duplicate=choice)
            served, _ = self.join(number)
            self.assertIs(served.session.outbound._duplication._choice, choice)
            if choice is not Duplicate.ALWAYS:
                self.end()

    def test_tunnelsOfASessionAreBounded(self) -> None:
        self.registry = self.makeRegistry(maxTunnels=3)
        served, tunnel = self.join(1)
        self.join(1)
        self.join(1)
        self.assertEqual(self.refuse(1), "the session has 3 tunnels already")
        self.join(2)
        self.lose(served, tunnel)
        self.join(1)

    def test_sessionsAreBoundedAndTheOnlyOnesInUseStay(self) -> None:
        """
        Nobody has more than one, so nobody has to make room before it has long been idle.
        """
        self.registry = self.makeRegistry(maxSessions=2)
        one, _ = self.join(1, peer="192.0.2.1")
        self.join(2, b"certificate")
        self.assertEqual(self.refuse(3, peer="192.0.2.3"), "there are 2 sessions already (see maxSessions)")
        self.assertEqual((len(self.registry), len(self.network.ports)), (2, 3))
        self.join(1, peer="192.0.2.1")
        self.clock.advance(ONLY_ONE_IDLE_SECONDS)
        self.use(one)
        self.join(3, peer="192.0.2.3")
        self.assertEqual(self.numbers(), {1, 3})
        self.assertEqual(self.registry.statistics().refused, 1)

    def test_sessionsOfOneAreIdleWhereverTheyStand(self) -> None:
        """
        Many that are in use have been there longer than the one that is not.
        """
        self.registry = self.makeRegistry(maxSessions=100, ownerShare=1)
        entries = [self.join(number, b"%d" % number)[0] for number in range(100)]
        self.clock.advance(ONLY_ONE_IDLE_SECONDS)
        for number, served in enumerate(entries):
            if number != 80:
                self.use(served)
        self.assertEqual(self.refuse(100), "there are 100 sessions already (see maxSessions)")
        self.findSilent()
        self.join(100)
        self.assertEqual(self.numbers(), set(range(101)) - {80})

    def test_sessionWithoutTunnelsMakesRoomForItsOwner(self) -> None:
        self.registry = self.makeRegistry(maxSessions=3)
        entries = {number: self.join(number) for number in (1, 2, 3)}
        for number in (1, 2, 3):
            self.lose(*entries[number])
            self.clock.advance(1)
        _, tunnel = self.join(1)
        self.lose(entries[1][0], tunnel)
        self.join(4)
        self.assertEqual(self.numbers(), {1, 3, 4})
        self.join(5)
        self.assertEqual(self.numbers(), {1, 4, 5})
        self.join(6)
        self.assertEqual(self.numbers(), {4, 5, 6})
        self.assertNoTimer()

    def test_anothersSessionWithoutTunnelsIsKept(self) -> None:
        """
        Whoever opens many gives up those of its own, and whoever has few comes back to its own.
        """
        self.registry = self.makeRegistry(maxSessions=20)
        served, tunnel = self.join(0, b"other")
        self.lose(served, tunnel)
        for number in range(1, 100):
            self.join(number, b"greedy")
            self.clock.advance(1)
        self.assertEqual(self.numbers(), {0, *range(81, 100)})
        self.assertIs(self.join(0, b"other")[0], served)
        self.assertEqual(self.registry.statistics().endedForRoom, 80)

    def test_whoHasMostMakesRoomForOthers(self) -> None:
        """
        Its session without tunnels first, then the one that was idle longest, as long as it has more than they.
        """
        self.registry = self.makeRegistry(maxSessions=6)
        entries = {}
        for number in range(6):
            entries[number] = self.join(number, b"greedy")
            self.clock.advance(1)
        self.lose(*entries[4])
        self.use(entries[0][0])
        self.clock.advance(1)
        self.use(entries[2][0])
        self.join(10, peer="192.0.2.1")
        self.assertEqual(self.numbers(), {0, 1, 2, 3, 5, 10})
        self.join(11, peer="192.0.2.2")
        self.assertEqual(self.numbers(), {0, 2, 3, 5, 10, 11})
        self.assertTrue(entries[1][1].closed)
        self.join(12, peer="192.0.2.2")
        self.assertEqual(self.numbers(), {0, 2, 5, 10, 11, 12})
        self.join(13, peer="192.0.2.2")
        self.assertEqual(self.numbers(), {0, 2, 10, 11, 12, 13})
        self.clock.advance(1)
        self.join(14, peer="192.0.2.2")  # who has most now itself
        self.assertEqual(self.numbers(), {0, 2, 10, 12, 13, 14})

    def test_nobodyHasMoreThanItsShare(self) -> None:
        self.registry = self.makeRegistry(maxSessions=8, ownerShare=25)
        first, _ = self.join(1, b"certificate")
        self.join(2, b"certificate", peer="192.0.2.1")
        self.clock.advance(1)
        self.use(first)
        self.join(3, b"certificate", peer="192.0.2.2")
        self.assertEqual(self.numbers(), {1, 3})
        for number, peer in enumerate(("2001:db8::1", "2001:db8::2", "2001:db8:0:0:1::", "2001:db8:0:1::"), 4):
            self.join(number, peer=peer)
        self.assertEqual(self.numbers(), {1, 3, 5, 6, 7})
        statistics = self.registry.statistics()
        self.assertEqual((statistics.owners, statistics.endedForShare, statistics.endedForRoom), (3, 2, 0))

    def test_everybodyMayHaveOne(self) -> None:
        self.registry = self.makeRegistry(maxSessions=8, ownerShare=1)
        for number in range(8):
            self.join(number, b"%d" % number)
        self.join(8, b"3")
        self.assertEqual(self.numbers(), set(range(9)) - {3})

    def test_whoGivesSessionsUpIsSaidNowAndThen(self) -> None:
        """
        With the address, or what the log calls the certificate, and never with a whole key.
        """
        self.registry = self.makeRegistry(maxSessions=8, ownerShare=25)
        with capturedLogs() as events:
            for number in range(20):
                self.join(number, bytes(range(32)), certificate="laptop, sha256 00010203")
                self.join(100 + number, peer="192.0.2.1")
        lines = [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn]
        words = (
            "{} has 2 of at most 8 sessions and gives up the least used one for another: "
            "its owner has reached its share (see ownerShare)"
        )
        self.assertEqual(
            lines, [words.format(owner) for owner in ("the certificate (laptop, sha256 00010203)", "192.0.2.1")]
        )
        for event in events:
            self.assertFalse([value for value in event.values() if bytes(range(32)).hex()[:10] in str(value)])

    def test_allLinesOfASessionNameTheCertificate(self) -> None:
        """
        Whoever reads one of them need not look for the first.
        """
        laptop = "laptop, sha256 00010203"
        with capturedLogs() as events:
            served, tunnel = self.join(1, b"key", "192.0.2.1", laptop)
            self.lose(served, tunnel)
            _, tunnel = self.join(1, b"key", "192.0.2.1", laptop)
            self.lose(served, tunnel)
            self.clock.advance(LINGER)
        lines = [formatEvent(event) for event in events]
        name = served.name
        self.assertEqual(lines[0], f"session {name} opened from 192.0.2.1 ({laptop}), 1 in all")
        self.assertEqual(lines[2], f"session {name} ({laptop}) has tunnels again")
        self.assertEqual([line.count(f"({laptop})") for line in lines], [1] * 5)

    def test_openingAndEndingManyTakesManyTurns(self) -> None:
        """
        Whatever a client opens and leaves at once, and at the end of the server.
        """
        self.registry = self.makeRegistry(maxSessions=1000)
        served = [self.registry.join(sessionId(number), None, MemoryLink()).served for number in range(3 * STEPS)]
        for turn in (1, 2, 3):
            self.assertEqual(len(self.network.ports), 1 + turn * STEPS)
            self.clock.turn()
        self.assertNoTimer()
        self.clock.advance(1)
        for each in served:
            self.registry.peerLeft(each)
        left = []
        while len(self.registry):
            left.append(len(self.registry))
            self.clock.turn()
            self.registry.checkInvariant()
        self.assertGreaterEqual(len(left), 3)
        self.assertLessEqual(max(before - after for before, after in pairwise(left)), STEPS)
        self.clock.pump([0] * 10)
        self.assertEqual(list(self.network.ports), [TARGET])

    def test_whatIsSentBeforeTheSocketIsOpenIsNotLost(self) -> None:
        for number in range(STEPS + 1):
            served, _ = self.join(number)
        self.use(served)
        self.clock.turn()
        self.network.settle()
        self.assertEqual(self.target.datagrams(), [b"x"])

    def test_sessionThatEndsBeforeItsSocketIsOpenHasNone(self) -> None:
        self.registry = self.makeRegistry(maxSessions=STEPS + 1)
        for number in range(STEPS + 1):
            self.join(number)
        self.clock.rightNow += 1
        last = self.registry._served[sessionId(STEPS)]
        self.registry._end(last, "of the test")
        self.clock.pump([0] * 3)
        self.assertEqual(len(self.network.ports), 1 + STEPS)

    def test_sessionsThatLingerSinceTheSameMomentEndInManyTurns(self) -> None:
        self.registry = self.makeRegistry(maxSessions=1000)
        entries = []
        for number in range(3 * EXPIRED_AT_ONCE):
            entries.append(self.join(number))
            self.clock.turn()
        for entry in entries:
            self.lose(*entry)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(LINGER - 1)
        self.assertEqual(len(self.registry), 3 * EXPIRED_AT_ONCE)
        self.clock.rightNow += 1
        for turn in (2, 1, 0):
            self.clock.turn()
            self.assertEqual(len(self.registry), turn * EXPIRED_AT_ONCE)
            self.registry.checkInvariant()
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
        self.registry = self.makeRegistry(maxSessions=8, maxTunnels=3, ownerShare=50)
        alive: list[tuple[ServedSession, MemoryLink]] = []
        refusals = 0
        for _ in range(3000):
            step = chance.random()
            if step < 0.45:
                owner = chance.choice((None, b"mine", b"yours"))
                lone = {served.holder for served in self.registry._served.values()}
                before = {holder: self.registry._shares.count(holder) for holder in lone}
                try:
                    alive.append(self.join(chance.randrange(16), owner, chance.choice(("a", "b", "c"))))
                except PeerError:
                    refusals += 1
                self.assertNobodyWithLessHasGivenOneUp(before, alive[-1][0].holder if alive else None)
                alive = [(served, tunnel) for served, tunnel in alive if not tunnel.closed]
            elif step < 0.5:
                self.findSilent()
            elif step < 0.55 and alive:
                self.use(chance.choice(alive)[0])
            elif step < 0.95 and alive:
                self.lose(*alive.pop(chance.randrange(len(alive))))
            else:
                self.clock.advance(chance.choice((1, LINGER / 2)))
            self.registry.checkInvariant()
            self.assertEqual(len(self.network.ports), 1 + len(self.registry))
            lingering = len(self.registry) - len({served.sessionId for served, _ in alive})
            self.assertEqual(self.registry.statistics().lingering, lingering)
            self.assertEqual(len(self.clock.getDelayedCalls()), min(lingering, 1))
        self.assertGreater(refusals, 50)

    def assertNobodyWithLessHasGivenOneUp(self, before: dict[Hashable, int], newest: Hashable) -> None:
        """
        @param before: how many sessions each owner had before another was opened.
        @param newest: who opened it, if anybody did.
        """
        most = max(before.values(), default=0)
        for owner, count in before.items():
            now = self.registry._shares.count(owner)
            self.assertTrue(now >= count or count == most or owner == newest, (before, owner, now))

    def test_allSessionsFollowTheWayToTheTarget(self) -> None:
        """
        A few in each turn, and those that have ended meanwhile do nothing.
        """
        entries = []
        for number in range(STEPS + 2):
            entries.append(self.join(number)[0])
            self.clock.turn()
        self.clock.rightNow += 1
        self.local = ("192.0.2.7", 0)
        self.registry.checkRoutes()
        self.assertEqual(sum(host == "192.0.2.7" for host, _ in self.network.ports), STEPS)
        self.registry._end(entries[-1], "of the test")
        self.clock.turn()
        self.assertEqual([host for host, _ in self.network.ports if host != "192.0.2.7"], ["127.0.0.1"])
        self.assertEqual(len(self.network.ports), 1 + STEPS + 1)

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
        self.assertEqual(self.findSilent(), [])
        self.clock.advance(SILENT_SECONDS)
        self.assertEqual(self.findSilent(), [served])
        self.assertEqual(self.findSilent(), [])

    def test_targetThatAnswersNoMoreIsFoundOnce(self) -> None:
        served, _ = self.join(1)
        served.session.outbound.send([Train(4, b"pong")])
        for _ in range(3 * int(STOPPED_SECONDS)):
            self.clock.advance(1)
            self.use(served)
            self.assertEqual(self.findSilent(), [])
        self.assertEqual(self.stopped, [served])

    def test_whatWasNotSentIsNoneOfTheBytesToTheTarget(self) -> None:
        served, _ = self.join(1)
        served.session.inbound.unnumbered([Train(4, b"ping")], self.clock.seconds())
        served.target._tryLater("there is no socket")
        served.session.inbound.unnumbered([Train(5, b"vain!")] * 2, self.clock.seconds())
        with capturedLogs() as events:
            self.registry.endAll()
        self.assertEqual(
            formatEvent(events[-1]),
            "session 01010101 ended: the server stops; 4 bytes to the target, 0 back; 10 bytes could not be sent to it",
        )

    def test_targetsOfSilentSessionsAreLookedFor(self) -> None:
        """
        Each is told when something was sent to it, and when something was heard.
        """
        looks: list[tuple[float, float]] = []
        self.patch(Target, "review", lambda _, sentAt, heardAt: looks.append((sentAt, heardAt)))
        began = self.clock.seconds()
        first, _ = self.join(1)
        self.join(2)
        self.clock.advance(1)
        first.session.inbound.unnumbered([Train(4, b"ping")], self.clock.seconds())
        self.registry.reviewTargets()
        self.assertEqual(looks, [(began + 1, began), (began, began)])

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
