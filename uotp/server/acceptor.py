"""
Where the server's connections come in.  Until a connection has shown a session
id it belongs to nobody, costs as little as can be, and not for long; then the
registry says whom it carries for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Factory
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from uotp.errors import PeerError
from uotp.server.registry import Joined, Registry, ServedSession
from uotp.telemetry import Logger, RateLimit, logCounted, spelled
from uotp.tunnel import AcceptedTunnel, LiveTunnels, Tunnel
from uotp.wire import FORMATS, ClientHello, WireChoice

HELLO_SECONDS = 10.0
"""How long it may take from accept to the session id, with the handshake: a client gives up after 4 s."""

MAX_UNKNOWN = 512
"""
How many connections there may be that have shown no id yet.  When there are more, the
oldest goes: an honest client is through in a few round trips, so whoever waits long is not
one.
"""

MAX_TUNNELS = 32768
"""How many tunnels all sessions together may have; at 31 KB each, they take a gigabyte."""


@dataclass(slots=True)
class Accepted:
    """
    Says what is known of one accepted connection.

    @ivar peer: the host that it comes from.
    @ivar deadline: runs out when it shows no session id; L{None} from when it has, or when
        it is aborted for that.
    @ivar served: whom it carries for; L{None} before.
    """

    peer: str
    deadline: IDelayedCall | None
    served: ServedSession | None = None


class Acceptor(Factory):
    """
    Makes tunnels of accepted connections, and brings them to their sessions.
    """

    noisy = False
    _log = Logger()

    def __init__(
        self,
        registry: Registry,
        liveTunnels: LiveTunnels,
        clock: Any,
        rateLimit: RateLimit,
        wire: WireChoice = WireChoice.AUTO,
        maxUnknown: int = MAX_UNKNOWN,
    ) -> None:
        """
        @param registry: who knows the sessions.
        @param liveTunnels: of the service.
        @param clock: C{IReactorTime}.
        @param rateLimit: keeps the log short; our own, since strangers choose what is
            said here.
        @param wire: which formats may be spoken.
        @param maxUnknown: how many connections there may be that have shown no id.
        """
        self._registry = registry
        self._liveTunnels = liveTunnels
        self._clock = clock
        self._rateLimit = rateLimit
        self._wire = wire
        self._closed = False
        self._maxUnknown = maxUnknown
        self._accepted: dict[Tunnel, Accepted] = {}
        self._unknown: dict[Tunnel, None] = {}  # an index: those with a deadline, the oldest first

    def buildProtocol(self, addr: IAddress | None) -> Tunnel | None:
        """
        A connection was accepted.

        @return: its tunnel, or L{None} to close it.
        """
        if self._closed:
            return None
        peer = str(getattr(addr, "host", "?"))
        if len(self._liveTunnels) >= MAX_TUNNELS:
            self._refused(peer, f"there are {MAX_TUNNELS} tunnels already")
            return None
        if len(self._unknown) >= self._maxUnknown:
            self._abortOldestUnknown()
        tunnel = AcceptedTunnel(self._clock, self)
        self._accepted[tunnel] = Accepted(peer, self._clock.callLater(HELLO_SECONDS, self._tooSlow, tunnel))
        self._unknown[tunnel] = None
        self._liveTunnels.add(tunnel)
        return tunnel

    def _endWait(self, tunnel: Tunnel) -> bool:
        """
        Wait for a session id no longer.

        @return: whether we were waiting for one.
        """
        accepted = self._accepted[tunnel]
        deadline, accepted.deadline = accepted.deadline, None
        if deadline is None:
            return False
        del self._unknown[tunnel]
        if deadline.active():
            deadline.cancel()
        return True

    def _abortOldestUnknown(self) -> None:
        oldest = next(iter(self._unknown))
        self._endWait(oldest)
        oldest.abort()
        self._refused("many places", f"over {self._maxUnknown} connections without a session id, the oldest goes")

    def _tooSlow(self, tunnel: Tunnel) -> None:
        self._endWait(tunnel)
        self._refused(self._accepted[tunnel].peer, f"showed no session id in {HELLO_SECONDS:.0f} s")
        tunnel.abort()

    def _refused(self, peer: str, reason: str) -> None:
        logCounted(
            self._log,
            LogLevel.warn,
            self._rateLimit.suppressedBefore((peer, reason)),
            "refused a connection from {peer}: {reason}",
            peer=peer,
            reason=reason,
        )

    def open(self) -> None:
        """
        Let clients in, as from the beginning.
        """
        self._closed = False

    def close(self) -> None:
        """
        Let nobody in any more.
        """
        self._closed = True

    def helloReceived(self, tunnel: Tunnel, hello: ClientHello) -> None:
        """
        A connection has said its hello.
        """
        if not self._endWait(tunnel):  # aborted already
            return
        assert isinstance(tunnel, AcceptedTunnel)
        accepted = self._accepted[tunnel]
        try:
            joined = self._join(tunnel, accepted.peer, hello)
        except PeerError as error:
            self._refused(accepted.peer, str(error))
            tunnel.refuse()
            return
        accepted.served = joined.served
        tunnel.welcome(joined.served.session, isNew=joined.isNew, keptSeconds=self._registry.linger)

    def _join(self, tunnel: Tunnel, peer: str, hello: ClientHello) -> Joined:
        if self._closed:
            reason = "the server stops"
            raise PeerError(reason)
        if hello.wireFormat not in FORMATS[self._wire]:
            reason = (
                f"it speaks format {hello.wireFormat.value}, and {spelled('wire')} {self._wire.value} was said here"
            )
            raise PeerError(reason)
        security = tunnel.security
        owner = None if security is None else security.peerKey
        return self._registry.join(hello.sessionId, owner, tunnel, peer)

    def tunnelDrained(self, tunnel: Tunnel) -> None:
        """
        The client closes it, and may have to say first that it leaves; a deadline of
        the tunnel's own bounds that.
        """

    def pongGivenUp(self, tunnel: Tunnel) -> None:
        """
        The client does not answer: it has opened another tunnel, if it lives.
        """
        peer = self._accepted[tunnel].peer
        suppressed = self._rateLimit.suppressedBefore((peer, "pong given up"))
        words = "a tunnel from {peer} does not answer and is given up"
        logCounted(self._log, LogLevel.info, suppressed, words, peer=peer)
        tunnel.abort()

    def peerLeft(self, tunnel: Tunnel) -> None:
        """
        The client says that its session is over.
        """
        served = self._accepted[tunnel].served
        if served is not None:
            self._registry.peerLeft(served)

    def tunnelLost(self, tunnel: Tunnel, reason: Failure) -> None:
        """
        A connection is gone.
        """
        self._liveTunnels.discard(tunnel)
        self._endWait(tunnel)
        accepted = self._accepted.pop(tunnel)
        if accepted.served is not None:
            self._registry.tunnelLost(accepted.served, tunnel)
        words = tunnel.fault or tunnel.refusal
        if words is not None:
            self._refused(accepted.peer, words)
        else:
            self._log.debug(
                "connection from {peer} ended: {reason}", peer=accepted.peer, reason=reason.getErrorMessage()
            )

    def checkInvariant(self) -> None:
        """
        What holds between any two events.

        @raise AssertionError: when it does not.
        """
        assert len(self._unknown) <= self._maxUnknown
        assert list(self._unknown) == [tunnel for tunnel, each in self._accepted.items() if each.deadline is not None]
        assert len(self._accepted) <= len(self._liveTunnels)
        for tunnel, accepted in self._accepted.items():
            assert accepted.deadline is None or (accepted.deadline.active() and accepted.served is None)
            assert accepted.served is None or tunnel in accepted.served.tunnels
