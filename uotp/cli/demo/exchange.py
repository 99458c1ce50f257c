"""
A rehearsal as arithmetic: which datagrams go out when, and whether what comes
back is what went out.  Time is an argument; there is no socket here, no
reactor and no output.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from math import inf

from uotp.cli.demo.results import Results

LARGEST = 65507
"""Bytes in the largest UDP datagram over IPv4."""

SIZES = (0, 1, 2, 63, 64, 512, 1200, 1400, 1420, 8192, 8193, 16384, LARGEST)
"""Sizes where something is known to end: a buffer, a header, a packet."""

NUMBER_BYTES = 8
"""What a datagram's number takes; shorter datagrams travel alone."""

MAX_IN_FLIGHT = 64
"""Datagrams on their way at once: a socket's default buffer holds about 92."""

MAX_BYTES_IN_FLIGHT = 96 * 1024
"""Bytes on their way at once: half of such a buffer, whose accounting may
count each byte double."""

PATIENCE_SECONDS = 2.0
"""How long a datagram keeps its place among those on their way."""

HOPELESS_WINDOWS = 3
"""After so many windows of datagrams without an answer no more are sent."""

OPENING_COUNT = 100
"""Datagrams that are sent while the handshakes of the pool take their time."""

LOAD_SECONDS = 3.0
"""How long as many datagrams as possible are sent when no count is given."""


class Pattern:
    """
    What the bytes of each datagram are, from its number alone.
    """

    _OFFSETS = 1 << 16
    _STRIDE = 7919  # a prime, so that neighbours have nothing in common

    def __init__(self, seed: int) -> None:
        """
        @param seed: of the pseudo-random bytes; another one for each run.
        """
        self._noise = random.Random(seed).randbytes(self._OFFSETS + LARGEST)  # noqa: S311 - no secret

    def payload(self, number: int, size: int) -> bytes:
        """
        @return: the datagram of that number, which stands in its first bytes
            when there is room for it.
        """
        start = number * self._STRIDE % self._OFFSETS
        if size < NUMBER_BYTES:
            return self._noise[start : start + size]
        return number.to_bytes(NUMBER_BYTES, "big") + self._noise[start : start + size - NUMBER_BYTES]


@dataclass(frozen=True, slots=True)
class Phase:
    """
    One part of a rehearsal.

    @ivar sizes: of its datagrams, in bytes and in order; may have no end.
    @ivar window: how many may be on their way at once.
    @ivar seconds: when to stop sending, whatever is left.
    @ivar patience: how long a datagram may keep its place, in seconds.
    """

    name: str
    sizes: Iterable[int]
    window: int = 1
    seconds: float = inf
    patience: float = PATIENCE_SECONDS


def plan(chance: random.Random, size: int, count: int | None) -> tuple[Phase, ...]:
    """
    Some datagrams while the pool is dialled, every size once and alone, sizes
    mixed, then one size as fast as it goes.

    @param chance: where random sizes come from.
    @param size: of the last phase, in bytes.
    @param count: of the last phase; as many as the time allows when None.
    """
    alone = [*SIZES, *sorted(randomSize(chance, 0) for _ in range(19))]
    mixed = [randomSize(chance, NUMBER_BYTES) for _ in range(400)]
    # Without a number in them, datagrams cannot be told apart: one at a time.
    window = MAX_IN_FLIGHT if size >= NUMBER_BYTES else 1
    sizes, seconds = (repeat(size), LOAD_SECONDS) if count is None else (repeat(size, count), inf)
    return (
        Phase("opening", repeat(64, OPENING_COUNT)),
        Phase("one by one", alone),
        Phase("mixed sizes", mixed, MAX_IN_FLIGHT),
        Phase(f"{size} bytes", sizes, window, seconds),
    )


def randomSize(chance: random.Random, smallest: int) -> int:
    """
    @return: a size from C{smallest} to L{LARGEST} whose magnitude is random, so
        that small ones are as frequent as large ones.
    """
    return max(smallest, int(chance.uniform(1.0, (LARGEST + 1.0) ** (1 / 8)) ** 8) - 1)


