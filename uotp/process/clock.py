"""
Two uses of clocks that nobody can set: all timers follow the monotonic one, and its
difference to one that goes on in a sleep tells that the machine has slept.  Its difference to the
time of day tells that it may have.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

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


class SleepClocks(NamedTuple):
    """
    Holds two clocks, one of which stops while the machine sleeps.

    @ivar goesOn: tells seconds, those of a sleep included.
    @ivar stops: tells seconds without those of a sleep.
    @ivar settable: whether somebody can set one of them, which then looks like a sleep.
    """

    goesOn: Callable[[], float]
    stops: Callable[[], float]
    settable: bool


UNSETTABLE = {"linux": ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"), "darwin": ("CLOCK_MONOTONIC_RAW", "CLOCK_UPTIME_RAW")}
"""
By the system's name, two clocks that nobody can set.  The first goes on in a sleep and the
second stops.  The names mean other things on other systems: on Linux CLOCK_MONOTONIC_RAW
stops, and on FreeBSD CLOCK_BOOTTIME is another name of one that does.
"""


def sleepClocks(platform: str = sys.platform) -> SleepClocks:
    """
    Find the two clocks of this system that tell of a sleep.  Where it has no such pair, the
    time of day is the one that goes on.

    @param platform: what C{sys.platform} says.
    @return: the clocks.
    """
    with suppress(KeyError, AttributeError, OSError):  # such a system, Python, kernel
        goesOn, stops = (partial(time.clock_gettime, getattr(time, name)) for name in UNSETTABLE[platform])
        goesOn(), stops()
        return SleepClocks(goesOn, stops, settable=False)
    return SleepClocks(time.time, time.monotonic, settable=True)


class SleepDetector:
    """
    Notices that this machine has slept, or may have.  When a virtual machine is stopped from
    outside, all of its own clocks stop, and afterwards somebody sets the time of day: that looks
    like a clock that was set, and nobody can tell the one from the other.
    """

    def __init__(self, clocks: SleepClocks, timeOfDay: Callable[[], float] = time.time) -> None:
        """
        @param clocks: the two that are compared.
        @param timeOfDay: tells seconds, and can be set.
        """
        self._clocks = clocks
        self._timeOfDay = timeOfDay
        self._measured = self._measure()
        self._isSure = False

    def _measure(self) -> tuple[float, float]:
        stopped = self._clocks.stops()
        return self._clocks.goesOn() - stopped, self._timeOfDay() - stopped

    @property
    def doubt(self) -> str:
        """
        What else may have happened when it was over, as the end of a sentence; empty when it was
        a sleep.
        """
        return "" if self._isSure else ", or its clock was set"

    def isOver(self) -> bool:
        """
        @return: whether the clocks have jumped apart since this was asked last.
        """
        before, self._measured = self._measured, self._measure()
        slept, wasSet = (abs(now - then) >= JUMP_SECONDS for now, then in zip(self._measured, before, strict=True))
        self._isSure = slept and not self._clocks.settable
        return slept or wasSet
