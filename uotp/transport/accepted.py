"""
The streams that we have accepted.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.address import IPv4Address, IPv6Address

from uotp.boundaries import StreamFacts
from uotp.net import TunnelSocketOptions, ownerOf, shownHost, tuneTunnelSocket
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.phases import StreamEvent, StreamPhase
from uotp.transport.tcp import TcpStream, addressWords
from uotp.transport.tls import Creator, TlsStream

READING = frozenset({StreamPhase.OPEN, StreamPhase.CLOSING})
"""The phases in which bytes of the peer are read and handed on, or passed over."""


def leaveAlone() -> None:
    """
    Do nothing, since the connection is somebody else's.
    """


class AcceptedTcpStream(TcpStream, tcp.Server):
    """
    Carries bytes over a TCP connection that we have accepted, or another process for us.  Until
    its peer is admitted, what comes is read in its turn only.
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
        self._setUp(accepted, tuning)
        super().__init__(accepted, protocol, client, *rest)
        self._begin()

    def getHost(self) -> IPv4Address | IPv6Address:
        """
        @return: our own address; of IPv4 where the peer's is.
        """
        host, port, *rest = self.socket.getsockname()
        shown = shownHost(host)
        return IPv6Address("TCP", shown, port, *rest) if ":" in shown else IPv4Address("TCP", shown, port)

    def facts(self) -> StreamFacts:
        """
        See L{uotp.boundaries.Stream.facts}.  The peer is who has dialled, also where that was a balancer that has
        said for whom.
        """
        peer = self.getPeer()
        return StreamFacts(addressWords(self.socket.getsockname), addressWords(lambda: (peer.host, peer.port)))

    def __repr__(self) -> str:
        """
        What it is, and where it comes from: there may be no port of ours that has accepted it.
        """
        return f"<{type(self).__name__} of {self.getPeer().host}>"

    def _setUp(self, accepted: socket.socket, tuning: TunnelSocketOptions) -> None:
        tuneTunnelSocket(accepted, tuning)

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

    def surrender(self) -> socket.socket:
        """
        Give the connection up without ending it: for this stream it is over, and the protocol is told
        nothing of that.  What was read before, the protocol has; what comes later, the new owner of the
        socket reads.  Call this only for an open stream that L{isBare} and holds nothing.

        @return: the socket, which does not block.
        """
        assert self.phase is StreamPhase.OPEN
        assert self.isBare
        assert not self.queuedBytes()
        self._advance(StreamEvent.END)
        self.stopReading()
        self.stopWriting()
        self.connected, self.disconnected = 0, 1
        self.producer = None
        given: socket.socket = self.socket
        self.doRead = self.doWrite = leaveAlone  # type: ignore[method-assign]  # the reactor may call once more
        del self.protocol, self.socket, self.fileno
        return given


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
