"""
What a tunnel tells that was accepted, from its handshake until it is lost, and whom that concerns: the door,
the admission, its session, the log.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import LogLevel
from twisted.python.failure import Failure

from uotp.errors import PeerError, Refusal
from uotp.server.accepted import AcceptedConnections
from uotp.server.admission import SessionAdmission
from uotp.server.clientfields import clientFields
from uotp.server.entrance import Entrance
from uotp.server.refusals import Handshake
from uotp.server.registry import Registry
from uotp.telemetry import Logger, RateLimit, logCounted
from uotp.tunnel import AcceptedTunnel
from uotp.wire import ClientHello, ServerStatus

SHUT_OUT = frozenset({Refusal.REVOKED, Refusal.NOT_LISTED, Refusal.UNKNOWN_ISSUER})
"""
Why a tunnel ends that was let in: its client may not join any more, so its session need not wait for it.  One whose
token was taken away may have another one.
"""

NOT_ANY_MORE = SHUT_OUT | {Refusal.WRONG_TOKEN}
"""Why tunnels are closed, after files were read again, that were let in."""


class TunnelEvents:
    """
    Hears what accepted tunnels tell; see L{uotp.tunnel.states.AcceptedTunnelOwner}.
    """

    _log = Logger()

    def __init__(
        self,
        connections: AcceptedConnections,
        entrance: Entrance,
        admission: SessionAdmission,
        registry: Registry,
        wallClock: Callable[[], float],
        rateLimit: RateLimit,
    ) -> None:
        """
        @param registry: who knows the sessions.
        @param wallClock: seconds since 1970, for clients that ask.
        @param rateLimit: keeps the log short.
        """
        self._connections = connections
        self._entrance = entrance
        self._admission = admission
        self._registry = registry
        self._wallClock = wallClock
        self._rateLimit = rateLimit

    # Before it carries.

    def tunnelSecured(self, tunnel: AcceptedTunnel) -> None:
        """
        A handshake is done; that of one that is relayed was counted where it is, and that of one that has asked for
        the path when it came to the door.
        """
        accepted = self._connections[tunnel]
        if accepted.newcomer.isRelayed or accepted.isUpgraded:
            return
        if tunnel.security is not None:
            self._connections.refusals.handshakes[Handshake.DONE] += 1
        if not accepted.newcomer.hops:
            self._entrance.secured(tunnel, accepted)

    def noHello(self, tunnel: AcceptedTunnel, error: PeerError) -> None:
        """
        What has come on a connection is no hello.
        """
        self._entrance.noHello(tunnel, error)

    def peerEnded(self, tunnel: AcceptedTunnel) -> None:
        """
        The other end has said all, and no hello.
        """
        self._entrance.peerEnded(tunnel)

    def helloReceived(self, tunnel: AcceptedTunnel, hello: ClientHello) -> None:
        """
        A connection has said its hello.
        """
        self._admission.helloReceived(tunnel, hello)

    # While it carries.

    def tunnelDrained(self, tunnel: AcceptedTunnel) -> None:
        """
        The client closes it, and may have to say first that it leaves; a deadline of
        the tunnel's own bounds that.
        """
        self._connections.liveTunnels.log.tell(tunnel, "no more trains follow, neither way")

    def pongGivenUp(self, tunnel: AcceptedTunnel) -> None:
        """
        The client does not answer: it has opened another tunnel, if it lives.
        """
        peer = self._connections[tunnel].peer
        client = clientFields(tunnel.peerName)
        suppressed = self._rateLimit.suppressedBefore((peer, "pong given up"))
        log = self._connections.liveTunnels.log
        log.tell(tunnel, "no pong has come")
        words = "a tunnel from {peer}{clientWords} does not answer and is given up"
        logCounted(self._log, LogLevel.info, suppressed, words, peer=peer, **client)
        tunnel.abort()

    def peerLeft(self, tunnel: AcceptedTunnel) -> None:
        """
        The client says that its session is over.
        """
        served = self._connections[tunnel].served
        self._connections.liveTunnels.log.tell(tunnel, "the client says that its session is over")
        if served is not None:
            self._registry.peerLeft(served)

    def status(self, tunnel: AcceptedTunnel) -> ServerStatus | None:
        """
        A client asks how the server stands.
        """
        served = self._connections[tunnel].served
        return None if served is None else self._registry.status(served, int(self._wallClock() * 1000))

    # When it is gone.

    def tunnelLost(self, tunnel: AcceptedTunnel, reason: Failure) -> None:
        """
        A connection is gone.
        """
        connections = self._connections
        known = connections.get(tunnel)
        if known is not None and known.visitor is not None:
            known.visitor.lost(reason)
        accepted = connections.remove(tunnel)
        if accepted is None:  # it was to be handed over
            return
        words = tunnel.fault or tunnel.refusal
        if not tunnel.isSecured and tunnel.security is not None:
            ended = Handshake.LOST if tunnel.refusal is None else Handshake.REFUSED
            connections.refusals.handshakes[ended] += 1
        connections.liveTunnels.log.lost(tunnel, words or reason.getErrorMessage())
        connections.strangers.discard(accepted.newcomer)
        self._admission.lost(tunnel, accepted)
        if accepted.served is not None:
            isShutOut = tunnel.fault is not None and tunnel.faultKind in SHUT_OUT
            self._registry.tunnelLost(accepted.served, tunnel, isShutOut=isShutOut)
        if words is not None:
            wasLetIn = accepted.served is not None and tunnel.kind in NOT_ANY_MORE
            say = connections.refusals.sayShutOut if wasLetIn else connections.refusals.say
            say(accepted.peer, words, tunnel.kind, tunnel.peerName)
        elif accepted.served is None:
            connections.liveTunnels.log.strangerLost(accepted.peer, reason.getErrorMessage())
