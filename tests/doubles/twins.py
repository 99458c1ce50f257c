"""
Twins in memory of the seams in L{uotp.boundaries}, and of what lies around the
rooms: a UDP network, transports, sessions and tunnels, a way to dial.  Nothing
here happens on its own: a test takes each step.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from OpenSSL import SSL
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, InvalidAddressError, MessageLengthError
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IUDPTransport,
)
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport
from zope.interface import implementer

from uotp.boundaries import (
    Address,
    CarriedSession,
    DatagramPort,
    DatagramPortOpener,
    DatagramReceiver,
    Link,
    OutboundTrains,
    Security,
    Stream,
)
from uotp.client.context import ClientContext, ReachabilityObserver
from uotp.client.settings import ClientSettings
from uotp.net.resolver import Addresses
from uotp.path import TROUBLED, PathStats
from uotp.telemetry.drops import Drop, Drops
from uotp.tls.credentials import ServerCredentials
from uotp.train import MAX_TRAIN_BYTES, Arrival, Numbering, Train, cut, gather
from uotp.transport.dialled import DialledTcpStream, DialledTlsStream
from uotp.tunnel.accepted import AcceptedTunnel
from uotp.tunnel.live import LiveTunnels
from uotp.tunnel.states import AcceptedTunnelOwner, DialledTunnelOwner
from uotp.tunnel.tunnel import Tunnel
from uotp.udp import TrainProtocol
from uotp.wire.hello import ClientHello, ServerHello

DATAGRAMS_PER_TURN = 64
"""What a port delivers in one turn, as the real one."""

TRANSPORT_BYTES = 64 * 1024
"""What the kernel takes of a connection before the first byte has to wait."""

Creator = Callable[[Any], SSL.Connection]
"""Makes a connection for a socket, or L{None} for memory."""

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing listens
"""Which address a port that is bound to any address sends from."""


def addressOf(port: DatagramPort | IListeningPort) -> Address:
    """
    @return: where a port is bound, as the socket module has it.
    """
    host: Any = port.getHost()
    if isinstance(host, IPv6Address):
        return host.host, host.port, int(host.flowInfo), int(host.scopeID)
    return host.host, host.port


class Receiver(TrainProtocol):
    """
    Keeps what comes to the UDP port whose protocol it is.

    @ivar calls: what each call has brought.
    @ivar trains: the same, train by train.
    @ivar lost: why the port was lost.
    @ivar address: where its port is bound, or was.
    """

    def __init__(self, drops: Drops | None = None) -> None:
        super().__init__(drops or Drops())
        self.address: Address = ()
        self.calls: list[tuple[list[Train], Address]] = []
        self.trains: list[tuple[Train, Address]] = []
        self.lost: list[str] = []

    def startProtocol(self) -> None:
        """
        Keep where the port is bound.
        """
        port: Any = self.transport
        self.address = addressOf(port)

    def trainsReceived(self, trains: list[Train], source: Address) -> None:
        """
        Keep what came.
        """
        self.calls.append((trains, source))
        self.trains.extend((train, source) for train in trains)

    def portLost(self, reason: str) -> None:
        """
        Keep why.
        """
        self.lost.append(reason)

    def datagrams(self) -> list[bytes]:
        """
        @return: what came, datagram by datagram.
        """
        return [datagram for train, _ in self.trains for datagram in cut(train)]

    def datagramsFrom(self, source: Address) -> list[bytes]:
        """
        @return: what came from one source, datagram by datagram.
        """
        return [datagram for train, each in self.trains if each == source for datagram in cut(train)]


class MemoryUdp:
    """
    Joins UDP ports as a network on one machine does.

    @ivar drops: where what cannot be sent is counted.
    @ivar ports: the open ports, by the address that they send from.
    @ivar refusal: raised instead of opening a port, if it is set.
    """

    def __init__(self, drops: Drops | None = None) -> None:
        self.drops = drops or Drops()
        self.ports: dict[Address, MemoryDatagramPort] = {}
        self.refusal: OSError | None = None
        self._unused = 50000

    def open(self, bindAddress: Address, receiver: DatagramReceiver) -> MemoryDatagramPort:
        """
        Open a port; port 0 is another one each time.
        """
        if self.refusal is not None:
            raise self.refusal
        host, number = bindAddress[:2]
        if number == 0:
            self._unused += 1
            number = self._unused
        rest = (0, 0) if ":" in host else ()
        name = (LOOPBACK.get(host, host), number, *rest)
        if name in self.ports:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        port = MemoryDatagramPort(self, name, (host, number, *rest), receiver)
        port.startListening()
        return port

    def carry(self, datagram: bytes, source: Address, destination: Address) -> None:
        """
        Bring a datagram to whoever listens; nobody may.
        """
        port = self.ports.get(destination)
        if port is not None:
            port.waiting.append((datagram, source))

    def turn(self) -> None:
        """
        Let every port deliver what has come, as much as it may in one turn.
        """
        for port in list(self.ports.values()):
            port.turn()

    def settle(self) -> None:
        """
        Let turns pass until nothing waits.
        """
        while any(port.waiting for port in self.ports.values()):
            self.turn()


@implementer(IUDPTransport, IListeningPort)
class MemoryDatagramPort:
    """
    Sends and receives on a L{MemoryUdp}.

    @ivar name: the address that others know it by.
    @ivar waiting: what has come and was not delivered yet.
    """

    def __init__(self, network: MemoryUdp, name: Address, bound: Address, receiver: DatagramReceiver) -> None:
        """
        @param bound: what L{getHost} tells.
        """
        self._network = network
        self.name = name
        self._host = (IPv6Address if ":" in bound[0] else IPv4Address)("UDP", *bound)
        self._receiver = receiver
        self._peer: Address | None = None
        self._broadcast = False
        self.closed = True
        self.waiting: deque[tuple[bytes, Address]] = deque()

    def startListening(self) -> None:
        """
        Be there for the others.
        """
        self.closed = False
        self._network.ports[self.name] = self
        self._receiver.makeConnection(self)

    def write(self, packet: bytes, addr: Address | None = None) -> None:
        """
        Send a datagram.
        """
        destination = (*addr[:2], *self.name[2:]) if addr else self._peer
        assert destination is not None
        if len(packet) > MAX_TRAIN_BYTES:
            raise MessageLengthError(packet)
        self._network.carry(packet, self.name, destination)

    def connect(self, host: str, port: int) -> None:
        """
        Send there from now on.
        """
        if self._peer is not None:
            reason = "already connected"
            raise RuntimeError(reason)
        if not (isIPAddress(host) or isIPv6Address(host)):
            raise InvalidAddressError(host, "not an address")
        self._peer = (host, port, *self.name[2:])

    def setBroadcastAllowed(self, enabled: bool) -> None:  # noqa: FBT001 - Twisted's signature
        """
        Remember whether broadcasts may be sent.
        """
        self._broadcast = enabled

    def getBroadcastAllowed(self) -> bool:
        """
        @return: what was said last.
        """
        return self._broadcast

    def sendTrains(self, trains: list[Train], destination: Address) -> None:
        """
        Send each datagram of some trains.
        """
        if self.closed:
            return
        for datagram in [datagram for train in trains for datagram in cut(train)]:
            if len(datagram) > MAX_TRAIN_BYTES:
                self._network.drops.count(Drop.TOO_LONG)
            elif len(destination) != len(self.name):
                self._network.drops.count(Drop.SEND_REFUSED)  # of the other family
            else:
                self._network.carry(datagram, self.name, destination)

    def getHost(self) -> IPv4Address | IPv6Address:
        """
        @return: where the port is bound.
        """
        return self._host

    def stopListening(self) -> None:
        """
        Close at once.
        """
        if not self.closed:
            self._close()
            self._receiver.doStop()

    def lose(self, reason: str) -> None:
        """
        Be of no use any more.
        """
        self._close()
        self._receiver.transportFailed(reason)

    def _close(self) -> None:
        self.closed = True
        del self._network.ports[self.name]

    def turn(self) -> None:
        """
        Deliver, bounded, what has come.
        """
        batch = [self.waiting.popleft() for _ in range(min(DATAGRAMS_PER_TURN, len(self.waiting)))]
        while batch and not self.closed:
            source = batch[0][1]
            run = 0
            while run < len(batch) and batch[run][1] == source:
                run += 1
            self._receiver.trainsReceived(gather(datagram for datagram, _ in batch[:run]), source)
            del batch[:run]


class MemoryStream(FakeTransport):
    """
    Is one end of a stream in memory.  It holds what it is given, and says when that is more
    than the kernel would take, until it is pumped.

    @ivar stalled: whether the peer has stopped to read.
    @ivar aborted: whether this end has aborted the connection.
    @ivar held: how many bytes wait, those that the kernel would have among them.
    @ivar troubled: whether the connection retransmits.
    @ivar security: what TLS has found out, as the test says.
    """

    def __init__(self, protocol: Any, isServer: bool = False, *, secured: bool = False) -> None:  # noqa: FBT001, FBT002
        """
        @param isServer: whether this is the accepting end.
        @param secured: pass for TLS, whose handshake is the test's to complete.
        """
        super().__init__(protocol, isServer)
        self.security: Security | None = Security() if secured else None
        self.stalled = self.aborted = self.lost = self.troubled = False
        self.held = 0
        self._paused = self._closing = False
        self._reason: Exception = ConnectionDone()

    def queuedBytes(self) -> int:
        """
        @return: what the kernel would not have taken.
        """
        return max(0, self.held - TRANSPORT_BYTES)

    def isTroubled(self) -> bool:
        """
        See L{Stream.isTroubled}.
        """
        return self.troubled or self.lost

    def cost(self) -> int:
        """
        See L{Stream.cost}.
        """
        return self.held + TROUBLED if self.troubled else self.held

    def pathStats(self) -> PathStats | None:
        """
        See L{Stream.pathStats}.
        """
        return None

    def unacknowledged(self) -> int | None:
        """
        @return: all that is held: where it is taken, it arrives.
        """
        return self.held

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
        """
        Close when what is held is gone.
        """
        self.unregisterProducer()
        if self.stalled and self.held:
            self._closing = True
        else:
            self.disconnecting = True

    def abort(self) -> None:
        """
        Close now.
        """
        if self.lost:
            return
        self.aborted = True
        self.stream: list[bytes] = []
        self.held = 0
        self.disconnecting = True
        self._reason = ConnectionAborted()

    def loseConnection(self) -> None:
        """
        What TLS in memory calls for L{close}.
        """
        self.close()

    def abortConnection(self) -> None:
        """
        What TLS in memory calls for L{abort}.
        """
        self.abort()

    def reportDisconnect(self) -> None:
        """
        Tell the protocol, once.
        """
        self.lose(self._reason)

    def lose(self, reason: Exception | None = None) -> None:
        """
        Let the connection be gone.
        """
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
        """
        @return: a client's connection.
        """
        return self._create(None)

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """
        @return: a server's connection.
        """
        return self._create(None)


class MemoryTlsStream(TLSMemoryBIOProtocol):
    """
    Is a stream with real TLS in memory.  What it does not know itself, the L{MemoryStream}
    under it does.
    """

    _fault: BaseException | None = None
    _kept = Security()

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:
        if self._aborted:
            reason = None  # the stream under it knows better
        self._fault = self._fault or (None if reason is None else reason.value)
        super()._tlsShutdownFinished(reason)

    @property
    def security(self) -> Security:
        """
        See L{Stream.security}.
        """
        tls = self._tlsConnection
        return self._kept if tls is None else self._whatIsKnown(tls)

    def _whatIsKnown(self, tls: Any) -> Security:
        known = Security(tls.get_alpn_proto_negotiated() or None, tls.peerPin()) if self._handshakeDone else Security()
        return known._replace(refusal=tls.refusalWords(self._fault))

    def write(self, data: bytes) -> None:
        """
        Drop it, where Twisted's own would fail.
        """
        if not self.disconnecting:
            super().write(data)

    def close(self) -> None:
        """
        See L{Stream.close}.
        """
        if self.connected:
            self.unregisterProducer()
            self.loseConnection()

    def abort(self) -> None:
        """
        See L{Stream.abort}.
        """
        if self.connected:
            self.abortConnection()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        Keep what is known.
        """
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


