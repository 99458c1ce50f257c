"""
The session that a link carries for, and the link that carries for a session.
"""

from __future__ import annotations

from collections.abc import Callable

from uotp.boundaries import Allowance, CarriedSession, Link, OutboundTrains
from uotp.path import TROUBLED, PathStats
from uotp.process.turns import Unlimited
from uotp.train import LAST_NUMBER, Arrival, Missing, Numbering, Train, cut


class FixedDemand:
    """
    Wants as many links as a test says.

    @ivar wanted: so many; at first more than there can be.
    """

    def __init__(self) -> None:
        self.wanted = 1 << 16

    def links(self, now: float) -> int:
        return self.wanted


class RecordingSession:
    """
    Keeps what the links of a session tell it, as its own way in and out.

    @ivar numbers: of the trains that had one.
    @ivar says: "free", "full" and "gone", in order.
    @ivar roundTrips: how often a tunnel has learnt how far the other end is.
    @ivar repeated: what was sent again.
    @ivar sentAgain: how many datagrams links have sent a second time.
    @ivar retransmissions: what the kernels of links have sent again that are gone.
    @ivar unacked: what tunnels that were gone had not carried.
    @ivar fillsPath: whether it keeps a long queue on the path.
    @ivar loadedRoundTrip: the round trip with that queue.
    @ivar demand: how many links it wants.
    @ivar lastActive: when something came last.
    @ivar acknowledgesSoon: whether the kernel is to acknowledge at once.
    @ivar missing: what the other end misses, as it says.
    """

    def __init__(self) -> None:
        self.unacked: list[Arrival] = []
        self.repeated: list[Arrival] = []
        self.trains: list[Train] = []
        self.numbers: list[int] = []
        self.says: list[str] = []
        self.roundTrips = self.sentAgain = self.retransmissions = 0
        self.lastActive = 0.0
        self.fillsPath = False
        self.loadedRoundTrip = 0.0
        self.acknowledgesSoon = False
        self.missing: list[Missing] = []
        self.numbering = Numbering()
        self.demand = FixedDemand()
        self.inbound = self.outbound = self
        self.allowance: Allowance = Unlimited()

    def lone(self, number: int, train: Train, now: float) -> None:
        self.numbered([(number, train)], now)

    def unnumbered(self, trains: list[Train], now: float) -> None:
        self.trains += trains

    def numbered(self, arrivals: list[Arrival], now: float) -> None:
        self.numbers += [number for number, _ in arrivals]
        self.trains += [train for _, train in arrivals]

    def again(self, arrivals: list[Arrival], now: float) -> None:
        self.repeated += arrivals

    def missed(self, missing: list[Missing]) -> None:
        self.missing += missing

    def roundTripChanged(self) -> None:
        """
        A tunnel knows better how far the other end is.
        """
        self.roundTrips += 1

    def linkFree(self, link: Link) -> None:
        self.says.append("free")

    def linkFull(self, link: Link) -> None:
        self.says.append("full")

    def linkGone(self, link: Link) -> None:
        """
        Say "gone", and take what the link has not carried.
        """
        self.says.append("gone")
        self.unacked += link.takeUnacked()

    def datagrams(self) -> list[bytes]:
        return [datagram for train in self.trains for datagram in cut(train)]


