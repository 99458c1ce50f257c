"""
Calls that a service makes every few seconds.  One timer serves all sessions together, so
that no datagram needs one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import LoopingCall

from uotp.telemetry import Logger, orLog


class PeriodicCalls:
    """
    Makes calls again and again while a service runs.
    """

    _log = Logger()

    def __init__(self, clock: Any) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        self._clock = clock
        self._loops: list[LoopingCall] = []

    def every(self, seconds: float, call: Callable[[], None]) -> None:
        """
        Begin to make a call.  When it raises, that is logged, and the call is made again.
        """

        def guarded() -> None:
            try:
                call()
            except Exception:  # noqa: BLE001 - nothing costs the daemon
                self._log.failure("a regular task failed")

        loop = LoopingCall(guarded)
        loop.clock = self._clock
        orLog(loop.start(seconds, now=False), self._log, "a regular task is not done any more")
        self._loops.append(loop)

    def stop(self) -> None:
        """
        Call no more.
        """
        for loop in self._loops:
            loop.stop()
        self._loops.clear()
