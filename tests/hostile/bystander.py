"""
A flow that an attack has nothing to do with, both ends of it in one process: what it sends
through a client comes out at a target of its own, is sent back, and is timed.

C{python -m tests.hostile.bystander CLIENT-HOST CLIENT-PORT TARGET-PORT RATE} stands beside
L{tests.hostile.crowd}, at the same port: a connected socket gets what is meant for it alone,
so that no crowd there takes its room.  Orders are C{mark}, from which on is counted, C{sample}
and C{finish}.  With the files of an authority and of a certificate behind those words it goes
through what ends TLS in front of a TCP port.
"""

from __future__ import annotations

import math
import select
import socket
import struct
import sys
import time
from array import array
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from bench.figures import percentile
from bench.rig.ports import LOOPBACK
from bench.rig.programs import HANG_SECONDS, until
from tests.hostile.crowd import WHO_AM_I, YOU_ARE, openUdp
from tests.hostile.orders import Ear, Report, say
from tests.integration.rawformat2 import tlsContext

STAMP = struct.Struct("!QI")
"""When it was sent, in nanoseconds, and its number."""

SIZE = 300
"""Bytes of each datagram: more than what goes before longer ones that wait."""

NANOSECONDS = 1_000_000_000
MILLISECOND = 1_000_000

INTRODUCTION_SECONDS = 0.1
"""Between two questions where the session is."""

LAST_SECONDS = 10.0
"""What has not come back when nothing has come for so long is lost."""

STAY_SECONDS = 0.5
"""So often something is sent meanwhile that is not counted: clients of tests end sessions that are idle for 3 s."""


class Ends(Protocol):
    """
    How a flow gets out and in.
    """

    def send(self, data: bytes) -> None:
        """
        Send one stamped block of L{SIZE} bytes, or lose it.
        """

    def stay(self) -> None:
        """
        Send what is no block, where a flow that stands still would be ended.
        """

    def sockets(self) -> list[socket.socket]:
        """
        @return: what is to be waited for.
        """

    def read(self, one: socket.socket) -> Iterable[bytes]:
        """
        Read what has come at one of the sockets; at the far end send it back.

        @return: what has come back.
        """


class UdpEnds:
    """
    A flow of datagrams through a client and a server.

    @ivar session: the server's socket for it, as the target sees it.
    """

    def __init__(self, client: tuple[str, int], targetPort: int) -> None:
        """
        @raise RigError: when nothing comes back in a long time.
        """
        self._application = openUdp()
        self._application.connect(client)
        self.session = self._introduce()
        self._target = openUdp(targetPort)
        self._target.connect(self.session)

    def _introduce(self) -> tuple[str, int]:
        came = bytearray()

        def asked() -> bool:
            self.send(WHO_AM_I)
            with suppress(OSError):
                came[:] = self._application.recv(65535)
            return came.startswith(YOU_ARE)

        until(asked, "the bystander's session is there", HANG_SECONDS, INTRODUCTION_SECONDS)
        host, port = came.decode().split()[2:4]
        return host, int(port)

    def send(self, data: bytes) -> None:
        """
        See L{Ends}.
        """
        with suppress(OSError):
            self._application.send(data)

    def stay(self) -> None:
        """
        See L{Ends}.
        """
        self.send(WHO_AM_I)

    def sockets(self) -> list[socket.socket]:
        """
        See L{Ends}.
        """
        return [self._application, self._target]

    def read(self, one: socket.socket) -> Iterable[bytes]:
        """
        See L{Ends}.
        """
        came = []
        with suppress(OSError):
            while True:
                data = one.recv(65535)
                if one is self._target:
                    one.send(data)
                else:
                    came.append(data)
        return came


class TlsEnds:
    """
    A flow of blocks of L{SIZE} bytes through something that ends TLS, to a TCP port of our own.
    """

    def __init__(self, server: tuple[str, int], port: int, cafile: str, certificate: str) -> None:
        """
        @param server: what ends TLS.
        @param port: where it takes the bytes to.
        @param cafile: by which it is known.
        @param certificate: a file with ours, and its key.
        """
        self._listening = socket.create_server((LOOPBACK, port), backlog=4096)
        context = tlsContext(cafile, certificate)
        self._application = context.wrap_socket(socket.create_connection(server), server_hostname=server[0])
        self._target, _ = self._listening.accept()
        for one in (self._application, self._target):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for one in self.sockets():
            one.setblocking(False)
        self._held = b""

    def send(self, data: bytes) -> None:
        """
        See L{Ends}.
        """
        with suppress(OSError):
            self._application.send(data)

    def stay(self) -> None:
        """
        See L{Ends}.  A connection may stand still.
        """

    def sockets(self) -> list[socket.socket]:
        """
        See L{Ends}.
        """
        return [self._application, self._target, self._listening]

    def read(self, one: socket.socket) -> Iterable[bytes]:
        """
        See L{Ends}.  Connections of others are closed.
        """
        with suppress(OSError):
            while True:
                if one is self._listening:
                    one.accept()[0].close()
                    continue
                data = one.recv(65536)
                if not data:
                    break
                if one is self._target:
                    one.sendall(data)
                else:
                    self._held += data
        blocks, rest = divmod(len(self._held), SIZE)
        came = [self._held[number * SIZE : (number + 1) * SIZE] for number in range(blocks)]
        self._held = self._held[len(self._held) - rest :]
        return came


