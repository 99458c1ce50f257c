"""
Attacks by who has been let in by the secret path, within WebSocket.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
import time
from contextlib import suppress

from bench.rig.ports import LOOPBACK
from tests.hostile.door import Door, newIdOf, readExactly
from tests.hostile.messages import BINARY, CLOSE, frame, messages
from tests.hostile.ontunnels import Flood
from tests.hostile.orders import Report
from tests.integration.rawformat2 import HELLO_BYTES, WELCOME

HEAD_END = b"\r\n\r\n"

TWO_BYTES = 126
"""What the second byte of a frame says where the length stands in the next two."""


def ask(connection: socket.socket, path: str) -> None:
    """
    Ask for the path.

    @raise AssertionError: when it is not there.
    """
    key = base64.b64encode(os.urandom(16)).decode("ascii")
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: a",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
    )
    connection.sendall("\r\n".join(lines).encode("ascii") + HEAD_END)
    head = b""
    while not head.endswith(HEAD_END):
        head += readExactly(connection, 1)
    assert head.startswith(b"HTTP/1.1 101 "), head[:40]


def readMessage(connection: socket.socket) -> bytes:
    """
    @return: the next short message of a server.
    """
    size = readExactly(connection, 2)[1]
    return readExactly(connection, int.from_bytes(readExactly(connection, 2), "big") if size == TWO_BYTES else size)


def enterByPath(
    door: Door, path: str, sessionId: bytes, source: str = LOOPBACK, context: ssl.SSLContext | None = None
) -> socket.socket:
    """
    @return: a tunnel of a session, in format 2, that is welcome.
    @raise AssertionError: when it is refused.
    """
    connection = door.shakeHands(door.connect(source), context)
    ask(connection, path)
    connection.sendall(frame(BINARY, door.hello(sessionId)))
    assert readMessage(connection)[HELLO_BYTES - 3] == WELCOME, "refused"
    return connection


class Messages(Flood):
    """
    Frames of WebSocket that cost more to read than to send, over some tunnels of one session, until all has been read.
    """

    def __init__(
        self, door: Door, source: str, *, path: str, kind: str, tunnels: int = 8, size: int = 65536, times: int = 1
    ) -> None:
        """
        Open the tunnels, and make what is to be said.

        @param kind: see L{messages}.
        """
        self._path = path
        super().__init__(door, source, kind=kind, tunnels=tunnels, size=size, times=times)

    def _enter(self, sessionId: bytes, source: str, context: ssl.SSLContext | None) -> socket.socket:
        return enterByPath(self._door, self._path, sessionId, source, context)

    def _made(self, kind: str, size: int, number: int) -> bytes:
        return messages(kind, size, number)

    def _last(self, number: int) -> bytes:
        return frame(BINARY, super()._last(number))


class Closes:
    """
    One session whose tunnels come by the path, say goodbye at once, and come again.
    """

    def __init__(self, door: Door, source: str, *, path: str, times: int = 100) -> None:
        """
        @param times: how often.
        """
        self._door, self._source, self._path, self._times = door, source, path, times

    def go(self) -> Report:
        """
        Come and go.
        """
        began = time.monotonic()
        sessionId, context = newIdOf(self._door.wire), self._door.context()
        welcome = 0
        for number in range(self._times):
            with suppress(OSError, AssertionError):
                tunnel = enterByPath(self._door, self._path, sessionId, self._source, context)
                welcome += 1
                goodbye = frame(CLOSE, (1000 + number % 3).to_bytes(2, "big") if number % 4 else b"")
                with tunnel, suppress(OSError):
                    tunnel.sendall(goodbye * (1 + number % 3))
                    while number % 2 and tunnel.recv(4096):
                        pass
        return {"seconds": time.monotonic() - began, "welcome": welcome}

    def end(self) -> Report:
        """
        Nothing is left.
        """
        return {}
