"""
What the demonstration sends and when, and whether what comes back is what went out.  Time is
an argument; there is no socket here, no reactor and no output.
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
"""The payload of the largest UDP datagram over IPv4, in bytes."""

SIZES = (0, 1, 2, 63, 64, 512, 1200, 1400, 1420, 8192, 8193, 16384, LARGEST)
"""Sizes at which something is known to end: a buffer, a header, a packet."""

NUMBER_BYTES = 8
"""A datagram's number takes so many bytes.  Shorter datagrams have none, and travel alone."""

MAX_IN_FLIGHT = 64
"""So many datagrams are on their way at once: a socket's default buffer holds about 92."""

MAX_BYTES_IN_FLIGHT = 96 * 1024
"""So many bytes are on their way at once: half of such a buffer, where each byte may count twice."""

PATIENCE_SECONDS = 2.0
"""A datagram counts for so long among those on their way."""

HOPELESS_WINDOWS = 3
"""When so many windows of datagrams had no answer, no more are sent."""

OPENING_COUNT = 100
"""So many datagrams are sent while the tunnels of the pool are being opened."""

LOAD_SECONDS = 3.0
"""When no count is given, as many datagrams as possible are sent for so long."""


class Pattern:
    """
    Makes the bytes of each datagram from its number alone.
    """

    _OFFSETS = 1 << 16
    _STRIDE = 7919  # a prime, so that neighbours have nothing in common

    def __init__(self, seed: int) -> None:
        """
        @param seed: decides the pseudo-random bytes; each run has another one.
        """
        self._noise = random.Random(seed).randbytes(self._OFFSETS + LARGEST)  # noqa: S311 - no secret

    def payload(self, number: int, size: int) -> bytes:
        """
        @return: the datagram of that number.  Its first bytes are the number, if there is
            room for it.
        """
        start = number * self._STRIDE % self._OFFSETS
        if size < NUMBER_BYTES:
            return self._noise[start : start + size]
        return number.to_bytes(NUMBER_BYTES, "big") + self._noise[start : start + size - NUMBER_BYTES]


@dataclass(frozen=True, slots=True)
class Phase:
    """
    Describes one phase of the demonstration.

    @ivar name: what the table calls it.
    @ivar sizes: the sizes of its datagrams, in bytes and in order; they may have no end.
    @ivar window: how many datagrams may be on their way at once.
    @ivar seconds: sending stops after so long, whatever is left.
    @ivar patience: how long a datagram counts as on its way, in seconds.
    """

    name: str
    sizes: Iterable[int]
    window: int = 1
    seconds: float = inf
    patience: float = PATIENCE_SECONDS


def plan(chance: random.Random, size: int, count: int | None) -> tuple[Phase, ...]:
    """
    Plan the phases: some datagrams while the pool is dialled, every size once and alone, sizes
    mixed, then one size as fast as possible.

    @param chance: makes the random sizes.
    @param size: bytes of each datagram in the last phase.
    @param count: how many datagrams the last phase has; L{None} for as many as the time
        allows.
    @return: the phases, in order.
    """
    alone = [*SIZES, *sorted(randomSize(chance, 0) for _ in range(19))]
    mixed = [randomSize(chance, NUMBER_BYTES) for _ in range(400)]
    # Datagrams without a number cannot be told apart, so only one is on its way at a time.
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
    @return: a size from C{smallest} to L{LARGEST}.  Its magnitude is random, so that small
        sizes are about as frequent as large ones.
    """
    return max(smallest, int(chance.uniform(1.0, (LARGEST + 1.0) ** (1 / 8)) ** 8) - 1)


class Exchange:
    """
    Keeps the state of one phase: what is on its way, and what has come back.
    """

    def __init__(self, phase: Phase, pattern: Pattern, firstNumber: int) -> None:
        """
        @param firstNumber: the number of its first datagram; no two phases may share a
            number.
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
        The number of datagrams that went out.
        """
        return self._next - self._first

    @property
    def returned(self) -> int:
        """
        The number of datagrams that came back unchanged.
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
        @return: the datagram that is to go out now, or L{None} when there is none, or no
            room for it yet.
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
        @return: the number of the datagram of ours that this answers, or L{None} when it is
            none.  A short answer has no number: it is the datagram that is on its way alone.
        """
        if len(answer) >= NUMBER_BYTES:
            number = int.from_bytes(answer[:NUMBER_BYTES], "big")
            return number if self._first <= number < self._next else None
        return next((number for number, (size, _) in self._onTheirWay.items() if size < NUMBER_BYTES), None)

    def expire(self, now: float) -> None:
        """
        Count datagrams that have been on their way for too long no more among those on their
        way.  If one still comes before the end, it counts as returned.
        """
        for number, (size, sentAt) in list(self._onTheirWay.items()):
            if now - sentAt < self.phase.patience:
                break  # those after it went out later
            self._overdue[number] = self._onTheirWay.pop(number)
            self._bytesOnTheirWay -= size

    def tally(self) -> Results:
        """
        @return: the results so far.
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