class Window:
    """
    What became of what was sent since a moment.
    """

    def __init__(self, first: int, now: int) -> None:
        """
        @param first: the number of the first.
        @param now: that moment, in nanoseconds.
        """
        self._first = first
        self._last = now
        self._longest = 0
        self._times = array("Q")
        self._answered: set[int] = set()
        self.sent = 0

    def came(self, data: bytes, now: int) -> None:
        """
        Something came back.
        """
        if len(data) != SIZE:
            return
        stamp, number = STAMP.unpack_from(data)
        self._longest = max(self._longest, now - self._last)
        self._last = now
        if number >= self._first and number not in self._answered:
            self._answered.add(number)
            self._times.append(now - stamp)

    @property
    def isWhole(self) -> bool:
        """
        Whether all has come back.
        """
        return len(self._answered) == self.sent

    def quietSeconds(self, now: int) -> float:
        """
        @return: for how long nothing has come.
        """
        return (now - self._last) / NANOSECONDS

    def report(self, now: int) -> Report:
        """
        @return: numbers, and times in milliseconds; none that is not a number.
        """
        median, high = percentile(self._times, 0.5), percentile(self._times, 0.99)
        longest = self._longest if self.isWhole else max(self._longest, now - self._last)
        return {
            "sent": self.sent,
            "answered": len(self._answered),
            "lost": self.sent - len(self._answered),
            "longestGap": longest / MILLISECOND,
            "median": 0.0 if math.isnan(median) else median / MILLISECOND,
            "p99": 0.0 if math.isnan(high) else high / MILLISECOND,
        }


class Bystander:
    """
    Sends at a steady rate, and never faster to make up for time that it did not get: a slow
    machine has less to carry.
    """

    def __init__(self, ends: Ends, rate: int) -> None:
        """
        @param rate: datagrams a second.
        """
        self._ends = ends
        self._interval = NANOSECONDS // rate
        self._number = 0
        self._window = Window(0, time.monotonic_ns())
        self._sends = True

    def run(self) -> None:
        """
        Flow, and obey.

        @raise SystemExit: at the end of the orders.
        """
        ear = Ear()
        sockets = self._ends.sockets()
        due = clock = time.monotonic_ns()
        finished = stayed = 0
        while True:
            wait = max(0, due - clock) / NANOSECONDS if self._sends else INTRODUCTION_SECONDS
            readable, _, _ = select.select([*(one.fileno() for one in sockets), ear.fileno()], [], [], wait)
            for one in sockets:
                if one.fileno() in readable:
                    for data in self._ends.read(one):
                        self._window.came(data, time.monotonic_ns())
            if ear.fileno() in readable:
                finished = self._obey(ear) or finished
            clock = time.monotonic_ns()
            if self._sends and clock >= due:
                self._send(clock)
                due = max(due + self._interval, clock)
            elif finished and clock - stayed >= STAY_SECONDS * NANOSECONDS:
                self._ends.stay()
                stayed = clock
            if finished and (self._window.isWhole or self._window.quietSeconds(clock) > LAST_SECONDS):
                say(self._window.report(finished))
                finished = 0
                self._sends, due = True, clock

    def _send(self, now: int) -> None:
        self._ends.send(STAMP.pack(now, self._number) + bytes(SIZE - STAMP.size))
        self._number += 1
        self._window.sent += 1

    def _obey(self, ear: Ear) -> int:
        """
        @return: when to finish was ordered, if it was.
        """
        for order in ear.orders():
            now = time.monotonic_ns()
            if order == "finish":
                self._sends = False
                return now
            if order == "mark":
                self._window = Window(self._number, now)
            say(self._window.report(now))
        return 0


def main() -> None:
    """
    Flow until the orders end.
    """
    host, port, targetPort, rate, *tls = sys.argv[1:]
    server = (host, int(port))
    if tls:
        ends: Ends = TlsEnds(server, int(targetPort), *tls)
        say({})
    else:
        flow = UdpEnds(server, int(targetPort))
        say({"session": flow.session})
        ends = flow
    Bystander(ends, int(rate)).run()


if __name__ == "__main__":
    main()
