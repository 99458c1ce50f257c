"""
TLS to a server within the TLS of a proxy.  The outer connection works on the socket, the inner one on memory, and
together they behave as one of OpenSSL's on a socket does.  So a stream has nothing to know of it but this: of what
the kernel has handed over nothing is left in memory that could be read, and an end that was met behind data is told.

How much waits in memory is bounded: one record for the kernel, and what one record of the proxy's has brought.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from OpenSSL import SSL

from uotp.boundaries import Chain
from uotp.errors import Refusal
from uotp.transport.tls import RECORD_BYTES, TlsConnection

GATHERED_BYTES = 64 * 1024
"""So much is taken at once of what the inner connection has to send.  It is one record, or a part of a handshake."""

MOST_HANDSHAKE_BYTES = 48 * 1024
"""So much may come until the inner handshake is done, as on a socket (L{uotp.tls})."""

LEAST_BYTES = 256
"""A shorter record counts as so much, since each takes its time."""

MOST_PULLS = 4
"""
So many records of the outer connection one read brings at the most, where none has the end of an inner one.  The
reactor tells of those that the kernel still has.
"""

TOO_MUCH_INSIDE = "handshake too long"
"""What the error says where more comes; L{uotp.tls} has words for it."""


class NestedTls:
    """
    Is a connection of TLS within another one.

    @ivar hasEnd: whether an end was met behind the data of the last read.
    """

    def __init__(self, inner: Any, outer: Any) -> None:
        """
        @param inner: OpenSSL's connection in memory, new.
        @param outer: that on the socket, with which the handshake is done.
        """
        self._inner: Any = inner
        self._outer: Any = outer
        self._unsent = b""
        self._taken = 0  # of data whose record could not be sent whole, and which the caller gives again
        self._allowed = MOST_HANDSHAKE_BYTES
        self.hasEnd = False

    def set_accept_state(self) -> None:
        """
        Refuse: only a client has a proxy.

        @raise AssertionError: always.
        """
        raise AssertionError

    def set_connect_state(self) -> None:
        """
        Take the client's part.
        """
        self._inner.set_connect_state()

    def do_handshake(self) -> None:
        """
        Go on with the inner handshake.

        @raise SSL.Error: as one on a socket.
        """
        self._flush()
        while True:
            try:
                self._inner.do_handshake()
            except SSL.WantReadError:
                self._gather()
                self._flush()
            except SSL.Error:
                self._gather()
                with suppress(SSL.Error):
                    self._flush()  # an alert
                raise
            else:
                self._gather()
                with suppress(SSL.WantWriteError):
                    self._flush()  # or with what is sent next, which is soon
                return
            self._allowed -= max(self._pull(), LEAST_BYTES)
            if self._allowed < 0:
                raise SSL.Error([("uotp", "", TOO_MUCH_INSIDE)])

    def recv(self, bufsiz: int, /) -> bytes:
        """
        Read all that one record of the outer connection brings.

        @return: at least one byte; it may be more than what is asked for.
        @raise SSL.Error: as one on a socket.
        """
        self._flush()
        parts: list[bytes] = []
        pulls = 0
        while True:
            try:
                parts.append(self._inner.recv(RECORD_BYTES))
            except SSL.WantReadError:
                self._answer(parts)
                if parts:
                    break
                if pulls == MOST_PULLS:
                    raise
                pulls += 1
                self._pull()
            except SSL.Error:
                if not parts:
                    raise
                self.hasEnd = True
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _answer(self, parts: list[bytes]) -> None:
        """
        Send what TLS has to answer.  While there is data to hand on, it may wait for the next read or write.
        """
        self._gather()
        try:
            self._flush()
        except SSL.WantWriteError:
            if not parts:
                raise
            self.hasEnd = True  # the next read comes at once, and waits for room

    def _pull(self) -> int:
        """
        Read one record of the outer connection.

        @return: how many bytes it has brought.
        """
        try:
            came = self._outer.recv(RECORD_BYTES)
        except SSL.ZeroReturnError:
            raise SSL.SysCallError(-1, "Unexpected EOF") from None
        self._inner.bio_write(came)
        return len(came)

    def send(self, buf: Any, /) -> int:
        """
        Write one record.  When it cannot be sent whole this raises, and the caller has to give the same data again.

        @raise SSL.Error: as one on a socket.
        """
        if self._unsent or self._taken:
            self._flush()
            taken, self._taken = self._taken, 0
            if taken:
                return taken
        size: int = self._inner.send(buf)
        self._gather()
        try:
            self._flush()
        except SSL.Error:
            self._taken = size
            raise
        return size

    def _gather(self) -> None:
        with suppress(SSL.WantReadError):
            self._unsent += self._inner.bio_read(GATHERED_BYTES)

    def _flush(self) -> None:
        while self._unsent:
            sent = self._outer.send(self._unsent[:RECORD_BYTES])
            self._unsent = self._unsent[sent:]

    def shutdown(self) -> bool:
        """
        Say goodbye to the server, and then to the proxy.
        """
        done: bool = self._inner.shutdown()
        self._gather()
        self._flush()
        self._outer.shutdown()
        return done

    # What there is to tell is what the inner connection has found out.

    def get_alpn_proto_negotiated(self) -> bytes:
        """
        See L{TlsConnection}, as for what follows.
        """
        name: bytes = self._inner.get_alpn_proto_negotiated()
        return name

    def peerPin(self) -> bytes | None:
        """
        Of the server.
        """
        pin: bytes | None = self._inner.peerPin()
        return pin

    def get_protocol_version_name(self) -> str:
        """
        Of the inner TLS.
        """
        name: str = self._inner.get_protocol_version_name()
        return name

    def get_cipher_name(self) -> str | None:
        """
        Of the inner TLS.
        """
        name: str | None = self._inner.get_cipher_name()
        return name

    def peerName(self) -> str | None:
        """
        Of the server.
        """
        name: str | None = self._inner.peerName()
        return name

    def peerChain(self) -> Chain:
        """
        Of the server.
        """
        chain: Chain = self._inner.peerChain()
        return chain

    def refusalWords(self, error: BaseException | None, /) -> str | None:
        """
        Between us and the server.
        """
        words: str | None = self._inner.refusalWords(error)
        return words

    def refusalKind(self, error: BaseException | None, /) -> Refusal | None:
        """
        Between us and the server.
        """
        kind: Refusal | None = self._inner.refusalKind(error)
        return kind


# mypy proves here that it fits its seam.
_nested: type[TlsConnection] = NestedTls
