"""
How much is done for one owner in one turn of the reactor.  What a peer sends may cost
far more to work off than to send, so what is left over waits for the next turn, and others
are served between.

An owner is whoever can make us work: a client at the server, a source at the client.  It may
have several sessions, each with a L{TurnAllowance}.  A session borrows units of its owner,
which has L{READ_UNITS} in each turn for what is read, and a new turn at once when it has used
them up and nobody waits.  Whoever works for a session spends
units, and hands what is left over to L{TurnAllowance.later}.  Before he reads more of it, he
asks whether L{TurnAllowance.isSpent} or L{Owner.isExhausted}; if so, he stops reading, and
L{TurnAllowance.readLater} tells him when to go on.

A turn begins with those that wait: owner by owner, for L{TURN_SECONDS} at the most.  Of each
owner the sessions come in the order in which they have begun to wait: first those with work
that was left over, L{SLICE_UNITS} each, up to L{OWNER_UNITS}; then those that are to be read
again.  Work that comes meanwhile costs nobody his place among these, unless it is not done when
that place comes first.  While others of its owner wait, a session borrows nothing more and gets in line behind
them.  So neither an owner nor a session keeps another one from being served.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakValueDictionary

from uotp.process.memory import FixedRoom, HeldRoom, Memory, MemoryShare, Room, UncountedRoom
from uotp.telemetry import Logger

OWNER_UNITS = 96
"""
So many units of what an owner has left over are worked off in each turn.  One is about what it
takes to hand on one lone datagram: 5 to 15 microseconds.
"""

READ_UNITS = 64
"""
So many units of an owner's are for what is read in a turn.  With L{OWNER_UNITS}, a turn of one
owner takes one or two milliseconds, and four times as long on a slow machine.
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


NOTHING_LEFT: deque[Callable[[], None]] = deque(maxlen=0)
"""
Stands for a queue of what was left over while nothing was: an empty one takes 700 bytes, and a session
seldom leaves anything.  It is shared: whoever puts something in makes a queue of his own before.
"""


class Owner:
    """
    Counts what is done for one owner in one turn.

    @ivar left: the units that its sessions may still borrow.
    @ivar isExhausted: whether there are none, so that nothing more is to be read for any of
        its sessions in this turn.
    @ivar memory: counts what waits for it.
    """

    __slots__ = (
        "__weakref__",
        "_hasTurn",
        "_leftIn",
        "_readers",
        "_turns",
        "_workers",
        "isExhausted",
        "left",
        "memory",
    )

    def __init__(self, turns: Turns) -> None:
        """
        @param turns: who gives each owner its turn.
        """
        self._turns = turns
        self.memory = MemoryShare(turns.memory, turns.afterwards)
        self._workers: dict[TurnAllowance, None] = {}  # those with work that was left over, in line
        self._readers: dict[TurnAllowance, None] = {}  # those that wait until they may be read, in line
        self._hasTurn = False  # it waits among the owners
        self.left = READ_UNITS
        self._leftIn = turns.number  # the turn of all together in which that is left
        self.isExhausted = False

    @property
    def isWaitedFor(self) -> bool:
        """
        Whether a session waits for its turn.
        """
        return bool(self._workers or self._readers)

    def lend(self, units: int) -> None:
        """
        A session borrows units.  There may be fewer; then the next turn has to come.  Who has
        not used up those of a turn need not wait, and has all of them in the next.
        """
        if self._leftIn != self._turns.number and not self._hasTurn:
            self._leftIn = self._turns.number
            self.left = READ_UNITS
        self.left -= units
        if self.left <= 0:
            self.isExhausted = True
            self._takeTurn()

    def addWorker(self, allowance: TurnAllowance) -> None:
        """
        A session has work that was left over.
        """
        self._workers[allowance] = None
        self._takeTurn()

    def addReader(self, allowance: TurnAllowance) -> None:
        """
        A session waits until it may be read again.  One that waits already keeps its place.
        """
        self._readers[allowance] = None
        self._takeTurn()

    def _takeTurn(self) -> None:
        if not self._hasTurn:
            self._hasTurn = True
            self._turns.wait(self)

    def serve(self) -> None:
        """
        Begin a turn: serve the sessions that wait, one after the other, as far as the owner's
        units reach.  What was too much in the turn before is taken off what may be read in this
        one.
        """
        left = OWNER_UNITS
        while self._workers and left > 0:
            first(self._workers).work(self._turns)
            left -= SLICE_UNITS
        left = READ_UNITS
        while self._readers and left > 0:
            first(self._readers).release(self._turns)
            left -= SLICE_UNITS
        self.left = max(READ_UNITS + min(self.left, 0), SLICE_UNITS)
        self._leftIn = self._turns.number
        self.isExhausted = self._hasTurn = False
        if self.isWaitedFor:
            self._takeTurn()


