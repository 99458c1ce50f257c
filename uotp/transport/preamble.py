"""
What is said on a connection before the stream itself begins: a proxy's answer, or a header
that tells of the peer.  A L{Preamble} knows what to say, and no socket.  A
L{PreambleExchange} says it on the socket, and takes no byte that stands behind: those are
for TLS, which reads the socket itself.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Protocol

from uotp.errors import PeerError


class Preamble(Protocol):
    """
    Knows the bytes that both ends say before one stream begins.
    """

    @property
    def limit(self) -> int:
        """
        The number of bytes that the other end may say at most.
        """

    def dataToSend(self) -> bytes:
        """
        @return: the bytes that are to be said now, each once.
        """

    def received(self, data: bytes) -> int | None:
        """
        Hear what the other end says, each byte once.

        @return: how many of these bytes belong to the preamble, when it is over with them;
            L{None} when all do and more must come.
        @raise PeerError: when the other end says what it may not.
        """


class Unsaid:
    """
    Keeps what a preamble has to say until it is said.
    """

    def __init__(self, said: bytes = b"") -> None:
        """
        @param said: what is said first.
        """
        self._unsaid = said

    def say(self, said: bytes) -> None:
        """
        Have this said next.
        """
        self._unsaid += said

    def dataToSend(self) -> bytes:
        """
        See L{Preamble.dataToSend}.
        """
        unsaid, self._unsaid = self._unsaid, b""
        return unsaid


class AnyExchange(Protocol):
    """
    Carries out one preamble on one connection.
    """

    @property
    def hasHeardAll(self) -> bool:
        """
        Whether the other end says no more of the preamble.
        """

    @property
    def hasSaidAll(self) -> bool:
        """
        Whether the kernel has taken what was to be said so far.
        """

    def goOn(self) -> None:
        """
        Hear what has come, and say what is to be said, as far as the kernel takes it.

        @raise EOFError: when the other end has closed.
        @raise PeerError: when it says what it may not, or too much.
        @raise OSError: when the connection is broken.
        """


class PreambleExchange:
    """
    Carries out one preamble on one socket, and reads no byte behind it.
    """

    def __init__(self, preamble: Preamble, connection: socket.socket) -> None:
        """
        @param connection: the socket, connected and not blocking.
        """
        self._preamble = preamble
        self._socket = connection
        self._left = preamble.limit
        self._unsent = preamble.dataToSend()
        self._heardAll = False

    @property
    def hasHeardAll(self) -> bool:
        """
        Whether the other end says no more of the preamble.
        """
        return self._heardAll

    @property
    def hasSaidAll(self) -> bool:
        """
        Whether the kernel has taken what was to be said so far.
        """
        return not self._unsent

    def goOn(self) -> None:
        """
        Hear what has come, and say what is to be said, as far as the kernel takes it.

        @raise EOFError: when the other end has closed.
        @raise PeerError: when it says what it may not, or too much.
        @raise OSError: when the connection is broken.
        """
        self._hear()
        with suppress(BlockingIOError):
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]

    def _hear(self) -> None:
        if self._heardAll:
            return
        try:
            data = self._socket.recv(self._left, socket.MSG_PEEK)
        except BlockingIOError:
            return
        if not data:
            raise EOFError
        own = self._preamble.received(data)
        self._heardAll = own is not None
        self._consume(len(data) if own is None else own)
        if not self._left and not self._heardAll:
            reason = f"more than {self._preamble.limit} bytes came before the stream itself"
            raise PeerError(reason)
        self._unsent += self._preamble.dataToSend()

    def _consume(self, size: int) -> None:
        """
        Take from the kernel as many bytes as were understood, and no more.
        """
        self._left -= size
        while size:
            taken = len(self._socket.recv(size))
            if not taken:
                raise EOFError
            size -= taken


# mypy proves here that it fits its seam.
_exchange: type[AnyExchange] = PreambleExchange
