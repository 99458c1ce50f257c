"""
Who has a place among the sources of a client, and who gives one up when there is none left.

Some sources have proved that they are not forged, as far as one datagram can
(L{uotp.client.sources.proof}).  Those that have not share a small part of all places; when there is none
left, one of them goes whose question is answered, the idlest first, or else the idlest that
still waits.

A forged source that sends again is proved by chance, which costs two datagrams.  So a source
that is proved is I{light} until it has paid, which means that it has sent what a second tunnel
costs.  Light ones share a part of all places with those that are not proved, and a place is
left to these.  Of the light ones that goes first which has done least.  One that has paid
keeps its session and its tunnels while it is idle, and gives them up early only when there is
no other place left at all.

What a source has done is what it has sent since it was answered.  Where that is about as
much, the idlest goes first.  A source that has sent little, and has been answered, for minutes
has done more than any that came lately, and one that is just active goes later than one that is
not.  All of this is found out when a place is needed, and costs no datagram anything.

Of several processes each has a part of all places, which changes.  When it has become less than are taken,
nobody is sent away for that alone: who comes then takes the place of two, until there are no more than there may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from uotp.client.sources.source import SourceSession
from uotp.client.sources.sourceport import Source

UNPROVED_SHARE = 4
"""
Sources that are not proved have one place in so many: 256, which with one tunnel each take
some 18 MB here and as much at the server.  Of 32 new ones in a second, each stays for eight
seconds at least.
"""

PAID_SHARE = 4
"""
One place in so many is only for sources that have paid.  The other 768 are for all others: 512
light ones at least, even if those that are not proved take all that they may have.  An honest
source is light for a few datagrams, or for minutes where it sends only keepalives.
"""

CHEAP_SHARE = 3
"""
And of the places that none has who has paid, one in so many is for sources that are not proved:
the same 256 while few have paid.  So light ones cannot keep newcomers out.
"""

SPARE_SECONDS = 10.0
"""
When those that have paid have all places, one that has been idle for so long gives its place up:
the one that has done least.  A longer time would spare forged sources that send in it, and cost
idle ones their place that have done far more.
"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """
    Says how many sources may have a place.

    @ivar most: all together.
    @ivar unproved: those that are not proved.
    @ivar cheap: those that have not paid.
    """

    most: int = 0
    unproved: int = 0
    cheap: int = 0

    @classmethod
    def of(cls, most: int, atOnce: int) -> Bounds:
        """
        @param most: how many places there are.
        @param atOnce: so many of them are for sources that are not proved, if there are so many.
        """
        unproved = max(most // UNPROVED_SHARE, min(atOnce, most), 1)
        return cls(most, unproved, max(most - most // PAID_SHARE, unproved))


class Places:
    """
    Keeps apart the sources that have paid and those that have not, and tells who goes first.
    """

    def __init__(self, bySource: Mapping[Source, SourceSession], most: int, atOnce: int = 0) -> None:
        """
        @param bySource: all that have a place.
        @param most: how many places there are.
        @param atOnce: so many sources come at once, and all have a place, however few there are.
        """
        self._bySource = bySource
        self._atOnce = atOnce
        self._bounds = Bounds.of(most, atOnce)
        self._before = Bounds()  # as many as were there when the bounds became less, until there is room
        self._unproved: dict[Source, SourceSession] = {}  # and some that have been proved since
        self._light: dict[Source, SourceSession] = {}  # and some that have paid since

    def setMost(self, most: int) -> None:
        """
        From now on there are so many places.
        """
        self._bounds = Bounds.of(most, self._atOnce)
        unproved = len(self._unproved)
        self._before = Bounds(len(self._bySource), unproved, unproved + len(self._light))

    @property
    def isOver(self) -> bool:
        """
        Whether more are taken than there are.
        """
        unproved, bounds = len(self._unproved), self._bounds
        isOverInPart = unproved > bounds.unproved or unproved + len(self._light) > bounds.cheap
        return isOverInPart or len(self._bySource) > bounds.most

    def take(self, source: Source) -> None:
        """
        A source has a place now, and has not done anything for it.
        """
        self._unproved[source] = self._bySource[source]

    def leave(self, source: Source) -> None:
        """
        A source has no place any more.
        """
        self._unproved.pop(source, None)
        self._light.pop(source, None)

    def hasRoom(self) -> bool:
        """
        @return: whether there is a place for one source more, which is not proved.
        """
        proved = [source for source, entry in self._unproved.items() if entry.proof.isProved]
        for source in proved:
            self._light[source] = self._unproved.pop(source)
        if not self._isRoomLeft():
            self._light = {source: entry for source, entry in self._light.items() if not entry.proof.hasPaid}
        if not self._isRoomLeft():
            return False
        self._before = Bounds()
        return True

    def _isRoomLeft(self) -> bool:
        unproved, bounds = len(self._unproved), self._bounds
        isFull = len(self._bySource) >= bounds.most
        return not isFull and unproved < bounds.unproved and unproved + len(self._light) < bounds.cheap

    def least(self, now: float) -> Source | None:
        """
        @param now: by the clock of the sessions.
        @return: the source that gives its place up first, where there L{is no room
            <hasRoom>}; or L{None}, when none has to.
        """
        unproved, light = len(self._unproved), len(self._light)
        if unproved and (unproved >= self._bounds.unproved or unproved * CHEAP_SHARE >= unproved + light):
            return self._leastOfUnproved()
        if light:
            return self._leastOf(self._light, now)
        spare = [source for source, entry in self._bySource.items() if now - entry.session.lastActive >= SPARE_SECONDS]
        return self._leastOf(spare, now) if spare else None

    def _leastOfUnproved(self) -> Source:
        def rank(source: Source) -> tuple[bool, float]:
            session = self._unproved[source].session
            return not session.inbound.answered, session.lastActive

        return min(self._unproved, key=rank)

    def _leastOf(self, sources: Iterable[Source], now: float) -> Source:
        """
        @param sources: at least one, all of them proved.
        """
        return min(sources, key=lambda source: self._bySource[source].worth(now))

    def checkInvariant(self) -> None:
        """
        What holds between any two calls.

        @raise AssertionError: when it does not.
        """
        proofs = {source: entry.proof for source, entry in self._bySource.items()}
        unproved = {source for source, proof in proofs.items() if not proof.isProved}
        cheap = {source for source, proof in proofs.items() if not proof.hasPaid}
        bounds, before = self._bounds, self._before
        assert len(proofs) <= max(bounds.most, before.most)
        assert not self._unproved.keys() & self._light.keys()
        assert unproved <= self._unproved.keys()
        assert cheap <= self._unproved.keys() | self._light.keys() <= proofs.keys()
        assert len(unproved) <= max(bounds.unproved, before.unproved)
        assert len(cheap) <= max(bounds.cheap, before.cheap)
