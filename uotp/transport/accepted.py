"""
The streams that we have accepted.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp

from uotp.net import TunnelSocketOptions, tuneTunnelSocket
from uotp.transport.tcp import TcpStream
from uotp.transport.tls import Creator, TlsStream


class AcceptedTcpStream(TcpStream, tcp.Server):
    """
    Carries bytes over a TCP connection that we have accepted.
    """

    def __init__(self, tuning: TunnelSocketOptions, accepted: Any, *rest: Any) -> None:
        """
        @param tuning: how its socket is set up.
        @param accepted: the socket.
        @param rest: see C{tcp.Server}.
        """
        tuneTunnelSocket(accepted, tuning)
        super().__init__(accepted, *rest)
        self._begin()


class AcceptedTlsStream(TlsStream, AcceptedTcpStream):
    """
    Carries bytes with TLS over a TCP connection that we have accepted.
    """

    def __init__(self, creator: Creator, tuning: TunnelSocketOptions, accepted: Any, *rest: Any) -> None:
        """
        @param creator: makes OpenSSL's connection for a socket.
        """
        self.tls = creator(accepted)
        self.tls.set_accept_state()
        super().__init__(tuning, accepted, *rest)
