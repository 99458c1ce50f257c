"""
The UDP target of all, C{python -m tests.hostile.crowd}: it does what each datagram asks for.

What begins with L{WHO_AM_I} is answered with who has sent it, what begins with L{QUESTION} with
the same, and what begins with L{FLOOD} with as much as the JSON behind it says.  All else is
taken, and not answered.  It says where it listens, and answers the order C{count}.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass

from bench.rig.ports import LOOPBACK
from tests.hostile.orders import Ear, say

WHO_AM_I = b"\0who"
YOU_ARE = b"you are "
QUESTION = b"\0ask"
FLOOD = b"\0flood"

BUFFER_BYTES = 8 * 1024 * 1024
"""So that nothing is lost here."""

SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
UDP_SEGMENT = 103
"""Numbers of Linux."""

TRAIN_BYTES = 60000
READS = 256
"""So many datagrams are read before what floods has its turn."""

LARGEST_SEGMENTS = 60


def openUdp(port: int = 0) -> socket.socket:
    """
    @return: a socket with much room on loopback, beside others at the same port; it does
        not block.
    """
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for force, plain in ((SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            one.setsockopt(socket.SOL_SOCKET, force, BUFFER_BYTES)
        except OSError:
            one.setsockopt(socket.SOL_SOCKET, plain, BUFFER_BYTES)
    one.bind((LOOPBACK, port))
    one.setblocking(False)
    return one


def floodOrder(size: int, rate: float, seconds: float, *, trains: bool = False) -> bytes:
    """
    @param size: bytes of each datagram.
    @param rate: datagrams a second; 0 for as fast as can be.
    @param trains: whether many go with one system call.
    @return: what asks for that.
    """
    return FLOOD + json.dumps({"size": size, "rate": rate, "seconds": seconds, "trains": trains}).encode()


@dataclass
class Flooded:
    """
    One to whom much is sent.

    @ivar datagram: what is sent with one call.
    @ivar ancillary: what has the kernel cut it.
    @ivar due: when the next is, on the monotonic clock.
    @ivar interval: seconds between two; 0 for as fast as can be.
    @ivar end: of it.
    """

    socket: socket.socket
    peer: tuple[str, int]
    datagram: bytes
    ancillary: list[tuple[int, int, bytes]]
    due: float
    interval: float
    end: float

    def send(self, now: float) -> None:
        """
        Send the next, unless the kernel has no room.
        """
        self.due = max(self.due + self.interval, now - 1)
        with suppress(OSError):
            self.socket.sendmsg([self.datagram], self.ancillary, 0, self.peer)


class Crowd:
    """
    Does what datagrams ask for.
    """

    def __init__(self) -> None:
        self.socket = openUdp()
        self._received = 0
        self._flooded: dict[tuple[str, int], Flooded] = {}

    def run(self) -> None:
        """
        Serve, and obey.

        @raise SystemExit: at the end of the orders.
        """
        ear = Ear()
        while True:
            now = time.monotonic()
            next_ = min((one.due for one in self._flooded.values()), default=now + 1)
            readable, _, _ = select.select([self.socket.fileno(), ear.fileno()], [], [], max(0.0, next_ - now))
            if self.socket.fileno() in readable:
                self._read()
            if ear.fileno() in readable:
                for _ in ear.orders():
                    say({"received": self._received, "flooded": len(self._flooded)})
            now = time.monotonic()
            for one in list(self._flooded.values()):
                if one.end < now:
                    del self._flooded[one.peer]
                elif one.due <= now:
                    one.send(now)

    def _read(self) -> None:
        receive, send = self.socket.recvfrom, self.socket.sendto
        with suppress(BlockingIOError):
            for _ in range(READS):
                datagram, peer = receive(65535)
                self._received += 1
                if datagram.startswith(QUESTION):
                    with suppress(OSError):
                        send(datagram, peer)
                elif datagram.startswith(FLOOD):
                    self._flood(datagram, peer)
                elif datagram.startswith(WHO_AM_I):
                    words = b"%s%s %d " % (YOU_ARE, peer[0].encode(), peer[1])
                    with suppress(OSError):
                        send(words + datagram[len(WHO_AM_I) :], peer)

    def _flood(self, datagram: bytes, peer: tuple[str, int]) -> None:
        order = json.loads(datagram[len(FLOOD) :])
        size, rate, now = order["size"], order["rate"], time.monotonic()
        segments = min(LARGEST_SEGMENTS, TRAIN_BYTES // size) if order["trains"] else 1
        cut = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", size))] if segments > 1 else []
        interval = segments / rate if rate else 0.0
        end = now + order["seconds"]
        self._flooded[peer] = Flooded(self.socket, peer, bytes(size * segments), cut, now, interval, end)


def main() -> None:
    """
    Serve until the orders end.
    """
    crowd = Crowd()
    say({"port": crowd.socket.getsockname()[1]})
    crowd.run()


if __name__ == "__main__":
    main()
