"""
A web server that attacks its clients, or a balancer that leads each connection to another server.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count, repeat

from bench.rig.ports import LOOPBACK, Address
from tests.hostile.door import closeAll, readExactly
from tests.hostile.messages import BINARY, CLOSE, CONTINUATION, PING, frame
from tests.integration.rawformat2 import HEADER, PONG, TRAIN, RawFrame, extension, serverHello
from tests.integration.rawformat2 import PING as PING_FRAME

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

HEAD_END = b"\r\n\r\n"

BEGUN = b"HTTP/1.1 101 Switching Protocols\r\n"

ENOUGH_BYTES = 65536
"""What is sent at one go."""

INSTANCE, INSTANCE_BYTES = 5, 8
"""The extension of a server's hello that names its start, and how long that is."""


def _switching(accept: bytes) -> bytes:
    """
    @return: the head of an answer that goes on with WebSocket.
    """
    fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept
    return BEGUN + fields + HEAD_END


def _after(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


Attack = Callable[[bytes], Iterator[bytes]]
"""What is said to a request, given what accepts it."""

ATTACKS: dict[str, Attack] = {
    "a head without end": lambda _: _after(BEGUN, repeat(b"X: " + b"a" * 60 + b"\r\n")),
    "a head of short lines": lambda _: _after(BEGUN, repeat(b"a:\r\n")),
    "news without end": lambda _: repeat(b"HTTP/1.1 102 Processing\r\n\r\n"),
    "pings before the hello": lambda accept: _after(_switching(accept), repeat(frame(PING, b"", None))),
    "long pings before the hello": lambda accept: _after(_switching(accept), repeat(frame(PING, bytes(125), None))),
    "fragments of nothing": lambda accept: _after(
        _switching(accept) + frame(BINARY, b"", None, isFinal=False),
        repeat(frame(CONTINUATION, b"", None, isFinal=False)),
    ),
    "fragments of one byte": lambda accept: _after(
        _switching(accept) + frame(BINARY, b"u", None, isFinal=False),
        repeat(frame(CONTINUATION, b"x", None, isFinal=False)),
    ),
    "messages under masks": lambda accept: _after(_switching(accept), repeat(frame(BINARY, bytes(1000), b"abcd"))),
    "a goodbye and more": lambda accept: _after(_switching(accept) + frame(CLOSE, b"", None), repeat(bytes(1000))),
}
"""By name: what never ends."""


class ShadyWeb:
    """
    Answers each connection in the same way.

    @ivar address: where it listens.
    @ivar dials: how many connections there were.
    """

    def __init__(self, attack: Attack | None) -> None:
        """
        @param attack: what is said to each request; L{None} for an honest welcome by another server each time.
        """
        self._attack = attack
        self._numbers = count()
        self.dials = 0
        self._taken: list[socket.socket] = []
        self._listening = socket.create_server((LOOPBACK, 0), backlog=256)
        self.address: Address = self._listening.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """
        End all.
        """
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        closeAll([self._listening, *self._taken])

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.dials += 1
                self._taken.append(connection)
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection:
            head = b""
            while not head.endswith(HEAD_END):
                head += readExactly(connection, 1)
            key = head.lower().index(b"sec-websocket-key:") + len(b"sec-websocket-key:")
            shown = head[key : head.index(b"\r\n", key)].strip()
            accept = base64.b64encode(hashlib.sha1(shown + GUID, usedforsecurity=False).digest())
            if self._attack is None:
                self._welcome(connection, accept)
                return
            said = b""
            for piece in self._attack(accept):
                said += piece
                if len(said) >= ENOUGH_BYTES:
                    connection.sendall(said)
                    said = b""

    def _welcome(self, connection: socket.socket, accept: bytes) -> None:
        """
        Be another server than the one before, and answer each datagram, and pings.
        """
        connection.sendall(_switching(accept))
        readMessage(connection)
        welcome = serverHello(extensions=extension(INSTANCE, os.urandom(INSTANCE_BYTES)))
        connection.sendall(frame(BINARY, welcome, None))
        while True:
            message = readMessage(connection)
            if len(message) < HEADER.size:  # a goodbye
                return
            while message:
                kind, _, segment, size, _ = HEADER.unpack_from(message)
                payload, message = message[HEADER.size : HEADER.size + size], message[HEADER.size + size :]
                answer = b""
                if kind == PING_FRAME:
                    answer = RawFrame(PONG, payload).encode()
                elif kind == TRAIN:
                    answer = RawFrame(TRAIN, payload, next(self._numbers), segment).encode()
                if answer:
                    connection.sendall(frame(BINARY, answer, None))


def readMessage(connection: socket.socket) -> bytes:
    """
    @return: the next message of a client of ours, whose mask is zero; whole frames of format 2 are in it.
    """
    _, size = readExactly(connection, 2)
    size &= 127
    if size > 125:
        (size,) = struct.unpack(">H", readExactly(connection, 2))
    return readExactly(connection, 4 + size)[4:]
