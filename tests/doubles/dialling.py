"""
How connections are dialled in memory: each attempt waits for the test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.doubles.streams import MemoryStream, wrapInTls
from uotp.boundaries import Upgrade
from uotp.client.context import ClientContext, ReachabilityObserver, ServerDialer
from uotp.client.dial.patience import Patience
from uotp.client.dial.segmentsize import SegmentSizes
from uotp.client.settings import ClientSettings
from uotp.client.standby.servers import ClientServers, Server
from uotp.errors import LookupFailed
from uotp.net import ProxyPlace, ServerPlace
from uotp.net.resolver import Addresses, Resolved
from uotp.process.turns import Turns
from uotp.telemetry import RateLimit
from uotp.transport.dialled import DialledTcpStream, DialledTlsStream
from uotp.tunnel.live import LiveTunnels
from uotp.tunnel.tunnel import Tunnel
from uotp.wire.hello import ServerHello


class MemoryConnect:
    """
    Takes the place of L{uotp.transport.dialer.connectTunnel}: the reactor in memory records each
    attempt, and what connection it is to become is kept.

    @ivar kinds: the kind of connection for each factory that connects.
    @ivar sizes: the size of their segments, one after another.
    """

    def __init__(self) -> None:
        self.kinds: dict[Any, type[DialledTcpStream]] = {}
        self.sizes: list[int | None] = []

    def __call__(
        self,
        kind: type[DialledTcpStream],
        reactor: Any,
        host: str,
        port: int,
        factory: Any,
        segmentSize: int | None = None,
    ) -> Any:
        connector = reactor.connectTCP(host, port, factory)
        self.kinds[factory] = kind
        self.sizes.append(segmentSize)
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


def neverLookUp(call: Callable[[], Resolved], done: Callable[[Resolved], None]) -> None:
    """
    Name servers that do not answer.
    """


class Attempt:
    """
    Is one attempt to connect to an address, which a test brings to an end.

    @ivar address: which one.
    @ivar segmentSize: the size of its segments.
    @ivar reachProxy: to be called when TCP is connected to a proxy.
    @ivar tunnel: what it led to, and its transport.
    """

    tunnel: Tunnel
    transport: MemoryStream

    def __init__(
        self, address: Any, makeTunnel: Callable[[], Tunnel], segmentSize: int | None, reached: Callable[[], None]
    ) -> None:
        self.address = address
        self.reachProxy = reached
        self.segmentSize = segmentSize
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
        self.done.callback(self.tunnel)
        self.tunnel.makeConnection(self.transport)
        return self.tunnel

    def open(self) -> Tunnel:
        """
        TCP is connected, and the handshake is done.
        """
        tunnel = self.connect()
        tunnel.handshakeCompleted()
        return tunnel

    def fail(self, reason: Exception) -> None:
        self.done.errback(Failure(reason))


class MemoryDialer:
    """
    Finds the addresses that the test says, and leaves the connections to it.

    @ivar addresses: what a lookup finds; L{None} for name servers that do not answer.
    @ivar lookups: those that are not answered, or were cancelled.
    @ivar attempts: every connection that was begun.
    @ivar newUpgrade: asks a web server for WebSocket, if there is one.
    @ivar proxy: through which proxy they go.
    """

    def __init__(self) -> None:
        self.proxy: ProxyPlace | None = None
        self.addresses: Addresses | LookupFailed | None = [IPv4Address("TCP", "192.0.2.1", 8443)]
        self.lookups: list[Deferred[Addresses]] = []
        self.attempts: list[Attempt] = []
        self.newUpgrade: Callable[[], Upgrade] | None = None

    def upgrade(self) -> Upgrade | None:
        """
        See L{uotp.transport.Dialer.upgrade}.
        """
        return None if self.newUpgrade is None else self.newUpgrade()

    def lookUp(self) -> Deferred[Addresses]:
        """
        See L{uotp.transport.Dialer.lookUp}.
        """
        if self.addresses is None:
            self.lookups.append(Deferred())
            return self.lookups[-1]
        return fail(self.addresses) if isinstance(self.addresses, LookupFailed) else succeed(self.addresses)

    def connect(
        self,
        address: Any,
        makeTunnel: Callable[[], Tunnel],
        segmentSize: int | None,
        reached: Callable[[], None],
    ) -> Deferred[Any]:
        """
        See L{uotp.transport.Dialer.connect}.
        """
        self.attempts.append(Attempt(address, makeTunnel, segmentSize, reached))
        return self.attempts[-1].done


class RecordingReachability:
    """
    Keeps how the dialling goes.

    @ivar ups: how many tunnels have been opened.
    @ivar downs: how many of these are no more.
    @ivar timesReached: how often the server has let us in.
    @ivar answers: what it has said then.
    @ivar forgotten: the names of sessions that it did not know any more.
    @ivar stays: of each tunnel that stayed in silence, whether it had TLS.
    @ivar silent: the names of sessions to which nothing comes back, and whether they are welcome.
    @ivar stopped: the names of sessions to which nothing comes back any more.
    @ivar replaced: sessions that go on as others, and why.
    @ivar reasons: why tunnels failed.
    @ivar limits: how many connections the path lets through, each time that was found.
    @ivar volumes: how much it lets each carry.
    @ivar strays: how often a tunnel led to another server than that of its session.
    """

    def __init__(self) -> None:
        self.ups = 0
        self.downs = 0
        self.timesReached = 0
        self.answers: list[ServerHello] = []
        self.forgotten: list[str] = []
        self.reasons: list[str] = []
        self.stays: list[bool] = []
        self.silent: list[tuple[str, bool]] = []
        self.stopped: list[str] = []
        self.replaced: list[tuple[str, str, str]] = []
        self.limits: list[int] = []
        self.volumes: list[int] = []
        self.strays = 0

    @property
    def tunnels(self) -> int:
        return self.ups - self.downs

    def connectionsLimited(self, most: int) -> None:
        self.limits.append(most)

    def volumeLimited(self, volume: int) -> None:
        self.volumes.append(volume)

    def tunnelUp(self) -> None:
        self.ups += 1

    def sessionForgotten(self, name: str) -> None:
        self.forgotten.append(name)

    def sessionReplaced(self, name: str, following: str, reason: str) -> None:
        self.replaced.append((name, following, reason))

    def tunnelDown(self) -> None:
        self.downs += 1

    def reached(self, answer: ServerHello | None = None) -> None:
        """
        The server has let us in once more.
        """
        self.timesReached += 1
        self.answers += [answer] if answer is not None else []

    def stayed(self, *, isSecured: bool) -> None:
        self.stays.append(isSecured)

    def leadsToSeveral(self) -> None:
        self.strays += 1

    def nothingComesBack(self, name: str, *, isWelcome: bool) -> None:
        self.silent.append((name, isWelcome))

    def answersStopped(self, name: str) -> None:
        self.stopped.append(name)

    def tunnelFailed(self, reason: str) -> None:
        self.reasons.append(reason)


class MemoryContext(ClientContext):
    """
    Holds what all pools of a client share, in memory.

    @ivar chance: the next random number.
    @ivar small: the segment sizes that the path was found to need.
    @ivar reachability: what it has been told so far.
    """

    reachability: RecordingReachability
    dialer: MemoryDialer

    def __init__(self, clock: Clock) -> None:
        self.chance = 1.0
        self.small: list[int] = []
        super().__init__(
            settings=ClientSettings(servers=(ServerPlace("server.test", 8443),)),
            clock=clock,
            dialer=MemoryDialer(),
            jitter=lambda: self.chance,
            liveTunnels=LiveTunnels(clock),
            reachability=RecordingReachability(),
            turns=Turns(clock),
            segments=SegmentSizes(None, self.small.append),
        )

    @property
    def attempts(self) -> list[Attempt]:
        """
        Every connection that was begun.
        """
        return self.dialer.attempts

    def choose(self, **settings: Any) -> None:
        self.settings = replace(self.settings, **settings)
        self.patience = Patience(self.settings.timeout)

    def settle(self) -> None:
        """
        Let every connection that we have closed be gone.
        """
        for attempt in self.attempts:
            if hasattr(attempt, "transport"):
                attempt.transport.settle()


def serversOf(*contexts: MemoryContext) -> ClientServers:
    """
    @return: the servers of a client, each with a context.
    """
    places = [ServerPlace(f"server{number}.test", 8443) for number in range(len(contexts))]
    both = zip(places, contexts, strict=True)
    servers = [Server(place, context, place.shown()) for place, context in both]
    return ClientServers(servers, RateLimit(contexts[0].clock.seconds))


# Each fits its seam.
_dialer: type[ServerDialer] = MemoryDialer
_reachability: type[ReachabilityObserver] = RecordingReachability
