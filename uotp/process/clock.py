"""
One clock for every timer, and one that nobody can set; and what the difference to the
time of day tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

JUMP_SECONDS = 2.0
"""
A difference between the clocks that grows by so much at once: they drift by
milliseconds, and nobody notices a shorter sleep.
"""


def useMonotonicClock(reactor: Any) -> None:
    """
    Let all timers of a reactor follow the monotonic clock.  Twisted's own
    choice is the wall clock: when that is set back by an hour, every time-out
    comes an hour late.

    @param reactor: a reactor that has no timer pending yet.
    @raise RuntimeError: when it has, since those would be off by decades.
    """
    if reactor.seconds is time.monotonic:
        return
    if reactor.getDelayedCalls():
        reason = "timers are pending already: choose the clock before the first of them"
        raise RuntimeError(reason)
    reactor.seconds = time.monotonic


class SleepDetector:
    """
    Notices that this machine has slept: the time of day has gone on meanwhile, and the
    monotonic clock, on most systems, has not.  That the time of day was set looks the
    same, and does no harm.
    """

    def __init__(self, wallClock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        """
        @param wallClock: tells the time of day, in seconds.
        @param monotonic: tells the time that timers follow, in seconds.
        """
        self._wallClock = wallClock
        self._monotonic = monotonic
        self._difference = wallClock() - monotonic()

    def isOver(self) -> bool:
        """
        @return: whether the clocks have jumped apart since this was asked last.
        """
        before, self._difference = self._difference, self._wallClock() - self._monotonic()
        return abs(self._difference - before) >= JUMP_SECONDS
