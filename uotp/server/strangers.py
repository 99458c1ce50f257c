"""
The connections of those who have shown no session id yet.  Each may stay so for a short
time, counted from when it was accepted, and there is room for so many: for those who have
said nothing, which cost little, and for those who have begun to shake hands.  When there is
no room, the oldest goes of whoever has most, so that whoever comes from elsewhere gets in.

A balancer says for whom it has dialled, in a header, and from then on the connection counts as
the client's.  Until then it is the balancer's, whose connections are many and honest.  So these make nobody
else go, and nobody makes them go but they themselves: half of the room is theirs if they need it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall

from uotp.errors import Refusal
from uotp.process import Shares, Steps
from uotp.telemetry import Logger, orLog

HELLO_SECONDS = 10.0
"""
How long it may take from accept to the session id, with the handshake.  That is two round trips
at the most, so that it is enough for a path of 4 s.
"""

SWEEP_SECONDS = 0.25
"""So long whoever is too slow may stay beyond that, so that one timer ends many."""

SWEPT_PER_TURN = 64
"""So many connections are ended in one turn of the reactor, which takes about a millisecond."""

TOO_SLOW = f"showed no session id in {HELLO_SECONDS:.0f} s"
HEADER_MISSING = f"sent no whole header of the PROXY protocol in {HELLO_SECONDS:.0f} s"
PARENT_SILENT = f"this worker's parent has not said where it belongs; {HELLO_SECONDS:.0f} s since it came are over"
"""Why somebody has to go whose time is over; the last, when it has shown a session id."""

TOO_MANY_SILENT = "too many silent connections, and it has most: its oldest goes"
TOO_MANY_UNANNOUNCED = "too many connections without a header of the PROXY protocol, and it has most: its oldest goes"
TOO_MANY_BEGUN = "too many connections without a session id, and it has most: its oldest goes"
"""Why somebody has to go.  How many there may be is not said: a worker's part of them changes all the time."""


@dataclass(frozen=True, slots=True)
class StrangersStatistics:
    """
    Says how many strangers there are at one moment, and what became of others since the
    beginning.

    @ivar silent: have said nothing, or no more than for whom they come, or wait for their first turn.
    @ivar begun: have begun to shake hands, or to say hello.
    @ivar silentEvicted: of the silent, had to go because there was no room.
    @ivar begunEvicted: the same of those that had begun.
    @ivar tooSlow: have shown no session id in time, or were not let in by then.
    """

    silent: int
    begun: int
    silentEvicted: int
    begunEvicted: int
    tooSlow: int


class Stranger(Hashable, Protocol):
    """
    Is a connection that has not shown a session id.

    @ivar host: the address that it comes from.
    @ivar owner: who is there, see L{uotp.net.ownerOf}.
    @ivar since: when it was accepted, or handed over.
    @ivar hops: how often one worker has handed it to another.
    @ivar isRelayed: whether another worker counts it, and only relays what it carries.
    @ivar awaitsHeader: whether it has to say for whom it comes, and has not.
    @ivar isAskedFor: whether it has shown a session id, and the parent of this worker is asked where it belongs.
    """

    host: str
    owner: str
    since: float
    hops: int
    isRelayed: bool
    isAskedFor: bool

    @property
    def awaitsHeader(self) -> bool:
        """
        See above.
        """

    def abort(self) -> None:
        """
        Close it now.
        """


