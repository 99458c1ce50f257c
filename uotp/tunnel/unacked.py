"""
Trains that one link was given and that are not known to have arrived.  They are kept, so that
another link can send them again when this one stands still.  They keep their numbers, so
that the other end knows what it has.

A pong of the other program confirms all that was sent before its ping.  Once much is
kept, the kernel is asked, if it can tell, how much the other kernel has not acknowledged;
all the rest is forgotten.  So is what is too old to be sent again.

Pure: time comes in with each call.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable

from uotp.boundaries import AGAIN_SECONDS, QueueRoom
from uotp.train import (
    HALF_NUMBERS,
    LAST_NUMBER,
    NOTHING_WAITS,
    TRAIN_OVERHEAD_BYTES,
    Arrival,
    Train,
    bytesOf,
    countOf,
    datagramsWithin,
    numberedFrom,
    split,
)

MAX_KEPT_BYTES = 1024 * 1024
"""
So much is kept of a link.  It is what a flow of 60 Mbit/s sends in the 40 ms of its path and
in the tenth of a second until a dead link is left.  A peer that acknowledges nothing cannot
make us keep more: the oldest is forgotten.
"""

ASK_BYTES = 64 * 1024
"""
The kernel is asked when so much is kept, or twice as much as was left the last time.  Behind a relay that ends TCP
it tells what the relay has, which may break and lose it; so what a light flow sends is kept until a pong comes.
"""

ENTRY_TRAINS = 8
"""So many trains are kept together: whoever looks for one of them looks at the others, and the peer asks for that."""

MOST_ASK_BYTES = MAX_KEPT_BYTES * 7 // 8
"""When so much is kept, the kernel is asked each time."""

LEAST_FOUND_BYTES = 64
"""A train that is to be sent again counts as so long at least: about what comes to it on the wire."""

Sent = tuple[float, int, list[Train], int, int]
"""
When trains were sent, the number of the first datagram, the trains, the position in the
frames behind them, and how many bytes it takes to keep them.
"""


class Unacked:
    """
    Keeps the trains of one link until they are known to have arrived.

    @ivar position: bytes of frames of trains that the link was given so far.
    @ivar kept: payload and overhead that are kept, in bytes.
    @ivar askAt: when so much is kept, the kernel is to be asked what was acknowledged.
    """

    def __init__(self, room: QueueRoom) -> None:
        """
        @param room: says how much payload and overhead may be kept.
        """
        self._room = room
        self._sent: deque[Sent] = NOTHING_WAITS
        self.askAt = ASK_BYTES
        self.position = 0
        self.kept = 0

    def add(self, number: int, trains: list[Train], framed: int, now: float) -> None:
        """
        The link is given trains.

        @param number: of the first datagram.
        @param framed: bytes of their frames.
        @param now: monotonic seconds.
        """
        self.position += framed
        while len(trains) > ENTRY_TRAINS:
            first, trains = trains[:ENTRY_TRAINS], trains[ENTRY_TRAINS:]
            self._keep(number, first, now)
            number = number + countOf(first) & LAST_NUMBER
        self._keep(number, trains, now)

    def _keep(self, number: int, trains: list[Train], now: float) -> None:
        size = len(trains[0][1]) if len(trains) == 1 else bytesOf(trains)
        cost = size + len(trains) * TRAIN_OVERHEAD_BYTES
        self.kept += cost
        if self._sent is NOTHING_WAITS:
            self._sent = deque()
        sent = self._sent
        sent.append((now, number, trains, self.position, cost))
        if now - sent[0][0] > AGAIN_SECONDS:  # one for each that comes, which keeps the pace
            self.kept -= sent.popleft()[4]
        room = self._room
        while self.kept > room.granted and not room.reaches(self.kept):
            self.kept -= self._sent.popleft()[4]

    def confirm(self, position: int) -> None:
        """
        Forget what the link was given up to a L{position}, since it has arrived.
        """
        sent, kept = self._sent, self.kept
        while sent and sent[0][3] <= position:
            kept -= sent.popleft()[4]
        self.kept = kept
        if not sent:
            self._sent = NOTHING_WAITS
        self._room.shrink(kept)
        self._askLater()

    def dropStale(self, now: float) -> None:
        """
        Forget what is too old to be sent again.
        """
        sent = self._sent
        while sent and now - sent[0][0] > AGAIN_SECONDS:
            self.kept -= sent.popleft()[4]
        self._room.shrink(self.kept)

    def _askLater(self) -> None:
        if self.askAt <= MAX_KEPT_BYTES:
            self.askAt = min(max(2 * self.kept, ASK_BYTES), MOST_ASK_BYTES)

    def nobodyTells(self) -> None:
        """
        Ask the kernel no more, since it does not tell what was acknowledged.
        """
        self.askAt = MAX_KEPT_BYTES + 1

    def within(self, begin: int, count: int, most: int, by: float = math.inf) -> list[Arrival]:
        """
        @param begin: the number of the first datagram that is wanted.
        @param count: how many are wanted.
        @param most: bytes at most, where a short train counts as L{LEAST_FOUND_BYTES}; a lone datagram may
            be longer.
        @param by: the link was given them by then, in monotonic seconds.
        @return: those of them that are kept, in order.
        """
        found: list[Arrival] = []
        sent, count = self._sent, min(count, HALF_NUMBERS // 2)  # so nothing wraps on the way
        for index in range(self._placeOf(begin), len(sent)):
            at, first, trains, _, _ = sent[index]
            offset = HALF_NUMBERS - (begin - first + HALF_NUMBERS & LAST_NUMBER)
            if offset >= count or at > by:
                break
            for train in trains:
                datagrams = train.datagrams
                low, high = max(-offset, 0), min(datagrams, count - offset)
                if low < high:
                    part = split(datagramsWithin(train, low, high), most)[0]
                    if found and len(part.payload) > most:
                        return found
                    found.append((begin + offset + low & LAST_NUMBER, part))
                    most -= max(len(part.payload), LEAST_FOUND_BYTES)
                    if most <= 0:
                        return found
                offset += datagrams
        return found

    def _placeOf(self, number: int) -> int:
        """
        Find a number without looking at all that is kept: the other end decides how often it is asked for.

        @return: the index of the last entry that begins with a number or before it, or else of the first one.
        """
        sent = self._sent
        if not sent:
            return 0
        first = sent[0][1]
        ahead = number - first & LAST_NUMBER
        if ahead >= HALF_NUMBERS:
            return 0
        return max(bisect_right(sent, ahead, key=lambda entry: entry[1] - first & LAST_NUMBER) - 1, 0)

    def take(self, now: float) -> list[Arrival]:
        """
        Take all trains out.

        @param now: monotonic seconds.
        @return: those that are young enough to be sent again, in order.
        """
        taken = arrivalsOf(self._sent, now)
        self._sent = NOTHING_WAITS
        self.kept = 0
        self._room.shrink(0)
        self._askLater()
        return taken

    def takeBehind(self, position: int, now: float) -> list[Arrival]:
        """
        Take out what the link was given last.

        @param position: where that begins; what lies on both sides of it is taken too.
        @return: see L{take}.
        """
        last: deque[Sent] = deque()
        while self._sent and self._sent[-1][3] > position:
            last.appendleft(self._sent.pop())
            self.kept -= last[0][4]
        self._room.shrink(self.kept)
        return arrivalsOf(last, now)


def arrivalsOf(entries: Iterable[Sent], now: float) -> list[Arrival]:
    """
    @return: the trains of some entries, if they are young enough to be sent again, in order.
    """
    arrivals: list[Arrival] = []
    for at, first, trains, _, _ in entries:
        if now - at <= AGAIN_SECONDS:
            arrivals += numberedFrom(first, trains)
    return arrivals
