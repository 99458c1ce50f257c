"""
Reads the first packet of TLS, the ClientHello, as whoever watches a network does.
"""

from __future__ import annotations

from dataclasses import dataclass

HANDSHAKE_RECORD, CLIENT_HELLO = 22, 1
SERVER_NAME, SUPPORTED_GROUPS, SIGNATURE_ALGORITHMS, PROTOCOLS = 0, 10, 13, 16
PADDING, SESSION_TICKET, PRE_SHARED_KEY, SUPPORTED_VERSIONS, PSK_MODES, KEY_SHARE = 21, 35, 41, 43, 45, 51
"""Numbers of extensions, by IANA."""


class Reader:
    """
    Takes numbers and pieces off the front of some bytes.
    """

    def __init__(self, data: bytes) -> None:
        self.left = data

    def take(self, size: int) -> bytes:
        """
        @return: the next bytes.
        """
        taken, self.left = self.left[:size], self.left[size:]
        assert len(taken) == size, (len(taken), size)
        return taken

    def number(self, size: int) -> int:
        """
        @return: the next bytes as a number.
        """
        return int.from_bytes(self.take(size), "big")

    def piece(self, size: int) -> bytes:
        """
        @return: the bytes behind a length of so many bytes.
        """
        return self.take(self.number(size))


@dataclass(frozen=True)
class SeenHello:
    """
    Holds what a ClientHello shows.

    @ivar version: the version that it has for old servers.
    @ivar sessionIdBytes: how long its session id is.
    @ivar ciphers: the numbers of its ciphers, in order.
    @ivar extensions: each extension and what is in it, in order.
    """

    version: int
    sessionIdBytes: int
    ciphers: tuple[int, ...]
    extensions: tuple[tuple[int, bytes], ...]

    @property
    def types(self) -> tuple[int, ...]:
        """
        The numbers of the extensions, in order.
        """
        return tuple(kind for kind, _ in self.extensions)

    def extension(self, kind: int) -> bytes:
        """
        @return: what is in an extension.
        """
        return dict(self.extensions)[kind]

    def numbersIn(self, kind: int) -> tuple[int, ...]:
        """
        @return: the numbers of two bytes in an extension that is a list of them.
        """
        listed = Reader(self.extension(kind)).piece(2)
        return tuple(int.from_bytes(listed[at : at + 2], "big") for at in range(0, len(listed), 2))


def seenHello(data: bytes) -> SeenHello:
    """
    @param data: the first bytes of a client's connection.
    @return: what they show.
    """
    message = b""
    records = Reader(data)
    while records.left and (len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big")):
        assert records.number(1) == HANDSHAKE_RECORD
        records.take(2)
        message += records.piece(2)
    reader = Reader(message)
    assert reader.number(1) == CLIENT_HELLO
    hello = Reader(reader.piece(3))
    version = hello.number(2)
    hello.take(32)
    sessionId, ciphers = hello.piece(1), Reader(hello.piece(2))
    assert hello.piece(1) == b"\0"  # no compression
    numbers = []
    while ciphers.left:
        numbers.append(ciphers.number(2))
    listed = Reader(hello.piece(2))
    extensions = []
    while listed.left:
        extensions.append((listed.number(2), listed.piece(2)))
    return SeenHello(version, len(sessionId), tuple(numbers), tuple(extensions))
