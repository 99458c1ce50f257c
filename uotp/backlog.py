"""
Where trains wait when no tunnel, or no socket, can take them.  A short wait is worth it, a
long one is not: what is old is of no use to the program that sent it, which
has asked again meanwhile.  So the oldest goes first.
"""

from __future__ import annotations

from collections import deque

from uotp.drops import Drop, Drops
from uotp.train import Train

MAX_BYTES = 256 * 1024
"""
Room for the first flight of a flow whose tunnels are being opened, and 40 ms of
one that runs at 50 Mbit/s.
"""

MAX_AGE_SECONDS = 5.0
"""A tunnel is given 4 s to come up unless the user says otherwise; after this its datagrams are stale."""

TRAIN_OVERHEAD_BYTES = 128
"""What a train costs beside its payload, so that empty datagrams are bounded too."""


class Backlog:
    """
    A queue of trains, bounded in bytes and in age.
    """

    def __init__(self, drops: Drops, maxBytes: int = MAX_BYTES, maxAge: float = MAX_AGE_SECONDS) -> None:
        """
        @param drops: where what is dropped is counted.
        @param maxBytes: payload and overhead that may wait.
        @param maxAge: seconds that a train may wait.
        """
        self._drops = drops
        self._maxBytes = maxBytes
        self._maxAge = maxAge
        self._waiting: deque[tuple[float, Train]] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        """
        How many trains wait.
        """
        return len(self._waiting)

    def put(self, train: Train, now: float) -> None:
        """
        Let a train wait; older ones make room for it.

        @param now: a monotonic time in seconds, never less than before.
        """
        self._waiting.append((now, train))
        self.bytes += len(train.payload) + TRAIN_OVERHEAD_BYTES
        self._dropStale(now)
        while self.bytes > self._maxBytes:
            self._drops.count(Drop.BACKLOG_FULL, self._pop().datagrams)

    def take(self, now: float) -> Train | None:
        """
        @return: the oldest train that is still of use, or L{None}.
        """
        self._dropStale(now)
        return self._pop() if self._waiting else None

    def _dropStale(self, now: float) -> None:
        while self._waiting and now - self._waiting[0][0] > self._maxAge:
            self._drops.count(Drop.BACKLOG_STALE, self._pop().datagrams)

    def _pop(self) -> Train:
        train = self._waiting.popleft()[1]
        self.bytes -= len(train.payload) + TRAIN_OVERHEAD_BYTES
        return train
