"""
Where trains wait while no link, or no socket, can take them.  A short wait pays.  A long one
does not: the program that waits for an old datagram has asked for it again.  So when room
is needed, the oldest train is dropped first.

Small datagrams go ahead of bulk.  They are handshakes, acknowledgements, key strokes and
voices, for which somebody waits, and they hardly delay the bulk.  They wait in a row of
their own; both rows share the bounds.
"""

from __future__ import annotations

from collections import deque

from uotp.boundaries import QueueRoom
from uotp.telemetry import Drop, DropCounter
from uotp.train import NOTHING_WAITS, TRAIN_OVERHEAD_BYTES, Train, split

MAX_BACKLOG_BYTES = 256 * 1024
"""
So much may wait.  It holds the first flight of a flow whose tunnels are being opened, or
40 ms of one that runs at 50 Mbit/s.
"""

MAX_AGE_SECONDS = 5.0
"""
A train may wait so long.  That is somewhat longer than the 4 s which each step to an open tunnel has
at first, unless the user says otherwise.  On a path on which a tunnel takes longer to open, a later
one goes through: WireGuard begins another handshake after a little more than this, and of two that
arrive together its peer answers the older alone, which is of no use any more.
"""

SMALL_AGE_SECONDS = 2.0
"""
A small datagram may wait so long also where others may wait less.  It is the first that a link takes,
and it is seldom sent again sooner: a handshake of WireGuard, or a question to DNS, after five seconds.
"""

SMALL_BYTES = 256
"""
A datagram that is no longer than this is small.  WireGuard's handshakes are (148 and 92
bytes), and so is a datagram that carries an acknowledgement of TCP (96 to 128 bytes).
"""

SMALL_TRAIN_BYTES = 4096
"""
A train of small datagrams that is longer than this is bulk: forty acknowledgements come
together, but not four hundred.
"""

Row = deque[tuple[float, Train]]
"""Trains in the order in which they came, each with the time at which it came."""


class Backlog:
    """
    Queues trains, and drops the oldest when they are too many bytes or too old.

    @ivar maxAge: seconds that a train may wait; for a small datagram that is at least
        L{SMALL_AGE_SECONDS}.
    @ivar maxBytes: payload and overhead that may wait after the next L{put}.
    @ivar overflowed: whether the last L{put} had to drop something, since there was no room.
    @ivar bytes: payload and overhead that wait.
    """

    def __init__(self, drops: DropCounter, room: QueueRoom, maxAge: float = MAX_AGE_SECONDS) -> None:
        """
        @param drops: where what is dropped is counted.
        @param room: says how much payload and overhead may wait.
        @param maxAge: seconds that a train may wait.
        """
        self._drops = drops
        self._room = room
        self.maxBytes = MAX_BACKLOG_BYTES
        self.maxAge = maxAge
        self._small: Row = NOTHING_WAITS
        self._bulk: Row = NOTHING_WAITS
        self.bytes = 0
        self.overflowed = False

    def __len__(self) -> int:
        """
        How many trains wait.
        """
        return len(self._small) + len(self._bulk)

    def put(self, trains: list[Train], now: float) -> None:
        """
        Let trains wait.  Older ones are dropped when there is no room for them.

        @param now: a monotonic time in seconds, never less than before.
        """
        small, bulk = sift(trains)
        if small and self._small is NOTHING_WAITS:
            self._small = deque()
        if bulk and self._bulk is NOTHING_WAITS:
            self._bulk = deque()
        for row, parts in ((self._small, small), (self._bulk, bulk)):
            for part in parts:
                row.append((now, part))
                self.bytes += len(part.payload) + TRAIN_OVERHEAD_BYTES
        self.dropStale(now)
        self.overflowed = False
        while self.bytes > self.maxBytes or (self.bytes > self._room.granted and not self._room.reaches(self.bytes)):
            self.overflowed = True
            self._dropOldest()
        if self.overflowed:
            self._room.shrink(self.bytes)

    def take(self, now: float, most: int) -> list[Train]:
        """
        Take trains that are not too old, small ones before the others.

        @param most: bytes to take at most; a lone datagram may be longer.
        @return: the oldest of each kind; none only when none waits.
        """
        self.dropStale(now)
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
        self._small, self._bulk = self._small or NOTHING_WAITS, self._bulk or NOTHING_WAITS
        self._room.shrink(self.bytes)
        return taken

    def dropStale(self, now: float) -> None:
        """
        Drop what is too old.  This is done with each L{put} and L{take}.
        """
        before = self.bytes
        for row, maxAge in ((self._small, max(self.maxAge, SMALL_AGE_SECONDS)), (self._bulk, self.maxAge)):
            while row and now - row[0][0] > maxAge:
                self._drops.count(Drop.BACKLOG_STALE, self._pop(row).datagrams)
        if self.bytes < before:
            self._room.shrink(self.bytes)

    def _dropOldest(self) -> None:
        """
        Drop the oldest train, or as many of its datagrams as make room enough.
        """
        row = self._small if not self._bulk or (self._small and self._small[0][0] < self._bulk[0][0]) else self._bulk
        since, train = row[0]
        excess = self.bytes - min(self._room.granted, self.maxBytes)
        dropped, rest = split(train, -(-excess // max(train.segment, 1)) * train.segment)
        self._pop(row)
        self._drops.count(Drop.BACKLOG_FULL, dropped.datagrams)
        if rest is not None:
            row.appendleft((since, rest))
            self.bytes += len(rest.payload) + TRAIN_OVERHEAD_BYTES

    def _pop(self, row: Row) -> Train:
        """
        Take the oldest train of a row out.
        """
        train = row.popleft()[1]
        self.bytes -= len(train.payload) + TRAIN_OVERHEAD_BYTES
        return train


def endApart(train: Train) -> list[Train]:
    """
    Split a small datagram off the end of a bulk train, since it may go ahead.

    @return: one train or two, in order.
    """
    segment, payload = train
    size = len(payload)
    if size > segment > SMALL_BYTES and 0 < (last := size % segment) <= SMALL_BYTES:
        return [Train(segment, payload[: size - last]), Train(last, payload[size - last :])]
    return [train]


def isSmall(train: Train) -> bool:
    """
    @return: whether a train consists of few datagrams, all of them small.
    """
    segment, payload = train
    return len(payload) <= (SMALL_TRAIN_BYTES if segment <= SMALL_BYTES else SMALL_BYTES)


def sift(trains: list[Train]) -> tuple[list[Train], list[Train]]:
    """
    Tell small trains from others, without changing the order of either.

    @return: the small ones, and the others.
    """
    rows: tuple[list[Train], list[Train]] = ([], [])
    for train in trains:
        for part in endApart(train):
            rows[0 if isSmall(part) else 1].append(part)
    return rows
