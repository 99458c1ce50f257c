"""
A server that attacks its clients.  It does so behind a router that takes the first session to
an honest server, so that a bystander of the same client is served as ever.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from bench.rig.ports import LOOPBACK, Address
from bench.rig.programs import HANG_SECONDS
from tests.hostile.crowd import openUdp
from tests.hostile.door import closeAll, readExactly
from tests.hostile.orders import Report, say
from tests.hostile.streams import stream
from tests.integration.rawformat2 import HEADER, HELLO_BYTES, PING, PONG, TRAIN, RawFrame, serverHello
from tests.integration.rawpeers import frame

HELLO_SIZES = {1: 16, 2: HELLO_BYTES + 16}
"""Of a client, without extensions, by format."""

AGAIN_SECONDS = 0.05

TUNNELS_SECONDS = 5.0
"""The client has this long to open its pool; a wary one opens less."""

PROOF_DATAGRAMS, PROOF_BYTES = 20, 1400
"""What the accomplice sends at once, so that its source gets a whole pool soon."""

LAST = b"the end!"
"""What a ping behind all the rest carries."""

MARKER = b"the end of it, number "
"""How a datagram behind all the rest begins, in format 1."""


class Router:
    """
    Takes the connections of the first session to one server, and all others to another.
    """

    def __init__(self, wire: int, honest: Address, shady: Address) -> None:
        """
        @param wire: the format.
        """
        self._size = HELLO_SIZES[wire]
        self._honest, self._shady = honest, shady
        self._first = b""
        self._listening = socket.create_server((LOOPBACK, 0))
        self.address: Address = self._listening.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            threading.Thread(target=self._route, args=(connection,), daemon=True).start()

    def _route(self, connection: socket.socket) -> None:
        """
        Pass on what either end says, each way for itself: who does not read holds nobody up.
        """
        with suppress(OSError), connection:
            hello = readExactly(connection, self._size)
            self._first = self._first or hello[-16:]
            with socket.create_connection(self._honest if hello[-16:] == self._first else self._shady) as server:
                for one in (connection, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server.sendall(hello)
                back = threading.Thread(target=passOn, args=(server, connection), daemon=True)
                back.start()
                passOn(connection, server)
                back.join()


def passOn(one: socket.socket, other: socket.socket) -> None:
    """
    Pass on what one end says, until it ends; then both end.
    """
    with suppress(OSError):
        while data := one.recv(262144):
            other.sendall(data)
    for each in (one, other):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@dataclass
class Taken:
    """
    A tunnel of a client.

    @ivar sessionId: that it shows.
    @ivar isOver: when the client has closed it, or has answered our last ping.
    """

    socket: socket.socket
    sessionId: bytes = b""
    isOver: threading.Event = field(default_factory=threading.Event)


class Shady:
    """
    The server and its accomplice, a program that sends to the client.  A client that is sent
    nonsense may close the tunnel, and dial again: it is welcome.
    """

    def __init__(
        self, client: Address, *, port: int, wire: int, kind: str, tunnels: int = 8, size: int = 65536, times: int = 1
    ) -> None:
        """
        Listen, and have the accomplice send until all tunnels are there.

        @param port: where to listen.
        @param kind: see L{stream}.
        @param tunnels: how many to wait for.
        @param size: bytes for each.
        """
        self._client, self._wire, self._times = client, wire, times
        self._frames = [stream(wire, kind, size, number) for number in range(tunnels)]
        self._application = openUdp()
        self._token = b"token" + os.urandom(8)
        self._ours = b""
        self._seen: set[bytes] = set()
        self._taken: list[Taken] = []
        self._listening = socket.create_server((LOOPBACK, port))
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._receive, daemon=True).start()
        began = time.monotonic()
        isOver = lambda: time.monotonic() - began > (TUNNELS_SECONDS if self._tunnels() else HANG_SECONDS)  # noqa: E731
        while len(self._tunnels()) < tunnels and not isOver():
            for _ in range(PROOF_DATAGRAMS):
                self._application.sendto(self._token.ljust(PROOF_BYTES), client)
            time.sleep(AGAIN_SECONDS)
        assert self._tunnels(), "the client has not come"

    def _tunnels(self) -> list[Taken]:
        """
        @return: those of the accomplice's session; a client may still have others, of one before.
        """
        return [one for one in self._taken if one.sessionId and one.sessionId == self._ours]

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._taken.append(Taken(connection))
                threading.Thread(target=self._answer, args=(self._taken[-1],), daemon=True).start()

    def _receive(self) -> None:
        while True:
            select.select([self._application], [], [])
            with suppress(OSError):
                while True:
                    datagram = self._application.recv(65535)
                    if datagram.startswith(MARKER):
                        self._seen.add(datagram)

    def _answer(self, one: Taken) -> None:
        """
        Be welcoming, and answer pings, until the answer to our own ping comes.
        """
        with suppress(OSError):
            one.sessionId = readExactly(one.socket, HELLO_SIZES[self._wire])[-16:]
            hello = RawFrame(TRAIN, b"x", 0, 1).encode() if self._wire == 2 else frame(b"x")
            one.socket.sendall((serverHello() if self._wire == 2 else b"") + hello)
            while True:
                kind, payload = self._readFrame(one.socket)
                if (kind, payload) == (PONG, LAST):
                    break
                if kind == PING:
                    one.socket.sendall(RawFrame(PONG, payload).encode())
                elif self._token in payload:
                    self._ours = one.sessionId
        one.isOver.set()

    def _readFrame(self, connection: socket.socket) -> tuple[int, bytes]:
        if self._wire == 1:
            return TRAIN, readExactly(connection, int.from_bytes(readExactly(connection, 2), "big"))
        kind, _, _, size, _ = HEADER.unpack(readExactly(connection, HEADER.size))
        return kind, readExactly(connection, size)

    def go(self) -> Report:
        """
        Attack on each tunnel, until all of it has been read.
        """
        began = time.monotonic()
        threads = [threading.Thread(target=self._flood, args=numbered) for numbered in enumerate(self._tunnels())]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return {"tunnels": len(threads), "seconds": time.monotonic() - began}

    def _flood(self, number: int, one: Taken) -> None:
        marker = MARKER + b"%d" % number
        end = time.monotonic() + HANG_SECONDS
        with suppress(OSError):
            for _ in range(self._times):
                one.socket.sendall(self._frames[number % len(self._frames)])
            if self._wire == 2:
                one.socket.sendall(RawFrame(PING, LAST).encode())
                one.isOver.wait(HANG_SECONDS)
            while self._wire == 1 and marker not in self._seen and time.monotonic() < end and not one.isOver.is_set():
                one.socket.sendall(frame(marker))
                time.sleep(AGAIN_SECONDS)

    def end(self) -> Report:
        """
        Close all.
        """
        closeAll([self._listening, *(one.socket for one in self._taken), self._application])
        return {}


def main() -> None:
    """
    Route until the orders end: C{python -m tests.hostile.shady WIRE HONEST-PORT SHADY-PORT}.
    """
    wire, honest, shady = map(int, sys.argv[1:])
    router = Router(wire, (LOOPBACK, honest), (LOOPBACK, shady))
    say({"port": router.address[1]})
    sys.stdin.read()


if __name__ == "__main__":
    main()
