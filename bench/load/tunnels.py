"""
Many light sources as a server sees them, without a client: each is a session of its own with one
tunnel of format 2 over TLS, from an address of its own, and asks a lone datagram now and then.

One thread does it for all of them, with as little as there is between it and OpenSSL.  So it costs
a fraction of what a server does, and a server is what it measures.  It never asks faster to make up
for time that it did not get: what it has asked is told beside what it should have.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
import uuid
from contextlib import suppress
from itertools import count as numbersFrom
from typing import Any

from bench.load.deeds import Deed, Report
from bench.load.stamped import FOREVER, NANOSECONDS, STAMP, spread
from bench.load.wire import ALPN, PING, PONG, TRAIN, Tunnel, enter

TICK_SECONDS = 0.001
"""So long it sleeps at most while it asks: what is due by then goes out together."""

MOST_BEHIND = NANOSECONDS // 20
"""What was due longer ago is not asked any more."""

MOST_BYTES = 65536

NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def addressesOf(count: int) -> list[str]:
    """
    @return: so many addresses of loopback, none of which is 127.0.0.1.
    """
    return [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]


class Tunnels(Deed):
    """
    Ask through many tunnels, as often as it is told, until told to stop.
    """

    def __init__(
        self, udp: socket.socket, address: list[Any], cafile: str, count: int, size: int, *, evenly: bool = False
    ) -> None:
        """
        @param udp: not used.
        @param address: of the server.
        @param cafile: by which it is known.
        @param count: how many sources.
        @param size: of a question, in bytes.
        @param evenly: whether each goes when it is due, and not with all that are due by then.
        """
        super().__init__(udp)
        self._server = (str(address[0]), int(address[1]))
        self._context = ssl.create_default_context(cafile=cafile)
        self._context.set_alpn_protocols([ALPN])
        self._hosts = addressesOf(count)
        self._evenly = evenly
        self._filling = bytes(size - STAMP.size)
        self._tunnels: list[Tunnel] = []
        self._interval = 0.0  # nanoseconds between two questions; 0 for none
        self._begin = self._end = int(FOREVER * NANOSECONDS)
        self._sent = 0
        self._times: list[int] = []
        self._last = time.monotonic_ns()

    def offer(self, rate: float) -> None:
        """
        Ask so often from now on.
        """
        self._interval = NANOSECONDS / rate if rate else 0.0

    def countBetween(self, begin: float, end: float) -> None:
        """
        Count what is asked between two moments on the monotonic clock, and nothing of before.
        """
        self._sent, self._times = 0, []
        self._end = int(end * NANOSECONDS)
        self._begin = int(begin * NANOSECONDS)

    def run(self) -> None:
        """
        Come in with all, and ask.
        """
        with select.epoll() as epoll:
            for host in self._hosts:
                self._tunnels.append(self._enter(host, epoll))
            self._askAndListen(epoll)
        for one in self._tunnels:
            one.socket.close()

    def _enter(self, host: str, epoll: select.epoll) -> Tunnel:
        made = enter(self._server, host, uuid.uuid4().bytes, self._context)
        epoll.register(made.socket, select.EPOLLIN)
        return made

    def _askAndListen(self, epoll: select.epoll) -> None:
        numbers = {one.socket.fileno(): number for number, one in enumerate(self._tunnels)}
        clock, poll, turns = time.monotonic_ns, epoll.poll, numbersFrom()
        due = float(clock())
        while not self.stopping:
            interval, now = self._interval, clock()
            if not interval or due < now - MOST_BEHIND:
                due = float(now)
            while interval and due <= now:
                self._ask(next(turns))
                due += interval
                now = clock()
            wait = TICK_SECONDS if interval else 10 * TICK_SECONDS
            if self._evenly and (left := (due - clock()) / NANOSECONDS) < wait:
                time.sleep(max(0.0, left))  # epoll counts in milliseconds
                wait = 0.0
            for descriptor, _ in poll(wait):
                number = numbers[descriptor]
                try:
                    self._read(self._tunnels[number])
                except NOT_NOW:
                    continue
                except OSError:  # given up by a server that had too much to do
                    self._tunnels[number].socket.close()
                    del numbers[descriptor]
                    self._tunnels[number] = self._enter(self._hosts[number], epoll)
                    numbers[self._tunnels[number].socket.fileno()] = number

    def _ask(self, turn: int) -> None:
        one = self._tunnels[turn % len(self._tunnels)]
        stamp = time.monotonic_ns()
        if self._begin <= stamp < self._end:
            self._sent += 1
        with suppress(OSError):  # its socket is full, or closed, which is read soon: lost, and that counts
            one.say(TRAIN, STAMP.pack(stamp, turn & 0xFFFFFFFF, 0) + self._filling)

    def _read(self, one: Tunnel) -> None:
        """
        @raise ConnectionError: when the server has closed it.
        """
        for kind, segment, payload in one.frames(MOST_BYTES):
            if kind == PING:
                one.say(PONG, payload)
            elif kind == TRAIN:
                now = self._last = time.monotonic_ns()
                for start in range(0, len(payload), segment):
                    stamp, _, _ = STAMP.unpack_from(payload, start)
                    if self._begin <= stamp < self._end:
                        self._times.append(now - stamp)

    def report(self) -> Report:
        """
        @return: how many sources are in; how many questions that count were asked and answered, the round
            trip in milliseconds, for how long no answer has come.
        """
        times = list(self._times)
        return {
            "ready": len(self._tunnels),
            "sent": self._sent,
            "answered": len(times),
            **spread(times),
            "quiet": (time.monotonic_ns() - self._last) / NANOSECONDS,
        }
