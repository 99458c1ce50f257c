"""
Who is at the door of a server, and how many visitors its web site may have.  An owner may have a share
of them; and when there is no room for one more, whoever has most gives one up, or he is told that the
server is busy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from twisted.python.failure import Failure

from uotp.boundaries import Allowance
from uotp.errors import PeerError
from uotp.process import Steps
from uotp.server.connections import OwnedConnections
from uotp.server.door.fallback import Fallback
from uotp.server.door.fallbacksite import FallbackSite
from uotp.server.door.page import BAD_GATEWAY, NOT_FOUND, UNAVAILABLE, StaticSite
from uotp.server.door.patience import DOOR_LOOK_SECONDS
from uotp.server.door.request import PathUpgrade
from uotp.server.door.rounds import Rounds
from uotp.server.door.seams import Site
from uotp.server.door.visitor import Visitor
from uotp.server.strangers import Stranger
from uotp.telemetry import Logger, orLog
from uotp.tunnel import AcceptedTunnel

MOST_VISITORS = 1024
"""So many visitors there may be: each costs two descriptors and some 50 KB, and none is a client."""

PATH_ONLY = "it shows a hello without asking for the path, which is the only way in here"


class Fate(Enum):
    """
    Names what becomes of a visitor.
    """

    FALLBACK = "is answered by the web server behind us"
    PAGE = "is answered by ourselves"
    BUSY = "is told that there is no room"
    UNREACHABLE = "is told that the web server behind us cannot be reached, after he was brought there"


@dataclass(frozen=True, slots=True)
class VisitorsStatistics:
    """
    Says how many visitors there are at one moment, and what became of all since the beginning.

    @ivar present: how many there are.
    @ivar evicted: how many had to go since the beginning, because there was no room.
    @ivar fates: how many had each, by the name of a L{Fate}.
    """

    present: int
    evicted: int
    fates: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Door:
    """
    Says who may come in, and who answers the others.

    @ivar path: the secret path at which WebSocket is spoken; L{None} where there is none.
    @ivar needsPath: whether it is the only way in.
    @ivar fallback: the web server behind us; L{None} where there is none.
    @ivar isPlain: whether there is no TLS, so that whoever says nothing is at the door as well.
    """

    path: bytes | None = None
    needsPath: bool = False
    fallback: Fallback | None = None
    isPlain: bool = False

    @property
    def callsSilentIn(self) -> bool:
        """
        Whether the web server behind us decides how long those may stay who have never said anything.
        """
        return self.isPlain and self.fallback is not None

    def __repr__(self) -> str:
        """
        @return: nothing of the path.
        """
        return "<a door>"


class DoorOwner(Protocol):
    """
    Has the connections that are at the door.
    """

    def takenOver(self, visitor: Visitor) -> None:
        """
        See L{uotp.server.door.seams.VisitReception}.
        """

    def visitorCame(self, visitor: Visitor, reason: PeerError | None, *, hasRoom: bool) -> None:
        """
        See L{uotp.server.door.seams.VisitReception.received}.

        @param hasRoom: whether he may stay.
        """

    def upgraded(self, visitor: Visitor, upgrade: PathUpgrade) -> None:
        """
        See L{uotp.server.door.seams.VisitReception}.
        """

    def visitorLeft(self, visitor: Visitor, reason: Failure | None) -> None:
        """
        See L{uotp.server.door.seams.VisitReception.left}.
        """


class Visitors:
    """
    Keeps the visitors of a server.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        wallClock: Callable[[], float],
        owner: DoorOwner,
        door: Door,
        newAllowance: Callable[[], Allowance],
        most: int,
        owned: int,
    ) -> None:
        """
        @param clock: C{IReactorTime}.
        @param wallClock: seconds since 1970.
        @param owner: told of all.
        @param newAllowance: makes the allowance of a visitor; all have one owner.
        @param most: how many there may be.
        @param owned: how many of them from one address.
        """
        self._clock = clock
        self._wallClock = wallClock
        self._owner = owner
        self._door = door
        self.path = door.path
        self._newAllowance = newAllowance
        self._places: OwnedConnections[Visitor] = OwnedConnections(most, owned)
        self._placed: dict[Visitor, None] = {}
        self._present: dict[Visitor, None] = {}
        self._fates: Counter[Fate] = Counter()
        self._rounds = Rounds()
        self._steps = Steps(clock)

    def watch(self, tunnel: AcceptedTunnel, newcomer: Stranger, *, hasWaited: bool) -> Visitor:
        """
        A connection has come to the door.

        @param hasWaited: whether nothing came on it for a moment, so that the web server is called at once.
        """
        looksIn = 0.0 if hasWaited else DOOR_LOOK_SECONDS
        return Visitor(self._clock, self, tunnel, newcomer, self._newAllowance(), looksIn)

    def isLoop(self, tunnel: AcceptedTunnel) -> bool:
        """
        @return: whether a connection comes from us.
        """
        fallback = self._door.fallback
        if fallback is None:
            return False
        peer = tunnel.transport.getPeer()
        return fallback.isOurs((peer.host, peer.port))

    # What a visitor tells; see VisitReception.

    def openSite(self, visitor: Visitor) -> Site | None:
        """
        See L{uotp.server.door.seams.VisitReception}.
        """
        fallback = self._door.fallback
        if fallback is None or not self._hasPlace(visitor):
            return None
        return FallbackSite(visitor, visitor.allowance, fallback)

    def _hasPlace(self, visitor: Visitor) -> bool:
        """
        @return: whether there is room for him; then he takes it.
        """
        if visitor in self._placed:
            return True
        owner = visitor.newcomer.owner
        try:
            giver = self._places.giver(owner)
        except PeerError:
            return False
        if not self._isFirstRound(visitor):
            return False
        if giver is not None:
            newest, _ = self._places.evict(giver)
            self._placed.pop(newest, None)
            newest.abort()
        self._places.add(owner, visitor)
        self._placed[visitor] = None
        return True

    def _isFirstRound(self, visitor: Visitor) -> bool:
        """
        @return: whether a visitor does not seem to come back from where we have brought him.
        """
        fallback = self._door.fallback
        if fallback is None or not fallback.isAt(visitor.newcomer.host):
            return True
        isFirst = self._rounds.begin(visitor, visitor.shown)
        if not isFirst:
            fallback.sayReturns()
        return isFirst

    def answered(self, visitor: Visitor) -> None:
        """
        See L{uotp.server.door.seams.VisitReception}.
        """
        self._rounds.end(visitor)

    def takenOver(self, visitor: Visitor) -> None:
        """
        See L{uotp.server.door.seams.VisitReception}.
        """
        self._owner.takenOver(visitor)

    def received(self, visitor: Visitor, reason: PeerError | None) -> None:
        """
        See L{uotp.server.door.seams.VisitReception}.
        """
        hasRoom = self._hasPlace(visitor)
        self._present[visitor] = None
        reached = Fate.PAGE if self._door.fallback is None else Fate.FALLBACK
        self._fates[reached if hasRoom else Fate.BUSY] += 1
        self._owner.visitorCame(visitor, reason, hasRoom=hasRoom)

    def siteOf(self, visitor: Visitor) -> Site:
        """
        See L{uotp.server.door.seams.VisitReception}.
        """
        if visitor not in self._placed:
            return self._page(visitor, UNAVAILABLE)
        return self.openSite(visitor) or self._page(visitor, NOT_FOUND)

    def siteInstead(self, visitor: Visitor) -> Site:
        """
        See L{uotp.server.door.seams.VisitReception}.
        """
        self._fates[Fate.UNREACHABLE] += 1
        return self._page(visitor, BAD_GATEWAY)

    def _page(self, visitor: Visitor, status: int) -> StaticSite:
        return StaticSite(visitor, visitor.allowance, self._clock.seconds, self._wallClock, status)

    def upgraded(self, visitor: Visitor, upgrade: PathUpgrade) -> None:
        """
        See L{uotp.server.door.seams.VisitReception}.
        """
        self._owner.upgraded(visitor, upgrade)

    def left(self, visitor: Visitor, reason: Failure | None) -> None:
        """
        See L{uotp.server.door.seams.VisitReception}.
        """
        self._present.pop(visitor, None)
        self._rounds.end(visitor)
        if visitor in self._placed:
            del self._placed[visitor]
            self._places.discard(visitor.newcomer.owner, visitor)
        self._owner.visitorLeft(visitor, reason)

    def endAll(self) -> None:
        """
        End all visits, because the server stops; a few in each turn.
        """
        orLog(self._steps.each(list(self._present), self._endAtStop), self._log, "not all visitors were sent away")

    def _endAtStop(self, visitor: Visitor) -> None:
        if visitor in self._present:
            visitor.abort()

    def statistics(self) -> VisitorsStatistics:
        """
        @return: how many there are, and were.
        """
        fates = {fate.name: self._fates[fate] for fate in Fate}
        return VisitorsStatistics(len(self._present), self._places.evicted, fates)

    def checkInvariant(self) -> None:
        """
        What holds between any two events.

        @raise AssertionError: when it does not.
        """
        self._places.checkInvariant()
        self._rounds.checkInvariant()
        assert len(self._placed) == len(self._places)
