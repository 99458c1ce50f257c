"""
Who dials or accepts tunnels.
"""

from __future__ import annotations

from twisted.python.failure import Failure

from uotp.boundaries import CarriedSession
from uotp.tunnel.accepted import AcceptedTunnel
from uotp.tunnel.states import AcceptedTunnelOwner, DialledTunnelOwner
from uotp.tunnel.tunnel import Tunnel
from uotp.wire.hello import ClientHello


class RecordingOwner:
    """
    Keeps what tunnels tell whoever dialled or accepted them, and has each carry for a session at once.

    @ivar session: whom opened and greeted tunnels carry for; L{None} leaves them as they are.
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
        self.opened.append(tunnel)
        if self.session is not None:
            tunnel.carryFor(self.session)

    def helloReceived(self, tunnel: Tunnel, hello: ClientHello) -> None:
        self.hellos.append(hello)
        if self.session is not None:
            assert isinstance(tunnel, AcceptedTunnel)
            tunnel.welcome(self.session, isNew=True, keptSeconds=150)

    def tunnelDrained(self, tunnel: Tunnel) -> None:
        self.drained.append(tunnel)

    def pongGivenUp(self, tunnel: Tunnel) -> None:
        self.givenUp.append(tunnel)

    def peerLeft(self, tunnel: Tunnel) -> None:
        self.left.append(tunnel)

    def tunnelLost(self, tunnel: Tunnel, reason: Failure) -> None:
        self.lost.append((tunnel, reason))


# Each twin fits its seam.
_dialledBy: type[DialledTunnelOwner[Tunnel]] = RecordingOwner
_acceptedBy: type[AcceptedTunnelOwner[Tunnel]] = RecordingOwner