class MemoryLink:
    """
    Is a link as its session sees it, and keeps what it is given.

    @ivar sent: what it was given.
    @ivar writes: what it was given at one go each time.
    @ivar closed: whether it was closed or aborted.
    @ivar again: what it was given that another was given before.
    @ivar kept: what it has not carried, as it says when it is asked.
    @ivar unsent: what its kernel has not sent, as it says when it is asked.
    @ivar still: whether it stands still.
    @ivar keptSince: when it was given that.
    @ivar numbers: whether its format numbers datagrams.
    @ivar reports: what it was told to tell the other end that it misses, each time.
    @ivar whenSent: called before something is sent.
    @ivar costs: what stands before the next train.
    @ivar stands: how its connection stands.
    @ivar roundTrip: how far the other end is.
    @ivar bounds: how much its kernel was told to hold at most, each time.
    @ivar rates: how fast its kernel was told to send at most, each time.
    @ivar unsentBounds: whether it was told to keep little unsent, each time.
    @ivar asked: how often it was told to ask whether the other end is there.
    @ivar nudges: how often it was told to write something that says nothing.
    @ivar allowedRoundTrip: of the path, as its kernel was told.
    """

    def __init__(self, room: int = 1 << 30) -> None:
        """
        @param room: how many trains it takes before it is full.
        """
        self.sent: list[Train] = []
        self.writes: list[list[Train]] = []
        self.again: list[Arrival] = []
        self.kept: list[Arrival] = []
        self.unsent: list[Arrival] = []
        self.still = False
        self.keptSince = float("-inf")
        self.numbers = True
        self.reports: list[list[Missing]] = []
        self.whenSent: Callable[[], None] = lambda: None
        self.costs = 0
        self.stands: PathStats | None = None
        self.roundTrip = 0.0
        self.closed = self.aborted = False
        self.bounds: list[int | None] = []
        self.rates: list[int | None] = []
        self.unsentBounds: list[bool] = []
        self.asked = self.nudges = 0
        self.allowedRoundTrip = 0.0
        self._room = room
        self.sentAt = float("-inf")
        self._session: OutboundTrains | None = None

    def carryFor(self, session: CarriedSession) -> None:
        self._session = session.outbound
        if self._room:
            session.outbound.linkFree(self)

    def makeRoom(self, room: int) -> None:
        self._room = room
        if self._session is not None:
            self._session.linkFree(self)

    def send(self, trains: list[Train], now: float) -> None:
        if self._session is None:
            return
        self.whenSent()
        self.sentAt = now
        self.sent += trains
        self.writes.append(trains)
        self._take(len(trains))

    def _take(self, trains: int) -> None:
        self._room -= trains
        if self._room <= 0 and self._session is not None:
            self._session.linkFull(self)

    def sendAgain(self, arrivals: list[Arrival]) -> None:
        if self._session is not None:
            self.again += arrivals
            self._take(len(arrivals))

    def ask(self) -> None:
        self.asked += 1

    @property
    def unackedBytes(self) -> int:
        return sum(len(train.payload) for _, train in self.kept)

    def unackedWithin(self, begin: int, count: int, most: int, by: float) -> list[Arrival]:
        if self.keptSince > by:
            return []
        found: list[Arrival] = []
        for number, train in self.kept:
            if number - begin & LAST_NUMBER < count and (not found or len(train.payload) <= most):
                found.append((number, train))
                most -= len(train.payload)
        return found

    def report(self, missing: list[Missing]) -> None:
        self.reports.append(missing)

    def nudge(self) -> None:
        self.nudges += 1

    def boundInFlight(self, size: int | None) -> None:
        self.bounds.append(size)

    def boundRate(self, rate: int | None) -> None:
        self.rates.append(rate)

    def boundUnsent(self, *, isBounded: bool) -> None:
        self.unsentBounds.append(isBounded)

    def allowSilence(self, roundTrip: float) -> None:
        self.allowedRoundTrip = roundTrip

    def holdsUnacked(self) -> bool:
        return bool(self.kept)

    def takeUnacked(self) -> list[Arrival]:
        kept, self.kept = self.kept, []
        return kept

    def takeUnsent(self) -> list[Arrival]:
        unsent, self.unsent = self.unsent, []
        return unsent

    def cost(self) -> int:
        return self.costs

    def isTroubled(self) -> bool:
        return self.costs >= TROUBLED or self.still or (self.stands is not None and self.stands.isStill)

    def pathStats(self) -> PathStats | None:
        return PathStats(0, 0, self.roundTrip, self.roundTrip, isStill=True) if self.still else self.stands

    def close(self) -> None:
        self.closed = True
        session, self._session = self._session, None
        if session is not None:
            session.linkGone(self)

    def abort(self) -> None:
        """
        The same, and remember that it was this.
        """
        self.aborted = True
        self.close()


# Each twin fits its seam.
_session: type[CarriedSession] = RecordingSession
_link: type[Link] = MemoryLink
