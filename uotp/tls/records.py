"""
OpenSSL's connection with a short way for records.  pyOpenSSL's own C{recv} and C{send} pass
through several more functions for each record, most of which look for errors of callbacks that
only a handshake has.  A lone datagram is one record.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL

ROOM_BYTES = 16384
"""A read brings so much at the most, which is what one record of TLS carries."""

internals: Any = SSL
library = internals._lib  # noqa: SLF001 - what pyOpenSSL itself calls; a test tells when it is gone
foreign = internals._ffi  # noqa: SLF001 - the same

readRecord = library.SSL_read
writeRecord = library.SSL_write
bytesAt = foreign.from_buffer

room = foreign.new("char[]", ROOM_BYTES)
"""
Into this OpenSSL puts what it reads, for all connections.  So they are all read in one thread,
which is the reactor's.
"""

came = foreign.buffer(room)
"""The same as Python sees it."""


def letOthersHaveTheirTurn(connection: SSL.Connection) -> None:
    """
    Let one call read one record and no more.  Otherwise a call reads on as long as the
    records bring no data, and a peer that sends only demands for new keys keeps this process
    busy all the time.  pyOpenSSL sets that mode on each connection, and has no public way to
    clear it.
    """
    library.SSL_clear_mode(connection._ssl, library.SSL_MODE_AUTO_RETRY)  # noqa: SLF001 - as above


class RecordConnection(SSL.Connection):
    """
    Reads and writes records, on a socket or in memory.

    @param context: as pyOpenSSL has it.
    @param socket: what to speak through; L{None} for memory.
    """

    def __init__(self, context: SSL.Context, socket: Any = None) -> None:
        super().__init__(context, socket)
        if socket is not None:
            letOthersHaveTheirTurn(self)

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """
        Read what has come.

        @param bufsiz: how many bytes at the most; more than L{ROOM_BYTES} do not come.
        @param flags: none, or what pyOpenSSL has.
        @return: at least one byte.
        @raise SSL.Error: when nothing has come, or the connection is at its end.
        """
        if flags:
            return super().recv(bufsiz, flags)
        size: int = readRecord(self._ssl, room, min(bufsiz, ROOM_BYTES))
        if size <= 0:
            self._raise_ssl_error(self._ssl, size)
        brought: bytes = came[:size]
        return brought

    def send(self, buf: Any, flags: int = 0) -> int:
        """
        Write.

        @param buf: at least one byte, in anything that lies in one piece in memory.
        @param flags: not used, as pyOpenSSL has it.
        @return: how many bytes were written.
        @raise SSL.Error: when the kernel takes nothing, or the connection is at its end.
        """
        data = buf if type(buf) is bytes else bytesAt(buf)
        size: int = writeRecord(self._ssl, data, len(data))
        if size <= 0:
            self._raise_ssl_error(self._ssl, size)
        return size
