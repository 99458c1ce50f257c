"""
How connections are dialled in memory: each attempt waits for the test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.doubles.streams import MemoryStream, wrapInTls
from uotp.client.context import ClientContext, ReachabilityObserver
from uotp.client.settings import ClientSettings
from uotp.net.resolver import Resolved
from uotp.process.turns import Turns
from uotp.transport.dialled import DialledTcpStream, DialledTlsStream
from uotp.tunnel.live import LiveTunnels
from uotp.tunnel.tunnel import Tunnel
from uotp.wire.hello import ServerHello


class MemoryConnect:
    """
    Takes the place of L{uotp.transport.dialer.connectTunnel}: the reactor in memory records each
    attempt, and what connection it is to become is kept.

    @ivar kinds: the kind of connection for each factory that connects.
    """

    def __init__(self) -> None:
        self.kinds: dict[Any, type[DialledTcpStream]] = {}

    def __call__(self, kind: type[DialledTcpStream], reactor: Any, *args: Any, **kwargs: Any) -> Any:
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


def neverLookUp(call: Callable[[], Resolved], done: Callable[[Resolved], None]) -> None:
    """
    Name servers that do not answer.
    """


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
        self.done.errback(Failure(reason))


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
    @ivar replaced: sessions that go on as others, and why.
    @ivar reasons: why tunnels failed.
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
        self.replaced: list[tuple[str, str, str]] = []

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

    def nothingComesBack(self, name: str, *, isWelcome: bool) -> None:
        self.silent.append((name, isWelcome))

    def tunnelFailed(self, reason: str) -> None:
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
            turns=Turns(clock),
        )

    def _dial(self, makeTunnel: Callable[[], Tunnel]) -> Deferred[Any]:
        self.attempts.append(Attempt(makeTunnel))
        return self.attempts[-1].done

    def choose(self, **settings: Any) -> None:
        self.settings = replace(self.settings, **settings)

    def settle(self) -> None:
        """
        Let every connection that we have closed be gone.
        """
        for attempt in self.attempts:
            if hasattr(attempt, "transport"):
                attempt.transport.settle()


# It fits its seam.
_reachability: type[ReachabilityObserver] = RecordingReachability
