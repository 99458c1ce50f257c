"""
What one tunnel was given, and is not known to have arrived: kept, so that it can be sent
again through another tunnel when this one stands still.  The numbers stay, so that the
other end knows what it has.

Where the kernel tells how much of a connection has not been acknowledged, what has been is
forgotten as soon as much is kept; an answer of the other program confirms all that was
sent before the question.

Pure: time comes in with each call.
"""

from __future__ import annotations

from collections import deque

from uotp.boundaries import AGAIN_SECONDS
from uotp.train import LAST_NUMBER, TRAIN_OVERHEAD_BYTES, Arrival, Train, bytesOf

MAX_KEPT_BYTES = 1024 * 1024
"""
What is kept of a tunnel: what 60 Mbit/s bring in 40 ms that are on their way, and in the
tenth of a second until a tunnel that has gone dead is left.  Nobody can make us keep more
by not acknowledging; the oldest is forgotten.
"""

ASK_BYTES = 64 * 1024
"""The kernel need not be asked before so much is kept, or twice as much as the last time."""

MOST_ASK_BYTES = MAX_KEPT_BYTES * 7 // 8
"""From so much on it is asked each time."""

Sent = tuple[float, int, list[Train], int, int]
"""
When trains were sent, the number of the first, the trains, the payload up to their end,
and what it costs to keep them.
"""


class Unacked:
    """
    Keeps the trains of one link until they are known to have arrived.

    @ivar position: bytes of payload that the link was given so far.
    @ivar kept: bytes that are kept, with what they cost.
    @ivar askAt: when so much is kept, it is time to find out what has been acknowledged.
    """

    def __init__(self) -> None:
        self._sent: deque[Sent] = deque()
        self.askAt = ASK_BYTES
        self.position = 0
        self.kept = 0

    def add(self, number: int, trains: list[Train], now: float) -> None:
        """
        The link is given trains.

        @param number: of the first datagram.
        @param now: monotonic seconds.
        """
        size = len(trains[0][1]) if len(trains) == 1 else bytesOf(trains)
        cost = size + len(trains) * TRAIN_OVERHEAD_BYTES
        self.position += size
        self.kept += cost
        self._sent.append((now, number, trains, self.position, cost))
        while self.kept > MAX_KEPT_BYTES:
            self.kept -= self._sent.popleft()[4]

    def confirm(self, position: int) -> None:
        """
        What the link was given up to a L{position} has arrived.
        """
        sent, kept = self._sent, self.kept
        while sent and sent[0][3] <= position:
            kept -= sent.popleft()[4]
        self.kept = kept
        self._askLater()

    def _askLater(self) -> None:
        if self.askAt <= MAX_KEPT_BYTES:
            self.askAt = min(max(2 * self.kept, ASK_BYTES), MOST_ASK_BYTES)

    def nobodyTells(self) -> None:
        """
        What has been acknowledged cannot be found out: ask no more.
        """
        self.askAt = MAX_KEPT_BYTES + 1

    def take(self, now: float) -> list[Arrival]:
        """
        Keep nothing any more.

        @param now: monotonic seconds.
        @return: what is to be sent again, in order.
        """
        taken: list[Arrival] = []
        for at, first, trains, _, _ in self._sent:
            number = first
            for train in trains if now - at <= AGAIN_SECONDS else ():
                taken.append((number, train))
                number = number + train.datagrams & LAST_NUMBER
        self._sent.clear()
        self.kept = 0
        self._askLater()
        return taken
