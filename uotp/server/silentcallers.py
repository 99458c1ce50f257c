"""
Those who have connected in plain TCP to what is to be a web site, and say nothing.  How long they may do so
is for the web server behind us to say, so after a moment they come to the door, as those do who say nothing
after the handshake of TLS.  Whoever has gone before, as a balancer that looks whether we are there, has cost
nothing.

They make nobody else go: they come in while at least half of the room is free for those who begin to say
something.  Who finds no room stays outside, and has to go as anybody who says nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall

from uotp.server.door.patience import DOOR_LOOK_SECONDS
from uotp.server.strangers import Stranger

CALLED_PER_TURN = 16
"""So many come in during one turn of the reactor; each waits for its own turn then."""


class Caller(Stranger, Protocol):
    """
    Is a connection on which nothing has come.
    """

    def comeIn(self) -> None:
        """
        Wait for a turn, though nothing has come.  One that is gone already does nothing.
        """


class SilentCallers:
    """
    Calls in those who have been silent for a moment.
    """

    def __init__(self, clock: Any, isOutside: Callable[[Caller], bool], hasRoom: Callable[[int], bool]) -> None:
        """
        @param clock: C{IReactorTime}.
        @param isOutside: tells whether somebody still waits outside.
        @param hasRoom: tells whether one more may come in, beside so many who have been called in and wait for their
            turn.
        """
        self._clock = clock
        self._isOutside = isOutside
        self._hasRoom = hasRoom
        self._called: dict[Caller, None] = {}  # no more than there is room for
        self._waiting: dict[Caller, float] = {}  # until when, the oldest first
        self._timer: IDelayedCall | None = None

    def arrived(self, caller: Caller) -> None:
        """
        Somebody has come, or has said for whom he comes, and nothing else.
        """
        self._waiting[caller] = self._clock.seconds() + DOOR_LOOK_SECONDS
        if self._timer is None:
            self._timer = self._clock.callLater(DOOR_LOOK_SECONDS, self._callIn)

    def discard(self, caller: Caller) -> None:
        """
        Somebody has his turn, or is gone.
        """
        self._waiting.pop(caller, None)
        self._called.pop(caller, None)
        if not self._waiting:
            self._stopTimer()

    def _callIn(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        due: list[Caller] = []
        for caller, end in self._waiting.items():
            if end > now or len(due) == CALLED_PER_TURN:
                break
            due.append(caller)
        self._called = {caller: None for caller in self._called if self._isOutside(caller)}
        for caller in due:
            isStillThere = self._waiting.pop(caller, None) is not None and self._isOutside(caller)
            if isStillThere and self._hasRoom(len(self._called)):
                self._called[caller] = None
                caller.comeIn()
        if self._waiting:
            wait = next(iter(self._waiting.values())) - now
            self._timer = self._clock.callLater(max(wait, 0), self._callIn)

    def endAll(self) -> None:
        """
        Call nobody in any more, because the server stops.
        """
        self._waiting.clear()
        self._called.clear()
        self._stopTimer()

    def _stopTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
