"""
Streams in memory, with TLS and without.  They carry what they hold when a test pumps them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport
from zope.interface import implementer

from uotp.boundaries import Allowance, Security, Stream, StreamFacts
from uotp.path import TROUBLED, Flight, PathStats
from uotp.process.turns import Unlimited
from uotp.tls.credentials import ServerCredentials
from uotp.tunnel.tunnel import Tunnel

TRANSPORT_BYTES = 64 * 1024
"""What the kernel takes of a connection before the first byte has to wait."""

Creator = Callable[[Any], SSL.Connection]
"""Makes a connection for a socket, or L{None} for memory."""


class MemoryStream(FakeTransport):
    """
    Is one end of a stream in memory.  It holds what it is given, and says when that is more
    than the kernel would take, until it is pumped.

    @ivar stalled: whether the peer has stopped to read.
    @ivar aborted: whether this end has aborted the connection.
    @ivar admitted: whether its peer has shown who it is.
    @ivar held: how many bytes wait, those that the kernel would have among them.
    @ivar troubled: whether the connection retransmits.
    @ivar security: what TLS has found out, as the test says.
    @ivar underWay: what the kernel says of what is in flight, as the test says.
    @cvar peer: the address of the other end.
    @ivar bound: how much the kernel may hold.
    @ivar rate: how fast it may send.
    @ivar allowedRoundTrip: how long a round trip the kernel is to allow for.
    @ivar path: what the kernel sees.
    @ivar acknowledges: how often the kernel was told to acknowledge at once.
    @ivar isRead: whether what comes is handed on.
    @ivar finished: whether this end has said that nothing more comes.
    @ivar departed: whether it has closed the connection without waiting.
    @ivar webSocketMasks: whether this end masks, once it carries WebSocket; L{None} before.
    """

    peer = IPv4Address("TCP", "192.0.2.1", 8443)

    def __init__(self, protocol: Any, isServer: bool = False, *, secured: bool = False) -> None:  # noqa: FBT001, FBT002
        """
        @param isServer: whether this is the accepting end.
        @param secured: pass for TLS, whose handshake is the test's to complete.
        """
        super().__init__(protocol, isServer)
        self.security: Security | None = Security() if secured else None
        self.allowance: Allowance = Unlimited()
        self.stalled = self.aborted = self.lost = self.troubled = self.admitted = False
        self.held = 0
        self.underWay: Flight | None = None
        self.bound: int | None = None
        self.rate: int | None = None
        self.unsentBound = False
        self.allowedRoundTrip = 0.0
        self.path: PathStats | None = None
        self.acknowledges = 0
        self.webSocketMasks: bool | None = None
        self.halfCloses = self.finished = self.departed = False
        self._paused = self._closing = False
        self.isRead = True
        self._unread = b""
        self._reason: Exception = ConnectionDone()

    @property
    def isBare(self) -> bool:
        return self.security is None and self.webSocketMasks is None

    def getPeer(self) -> IPv4Address:
        return self.peer

    def admit(self) -> None:
        self.admitted = True

    def bufferReceived(self, buf: bytes) -> None:
        """
        Something came.
        """
        if self.isRead:
            super().bufferReceived(buf)
        else:
            self._unread += buf

    def becomeWebSocket(self, rest: bytes = b"", *, masks: bool) -> None:
        """
        Note it; in memory bytes need no frames.
        """
        self.webSocketMasks = masks
        if rest:
            self.protocol.dataReceived(rest)

    def handTo(self, protocol: Any) -> None:
        self.protocol = protocol

    def finish(self) -> None:
        """
        Note it; what is written goes on its way as before.
        """
        self.unregisterProducer()
        self.finished = True

    def depart(self) -> None:
        self.departed = True
        self.lose()

    def pauseProducing(self) -> None:
        self.isRead = False

    def resumeProducing(self) -> None:
        self.isRead = True
        unread, self._unread = self._unread, b""
        if unread:
            super().bufferReceived(unread)

    def facts(self) -> StreamFacts:
        return StreamFacts("192.0.2.1:4000", "192.0.2.2:8443", None if self.security is None else "TLSv1.3 some cipher")

    def queuedBytes(self) -> int:
        """
        @return: what the kernel would not have taken.
        """
        return max(0, self.held - TRANSPORT_BYTES)

    def isTroubled(self) -> bool:
        return self.troubled or self.lost

    def cost(self) -> int:
        return self.held + TROUBLED if self.isTroubled() else self.held

    def pathStats(self) -> PathStats | None:
        return self.path

    def retransmissions(self, *, isAsked: bool = True) -> int:
        return 0 if self.path is None else self.path.repeated

    def boundInFlight(self, size: int | None) -> None:
        self.bound = size

    def boundRate(self, rate: int | None) -> None:
        self.rate = rate

    def boundUnsent(self, *, isBounded: bool) -> None:
        self.unsentBound = isBounded

    def allowSilence(self, roundTrip: float) -> None:
        self.allowedRoundTrip = roundTrip

    def flight(self) -> Flight | None:
        return self.underWay

    def acknowledge(self) -> None:
        self.acknowledges += 1

    def unacknowledged(self) -> int | None:
        """
        @return: all that is held: where it is taken, it arrives.
        """
        return None if self.lost else self.held

    def write(self, data: bytes) -> None:
        """
        Hold it, and say when that is too much.
        """
        if self.disconnecting or self._closing:
            return
        super().write(data)
        self.held += len(data)
        if self.queuedBytes() and self.producer is not None and not self._paused:
            self._paused = True
            self.producer.pauseProducing()

    def getOutBuffer(self) -> Any:
        """
        Give up what is held, unless the peer does not read.
        """
        if self.stalled:
            return None
        data = super().getOutBuffer()
        self.held = 0
        self.disconnecting = self.disconnecting or self._closing
        if self._paused and self.producer is not None:
            self._paused = False
            self.producer.resumeProducing()
        return data

    def close(self) -> None:
        self.unregisterProducer()
        if self.stalled and self.held:
            self._closing = True
        else:
            self.disconnecting = True

    def abort(self) -> None:
        if self.lost:
            return
        self.aborted = True
        self.stream: list[bytes] = []
        self.held = 0
        self.disconnecting = True
        self._reason = ConnectionAborted()

    def loseConnection(self) -> None:
        self.close()

    def abortConnection(self) -> None:
        self.abort()

    def reportDisconnect(self) -> None:
        self.lose(self._reason)

    def lose(self, reason: Exception | None = None) -> None:
        if not self.lost:
            self.lost = self.disconnecting = True
            self.protocol.connectionLost(Failure(reason or ConnectionDone()))

    def settle(self) -> None:
        """
        Let the connection be gone if this end has closed it.
        """
        if self.disconnecting:
            self.reportDisconnect()


def streamOf(tunnel: Tunnel) -> MemoryStream:
    """
    @return: what a tunnel in memory is connected by.
    """
    assert isinstance(tunnel.transport, MemoryStream)
    return tunnel.transport


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class InMemory:
    """
    Lets Twisted's TLS in memory make its connections as we make those on sockets.
    """

    def __init__(self, create: Creator | ServerCredentials) -> None:
        self._create = create.connection if isinstance(create, ServerCredentials) else create

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return self._create(None)

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return self._create(None)


class MemoryTlsStream(TLSMemoryBIOProtocol):
    """
    Is a stream with real TLS in memory.  What it does not know itself, the L{MemoryStream} under it does.
    """

    isBare = False
    halfCloses = False
    _fault: BaseException | None = None
    _kept = Security()

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:
        if self._aborted:
            reason = None  # the stream under it knows better
        self._fault = self._fault or (None if reason is None else reason.value)
        super()._tlsShutdownFinished(reason)

    @property
    def security(self) -> Security:
        tls = self._tlsConnection
        return self._kept if tls is None else self._whatIsKnown(tls)

    def _whatIsKnown(self, tls: Any) -> Security:
        known = Security()
        if self._handshakeDone:
            protocol = tls.get_alpn_proto_negotiated() or None
            known = Security(protocol, tls.peerPin(), peerChain=tls.peerChain())
        return known._replace(
            refusal=tls.refusalWords(self._fault), peerName=tls.peerName(), kind=tls.refusalKind(self._fault)
        )

    def facts(self) -> StreamFacts:
        tls: Any = self._tlsConnection
        return StreamFacts("here:1", "there:2", f"{tls.get_protocol_version_name()} {tls.get_cipher_name()}")

    def admit(self) -> None:
        """
        It reads at once in any case.
        """

    def becomeWebSocket(self, rest: bytes = b"", *, masks: bool) -> None:
        """
        Note it; in memory bytes need no frames.
        """
        self.webSocketMasks = masks
        if rest:
            inner: Any = self.wrappedProtocol
            inner.dataReceived(rest)

    def handTo(self, protocol: Any) -> None:
        self.wrappedProtocol = protocol

    def finish(self) -> None:
        self.close()

    def depart(self) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        if not self.disconnecting:
            super().write(data)

    def close(self) -> None:
        if self.connected:
            self.unregisterProducer()
            self.loseConnection()

    def abort(self) -> None:
        if self.connected:
            self.abortConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        tls = self._tlsConnection
        super().connectionLost(reason)
        self._kept = self._whatIsKnown(tls)


class PromptTlsFactory(TLSMemoryBIOFactory):
    """
    Makes TLS in memory that sends at once what is written, as our streams do, and does not
    gather it until the turn ends.
    """

    protocol = MemoryTlsStream


def wrapInTls(creator: Creator | ServerCredentials, protocol: Any, clock: Clock, *, isClient: bool = False) -> Any:
    """
    @param creator: makes the connection.
    @param protocol: what is to be wrapped.
    @return: what has TLS around it, to be connected.
    """
    factory: Any = Factory.forProtocol(lambda: protocol)
    return PromptTlsFactory(InMemory(creator), isClient, factory, clock).buildProtocol(None)


class RecordingStream:
    """
    Keeps what is written to a stream, of which the test says how it is.

    @ivar said: frames, write by write.
    @ivar inFlight: what has not been acknowledged.
    @ivar asked: how often somebody wanted to know that.
    @ivar path: what the kernel sees.
    @ivar bounds: how much the kernel was told to hold, each time.
    @ivar rates: how fast it was told to send, each time.
    @ivar unsentBounds: whether it was told to keep little unsent, each time.
    @ivar roundTrips: for which it was told to allow, each time.
    @ivar acknowledges: how often it was told to acknowledge at once.
    """

    security = None
    isBare = True

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.allowance: Allowance = Unlimited()
        self.inFlight: int | None = None
        self.asked = 0
        self.path: PathStats | None = None
        self.bounds: list[int | None] = []
        self.rates: list[int | None] = []
        self.unsentBounds: list[bool] = []
        self.roundTrips: list[float] = []
        self.acknowledges = 0

    def getPeer(self) -> IPv4Address:
        return MemoryStream.peer

    def facts(self) -> StreamFacts:
        return StreamFacts("here:1", "there:2")

    def admit(self) -> None:
        """
        It reads nothing.
        """

    def becomeWebSocket(self, rest: bytes = b"", *, masks: bool) -> None:
        """
        It carries nothing.
        """

    def pauseProducing(self) -> None:
        """
        It reads nothing.
        """

    def resumeProducing(self) -> None:
        """
        It reads nothing.
        """

    def write(self, data: bytes) -> None:
        self.said.append(data)

    def registerProducer(self, producer: object, streaming: bool) -> None:  # noqa: FBT001 - Twisted's signature
        """
        Links do not.
        """

    def unregisterProducer(self) -> None:
        """
        Links do not.
        """

    def close(self) -> None:
        """
        Links do not.
        """

    def abort(self) -> None:
        """
        Links do not.
        """

    def queuedBytes(self) -> int:
        return 0

    def boundInFlight(self, size: int | None) -> None:
        self.bounds.append(size)

    def boundRate(self, rate: int | None) -> None:
        self.rates.append(rate)

    def boundUnsent(self, *, isBounded: bool) -> None:
        self.unsentBounds.append(isBounded)

    def allowSilence(self, roundTrip: float) -> None:
        self.roundTrips.append(roundTrip)

    def acknowledge(self) -> None:
        self.acknowledges += 1

    def unacknowledged(self) -> int | None:
        self.asked += 1
        return self.inFlight

    def pathStats(self) -> PathStats | None:
        return self.path

    def retransmissions(self, *, isAsked: bool = True) -> int:
        return 0 if self.path is None else self.path.repeated

    def flight(self) -> Flight | None:
        return None

    def cost(self) -> int:
        return 0

    def isTroubled(self) -> bool:
        return False


# Each twin fits its seam.
_stream: type[Stream] = MemoryStream
_recorder: type[Stream] = RecordingStream
