"""
As much of the wire format 2 as a load has to speak: see C{docs/wire.rst}.  Nothing of our package is
used.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator

ALPN = "uotp/2"
OPENING = struct.Struct(">4sBBH")
"""What both hellos begin with: a word, the format, the answer, and the size of the extensions."""

MAGIC, FORMAT, WELCOME = b"uotp", 2, 0

HEADER = struct.Struct(">BBHHI")
"""Kind, flags, size of each datagram, size of all, and the number of the first."""

TRAIN, PING, PONG = range(3)

ENTER_SECONDS = 30.0


def readExactly(connection: socket.socket, count: int) -> bytes:
    """
    @return: the next bytes.
    @raise ConnectionError: when there are fewer.
    """
    held = b""
    while len(held) < count:
        more = connection.recv(count - len(held))
        if not more:
            reason = f"closed after {len(held)} of {count} bytes"
            raise ConnectionError(reason)
        held += more
    return held


class Tunnel:
    """
    A tunnel that was welcomed.

    @ivar socket: it does not block.
    """

    def __init__(self, connection: ssl.SSLSocket) -> None:
        """
        @param connection: behind both hellos.
        """
        self.socket = connection
        connection.setblocking(False)
        self._held = b""
        self._unsent = b""  # a record of OpenSSL's that has to be said again as it is
        self._number = 0

    def say(self, kind: int, payload: bytes) -> None:
        """
        Send a frame.

        @raise ssl.SSLError: when there is no room for it: one of L{bench.load.tunnels.NOT_NOW}.
        """
        if self._unsent:
            self.socket.send(self._unsent)
            self._unsent = b""
        number, segment = (self._number, len(payload)) if kind == TRAIN else (0, 0)
        frame = HEADER.pack(kind, 0, segment, len(payload), number) + payload
        self._number = (number + 1) & 0xFFFFFFFF if kind == TRAIN else self._number
        try:
            self.socket.send(frame)
        except ssl.SSLWantWriteError:
            self._unsent = frame

    def frames(self, most: int) -> Iterator[tuple[int, int, bytes]]:
        """
        Read what has come.

        @param most: bytes to read at a time.
        @return: of each frame the kind, the size of each datagram, and the payload.
        @raise ConnectionError: when the other end has closed it.
        """
        more = self.socket.recv(most)
        if not more:
            reason = "the server has closed a tunnel"
            raise ConnectionError(reason)
        held = self._held + more if self._held else more
        at, end = 0, len(held)
        while end - at >= HEADER.size:
            kind, _, segment, size, _ = HEADER.unpack_from(held, at)
            if end - at < HEADER.size + size:
                break
            at += HEADER.size + size
            yield kind, segment, held[at - size : at]
        self._held = held[at:]


def enter(server: tuple[str, int], host: str, sessionId: bytes, context: ssl.SSLContext) -> Tunnel:
    """
    @param host: the address to come from.
    @return: a tunnel of a session, welcome.
    @raise OSError: when it is not.
    """
    connection = socket.create_connection(server, ENTER_SECONDS, (host, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    secured = context.wrap_socket(connection, server_hostname=server[0])
    secured.sendall(OPENING.pack(MAGIC, FORMAT, 0, 0) + sessionId)
    _, _, answer, size = OPENING.unpack(readExactly(secured, OPENING.size))
    readExactly(secured, size)
    if answer != WELCOME:
        reason = f"{host} is refused"
        raise ConnectionError(reason)
    return Tunnel(secured)
