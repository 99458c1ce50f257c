"""
The server's sessions by their id: who may join one, how long one outlives its
tunnels, and how many there may be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from uotp.errors import PeerError
from uotp.net import ownerOf
from uotp.process import Turns
from uotp.server.target import TargetProtocol
from uotp.session import ClosingSessions, Session, wordsForLate
from uotp.telemetry import BudgetedLogger, Drops, LineBudget, Logger
from uotp.tunnel import MAX_POOL_SIZE
from uotp.wire import sessionName

MAX_SESSIONS = 4096
"""
How many sessions there may be, which bounds what strangers can make us hold where no
client certificate is asked for.  Each session may hold a UDP socket; half a megabyte that
waits, and two more for part of a second; a megabyte that a tunnel has not delivered, and as
much in its kernel; and two that lost tunnels have not delivered, until another takes them.
"""

SILENT_SECONDS = 10.0
"""A target that has said nothing for so long may well not be there."""

MAX_TUNNELS_PER_SESSION = 2 * MAX_POOL_SIZE
"""Twice the largest pool, since a client may replace all of its tunnels at once, the new ones first."""

TargetMaker = Callable[[], TargetProtocol]
"""Makes what talks with the target for one session."""


class Closable(Protocol):
    """
    Is a tunnel as the registry sees it: something to close.
    """

    def close(self) -> None:
        """
        Close in good order what is written, for a short time; then abort.
        """


class ServedSession:
    """
    Joins a session, its way to the target, and its tunnels.
    """

    def __init__(
        self, sessionId: bytes, owner: bytes | None, session: Session, target: TargetProtocol, openedAt: float
    ) -> None:
        """
        @param owner: what identifies the client's certificate, if it has one.
        @ivar silent: whether we have said that the target is.
        """
        self.sessionId = sessionId
        self.owner = owner
        self.session = session
        self.target = target
        self.openedAt = openedAt
        self.tunnels: set[Closable] = set()
        self.lingering: IDelayedCall | None = None

        self.name = sessionName(sessionId)
        self.silent = False


@dataclass(frozen=True, slots=True)
class Joined:
    """
    Says which session a tunnel has joined.

    @ivar isNew: whether the tunnel is its first, with which it began.
    """

    served: ServedSession
    isNew: bool


@dataclass(frozen=True, slots=True)
class RegistryStatistics:
    """
    Says how the sessions of a server stand at one moment, and what they have carried.

    @ivar sessions: how many there are, with those that linger.
    @ivar lingering: how many of them have no tunnel at the moment.
    @ivar silent: to how many of them the target has said nothing, though it was sent
        something and had time to answer; as was found when we looked last.
    @ivar closing: how many have ended, and are still handing on what came for the target.
    @ivar tunnels: how many carry for a session.
    @ivar bytesIn: payload that came for the target, in bytes, since the server began.
    @ivar bytesOut: payload that came back from it.
    """

    sessions: int
    lingering: int
    silent: int
    closing: int
    tunnels: int
    bytesIn: int
    bytesOut: int


class Registry:
    """
    Keeps all sessions of a server by their id, from the first tunnel until some time after
    the last.

    @ivar closing: those that have ended and are not done yet.
    """

    _log = Logger()

    def __init__(
        self,
        makeTarget: TargetMaker,
        clock: Any,
        turns: Turns,
        drops: Drops,
        linger: float,
        maxSessions: int = MAX_SESSIONS,
        maxTunnels: int = MAX_TUNNELS_PER_SESSION,
        reorder: float | None = None,
    ) -> None:
        """
        @param makeTarget: makes the way to the target for a new session.
        @param clock: C{IReactorTime}.
        @param turns: shares the time among the owners of sessions.
        @param drops: where what is dropped is counted.
        @param linger: seconds that a session lives on without a tunnel.
        @param reorder: see L{uotp.session.inbound.Inbound}.
        """
        self._makeTarget = makeTarget
        self._clock = clock
        self._turns = turns
        self._drops = drops
        self.linger = linger
        self._reorder = reorder
        self._maxSessions = maxSessions
        self._maxTunnels = maxTunnels
        self._sessionLog = BudgetedLogger(self._log, LineBudget(clock.seconds))
        self._served: dict[bytes, ServedSession] = {}
        self._lingering: dict[ServedSession, None] = {}
        self.closing = ClosingSessions()

    def __len__(self) -> int:
        """
        How many sessions there are, with those that linger.
        """
        return len(self._served)

    def join(self, sessionId: bytes, owner: bytes | None, tunnel: Closable, peer: str = "nowhere") -> Joined:
        """
        A tunnel has shown a session id.

        @param owner: what identifies the client's certificate, L{None} without
            one.  A session belongs to the certificate that opened it.
        @param peer: where the tunnel comes from, for the log.
        @return: the session that it carries for now, and whether that has begun with it.
        @raise PeerError: when it may not join, or there is no room.
        """
        served = self._served.get(sessionId)
        isNew = served is None
        if served is None:
            served = self._open(sessionId, owner, peer)
        elif served.owner != owner:
            reason = "the session belongs to another client certificate"
            raise PeerError(reason)
        elif len(served.tunnels) >= self._maxTunnels:
            reason = f"the session has {self._maxTunnels} tunnels already"
            raise PeerError(reason)
        if served.lingering is not None:
            served.lingering.cancel()
            served.lingering = None
            del self._lingering[served]
            self._sessionLog.info("session {session} has tunnels again", session=served.name)
        served.tunnels.add(tunnel)
        return Joined(served, isNew)

    def _open(self, sessionId: bytes, owner: bytes | None, peer: str) -> ServedSession:
        if len(self._served) >= self._maxSessions:
            oldest = next(iter(self._lingering), None)
            if oldest is None:
                reason = f"there are {self._maxSessions} sessions already"
                raise PeerError(reason)
            self._end(oldest, "its place was needed")
        target = self._makeTarget()
        allowance = self._turns.allowanceOf(owner or ownerOf(peer))
        session = Session(target.send, self._drops, self._clock, allowance, reorder=self._reorder)
        served = self._served[sessionId] = ServedSession(sessionId, owner, session, target, self._clock.seconds())
        self._sessionLog.info(
            "session {session} opened from {peer}, {sessions} in all",
            session=served.name,
            peer=peer,
            sessions=len(self),
        )
        target.allowance = allowance
        target.open(session.outbound.send, session.inbound.deliverBy)
        return served

    def tunnelLost(self, served: ServedSession, tunnel: Closable) -> None:
        """
        A tunnel of a session is lost.
        """
        served.tunnels.discard(tunnel)
        if served.tunnels or served.lingering is not None or self._served.get(served.sessionId) is not served:
            return
        self._sessionLog.info(
            "session {session} has no tunnel left and is kept for {linger:.0f} s",
            session=served.name,
            linger=self.linger,
        )
        served.lingering = self._clock.callLater(self.linger, self._expire, served)
        self._lingering[served] = None

    def _expire(self, served: ServedSession) -> None:
        self._end(served, "its tunnels did not come back")

    def peerLeft(self, served: ServedSession) -> None:
        """
        The client has left.
        """
        if self._served.get(served.sessionId) is served:
            self._end(served, "the client has left")

    def _end(self, served: ServedSession, reason: str) -> None:
        del self._served[served.sessionId]
        self._lingering.pop(served, None)
        if served.lingering is not None and served.lingering.active():
            served.lingering.cancel()
        served.lingering = None
        self.closing.begin(served.session, served.target.close)
        for tunnel in list(served.tunnels):
            tunnel.close()
        self._sessionLog.info(
            "session {session} ended: {reason}; {bytesIn} bytes to the target, {bytesOut} back{late}",
            session=served.name,
            reason=reason,
            bytesIn=served.session.inbound.bytes,
            bytesOut=served.session.outbound.bytes,
            late=wordsForLate(served.session.inbound.late),
        )

    def findSilent(self) -> list[ServedSession]:
        """
        @return: sessions that have sent to the target for some time, and to which
            nothing has come back; each once.
        """
        now = self._clock.seconds()
        found = [
            served
            for served in self._served.values()
            if not (served.silent or served.session.outbound.bytes)
            and served.session.inbound.answered
            and now - served.openedAt >= SILENT_SECONDS
        ]
        for served in found:
            served.silent = True
        return found

    def statistics(self) -> RegistryStatistics:
        """
        @return: how the sessions stand.
        """
        served = self._served.values()
        return RegistryStatistics(
            sessions=len(served),
            lingering=len(self._lingering),
            silent=sum(each.silent and not each.session.outbound.bytes for each in served),
            closing=len(self.closing),
            tunnels=sum(len(each.tunnels) for each in served),
            bytesIn=self.closing.bytesIn + sum(each.session.inbound.bytes for each in served),
            bytesOut=self.closing.bytesOut + sum(each.session.outbound.bytes for each in served),
        )

    def waits(self) -> bool:
        """
        @return: whether something waits that a tunnel will take.
        """
        return any(served.session.outbound.waits for served in self._served.values())

    def endAll(self) -> Deferred[None]:
        """
        End every session, because the server stops.

        @return: fires when all that has come for the target has been handed on.
        """
        for served in list(self._served.values()):
            self._end(served, "the server stops")
        return self.closing.whenDone()

    def checkInvariant(self) -> None:
        """
        What holds between any two events.

        @raise AssertionError: when it does not.
        """
        assert len(self._served) <= self._maxSessions
        for sessionId, served in self._served.items():
            assert served.sessionId == sessionId
            assert len(served.tunnels) <= self._maxTunnels
            assert (served.lingering is not None) == (not served.tunnels)
            assert (served in self._lingering) == (not served.tunnels)
