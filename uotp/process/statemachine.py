"""
State machines whose transitions are a table, and in which one timer may run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall

S = TypeVar("S")
E = TypeVar("E")


class StateMachine(Generic[S, E]):
    """
    Keeps a state, which changes as a table says, and one timer.  A change of the state
    cancels the timer.

    @ivar state: the present state.
    """

    def __init__(self, clock: Any, table: Mapping[tuple[S, E], S], first: S) -> None:
        """
        @param clock: C{IReactorTime}.
        @param table: which state each event leads to from each state; a pair that is not
            there changes nothing.
        @param first: the state at the beginning.
        """
        self._clock = clock
        self._table = table
        self.state = first
        self._timer: IDelayedCall | None = None

    def _advance(self, event: E) -> bool:
        """
        @return: whether the event changed the state.
        """
        after = self._table.get((self.state, event))
        if after is None:
            return False
        self.state = after
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        return True

    def _setTimer(self, seconds: float, act: Callable[[], None]) -> None:
        self._timer = self._clock.callLater(seconds, act)
