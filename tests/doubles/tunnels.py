"""
Who hears of tunnels, links and heartbeats.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.python.failure import Failure

from uotp.boundaries import CarriedSession
from uotp.errors import PeerError
from uotp.tunnel.accepted import AcceptedTunnel
from uotp.tunnel.heartbeat import GIVE_UP_SECONDS, IDLE_SECONDS, HeartbeatOwner
from uotp.tunnel.link import LinkOwner
from uotp.tunnel.states import AcceptedTunnelOwner, DialledTunnelOwner
from uotp.tunnel.tunnel import Tunnel
from uotp.wire.hello import ClientHello
from uotp.wire.status import ServerStatus


class RecordingOwner:
    """
    Keeps what tunnels tell whoever dialled or accepted them, and has each carry for a session at once.

    @ivar session: whom opened and greeted tunnels carry for; L{None} leaves them as they are.
    @ivar overdue: those whose pong is overdue.
    @ivar givenUp: those whose pong was given up.
    @ivar tells: what clients are told that ask how the server stands.
    """

    def __init__(self, session: CarriedSession | None = None) -> None:
        self.session = session
        self.opened: list[Tunnel] = []
        self.secured: list[Tunnel] = []
        self.hellos: list[ClientHello] = []
        self.drained: list[Tunnel] = []
        self.overdue: list[Tunnel] = []
        self.givenUp: list[Tunnel] = []
        self.ended: list[Tunnel] = []
        self.left: list[Tunnel] = []
        self.lost: list[tuple[Tunnel, Failure]] = []
        self.tells: ServerStatus | None = None

    def tunnelAdvanced(self, tunnel: Tunnel) -> None:
        """
        What it waits for can be read from its state.
        """

    def tunnelOpened(self, tunnel: Tunnel) -> None:
        self.opened.append(tunnel)
        if self.session is not None:
            tunnel.carryFor(self.session)

    def tunnelSecured(self, tunnel: Tunnel) -> None:
        self.secured.append(tunnel)

    def helloReceived(self, tunnel: Tunnel, hello: ClientHello) -> None:
        self.hellos.append(hello)
        if self.session is not None:
            assert isinstance(tunnel, AcceptedTunnel)
            tunnel.welcome(self.session, isNew=True, keptSeconds=150)

    def tunnelDrained(self, tunnel: Tunnel) -> None:
        self.drained.append(tunnel)

    def pongOverdue(self, tunnel: Tunnel) -> None:
        self.overdue.append(tunnel)

    def pongCame(self, tunnel: Tunnel) -> None:
        self.overdue.remove(tunnel)

    def pongGivenUp(self, tunnel: Tunnel) -> None:
        self.givenUp.append(tunnel)

    def peerLeft(self, tunnel: Tunnel) -> None:
        self.left.append(tunnel)

    def noHello(self, tunnel: Tunnel, error: PeerError) -> None:
        assert isinstance(tunnel, AcceptedTunnel)
        (tunnel.sayNoTls if tunnel.hearsTls else tunnel.misbehaved)(error)

    def peerEnded(self, tunnel: Tunnel) -> None:
        self.ended.append(tunnel)

    def status(self, tunnel: Tunnel) -> ServerStatus | None:
        return self.tells

    def tunnelLost(self, tunnel: Tunnel, reason: Failure) -> None:
        self.lost.append((tunnel, reason))


class _Told:
    """
    Keeps what somebody is told, in words.

    @ivar told: that, in order.
    @ivar whenTold: called each time.
    """

    def __init__(self) -> None:
        self.told: list[str] = []
        self.whenTold: Callable[[], None] = lambda: None

    def _keep(self, told: str) -> None:
        self.told.append(told)
        self.whenTold()

    def pongOverdue(self) -> None:
        self._keep("overdue")

    def pongCame(self) -> None:
        self._keep("came")

    def pongGivenUp(self) -> None:
        self._keep("given up")


class RecordingLinkOwner(_Told):
    """
    Keeps what a link tells its tunnel: "overdue", "came", "given up", "drains" and "leaves".

    @ivar giveUpSeconds: as the heartbeat of a client's end has it.
    @ivar idleSeconds: the same.
    @ivar faults: what the other end did that it may not do.
    @ivar full: whether the stream holds as much as it wants to.
    @ivar maySayBye: whether the other end may leave.
    @ivar tells: what it tells the other end of how we stand.
    """

    def __init__(self) -> None:
        super().__init__()
        self.giveUpSeconds = GIVE_UP_SECONDS
        self.idleSeconds = IDLE_SECONDS
        self.faults: list[str] = []
        self.full = False
        self.maySayBye = True
        self.tells: ServerStatus | None = None

    def isFull(self) -> bool:
        return self.full

    def peerDrained(self) -> None:
        self._keep("drains")

    def peerLeft(self) -> None:
        self._keep("leaves")
        if not self.maySayBye:
            reason = "it may not leave"
            raise PeerError(reason)

    def status(self) -> ServerStatus | None:
        return self.tells

    def misbehaved(self, error: PeerError) -> None:
        self.faults.append(str(error))


class RecordingHeartbeatOwner(_Told):
    """
    Keeps what a heartbeat tells its tunnel: "overdue", "came" and "given up".

    @ivar path: the round trip that the kernel sees.
    @ivar delivered: what the kernel tells of what was acknowledged and what not.
    """

    path = 0.0
    delivered: tuple[int, int] | None = None

    def pathRoundTrip(self) -> float:
        return self.path

    def delivery(self) -> tuple[int, int] | None:
        return self.delivered


# Each twin fits its seam.
_dialledBy: type[DialledTunnelOwner[Tunnel]] = RecordingOwner
_acceptedBy: type[AcceptedTunnelOwner[Tunnel]] = RecordingOwner
_linkOwner: type[LinkOwner] = RecordingLinkOwner
_heartbeatOwner: type[HeartbeatOwner] = RecordingHeartbeatOwner