class Strangers:
    """
    Keeps connections until they have shown a session id, or have to go.
    """

    _log = Logger()

    def __init__(self, clock: Any, refused: Callable[[str, str, Refusal], None], maxSilent: int, maxBegun: int) -> None:
        """
        @param clock: C{IReactorTime}.
        @param refused: told who has to go, why, and what kind of reason that is.
        @param maxSilent: how many there may be who have said nothing; half of them may have to say for whom they
            come.
        @param maxBegun: how many there may be who have begun to shake hands.
        """
        self._clock = clock
        self._refused = refused
        self._maxSilent = maxSilent
        self._maxBegun = maxBegun
        self._all: dict[Stranger, None] = {}  # the oldest first
        self._unannounced: Shares[str, Stranger] = Shares()
        self._silent: Shares[str, Stranger] = Shares()
        self._begun: Shares[str, Stranger] = Shares()
        self._silentEvicted = self._begunEvicted = self._tooSlow = 0
        self._sweep: IDelayedCall | None = None
        self._shrinking: IDelayedCall | None = None
        self._steps = Steps(clock)

    def __len__(self) -> int:
        """
        How many strangers there are.
        """
        return len(self._all)

    def __contains__(self, newcomer: object) -> bool:
        """
        Whether somebody is still a stranger.
        """
        return newcomer in self._all

    def arrived(self, newcomer: Stranger) -> None:
        """
        Somebody has come, and has said nothing.
        """
        if newcomer.awaitsHeader and len(self._unannounced) >= self._maxUnannounced:
            self._evictUnannounced()
        elif self._quiet >= self._maxSilent:
            self._evictQuiet()
        self._all[newcomer] = None
        (self._unannounced if newcomer.awaitsHeader else self._silent).add(newcomer.owner, newcomer)
        if self._sweep is None:
            self._waitForOldest()

    def announced(self, newcomer: Stranger, before: str) -> None:
        """
        Somebody has said for whom he comes.

        @param before: the owner that he had until then.
        """
        self._unannounced.discard(before, newcomer)
        self._silent.add(newcomer.owner, newcomer)

    def isSilent(self, newcomer: Stranger) -> bool:
        """
        @return: whether somebody is one of those who have said nothing.
        """
        return self._silent.has(newcomer.owner, newcomer)

    def hasRoomToBegin(self, others: int) -> bool:
        """
        @param others: how many are about to begin.
        @return: whether half of the room is free then for those who begin to say something.
        """
        return 2 * (len(self._begun) + others) < self._maxBegun

    @property
    def _quiet(self) -> int:
        """
        How many have said nothing, but perhaps for whom they come.
        """
        return len(self._silent) + len(self._unannounced)

    @property
    def _maxUnannounced(self) -> int:
        """
        How many of them may not have said that either.
        """
        return max(self._maxSilent // 2, 1)

    def began(self, newcomer: Stranger) -> None:
        """
        Somebody begins to shake hands.
        """
        if len(self._begun) >= self._maxBegun:
            self._evictBegun()
        self._silent.discard(newcomer.owner, newcomer)
        self._begun.add(newcomer.owner, newcomer)

    def discard(self, newcomer: Stranger) -> None:
        """
        Somebody is gone, or is a stranger no more.
        """
        if newcomer not in self._all:
            return
        del self._all[newcomer]
        self._unannounced.discard(newcomer.owner, newcomer)
        self._silent.discard(newcomer.owner, newcomer)
        self._begun.discard(newcomer.owner, newcomer)
        if not self._all and self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def allow(self, *, silent: int | None = None, begun: int | None = None) -> None:
        """
        There may be another number of strangers from now on, but one of each kind at least.  Those for whom there
        is no room any more go soon, some in each turn.

        @param silent: how many may have said nothing; L{None} for as many as before.
        @param begun: how many may have begun to shake hands; L{None} for as many as before.
        """
        self._maxSilent = self._maxSilent if silent is None else max(silent, 1)
        self._maxBegun = self._maxBegun if begun is None else max(begun, 1)
        if self._shrinking is None:
            self._shrink()

    def _shrink(self) -> None:
        """
        Evict those for whom there is no room any more, some in each turn.
        """
        self._shrinking = None
        for _ in range(SWEPT_PER_TURN):
            if len(self._unannounced) > self._maxUnannounced:
                self._evictUnannounced()
            elif self._quiet > self._maxSilent:
                self._evictQuiet()
            elif len(self._begun) > self._maxBegun:
                self._evictBegun()
            else:
                return
        self._shrinking = self._clock.callLater(0, self._shrink)

    def giveOneUp(self) -> bool:
        """
        Make room, since the system has none left.

        @return: whether there was anybody who could go.
        """
        reason = "the system has no descriptor left, and it has most: its oldest goes"
        if self._quiet:
            self._evictQuiet(reason)
        elif len(self._begun):
            self._evictBegun(reason)
        else:
            return False
        return True

    def _evictQuiet(self, reason: str = TOO_MANY_SILENT) -> None:
        """
        Those of balancers go last: whoever has filled the rest of the room goes before them.
        """
        if not len(self._silent):
            self._evictUnannounced(reason)
            return
        self._silentEvicted += 1
        self._evict(self._silent, reason)

    def _evictUnannounced(self, reason: str = TOO_MANY_UNANNOUNCED) -> None:
        self._silentEvicted += 1
        self._evict(self._unannounced, reason)

    def _evictBegun(self, reason: str = TOO_MANY_BEGUN) -> None:
        self._begunEvicted += 1
        self._evict(self._begun, reason)

    def _evict(self, shares: Shares[str, Stranger], reason: str) -> None:
        owner, oldest = shares.oldestOfMost()
        self._end(oldest, owner, reason, Refusal.NO_ROOM)

    def _end(self, newcomer: Stranger, who: str, reason: str, kind: Refusal) -> None:
        self.discard(newcomer)
        self._refused(who, reason, kind)
        newcomer.abort()

    def _waitForOldest(self) -> None:
        oldest = next(iter(self._all))
        wait = oldest.since + HELLO_SECONDS - self._clock.seconds()
        self._sweep = self._clock.callLater(max(wait, SWEEP_SECONDS), self._endSlow)

    def _endSlow(self) -> None:
        """
        End those whose time is over, some in each turn.
        """
        self._sweep = None
        end = self._clock.seconds() - HELLO_SECONDS
        slow: list[Stranger] = []
        for newcomer in self._all:
            if newcomer.since > end or len(slow) == SWEPT_PER_TURN:
                break
            slow.append(newcomer)
        for newcomer in slow:
            if newcomer in self._all:
                self._tooSlow += 1
                reason = PARENT_SILENT if newcomer.isAskedFor else HEADER_MISSING if newcomer.awaitsHeader else TOO_SLOW
                self._end(newcomer, newcomer.host, reason, Refusal.TOO_SLOW)
        if self._sweep is not None or not self._all:
            return
        if len(slow) == SWEPT_PER_TURN:
            self._sweep = self._clock.callLater(0, self._endSlow)
        else:
            self._waitForOldest()

    def endAll(self) -> None:
        """
        End all, because the server stops; a few in each turn, since there may be thousands.
        """
        if self._shrinking is not None:
            self._shrinking.cancel()
            self._shrinking = None
        orLog(self._steps.each(list(self._all), self._endAtStop), self._log, "not all newcomers were sent away")

    def _endAtStop(self, newcomer: Stranger) -> None:
        if newcomer in self._all:
            self.discard(newcomer)
            newcomer.abort()

    def statistics(self) -> StrangersStatistics:
        """
        @return: how many there are, and were.
        """
        return StrangersStatistics(
            self._quiet, len(self._begun), self._silentEvicted, self._begunEvicted, self._tooSlow
        )

    def checkInvariant(self) -> None:
        """
        What holds between any two events.

        @raise AssertionError: when it does not.
        """
        self._unannounced.checkInvariant()
        self._silent.checkInvariant()
        self._begun.checkInvariant()
        if self._shrinking is None:
            assert len(self._unannounced) <= self._maxUnannounced
            assert self._quiet <= self._maxSilent
            assert len(self._begun) <= self._maxBegun
        assert len(self._all) == self._quiet + len(self._begun)
        assert len(self._unannounced) == sum(newcomer.awaitsHeader for newcomer in self._all)
        times = [newcomer.since for newcomer in self._all]
        assert times == sorted(times)
        assert (self._sweep is not None) == bool(self._all)