class MemoryConnect:
    """
    Takes the place of L{uotp.transport.dialer.connectTunnel}: the reactor in memory records each
    attempt, and what connection it is to become is kept.

    @ivar kinds: the kind of connection for each factory that connects.
    """

    def __init__(self) -> None:
        self.kinds: dict[Any, type[DialledTcpStream]] = {}

    def __call__(self, kind: type[DialledTcpStream], reactor: Any, *args: Any, **kwargs: Any) -> Any:
        """
        See L{uotp.transport.dialer.connectTunnel}.
        """
        connector = reactor.connectTCP(*args, **kwargs)
        self.kinds[reactor.tcpClients[-1][2]] = kind
        return connector

    def wrap(self, factory: Any, protocol: Any, clock: Clock) -> Any:
        """
        @param factory: whose attempt has succeeded.
        @param protocol: what it has built.
        @return: the same, with TLS around it if its connection is one with TLS.
        """
        kind = self.kinds[factory]
        if not issubclass(kind, DialledTlsStream):
            return protocol
        return wrapInTls(kind.creator, protocol, clock, isClient=True)


def neverLookUp(call: Callable[[], Addresses], done: Callable[[Addresses], None]) -> None:
    """
    Name servers that do not answer.
    """


class RecordingSession:
    """
    Keeps what the links of a session tell it, as its own way in and out.

    @ivar numbers: of the trains that had one.
    @ivar says: "free", "full" and "gone", in order.
    @ivar roundTrips: how often a tunnel has learnt how far the other end is.
    @ivar repeated: what was sent again.
    @ivar rescued: what tunnels that were gone had not carried.
    """

    def __init__(self) -> None:
        self.rescued: list[Arrival] = []
        self.repeated: list[Arrival] = []
        self.trains: list[Train] = []
        self.numbers: list[int] = []
        self.says: list[str] = []
        self.roundTrips = 0
        self.numbering = Numbering()
        self.inbound = self.outbound = self

    def lone(self, number: int, train: Train, now: float) -> None:
        """
        One train came alone.
        """
        self.numbered([(number, train)], now)

    def unnumbered(self, trains: list[Train], now: float) -> None:
        """
        Trains came without numbers.
        """
        self.trains += trains

    def numbered(self, arrivals: list[Arrival], now: float) -> None:
        """
        Trains came with numbers.
        """
        self.numbers += [number for number, _ in arrivals]
        self.trains += [train for _, train in arrivals]

    def again(self, arrivals: list[Arrival], now: float) -> None:
        """
        Trains came that may have come before.
        """
        self.repeated += arrivals

    def roundTripChanged(self) -> None:
        """
        A tunnel knows better how far the other end is.
        """
        self.roundTrips += 1

    def linkFree(self, link: Link) -> None:
        """
        Say "free".
        """
        self.says.append("free")

    def linkFull(self, link: Link) -> None:
        """
        Say "full".
        """
        self.says.append("full")

    def linkGone(self, link: Link) -> None:
        """
        Say "gone", and take what the link has not carried.
        """
        self.says.append("gone")
        self.rescued += link.takeUnacked()

    def datagrams(self) -> list[bytes]:
        """
        @return: what came, datagram by datagram.
        """
        return [datagram for train in self.trains for datagram in cut(train)]


