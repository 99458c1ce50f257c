"""
What links of both formats have in common.  A link is what is spoken on an open tunnel: trains
both ways, and in format 2 pings and a farewell.  It begins when its tunnel opens.  It stands
between the stream and the session: it hands what comes directly to the session, and writes
what the session gives it directly to the stream.  The life of the connection under it is
the business of L{uotp.tunnel.tunnel}.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from uotp.boundaries import Allowance, CarriedSession, InboundTrains, QueueRoom, Stream
from uotp.errors import PeerError
from uotp.path import PathStats
from uotp.train import Arrival, Missing, Train
from uotp.tunnel.readiness import Readiness
from uotp.wire import ServerStatus

PORTION_UNITS = 16
"""
So many units (L{uotp.train.unitsOf}) are decoded at one go, before somebody looks whether the
allowance is spent.  Most reads of an honest peer are no more.
"""


SHORT_ROUND_TRIP_SECONDS = 1.0
"""Whoever waits for a path with a shorter round trip need not know how short it is."""

MAX_UNDECODED_BYTES = 256 * 1024
"""
There is never so much: a read is no longer than 80 KiB, and a frame no longer than 64.  What was
read with the hello may wait when the first read comes.
"""

MUCH_UNDECODED_BYTES = 4096
"""
When more than this is not decoded yet, it counts in the memory of whoever the tunnel is for.
Datagrams of most networks are shorter, so it seldom is more.
"""


@dataclass(frozen=True, slots=True)
class LinkStatistics:
    """
    Says what a link has done so far, and how it is now.

    @ivar bytesOut: bytes of frames that were written.
    @ivar bytesIn: bytes of frames that have come.
    @ivar roundTrip: to the other end's program and back, in seconds; 0 while it is not
        known.
    @ivar unackedBytes: payload and overhead of trains that are kept because they may have to
        be sent again.
    @ivar queuedBytes: what the stream holds and has not given to the kernel.
    @ivar path: what the kernel tells of the path, or L{None} where it does not.
    """

    bytesOut: int
    bytesIn: int
    roundTrip: float
    unackedBytes: int
    queuedBytes: int
    path: PathStats | None


class LinkOwner(Protocol):
    """
    Stands for a tunnel towards its link.

    @ivar giveUpSeconds: how long a pong may be overdue.
    @ivar idleSeconds: how long the tunnel may be silent.
    """

    giveUpSeconds: float
    idleSeconds: float

    def isFull(self) -> bool:
        """
        @return: whether the stream holds something that the kernel did not take.
        """

    def pongOverdue(self) -> None:
        """
        The other end has not answered in time.
        """

    def pongCame(self) -> None:
        """
        The other end answers again, after L{pongOverdue}.
        """

    def pongGivenUp(self) -> None:
        """
        A pong has been overdue for so long that the tunnel had better be replaced.
        """

    def peerDrained(self) -> None:
        """
        The other end sends no more trains.
        """

    def peerLeft(self) -> None:
        """
        The other end has said bye: its session is over.

        @raise PeerError: when it may not say so.
        """

    def status(self) -> ServerStatus | None:
        """
        @return: what the other end is told when it asks how we stand, or L{None} for nothing.
        """

    def misbehaved(self, error: PeerError) -> None:
        """
        The other end did what it may not do, which ends this tunnel.
        """


class Nobody:
    """
    Stands in the place of the owner of a link whose tunnel is lost.
    """

    giveUpSeconds = idleSeconds = 0.0

    def isFull(self) -> bool:
        """
        @return: L{True}, since nothing is to be written.
        """
        return True

    def pongOverdue(self) -> None:
        """
        Nobody minds.
        """

    def pongCame(self) -> None:
        """
        Nobody minds.
        """

    def pongGivenUp(self) -> None:
        """
        Nobody minds.
        """

    def peerDrained(self) -> None:
        """
        Nobody minds.
        """

    def peerLeft(self) -> None:
        """
        Nobody minds.
        """

    def status(self) -> None:
        """
        Nobody knows.
        """

    def misbehaved(self, error: PeerError) -> None:
        """
        Nobody minds.
        """


NOBODY = Nobody()


class TunnelLink:
    """
    Speaks on one tunnel for one session.  Where a format lacks something, its link does
    nothing.

    What has come is decoded as far as the allowance of the session's owner reaches, and the
    rest in the owner's next turns.  The stream reads nothing meanwhile.

    @ivar roundTrip: to the other end's program and back, smoothed, in seconds; 0 while
        it is not known.
    @ivar sentAt: when the link was last given trains, by the session's clock.
    @ivar bytesOut: bytes of frames that were written.
    @ivar bytesIn: bytes of frames that have come.
    """

    roundTrip = 0.0
    sentAt = float("-inf")

    def __init__(self, stream: Stream, owner: LinkOwner, session: CarriedSession, clock: Callable[[], float]) -> None:
        """
        @param stream: the tunnel's connection.
        @param owner: the tunnel.
        @param session: the session that the tunnel carries for.
        @param clock: the session's clock, in monotonic seconds.
        """
        self._stream = stream
        self._owner = owner
        self._inbound = session.inbound
        self._outbound = session.outbound
        self._allowance: Allowance = session.allowance
        self._hasTurn = False  # the owner's next turn goes on with what has come
        self._room: QueueRoom | None = None  # for what is not decoded, when that is much
        self._seconds = clock
        self._readiness = Readiness(self, session.outbound, full=owner.isFull())
        self._carries = True
        self._isOver = False
        self.bytesOut = self.bytesIn = 0
        # The session asks these often, so no function of ours stands between.
        self.cost = stream.cost
        self.isTroubled = stream.isTroubled
        self.pathStats = stream.pathStats
        self._bound: int | None = None  # of what the kernel holds
        self._boundRate: int | None = None  # at which it sends
        self._allowedRoundTrip: float | None = None  # the kernel has not been told any

    def send(self, trains: list[Train], now: float) -> None:
        """
        See L{uotp.boundaries.Link.send}.  A link that is over sends nothing.
        """
        raise NotImplementedError

    def sendAgain(self, arrivals: list[Arrival]) -> None:
        """
        See L{uotp.boundaries.Link.sendAgain}.  Without numbers nothing is sent again, since
        the other end could not tell what comes twice.
        """

    def ask(self) -> None:
        """
        See L{uotp.boundaries.Link.ask}.  Without pings nobody can be asked.
        """

    @property
    def numbers(self) -> bool:
        """
        See L{uotp.boundaries.Link.numbers}.
        """
        return False

    def nudge(self) -> None:
        """
        See L{uotp.boundaries.Link.nudge}.
        """

    def report(self, missing: list[Missing]) -> None:
        """
        See L{uotp.boundaries.Link.report}.
        """

    def unackedWithin(self, begin: int, count: int, most: int, by: float) -> list[Arrival]:
        """
        See L{uotp.boundaries.Link.unackedWithin}.
        """
        return []

    def boundInFlight(self, size: int | None) -> None:
        """
        See L{uotp.boundaries.Link.boundInFlight}.
        """
        if size != self._bound:
            self._bound = size
            self._stream.boundInFlight(size)

    def boundRate(self, rate: int | None) -> None:
        """
        See L{uotp.boundaries.Link.boundRate}.
        """
        if rate != self._boundRate:
            self._boundRate = rate
            self._stream.boundRate(rate)

    def boundUnsent(self, *, isBounded: bool) -> None:
        """
        See L{uotp.boundaries.Link.boundUnsent}.
        """
        self._stream.boundUnsent(isBounded=isBounded)

    def allowSilence(self, roundTrip: float) -> None:
        """
        See L{uotp.boundaries.Link.allowSilence}.  Only a change that matters reaches the kernel.
        """
        needed = roundTrip if roundTrip > SHORT_ROUND_TRIP_SECONDS else 0.0
        allowed = self._allowedRoundTrip
        if allowed is None or abs(needed - allowed) > SHORT_ROUND_TRIP_SECONDS / 4:
            self._allowedRoundTrip = needed
            self._stream.allowSilence(needed)

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

    def takeUnsent(self) -> list[Arrival]:
        """
        See L{uotp.boundaries.Link.takeUnsent}.
        """
        return []

    def received(self, data: bytes) -> None:
        """
        Bytes came: hand on the trains in them, and obey the other frames, as far as the
        allowance reaches.

        @param data: the bytes; none to go on with what there is.
        """
        raise NotImplementedError

    def _keepUndecoded(self, size: int) -> None:
        """
        Not all that has come is decoded: of the last frame only a part has come, or the rest is
        left to the next turns.  A peer with many tunnels cannot fill the memory with that.

        @param size: how many bytes are kept.
        """
        if size <= MUCH_UNDECODED_BYTES:
            self._room = None
            return
        if self._room is None:
            self._room = self._allowance.room(MAX_UNDECODED_BYTES)
        if self._room.reaches(size):
            self._room.shrink(size)
        else:
            reason = "what it has sent cannot be decoded yet, and no memory is left for that"
            self._owner.misbehaved(PeerError(reason))

    def _takeTurn(self) -> None:
        """
        Go on with what has come in the owner's next turn.
        """
        if not self._hasTurn:
            self._hasTurn = True
            self._allowance.later(self._turn)

    def _turn(self) -> None:
        self._hasTurn = False
        self.received(b"")

    def hold(self) -> None:
        """
        Stand by: carry nothing of the session before L{carry}.  What comes is handed on.
        """
        self._readiness.hold()

    def carry(self) -> None:
        """
        Carry for the session from now on.
        """
        self._readiness.carry()

    def bringTo(self, inbound: InboundTrains) -> None:
        """
        Hand what comes to another way in of the same session.
        """
        self._inbound = inbound

    def start(self) -> None:
        """
        The tunnel is open: let the session use it.
        """
        path = self.pathStats()
        self.allowSilence(0.0 if path is None else path.roundTrip)
        self._readiness.begin()

    def full(self) -> None:
        """
        The stream holds something, and takes no more for now.
        """
        self._readiness.full()

    def free(self) -> None:
        """
        The stream takes trains again.
        """
        self._readiness.free()

    def prove(self) -> bool:
        """
        Find out soon whether the other end is still there.

        @return: whether this format can do that.
        """
        return False

    @property
    def isInDoubt(self) -> bool:
        """
        Whether the other end has yet to L{prove} that it is there.
        """
        return False

    def drain(self) -> bool:
        """
        Say once that no more trains follow, and send none.

        @return: whether this format can do that.
        """
        return False

    def bye(self) -> None:
        """
        Say that the session is over.
        """

    def end(self, *, isLost: bool) -> None:
        """
        The tunnel is not open any more.

        @param isLost: whether some of the trains may not have arrived, so that another link
            has to carry them.
        """
        self._readiness.end()
        self._carries = False
        self._isOver = True

    def release(self) -> None:
        """
        Let go of what leads back to this link, since its tunnel is lost and nobody calls the
        link again but to ask what it has carried.  So it is freed without the garbage
        collector.
        """
        self._outbound.retransmissions += self._stream.retransmissions()
        self._owner = NOBODY
        self._readiness.release()

    def forgetAcknowledged(self) -> None:
        """
        Keep no more than has to be of what may have to be sent again.
        """

    def statistics(self) -> LinkStatistics:
        """
        @return: what the link has done, and how it is now.
        """
        return LinkStatistics(
            bytesOut=self.bytesOut,
            bytesIn=self.bytesIn,
            roundTrip=self.roundTrip,
            unackedBytes=self.unackedBytes,
            queuedBytes=self._stream.queuedBytes(),
            path=self.pathStats(),
        )

    @property
    def carried(self) -> int:
        """
        Bytes of frames, both ways.
        """
        return self.bytesOut + self.bytesIn

    @property
    def unackedBytes(self) -> int:
        """
        Payload and overhead of trains that are kept because they may have to be sent again.
        """
        return 0
