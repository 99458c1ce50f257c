"""
The way of a connection past the door: whoever has not shown a hello is looked at there, and is a tunnel at
the secret path, or a visitor of the web site, and no stranger of ours any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure

from uotp.boundaries import Allowance
from uotp.errors import PeerError, Refusal
from uotp.server.accepted import Accepted, AcceptedConnections
from uotp.server.door.request import PathUpgrade
from uotp.server.door.visitor import Visitor
from uotp.server.door.visitors import Door, Visitors
from uotp.server.limits import ConnectionLimits
from uotp.telemetry import spelled
from uotp.tunnel import AcceptedTunnel

VISITORS_REASONS = frozenset({Refusal.MALFORMED, Refusal.TOO_SLOW})
"""Why those are no clients who look for a web site.  Who shows a wrong token, say, looked for us."""


class Entrance:
    """
    Brings connections to the door, and what has become of them there to whoever counts them.

    @ivar visitors: those at the door.
    """

    def __init__(
        self,
        connections: AcceptedConnections,
        clock: Any,
        wallClock: Callable[[], float],
        door: Door,
        visitorAllowance: Callable[[], Allowance],
        limits: ConnectionLimits,
        newTunnel: Callable[[], AcceptedTunnel],
    ) -> None:
        """
        @param clock: C{IReactorTime}.
        @param wallClock: seconds since 1970.
        @param door: who may come in, and who answers the others.
        @param visitorAllowance: makes the allowance of one more visitor.
        @param limits: how many visitors there may be.
        @param newTunnel: makes the tunnel of one more connection.
        """
        self._connections = connections
        self._door = door
        self._newTunnel = newTunnel
        self.visitors = Visitors(clock, wallClock, self, door, visitorAllowance, limits.visitors, limits.visitorsOwned)

    # What the tunnel tells that waits for a hello.

    def secured(self, tunnel: AcceptedTunnel, accepted: Accepted) -> None:
        """
        Its handshake is done, or there is none.
        """
        if self.visitors.isLoop(tunnel):
            tunnel.misbehaved(PeerError(f"it comes from us: {spelled('fallback')} names this very server"))
        else:
            accepted.visitor = self.visitors.watch(tunnel, accepted.newcomer, hasWaited=accepted.hasWaited)

    def noHello(self, tunnel: AcceptedTunnel, error: PeerError) -> None:
        """
        What has come on a connection is no hello.
        """
        visitor = self._connections[tunnel].visitor
        if visitor is None:
            tunnel.misbehaved(error)
        elif tunnel.hearsTls and self._door.fallback is None:
            visitor.isClient()
            tunnel.sayNoTls(error)
        else:
            visitor.noHello(tunnel.shown, error)

    def peerEnded(self, tunnel: AcceptedTunnel) -> None:
        """
        The other end has said all, and no hello.
        """
        visitor = self._connections[tunnel].visitor
        if visitor is not None:
            visitor.peerEnded(tunnel.shown)

    # What has become of it at the door; see DoorOwner.

    def takenOver(self, visitor: Visitor) -> None:
        """
        See L{uotp.server.door.visitors.DoorOwner}.
        """
        self._connections.remove(visitor.tunnel)

    def visitorCame(self, visitor: Visitor, reason: PeerError | None, *, hasRoom: bool) -> None:
        """
        See L{uotp.server.door.visitors.DoorOwner}.  For whom there is no room stays a stranger, who has to go soon.
        """
        if hasRoom:
            self._connections.strangers.discard(visitor.newcomer)
        if reason is not None:
            refusals = self._connections.refusals
            isExpected = hasRoom and self._door.fallback is not None and reason.kind in VISITORS_REASONS
            say = refusals.sayVisitor if isExpected else refusals.say
            say(visitor.newcomer.host, str(reason), reason.kind, visitor.tunnel.peerName)

    def visitorLeft(self, visitor: Visitor, reason: Failure | None) -> None:
        """
        See L{uotp.server.door.visitors.DoorOwner}.
        """
        if reason is None or self._connections.get(visitor.tunnel) is not None:
            return
        self._connections.strangers.discard(visitor.newcomer)
        self._connections.liveTunnels.log.strangerLost(visitor.newcomer.host, reason.getErrorMessage())

    def upgraded(self, visitor: Visitor, upgrade: PathUpgrade) -> None:
        """
        Somebody has asked for the path: he has to say hello within what comes now.
        """
        stream = visitor.stream
        tunnel = self._newTunnel()
        self._connections.add(tunnel, Accepted(visitor.newcomer, isUpgraded=True))
        stream.write(upgrade.answer)
        stream.handTo(tunnel)
        tunnel.makeConnection(stream)
        if tunnel.security is not None:
            tunnel.handshakeCompleted()
        stream.becomeWebSocket(upgrade.rest, masks=False)
