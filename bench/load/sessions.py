"""
Many applications at once, each with a socket of its own, which exchange one word, say what
it takes to have all tunnels of a pool, and are silent from then on.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from typing import Any

from bench.load.deeds import PRIME, Deed, Report

PATIENCE_SECONDS = 1.0
"""After so long without an answer, the word is said again."""

LOOK_SECONDS = 0.05

PROOF_DATAGRAMS = 20
PROOF_BYTES = 1100
"""What a source sends at once some time after its first answer, to be worth a pool of eight, and to need it."""


class Sessions(Deed):
    """
    Open sockets at a pace, and have each exchange one datagram.
    """

    def __init__(self, udp: socket.socket, address: list[Any], count: int, rate: float) -> None:
        """
        @param udp: not used.
        @param address: where to send to.
        @param count: how many sockets.
        @param rate: how many to open each second.
        """
        super().__init__(udp)
        self._address = (str(address[0]), int(address[1]))
        self._count = count
        self._rate = rate
        self._spoken: dict[socket.socket, float] = {}
        self._answered: list[socket.socket] = []
        self._unproved: deque[tuple[float, socket.socket]] = deque()

    def run(self) -> None:
        """
        Open them, and stay until all are answered.
        """
        begin = time.monotonic()
        opened = 0
        with selectors.DefaultSelector() as selector:
            while (len(self._answered) < self._count or self._unproved) and not self.stopping:
                now = time.monotonic()
                while opened < min(self._count, (now - begin) * self._rate):
                    selector.register(self._open(), selectors.EVENT_READ)
                    opened += 1
                for key, _ in selector.select(LOOK_SECONDS):
                    selector.unregister(key.fileobj)
                    assert isinstance(key.fileobj, socket.socket)
                    self._unproved.append((now, key.fileobj))
                    self._answered.append(key.fileobj)
                    del self._spoken[key.fileobj]
                self._showThemselves()
                self._speakAgain(now)

    def _open(self) -> socket.socket:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setblocking(False)
        one.connect(self._address)
        one.send(PRIME)
        self._spoken[one] = time.monotonic()
        return one

    def _showThemselves(self) -> None:
        """
        Let those that were answered a moment ago send more.
        """
        while self._unproved and time.monotonic() - self._unproved[0][0] > LOOK_SECONDS:
            _, one = self._unproved.popleft()
            for _ in range(PROOF_DATAGRAMS):
                one.send(PRIME.ljust(PROOF_BYTES))

    def _speakAgain(self, now: float) -> None:
        for one, spoken in self._spoken.items():
            if now - spoken > PATIENCE_SECONDS:
                one.send(PRIME)
                self._spoken[one] = now

    def report(self) -> Report:
        """
        @return: how many have been answered.
        """
        return {"answered": len(self._answered)}
