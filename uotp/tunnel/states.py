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


class State(Enum):
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


class Event(Enum):
    """
    What can happen to a tunnel.
    """

    CONNECTED = auto()
    SECURED = auto()
    GREETED = auto()
    DRAIN = auto()
    PEER_DRAINS = auto()
    CLOSED = auto()
    DISCONNECTED = auto()


NEXT_STATE: dict[tuple[State, Event], State] = {
    (State.NEW, Event.CONNECTED): State.HANDSHAKE,
    (State.NEW, Event.DISCONNECTED): State.LOST,
    (State.HANDSHAKE, Event.SECURED): State.HELLO,
    (State.HANDSHAKE, Event.CLOSED): State.CLOSING,
    (State.HANDSHAKE, Event.DISCONNECTED): State.LOST,
    (State.HELLO, Event.GREETED): State.OPEN,
    (State.HELLO, Event.CLOSED): State.CLOSING,
    (State.HELLO, Event.DISCONNECTED): State.LOST,
    (State.OPEN, Event.DRAIN): State.DRAINING,
    (State.OPEN, Event.PEER_DRAINS): State.DRAINED,
    (State.OPEN, Event.CLOSED): State.CLOSING,
    (State.OPEN, Event.DISCONNECTED): State.LOST,
    (State.DRAINING, Event.PEER_DRAINS): State.DRAINED,
    (State.DRAINING, Event.CLOSED): State.CLOSING,
    (State.DRAINING, Event.DISCONNECTED): State.LOST,
    (State.DRAINED, Event.CLOSED): State.CLOSING,
    (State.DRAINED, Event.DISCONNECTED): State.LOST,
    (State.CLOSING, Event.DISCONNECTED): State.LOST,
}
"""
What each event leads to.  A pair that is not here changes nothing: a peer can
make a handshake end or bytes arrive after we have begun to close.
"""

TALKING = frozenset({State.OPEN, State.DRAINING, State.DRAINED})
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
