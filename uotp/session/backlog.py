"""
Where trains wait when no tunnel, or no socket, can take them.  A short wait is
worth it, a long one is not: what is old is of no use to the program that sent it,
which has asked again meanwhile.  So the oldest goes first.

Small datagrams go ahead of bulk: they are handshakes, acknowledgements, key
strokes and voices, for which somebody waits, and they cost the bulk next to
nothing.  They wait in a row of their own; both rows share the bounds.
"""

from __future__ import annotations

from collections import deque

from uotp.telemetry import Drop, Drops
from uotp.train import TRAIN_OVERHEAD_BYTES, Train, split

MAX_BYTES = 256 * 1024
"""
Room for the first flight of a flow whose tunnels are being opened, and 40 ms of
one that runs at 50 Mbit/s.
"""

MAX_AGE_SECONDS = 5.0
"""A tunnel is given 4 s to come up unless the user says otherwise; after this its datagrams are stale."""

SMALL_BYTES = 256
"""
A datagram that is no longer than this is small: WireGuard's handshakes (148 and 92
bytes) and what carries an acknowledgement of TCP (96 to 128) are.
"""

SMALL_TRAIN_BYTES = 4096
"""A train of small datagrams that is longer is bulk: forty acknowledgements come together, not four hundred."""

Row = deque[tuple[float, Train]]
"""Trains in the order in which they came, with when that was."""


class Backlog:
    """
    A queue of trains, bounded in bytes and in age.

    @ivar maxAge: seconds that a train may wait.
    @ivar bytes: payload and overhead that wait.
    """

    def __init__(self, drops: Drops, maxBytes: int = MAX_BYTES, maxAge: float = MAX_AGE_SECONDS) -> None:
        """
        @param drops: where what is dropped is counted.
        @param maxBytes: payload and overhead that may wait.
        @param maxAge: seconds that a train may wait.
        """
        self._drops = drops
        self._maxBytes = maxBytes
        self.maxAge = maxAge
        self._small: Row = deque()
        self._bulk: Row = deque()
        self.bytes = 0

    def __len__(self) -> int:
        """
        How many trains wait.
        """
        return len(self._small) + len(self._bulk)

    def put(self, trains: list[Train], now: float) -> None:
        """
        Let trains wait; older ones make room for them.

        @param now: a monotonic time in seconds, never less than before.
        """
        for row, parts in zip((self._small, self._bulk), sift(trains), strict=True):
            for part in parts:
                row.append((now, part))
                self.bytes += len(part.payload) + TRAIN_OVERHEAD_BYTES
        self._dropStale(now)
        while self.bytes > self._maxBytes:
            self._dropOldest()

    def take(self, now: float, most: int) -> list[Train]:
        """
        @param most: bytes to take at most; a lone datagram may be longer.
        @return: trains that are still of use: small ones, and then the oldest; none
            only when none waits.
        """
        self._dropStale(now)
        taken: list[Train] = []
        for row in (self._small, self._bulk):
            while row and most > 0:
                since, train = row[0]
                first, rest = split(train, most)
                if taken and len(first.payload) > most:
                    return taken
                row.popleft()
                self.bytes -= len(first.payload)
                if rest is None:
                    self.bytes -= TRAIN_OVERHEAD_BYTES
                else:
                    row.appendleft((since, rest))
                taken.append(first)
                most -= max(len(first.payload), 1)
        return taken

    def _dropStale(self, now: float) -> None:
        for row in (self._small, self._bulk):
            while row and now - row[0][0] > self.maxAge:
                self._drops.count(Drop.BACKLOG_STALE, self._pop(row).datagrams)

    def _dropOldest(self) -> None:
        """
        Drop as much of the oldest train as makes room enough, and all of it at most.
        """
        row = self._small if not self._bulk or (self._small and self._small[0][0] < self._bulk[0][0]) else self._bulk
        since, train = row[0]
        excess = self.bytes - self._maxBytes
        dropped, rest = split(train, -(-excess // max(train.segment, 1)) * train.segment)
        self._pop(row)
        self._drops.count(Drop.BACKLOG_FULL, dropped.datagrams)
        if rest is not None:
            row.appendleft((since, rest))
            self.bytes += len(rest.payload) + TRAIN_OVERHEAD_BYTES

    def _pop(self, row: Row) -> Train:
        train = row.popleft()[1]
        self.bytes -= len(train.payload) + TRAIN_OVERHEAD_BYTES
        return train


def apart(train: Train) -> list[Train]:
    """
    @return: the train, with a small datagram at the end of a bulk train as a train of
        its own.
    """
    segment, payload = train
    size = len(payload)
    if size > segment > SMALL_BYTES and 0 < (last := size % segment) <= SMALL_BYTES:
        return [Train(segment, payload[: size - last]), Train(last, payload[size - last :])]
    return [train]


def isSmall(train: Train) -> bool:
    """
    @return: whether a train is of small datagrams, and of few.
    """
    segment, payload = train
    return len(payload) <= (SMALL_TRAIN_BYTES if segment <= SMALL_BYTES else SMALL_BYTES)


def sift(trains: list[Train]) -> tuple[list[Train], list[Train]]:
    """
    @return: the small ones of some trains, and the others.
    """
    rows: tuple[list[Train], list[Train]] = ([], [])
    for train in trains:
        for part in apart(train):
            rows[0 if isSmall(part) else 1].append(part)
    return rows