class Exchange:
    """
    The state of one phase: what is on its way, and what has come back.
    """

    def __init__(self, phase: Phase, pattern: Pattern, firstNumber: int) -> None:
        """
        @param firstNumber: of its datagrams; no two phases may share a number.
        """
        self.phase = phase
        self._pattern = pattern
        self._sizes: Iterator[int] = iter(phase.sizes)
        self._first = self._next = firstNumber
        self._size: int | None = None  # of the next datagram, while there is no room for it
        self._onTheirWay: dict[int, tuple[int, float]] = {}
        self._overdue: dict[int, tuple[int, float]] = {}
        self._bytesOnTheirWay = 0
        self._started: float | None = None
        self._lastReturn = 0.0
        self._highest = -1
        self._damaged = self._broken = self._repeated = self._late = self._octets = 0
        self._times = array("d")
        self._exhausted = False

    @property
    def sent(self) -> int:
        """
        How many datagrams went out.
        """
        return self._next - self._first

    @property
    def returned(self) -> int:
        """
        How many came back as they had gone out.
        """
        return len(self._times)

    @property
    def finished(self) -> bool:
        """
        Whether nothing is left to send and nothing to wait for.
        """
        return self._exhausted and not self._onTheirWay

    def send(self, now: float) -> bytes | None:
        """
        @return: the datagram that is to go out now, None when its turn has not
            come or there is none.
        """
        if self._started is None:
            self._started = self._lastReturn = now
        hopeless = len(self._overdue) >= HOPELESS_WINDOWS * self.phase.window
        if hopeless or now - self._started >= self.phase.seconds:
            self._exhausted = True
        if self._size is None and not self._exhausted:
            self._size = next(self._sizes, None)
            self._exhausted = self._size is None
        if self._exhausted or self._size is None or not self._hasRoom(self._size):
            return None
        number, size = self._next, self._size
        self._next, self._size = number + 1, None
        self._onTheirWay[number] = (size, now)
        self._bytesOnTheirWay += size
        return self._pattern.payload(number, size)

    def _hasRoom(self, size: int) -> bool:
        return len(self._onTheirWay) < self.phase.window and self._bytesOnTheirWay + size <= MAX_BYTES_IN_FLIGHT

    def receive(self, answer: bytes, now: float) -> None:
        """
        Judge what came back.
        """
        number = self._numberOf(answer)
        if number is None:
            self._damaged += 1
            return
        expected = self._onTheirWay.pop(number, None)
        if expected is not None:
            self._bytesOnTheirWay -= expected[0]
        else:
            expected = self._overdue.pop(number, None)
        if expected is None:
            self._repeated += 1
            return
        size, sentAt = expected
        if answer != self._pattern.payload(number, size):
            self._damaged += 1
            self._broken += 1
            return
        self._times.append(now - sentAt)
        self._lastReturn = now
        self._octets += size
        self._late += number < self._highest
        self._highest = max(self._highest, number)

    def _numberOf(self, answer: bytes) -> int | None:
        """
        @return: the number of a datagram that we sent, None for a stranger.  A
            short one has none: it is the one that is on its way alone.
        """
        if len(answer) >= NUMBER_BYTES:
            number = int.from_bytes(answer[:NUMBER_BYTES], "big")
            return number if self._first <= number < self._next else None
        return next((number for number, (size, _) in self._onTheirWay.items() if size < NUMBER_BYTES), None)

    def expire(self, now: float) -> None:
        """
        Give up the place of what has been on its way for too long.  Should it
        come all the same before the end, it counts as returned.
        """
        for number, (size, sentAt) in list(self._onTheirWay.items()):
            if now - sentAt < self.phase.patience:
                break  # those after it went out later
            self._overdue[number] = self._onTheirWay.pop(number)
            self._bytesOnTheirWay -= size

    def tally(self) -> Results:
        """
        @return: what came of it so far.
        """
        return Results(
            sent=self.sent,
            returned=self.returned,
            lost=self.sent - self.returned - self._broken,
            damaged=self._damaged,
            repeated=self._repeated,
            late=self._late,
            times=sorted(self._times),
            seconds=self._lastReturn - (self._started or 0.0),
            octets=self._octets,
        )
