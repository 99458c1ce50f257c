"""
Who is worth a session, how large its pool is, and when it ends.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from twisted.logger import capturedLogs, formatEvent

from tests.doubles.contracts import TimerTestCase
from tests.doubles.dialling import Attempt, MemoryContext
from tests.doubles.udp import MemoryUdp, Receiver
from uotp.boundaries import Address
from uotp.client.sessions import (
    NEW_AT_ONCE,
    NEW_PER_SECOND,
    UNANSWERED_SECONDS,
    WIDEN_BYTES,
    SessionsBySource,
    SessionsBySourceStatistics,
    SourceSession,
)
from uotp.session.pacer import TICK_SECONDS
from uotp.telemetry.drops import Drop, Drops
from uotp.telemetry.ratelimit import MAX_LINES_PER_QUIET
from uotp.train import TakeTrains, Train

EXPIRE = 120.0
POOL = 4
PING = Train(4, b"ping")
CLIENT = ("127.0.0.1", 8911)


def source(number: int) -> Address:
    """
    @return: the address of a source.
    """
    return (f"192.0.2.{number // 60000 + 1}", number % 60000 + 1)


class _SessionsTestCase(TimerTestCase):
    """
    Puts a client in memory, which dials when the test says so, and keeps how that goes.
    """

    def setUp(self) -> None:
        """
        Make what its pools share, and let every test check the invariant.
        """
        super().setUp()
        self.context = MemoryContext(self.clock)
        self.context.choose(poolSize=POOL)
        self.drops = Drops()
        self.delivered: list[tuple[Address, Train]] = []
        self.made: list[SourceSession] = []
        self.lost: list[str] = []
        self.sessions = self.makeSessions()
        self.addCleanup(self.end)

    def makeSessions(self, maxSessions: int = 1024, expire: float = EXPIRE) -> SessionsBySource:
        """
        @return: no sessions yet.
        """
        sessions = SessionsBySource(
            self.openSession, self.clock.seconds, self.drops, expire, self.lost.append, maxSessions
        )
        sessions.sendTrains = self.sendTrains
        return sessions

    def sendTrains(self, trains: list[Train], destination: Address) -> None:
        """
        In place of a port, until a test opens one.
        """
        self.delivered.extend((destination, train) for train in trains)

    def openSession(self, deliver: TakeTrains) -> SourceSession:
        """
        As the client's service does it.
        """
        session = SourceSession(self.context, self.drops, deliver)
        self.made.append(session)
        return session

    def end(self) -> None:
        """
        End all, and let what was closed be gone.
        """
        self.sessions.endAll()
        self.context.settle()
        self.assertEqual((len(self.sessions), len(self.context.liveTunnels)), (0, 0))

    def send(self, number: int, train: Train = PING) -> None:
        """
        Let a source send.
        """
        self.sessions.trainsReceived([train], source(number))
        self.sessions.checkInvariant()

    def pass_(self, seconds: float) -> None:
        """
        Let time pass, with what the service does periodically.
        """
        self.clock.pump([1.0] * int(seconds))
        self.clock.advance(seconds % 1)
        self.sessions.endIdle()
        self.sessions.checkInvariant()

    def answer(self, attempt: Attempt) -> None:
        """
        Let the target answer over a tunnel.
        """
        attempt.open().dataReceived(b"\0\4pong")


class SourceSessionTests(_SessionsTestCase):
    """
    Follow the session of one source.
    """

    def test_firstDatagramOpensOneTunnelOnly(self) -> None:
        """
        Its source may be forged; and it is not lost.
        """
        self.send(1)
        self.assertEqual(len(self.context.attempts), 1)
        tunnel = self.context.attempts[0]
        tunnel.open()
        self.assertEqual(tunnel.transport.getOutBuffer()[16:], b"\0\4ping")

    def test_answerOpensThePool(self) -> None:
        self.send(1)
        self.send(2)
        self.answer(self.context.attempts[1])
        self.assertEqual(self.delivered, [(source(2), Train(4, b"pong"))])
        self.assertEqual(len(self.context.attempts), 2 + POOL - 1)
        self.assertEqual([session.hasPool for session in self.made], [False, True])

    def test_muchSentOpensThePoolWithoutAnAnswer(self) -> None:
        """
        More than the pool costs, and not a byte earlier.
        """
        self.send(1, Train(1024, bytes(WIDEN_BYTES - 1025)))
        self.send(1, Train(1024, bytes(1024)))
        self.assertEqual(len(self.context.attempts), 1)
        self.send(1, Train(1, b"x"))
        self.assertEqual(len(self.context.attempts), POOL)
        self.send(1, Train(1024, bytes(65000)))
        self.answer(self.context.attempts[0])
        self.assertEqual(len(self.context.attempts), POOL)

    def test_oneSourceHasOneSession(self) -> None:
        for address in (("192.0.2.1", 1), ("192.0.2.1", 1), ("192.0.2.1", 2), ("192.0.2.2", 1), ("::1", 1, 0, 0)):
            self.sessions.trainsReceived([PING], address)
        self.assertEqual(len(self.sessions), 4)

    def test_everySessionHasAnIdOfItsOwn(self) -> None:
        ids = []
        for number in (1, 2, 3, 1):
            self.send(number)
            self.context.attempts[-1].open()
            ids.append(self.context.attempts[-1].transport.getOutBuffer()[:16])
            if number == 3:
                self.sessions.endAll()
        self.assertEqual(len(set(ids)), 4)
        self.assertEqual({len(one) for one in ids}, {16})


class SourcesOnAPortTests(_SessionsTestCase):
    """
    Open a port in memory for the sessions, which are its protocol.
    """

    def setUp(self) -> None:
        super().setUp()
        self.network = MemoryUdp(self.drops)
        self.port = self.network.open(CLIENT, self.sessions)
        self.receiver = Receiver()
        self.sender = self.network.open(("127.0.0.1", 7), self.receiver)

    def test_sourcesAreToldApartByTheirAddress(self) -> None:
        """
        Whether the port hands on trains, or datagrams as Twisted's does.
        """
        self.sender.sendTrains([Train(1, b"xyz")], CLIENT)
        self.network.settle()
        self.sessions.datagramReceived(b"x", ("127.0.0.1", 8))
        self.sessions.datagramReceived(b"y", ("127.0.0.1", 7))
        self.assertEqual([entry.session.statistics().bytesOut for entry in self.made], [4, 1])

    def test_sourcesAreIgnoredUntilAnotherPortIsBound(self) -> None:
        self.sessions.ignoreSources()
        for _ in range(2):
            self.sender.sendTrains([PING], CLIENT)
            self.network.settle()
        self.assertEqual((len(self.sessions), dict(self.drops.totals)), (0, {}))
        self.sessions.stopListening()
        self.network.open(CLIENT, self.sessions)
        self.sender.sendTrains([PING], CLIENT)
        self.network.settle()
        self.assertEqual((len(self.sessions), self.lost), (1, []))

    def test_portThatIsLostIsSaid(self) -> None:
        """
        So that it is bound again; the sessions live on.
        """
        self.sender.sendTrains([PING], CLIENT)
        self.network.settle()
        self.port.lose("it broke")
        self.assertEqual((self.lost, len(self.sessions)), (["it broke"], 1))

    def test_answersGoByThePortThatIsBound(self) -> None:
        """
        Straight to it; while there is none they are lost, and after that they go by the next.
        """
        self.sender.sendTrains([PING], CLIENT)
        self.network.settle()
        straight = self.made[0].session.inbound._pacer.deliver
        assert isinstance(straight, partial)
        self.assertEqual(straight.func, self.port.sendTrains)
        tunnel = self.context.attempts[0].open()
        tunnel.dataReceived(b"\0\1a")
        self.network.settle()
        self.port.lose("it broke")
        tunnel.dataReceived(b"\0\1b")
        self.network.settle()
        self.network.open(CLIENT, self.sessions)
        tunnel.dataReceived(b"\0\1c")
        self.network.settle()
        self.assertEqual(self.receiver.trains, [(Train(1, b"a"), CLIENT), (Train(1, b"c"), CLIENT)])


class SessionsBySourceTests(_SessionsTestCase):
    """
    Let many sources share the bounds that a client has.
    """

    def test_statisticsCountSessionsPoolsAndBytes(self) -> None:
        nothing = SessionsBySourceStatistics(sessions=0, pools=0, closing=0, bytesOut=0, bytesIn=0)
        self.assertEqual(self.sessions.statistics(), nothing)
        self.send(1)
        self.send(2)
        self.send(2)
        self.answer(self.context.attempts[1])
        standing = SessionsBySourceStatistics(sessions=2, pools=1, closing=0, bytesOut=12, bytesIn=4)
        self.assertEqual(self.sessions.statistics(), standing)
        self.made[1].session.inbound.unnumbered([Train(1400, bytes(1400 * 200))], self.clock.seconds())
        self.sessions.endAll()
        ended = replace(standing, sessions=0, pools=0, closing=1, bytesIn=4 + 1400 * 200)
        self.assertEqual(self.sessions.statistics(), ended)
        self.clock.pump([TICK_SECONDS] * 100)
        self.assertEqual(self.sessions.statistics(), replace(ended, closing=0))

    def test_idleSessionOfAWideSourceEndsAfterItsTime(self) -> None:
        self.send(1)
        self.answer(self.context.attempts[0])
        self.pass_(EXPIRE - 1)
        self.assertEqual(len(self.sessions), 1)
        self.pass_(1)
        self.assertEqual(len(self.sessions), 0)
        self.assertTrue(self.context.attempts[0].transport.disconnecting)

    def test_eitherSideKeepsASessionAlive(self) -> None:
        self.send(1)
        self.answer(self.context.attempts[0])
        for _ in range(3):
            self.pass_(EXPIRE - 1)
            self.send(1)
            self.pass_(EXPIRE - 1)
            self.context.attempts[0].tunnel.dataReceived(b"\0\4pong")
        self.assertEqual(len(self.sessions), 1)

    def test_sourceWithoutAPoolIsForgottenSooner(self) -> None:
        self.send(1)
        self.pass_(UNANSWERED_SECONDS - 1)
        self.assertEqual(len(self.sessions), 1)
        self.pass_(1)
        self.assertEqual(len(self.sessions), 0)
        self.assertLess(UNANSWERED_SECONDS, EXPIRE)

    def test_shorterTimeOfTheUserHoldsForAll(self) -> None:
        self.sessions = self.makeSessions(expire=5.0)
        self.send(1)
        self.pass_(4)
        self.assertEqual(len(self.sessions), 1)
        self.pass_(1)
        self.assertEqual(len(self.sessions), 0)

    def test_newSourcesAreTakenOnAtABoundedRate(self) -> None:
        """
        Those beyond it are dropped and counted; known ones are not concerned.
        """
        for number in range(int(NEW_AT_ONCE) + 10):
            self.send(number)
        self.assertEqual(len(self.sessions), NEW_AT_ONCE)
        self.send(0, Train(1, b"xyz"))
        self.assertEqual(self.drops.totals, {Drop.TOO_MANY_SESSIONS: 10})
        self.clock.advance(0.5)
        for number in range(1000, 1100):
            self.send(number, Train(1, b"xyz"))
        taken = int(NEW_PER_SECOND / 2)
        self.assertEqual(len(self.sessions), NEW_AT_ONCE + taken)
        self.assertEqual(self.drops.totals, {Drop.TOO_MANY_SESSIONS: 10 + 3 * (100 - taken)})

    def test_quietTimeSavesUpNoMoreThanOneBurst(self) -> None:
        """
        After an hour a flood is bounded as on the first day.
        """
        self.clock.advance(3600)
        for number in range(200):
            self.send(number)
        self.assertEqual(len(self.sessions), NEW_AT_ONCE)

    def test_fullTableSendsTheIdlestWithoutAPoolAway(self) -> None:
        """
        Whoever floods it, those that were answered stay.
        """
        self.sessions = self.makeSessions(maxSessions=3)
        self.send(1)
        self.answer(self.context.attempts[0])
        self.clock.advance(1)
        self.send(2)
        self.clock.advance(1)
        self.send(3)
        self.clock.advance(1)
        self.send(2)
        self.send(4)
        self.assertEqual(set(self.sessions._bySource), {source(1), source(2), source(4)})
        self.assertEqual(self.drops.totals, {})

    def test_fullTableOfAnsweredSourcesTakesNobodyOn(self) -> None:
        """
        What the stranger sends is dropped and counted, and costs no allowance.
        """
        self.sessions = self.makeSessions(maxSessions=2)
        for number in (1, 2):
            self.send(number)
            self.answer(self.context.attempts[-1])
        for number in range(3, 3 + 500):
            self.send(number)
        self.assertEqual(set(self.sessions._bySource), {source(1), source(2)})
        self.assertEqual(self.drops.totals, {Drop.TOO_MANY_SESSIONS: 500})
        self.pass_(EXPIRE)
        self.send(3)
        self.assertEqual(len(self.sessions), 1)

    def test_placesAreNotLookedForMoreOftenThanSessionsMayBeOpened(self) -> None:
        """
        To look for a place costs time, and forged sources are many.
        """
        self.sessions = self.makeSessions(maxSessions=0)
        looked: list[int] = []

        def noRoom() -> bool:
            looked.append(1)
            return False

        self.patch(self.sessions, "_makeRoom", noRoom)
        for number in range(1000):
            self.send(number)
        self.assertEqual(len(looked), NEW_AT_ONCE)
        self.assertEqual(self.drops.totals[Drop.TOO_MANY_SESSIONS], 1000)

    def test_logOfManySessionsIsBounded(self) -> None:
        """
        Who can reach the port cannot fill the disk.
        """
        with capturedLogs() as events:
            for number in range(2 * MAX_LINES_PER_QUIET):
                self.send(number)
                self.clock.advance(0.1)
            self.sessions.endAll()
        self.assertEqual(len(events), MAX_LINES_PER_QUIET)

    def test_endOfAllLeavesNothing(self) -> None:
        """
        No session, no tunnel, no timer; and then one can begin again.
        """
        for number in range(5):
            self.send(number)
        self.answer(self.context.attempts[0])
        self.made[0].session.inbound.unnumbered([Train(1400, bytes(1400 * 200))], self.clock.seconds())
        ended = self.sessions.endAll()
        self.assertNoResult(ended)
        self.clock.pump([TICK_SECONDS] * 100)
        self.successResultOf(ended)
        self.end()
        self.assertNoTimer()
        self.send(1)
        self.assertEqual(len(self.sessions), 1)

    def test_logTellsOfEachSessionAndNeverItsId(self) -> None:
        with capturedLogs() as events:
            self.send(1)
            self.answer(self.context.attempts[0])
            self.sessions.endAll()
        lines = [formatEvent(event) for event in events]
        sessionId = self.context.attempts[0].transport.getOutBuffer()[:16]
        name = sessionId[:4].hex()
        self.assertEqual(
            lines,
            [
                f"session {name} for 192.0.2.1 port 2 opened, 1 in all",
                f"session {name} for 192.0.2.1 port 2 ended: the client stops; 4 bytes from it, 4 to it",
            ],
        )
        self.assertNotIn(sessionId.hex(), "".join(lines))
