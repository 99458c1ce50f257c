"""
The client's sessions by the source they belong to: who is worth one, how large
its pool is, and when it ends.

Whoever can reach the UDP port can forge any number of sources, and one datagram
of 32 bytes that opens eight tunnels costs 49.5 KB on the wire.  So a source gets
one tunnel, and a short time; the pool and the full time come when the target has
answered, or when the source has sent more than the pool costs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import Deferred

from uotp.boundaries import Address
from uotp.client.context import ClientContext
from uotp.client.pool import Pool
from uotp.session import ClosingSessions, Session, wordsForLate
from uotp.telemetry import BudgetedLogger, Drop, Drops, LineBudget, Logger
from uotp.train import TakeTrains, Train, countOf
from uotp.udp import TrainProtocol
from uotp.wire import newSessionId, sessionName

MAX_CLIENT_SESSIONS = 1024
"""How many sessions there may be; with one tunnel each they take some 70 MB."""

NEW_PER_SECOND = 32.0
NEW_AT_ONCE = 64.0
"""How many sessions may be opened; forged sources cannot make us dial faster than that."""

UNANSWERED_SECONDS = 30.0
"""How long a source that has no pool yet may be idle."""

WIDEN_BYTES = 64 * 1024
"""
What a source must send to be given its pool without an answer: more than the
pool's handshakes cost, so that forging sources multiplies nothing.
"""


class SourceSession:
    """
    Holds the session of one source, and its pool.

    @ivar send: sends trains that came from the source.
    @ivar hasPool: whether it has all its tunnels, and not one only.
    """

    def __init__(self, context: ClientContext, drops: Drops, deliver: TakeTrains) -> None:
        """
        @param deliver: sends trains to the source.
        """
        self._context = context
        sessionId = newSessionId()
        self.name = sessionName(sessionId)
        allowance = context.turns.allowanceOf(sessionId)
        self.session = Session(deliver, drops, context.clock, allowance, self._answered, context.settings.reorder)
        self.send = self.session.outbound.send
        self.session.outbound.noticeBytes(WIDEN_BYTES, self.widen)
        self.hasPool = False
        self.pool = Pool(context, self.session, sessionId, self._forgotten)
        self.pool.start()

    def _answered(self) -> None:
        self._context.reachability.reached()
        self.widen()

    def widen(self) -> None:
        """
        The source is worth its pool.
        """
        if not self.hasPool:
            self.hasPool = True
            self.pool.widen()

    def _forgotten(self) -> None:
        self._context.reachability.sessionForgotten(self.name)
        self.session.inbound.restart()


@dataclass(frozen=True, slots=True)
class SessionsBySourceStatistics:
    """
    Says how the sessions of a client stand at one moment, and what they have carried.

    @ivar sessions: how many sources have one.
    @ivar pools: how many of them have a pool, and not one tunnel only.
    @ivar closing: how many have ended, and are still handing on what came for the source.
    @ivar bytesOut: payload that came from sources, in bytes, since the client began.
    @ivar bytesIn: payload that came for them.
    """

    sessions: int
    pools: int
    closing: int
    bytesOut: int
    bytesIn: int


class SessionsBySource(TrainProtocol):
    """
    Keeps the session of each source, as the protocol on the UDP port to which they send.
    """

    _log = Logger()

    def __init__(
        self,
        openSession: Callable[[TakeTrains], SourceSession],
        clock: Callable[[], float],
        drops: Drops,
        expire: float,
        whenPortLost: Callable[[str], None],
        maxSessions: int = MAX_CLIENT_SESSIONS,
    ) -> None:
        """
        @param openSession: makes the session of a source, which is sent to by what is given.
        @param clock: monotonic seconds.
        @param expire: seconds that a session may be idle.
        @param whenPortLost: told why, when the port is gone and we did not close it.
        """
        super().__init__(drops)
        self._openSession = openSession
        self._clock = clock
        self._whenPortLost = whenPortLost
        self._ignoring = False
        self._expire = expire
        self._maxSessions = maxSessions
        self._sessionLog = BudgetedLogger(self._log, LineBudget(clock))
        self._bySource: dict[Address, SourceSession] = {}
        self._closing = ClosingSessions()
        self._tokens = NEW_AT_ONCE
        self._filledAt = clock()

    def __len__(self) -> int:
        """
        How many sessions there are.
        """
        return len(self._bySource)

    def trainsReceived(self, trains: list[Train], source: Address) -> None:
        """
        A source sent trains.
        """
        if self._ignoring:
            return
        session = self._bySource.get(source) or self._welcome(source)
        if session is None:
            self._drops.count(Drop.TOO_MANY_SESSIONS, countOf(trains))
        else:
            session.send(trains)

    def startProtocol(self) -> None:
        """
        A port is bound: sessions that are there send through it from now on.
        """
        self._ignoring = False
        for source, entry in self._bySource.items():
            entry.session.inbound.deliverBy(self._deliverTo(source))

    def _deliverTo(self, source: Address) -> TakeTrains:
        """
        @return: what sends to a source through the port that is bound, with no function of
            ours between.
        """
        return partial(self.sendTrains, destination=source)

    def ignoreSources(self) -> None:
        """
        Take nothing more from sources, until another port is bound.
        """
        self._ignoring = True

    def portLost(self, reason: str) -> None:
        """
        See L{TrainProtocol}.
        """
        self._whenPortLost(reason)

    def _welcome(self, source: Address) -> SourceSession | None:
        now = self._clock()
        self._tokens = min(NEW_AT_ONCE, self._tokens + (now - self._filledAt) * NEW_PER_SECOND)
        self._filledAt = now
        if self._tokens < 1:
            return None
        self._tokens -= 1  # also where there is no room: to look for it costs time
        if not self._makeRoom():
            return None
        session = self._bySource[source] = self._openSession(self._deliverTo(source))
        self._sessionLog.info(
            "session {session} for {host} port {port} opened, {sessions} in all",
            session=session.name,
            host=source[0],
            port=source[1],
            sessions=len(self),
        )
        return session

    def _makeRoom(self) -> bool:
        """
        @return: whether there is room, after the idlest source without a
            pool was sent away if there was none.
        """
        if len(self._bySource) < self._maxSessions:
            return True
        idle = [(entry.session.lastActive, source) for source, entry in self._bySource.items() if not entry.hasPool]
        if not idle:
            return False
        self._end(min(idle)[1], "its place was needed")
        return True

    def endIdle(self) -> None:
        """
        End the sessions that have been idle for too long.
        """
        now = self._clock()
        for source, entry in list(self._bySource.items()):
            allowed = self._expire if entry.hasPool else min(self._expire, UNANSWERED_SECONDS)
            if now - entry.session.lastActive >= allowed:
                self._end(source, "idle")

    def renewOld(self) -> None:
        """
        Let each pool replace one tunnel that is old, if it has one.
        """
        for entry in self._bySource.values():
            entry.pool.renewOld()

    def prove(self) -> None:
        """
        The path may have changed: all tunnels have to show that they are still good.
        """
        for entry in list(self._bySource.values()):
            entry.pool.prove()

    def statistics(self) -> SessionsBySourceStatistics:
        """
        @return: how the sessions stand.
        """
        entries = self._bySource.values()
        return SessionsBySourceStatistics(
            sessions=len(entries),
            pools=sum(entry.hasPool for entry in entries),
            closing=len(self._closing),
            bytesOut=self._closing.bytesOut + sum(entry.session.outbound.bytes for entry in entries),
            bytesIn=self._closing.bytesIn + sum(entry.session.inbound.bytes for entry in entries),
        )

    def waits(self) -> bool:
        """
        @return: whether something waits that a tunnel will take.
        """
        return any(entry.session.outbound.waits for entry in self._bySource.values())

    def drainAll(self) -> None:
        """
        Let what is under way arrive, on all tunnels.
        """
        for entry in list(self._bySource.values()):
            entry.pool.drain()

    def endAll(self) -> Deferred[None]:
        """
        End every session, because the client stops.

        @return: fires when all that has come for the sources has been handed on.
        """
        for source in list(self._bySource):
            self._end(source, "the client stops")
        return self._closing.whenDone()

    def _end(self, source: Address, reason: str) -> None:
        entry = self._bySource.pop(source)
        entry.pool.leave()
        self._closing.begin(entry.session, lambda: None)
        self._sessionLog.info(
            "session {session} for {host} port {port} ended: {reason}; {bytesOut} bytes from it, {bytesIn} to it{late}",
            session=entry.name,
            host=source[0],
            port=source[1],
            reason=reason,
            bytesOut=entry.session.outbound.bytes,
            bytesIn=entry.session.inbound.bytes,
            late=wordsForLate(entry.session.inbound.late),
        )

    def checkInvariant(self) -> None:
        """
        What holds between any two events.

        @raise AssertionError: when it does not.
        """
        assert len(self._bySource) <= self._maxSessions
        assert 0 <= self._tokens <= NEW_AT_ONCE
