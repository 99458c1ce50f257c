"""
The streams that we have accepted.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp

from uotp.net import TunnelSocketOptions, ownerOf, tuneTunnelSocket
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.phases import StreamPhase
from uotp.transport.tcp import TcpStream
from uotp.transport.tls import Creator, TlsStream

READING = frozenset({StreamPhase.OPEN, StreamPhase.CLOSING})
"""The phases in which bytes of the peer are read and handed on, or passed over."""


class AcceptedTcpStream(TcpStream, tcp.Server):
    """
    Carries bytes over a TCP connection that we have accepted.  Until its peer is admitted,
    what comes is read in its turn only.
    """

    _isAdmitted = False

    def __init__(
        self,
        handshakes: HandshakeQueue,
        tuning: TunnelSocketOptions,
        accepted: Any,
        protocol: Any,
        client: tuple[Any, ...],
        *rest: Any,
    ) -> None:
        """
        @param handshakes: gives it its turns.
        @param tuning: how its socket is set up.
        @param accepted: the socket.
        @param client: the address that it comes from.
        @param rest: see C{tcp.Server}, as for the protocol.
        """
        self.handshakes = handshakes
        self.party = ownerOf(client[0])
        tuneTunnelSocket(accepted, tuning)
        super().__init__(accepted, protocol, client, *rest)
        self._begin()

    def _bind(self) -> None:
        super()._bind()
        if not self._isAdmitted and self.phase in READING:
            vars(self)["doRead"] = self._awaitTurn

    def admit(self) -> None:
        """
        See L{uotp.boundaries.Stream.admit}.
        """
        self._isAdmitted = True
        self._bind()


class AcceptedTlsStream(TlsStream, AcceptedTcpStream):
    """
    Carries bytes with TLS over a TCP connection that we have accepted.
    """

    def __init__(
        self, creator: Creator, handshakes: HandshakeQueue, tuning: TunnelSocketOptions, accepted: Any, *rest: Any
    ) -> None:
        """
        @param creator: makes OpenSSL's connection for a socket.
        """
        self.tls = creator(accepted)
        self.tls.set_accept_state()
        super().__init__(handshakes, tuning, accepted, *rest)
