"""
Two uses of the monotonic clock, which nobody can set: all timers follow it, and its
difference to the time of day tells that the machine has slept.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

JUMP_SECONDS = 2.0
"""
The machine has slept when the difference between the clocks changes by so much at once.
Without a sleep they drift by milliseconds; a shorter sleep does not matter.
"""


def useMonotonicClock(reactor: Any) -> None:
    """
    Let all timers of a reactor follow the monotonic clock.  Twisted's own choice is the
    wall clock: when that is set back by an hour, every time-out comes an hour late.

    @param reactor: a reactor that has no timer pending yet.
    @raise RuntimeError: when it has one, since that would be off by decades.
    """
    if reactor.seconds is time.monotonic:
        return
    if reactor.getDelayedCalls():
        reason = "timers are pending already: choose the clock before the first of them"
        raise RuntimeError(reason)
    reactor.seconds = time.monotonic


class SleepDetector:
    """
    Notices that this machine has slept.  The time of day goes on during a sleep, and on
    most systems the monotonic clock does not.  When somebody sets the time of day, that
    looks the same, and does no harm.
    """

    def __init__(self, wallClock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        """
        @param wallClock: tells the time of day, in seconds.
        @param monotonic: tells the monotonic time, in seconds.
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
