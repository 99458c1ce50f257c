"""
The parent's table of all sessions and connections, whichever worker has them.  It decides where a
connection belongs, and keeps the limits of the server as a whole: how many sessions and
connections there may be, and how many of them one owner may have.

What a worker is told to end counts as ended at once.  So there may be a few more of something, for
as long as a message takes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Protocol

from uotp.errors import PeerError, Refusal
from uotp.server.connections import OwnedConnections
from uotp.server.joining import Decision, JoinAnswer, JoinQuestion
from uotp.server.sessionshares import SessionShares, Shortage, Surplus

CLAIM_SECONDS = 15.0
"""
A session that is to begin has begun after so long, or never does: whoever wanted it is given up
as a stranger before that.
"""

MOST_HOPS = 3
"""A connection is handed over once, and again only when its session has just ended or moved."""

MOST_SURPLUS = 2
"""Nobody may have so many times the sessions that there may be, whatever a worker says."""

SPREAD_AT = 8
"""A new session may begin elsewhere when its worker has more by one in so many, and by one, than the least busy has."""


class TableSession:
    """
    Is a session of some worker, as far as its parent knows it.

    @ivar owner: in whose share it counts.
    @ivar worker: who has it.
    @ivar lastActive: when it last carried something, in monotonic seconds, as its worker has told.
    @ivar isOpen: whether its worker has said that it has begun.
    """

    __slots__ = ("claimedAt", "isOpen", "key", "lastActive", "owner", "sessionId", "worker")

    def __init__(self, sessionId: bytes, key: bytes | None, owner: Hashable, worker: int, now: float) -> None:
        """
        @param key: what identifies the certificate that it belongs to; L{None} without one.
        @param now: when it was asked for.
        """
        self.sessionId = sessionId
        self.key = key
        self.owner = owner
        self.worker = worker
        self.lastActive = self.claimedAt = now
        self.isOpen = False


class TableOwner(Protocol):
    """
    Tells workers what has to end.
    """

    def endSession(self, worker: int, sessionId: bytes, surplus: Surplus) -> None:
        """
        A session has to make room.
        """

    def endDouble(self, worker: int, sessionId: bytes) -> None:
        """
        A session has to end, since another worker has it too.
        """

    def closeConnection(self, worker: int, connection: int, reason: str) -> None:
        """
        A connection has to make room.
        """


@dataclass(frozen=True, slots=True)
class SessionTableStatistics:
    """
    Says what the table has decided since the beginning.

    @ivar sessions: how many there are.
    @ivar connections: how many carry for them.
    @ivar owners: how many clients the sessions belong to.
    @ivar connectionsEvicted: how many had to go, because there was no room.
    @ivar endedForRoom: how many sessions have ended because the server was full.
    @ivar endedForShare: how many have ended because their owner had reached its share.
    @ivar refused: how many sessions could not begin.
    @ivar moved: how many connections belonged to another worker than the one that accepted them.
    """

    sessions: int
    connections: int
    owners: int
    connectionsEvicted: int
    endedForRoom: int
    endedForShare: int
    refused: int
    moved: int


class SessionTable:
    """
    Knows who has what.
    """

    def __init__(
        self,
        owner: TableOwner,
        clock: Callable[[], float],
        shares: SessionShares[TableSession],
        connections: OwnedConnections[tuple[int, int]],
    ) -> None:
        """
        @param owner: tells workers what has to end.
        @param clock: monotonic seconds, the same as those of the workers.
        @param shares: empty; they say how many sessions there may be.
        @param connections: the same of connections.
        """
        self._owner = owner
        self._clock = clock
        self._shares = shares
        self._connections = connections
        self._sessions: dict[bytes, TableSession] = {}
        self._carrying: dict[int, dict[int, Hashable]] = {}  # owners of connections, by worker and number
        self._counts: dict[int, int] = {}  # sessions of each worker that is ready
        self._ended = dict.fromkeys(Shortage, 0)
        self._refused = self._moved = 0

    # What becomes of workers.

    def workerReady(self, worker: int) -> None:
        """
        A worker may be given sessions.
        """
        self._counts[worker] = 0
        self._carrying[worker] = {}

    def isReady(self, worker: int) -> bool:
        """
        @return: whether a worker may be given something.
        """
        return worker in self._counts

    def workerLost(self, worker: int) -> int:
        """
        A worker is gone, and all that it had.

        @return: how many sessions that were.
        """
        self._counts.pop(worker, None)
        for number in list(self._carrying.get(worker, ())):
            self.connectionGone(worker, number)
        self._carrying.pop(worker, None)
        lost = [each for each in self._sessions.values() if each.worker == worker]
        for session in lost:
            self._remove(session)
        return len(lost)

    # What workers ask and tell.

    def ask(self, worker: int, question: JoinQuestion) -> JoinAnswer:
        """
        Where does a connection belong?

        @raise PeerError: when the worker calls it as it calls another one.
        """
        if worker not in self._carrying:  # whoever stops may have one more
            return JoinAnswer(Decision.REFUSED, reason="its worker is not ready")
        if not question.isRelayed and question.connection in self._carrying[worker]:
            reason = "it calls two connections by one number"
            raise PeerError(reason)
        try:
            giver = None if question.isRelayed else self._connections.giver(question.owner)
            session = self._sessionFor(worker, question)
        except PeerError as error:
            return JoinAnswer(Decision.REFUSED, reason=str(error), kind=error.kind)
        if giver is not None:
            (holder, number), reason = self._connections.evict(giver)
            del self._carrying[holder][number]
            self._owner.closeConnection(holder, number, reason)
        if not question.isRelayed:
            self._carrying[worker][question.connection] = question.owner
            self._connections.add(question.owner, (worker, question.connection))
        if session.worker == worker:
            return JoinAnswer(Decision.HERE)
        self._moved += 1
        return JoinAnswer(Decision.ELSEWHERE, session.worker)

    def _sessionFor(self, worker: int, question: JoinQuestion) -> TableSession:
        if question.hops > MOST_HOPS:
            reason = "its session moves from worker to worker"
            raise PeerError(reason, Refusal.NO_ROOM)
        session = self._sessions.get(question.sessionId)
        if session is None:
            self._makeRoom(question.owner)
            place = self._leastBusy(worker) if question.isMovable else worker
            return self._claim(question.sessionId, question.key, question.owner, place)
        if session.key != question.key:
            reason = "the session belongs to another client certificate"
            raise PeerError(reason, Refusal.OTHER_OWNER)
        return session

    def _makeRoom(self, owner: Hashable) -> None:
        try:
            surplus = self._shares.surplus(owner, self._clock())
        except PeerError:
            self._refused += 1
            raise
        if surplus is None:
            return
        session, shortage = surplus
        self._ended[shortage] += 1
        told = Surplus(shortage, self._shares.count(session.owner), self._shares.most)
        self._remove(session)
        self._owner.endSession(session.worker, session.sessionId, told)

    def _leastBusy(self, worker: int) -> int:
        """
        @return: who is to have a new session that may be anywhere.
        """
        least = min(self._counts, key=lambda each: (self._counts[each], each != worker))
        few = self._counts[least]
        return least if self._counts[worker] > few + few // SPREAD_AT else worker

    def _claim(self, sessionId: bytes, key: bytes | None, owner: Hashable, worker: int) -> TableSession:
        session = TableSession(sessionId, key, owner, worker, self._clock())
        self._sessions[sessionId] = session
        self._shares.carries(owner, session)
        self._counts[worker] += 1
        return session

    def _remove(self, session: TableSession) -> None:
        del self._sessions[session.sessionId]
        self._shares.discard(session.owner, session)
        if session.worker in self._counts:
            self._counts[session.worker] -= 1

    def _sessionOf(self, worker: int, sessionId: bytes) -> TableSession | None:
        session = self._sessions.get(sessionId)
        return session if session is not None and session.worker == worker else None

    def sessionOpened(self, worker: int, sessionId: bytes, key: bytes | None, owner: Hashable) -> None:
        """
        A session has begun.  One that is not known is so now: it has ended, and begun again at
        once.  Where another worker was given it meanwhile, that one keeps it.
        """
        session = self._sessions.get(sessionId)
        hasRoom = worker in self._counts and len(self._sessions) < MOST_SURPLUS * self._shares.most
        if session is None and hasRoom:
            session = self._claim(sessionId, key, owner, worker)
        if session is not None and session.worker == worker:
            session.isOpen = True
        else:
            self._owner.endDouble(worker, sessionId)

    def sessionEnded(self, worker: int, sessionId: bytes) -> None:
        """
        A session has ended, or has not begun.
        """
        session = self._sessionOf(worker, sessionId)
        if session is not None:
            self._remove(session)

    def sessionLingers(self, worker: int, sessionId: bytes) -> None:
        """
        A session has no tunnel any more.
        """
        session = self._sessionOf(worker, sessionId)
        if session is not None:
            self._shares.lingers(session.owner, session)

    def sessionsActive(self, worker: int, sessions: Iterable[tuple[bytes, float]]) -> None:
        """
        Sessions have carried something, or have tunnels again.

        @param sessions: the id of each, and when that was.
        """
        for sessionId, lastActive in sessions:
            session = self._sessionOf(worker, sessionId)
            if session is not None:
                session.lastActive = lastActive
                self._shares.carries(session.owner, session)

    def connectionGone(self, worker: int, connection: int) -> None:
        """
        A connection of a worker is gone, or was handed over whole.
        """
        owner = self._carrying.get(worker, {}).pop(connection, None)
        if owner is not None:
            self._connections.discard(owner, (worker, connection))

    def sweep(self) -> None:
        """
        Forget sessions that have not begun.  Call this now and then.
        """
        end = self._clock() - CLAIM_SECONDS
        for session in [each for each in self._sessions.values() if not each.isOpen and each.claimedAt < end]:
            self._remove(session)

    def statistics(self) -> SessionTableStatistics:
        """
        @return: what there is, and what was decided.
        """
        return SessionTableStatistics(
            sessions=len(self._sessions),
            connections=len(self._connections),
            owners=self._shares.holders,
            connectionsEvicted=self._connections.evicted,
            endedForRoom=self._ended[Shortage.SERVER_FULL],
            endedForShare=self._ended[Shortage.SHARE_REACHED],
            refused=self._refused,
            moved=self._moved,
        )

    def checkInvariant(self) -> None:
        """
        What holds between any two events.

        @raise AssertionError: when it does not.
        """
        self._connections.checkInvariant()
        assert len(self._sessions) == len(self._shares)
        assert sum(map(len, self._carrying.values())) == len(self._connections)
        for worker, count in self._counts.items():
            assert count == sum(each.worker == worker for each in self._sessions.values())
