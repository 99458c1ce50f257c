"""
The pace at which trains are handed to UDP: no faster than its reader can take them.

A connection that repairs a loss brings all that had waited behind the loss at one go.  At
50 Mbit/s, after 60 ms, that is 375 KB, and a UDP socket holds 130 KB unless its owner
asked for more.  So trains are handed on at once while they are few, or come not much faster
than of late.  The others follow in a few milliseconds, in order, unless the user lets small
datagrams go ahead of bulk: then they do so here too.  Nothing makes them all go at once: what is
too much is dropped, and what is handed on in one turn of the reactor is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from uotp.boundaries import Allowance
from uotp.session.reordering.run import alikeBySize, hasSmallDatagrams
from uotp.telemetry import Drop, DropCounter
from uotp.train import NOTHING_WAITS, TakeTrains, Train, countOf, split, unitsOf

DATAGRAM_BYTES = 900
"""
A datagram takes so many bytes of Linux's buffers beside its payload: one of 1400 bytes
takes 2304.  All amounts in this module are measured so.
"""

BURST_BYTES = 104 * 1024
"""
So much is handed on at one go, or more where trains come faster.  It is half of the buffer
that Linux gives a socket on its own: 46 datagrams of 1400 bytes.
"""

TICK_SECONDS = 0.001
"""The time from one look at what waits to the next.  The reactor's timers are no finer."""

LEAST_RATE = 24 * 1024 * 1024
"""
So much may be handed on in each second, however slowly trains come: 10 900 datagrams of
1400 bytes, or 122 Mbit/s.  A reader that cannot run for 8 ms, as on a busy machine, still
finds all of it in its buffer.
"""

FASTER = 3
"""
Trains may be handed on so many times as fast as they have come of late, where that is more
than L{LEAST_RATE}.  Trains that were held up have to catch up; and on a busy machine, those
of one second come in a part of it.
"""

CATCHING_UP = 2
"""
A tick may be late on a busy machine, or on a system with coarse timers.  Then it may hand
on so many times what comes in the time since the last one on average.
"""

RATE_SECONDS = 0.2
"""
The rate at which trains come is measured over at least so long.  That is longer than most
repairs, during which nothing comes.
"""

PART_BYTES = BURST_BYTES // 2
"""
Trains that wait are divided into parts of at most this size, so that there is soon room for
the first.  A lone datagram may be longer, but is never longer than a burst.
"""

MAX_PACED_BYTES = 8 * 1024 * 1024
"""
So much may wait.  It is what waits for a gap to be filled, L{uotp.session.reordering.resequencer.MAX_HELD_BYTES},
as full datagrams are measured here, with some room.  Where there is more, the oldest is dropped.
"""

MAX_FINISH_SECONDS = 0.1
"""What waits when a session ends is handed on for so long.  The rest is dropped."""


