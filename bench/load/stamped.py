"""
Datagrams that carry the time when they were sent and a number: sent at a given
pace, recorded at the other end, or answered there and timed here.

The clock is the same at both ends: CLOCK_MONOTONIC is one for the whole machine, in
each of its network namespaces.  Between two datagrams the sender sleeps until the
next is due, counted from the beginning, so that what one wait takes too long is not
added to the next.
"""

from __future__ import annotations

import heapq
import random
import socket
import struct
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from bench.figures import disorder, percentile
from bench.load.deeds import MOST_BYTES, NOTHING, Deed, Report

STAMP = struct.Struct("!QIB")
"""Nanoseconds, number, and which stream it belongs to."""

SIZES_IN_TURN = 997
"""Sizes that are drawn before the first datagram, and then used in turn."""

LAST_ANSWERS_SECONDS = 0.5
"""So long after the last question answers still count, unless it is said otherwise."""

FOREVER = 1e9
"""A moment that does not come."""

NANOSECONDS = 1_000_000_000
MILLISECOND = 1_000_000
"""In nanoseconds, as is every time that a datagram carries."""


SHARES = {"median": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}
"""What is told of many times: so large a share of them is not above it."""


def spread(times: Sequence[int]) -> dict[str, float]:
    """
    @param times: in nanoseconds.
    @return: what is told of them, in milliseconds.
    """
    return {name: percentile(times, share) / MILLISECOND for name, share in SHARES.items()}


class Pace(Deed):
    """
    Send streams of datagrams, each at its own pace, until an end.
    """

    def __init__(
        self,
        udp: socket.socket,
        streams: Sequence[Sequence[float]],
        begin: float = 0.0,
        end: float = FOREVER,
        to: tuple[str, int] | None = None,
        first: int = 0,
    ) -> None:
        """
        @param streams: of each, the least and the most bytes of a datagram, and how
            many there are each second.
        @param begin: what is sent before, on the monotonic clock, is not counted.
        @param end: when the last is sent.
        @param to: where to; left out for a socket that is connected.
        @param first: what the first stream is called, and those after it are counted from
            there: others come from elsewhere.
        """
        super().__init__(udp)
        self._to = None if to is None else (str(to[0]), int(to[1]))
        self._first = first
        self._streams = streams
        self._begin = begin
        self._end = end
        self._sent = [0] * len(streams)
        dice = random.Random(1)  # noqa: S311 - the same sizes for all
        self._fillings = [
            [bytes(dice.randint(int(least), int(most)) - STAMP.size) for _ in range(SIZES_IN_TURN)]
            for least, most, _ in streams
        ]

    def run(self) -> None:
        """
        Send.
        """
        send: Callable[[bytes], object] = self.socket.send
        if (to := self._to) is not None:
            send = lambda datagram: self.socket.sendto(datagram, to)  # noqa: E731 - the other has no frame of its own
        pack, clock = STAMP.pack, time.monotonic_ns
        begin, end = int(self._begin * NANOSECONDS), int(self._end * NANOSECONDS)
        start = clock()
        due = [(start, stream, 0) for stream in range(len(self._streams))]
        heapq.heapify(due)
        intervals = [NANOSECONDS / rate for _, _, rate in self._streams]
        while not self.stopping:
            moment, stream, number = due[0]
            if moment >= end:
                break
            wait = moment - clock()
            if wait > 0:
                time.sleep(wait / NANOSECONDS)
            filling = self._fillings[stream][number % SIZES_IN_TURN]
            stamp = clock()
            with suppress(*NOTHING):  # lost before it was sent: that counts
                send(pack(stamp, number, self._first + stream) + filling)
            if stamp >= begin:
                self._sent[stream] += 1
            heapq.heapreplace(due, (start + int((number + 1) * intervals[stream]), stream, number + 1))

    def stop(self) -> None:
        """
        It ends by itself.
        """

    def report(self) -> Report:
        """
        @return: how many of each stream were sent, and count.
        """
        return {"sent": self._sent}


class Steady(Pace):
    """
    Send as L{Pace} does, until told to stop.
    """

    def stop(self) -> None:
        """
        Have it end soon, whatever its end was to be.
        """
        self.stopping = True


