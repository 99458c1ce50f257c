"""
What is spoken on an open tunnel, whatever the format: trains both ways, and maybe pings,
and how a tunnel ends with nothing lost.  A link exists only while its tunnel is open.  It
stands between the stream and the session: what comes it hands straight to the session, and
what the session gives it, it writes straight to the stream.  The connection under it, and
its life, are L{uotp.tunnel.tunnel}'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from uotp.boundaries import CarriedSession, Stream
from uotp.errors import PeerError
from uotp.path import PathStats
from uotp.train import Arrival, Train
from uotp.tunnel.readiness import Readiness


@dataclass(frozen=True, slots=True)
class LinkStatistics:
    """
    What a link has done and how it stands.

    @ivar carried: bytes of frames, both ways.
    @ivar roundTrip: to the other end's program and back, in seconds; 0 while it is not
        known.
    @ivar unackedBytes: payload and overhead that are kept, since they may have to be sent
        again.
    @ivar queuedBytes: what the stream holds and has not given to the kernel.
    @ivar path: how the path is, or L{None} where the system does not tell.
    """

    carried: int
    roundTrip: float
    unackedBytes: int
    queuedBytes: int
    path: PathStats | None


class LinkOwner(Protocol):
    """
    A tunnel, as its link sees it.

    @ivar giveUpSeconds: how long a pong may be overdue.
    """

    giveUpSeconds: float

    def isFull(self) -> bool:
        """
        @return: whether the stream holds as much as it wants to.
        """

    def pongGivenUp(self) -> None:
        """
        A pong is overdue for so long that the tunnel had better be replaced.
        """

    def peerDrained(self) -> None:
        """
        The other end sends no more trains.
        """

    def peerLeft(self) -> None:
        """
        The other end leaves, and its session with it.

        @raise PeerError: when it may not say so.
        """

    def misbehaved(self, error: PeerError) -> None:
        """
        The other end did what it may not do: that costs this tunnel.
        """


class TunnelLink:
    """
    Speaks on one tunnel for one session.  What a format cannot do, its link does not do.

    @ivar roundTrip: to the other end's program and back, smoothed, in seconds; 0 while
        it is not known.
    @ivar sentAt: when it was given trains last, by the session's clock.
    @ivar carried: bytes of frames, both ways.
    """

    roundTrip = 0.0
    sentAt = float("-inf")

    def __init__(self, stream: Stream, owner: LinkOwner, session: CarriedSession, clock: Callable[[], float]) -> None:
        """
        @param stream: what the tunnel is made of.
        @param session: whom the tunnel carries for.
        @param clock: the session's, monotonic seconds.
        """
        self._stream = stream
        self._owner = owner
        self._inbound = session.inbound
        self._seconds = clock
        self._readiness = Readiness(self, session.outbound, full=owner.isFull())
        self._carries = True
        self._isOver = False
        self.carried = 0
        # Asked for each train that may carry: no frame of ours between.
        self.cost = stream.cost
        self.isTroubled = stream.isTroubled
        self.pathStats = stream.pathStats

    def send(self, trains: list[Train], now: float) -> None:
        """
        See L{uotp.boundaries.Link.send}; what is over sends nothing.
        """
        raise NotImplementedError

    def sendAgain(self, arrivals: list[Arrival]) -> None:
        """
        See L{uotp.boundaries.Link.sendAgain}: nothing, where nobody could tell what comes
        twice.
        """

    def holdsUnacked(self) -> bool:
        """
        See L{uotp.boundaries.Link.holdsUnacked}.
        """
        return False

    def takeUnacked(self) -> list[Arrival]:
        """
        See L{uotp.boundaries.Link.takeUnacked}.
        """
        return []

    def received(self, data: bytes) -> None:
        """
        Bytes came: hand the trains on, and do what is asked for.
        """
        raise NotImplementedError

    def start(self) -> None:
        """
        The tunnel is open: let the session use it.
        """
        self._readiness.begin()

    def full(self) -> None:
        """
        The stream holds as much as it wants to.
        """
        self._readiness.full()

    def free(self) -> None:
        """
        The stream takes more.
        """
        self._readiness.free()

    def prove(self) -> bool:
        """
        Find out soon whether the other end is still there.

        @return: whether this format can.
        """
        return False

    def drain(self) -> bool:
        """
        Say that no more trains follow, once, and send none.

        @return: whether this format can.
        """
        return False

    def bye(self) -> None:
        """
        Say that the session is over.
        """

    def end(self, *, isLost: bool) -> None:
        """
        The tunnel is open no more.

        @param isLost: whether what it was given may not have arrived, so that another has
            to carry it.
        """
        self._readiness.end()
        self._carries = False
        self._isOver = True

    def statistics(self) -> LinkStatistics:
        """
        @return: how the link stands.
        """
        return LinkStatistics(
            carried=self.carried,
            roundTrip=self.roundTrip,
            unackedBytes=self.unackedBytes,
            queuedBytes=self._stream.queuedBytes(),
            path=self.pathStats(),
        )

    @property
    def unackedBytes(self) -> int:
        """
        Payload and overhead that are kept, since they may have to be sent again.
        """
        return 0
