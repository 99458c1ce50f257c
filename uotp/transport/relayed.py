"""
The streams of connections that another process has accepted.  A bare connection is handed over
itself.  With TLS, or with WebSocket, the other process keeps it, and carries the plain bytes through a pipe
(L{uotp.transport.relay}); of the connection we get another descriptor, by which we can ask the kernel
how the path is, and tell it what suits it.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.error import ConnectionAborted
from twisted.python.failure import Failure

from uotp.boundaries import Security, Stream, StreamFacts
from uotp.net import (
    TCP_INFO,
    TunnelSocketOptions,
    allowSilence,
    boundSendBuffer,
    boundSendRate,
    tcpCost,
    tcpFlight,
    tcpPathStats,
    unacknowledgedBytes,
)
from uotp.path import TROUBLED, Flight, PathStats
from uotp.transport.accepted import AcceptedTcpStream
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.listener import RESET
from uotp.transport.phases import StreamEvent, StreamPhase
from uotp.transport.pipe import PIPE_SEND_BYTES
from uotp.transport.tcp import OPEN, TCP_QUICKACK, addressWords


class RelayedStream(AcceptedTcpStream):
    """
    Carries the bytes of a connection with TLS or with WebSocket that another process has.  Where the
    kernel is asked how much waits, what waits in the pipe counts too.
    """

    WAYS: Mapping[StreamPhase, tuple[str, str]] = {
        **AcceptedTcpStream.WAYS,
        StreamPhase.HANDSHAKE: ("_awaitTurn", "_awaitTurn"),
    }
    _path: socket.socket | None = None

    def __init__(self, path: socket.socket | None, security: Security | None, tls: str | None, *accepted: Any) -> None:
        """
        @param path: another descriptor of the TCP connection, which is ours to close; without it, nothing
            is known of the path.
        @param security: what the other process has found out; L{None} when there is no TLS.
        @param tls: see L{StreamFacts}.
        @param accepted: see L{AcceptedTcpStream}; in place of the socket, our end of the pipe.
        """
        self._path = path
        self._security = security
        self._tls = tls
        self._written = 0  # since the pipe was empty, as far as we know
        super().__init__(*accepted)

    @property
    def security(self) -> Security | None:
        """
        What the other process has found out.
        """
        return self._security

    @property
    def isBare(self) -> bool:
        """
        L{False}, since the other process has the connection.
        """
        return False

    def _setUp(self, accepted: socket.socket, tuning: TunnelSocketOptions) -> None:
        boundSendBuffer(accepted, PIPE_SEND_BYTES)  # the other process has tuned the connection

    # The handshake, which the other process has done.

    def _beginHandshake(self) -> None:
        if self._security is None:
            super()._beginHandshake()
        else:
            self._advance(StreamEvent.PREAMBLE_OVER)

    def _takeTurn(self) -> Any:
        if self.phase is not StreamPhase.HANDSHAKE:
            return super()._takeTurn()
        self.startReading()
        self._secured()
        self.protocol.handshakeCompleted()
        return None

    # What there is to tell.

    def facts(self) -> StreamFacts:
        """
        See L{uotp.boundaries.Stream.facts}.
        """
        local = "somewhere" if self._path is None else addressWords(self._path.getsockname)
        peer = self.getPeer()
        return StreamFacts(local, addressWords(lambda: (peer.host, peer.port)), self._tls)

    def isTroubled(self) -> bool:
        """
        See L{uotp.boundaries.Stream.isTroubled}.
        """
        if self._path is not None:
            return tcpCost(self._path) >= TROUBLED
        return TCP_INFO is not None and not self.connected

    def write(self, data: bytes) -> None:
        """
        Send at once what the pipe takes, and the rest later.
        """
        self._written += len(data)
        super().write(data)

    def cost(self) -> int:
        """
        See L{uotp.boundaries.Stream.cost}.
        """
        if not self.connected:
            return TROUBLED
        onPath = 0 if self._path is None else tcpCost(self._path)
        return onPath + self._unread() + self.queuedBytes()

    def _unread(self) -> int:
        """
        The kernel counts the memory in which something waits: for a byte it is 768, and for a datagram of
        1400 it is 2304.  What was written since the pipe was empty is no less than what waits either.

        @return: about how many bytes the other process has not read yet.
        """
        held = self.queuedBytes()
        memory = unacknowledgedBytes(self.socket)
        if not memory:
            self._written = held
            return 0
        return min(memory, self._written - held)

    def unacknowledged(self) -> int | None:
        """
        @return: L{None}: nobody knows how much the other process has read, and not sent yet.
        """
        return None

    def pathStats(self) -> PathStats | None:
        """
        See L{uotp.boundaries.Stream.pathStats}.
        """
        return None if self._path is None else tcpPathStats(self._path)

    def flight(self) -> Flight | None:
        """
        See L{uotp.boundaries.Stream.flight}.
        """
        return None if self._path is None else tcpFlight(self._path)

    # What suits a path.

    def acknowledge(self) -> None:
        """
        See L{uotp.boundaries.Stream.acknowledge}.
        """
        if TCP_QUICKACK is not None and self._path is not None:
            with suppress(OSError):
                self._path.setsockopt(socket.IPPROTO_TCP, TCP_QUICKACK, 1)

    def _boundInKernel(self, size: int | None) -> None:
        if self._path is not None:
            boundSendBuffer(self._path, size)

    def boundRate(self, rate: int | None) -> None:
        """
        See L{uotp.boundaries.Stream.boundRate}.
        """
        if self._path is not None:
            boundSendRate(self._path, rate)

    def allowSilence(self, roundTrip: float) -> None:
        """
        See L{uotp.boundaries.Stream.allowSilence}.
        """
        if self._path is not None:
            allowSilence(self._path, roundTrip)

    # The end.

    def connectionLost(self, reason: Failure) -> None:
        """
        The pipe is closed.  If we have aborted it, end the connection too: the other process would
        close it in good order.
        """
        self.retransmissions()
        path, self._path = self._path, None
        if path is not None:
            with path, suppress(OSError):
                if reason.check(ConnectionAborted):
                    path.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    path.shutdown(socket.SHUT_RDWR)
        super().connectionLost(reason)


def adopt(
    given: socket.socket,
    path: socket.socket | None,
    security: Security | None,
    client: tuple[Any, ...],
    handshakes: HandshakeQueue,
    tuning: TunnelSocketOptions,
    protocol: Any,
    reactor: Any,
    *,
    begun: bytes = b"",
    tls: str | None = None,
) -> AcceptedTcpStream:
    """
    Make a stream of a connection that another process has accepted, and connect a protocol to it.

    @param given: the connection itself, when there is neither path nor security; or else our end of the
        pipe.  It is the stream's to close, also when this fails, and so is the path.
    @param path: another descriptor of the connection, or L{None}.
    @param security: what the other process has found out, or L{None} without TLS.
    @param client: the address that it comes from, as the socket module has it.
    @param handshakes: gives it its turns until its peer is admitted.
    @param tuning: how a connection that was handed over itself is set up.
    @param reactor: C{IReactorFDSet} and C{IReactorTime}.
    @param begun: what the other process has read already.
    @param tls: the version of TLS and the cipher, for the log.
    @return: the stream, whose protocol has been told of it, of the handshake, and of what has begun.
    """
    rest = (handshakes, tuning, given, protocol, client, None, 0, reactor)
    try:
        isItself = path is None and security is None
        stream = AcceptedTcpStream(*rest) if isItself else RelayedStream(path, security, tls, *rest)
    except Exception:
        for each in (given, path):
            if each is not None:
                each.close()
        raise
    try:
        protocol.makeConnection(stream)
        if stream.phase is StreamPhase.HANDSHAKE:
            stream.goOn()
        if begun and stream.phase is OPEN:
            protocol.dataReceived(begun)
    except Exception:
        stream.abort()
        raise
    return stream


# mypy proves here that it fits its seam.
_relayed: type[Stream] = RelayedStream
