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

    def __init__(self, clock: Any, tellLate: Callable[[float, float], None] | None = None) -> None:
        """
        @param clock: C{IReactorTime}.
        @param tellLate: told with each call by how many seconds it was late, and the time.
        """
        self._clock = clock
        self._tellLate = tellLate
        self._loops: list[LoopingCall] = []

    def every(self, seconds: float, call: Callable[[], None]) -> None:
        """
        Begin to make a call.  When it raises, that is logged, and the call is made again.
        """
        due: float = self._clock.seconds() + seconds

        def guarded() -> None:
            nonlocal due
            if self._tellLate is not None:
                now = self._clock.seconds()
                self._tellLate(now - due, now)
                due += seconds * max(1 + (now - due) // seconds, 1)
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