class RecordingOwner:
    """
    Keeps what tunnels tell whoever dialled or accepted them, and has each carry for a
    session at once.

    @ivar session: whom opened and greeted tunnels carry for; L{None} leaves
        them as they are.
    @ivar givenUp: those whose pong was given up.
    """

    def __init__(self, session: CarriedSession | None = None) -> None:
        self.session = session
        self.opened: list[Tunnel] = []
        self.hellos: list[ClientHello] = []
        self.drained: list[Tunnel] = []
        self.givenUp: list[Tunnel] = []
        self.left: list[Tunnel] = []
        self.lost: list[tuple[Tunnel, Failure]] = []

    def tunnelOpened(self, tunnel: Tunnel) -> None:
        """
        It is open; let it carry.
        """
        self.opened.append(tunnel)
        if self.session is not None:
            tunnel.carryFor(self.session)

    def helloReceived(self, tunnel: Tunnel, hello: ClientHello) -> None:
        """
        It has said its hello; welcome it.
        """
        self.hellos.append(hello)
        if self.session is not None:
            assert isinstance(tunnel, AcceptedTunnel)
            tunnel.welcome(self.session, isNew=True, keptSeconds=150)

    def tunnelDrained(self, tunnel: Tunnel) -> None:
        """
        Nothing more comes of it.
        """
        self.drained.append(tunnel)

    def pongGivenUp(self, tunnel: Tunnel) -> None:
        """
        It does not answer.
        """
        self.givenUp.append(tunnel)

    def peerLeft(self, tunnel: Tunnel) -> None:
        """
        The client has left.
        """
        self.left.append(tunnel)

    def tunnelLost(self, tunnel: Tunnel, reason: Failure) -> None:
        """
        It is gone.
        """
        self.lost.append((tunnel, reason))


