"""
OpenSSL's connection with a bound to what comes in a handshake, and with a short way for
records.  pyOpenSSL's own C{recv} and C{send} pass through several more functions for each
record, most of which look for errors of callbacks that only a handshake has.  A lone datagram is
one record.
"""

from __future__ import annotations

from contextlib import suppress
from socket import MSG_PEEK
from typing import Any

from OpenSSL import SSL

from uotp.wire import SHOWN_BYTES

ROOM_BYTES = 16384
"""A read brings so much at the most, which is what one record of TLS carries."""

MAX_HANDSHAKE_BYTES = 48 * 1024
"""
So much a peer may send until the handshake is done.  That leaves 32 KiB for its chain of
certificates, beside 16 for a hello or a long list of CAs.  A usual chain has 3 to 6 KB, and ten
issuers with RSA keys of 8192 bits have 25.  To parse 32 KiB of small ones takes 1.2 ms, and the
100 KB that OpenSSL would take 5.
"""

LEAST_COUNTED = 256
"""A shorter record counts as so much, since each takes its time: so there are 192 at the most."""

RECORD_HEADER_BYTES = 5
MAX_BODY_BYTES = ROOM_BYTES + 2048
RECORD_KINDS = frozenset({b"\x14", b"\x15", b"\x16", b"\x17"})
MAJOR_VERSION = b"\x03"
"""
How a record of TLS begins: its kind, a version, and how long the rest is.  Of what does not
begin like that OpenSSL knows best what it is, and needs no more to say so; where it wants more, for a kind
that it does not know, nothing more is read.
"""

NO_TLS_ALERT = b"\x15\x03\x03\0\x02\x02\x46"
"""
The alert C{protocol_version}.  OpenSSL says nothing to who does not speak TLS; by this he can
know that TLS is wanted here.
"""

NO_RECORD = "no record"
"""What an error says where OpenSSL takes for the beginning of a record what is none."""

TOO_LONG_A_HANDSHAKE = "handshake too long"
"""What an error says where a peer has sent more than L{MAX_HANDSHAKE_BYTES}."""

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

    What comes on a socket until the handshake is done is read here, a record at a time, and given
    to OpenSSL in memory.  So there is a bound to it, which OpenSSL has no lower than 100 KB for
    the certificates alone, and pyOpenSSL has no way to change.  From then on OpenSSL works on the
    socket itself.

    @param context: as pyOpenSSL has it.
    @param socket: what to speak through; L{None} for memory.
    @ivar foreign: the first bytes of a peer that does not speak TLS, as far as they have come.
    """

    def __init__(self, context: SSL.Context, socket: Any = None) -> None:
        super().__init__(context)
        self.foreign = b""
        self._shaking = socket
        self._allowed = MAX_HANDSHAKE_BYTES
        self._header = b""
        self._bodyLeft = 0  # of the record that is being read
        self._unsent = b""
        if socket is not None:
            letOthersHaveTheirTurn(self)

    def do_handshake(self) -> None:
        """
        Go on with the handshake.

        @raise SSL.Error: as pyOpenSSL has it, and when the peer sends too much.
        """
        if self._shaking is None:
            super().do_handshake()
            return
        try:
            while not self._isThrough():
                self._readSome()
        except SSL.WantReadError:
            self._sendAll()
            raise
        except SSL.Error:
            self._unsent += NO_TLS_ALERT if self.foreign else b""
            with suppress(SSL.Error):
                self._sendAll()  # an alert
            raise
        self._sendAll()
        library.SSL_set_fd(self._ssl, self._shaking.fileno())  # which frees what was in memory
        self._shaking = self._into_ssl = self._from_ssl = None

    def _isThrough(self) -> bool:
        """
        Let OpenSSL take what has come.

        @return: whether the handshake is done.
        """
        result: int = library.SSL_do_handshake(self._ssl)
        if result > 0:
            return True
        if library.SSL_get_error(self._ssl, result) != library.SSL_ERROR_WANT_READ:
            self._raise_ssl_error(self._ssl, result)
        return False

    def _sendAll(self) -> None:
        """
        Send what OpenSSL has written.

        @raise SSL.Error: when the kernel does not take all of it, or the connection is broken.
        """
        while (size := library.BIO_read(self._from_ssl, room, ROOM_BYTES)) > 0:
            self._unsent += came[:size]
        while self._unsent:
            try:
                sent = self._shaking.send(self._unsent)
            except BlockingIOError:
                raise SSL.WantWriteError from None
            except OSError as error:
                raise SSL.SysCallError(error.errno, error.strerror) from None
            self._unsent = self._unsent[sent:]

    def _readSome(self) -> None:
        """
        Give OpenSSL what has come of a record, and nothing of the next one.
        """
        if self.foreign:
            raise SSL.Error([("uotp", "", NO_RECORD)])
        if self._bodyLeft:
            came = self._receive(self._bodyLeft)
            self._bodyLeft -= len(came)
        else:
            while len(self._header) < RECORD_HEADER_BYTES:
                self._header += self._receive(RECORD_HEADER_BYTES - len(self._header))
            came, self._header = self._header, b""
            size = int.from_bytes(came[-2:], "big")
            isRecord = came[:1] in RECORD_KINDS and came[1:2] == MAJOR_VERSION and size <= MAX_BODY_BYTES
            self._bodyLeft = size if isRecord else 0
            if not isRecord and self._allowed == MAX_HANDSHAKE_BYTES:
                self.foreign = came + self._peek(SHOWN_BYTES - len(came))
            self._allowed -= max(self._bodyLeft, LEAST_COUNTED)
            if self._allowed < 0:
                raise SSL.Error([("uotp", "", TOO_LONG_A_HANDSHAKE)])
        self.bio_write(came)

    def _receive(self, size: int) -> bytes:
        try:
            came: bytes = self._shaking.recv(size)
        except BlockingIOError:
            raise SSL.WantReadError from None
        except OSError as error:
            raise SSL.SysCallError(error.errno, error.strerror) from None
        if not came:
            raise SSL.SysCallError(-1, "Unexpected EOF")
        return came

    def _peek(self, size: int) -> bytes:
        """
        @return: what else has come already, for the words alone.
        """
        try:
            came: bytes = self._shaking.recv(size, MSG_PEEK)
        except OSError:
            return b""
        return came

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
