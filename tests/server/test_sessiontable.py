"""
What the parent of several workers knows: which of them has a session, and what of all of them
together there may be.
"""

from __future__ import annotations

import random
import uuid

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.errors import PeerError, Refusal
from uotp.server.connections import OwnedConnections
from uotp.server.joining import Decision, JoinAnswer, JoinQuestion
from uotp.server.sessionshares import ONLY_ONE_IDLE_SECONDS, SessionShares, Shortage, Surplus
from uotp.server.workers.sessiontable import CLAIM_SECONDS, MOST_HOPS, SessionTable, SessionTableStatistics

HERE = JoinAnswer(Decision.HERE)


def newId() -> bytes:
    """
    @return: the id of a new session.
    """
    return uuid.uuid4().bytes


class SessionTableTests(SynchronousTestCase):
    """
    Three workers ask.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.ended: list[tuple[int, bytes, Surplus]] = []
        self.doubles: list[tuple[int, bytes]] = []
        self.closed: list[tuple[int, int, str]] = []
        self.numbers = 0
        self.table = self.makeTable()

    def makeTable(self, sessions: int = 100, percent: int = 100, most: int = 100, owned: int = 100) -> SessionTable:
        table = SessionTable(self, self.clock.seconds, SessionShares(sessions, percent), OwnedConnections(most, owned))
        for worker in (1, 2, 3):
            table.workerReady(worker)
        return table

    def endSession(self, worker: int, sessionId: bytes, surplus: Surplus) -> None:
        self.ended.append((worker, sessionId, surplus))

    def endDouble(self, worker: int, sessionId: bytes) -> None:
        self.doubles.append((worker, sessionId))

    def closeConnection(self, worker: int, connection: int, reason: str) -> None:
        self.closed.append((worker, connection, reason))

    def ask(
        self,
        worker: int,
        sessionId: bytes,
        owner: bytes | str = "192.0.2.1",
        *,
        isRelayed: bool = False,
        isMovable: bool = False,
        hops: int = 0,
    ) -> JoinAnswer:
        self.numbers += 1
        key = owner if isinstance(owner, bytes) else None
        question = JoinQuestion(self.numbers, sessionId, key, owner, isRelayed, isMovable, hops)
        answer = self.table.ask(worker, question)
        self.table.checkInvariant()
        return answer

    def open(self, worker: int, owner: bytes | str = "192.0.2.1") -> bytes:
        sessionId = newId()
        self.assertEqual(self.ask(worker, sessionId, owner), HERE)
        key = owner if isinstance(owner, bytes) else None
        self.table.sessionOpened(worker, sessionId, key, owner)
        return sessionId

    def test_aSessionBelongsToTheWorkerThatAskedFirst(self) -> None:
        """
        A client may have several addresses, and each of them leads to another worker.
        """
        first = self.open(2)
        self.assertEqual(self.ask(1, first), JoinAnswer(Decision.ELSEWHERE, 2))
        self.assertEqual(self.ask(2, first), HERE)
        self.assertEqual(self.ask(3, first), JoinAnswer(Decision.ELSEWHERE, 2))
        self.assertEqual(self.table.statistics().moved, 2)

    def test_asSoonAsOneHasAskedAllOthersAreSentThere(self) -> None:
        """
        The tunnels of a new session come at the same moment.
        """
        sessionId = newId()
        self.assertEqual(self.ask(3, sessionId), HERE)
        self.assertEqual(self.ask(1, sessionId), JoinAnswer(Decision.ELSEWHERE, 3))

    def test_aSessionThatHasEndedMayBeginElsewhere(self) -> None:
        """
        Only its worker can say that it has.
        """
        sessionId = self.open(2)
        self.table.sessionEnded(1, sessionId)
        self.assertEqual(self.ask(1, sessionId), JoinAnswer(Decision.ELSEWHERE, 2))
        self.table.sessionEnded(2, sessionId)
        self.assertEqual(self.ask(1, sessionId), HERE)

    def test_sessionsOfAWorkerThatDiedMayBeginElsewhere(self) -> None:
        """
        Their connections count no more either.
        """
        sessionId, other = self.open(2), self.open(1)
        self.table.workerLost(2)
        self.table.checkInvariant()
        self.assertEqual(self.table.statistics().connections, 1)
        self.assertEqual(self.ask(3, sessionId), HERE)
        self.assertEqual(self.ask(3, other), JoinAnswer(Decision.ELSEWHERE, 1))

    def test_aSessionThatNeverBeginsIsForgotten(self) -> None:
        """
        The connection that wanted it was lost on its way from one worker to the other.
        """
        sessionId = newId()
        self.ask(2, sessionId)
        self.clock.advance(CLAIM_SECONDS)
        self.table.sweep()
        self.assertEqual(self.ask(1, sessionId), JoinAnswer(Decision.ELSEWHERE, 2))
        self.clock.advance(0.1)
        self.table.sweep()
        self.assertEqual(self.ask(1, sessionId), HERE)

    def test_oneThatHasBegunIsNotForgotten(self) -> None:
        """
        It may be idle for long.
        """
        sessionId = self.open(2)
        self.clock.advance(10 * CLAIM_SECONDS)
        self.table.sweep()
        self.assertEqual(self.ask(1, sessionId), JoinAnswer(Decision.ELSEWHERE, 2))

    def test_aSessionThatBeginsAnewAtOnceIsKnown(self) -> None:
        """
        It was ended to make room, its client asked for it again before its worker knew, and the
        news of its end came after that.
        """
        sessionId = self.open(2)
        self.table.sessionEnded(2, sessionId)
        self.table.sessionOpened(2, sessionId, None, "192.0.2.1")
        self.table.checkInvariant()
        self.assertEqual(self.ask(1, sessionId), JoinAnswer(Decision.ELSEWHERE, 2))

    def test_aSessionIsNeverAtTwoWorkers(self) -> None:
        """
        It has begun anew at one, and another one was given it before that was known.
        """
        sessionId = self.open(2)
        self.table.sessionEnded(2, sessionId)
        self.assertEqual(self.ask(1, sessionId), HERE)
        self.table.sessionOpened(2, sessionId, None, "192.0.2.1")
        self.assertEqual(self.doubles, [(2, sessionId)])
        self.table.sessionOpened(1, sessionId, None, "192.0.2.1")
        self.assertEqual((len(self.doubles), self.ask(2, sessionId)), (1, JoinAnswer(Decision.ELSEWHERE, 1)))

    def test_whatAWorkerSaysThatThereIsHasABound(self) -> None:
        """
        Whoever was taken over may claim to have sessions.
        """
        self.table = self.makeTable(sessions=3)
        for _ in range(20):
            self.table.sessionOpened(1, newId(), None, "192.0.2.1")
        self.assertEqual((self.table.statistics().sessions, len(self.doubles)), (6, 14))

    def test_whoIsNotReadyHasNothing(self) -> None:
        """
        It may be about to stop.
        """
        self.table.workerLost(2)
        self.assertEqual(self.ask(2, newId()), JoinAnswer(Decision.REFUSED, reason="its worker is not ready"))
        sessionId = newId()
        self.table.sessionOpened(2, sessionId, None, "192.0.2.1")
        self.assertEqual((self.table.statistics().sessions, self.doubles), (0, [(2, sessionId)]))
        self.table.workerReady(2)
        self.table.checkInvariant()

    def test_eachConnectionHasItsOwnNumber(self) -> None:
        """
        Otherwise the place of one would be lost for ever.  One that is relayed has its number elsewhere.
        """
        self.ask(1, newId())
        self.numbers = 0
        self.assertRaises(PeerError, self.ask, 1, newId(), "192.0.2.2")
        self.table.checkInvariant()
        self.numbers = 0
        self.assertEqual(self.ask(1, newId(), isRelayed=True), HERE)
        self.numbers = 0
        self.assertEqual(self.ask(2, newId()), HERE)

    def test_aSessionBelongsToACertificate(self) -> None:
        """
        Another one is refused before its connection is handed over.
        """
        sessionId = self.open(2, b"one")
        answer = self.ask(1, sessionId, b"other")
        words = "the session belongs to another client certificate"
        self.assertEqual(answer, JoinAnswer(Decision.REFUSED, reason=words, kind=Refusal.OTHER_OWNER))
        self.assertEqual(self.table.statistics().connections, 1)

    def test_aConnectionIsNotHandedOnForEver(self) -> None:
        """
        Its session may move each time.
        """
        sessionId = self.open(2)
        self.assertEqual(self.ask(1, sessionId, hops=MOST_HOPS).decision, Decision.ELSEWHERE)
        self.assertEqual(self.ask(1, sessionId, hops=MOST_HOPS + 1).decision, Decision.REFUSED)

    def test_movableSessionsAreSpread(self) -> None:
        """
        Behind a TLS terminator all connections come from one address, and to one worker.
        """
        counts = {1: 0, 2: 0, 3: 0}
        for _ in range(60):
            sessionId = newId()
            answer = self.ask(1, sessionId, isMovable=True)
            place = 1 if answer == HERE else answer.worker
            counts[place] += 1
        self.assertTrue(all(16 <= each <= 24 for each in counts.values()), counts)

    def test_movableSessionsStayWhereLoadIsEven(self) -> None:
        """
        Nobody hands a connection over without need.
        """
        for worker in (1, 2, 3, 1, 2, 3):
            self.assertEqual(self.ask(worker, newId(), isMovable=True), HERE)

    def test_nothingIsMovedToAWorkerThatIsAway(self) -> None:
        """
        It is started again, and has the fewest.
        """
        self.table.workerLost(2)
        self.table.workerLost(3)
        for _ in range(10):
            self.assertEqual(self.ask(1, newId(), isMovable=True), HERE)

    def test_anOwnersShareCountsOverAllWorkers(self) -> None:
        """
        A certificate may be shown from many addresses.  Whoever has its share gives up one of its
        own, wherever that is.
        """
        self.table = self.makeTable(sessions=8, percent=50)
        mine = [self.open(worker, b"mine") for worker in (1, 2, 3, 1)]
        self.open(2, b"other")
        self.assertEqual(self.ask(3, newId(), b"mine"), HERE)
        self.assertEqual(self.ended, [(1, mine[0], Surplus(Shortage.SHARE_REACHED, 4, 8))])
        statistics = self.table.statistics()
        self.assertEqual((statistics.endedForShare, statistics.sessions, statistics.owners), (1, 5, 2))

    def test_theLeastUsedGoesWhereverItIs(self) -> None:
        """
        Workers tell when their sessions were active, and which have no tunnel.
        """
        self.table = self.makeTable(sessions=8, percent=50)
        first, second, third, last = (self.open(worker, b"mine") for worker in (1, 2, 3, 1))
        self.table.sessionsActive(1, [(first, 1001.0)])
        self.table.sessionLingers(3, third)
        self.ask(2, newId(), b"mine")
        self.ask(2, newId(), b"mine")
        self.assertEqual([each[:2] for each in self.ended], [(3, third), (2, second)])
        self.assertEqual(self.ask(3, last, b"mine"), JoinAnswer(Decision.ELSEWHERE, 1))

    def test_aSessionWithTunnelsAgainIsUsedAgain(self) -> None:
        """
        It lingers no more.
        """
        self.table = self.makeTable(sessions=4, percent=50)
        first, second = self.open(1, b"mine"), self.open(2, b"mine")
        self.table.sessionLingers(1, first)
        self.table.sessionsActive(1, [(first, 1002.0)])
        self.ask(3, newId(), b"mine")
        self.assertEqual([each[1] for each in self.ended], [second])

    def test_oneWorkerCannotSpeakForAnother(self) -> None:
        """
        What it says of the sessions of another counts for nothing.
        """
        self.table = self.makeTable(sessions=4, percent=50)
        first, second = self.open(1, b"mine"), self.open(2, b"mine")
        self.table.sessionsActive(2, [(first, 5000.0)])
        self.table.sessionLingers(1, second)
        self.table.sessionOpened(2, first, b"mine", b"mine")
        self.ask(3, newId(), b"mine")
        self.assertEqual([each[1] for each in self.ended], [first])

    def test_aFullServerTakesFromWhoHasMost(self) -> None:
        """
        Of all workers together.
        """
        self.table = self.makeTable(sessions=4)
        greedy = [self.open(worker, b"greedy") for worker in (1, 2, 3)]
        self.open(1, b"other")
        self.assertEqual(self.ask(1, newId(), b"third"), HERE)
        self.assertEqual(self.ended, [(1, greedy[0], Surplus(Shortage.SERVER_FULL, 3, 4))])

    def test_nobodyMakesRoomWhoHasOnlyOne(self) -> None:
        """
        Unless it has been idle for long.
        """
        self.table = self.makeTable(sessions=2)
        first = self.open(1, b"one")
        self.open(2, b"two")
        self.clock.advance(ONLY_ONE_IDLE_SECONDS - 1)
        self.assertEqual(self.ask(3, newId(), b"three").decision, Decision.REFUSED)
        self.assertEqual(self.table.statistics().refused, 1)
        self.clock.advance(2)
        self.assertEqual(self.ask(3, newId(), b"three"), HERE)
        self.assertEqual([each[:2] for each in self.ended], [(1, first)])

    def test_connectionsOfAnOwnerCountOverAllWorkers(self) -> None:
        """
        Also those that carry for a session that is known.
        """
        self.table = self.makeTable(owned=3)
        sessionId = self.open(1, b"mine")
        self.ask(2, sessionId, b"mine")
        self.ask(3, sessionId, b"mine")
        self.assertEqual(self.ask(1, sessionId, b"mine").decision, Decision.REFUSED)
        self.assertIn("its owner has 3 connections already", self.ask(1, sessionId, b"mine").reason)
        self.table.connectionGone(2, 2)
        self.assertEqual(self.ask(1, sessionId, b"mine"), HERE)

    def test_whoHasMostConnectionsGivesOneUp(self) -> None:
        """
        The newest, wherever it is.
        """
        self.table = self.makeTable(most=5)
        sessionId = self.open(1, b"greedy")
        for worker in (2, 3, 2):
            self.ask(worker, sessionId, b"greedy")
        self.open(1, b"other")
        self.assertEqual(self.ask(1, newId(), b"third"), HERE)
        self.assertEqual([each[:2] for each in self.closed], [(2, 4)])
        self.assertEqual(self.table.statistics().connectionsEvicted, 1)
        self.table.connectionGone(2, 4)  # its worker says so, too
        self.table.checkInvariant()

    def test_aRelayedConnectionCountsOnce(self) -> None:
        """
        Where its TLS is, and not where its session is.
        """
        self.table = self.makeTable(owned=2)
        sessionId = self.open(1, b"mine")
        self.assertEqual(self.ask(2, sessionId, b"mine"), JoinAnswer(Decision.ELSEWHERE, 1))
        self.assertEqual(self.ask(1, sessionId, b"mine", isRelayed=True, hops=1), HERE)
        self.assertEqual(self.table.statistics().connections, 2)

    def test_whatHappensInAnyOrderKeepsTheCounts(self) -> None:
        """
        Three workers, few places, some owners, and messages that come late.
        """
        chance = random.Random(16)  # noqa: S311 - chance, not secrecy
        self.table = self.makeTable(sessions=9, percent=40, most=12, owned=5)
        ids = [newId() for _ in range(14)]
        owners: list[bytes | str] = [b"a", b"b", "192.0.2.1", "192.0.2.2"]
        for step in range(3000):
            worker, sessionId, owner = chance.randint(1, 3), chance.choice(ids), owners[step % 4]
            key = owner if isinstance(owner, bytes) else None
            deed = chance.randrange(9)
            if deed < 3:
                self.ask(worker, sessionId, owner, isMovable=deed == 1, isRelayed=deed == 2)
            elif deed == 3:
                self.table.sessionOpened(worker, sessionId, key, owner)
            elif deed == 4:
                self.table.sessionEnded(worker, sessionId)
            elif deed == 5:
                self.table.connectionGone(worker, chance.randint(1, max(self.numbers, 1)))
            elif deed == 6:
                self.table.sessionsActive(worker, [(sessionId, self.clock.seconds())])
            elif deed == 7:
                self.table.sessionLingers(worker, sessionId)
            elif chance.random() < 0.1:
                self.table.workerLost(worker)
                self.table.workerReady(worker)
            self.clock.advance(chance.random())
            self.table.checkInvariant()
        self.table.workerLost(1)
        self.table.workerLost(2)
        self.table.workerLost(3)
        empty = self.table.statistics()
        self.assertEqual((empty.sessions, empty.connections, empty.owners), (0, 0, 0))
        self.assertIsInstance(empty, SessionTableStatistics)
