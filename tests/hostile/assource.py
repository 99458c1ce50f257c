"""
Attacks with UDP: forged sources, too many of them, too much of one, and strangers at ports
that are not for them; and the honest ones beside.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections import deque
from contextlib import suppress

from bench.figures import percentile
from bench.rig.ports import LOOPBACK, Address
from tests.hostile.crowd import QUESTION, UDP_SEGMENT, floodOrder, openUdp
from tests.hostile.door import addresses
from tests.hostile.orders import Report

STAMP = struct.Struct("!d")

PATIENCE_SECONDS = 20.0
"""An answer that has not come when nothing has come for so long is lost."""

BURST_SECONDS = 0.02
"""A flood has its pauses in so short a time."""

SEGMENTS = 40


def sourceSocket(host: str) -> socket.socket:
    """
    @return: a UDP socket at an address of loopback, that does not block.
    """
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((host, 0))
    one.setblocking(False)
    return one


ASK_AGAIN_SECONDS = 1.0
"""An honest program that has no answer asks again after so long."""


class Forged:
    """
    Datagrams from addresses that nobody reads at: who sends them never sees an answer.
    """

    def __init__(
        self, client: Address, *, sources: int, seconds: float, each: int = 1, size: int = 60, answered: bool = False
    ) -> None:
        """
        @param each: datagrams of each.
        @param answered: whether the target answers them.
        """
        self._client, self._sources, self._seconds, self._each = client, sources, seconds, each
        self._datagram = (QUESTION if answered else b"x").ljust(size, b"\0")

    def go(self) -> Report:
        """
        Send.
        """
        hosts = addresses(min(self._sources, 20000))
        began = time.monotonic()
        for number in range(self._sources):
            with suppress(OSError), sourceSocket(hosts[number % len(hosts)]) as one:
                for _ in range(self._each):
                    one.sendto(self._datagram, self._client)
            wait = began + (number + 1) * self._seconds / self._sources - time.monotonic()
            if wait > 0:
                time.sleep(wait)
        sent = self._sources * self._each
        return {"datagrams": sent, "bytes": sent * len(self._datagram), "seconds": time.monotonic() - began}

    def end(self) -> Report:
        """
        Nothing is left.
        """
        return {}


class Questions:
    """
    The honest many: each sends one question from a port of its own, and waits for its answer.
    """

    def __init__(self, client: Address, *, number: int, rate: float, asks: int = 1) -> None:
        """
        @param rate: of them, each second.
        @param asks: how often each asks until it has its answer, a second apart.
        """
        self._client, self._number, self._rate, self._asks = client, number, rate, asks

    def go(self) -> Report:
        """
        Ask, and wait.
        """
        poll = select.epoll()
        waiting: dict[int, socket.socket] = {}
        again: deque[tuple[float, int, bytes, int]] = deque()  # when to ask again, who, what, and how often yet
        answered, asked = 0, 0
        began = last = time.monotonic()
        while (asked < self._number or waiting) and time.monotonic() - last < PATIENCE_SECONDS:
            now = time.monotonic()
            while again and again[0][0] <= now:
                _, number, question, left = again.popleft()
                if number in waiting:
                    waiting[number].sendto(question, self._client)
                    last = now
                    if left > 1:
                        again.append((now + ASK_AGAIN_SECONDS, number, question, left - 1))
            while asked < self._number and began + asked / self._rate <= now:
                one = sourceSocket(LOOPBACK)
                question = QUESTION + b"%d" % asked
                one.sendto(question, self._client)
                waiting[one.fileno()] = one
                if self._asks > 1:
                    again.append((now + ASK_AGAIN_SECONDS, one.fileno(), question, self._asks - 1))
                poll.register(one, select.EPOLLIN)
                asked += 1
                last = now
            for number, _ in poll.poll(min(0.01, 1 / self._rate)):
                last = time.monotonic()
                one = waiting.pop(number)
                with suppress(OSError):
                    answered += bool(one.recv(65535))
                one.close()
        for one in waiting.values():
            one.close()
        return {"answered": answered, "of": self._number, "seconds": time.monotonic() - began}

    def end(self) -> Report:
        """
        Nothing is left.
        """
        return {}


class Lights:
    """
    Light flows of others at the same port: questions at an even pace.
    """

    def __init__(self, client: Address, *, flows: int = 10, rate: float = 20.0, seconds: float = 3.0) -> None:
        """
        Open them, and wait until each has been answered.

        @param rate: questions a second, of each.
        """
        self._client, self._rate, self._seconds = client, rate, seconds
        self._sockets = [sourceSocket(LOOPBACK) for _ in range(flows)]
        for one in self._sockets:
            for _ in range(100):
                one.sendto(QUESTION, client)
                if select.select([one], [], [], 0.2)[0]:
                    break
        time.sleep(0.5)
        for one in self._sockets:
            with suppress(OSError):
                while one.recv(65535):
                    pass

    def go(self) -> Report:
        """
        Ask.
        """
        interval = 1 / self._rate / len(self._sockets)
        number = int(self._seconds / interval)
        times: list[float] = []
        began = last = time.monotonic()
        sent = 0
        while sent < number or (len(times) < sent and time.monotonic() - last < PATIENCE_SECONDS):
            now = time.monotonic()
            wait = began + sent * interval - now if sent < number else 0.1
            if sent < number and wait <= 0:
                with suppress(OSError):
                    self._sockets[sent % len(self._sockets)].sendto(QUESTION + STAMP.pack(now), self._client)
                sent += 1
                continue
            for one in select.select(self._sockets, [], [], wait)[0]:
                with suppress(OSError):
                    datagram = one.recv(65535)
                    last = time.monotonic()
                    if len(datagram) == len(QUESTION) + STAMP.size:
                        times.append(last - STAMP.unpack(datagram[len(QUESTION) :])[0])
        return {
            "sent": sent,
            "answered": len(times),
            "median": percentile(times, 0.5) * 1000 if times else 0.0,
            "p99": percentile(times, 0.99) * 1000 if times else 0.0,
        }

    def end(self) -> Report:
        """
        Close them.
        """
        for one in self._sockets:
            one.close()
        return {}


class Heavy:
    """
    One source that sends at a rate, or as fast as it can.
    """

    def __init__(
        self,
        to: Address,
        *,
        rate: float = 0.0,
        size: int = 1400,
        seconds: float = 3.0,
        host: str = LOOPBACK,
        trains: bool = False,
        asked: bool = False,
    ) -> None:
        """
        @param rate: datagrams a second; 0 for as fast as can be.
        @param host: where it sends from.
        @param trains: whether many go with one system call.
        @param asked: whether the target is to send them back.
        """
        self._to, self._rate, self._seconds = to, rate, seconds
        self._socket = sourceSocket(host)
        self._socket.setblocking(True)
        self._segments = min(SEGMENTS, 60000 // size) if trains else 1
        self._datagram = (QUESTION if asked else b"x").ljust(size, b"\0") * self._segments
        if self._segments > 1:
            self._socket.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)

    def go(self) -> Report:
        """
        Send.
        """
        send, datagram, to, sent = self._socket.sendto, self._datagram, self._to, 0
        began = now = time.monotonic()
        while now - began < self._seconds:
            with suppress(OSError):
                send(datagram, to)
            sent += self._segments
            now = time.monotonic()
            if self._rate and (ahead := began + sent / self._rate - now) > BURST_SECONDS:
                time.sleep(ahead)
        return {"sent": sent, "seconds": now - began}

    def end(self) -> Report:
        """
        Close it.
        """
        self._socket.close()
        return {}


class Flooded:
    """
    One source whose target sends it more than can be carried.
    """

    def __init__(
        self, client: Address, *, size: int = 200, rate: float = 0.0, seconds: float = 3.0, trains: bool = False
    ) -> None:
        """
        @param rate: datagrams a second; 0 for as fast as can be.
        """
        self._client, self._seconds = client, seconds
        self._order = floodOrder(size, rate, seconds, trains=trains)
        self._socket = openUdp()

    def go(self) -> Report:
        """
        Ask for it, and take what comes.
        """
        came = 0
        self._socket.sendto(self._order, self._client)
        self._socket.settimeout(0.2)
        began = time.monotonic()
        buffer = bytearray(65535)
        while time.monotonic() - began < self._seconds:
            with suppress(OSError):
                self._socket.recv_into(buffer)
                came += 1
        return {"came": came, "seconds": time.monotonic() - began}

    def end(self) -> Report:
        """
        Close it.
        """
        self._socket.close()
        return {}
