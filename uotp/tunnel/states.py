"""
The life of a tunnel as a table: its states, the events, and where they lead; and the owners
that are told of it.  There is no code here that acts.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, Protocol, TypeVar

from uotp.errors import PeerError
from uotp.wire import ClientHello, ServerStatus

T_contra = TypeVar("T_contra", contravariant=True)
"""A tunnel."""


class TunnelState(Enum):
    """
    Tells where in its life a tunnel is.  UPGRADING: we have asked a web server to go on with
    WebSocket.  DRAINING: we have said that no more trains follow, and the other end has not.
    DRAINED: both have.
    """

    NEW = auto()
    HANDSHAKE = auto()
    UPGRADING = auto()
    HELLO = auto()
    OPEN = auto()
    DRAINING = auto()
    DRAINED = auto()
    CLOSING = auto()
    LOST = auto()


class TunnelEvent(Enum):
    """
    Names what can happen to a tunnel.
    """

    CONNECTED = auto()
    SECURED = auto()
    ASKED = auto()
    UPGRADED = auto()
    GREETED = auto()
    DRAIN = auto()
    PEER_DRAINED = auto()
    CLOSED = auto()
    DISCONNECTED = auto()


TUNNEL_STATES: dict[tuple[TunnelState, TunnelEvent], TunnelState] = {
    (TunnelState.NEW, TunnelEvent.CONNECTED): TunnelState.HANDSHAKE,
    (TunnelState.NEW, TunnelEvent.DISCONNECTED): TunnelState.LOST,
    (TunnelState.HANDSHAKE, TunnelEvent.SECURED): TunnelState.HELLO,
    (TunnelState.HANDSHAKE, TunnelEvent.CLOSED): TunnelState.CLOSING,
    (TunnelState.HANDSHAKE, TunnelEvent.DISCONNECTED): TunnelState.LOST,
    (TunnelState.HELLO, TunnelEvent.ASKED): TunnelState.UPGRADING,
    (TunnelState.UPGRADING, TunnelEvent.UPGRADED): TunnelState.HELLO,
    (TunnelState.UPGRADING, TunnelEvent.CLOSED): TunnelState.CLOSING,
    (TunnelState.UPGRADING, TunnelEvent.DISCONNECTED): TunnelState.LOST,
    (TunnelState.HELLO, TunnelEvent.GREETED): TunnelState.OPEN,
    (TunnelState.HELLO, TunnelEvent.CLOSED): TunnelState.CLOSING,
    (TunnelState.HELLO, TunnelEvent.DISCONNECTED): TunnelState.LOST,
    (TunnelState.OPEN, TunnelEvent.DRAIN): TunnelState.DRAINING,
    (TunnelState.OPEN, TunnelEvent.PEER_DRAINED): TunnelState.DRAINED,
    (TunnelState.OPEN, TunnelEvent.CLOSED): TunnelState.CLOSING,
    (TunnelState.OPEN, TunnelEvent.DISCONNECTED): TunnelState.LOST,
    (TunnelState.DRAINING, TunnelEvent.PEER_DRAINED): TunnelState.DRAINED,
    (TunnelState.DRAINING, TunnelEvent.CLOSED): TunnelState.CLOSING,
    (TunnelState.DRAINING, TunnelEvent.DISCONNECTED): TunnelState.LOST,
    (TunnelState.DRAINED, TunnelEvent.CLOSED): TunnelState.CLOSING,
    (TunnelState.DRAINED, TunnelEvent.DISCONNECTED): TunnelState.LOST,
    (TunnelState.CLOSING, TunnelEvent.DISCONNECTED): TunnelState.LOST,
}
"""
The state that each event leads to.  A pair that is not here changes nothing: a handshake may
end, or bytes may come, after we have begun to close.
"""

TALKING = frozenset({TunnelState.OPEN, TunnelState.DRAINING, TunnelState.DRAINED})
"""The states in which frames go both ways."""


class TunnelOwner(Protocol[T_contra]):
    """
    Is told of the life of a tunnel that it dialled or accepted.
    """

    def tunnelDrained(self, tunnel: T_contra) -> None:
        """
        Both ends have said that no more trains follow, or the other end has not said so in
        time.
        """

    def pongGivenUp(self, tunnel: T_contra) -> None:
        """
        A pong has been overdue for so long that the tunnel had better be replaced.
        """

    def tunnelLost(self, tunnel: T_contra, reason: Any) -> None:
        """
        The connection is gone, whatever the tunnel's state was.

        @param reason: a C{Failure}.
        """


class DialledTunnelOwner(TunnelOwner[T_contra], Protocol[T_contra]):
    """
    Is told of the life of a tunnel that it dialled.
    """

    def tunnelAdvanced(self, tunnel: T_contra) -> None:
        """
        TCP is connected, or the handshake is done; C{tunnel.state} says what comes next.
        """

    def tunnelOpened(self, tunnel: T_contra) -> None:
        """
        The other end lets the tunnel carry.  Call C{tunnel.carryFor} next.
        """

    def pongOverdue(self, tunnel: T_contra) -> None:
        """
        The other end has not answered in time, and the tunnel carries nothing.
        """

    def pongCame(self, tunnel: T_contra) -> None:
        """
        The other end answers again, and the tunnel carries.
        """


class AcceptedTunnelOwner(TunnelOwner[T_contra], Protocol[T_contra]):
    """
    Is told of the life of a tunnel that it accepted.
    """

    def tunnelSecured(self, tunnel: T_contra) -> None:
        """
        The handshake of TLS is done, or there is none.
        """

    def helloReceived(self, tunnel: T_contra, hello: ClientHello) -> None:
        """
        The client has said its hello.  Call C{tunnel.welcome} or C{tunnel.refuse} next.
        """

    def noHello(self, tunnel: T_contra, error: PeerError) -> None:
        """
        What has come is no hello.  Call C{tunnel.misbehaved} next, or let somebody else have the connection.
        """

    def peerEnded(self, tunnel: T_contra) -> None:
        """
        The other end has said all, without a hello, and listens.
        """

    def peerLeft(self, tunnel: T_contra) -> None:
        """
        The client has said bye: its session may be forgotten.
        """

    def status(self, tunnel: T_contra) -> ServerStatus | None:
        """
        @return: what the client is told that asks how the server stands; L{None} for nothing.
        """