class Record(Deed):
    """
    Write down what comes.
    """

    def __init__(
        self,
        udp: socket.socket,
        streams: int,
        begin: float = 0.0,
        end: float = FOREVER,
        sizes: tuple[int, int] = (STAMP.size, MOST_BYTES),
    ) -> None:
        """
        @param streams: how many there are.
        @param begin: what was sent before, on the monotonic clock, is not counted.
        @param end: what arrives later is not counted for the rate.
        @param sizes: the least and the most bytes of a datagram; others are passed over.
        """
        super().__init__(udp)
        self._sizes = sizes
        self._begin = int(begin * NANOSECONDS)
        self._end = int(end * NANOSECONDS)
        self._came: list[tuple[array[int], array[int]]] = [(array("Q"), array("Q")) for _ in range(streams)]
        self._bytes = 0
        self._last = time.monotonic_ns()

    def run(self) -> None:
        """
        Receive.
        """
        receive, unpack, clock = self.receiving(), STAMP.unpack_from, time.monotonic_ns
        buffer = bytearray(MOST_BYTES)
        begin, end = self._begin, self._end
        least, most = self._sizes
        came = [(numbers.append, delays.append) for numbers, delays in self._came]
        while not self.stopping:
            try:
                size = receive(buffer)
            except NOTHING:
                continue
            now = clock()
            if not least <= size <= most:
                continue
            self._last = now
            if begin <= now < end:
                self._bytes += size
            stamp, number, stream = unpack(buffer)
            if stamp >= begin:
                addNumber, addDelay = came[stream]
                addNumber(number)
                addDelay(now - stamp)

    def receiving(self) -> Callable[[bytearray], int]:
        """
        @return: what receives into a buffer.
        """
        return self.socket.recv_into

    def numbers(self, stream: int = 0) -> list[int]:
        """
        @return: those of the datagrams that have come so far, in the order in which they came.
        """
        return list(self._came[stream][0])

    def report(self) -> Report:
        """
        @return: for how long nothing has come.
        """
        return {"quiet": (time.monotonic_ns() - self._last) / NANOSECONDS}

    def finish(self) -> Report:
        """
        @return: what came of each stream, with delays in milliseconds, and how many
            bytes of all streams from begin to end.
        """
        super().finish()
        return {"bytes": self._bytes, "streams": [self._story(*one) for one in self._came]}

    def _story(self, numbers: array[int], delays: array[int]) -> dict[str, float]:
        return {"received": len(set(numbers)), "late": disorder(numbers), **spread(delays)}


class Ask(Pace):
    """
    Send as L{Pace} does, and time the answers.
    """

    def __init__(self, udp: socket.socket, patience: float = LAST_ANSWERS_SECONDS, **options: Any) -> None:
        """
        @param patience: for how long to wait for the last answers, in seconds.
        @param options: of L{Pace}.
        """
        super().__init__(udp, **options)
        self._patience = patience
        self._listening = True
        self._times: dict[tuple[int, int], int] = {}
        self._last = self._gap = 0  # when the last answer came, and the longest time between two

    def run(self) -> None:
        """
        Send, with a listener beside.
        """
        listener = threading.Thread(target=self._listen, daemon=True)
        listener.start()
        super().run()
        time.sleep(self._patience)
        self._listening = False
        listener.join()

    def _listen(self) -> None:
        receive, unpack, clock = self.socket.recv_into, STAMP.unpack_from, time.monotonic_ns
        buffer = bytearray(MOST_BYTES)
        begin = int(self._begin * NANOSECONDS)
        while self._listening:
            try:
                size = receive(buffer)
            except NOTHING:
                continue
            now = clock()
            stamp, number, stream = unpack(buffer)
            if size >= STAMP.size and stamp >= begin:
                self._times.setdefault((stream, number), now - stamp)
                self._gap = max(self._gap, now - (self._last or now))
                self._last = now

    def report(self) -> Report:
        """
        @return: how many were sent and answered (a second answer is none), and the round
            trip and the longest time between two answers in milliseconds.
        """
        times = list(self._times.values())
        gap = self._gap / MILLISECOND
        return {"sent": sum(self._sent), "answered": len(times), "gap": gap, **spread(times)}
