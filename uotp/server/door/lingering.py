"""
The end of a visit, as other web servers have it: who has been answered may go on for a moment, and the
connection is closed when he has been sent what is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from uotp.server.door.seams import VisitedStream

LINGER_SECONDS = 5.0
"""So long a visitor may go on when the site has said all, as with other web servers."""

MOST_IDLE_LINGERS = 12
"""After so many times L{LINGER_SECONDS} in which he has taken nothing of what is left, a visitor is given up."""


class LingeringClose:
    """
    Closes the connection of one visitor in good order.
    """

    __slots__ = ("_clock", "_idle", "_queued", "_stream", "_timer")

    def __init__(self, clock: Any, stream: VisitedStream) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        self._clock = clock
        self._stream = stream
        self._idle = self._queued = 0
        self._timer: IDelayedCall | None = None

    def begin(self) -> None:
        """
        We have said all: wait for a moment for the visitor to say so too.
        """
        self._wait(LINGER_SECONDS, self.closeSoon)

    def closeSoon(self) -> None:
        """
        Both have said all, or the visitor takes too long: close when he has been sent what is written.
        """
        queued = self._stream.queuedBytes()
        if not queued:
            self._wait(0, self._stream.depart)
            return
        self._idle = 0 if queued != self._queued else self._idle + 1
        self._queued = queued
        if self._idle == MOST_IDLE_LINGERS:
            self._wait(0, self._stream.abort)
        else:
            self._wait(LINGER_SECONDS, self.closeSoon)

    def _wait(self, seconds: float, act: Callable[[], None]) -> None:
        self.stop()
        self._timer = self._clock.callLater(seconds, act)

    def stop(self) -> None:
        """
        The connection is gone.
        """
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
