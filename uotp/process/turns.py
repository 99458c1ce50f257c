"""
How much is done for one owner in one turn of the reactor.  What a peer sends may cost
far more to work off than to send, so what is left over waits for the next turn, and others
are served between.

An owner is whoever can make us work: a client at the server, a source at the client.  It has
L{OWNER_UNITS} in each turn, and may have several sessions, each with a L{TurnAllowance}.  A
session borrows units of its owner as long as there are any.  Whoever works for it spends
them, hands what is left over to L{TurnAllowance.later}, and reads nothing more of it while
L{TurnAllowance.isSpent}.

A turn begins with those that wait: owner by owner, for L{TURN_SECONDS} at the most, and of
each owner session by session, the one that has waited longest first, L{SLICE_UNITS} each.
So neither an owner nor a session keeps another one from being served.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakValueDictionary

from uotp.process.memory import FixedRoom, Memory, MemoryShare, Room
from uotp.telemetry import Logger

OWNER_UNITS = 128
"""
So many units an owner has in each turn.  One is about what it takes to hand on one lone
datagram: 5 to 15 microseconds, so that a turn of one owner takes one or two milliseconds, and
four times as long on a slow machine.
"""

SLICE_UNITS = 16
"""So many units a session gets that has waited for its turn, and others of its owner come next."""

LOAN_UNITS = 4
"""
So many units a session has of its owner's beforehand.  They may be spent in any turn, so they
are few, and still save most calls.
"""

MOST_DEBT_UNITS = 4 * SLICE_UNITS
"""A session never has to wait for longer than it takes to be given so many units."""

TURN_SECONDS = 0.003
"""So long those that wait are served, of all owners together, before the reactor goes on."""


class Owner:
    """
    Counts what is done for one owner in one turn.

    @ivar left: the units that its sessions may still borrow.
    @ivar memory: counts what waits for it.
    """

    __slots__ = ("__weakref__", "_hasTurn", "_turns", "_waiting", "left", "memory")

    def __init__(self, turns: Turns) -> None:
        """
        @param turns: who gives each owner its turn.
        """
        self._turns = turns
        self.memory = MemoryShare(turns.memory)
        self._waiting: deque[TurnAllowance] = deque()
        self._hasTurn = False  # it waits among the owners
        self.left = OWNER_UNITS

    def wait(self, allowance: TurnAllowance) -> None:
        """
        A session waits for its turn.
        """
        self._waiting.append(allowance)
        if not self._hasTurn:
            self._hasTurn = True
            self._turns.wait(self)

    def serve(self) -> None:
        """
        Begin a turn: serve the sessions that wait, as far as the owner's units reach.
        """
        self._hasTurn = False
        left = OWNER_UNITS
        waiting = self._waiting
        for _ in range(len(waiting)):
            if left <= 0:
                break
            left -= waiting.popleft().serve(self._turns)
        self.left = max(left, 0)
        if waiting and not self._hasTurn:
            self._hasTurn = True
            self._turns.wait(self)


class TurnAllowance:
    """
    Counts what is done for one session.

    @ivar left: the units that it has.  Whoever is short of time may subtract one and call
        L{overdraw} below 0, in place of a call of L{spend}.
    @ivar isSpent: whether nothing more of this session is to be read for now.
    """

    __slots__ = ("_owner", "_work", "isSpent", "left")

    def __init__(self, owner: Owner) -> None:
        """
        @param owner: of whom units are borrowed.
        """
        self._owner = owner
        self._work: deque[Callable[[], None]] = deque()
        self.left = 0
        self.isSpent = False

    def spend(self, units: int) -> None:
        """
        So much was done.
        """
        self.left -= units
        if self.left < 0:
            self.overdraw()

    def overdraw(self) -> None:
        """
        More was spent than there was: borrow of the owner.  When it has nothing left, read
        nothing more before the next turn.
        """
        if self.isSpent:
            return
        owner = self._owner
        if owner.left > 0:
            owner.left -= LOAN_UNITS - self.left
            self.left = LOAN_UNITS
        else:
            self._wait()

    def _wait(self) -> None:
        self.isSpent = True
        self._owner.wait(self)

    def room(self, most: int) -> Room:
        """
        @param most: bytes that a queue of the session may hold at the most.
        @return: the queue's room in the memory of the owner.
        """
        return Room(self._owner.memory, most)

    def later(self, work: Callable[[], None]) -> None:
        """
        Do something for this session in its next turn, before more of it is read.

        @param work: spends what it costs, a part of L{SLICE_UNITS}, and leaves the rest to
            another call of this.
        """
        self._work.append(work)
        if not self.isSpent:
            self._wait()

    def serve(self, turns: Turns) -> int:
        """
        Do what was left over, as far as one slice reaches.

        @param turns: who calls.
        @return: how many units the owner has given for it.
        """
        given = SLICE_UNITS
        self.left = max(self.left, -MOST_DEBT_UNITS) + given
        while self._work and self.left > 0:
            turns.guard(self._work.popleft())
        if self._work or self.left <= 0:
            self._owner.wait(self)
        else:
            self.isSpent = False
            self.left, spare = min(self.left, LOAN_UNITS), max(self.left - LOAN_UNITS, 0)
            given -= spare
        return given


class Unlimited:
    """
    Is the allowance of somebody whom nobody bounds: a stream that carries for nobody yet, or
    a port that is shared.
    """

    left = 1 << 40
    isSpent = False

    def spend(self, units: int) -> None:
        """
        Do nothing.
        """

    def overdraw(self) -> None:
        """
        Do nothing.
        """

    def room(self, most: int) -> FixedRoom:
        """
        @return: all of the room at once.
        """
        return FixedRoom(most)

    def later(self, work: Callable[[], None]) -> None:
        """
        Do something at once, since there is no turn to wait for.
        """
        work()


class Turns:
    """
    Gives each owner that waits its turn.

    @ivar memory: the budget of what waits, for all owners together.
    """

    _log = Logger()

    def __init__(self, clock: Any, memory: Memory | None = None) -> None:
        """
        @param clock: C{IReactorTime}.
        @param memory: the budget of what waits; one of the usual size when left out.
        """
        self._clock = clock
        self.memory = memory or Memory()
        self._waiting: deque[Owner] = deque()
        self._isSet = False
        self._owners: WeakValueDictionary[Hashable, Owner] = WeakValueDictionary()

    def __len__(self) -> int:
        """
        How many owners wait for their turn.
        """
        return len(self._waiting)

    def allowanceOf(self, owner: Hashable) -> TurnAllowance:
        """
        @param owner: what identifies the owner.
        @return: the allowance of one more of its sessions.
        """
        known = self._owners.get(owner)
        if known is None:
            known = self._owners[owner] = Owner(self)
        return TurnAllowance(known)

    def wait(self, owner: Owner) -> None:
        """
        An owner waits for its turn.
        """
        self._waiting.append(owner)
        if not self._isSet:
            self._isSet = True
            self._clock.callLater(0, self._turn)

    def guard(self, work: Callable[[], None]) -> None:
        """
        Do something; an error in it costs nobody else.
        """
        try:
            work()
        except Exception:  # noqa: BLE001 - nothing costs the daemon
            self._log.failure("something that was left for the next turn failed")

    def _turn(self) -> None:
        """
        Serve owners, each at most once.
        """
        self._isSet = False
        end = self._clock.seconds() + TURN_SECONDS
        for _ in range(len(self._waiting)):
            self._waiting.popleft().serve()
            if self._clock.seconds() >= end:
                break
        if self._waiting and not self._isSet:
            self._isSet = True
            self._clock.callLater(0, self._turn)
