"""
Carries out a preamble within TLS, as with a proxy whose URL begins with C{https}: first the handshake with the proxy,
which shows its own certificate, then what is said to it.  Nothing behind the preamble is taken out of the TLS
connection, which whoever comes next goes on with.
"""

from __future__ import annotations

from socket import MSG_PEEK
from typing import Any

from OpenSSL import SSL

from uotp.errors import PeerError
from uotp.transport.preamble import Preamble
from uotp.transport.tls import TlsConnection, isEndOfStream

UNKNOWN_TROUBLE = "the handshake fails"

MOST_READS = 8
"""So many records are read at once: the reactor tells of those that the kernel still has."""


class TlsPreambleExchange:
    """
    Carries out one preamble on one connection of TLS, which it sets up first.  It has the methods of
    L{uotp.transport.preamble.PreambleExchange}.

    @ivar tls: the connection.
    """

    def __init__(self, preamble: Preamble, tls: TlsConnection) -> None:
        """
        @param tls: OpenSSL's connection on a socket, new.
        """
        self.tls: Any = tls
        self._preamble = preamble
        self._left = preamble.limit
        self._unsent = preamble.dataToSend()
        self._isShaken = False
        self._wantsRoom = False
        self.hasHeardAll = False
        tls.set_connect_state()

    @property
    def hasSaidAll(self) -> bool:
        """
        Whether nothing waits for the kernel to take more.
        """
        return not self._wantsRoom if not self._isShaken else not self._unsent

    def goOn(self) -> None:
        """
        Go on with the handshake, hear what has come, and say what is to be said, as far as the kernel takes it.

        @raise EOFError: when the other end has closed.
        @raise PeerError: when one end refuses the other, or it says what it may not, or too much.
        """
        self._wantsRoom = False
        try:
            if not self._isShaken:
                self.tls.do_handshake()
                self._isShaken = True
            self._hear()
            while self._unsent:
                self._unsent = self._unsent[self.tls.send(self._unsent) :]
        except SSL.WantReadError:
            pass
        except SSL.WantWriteError:
            self._wantsRoom = True
        except SSL.ZeroReturnError:
            raise EOFError from None
        except SSL.Error as error:
            if isEndOfStream(error) and self.tls.refusalWords(error) is None:
                raise EOFError from None
            reason = f"TLS to the proxy: {self.tls.refusalWords(error) or UNKNOWN_TROUBLE}"
            raise PeerError(reason) from None

    def _hear(self) -> None:
        for _ in range(MOST_READS):
            if self.hasHeardAll:
                return
            try:
                data = self.tls.recv(self._left, MSG_PEEK)
            except SSL.WantReadError:
                return
            own = self._preamble.received(data)
            self.hasHeardAll = own is not None
            size = len(data) if own is None else own
            self._left -= size
            while size:
                size -= len(self.tls.recv(size))
            if not self._left and not self.hasHeardAll:
                reason = f"more than {self._preamble.limit} bytes came before the stream itself"
                raise PeerError(reason)
            self._unsent += self._preamble.dataToSend()