class TurnAllowance:
    """
    Counts what is done for one session.

    @ivar left: the units that it has.  Whoever is short of time may subtract one and call
        L{overdraw} below 0, in place of a call of L{spend}.
    @ivar isSpent: whether nothing more of this session is to be read for now.
    @ivar owner: of whom units are borrowed.
    """

    __slots__ = ("_isWorking", "_resumes", "_work", "isSpent", "left", "owner")

    def __init__(self, owner: Owner) -> None:
        """
        @param owner: of whom units are borrowed.
        """
        self.owner = owner
        self._work = self._resumes = NOTHING_LEFT
        self._isWorking = False
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
        More was spent than there was: borrow of the owner.  When it has nothing left, or others
        wait for it, read nothing more before the next turn.
        """
        if self.isSpent:
            return
        owner = self.owner
        hasToWait = owner.isWaitedFor or owner.left <= 0
        if owner.left > 0:
            owner.lend(LOAN_UNITS - self.left)
            self.left = LOAN_UNITS
        if hasToWait:
            self.isSpent = True
            owner.addReader(self)

    def room(self, most: int) -> Room:
        """
        @param most: bytes that a queue of the session may hold at the most.
        @return: the queue's room in the memory of the owner.
        """
        return Room(self.owner.memory, most)

    def streamRoom(self) -> HeldRoom:
        """
        @return: counts, in the memory of the owner, what one stream of the session holds.
        """
        return HeldRoom(self.owner.memory)

    def later(self, work: Callable[[], None]) -> None:
        """
        Do something for this session in its next turn, before more of it is read.

        @param work: spends what it costs, a part of L{SLICE_UNITS}, and leaves the rest to
            another call of this.
        """
        if self._work is NOTHING_LEFT:
            self._work = deque()
        self._work.append(work)
        self.isSpent = True
        if len(self._work) == 1 and not self._isWorking:
            self.owner.addWorker(self)

    def readLater(self, resume: Callable[[], None]) -> None:
        """
        Somebody does not read of this session, since it or its owner has had enough.

        @param resume: begins to read again; called when it is the session's turn.
        """
        if self._resumes is NOTHING_LEFT:
            self._resumes = deque()
        self._resumes.append(resume)
        if not self.isSpent:
            self.isSpent = True
            self.owner.addReader(self)

    def _pay(self) -> None:
        self.left = max(self.left, -MOST_DEBT_UNITS) + SLICE_UNITS

    def work(self, turns: Turns) -> None:
        """
        Do what was left over, as far as one slice reaches.

        @param turns: who calls.
        """
        self._pay()
        self._isWorking = True
        while self._work and self.left > 0:
            turns.guard(self._work.popleft())
        self._isWorking = False
        if self._work:
            self.owner.addWorker(self)
        else:
            self._work = NOTHING_LEFT
            self.owner.addReader(self)

    def release(self, turns: Turns) -> None:
        """
        Let this session be read again, if it has no debt and all work is done: as many of its
        streams as it has units in one slice.  To begin to read takes as long as to read a little.
        Otherwise it waits once more, which does not go on for ever: its queues have bounds, and
        nothing is added to them while it is not read.

        @param turns: who calls.
        """
        if self.left < 0 and not self._work:
            self._pay()
        if self.left < 0 or self._work:
            self.owner.addReader(self)
            return
        self.left = min(self.left, LOAN_UNITS)
        self.isSpent = False
        for _ in range(min(len(self._resumes), SLICE_UNITS)):
            turns.guard(self._resumes.popleft())
        if self._resumes:
            self.owner.addReader(self)
        else:
            self._resumes = NOTHING_LEFT


def first(line: dict[TurnAllowance, None]) -> TurnAllowance:
    """
    @return: whoever stands first in a line, and leaves it.
    """
    allowance = next(iter(line))
    del line[allowance]
    return allowance


class Unlimited:
    """
    Is the allowance of somebody whom nobody bounds: a stream that carries for nobody yet, or
    a port that is shared.

    @cvar owner: stands for its owner, and is never exhausted.  It is asked for each read, so
        there is no function.
    """

    left = 1 << 40
    isSpent = isExhausted = False
    owner: Unlimited

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

    def streamRoom(self) -> UncountedRoom:
        """
        @return: counts nothing.
        """
        return UncountedRoom()

    def readLater(self, resume: Callable[[], None]) -> None:
        """
        Go on at once, since there is no turn to wait for.
        """
        resume()

    def later(self, work: Callable[[], None]) -> None:
        """
        Do something at once, since there is no turn to wait for.
        """
        work()


Unlimited.owner = Unlimited()


class Turns:
    """
    Gives each owner that waits its turn.

    @ivar memory: the budget of what waits, for all owners together.
    @ivar number: how many turns there have been.  While nobody waits there are none.
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
        self.number = 0
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

    def afterwards(self, work: Callable[[], None]) -> None:
        """
        Do something in the next turn of the reactor, whoever waits.
        """
        self._clock.callLater(0, self.guard, work)

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
        self.number += 1
        end = self._clock.seconds() + TURN_SECONDS
        for _ in range(len(self._waiting)):
            self._waiting.popleft().serve()
            if self._clock.seconds() >= end:
                break
        if self._waiting and not self._isSet:
            self._isSet = True
            self._clock.callLater(0, self._turn)
