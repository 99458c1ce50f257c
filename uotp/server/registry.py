"""
The server's sessions by their id: who may join one, how long one outlives its
tunnels, and how many there may be.  L{uotp.server.sessionshares} says whose they are, and
which one goes when there is no room.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import LogLevel

from uotp.duplicate import Duplicate
from uotp.errors import PeerError, Refusal
from uotp.net import ownerOf
from uotp.order import AUTO_ORDER, Order
from uotp.process import Round, Steps, Turns
from uotp.server.clientfields import clientFields
from uotp.server.sessionshares import SessionShares, Shortage, Surplus
from uotp.server.target import Target
from uotp.session import ClosingSessions, Session, StoppedAnswers, wordsForLate
from uotp.telemetry import BudgetedLogger, Drops, LineBudget, Logger, RateLimit, logCounted, orLog, spelled
from uotp.tunnel import MAX_POOL_SIZE
from uotp.wire import ServerStatus, beginsName, sessionName

MAX_SESSIONS = 4096
"""
How many sessions there may be, which bounds what strangers can make us hold where no
client certificate is asked for.  Each session may hold a UDP socket; half a megabyte that
waits, and two more for part of a second; a megabyte that a tunnel has not delivered, and as
much in its kernel; and two that lost tunnels have not delivered, until another takes them.
"""

OWNER_SHARE_PERCENT = 25
"""So much of the sessions one owner may have: three who want all leave room for others."""

EXPIRED_AT_ONCE = 32
"""
So many sessions that linger since the same moment end in one turn; ending one takes some 100
microseconds.
"""

REVIEWED_AT_ONCE = 64
"""So many sessions are looked at in one step: each look takes less than a microsecond."""

ANY_ANSWER_SECONDS = 1.0
"""
So often it is looked up, at most, when the target has sent something to any session: clients may ask again and
again, and with thousands of sessions a look takes a millisecond.
"""

SILENT_SECONDS = 10.0
"""A target that has said nothing for so long may well not be there."""

MAX_TUNNELS_PER_SESSION = 2 * MAX_POOL_SIZE
"""Twice the largest pool, since a client may replace all of its tunnels at once, the new ones first."""

TargetMaker = Callable[[], Target]
"""Makes what talks with the target for one session."""


class Closable(Protocol):
    """
    Is a tunnel as the registry sees it: something to close.
    """

    def close(self) -> None:
        """
        Close in good order what is written, for a short time; then abort.
        """


class SessionWatcher(Protocol):
    """
    Is told what becomes of the sessions of a registry, where somebody else counts them too.
    """

    def sessionOpened(self, served: ServedSession) -> None:
        """
        A session has begun.
        """

    def sessionEnded(self, served: ServedSession) -> None:
        """
        A session is over.
        """

    def sessionLingers(self, served: ServedSession) -> None:
        """
        A session has no tunnel any more.
        """

    def sessionActive(self, served: ServedSession) -> None:
        """
        A session has tunnels again, or has carried something of late.
        """


class Unwatched:
    """
    Watches nothing.
    """

    def sessionOpened(self, served: ServedSession) -> None:
        """
        Do nothing.
        """

    def sessionEnded(self, served: ServedSession) -> None:
        """
        Do nothing.
        """

    def sessionLingers(self, served: ServedSession) -> None:
        """
        Do nothing.
        """

    def sessionActive(self, served: ServedSession) -> None:
        """
        Do nothing.
        """


class ServedSession:
    """
    Joins a session, its way to the target, and its tunnels.
    """

    def __init__(
        self,
        sessionId: bytes,
        owner: bytes | None,
        holder: Hashable,
        session: Session,
        target: Target,
        openedAt: float,
        certificate: str | None = None,
    ) -> None:
        """
        @param owner: what identifies the client's certificate, if it has one.
        @param holder: in whose share it counts.
        @param certificate: what the log calls that certificate.
        @ivar client: the fields that a line of the log has of it, see L{clientFields}.
        @ivar clientName: who the client is, by its certificate; empty without one.
        @ivar seenActive: when it was last active, as far as its place in the order of those
            that are idle tells.
        @ivar silent: whether we have said that the target is.
        @ivar stopped: tells when the target is silent that has answered before.
        """
        self.sessionId = sessionId
        self.owner = owner
        self.holder = holder
        self.session = session
        self.target = target
        self.openedAt = self.seenActive = openedAt
        self.tunnels: set[Closable] = set()

        self.name = sessionName(sessionId)
        self.client = clientFields(certificate)
        self.clientName = certificate or ""
        self.silent = False
        self.stopped = StoppedAnswers()

    @property
    def lastActive(self) -> float:
        """
        When it last carried something, in monotonic seconds.
        """
        return self.session.lastActive

    def isMeant(self, word: str) -> bool:
        """
        @param word: the beginning of an id, as the log shows it, see L{beginsName}; or the name of a client,
            whole, with or without the fingerprint of its certificate.
        @return: whether this session is meant by it.
        """
        return beginsName(self.name, word) or (bool(word) and word in {self.clientName, self.client.get("client")})


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
    @ivar owners: how many clients they belong to: certificates, and addresses without one.
    @ivar endedForRoom: how many have ended since the server began because it was full, and
        their owner had most.
    @ivar endedForShare: how many have ended because their owner, who opened another, had
        reached its share.
    @ivar refused: how many could not begin, since there was no room and nobody had to make
        any.
    @ivar tunnels: how many carry for a session.
    @ivar bytesIn: payload that came for the target, in bytes, since the server began.
    @ivar bytesOut: payload that came back from it.
    """

    sessions: int
    lingering: int
    silent: int
    closing: int
    owners: int
    endedForRoom: int
    endedForShare: int
    refused: int
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
        reorder: Order | None = None,
        duplicate: Duplicate = Duplicate.AUTO,
        ownerShare: int = OWNER_SHARE_PERCENT,
        watcher: SessionWatcher | None = None,
    ) -> None:
        """
        @param makeTarget: makes the way to the target for a new session.
        @param clock: C{IReactorTime}.
        @param turns: shares the time among the owners of sessions.
        @param drops: where what is dropped is counted.
        @param linger: seconds that a session lives on without a tunnel.
        @param ownerShare: how many of the sessions one owner may have, in percent.
        @param reorder: how what goes to the target is put in order; L{None} for as each client
            asks.
        @param duplicate: when what comes from the target goes over two tunnels.
        @param watcher: told what becomes of sessions; L{None} for nobody.
        """
        self._watcher: SessionWatcher = watcher or Unwatched()
        self._makeTarget = makeTarget
        self._clock = clock
        self._turns = turns
        self._drops = drops
        self.linger = linger
        self._reorder = reorder
        self._duplicate = duplicate
        self._shares: SessionShares[ServedSession] = SessionShares(maxSessions, ownerShare)
        self._maxTunnels = maxTunnels
        self._sessionLog = BudgetedLogger(self._log, LineBudget(clock.seconds))
        self._rateLimit = RateLimit(clock.seconds)
        self._served: dict[bytes, ServedSession] = {}
        self._answeredAt: float | None = None  # when the target was last heard by anybody, as far as was looked
        self._answeredLookAt = float("-inf")
        self._lingering: dict[ServedSession, float] = {}  # and when each ends, in that order
        self._lingerTimer: IDelayedCall | None = None
        self._steps = Steps(clock)
        self._review, self._targetReview = Round(self._steps), Round(self._steps)
        self._ended = dict.fromkeys(Shortage, 0)
        self._refused = 0
        self.closing = ClosingSessions()

    def __len__(self) -> int:
        """
        How many sessions there are, with those that linger.
        """
        return len(self._served)

    def __contains__(self, sessionId: object) -> bool:
        """
        Whether there is a session with this id.
        """
        return sessionId in self._served

    def join(
        self,
        sessionId: bytes,
        owner: bytes | None,
        tunnel: Closable,
        peer: str = "nowhere",
        certificate: str | None = None,
        order: Order = AUTO_ORDER,
    ) -> Joined:
        """
        A tunnel has shown a session id.

        @param owner: what identifies the client's certificate, L{None} without
            one.  A session belongs to the certificate that opened it.
        @param peer: where the tunnel comes from, for the log.
        @param certificate: what the log calls the certificate.
        @param order: how the client wants datagrams to be put in order.  What its first tunnel
            says holds for the session.
        @return: the session that it carries for now, and whether that has begun with it.
        @raise PeerError: when it may not join, or there is no room.
        """
        served = self._served.get(sessionId)
        isNew = served is None
        if served is None:
            served = self._open(sessionId, owner, peer, certificate, order)
        elif served.owner != owner:
            reason = "the session belongs to another client certificate"
            raise PeerError(reason, Refusal.OTHER_OWNER)
        elif len(served.tunnels) >= self._maxTunnels:
            reason = f"the session has {self._maxTunnels} tunnels already"
            raise PeerError(reason, Refusal.NO_ROOM)
        if served in self._lingering:
            self._lingersNoMore(served)
            self._shares.carries(served.holder, served)
            self._watcher.sessionActive(served)
            words = "session {session}{clientWords} has tunnels again"
            self._sessionLog.info(words, session=served.name, **served.client)
        served.tunnels.add(tunnel)
        return Joined(served, isNew)

    def _open(
        self, sessionId: bytes, owner: bytes | None, peer: str, certificate: str | None, order: Order
    ) -> ServedSession:
        holder = ownerOf(peer) if owner is None else owner
        self._makeRoom(holder)
        allowance = self._turns.allowanceOf(holder)
        target = self._makeTarget()
        target.actFor(allowance)
        session = Session(
            target.send,
            self._drops,
            self._clock,
            allowance,
            order=self._reorder or order,
            duplicate=self._duplicate,
        )
        served = ServedSession(sessionId, owner, holder, session, target, self._clock.seconds(), certificate)
        self._served[sessionId] = served
        self._shares.carries(holder, served)
        self._watcher.sessionOpened(served)
        self._sessionLog.info(
            "session {session} opened from {peer}{clientWords}, {sessions} in all",
            session=served.name,
            peer=peer,
            **served.client,
            sessions=len(self),
        )
        session.outbound.tellStuck(target.readSeldom, target.readAgain)
        self._steps.take(partial(target.open, session.outbound.send, session.inbound.deliverBy))
        return served

    def _makeRoom(self, holder: Hashable) -> None:
        """
        End a session, if somebody who wants another one needs its place.

        @raise PeerError: when there is no room.
        """
        try:
            surplus = self._shares.surplus(holder, self._clock.seconds())
        except PeerError:
            self._refused += 1
            raise
        if surplus is not None:
            served, shortage = surplus
            self._giveUp(served, Surplus(shortage, self._shares.count(served.holder), self._shares.most))

    def giveUp(self, sessionId: bytes, surplus: Surplus) -> None:
        """
        A session, if it is still there, has to make room for one of another worker.
        """
        served = self._served.get(sessionId)
        if served is not None:
            self._giveUp(served, surplus)

    def leaveToOther(self, sessionId: bytes) -> None:
        """
        A session, if it is still there, ends since another worker has it too.
        """
        served = self._served.get(sessionId)
        if served is not None:
            self._end(served, "another worker has it")

    def _giveUp(self, served: ServedSession, surplus: Surplus) -> None:
        shortage = surplus.shortage
        self._ended[shortage] += 1
        logCounted(
            self._log,
            LogLevel.warn,
            self._rateLimit.suppressedBefore((served.holder, shortage)),
            "{ownerWords} has {sessions} of at most {most} sessions and gives up the least used one for another: "
            "{reason} (see {setting})",
            ownerWords=f"the certificate{served.client['clientWords']}" if served.owner else str(served.holder),
            **(
                {name: value for name, value in served.client.items() if name != "clientWords"}
                or {"owner": str(served.holder)}
            ),
            sessions=surplus.sessions,
            most=surplus.most,
            reason=shortage.reason,
            setting=spelled(shortage.setting),
        )
        self._end(served, "its place was needed")

    def tunnelLost(self, served: ServedSession, tunnel: Closable, *, isShutOut: bool = False) -> None:
        """
        A tunnel of a session is lost.

        @param isShutOut: whether we have ended it, since its client may not join any more.  Then nobody is waited
            for when it was the last.
        """
        served.tunnels.discard(tunnel)
        if served.tunnels or served in self._lingering or self._served.get(served.sessionId) is not served:
            return
        if not isShutOut:
            self._sessionLog.info(
                "session {session}{clientWords} has no tunnel left and is kept for {linger:.0f} s",
                session=served.name,
                **served.client,
                linger=self.linger,
            )
        self._lingering[served] = self._clock.seconds() + self.linger
        self._shares.lingers(served.holder, served)
        self._watcher.sessionLingers(served)
        if self._lingerTimer is None:
            self._lingerTimer = self._clock.callLater(self.linger, self._expire)
        if isShutOut:
            self._steps.take(partial(self._endIfThere, served, "its client may not join any more"))

    def _lingersNoMore(self, served: ServedSession) -> None:
        del self._lingering[served]
        if not self._lingering and self._lingerTimer is not None:
            self._lingerTimer.cancel()
            self._lingerTimer = None

    def _expire(self) -> None:
        """
        End a few of the sessions whose time is over, and come back for the next.
        """
        self._lingerTimer = None
        now = self._clock.seconds()
        for served, endsAt in list(islice(self._lingering.items(), EXPIRED_AT_ONCE)):
            if endsAt <= now:
                self._end(served, "its tunnels did not come back")
        if self._lingering:
            endsAt = next(iter(self._lingering.values()))
            self._lingerTimer = self._clock.callLater(max(endsAt - now, 0), self._expire)

    def peerLeft(self, served: ServedSession) -> None:
        """
        The client has left.
        """
        self._steps.take(partial(self._endIfThere, served, "the client has left"))

    def status(self, served: ServedSession, milliseconds: int) -> ServerStatus:
        """
        @param milliseconds: since 1970, by the wall clock.
        @return: what the client of a session may know of the server.
        """
        now = self._clock.seconds()
        if now - self._answeredLookAt >= ANY_ANSWER_SECONDS:
            self._answeredLookAt = now
            heard = [each.session.outbound for each in self._served.values()]
            self._answeredAt = max((one.lastActive for one in heard if one.bytes), default=None)
        target, outbound = served.target, served.session.outbound
        return ServerStatus(
            milliseconds,
            target.hasWay,
            secondsAgo(outbound.lastActive if outbound.bytes else None, now),
            secondsAgo(target.refusedAt, now),
            secondsAgo(self._answeredAt, now),
        )

    def _endIfThere(self, served: ServedSession, reason: str) -> None:
        if self._served.get(served.sessionId) is served:
            self._end(served, reason)

    def _end(self, served: ServedSession, reason: str) -> None:
        del self._served[served.sessionId]
        self._shares.discard(served.holder, served)
        self._watcher.sessionEnded(served)
        if served in self._lingering:
            self._lingersNoMore(served)
        self.closing.begin(served.session, served.target.close)
        if served.tunnels:
            orLog(self._steps.each(list(served.tunnels), closeTunnel), self._log, "not all tunnels were closed")
        unsent = served.target.unsentBytes
        self._sessionLog.info(
            "session {session}{clientWords} ended: {reason}; {bytesIn} bytes to the target, {bytesOut} back"
            "{unsentWords}{lateWords}",
            session=served.name,
            **served.client,
            reason=reason,
            bytesIn=max(served.session.inbound.bytes - unsent, 0),
            bytesOut=served.session.outbound.bytes,
            unsentWords=f"; {unsent} bytes could not be sent to it" if unsent else "",
            unsent=unsent,
            lateWords=wordsForLate(served.session.inbound.late),
            late=served.session.inbound.late,
        )

    def review(self, tellSilent: Callable[[ServedSession], None], tellStopped: Callable[[ServedSession], None]) -> None:
        """
        Look at all sessions, a few in each turn: which of them are idle, and which have sent to
        the target for some time while nothing has come back.

        @param tellSilent: called for each to which nothing has ever come back, once.
        @param tellStopped: called for each to which nothing comes back any more, once each time.
        """
        served = list(self._served.values())
        parts = (served[start : start + REVIEWED_AT_ONCE] for start in range(0, len(served), REVIEWED_AT_ONCE))
        self._review.begin(parts, partial(self._reviewSome, tellSilent, tellStopped))

    def _reviewSome(
        self,
        tellSilent: Callable[[ServedSession], None],
        tellStopped: Callable[[ServedSession], None],
        some: list[ServedSession],
    ) -> None:
        now = self._clock.seconds()
        for served in some:
            if self._served.get(served.sessionId) is not served:
                continue
            served.session.outbound.forgetStale()
            lastActive = served.lastActive
            if lastActive > served.seenActive and served not in self._lingering:
                served.seenActive = lastActive
                self._shares.carries(served.holder, served)
                self._watcher.sessionActive(served)
            if (
                not (served.silent or served.session.outbound.bytes)
                and served.session.inbound.answered
                and now - served.openedAt >= SILENT_SECONDS
            ):
                served.silent = True
                tellSilent(served)
            sent, heard = served.session.inbound, served.session.outbound
            if heard.bytes and served.stopped.isToBeSaid(sent.lastActive, heard.lastActive, now):
                tellStopped(served)

    def reviewTargets(self) -> None:
        """
        Look for the targets of sessions to which nothing comes back, a few in each turn.
        """
        served = list(self._served.values())
        parts = (served[start : start + REVIEWED_AT_ONCE] for start in range(0, len(served), REVIEWED_AT_ONCE))
        self._targetReview.begin(parts, reviewTargets)

    def checkRoutes(self) -> None:
        """
        Another address than before may lead to the target: let each session find out, a few in
        each turn.
        """
        checked = self._steps.each(list(self._served.values()), checkRoute)
        orLog(checked, self._log, "not all sessions have looked for another route")

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
            owners=self._shares.holders,
            endedForRoom=self._ended[Shortage.SERVER_FULL],
            endedForShare=self._ended[Shortage.SHARE_REACHED],
            refused=self._refused,
            tunnels=sum(len(each.tunnels) for each in served),
            bytesIn=self.closing.counts.bytesIn + sum(each.session.inbound.bytes for each in served),
            bytesOut=self.closing.counts.bytesOut + sum(each.session.outbound.bytes for each in served),
        )

    def all(self) -> list[ServedSession]:
        """
        @return: the sessions that there are now.
        """
        return list(self._served.values())

    def has(self, served: ServedSession) -> bool:
        """
        @return: whether a session has not ended.
        """
        return self._served.get(served.sessionId) is served

    def disconnect(self, word: str) -> Deferred[int]:
        """
        End sessions, since an operator wants it.

        @param word: see L{ServedSession.isMeant}.
        @return: fires with how many have ended.
        """
        served = list(self._served.values())
        parts = (served[start : start + REVIEWED_AT_ONCE] for start in range(0, len(served), REVIEWED_AT_ONCE))
        meant: list[ServedSession] = []
        ended: list[ServedSession] = []

        def end(each: ServedSession) -> None:
            if self._served.get(each.sessionId) is each:
                ended.append(each)
                self._end(each, "an operator has ended it")

        looked = self._steps.each(parts, lambda some: meant.extend(each for each in some if each.isMeant(word)))
        return looked.addCallback(lambda _: self._steps.each(meant, end)).addCallback(lambda _: len(ended))

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
        ended = self._steps.each(list(self._served.values()), partial(self._endIfThere, reason="the server stops"))
        return ended.addCallback(lambda _: self.closing.whenDone())

    def checkInvariant(self) -> None:
        """
        What holds between any two events.

        @raise AssertionError: when it does not.
        """
        self._shares.checkInvariant()
        assert len(self._served) == len(self._shares)
        assert self._shares.lingering == len(self._lingering)
        assert list(self._lingering.values()) == sorted(self._lingering.values())
        assert (self._lingerTimer is not None) == bool(self._lingering)
        for sessionId, served in self._served.items():
            assert served.sessionId == sessionId
            assert len(served.tunnels) <= self._maxTunnels
            assert (served in self._lingering) == (not served.tunnels)


def secondsAgo(at: float | None, now: float) -> int | None:
    """
    @return: how long ago something was, in whole seconds; L{None} when it never was.
    """
    return None if at is None else max(int(now - at), 0)


def checkRoute(served: ServedSession) -> None:
    """
    Let a session's socket follow the way to the target.
    """
    served.target.checkRoute()


def reviewTargets(some: list[ServedSession]) -> None:
    """
    Look for the targets of some sessions, if need be.
    """
    for served in some:
        served.target.review(served.session.inbound.lastActive, served.session.outbound.lastActive)


def closeTunnel(tunnel: Closable) -> None:
    """
    Close a tunnel of a session that has ended.
    """
    tunnel.close()
