"""
A life that is a table, in which a timer may run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall

S = TypeVar("S")
E = TypeVar("E")


class StateMachine(Generic[S, E]):
    """
    Knows where in its life something is, and keeps its one timer, which belongs to the
    state that has set it.

    @ivar state: where in its life it is.
    """

    def __init__(self, clock: Any, table: Mapping[tuple[S, E], S], first: S) -> None:
        """
        @param clock: C{IReactorTime}.
        @param table: what each event leads to from each state; a pair that is not there
            changes nothing.
        @param first: where the life begins.
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