class Pacer:
    """
    Hands trains on at once as long as they come evenly, and lets them wait when too many
    come at one go.

    @ivar deliver: sends trains to UDP.
    @ivar waiting: how much waits, in bytes of a socket's buffer.
    """

    def __init__(
        self, deliver: TakeTrains, drops: DropCounter, clock: Any, allowance: Allowance, *, smallFirst: bool = False
    ) -> None:
        """
        @param deliver: sends trains to UDP.
        @param drops: where what is dropped is counted.
        @param clock: C{IReactorTime}.
        @param allowance: of whoever the trains are for.
        @param smallFirst: whether small datagrams go ahead of others that wait.
        """
        self._smallFirst = smallFirst
        self._smallParts = 0  # how many of the queue are of small datagrams, which stand before the others then
        self.deliver = deliver
        self._drops = drops
        self._clock = clock
        self._allowance = allowance
        self._memory = allowance.room(MAX_PACED_BYTES)
        self._queue: deque[tuple[int, list[Train]]] = NOTHING_WAITS
        self.waiting = 0
        self._room: float = BURST_BYTES  # what could be handed on at _roomAt; by now it is as much or more
        self._roomAt = self._measuredAt = clock.seconds()
        self._came = 0  # how much has come since the rate was measured
        self._cameRate = 0.0  # in each second, as it was measured last
        self._tick: IDelayedCall | None = None
        self._hasTurn = False  # the owner's next turn goes on with what waits here
        self._closed = False
        self._deadline: IDelayedCall | None = None
        self._whenEmpty: Callable[[], None] | None = None

    def send(self, trains: list[Train], now: float) -> None:
        """
        Hand trains on, now or a little later, in the order in which they come.

        @param now: by the clock.
        """
        if self._closed:
            return
        if len(trains) == 1:  # one train, which is measured without another call
            segment, payload = trains[0]
            size = len(payload)
            size += (1 if size <= segment else -(-size // segment)) * DATAGRAM_BYTES
        else:
            size = sizeOf(trains)
        self._came += size
        if size > self._room or self._queue or now > self._measuredAt + RATE_SECONDS:
            self._makeRoom(now)
            if size > self._room or self._queue:
                self._enqueue(trains)
                return
        self._room -= size
        self.deliver(trains)

    def _makeRoom(self, now: float, least: float = 0.0) -> None:
        """
        Find out how much may be handed on by now, and measure how fast trains come.

        @param least: the bound of the room is not below this, however slowly trains come.
        """
        if now - self._measuredAt >= RATE_SECONDS:
            self._cameRate = self._came / (now - self._measuredAt)
            self._came = 0
            self._measuredAt = now
        rate = max(FASTER * self._cameRate, LEAST_RATE)
        most = max(rate * TICK_SECONDS, BURST_BYTES, least)
        self._room = min(self._room + (now - self._roomAt) * rate, most)
        self._roomAt = now

    def _enqueue(self, trains: list[Train]) -> None:
        """
        Let trains wait.  Where that is too much, drop the oldest.
        """
        if self._queue is NOTHING_WAITS:
            self._queue = deque()
        if self._smallFirst:
            for areSmall, alike in alikeBySize(trains):
                for part in partsOf(alike):
                    self._put(part, goesAhead=areSmall)
        else:
            for part in partsOf(trains):
                self._put(part, goesAhead=False)
        memory = self._memory
        while self.waiting > memory.granted and not memory.reaches(self.waiting):
            self._dropOldest()
        self._handOn()

    def _put(self, part: tuple[int, list[Train]], *, goesAhead: bool) -> None:
        if goesAhead:
            self._queue.insert(self._smallParts, part)
            self._smallParts += 1
        else:
            self._queue.append(part)
        self.waiting += part[0]

    def _dropOldest(self) -> None:
        """
        Drop the oldest part: of those that go ahead only when there is no other.
        """
        first = self._smallParts if self._smallParts < len(self._queue) else 0
        size, trains = self._queue[first]
        del self._queue[first]
        self.waiting -= size
        self._smallParts = min(self._smallParts, len(self._queue))
        self._drops.count(Drop.PACED_OUT, countOf(trains))

    def _handOn(self) -> None:
        """
        Hand on what there is room for, and look again a tick later if something is left.  When
        the session has spent its units, and its owner lends it none in this turn, go on in the
        session's next one.
        """
        allowance = self._allowance
        while self._queue and self._queue[0][0] <= self._room:
            if allowance.left <= 0 and (allowance.isSpent or allowance.owner.isExhausted):
                self._takeTurn()
                return
            size, trains = self._next()
            self._room -= size
            allowance.spend(sum(unitsOf(train.datagrams) for train in trains))
            self.deliver(trains)
        self._memory.shrink(self.waiting)
        if not self._queue:
            if self._whenEmpty is not None:
                self.close()
        elif self._tick is None:
            self._tick = self._clock.callLater(TICK_SECONDS, self._ticked)

    def _takeTurn(self) -> None:
        if not self._hasTurn:
            self._hasTurn = True
            self._allowance.later(self._turn)

    def _turn(self) -> None:
        self._hasTurn = False
        if self._queue:
            self._handOn()

    def _ticked(self) -> None:
        """
        Hand on what there is room for now.
        """
        self._tick = None
        now = self._clock.seconds()
        self._makeRoom(now, CATCHING_UP * self._cameRate * (now - self._roomAt))
        self._handOn()

    def _next(self) -> tuple[int, list[Train]]:
        """
        Take the first part out.

        @return: its size, and its trains.
        """
        size, trains = self._queue.popleft()
        if not self._queue:
            self._queue = NOTHING_WAITS
        self.waiting -= size
        self._smallParts = max(self._smallParts - 1, 0)
        return size, trains

    def finish(self, done: Callable[[], None]) -> None:
        """
        Close as soon as what waits has been handed on, or after L{MAX_FINISH_SECONDS}.

        @param done: called then, maybe at once.
        """
        self._whenEmpty = done
        if not self._queue:
            self.close()
        elif self._deadline is None:
            self._deadline = self._clock.callLater(MAX_FINISH_SECONDS, self._finishedTooLong)

    def _finishedTooLong(self) -> None:
        self._deadline = None
        self.close()

    def close(self) -> None:
        """
        Hand nothing on any more, and drop what waits.
        """
        self._closed = True
        for timer in (self._tick, self._deadline):
            if timer is not None:
                timer.cancel()
        self._tick = self._deadline = None
        if self._queue:
            self._drops.count(Drop.PACED_OUT, sum(countOf(trains) for _, trains in self._queue))
        self._queue = NOTHING_WAITS
        self.waiting = self._smallParts = 0
        self._memory.shrink(0)
        done, self._whenEmpty = self._whenEmpty, None
        if done is not None:
            done()

    def checkInvariant(self) -> None:
        """
        Check what holds between any two events.

        @raise AssertionError: when it does not hold.
        """
        assert self.waiting == sum(size for size, _ in self._queue)
        assert all(size == sizeOf(trains) for size, trains in self._queue)
        assert self._smallParts <= len(self._queue)
        if self._smallFirst:
            small = [all(hasSmallDatagrams(train) for train in trains) for _, trains in self._queue]
            assert small == [number < self._smallParts for number in range(len(self._queue))]
        else:
            assert not self._smallParts


def sizeOf(trains: Iterable[Train]) -> int:
    """
    @return: about how many bytes of a socket's buffer some trains take.
    """
    total = 0
    for segment, payload in trains:
        size = len(payload)
        total += size + (1 if size <= segment else -(-size // segment)) * DATAGRAM_BYTES
    return total


def partsOf(trains: Iterable[Train]) -> Iterator[tuple[int, list[Train]]]:
    """
    Divide trains into parts of at most L{PART_BYTES}, or of one datagram, without changing
    their order.  Each part is as full as it can be.

    @return: the size of each part, and its trains.
    """
    part: list[Train] = []
    room = PART_BYTES
    for train in trains:
        size = sizeOf((train,))
        if size <= room:
            part.append(train)
            room -= size
            continue
        rest: Train | None = train
        while rest is not None:
            fit = room // (rest.segment + DATAGRAM_BYTES)
            if part and fit < 1:
                yield PART_BYTES - room, part
                part = []
                room = PART_BYTES
                continue
            first, rest = split(rest, fit * rest.segment)
            part.append(first)
            room -= sizeOf([first])
    if part:
        yield PART_BYTES - room, part