class MemoryLink:
    """
    Is a link as its session sees it, and keeps what it is given.

    @ivar sent: what it was given.
    @ivar writes: what it was given at one go each time.
    @ivar closed: whether it was closed or aborted.
    @ivar again: what it was given that another was given before.
    @ivar kept: what it has not carried, as it says when it is asked.
    @ivar still: whether it stands still.
    @ivar whenSent: called before something is sent.
    @ivar costs: what stands before the next train.
    @ivar stands: how its connection stands.
    @ivar roundTrip: how far the other end is.
    """

    def __init__(self, room: int = 1 << 30) -> None:
        """
        @param room: how many trains it takes before it is full.
        """
        self.sent: list[Train] = []
        self.writes: list[list[Train]] = []
        self.again: list[Arrival] = []
        self.kept: list[Arrival] = []
        self.still = False
        self.whenSent: Callable[[], None] = lambda: None
        self.costs = 0
        self.stands: PathStats | None = None
        self.roundTrip = 0.0
        self.closed = self.aborted = False
        self._room = room
        self.sentAt = float("-inf")
        self._session: OutboundTrains | None = None

    def carryFor(self, session: CarriedSession) -> None:
        """
        Become ready.
        """
        self._session = session.outbound
        if self._room:
            session.outbound.linkFree(self)

    def makeRoom(self, room: int) -> None:
        """
        Take so many trains more.
        """
        self._room = room
        if self._session is not None:
            self._session.linkFree(self)

    def send(self, trains: list[Train], now: float) -> None:
        """
        Take trains, until it is full.
        """
        if self._session is None:
            return
        self.whenSent()
        self.sentAt = now
        self.sent += trains
        self.writes.append(trains)
        self._take(len(trains))

    def _take(self, trains: int) -> None:
        self._room -= trains
        if self._room <= 0 and self._session is not None:
            self._session.linkFull(self)

    def sendAgain(self, arrivals: list[Arrival]) -> None:
        """
        Take trains that another was given.
        """
        if self._session is not None:
            self.again += arrivals
            self._take(len(arrivals))

    def holdsUnacked(self) -> bool:
        """
        Whether the test has said what.
        """
        return bool(self.kept)

    def takeUnacked(self) -> list[Arrival]:
        """
        What the test says, once.
        """
        kept, self.kept = self.kept, []
        return kept

    def cost(self) -> int:
        """
        What the test says.
        """
        return self.costs

    def isTroubled(self) -> bool:
        """
        What the test says.
        """
        return self.costs >= TROUBLED

    def pathStats(self) -> PathStats | None:
        """
        What the test says.
        """
        return PathStats(0, 0, self.roundTrip, self.roundTrip, isStill=True) if self.still else self.stands

    def close(self) -> None:
        """
        Carry for nobody any more.
        """
        self.closed = True
        session, self._session = self._session, None
        if session is not None:
            session.linkGone(self)

    def abort(self) -> None:
        """
        The same, and remember that it was this.
        """
        self.aborted = True
        self.close()


