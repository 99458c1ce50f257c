"""
The life of a tunnel as a table: where it is, what can happen, and what that leads
to; and what there is to tell of it.  Nothing happens here.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, Protocol, TypeVar

from uotp.wire import ClientHello

T_contra = TypeVar("T_contra", contravariant=True)
"""A tunnel."""


class TunnelState(Enum):
    """
    Where in its life a tunnel is.  DRAINING: we have said that no more trains follow,
    and the other end has not.  DRAINED: both have.
    """

    NEW = auto()
    HANDSHAKE = auto()
    HELLO = auto()
    OPEN = auto()
    DRAINING = auto()
    DRAINED = auto()
    CLOSING = auto()
    LOST = auto()


class TunnelEvent(Enum):
    """
    What can happen to a tunnel.
    """

    CONNECTED = auto()
    SECURED = auto()
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
What each event leads to.  A pair that is not here changes nothing: a peer can
make a handshake end or bytes arrive after we have begun to close.
"""

TALKING = frozenset({TunnelState.OPEN, TunnelState.DRAINING, TunnelState.DRAINED})
"""Where frames go to and fro."""


class TunnelOwner(Protocol[T_contra]):
    """
    Whoever dialled or accepted a tunnel, as the tunnel sees it.
    """

    def tunnelDrained(self, tunnel: T_contra) -> None:
        """
        No more trains follow from either end, or the other end has had time enough to
        say so.
        """

    def pongGivenUp(self, tunnel: T_contra) -> None:
        """
        A pong is overdue for so long that the tunnel had better be replaced.
        """

    def tunnelLost(self, tunnel: T_contra, reason: Any) -> None:
        """
        The tunnel is gone, whatever its state was.

        @param reason: a C{Failure}.
        """


class DialledTunnelOwner(TunnelOwner[T_contra], Protocol[T_contra]):
    """
    Whoever dialled a tunnel.
    """

    def tunnelOpened(self, tunnel: T_contra) -> None:
        """
        The tunnel is open, as far as the other end is concerned; C{tunnel.carryFor} is
        called next.
        """


class AcceptedTunnelOwner(TunnelOwner[T_contra], Protocol[T_contra]):
    """
    Whoever accepted a tunnel.
    """

    def helloReceived(self, tunnel: T_contra, hello: ClientHello) -> None:
        """
        The client has said its hello.  Welcome the tunnel, or refuse it.
        """

    def peerLeft(self, tunnel: T_contra) -> None:
        """
        The client has left; its session may be forgotten.
        """
