"""
Work that may come for thousands at once, such as the end of all sessions.  It is done in steps,
and only so many of them are taken in one turn of the reactor; others are served between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from uotp.telemetry import Logger

Item = TypeVar("Item")

STEPS = 32
"""
So many steps are taken in one turn.  The dearest of them, opening or closing a socket, takes
some 50 microseconds.
"""

STEPS_SECONDS = 0.003
"""So long steps are taken in one turn, where they take longer than expected."""

APART_SECONDS = 0.02
"""
Steps that come so long after the first of L{STEPS} are taken to come in another turn.  It is
longer than that many steps take.
"""


class Steps:
    """
    Takes steps at once while they are few, and leaves those that are too many for one turn to
    the next turns, in the order in which they came.
    """

    _log = Logger()

    def __init__(self, clock: Any) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        self._clock = clock
        self._rows: deque[Iterator[Callable[[], object]]] = deque()
        self._next: Callable[[], object] | None = None
        self._taken = 0
        self._spent = 0.0  # seconds that those have taken
        self._since = float("-inf")  # when the first of those was taken
        self._isSet = False

    def take(self, step: Callable[[], object]) -> None:
        """
        Take one step, now or in one of the next turns.
        """
        self._add(iter((step,)))

    def each(self, items: Iterable[Item], act: Callable[[Item], object]) -> Deferred[None]:
        """
        Do something with each of many items.

        @param items: these.  They are asked for one by one, so they must not change meanwhile.
        @param act: does it with one of them, also with one that has gone meanwhile.
        @return: fires when it is done with all of them, maybe at once.
        """
        done: Deferred[None] = Deferred()

        def steps() -> Iterator[Callable[[], object]]:
            for item in items:
                yield partial(act, item)
            done.callback(None)

        self._add(steps())
        return done

    def _add(self, row: Iterator[Callable[[], object]]) -> None:
        self._rows.append(row)
        if self._isSet:
            return
        now = self._clock.seconds()
        if now - self._since >= APART_SECONDS:
            self._since, self._taken, self._spent = now, 0, 0.0
        self._goOn(now)

    def _goOn(self, now: float) -> None:
        """
        Take steps while this turn has room for them.
        """
        self._isSet = True  # for what is added by a step
        step = self._next or self._following()
        while step is not None and self._taken < STEPS and self._spent < STEPS_SECONDS:
            self._taken += 1
            try:
                step()
            except Exception:  # noqa: BLE001 - nothing costs the daemon
                self._log.failure("one of many steps failed")
            before, now = now, self._clock.seconds()
            self._spent += now - before
            step = self._following()
        self._next = step
        self._isSet = step is not None
        if self._isSet:
            self._clock.callLater(0, self._turn)

    def _following(self) -> Callable[[], object] | None:
        """
        @return: the step that comes next, or L{None} when all are done.
        """
        while self._rows:
            step = next(self._rows[0], None)
            if step is not None:
                return step
            self._rows.popleft()
        return None

    def _turn(self) -> None:
        now = self._clock.seconds()
        self._since, self._taken, self._spent = now, 0, 0.0
        self._goOn(now)


class Round:
    """
    Goes through many things now and then, in steps.  While one round is under way no other
    begins, so however slowly steps are taken, they do not pile up.
    """

    def __init__(self, steps: Steps) -> None:
        """
        @param steps: are taken in turns.
        """
        self._steps = steps
        self._done: Deferred[None] | None = None

    def begin(self, items: Iterable[Item], act: Callable[[Item], object]) -> None:
        """
        Do something with each of many items, unless the round before is not over.

        @param items: see L{Steps.each}, as for the other.
        """
        if self._done is None or self._done.called:
            self._done = self._steps.each(items, act)
