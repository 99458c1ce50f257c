"""
The client's sessions by the source they belong to: how they begin, and when they end.

Whoever can reach the UDP port can forge any number of sources.  So new ones are taken on no faster
than a rate (L{uotp.client.admission}).  A source gets one tunnel and a short time until it has
proved that it is none of these (L{uotp.client.proof}), and few places are for those that have
done nothing or little (L{uotp.client.places}).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel

from uotp.boundaries import Address
from uotp.client.admission import Admission
from uotp.client.allowed import AllowedSources, Network
from uotp.client.places import Places
from uotp.client.source import SourceSession
from uotp.process import Round, Steps
from uotp.session import ClosingSessions, wordsForLate
from uotp.telemetry import BudgetedLogger, Drop, Drops, LineBudget, Logger, RateLimit, logCounted, spelled
from uotp.train import TakeTrains, Train, countOf
from uotp.udp import TrainProtocol

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


class SessionsBySource(TrainProtocol):
    """
    Keeps the session of each source, as the protocol on the UDP port to which they send.
    """

    _log = Logger()

    def __init__(
        self,
        openSession: Callable[[TakeTrains], SourceSession],
        clock: Any,
        drops: Drops,
        expire: float,
        whenPortLost: Callable[[str], None],
        maxSessions: int = MAX_CLIENT_SESSIONS,
        allow: Iterable[Network] = (),
    ) -> None:
        """
        @param openSession: makes the session of a source, which is sent to by what is given.
        @param clock: C{IReactorTime}.
        @param expire: seconds that a session may be idle.
        @param whenPortLost: told why, when the port is gone and we did not close it.
        @param allow: the networks of sources that are served; when there is none, all are.
        """
        super().__init__(drops)
        self._openSession = openSession
        self._clock = clock
        self._steps = Steps(clock)
        self._ending = Round(self._steps)
        self._renewal = Round(self._steps)
        self._review = Round(self._steps)
        self._whenPortLost = whenPortLost
        self._ignoring = False
        self._expire = expire
        self._sessionLog = BudgetedLogger(self._log, LineBudget(clock.seconds))
        self._bySource: dict[Address, SourceSession] = {}
        self._places = Places(self._bySource, maxSessions)
        self._allowed = AllowedSources(allow)
        self._strangers = RateLimit(clock.seconds)  # our own, since their addresses may be forged
        self._admission = Admission(clock.seconds)
        self._closing = ClosingSessions()

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
        session = self._bySource.get(source)
        if session is None:
            if not self._allowed.allows(source[0]):
                self._drops.count(Drop.SOURCE_NOT_ALLOWED, countOf(trains))
                self._sayNotAllowed(source[0])
                return
            session = self._welcome(source)
            if session is None:
                self._drops.count(Drop.TOO_MANY_SESSIONS, countOf(trains))
                return
        session.send(trains)

    def _sayNotAllowed(self, host: str) -> None:
        logCounted(
            self._log,
            LogLevel.warn,
            self._strangers.suppressedBefore(host),
            "{host} is not served: no network of {setting} has it",
            host=host,
            setting=spelled("allow"),
        )

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
        if not self._admission.admits(source) or not self._makeRoom():
            return None
        session = self._bySource[source] = self._openSession(self._deliverTo(source))
        self._places.take(source)
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
        @return: whether there is room for a source that is not proved, maybe because another
            was sent away.
        """
        if self._places.hasRoom():
            return True
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

        def actIfThere(item: tuple[Address, SourceSession]) -> None:
            if self._bySource.get(item[0]) is item[1]:
                act(item[1])

        return self._steps.each(list(self._bySource.items()), actIfThere)

    def endIdle(self) -> None:
        """
        End the sessions that have been idle for too long.
        """
        expired = [source for source, entry in self._bySource.items() if self._isExpired(entry)]
        self._ending.begin(expired, self._endIfExpired)

    def _endIfExpired(self, source: Address) -> None:
        entry = self._bySource.get(source)
        if entry is not None and self._isExpired(entry):
            self._end(source, "idle")

    def renewOld(self) -> None:
        """
        Let each pool replace one tunnel that is old, if it has one.
        """
        self._renewal.begin(list(self._bySource), self._renewOld)

    def _renewOld(self, source: Address) -> None:
        entry = self._bySource.get(source)
        if entry is not None:
            entry.pool.renewOld()

    def review(self) -> None:
        """
        Look whether something comes back to each source, at a few in each turn.
        """
        self._review.begin(list(self._bySource), self._reviewOne)

    def _reviewOne(self, source: Address) -> None:
        entry = self._bySource.get(source)
        if entry is not None:
            entry.review()

    def prove(self) -> None:
        """
        The path may have changed: all tunnels have to show that they are still good.
        """
        self._each(lambda entry: entry.succession.prove())

    def keyChanged(self) -> None:
        """
        We show another key to the server from now on, and its sessions belong to keys.  The path may
        have changed besides.
        """
        self._each(lambda entry: entry.succession.keyChanged())

    def statistics(self) -> SessionsBySourceStatistics:
        """
        @return: how the sessions stand.
        """
        entries = self._bySource.values()
        return SessionsBySourceStatistics(
            sessions=len(entries),
            proved=sum(entry.proof.isProved for entry in entries),
            closing=len(self._closing),
            bytesOut=self._closing.bytesOut + sum(entry.session.outbound.bytes for entry in entries),
            bytesIn=self._closing.bytesIn + sum(entry.session.inbound.bytes for entry in entries),
        )

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

    def _endAtStop(self, source: Address) -> None:
        if source in self._bySource:
            self._end(source, "the client stops")

    def _end(self, source: Address, reason: str) -> None:
        entry = self._bySource.pop(source)
        self._places.leave(source)
        if entry.proof.isProved:
            self._admission.remember(source)
        entry.succession.leave()
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
        self._places.checkInvariant()
        self._admission.checkInvariant()