class Attempt:
    """
    Is one attempt to dial, which a test brings to an end.

    @ivar tunnel: what it led to, and its transport.
    """

    tunnel: Tunnel
    transport: MemoryStream

    def __init__(self, makeTunnel: Callable[[], Tunnel]) -> None:
        self._makeTunnel = makeTunnel
        self.cancelled = False
        self.done: Deferred[Any] = Deferred(self._cancel)

    def _cancel(self, done: Deferred[Any]) -> None:
        self.cancelled = True

    def connect(self) -> Tunnel:
        """
        TCP is connected; the handshake is not done.
        """
        self.tunnel = self._makeTunnel()
        self.transport = MemoryStream(self.tunnel, secured=True)
        self.tunnel.makeConnection(self.transport)
        self.done.callback(self.tunnel)
        return self.tunnel

    def open(self) -> Tunnel:
        """
        TCP is connected, and the handshake is done.
        """
        tunnel = self.connect()
        tunnel.handshakeCompleted()
        return tunnel

    def fail(self, reason: Exception) -> None:
        """
        There is no connection.
        """
        self.done.errback(Failure(reason))


class RecordingReachability:
    """
    Keeps how the dialling goes.

    @ivar ups: how many tunnels have been opened.
    @ivar downs: how many of these are no more.
    @ivar timesReached: how often the server has let us in.
    @ivar answers: what it has said then.
    @ivar forgotten: the names of sessions that it did not know any more.
    @ivar reasons: why tunnels failed.
    """

    def __init__(self) -> None:
        self.ups = 0
        self.downs = 0
        self.timesReached = 0
        self.answers: list[ServerHello] = []
        self.forgotten: list[str] = []
        self.reasons: list[str] = []

    def tunnelUp(self) -> None:
        """
        One more has been opened.
        """
        self.ups += 1

    def sessionForgotten(self, name: str) -> None:
        """
        The server did not know it.
        """
        self.forgotten.append(name)

    def tunnelDown(self) -> None:
        """
        One more is gone.
        """
        self.downs += 1

    def reached(self, answer: ServerHello | None = None) -> None:
        """
        The server has let us in once more.
        """
        self.timesReached += 1
        self.answers += [answer] if answer is not None else []

    def tunnelFailed(self, reason: str) -> None:
        """
        One more has failed.
        """
        self.reasons.append(reason)


