"""
The streams that we have opened, whose sockets are marked and tuned before they connect.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp

from uotp.net import TunnelSocketOptions, setMark, tuneTunnelSocket
from uotp.transport.tcp import TcpStream
from uotp.transport.tls import TlsStream


class DialledTcpStream(TcpStream, tcp.Client):
    """
    Carries bytes over a TCP connection that we have opened.

    @cvar tuning: how its socket is set up.
    @cvar mark: its firewall mark, which is set before the first packet, or L{None}.
    """

    tuning = TunnelSocketOptions()
    mark: int | None = None

    def createInternetSocket(self) -> Any:
        """
        @return: the socket, marked and tuned.
        @raise OSError: without the privilege for the mark.
        """
        made = super().createInternetSocket()
        try:
            if self.mark is not None:
                setMark(made, self.mark)
        except OSError:
            made.close()
            raise
        tuneTunnelSocket(made, self.tuning)
        return made

    def _connectDone(self) -> None:
        self._begin()
        super()._connectDone()


class DialledTlsStream(TlsStream, DialledTcpStream):
    """
    Carries bytes with TLS over a TCP connection that we have opened.

    @cvar creator: makes OpenSSL's connection for a socket.
    """

    creator: Any

    def _connectDone(self) -> None:
        self.tls = type(self).creator(self.socket)
        self.tls.set_connect_state()
        super()._connectDone()

    def _beginHandshake(self) -> None:
        super()._beginHandshake()
        self.startWriting()
