"""
What is done with each of many things, a part of them in each turn of the reactor, so that
others are served between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from uotp.process.turns import TURN_SECONDS
from uotp.telemetry import Logger

Thing = TypeVar("Thing")


class Sweep:
    """
    Does something with each of many things, for L{TURN_SECONDS} in each turn at the most.
    """

    _log = Logger()

    def __init__(self, clock: Any, items: Iterable[Thing], act: Callable[[Thing], object]) -> None:
        """
        @param clock: C{IReactorTime}.
        @param items: the things; they are listed now.
        @param act: what is done with each.  An error in it is logged, and costs no other.
        """
        self._clock = clock
        self._left: deque[Any] = deque(items)
        self._act = act
        self.done: Deferred[None] = Deferred()

    def go(self) -> None:
        """
        Begin, or go on.
        """
        seconds = self._clock.seconds
        end = seconds() + TURN_SECONDS
        while self._left:
            try:
                self._act(self._left.popleft())
            except Exception:  # noqa: BLE001 - nothing costs the daemon
                self._log.failure("something that was to be done with each of many failed")
            if self._left and seconds() >= end:
                self._clock.callLater(0, self.go)
                return
        self.done.callback(None)


def each(clock: Any, items: Iterable[Thing], act: Callable[[Thing], object]) -> Deferred[None]:
    """
    Do something with each of many things: at once as far as a turn of the reactor allows, and
    the rest in the next turns.  Meanwhile the others are served, so a thing may have changed
    when it is its turn.

    @param clock: C{IReactorTime}.
    @param items: the things; they are listed now.
    @param act: what is done with each.
    @return: fires when it has been done with all.
    """
    sweep = Sweep(clock, items, act)
    sweep.go()
    return sweep.done