class MemoryContext(ClientContext):
    """
    Holds what all pools of a client share, in memory.

    @ivar attempts: every one that was made.
    @ivar chance: the next random number.
    @ivar reachability: what it has been told so far.
    """

    reachability: RecordingReachability

    def __init__(self, clock: Clock) -> None:
        self.attempts: list[Attempt] = []
        self.chance = 1.0
        super().__init__(
            settings=ClientSettings(server=("server.test", 8443)),
            clock=clock,
            dial=self._dial,
            jitter=lambda: self.chance,
            liveTunnels=LiveTunnels(clock),
            reachability=RecordingReachability(),
        )

    def _dial(self, makeTunnel: Callable[[], Tunnel]) -> Deferred[Any]:
        self.attempts.append(Attempt(makeTunnel))
        return self.attempts[-1].done

    def choose(self, **settings: Any) -> None:
        """
        Change what the client was told.
        """
        self.settings = replace(self.settings, **settings)

    def settle(self) -> None:
        """
        Let every connection that we have closed be gone.
        """
        for attempt in self.attempts:
            if hasattr(attempt, "transport"):
                attempt.transport.settle()


# Each twin fits its seam.
_receiver: type[DatagramReceiver] = Receiver
_port: type[DatagramPort] = MemoryDatagramPort
_opener: DatagramPortOpener = MemoryUdp().open
_stream: type[Stream] = MemoryStream
_link: type[Link] = MemoryLink
_session: type[CarriedSession] = RecordingSession
_reachability: type[ReachabilityObserver] = RecordingReachability
_dialledBy: type[DialledTunnelOwner[Tunnel]] = RecordingOwner
_acceptedBy: type[AcceptedTunnelOwner[Tunnel]] = RecordingOwner
