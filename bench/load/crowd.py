"""
Many applications at once, each with a socket of its own and little to say: questions at
an even pace, one application after the other, whose answers are timed.

Two threads do it for all of them: one sleeps until the next question is due, the other
until an answer comes.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from bench.load.deeds import LOOK_MILLISECONDS, MOST_BYTES, NOTHING, Deed, Report
from bench.load.stamped import FOREVER, LAST_ANSWERS_SECONDS, NANOSECONDS, STAMP, spread


class Crowd(Deed):
    """
    Ask from many sockets, until told to stop.
    """

    def __init__(
        self, udp: socket.socket, address: list[Any], count: int, rate: float, size: int, opened: float
    ) -> None:
        """
        @param udp: not used.
        @param address: where to send to.
        @param count: how many applications.
        @param rate: questions of each in a second.
        @param size: of a question, in bytes.
        @param opened: how many applications begin each second.
        """
        super().__init__(udp)
        self._rate = rate
        self._opened = opened
        self._filling = bytes(size - STAMP.size)
        self._ports = [_openPort((str(address[0]), int(address[1]))) for _ in range(count)]
        self._heard: set[int] = set()
        self._listening = True
        self._begin = self._end = int(FOREVER * NANOSECONDS)
        self._counted: dict[int, int] = {}  # when questions that count were sent, by number; each is here before
        self._times: dict[int, int] = {}

    def countBetween(self, begin: float, end: float) -> None:
        """
        Count the questions that are sent between two moments on the monotonic clock.
        """
        self._end = int(end * NANOSECONDS)
        self._begin = int(begin * NANOSECONDS)

    def run(self) -> None:
        """
        Ask, with a listener beside.
        """
        listener = threading.Thread(target=self._listen, daemon=True)
        listener.start()
        self._askInTurn()
        time.sleep(LAST_ANSWERS_SECONDS)
        self._listening = False
        listener.join()
        for port in self._ports:
            port.close()

    def _askInTurn(self) -> None:
        sends, count = [port.send for port in self._ports], len(self._ports)
        pack, clock, filling = STAMP.pack, time.monotonic_ns, self._filling
        interval = NANOSECONDS / (count * self._rate)
        start = clock()
        number = 0
        while not self.stopping:
            wait = start + int(number * interval) - clock()
            if wait > 0:
                time.sleep(wait / NANOSECONDS)
            stamp, one = clock(), number % count
            if one <= (stamp - start) / NANOSECONDS * self._opened:
                if self._begin <= stamp < self._end:
                    self._counted[number] = stamp
                with suppress(*NOTHING):  # lost before it was sent: that counts
                    sends[one](pack(stamp, number, 0) + filling)
            number += 1

    def _listen(self) -> None:
        receives = {port.fileno(): port.recv_into for port in self._ports}
        unpack, clock = STAMP.unpack_from, time.monotonic_ns
        buffer = bytearray(MOST_BYTES)
        with select.epoll() as epoll:
            for descriptor in receives:
                epoll.register(descriptor, select.EPOLLIN)
            while self._listening:
                for descriptor, _ in epoll.poll(LOOK_MILLISECONDS / 1000):
                    try:
                        size = receives[descriptor](buffer)
                    except NOTHING:
                        continue
                    now = clock()
                    self._heard.add(descriptor)
                    stamp, number, _ = unpack(buffer)
                    if size >= STAMP.size and number in self._counted:
                        self._times.setdefault(number, now - stamp)

    def report(self) -> Report:
        """
        @return: how many applications were ever answered; how many questions that count
            were sent and answered, and the round trip in milliseconds.
        """
        times = list(self._times.values())
        return {"heard": len(self._heard), "sent": len(self._counted), "answered": len(times), **spread(times)}


class Watched(Crowd):
    """
    A crowd that tells what became of each question.
    """

    def finish(self) -> Report:
        """
        @return: for each application when it has asked, in nanoseconds on the monotonic clock, and how
            long the answer took; -1 for none.
        """
        report = super().finish()
        flows: list[list[tuple[int, int]]] = [[] for _ in self._ports]
        for number, stamp in self._counted.items():
            flows[number % len(flows)].append((stamp, self._times.get(number, -1)))
        return {**report, "flows": flows}


def _openPort(address: tuple[str, int]) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setblocking(False)
    one.connect(address)
    return one
