"""
When the garbage collector of this process works.  A full collection looks at every object, and
meanwhile nothing moves: with thousands of sessions for a tenth of a second and more.  Python's own
rule begins one whenever there are a quarter more objects than after the last.

Here the collector looks at what is new only.  After each full collection all that it has left
is frozen (L{gc.freeze}), so the next one looks at what was made since, a bounded number
of objects.  Sessions, tunnels and streams leave nothing to the collector when they end, a test holds
that; what else may be left in a cycle after it was frozen is looked for rarely, and
only while the process has nothing to do.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from uotp.process.periodic import PeriodicCalls
from uotp.telemetry import Logger

YOUNG_OBJECTS = 1000
"""So many new objects are looked at together, which takes some 0.2 ms."""

MIDDLE_ROUNDS = 3
FULL_ROUNDS = 1
"""
What is left of them is looked at again when there were more such rounds than the first, and once
more, before it is frozen, when there were more of these than the second: some 8000 objects, which
take 2 ms.
"""

REST_CHECK_SECONDS = 60.0
"""How often we look whether the process has nothing to do."""

GARBAGE_REST_SECONDS = 1.0
REST_SHARE = 0.005
"""It has nothing to do when it has used no more of a processor than this share for so long."""

GARBAGE_SWEEP_SECONDS = 3600.0
"""
Everything is looked at no more often than this.  A day's reloads and failed lookups leave some
hundred objects.
"""


class GarbageCollection:
    """
    Runs the garbage collector of this process so that it never stops a flow for long.
    """

    _log = Logger()

    def __init__(self, clock: Any, processorTime: Callable[[], float] = time.process_time, collector: Any = gc) -> None:
        """
        @param clock: C{IReactorTime}.
        @param processorTime: tells the seconds of a processor that this process has used.
        @param collector: the module L{gc}.
        """
        self._clock = clock
        self._processorTime = processorTime
        self._collector = collector
        self._calls = PeriodicCalls(clock)
        self._sweptAt = 0.0
        self._before: tuple[int, int, int] | None = None
        self._resting: IDelayedCall | None = None

    def start(self) -> None:
        """
        Freeze what there is: the modules, and what was made at the start.  PyPy's collector
        cannot do that, and is left as it is.
        """
        if not hasattr(self._collector, "freeze"):
            return
        self._sweep()
        self._before = self._collector.get_threshold()
        self._collector.set_threshold(YOUNG_OBJECTS, MIDDLE_ROUNDS, FULL_ROUNDS)
        self._collector.callbacks.append(self._collected)
        self._calls.every(REST_CHECK_SECONDS, self._look)

    def stop(self) -> None:
        """
        Let the collector be as it was.
        """
        if self._before is None:
            return
        self._calls.stop()
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        self._collector.callbacks.remove(self._collected)
        self._collector.set_threshold(*self._before)
        self._before = None
        self._collector.unfreeze()

    def _collected(self, phase: str, information: Mapping[str, int]) -> None:
        """
        Freeze what a full collection has left, so that the next one does not look at it again.
        """
        if phase == "stop" and information["generation"] == 2:  # noqa: PLR2004 - the oldest of three
            self._collector.freeze()

    def _look(self) -> None:
        if self._clock.seconds() - self._sweptAt >= GARBAGE_SWEEP_SECONDS:
            self._resting = self._clock.callLater(GARBAGE_REST_SECONDS, self._sweepAtRest, self._processorTime())

    def _sweepAtRest(self, before: float) -> None:
        self._resting = None
        if self._processorTime() - before <= REST_SHARE * GARBAGE_REST_SECONDS:
            self._sweep()

    def _sweep(self) -> None:
        """
        Look at everything, and freeze what is left.
        """
        began = self._clock.seconds()
        self._collector.unfreeze()
        found = self._collector.collect()
        self._collector.freeze()
        self._collector.collect()  # of nothing: Python waits for a quarter of what the last one has left
        self._sweptAt = self._clock.seconds()
        took = (self._sweptAt - began) * 1000
        words = "the garbage collector has looked at everything: {found} objects freed in {took:.0f} ms"
        self._log.debug(words, found=found, took=took)
