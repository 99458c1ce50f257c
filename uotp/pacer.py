"""
How fast what came through the tunnels is handed to UDP.

A connection that repairs a loss brings all that had waited behind it at one go: at
50 Mbit/s, after 60 ms, that is 375 KB, and a UDP socket holds 130 KB unless its owner
asked for more.  So what comes is handed on at once as long as it is not much, or not
faster than it has come of late; the rest follows in a few milliseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from uotp.train import MAX_TRAIN_BYTES, Train, portions

DATAGRAM_BYTES = 900
"""
What a datagram takes in Linux's buffers beside its payload: one of 1400 bytes takes
2304.  All amounts here are in this measure.
"""

BURST_BYTES = 104 * 1024
"""
Handed on at one go, unless trains come faster: half of the buffer that Linux gives a
socket on its own, 46 datagrams of 1400 bytes.
"""

TICK_SECONDS = 0.001
"""Between two bursts; the reactor's timers are no finer."""

LEAST_RATE = BURST_BYTES / TICK_SECONDS
"""
In each second: 46 000 datagrams of 1400 bytes, or 518 Mbit/s.  Who cannot read as fast
as that has no use for a faster path either.
"""

FASTER = 4
"""So many times as fast as it has come of late may be handed on, where that is more."""

RATE_SECONDS = 0.05
"""Over how long it is measured how fast it comes."""

MAX_WAITING_BYTES = 1024 * 1024
"""What may wait: 640 KB of payload.  More is handed on all the same, nothing is dropped here."""


class Pacer:
    """
    A queue that is empty as long as trains come evenly.

    @ivar waiting: how much is in it.
    """

    def __init__(self, deliver: Callable[[list[Train]], None], clock: Any) -> None:
        """
        @param deliver: sends trains to UDP.
        @param clock: C{IReactorTime}.
        """
        self._deliver = deliver
        self._clock = clock
        self._queue: deque[tuple[int, list[Train]]] = deque()
        self.waiting = 0
        self._room = float(BURST_BYTES)  # that may be handed on at once
        self._roomAt = self._measuredAt = clock.seconds()
        self._came = 0  # since it was measured last
        self._rate = LEAST_RATE
        self._tick: IDelayedCall | None = None

    def send(self, trains: list[Train], now: float) -> None:
        """
        Hand trains on, now or a little later, in the order in which they come.

        @param now: by the clock.
        """
        size = sizeOf(trains)
        self._came += size
        if now - self._measuredAt >= RATE_SECONDS:
            self._rate = max(FASTER * self._came / (now - self._measuredAt), LEAST_RATE)
            self._came = 0
            self._measuredAt = now
        self._makeRoom(now)
        if size <= self._room and not self._queue:
            self._room -= size
            self._deliver(trains)
        else:
            self._wait(trains)

    def _makeRoom(self, now: float) -> None:
        self._room = min(self._room + (now - self._roomAt) * self._rate, self._rate * TICK_SECONDS)
        self._roomAt = now

    def _wait(self, trains: list[Train]) -> None:
        for portion in portions(trains, MAX_TRAIN_BYTES):
            size = sizeOf(portion)
            self._queue.append((size, portion))
            self.waiting += size
        while self.waiting > MAX_WAITING_BYTES:
            self._next()
        if self._tick is None and self._queue:
            self._tick = self._clock.callLater(TICK_SECONDS, self._handOn)

    def _handOn(self) -> None:
        self._tick = None
        self._makeRoom(self._clock.seconds())
        while self._queue and self._room > 0:
            self._room -= self._next()
        if self._queue:
            self._tick = self._clock.callLater(TICK_SECONDS, self._handOn)

    def _next(self) -> int:
        size, trains = self._queue.popleft()
        self.waiting -= size
        self._deliver(trains)
        return size

    def close(self) -> None:
        """
        Hand on nothing any more.
        """
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self._queue.clear()
        self.waiting = 0


def sizeOf(trains: list[Train]) -> int:
    """
    @return: about what some trains take in a socket's buffer.
    """
    total = 0
    for train in trains:
        total += len(train.payload) + train.datagrams * DATAGRAM_BYTES
    return total
