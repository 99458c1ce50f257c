"""
How much is done for one owner in one turn of the reactor.  What a peer sends may cost
far more to work off than to send, so what is left over waits for the next turn, and others
are served between.

An owner is whoever can make us work: a client at the server, a source at the client.  It has
an L{TurnAllowance}: so many units in each turn.  Whoever works for it spends them, hands what is
left over to L{TurnAllowance.later}, and reads nothing more of it while L{TurnAllowance.isSpent}.  The
next turn begins with what was left over, round robin by owner, for L{TURN_SECONDS} at the
most; reading goes on when that is done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakValueDictionary

from uotp.telemetry import Logger

UNITS = 64
"""
So many units an owner has in each turn.  One is about what it takes to hand on one train: 5 to
15 microseconds, so that a turn of one owner takes less than a millisecond, and some four on a
slow machine.
"""

TURN_SECONDS = 0.003
"""So long what was left over, by all owners together, is worked off before others are served."""


class TurnAllowance:
    """
    Counts what is done for one owner in one turn.

    @ivar left: the units that are left.  Whoever is short of time may subtract one and call
        L{overdraw} below 0, in place of a call of L{spend}.
    @ivar isSpent: whether nothing more of this owner is to be read for now.
    """

    __slots__ = ("__weakref__", "_turns", "_work", "isSpent", "left")

    def __init__(self, turns: Turns) -> None:
        """
        @param turns: who gives each owner its turn.
        """
        self._turns = turns
        self._work: deque[Callable[[], None]] = deque()
        self.left = UNITS
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
        All units are spent: read nothing more of this owner until its next turn.
        """
        if not self.isSpent:
            self.isSpent = True
            self._turns.wait(self)

    def later(self, work: Callable[[], None]) -> None:
        """
        Do something for this owner in its next turn, before more of it is read.

        @param work: spends what it costs, a part of L{UNITS}, and leaves the rest to another
            call of this.
        """
        self._work.append(work)
        self.overdraw()

    def workOff(self) -> None:
        """
        Begin a turn of this owner: L{Turns} calls this.
        """
        self.left = UNITS
        work = self._work
        while work and self.left > 0:
            self._turns.guard(work.popleft())
        if work:
            self._turns.wait(self)
        else:
            self.isSpent = False
            if self.left < 0:
                self.overdraw()


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

    def later(self, work: Callable[[], None]) -> None:
        """
        Do something at once, since there is no turn to wait for.
        """
        work()


class Turns:
    """
    Gives each owner that has spent its allowance another turn.
    """

    _log = Logger()

    def __init__(self, clock: Any) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        self._clock = clock
        self._waiting: deque[TurnAllowance] = deque()
        self._isSet = False
        self._allowances: WeakValueDictionary[Hashable, TurnAllowance] = WeakValueDictionary()

    def __len__(self) -> int:
        """
        How many owners wait for their next turn.
        """
        return len(self._waiting)

    def allowanceOf(self, owner: Hashable) -> TurnAllowance:
        """
        @return: the allowance of an owner, which is the same as long as anybody keeps it.
        """
        allowance = self._allowances.get(owner)
        if allowance is None:
            allowance = self._allowances[owner] = TurnAllowance(self)
        return allowance

    def wait(self, allowance: TurnAllowance) -> None:
        """
        An owner has spent its allowance.
        """
        self._waiting.append(allowance)
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
        Give owners their turns, each at most once.
        """
        self._isSet = False
        end = self._clock.seconds() + TURN_SECONDS
        for _ in range(len(self._waiting)):
            self._waiting.popleft().workOff()
            if self._clock.seconds() >= end:
                break
        if self._waiting and not self._isSet:
            self._isSet = True
            self._clock.callLater(0, self._turn)
