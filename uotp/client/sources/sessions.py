"""
The client's sessions by the source they belong to: how they begin, and when they end.

Whoever can reach the UDP port can forge any number of sources.  So new ones are taken on no faster
than a rate (L{uotp.client.sources.admission}).  A source gets one tunnel and a short time until it has
proved that it is none of these (L{uotp.client.sources.proof}), and few places are for those that have
done nothing or little (L{uotp.client.sources.places}).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel

from uotp.client.sources.admission import Admission, AdmissionLimits
from uotp.client.sources.allowed import AllowedSources
from uotp.client.sources.places import Places
from uotp.client.sources.source import SourceSession
from uotp.client.sources.sourceport import Source, SourcePort
from uotp.net import Network, hostOf, shownHost
from uotp.process import Round, Steps
from uotp.session import ClosingSessions, wordsForLate
from uotp.telemetry import BudgetedLogger, Drop, Drops, LineBudget, Logger, RateLimit, logCounted, orLog, spelled
from uotp.train import TakeTrains, Train, countOf
from uotp.wire import beginsName

MAX_CLIENT_SESSIONS = 1024
"""How many sessions there may be; with one tunnel each they take some 70 MB."""

UNPROVED_SECONDS = 30.0
"""How long a source that is not proved may be idle."""


@dataclass(frozen=True, slots=True)
class SessionsBySourceStatistics:
    """
    Says how the sessions of a client stand at one moment, and what they have carried.

    @ivar sessions: how many sources have one.
    @ivar proved: how many of them are proved, and may have more than one tunnel.
    @ivar closing: how many have ended, and are still handing on what came for the source.
    @ivar bytesOut: payload that came from sources, in bytes, since the client began.
    @ivar bytesIn: payload that came for them.
    """

    sessions: int
    proved: int
    closing: int
    bytesOut: int
    bytesIn: int


class SessionsBySource:
    """
    Keeps the session of each source, whichever of our UDP ports it sends to.
    """

    _log = Logger()

    def __init__(
        self,
        openSession: Callable[[TakeTrains], SourceSession],
        clock: Any,
        drops: Drops,
        expire: float,
        maxSessions: int = MAX_CLIENT_SESSIONS,
        allow: Iterable[Network] = (),
        admission: AdmissionLimits | None = None,
    ) -> None:
        """
        @param openSession: makes the session of a source, which is sent to by what is given.
        @param clock: C{IReactorTime}.
        @param drops: where what cannot be carried is counted.
        @param expire: seconds that a session may be idle.
        @param allow: the networks of sources that are served; when there is none, all are.
        @param admission: how many new ones are taken on; as many as one process takes on when left out.
        """
        self._drops = drops
        self._openSession = openSession
        self._clock = clock
        self._steps = Steps(clock)
        self._ending = Round(self._steps)
        self._renewal = Round(self._steps)
        self._review = Round(self._steps)
        self._serverReview = Round(self._steps)
        self._expire = expire
        self._sessionLog = BudgetedLogger(self._log, LineBudget(clock.seconds))
        self._bySource: dict[Source, SourceSession] = {}
        limits = admission or AdmissionLimits.of(1)
        self._places = Places(self._bySource, maxSessions, limits.places)
        self._allowed = AllowedSources(allow)
        self._strangers = RateLimit(clock.seconds)  # our own, since their addresses may be forged
        self._admission = Admission(clock.seconds, limits)
        self._closing = ClosingSessions()

    def __len__(self) -> int:
        """
        How many sessions there are.
        """
        return len(self._bySource)

    def setMost(self, most: int) -> None:
        """
        From now on there may be so many sessions.  If there are more, they become fewer while others come.
        """
        self._places.setMost(most)

    def newPort(self, whenLost: Callable[[str], None]) -> SourcePort:
        """
        @param whenLost: told why, when the port is gone and we did not close it.
        @return: the protocol for one more UDP port to which sources send.
        """
        return SourcePort(self._drops, self, whenLost)

    def welcome(self, source: Source, trains: list[Train]) -> SourceSession | None:
        """
        See L{uotp.client.sources.sourceport.Newcomers}.
        """
        host = shownHost(hostOf(source.address))
        if not self._allowed.allows(host):
            self._drops.count(Drop.SOURCE_NOT_ALLOWED, countOf(trains))
            self._sayNotAllowed(host)
            return None
        if not self._admission.admits(source) or not self._makeRoom():
            self._drops.count(Drop.TOO_MANY_SESSIONS, countOf(trains))
            return None
        return self._begin(source)

    def _sayNotAllowed(self, host: str) -> None:
        logCounted(
            self._log,
            LogLevel.warn,
            self._strangers.suppressedBefore(host),
            "{host} is not served: no network of {setting} has it",
            host=host,
            setting=spelled("allow"),
        )

    def _begin(self, source: Source) -> SourceSession:
        session = self._openSession(source.port.deliverTo(source.address))
        self._bySource[source] = source.port.bySource[source.address] = session
        self._places.take(source)
        self._sessionLog.info(
            "session {session} for {host} port {port} opened, {sessions} in all",
            session=session.name,
            host=shownHost(hostOf(source.address)),
            port=source.address[1],
            sessions=len(self),
        )
        return session

    def _makeRoom(self) -> bool:
        """
        @return: whether there is room for a source that is not proved, maybe because another
            was sent away; where there are more than there may be, two are.
        """
        if self._places.hasRoom():
            return True
        isOver = self._places.isOver
        if not self._sendAway():
            return False
        if isOver and not self._places.hasRoom():
            self._sendAway()
        return True

    def _sendAway(self) -> bool:
        """
        @return: whether one was sent away.
        """
        leaving = self._places.least(self._clock.seconds())
        if leaving is None:
            return False
        self._end(leaving, "its place was needed")
        return True

    def _idleSeconds(self, entry: SourceSession) -> float:
        seconds: float = self._clock.seconds() - entry.session.lastActive
        return seconds

    def _isExpired(self, entry: SourceSession) -> bool:
        allowed = self._expire if entry.proof.isProved else min(self._expire, UNPROVED_SECONDS)
        return self._idleSeconds(entry) >= allowed

    def _each(self, act: Callable[[SourceSession], object]) -> Deferred[None]:
        """
        Do something with each session, not too much of it in one turn.

        @param act: what is done with those that are still there when it is their turn.
        @return: fires when that is done.
        """

        def actIfThere(item: tuple[Source, SourceSession]) -> None:
            if self._bySource.get(item[0]) is item[1]:
                act(item[1])

        return self._steps.each(list(self._bySource.items()), actIfThere)

    def endIdle(self) -> None:
        """
        End the sessions that have been idle for too long.
        """
        expired = [source for source, entry in self._bySource.items() if self._isExpired(entry)]
        self._ending.begin(expired, self._endIfExpired)

    def _endIfExpired(self, source: Source) -> None:
        entry = self._bySource.get(source)
        if entry is not None and self._isExpired(entry):
            self._end(source, "idle")

    def renewOld(self) -> None:
        """
        Let each pool replace one tunnel that is old, if it has one.
        """
        self._renewal.begin(list(self._bySource), self._renewOld)

    def _renewOld(self, source: Source) -> None:
        entry = self._bySource.get(source)
        if entry is not None:
            entry.pool.renewOld()
            entry.succession.standby.renewOld()

    def review(self) -> None:
        """
        Look whether something comes back to each source, at a few in each turn.
        """
        self._review.begin(list(self._bySource), self._reviewOne)

    def _reviewOne(self, source: Source) -> None:
        entry = self._bySource.get(source)
        if entry is not None:
            entry.review()

    def reviewServers(self) -> None:
        """
        Look whether a session had better be at another server, at a few in each turn.
        """
        self._serverReview.begin(list(self._bySource), self._reviewServersOfOne)

    def _reviewServersOfOne(self, source: Source) -> None:
        entry = self._bySource.get(source)
        if entry is not None:
            entry.reviewServers()

    def prove(self) -> None:
        """
        The path may have changed: all tunnels have to show that they are still good.
        """
        proved = self._each(lambda entry: entry.succession.prove())
        orLog(proved, self._log, "not all tunnels were told to show that they are good")

    def keyChanged(self) -> None:
        """
        We show another key to the server from now on, and its sessions belong to keys.  The path may
        have changed besides.
        """
        changed = self._each(lambda entry: entry.succession.keyChanged())
        orLog(changed, self._log, "not all sessions were told that our key has changed")

    def statistics(self) -> SessionsBySourceStatistics:
        """
        @return: how the sessions stand.
        """
        entries = self._bySource.values()
        return SessionsBySourceStatistics(
            sessions=len(entries),
            proved=sum(entry.proof.isProved for entry in entries),
            closing=len(self._closing),
            bytesOut=self._closing.counts.bytesOut + sum(entry.session.outbound.bytes for entry in entries),
            bytesIn=self._closing.counts.bytesIn + sum(entry.session.inbound.bytes for entry in entries),
        )

    @property
    def ended(self) -> ClosingSessions:
        """
        Those that have ended.
        """
        return self._closing

    def all(self) -> list[tuple[Source, SourceSession]]:
        """
        @return: the sessions that there are now, with their sources.
        """
        return list(self._bySource.items())

    def has(self, source: Source, entry: SourceSession) -> bool:
        """
        @return: whether the session of a source has not ended.
        """
        return self._bySource.get(source) is entry

    def waits(self) -> bool:
        """
        @return: whether something waits that a tunnel will take.
        """
        return any(entry.session.outbound.waits for entry in self._bySource.values())

    def drainAll(self) -> Deferred[None]:
        """
        Let what is under way arrive, on all tunnels.

        @return: fires when all of them have been told.
        """
        return self._each(lambda entry: entry.succession.drain())

    def endAll(self) -> Deferred[None]:
        """
        End every session, because the client stops.

        @return: fires when all that has come for the sources has been handed on.
        """
        ended = self._steps.each(list(self._bySource), self._endAtStop)
        return ended.addCallback(lambda _: self._closing.whenDone())

    def disconnect(self, word: str) -> Deferred[int]:
        """
        End sessions, since an operator wants it.  A source that sends again gets another one.

        @param word: the beginning of their ids, as the log shows them, see L{beginsName}.
        @return: fires with how many have ended.
        """
        ended: list[str] = []

        def end(item: tuple[Source, SourceSession]) -> None:
            source, entry = item
            if self._bySource.get(source) is entry and beginsName(entry.name, word):
                ended.append(entry.name)
                self._end(source, "an operator has ended it")

        return self._steps.each(list(self._bySource.items()), end).addCallback(lambda _: len(ended))

    def _endAtStop(self, source: Source) -> None:
        if source in self._bySource:
            self._end(source, "the client stops")

    def _end(self, source: Source, reason: str) -> None:
        entry = self._bySource.pop(source)
        del source.port.bySource[source.address]
        self._places.leave(source)
        if entry.proof.isProved:
            self._admission.remember(source)
        entry.succession.leave()
        self._closing.begin(entry.session, lambda: None)
        self._sessionLog.info(
            "session {session} for {host} port {port} ended: {reason}; {bytesOut} bytes from it, {bytesIn} to it"
            "{lateWords}",
            session=entry.name,
            host=shownHost(hostOf(source.address)),
            port=source.address[1],
            reason=reason,
            bytesOut=entry.session.outbound.bytes,
            bytesIn=entry.session.inbound.bytes,
            lateWords=wordsForLate(entry.session.inbound.late),
            late=entry.session.inbound.late,
        )

    def checkInvariant(self) -> None:
        """
        What holds between any two events.

        @raise AssertionError: when it does not.
        """
        self._places.checkInvariant()
        self._admission.checkInvariant()
        for port in {source.port for source in self._bySource}:
            ours = {source.address: entry for source, entry in self._bySource.items() if source.port is port}
            assert port.bySource == ours
