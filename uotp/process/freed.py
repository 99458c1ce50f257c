"""
Memory that this process has freed goes back to the machine.  What a tunnel had stands between that of others, so
when a thousand tunnels close that were opened beside others, glibc keeps most of it for the next ones: 30 KB for
each.  It gives back whole pages when it is asked to.  That looks at all that is free, so it is done seldom, and
while the process has little to do.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Any

from uotp.process.periodic import PeriodicCalls
from uotp.telemetry import Logger

GIVE_BACK_SECONDS = 60.0
"""Memory is given back no more often than this."""

LITTLE_SHARE = 0.1
"""The process has little to do when it has used no more of a processor than this share since the last look."""

MOST_SHARE = 0.00003
"""
No larger share of the time is spent with it.  With 300 sessions it takes a millisecond, so with 4000, where nothing
moves for 13 ms meanwhile, it is done each seven minutes.
"""


def trimOfMalloc() -> Callable[[], object] | None:
    """
    @return: what makes glibc give back all that it can; L{None} where the C library is another.
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    trim.argtypes = [ctypes.c_size_t]
    return lambda: trim(0)


class FreedMemory:
    """
    Has the memory given back that this process does not use any more.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        trim: Callable[[], object] | None,
        processorTime: Callable[[], float] = time.process_time,
    ) -> None:
        """
        @param clock: C{IReactorTime}.
        @param trim: gives back what it can, see L{trimOfMalloc}; L{None} where nothing does.
        @param processorTime: tells the seconds of a processor that this process has used.
        """
        self._clock = clock
        self._trim = trim
        self._processorTime = processorTime
        self._usedBefore = 0.0
        self._notBefore = 0.0
        self._calls = PeriodicCalls(clock)

    def start(self) -> None:
        """
        Look now and then.
        """
        if self._trim is not None:
            self._usedBefore = self._processorTime()
            self._calls.every(GIVE_BACK_SECONDS, self._look)

    def stop(self) -> None:
        """
        Look no more.
        """
        self._calls.stop()

    def _look(self) -> None:
        before, self._usedBefore = self._usedBefore, self._processorTime()
        began = self._clock.seconds()
        hasLittleToDo = self._usedBefore - before <= LITTLE_SHARE * GIVE_BACK_SECONDS
        if self._trim is None or not hasLittleToDo or began < self._notBefore:
            return
        self._trim()
        took = self._clock.seconds() - began
        self._notBefore = began + took / MOST_SHARE
        self._log.debug("freed memory was given back in {took:.1f} ms", took=took * 1000)
