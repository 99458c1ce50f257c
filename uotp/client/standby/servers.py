"""
The servers of a client, the one to use first before all others, and where its sessions are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from twisted.logger import LogLevel

from uotp.client.context import ClientContext
from uotp.client.standby.health import Health, HealthState
from uotp.net import ServerPlace
from uotp.telemetry import Logger, RateLimit, logCounted

MOST_SEARCHED = 256
"""So many addresses of a name are remembered.  Whoever answers for it may give others each time."""


class MoveReason(Enum):
    """
    Names why a session moves, with the words of the log.
    """

    NO_TUNNEL = "no tunnel there can be used any more"
    TOO_FAR = "its round trip was far worse for a minute"
    COMES_BACK = "that is to be used first, and has been well for some minutes"


@dataclass(eq=False, slots=True)
class Server:
    """
    Holds what a client knows of one place where its server is, or another one.

    @ivar place: where that is.
    @ivar context: what all pools there share.
    @ivar shown: how the log calls it.
    @ivar rank: its place among all servers; the one to use first has 0.
    @ivar health: tells whether a tunnel may stand by there, for sessions at other servers.
    @ivar others: the same for sessions that are here, and look for another server at the same name.
    @ivar searched: the hosts at which they have looked for it.
    @ivar sessions: how many sessions are here.
    @ivar standing: how many have a tunnel that stands by here.
    """

    place: ServerPlace
    context: ClientContext = field(repr=False)
    shown: str
    rank: int = 0
    health: Health = field(default_factory=Health)
    others: Health = field(default_factory=lambda: Health(isGood=False))
    searched: set[str] = field(default_factory=set)
    sessions: int = 0
    standing: int = 0

    @property
    def isAway(self) -> bool:
        """
        Whether it has failed, and no tunnel has opened there since then.
        """
        return self.health.state is not HealthState.GOOD

    def noticeAddresses(self) -> None:
        """
        Where the name has an address that nobody has looked at, another server may be there now.
        """
        new = self.context.addresses.known - self.searched
        if new and len(self.searched) < MOST_SEARCHED:
            self.searched |= new
            self.others.forget()


@dataclass(frozen=True, slots=True)
class StandbyPlace:
    """
    Says where a tunnel may stand by.

    @ivar server: at which server.
    @ivar health: whether one may be opened there.
    @ivar rank: less for what is to be used before others.
    @ivar isOther: whether it has to be another instance than the one that the session is at, under the same name.
    """

    server: Server
    health: Health
    rank: float
    isOther: bool = False


class ClientServers:
    """
    Keeps the servers of a client.

    @ivar all: the one to use first before all others.
    @ivar moves: how often sessions have moved, by why.
    """

    _log = Logger()

    def __init__(self, servers: Sequence[Server], rateLimit: RateLimit) -> None:
        """
        @param servers: the one to use first before all others.
        @param rateLimit: keeps the log short.
        """
        self.all = tuple(servers)
        shown = [server.shown for server in self.all]
        for rank, server in enumerate(self.all):
            server.rank = rank
            if shown.count(server.shown) > 1:  # only their paths differ, which nobody may see
                server.shown = f"{server.shown} ({rank + 1})"
        self._rateLimit = rateLimit
        self._last = self.all[0]
        self.moves: Counter[MoveReason] = Counter(dict.fromkeys(MoveReason, 0))

    @property
    def areSeveral(self) -> bool:
        """
        Whether a tunnel may stand by anywhere.
        """
        return len(self.all) > 1 or len(self.all[0].context.addresses.known) > 1

    def current(self) -> Server:
        """
        @return: where a new session begins: where most are; where there is none, the first one of which nothing bad
            is known.
        """
        busiest = max(self.all, key=lambda server: (server.sessions, server is self._last))
        if busiest.sessions:
            return busiest
        now = self._last.context.clock.seconds()
        return next((server for server in self.all if server.health.mayTry(now)), self.all[0])

    def standbyPlaces(self, at: Server, instance: bytes | None) -> list[StandbyPlace]:
        """
        @param at: where a session is.
        @param instance: at which instance; L{None} where that is not known.
        @return: where a tunnel may stand by for it, the best first.
        """
        places = [StandbyPlace(each, each.health, each.rank) for each in self.all if each is not at]
        if instance is not None and len(at.context.addresses.known) > 1:
            at.noticeAddresses()
            places.append(StandbyPlace(at, at.others, at.rank + 0.5, isOther=True))
        return sorted(places, key=lambda place: place.rank)

    def moved(self, name: str, before: Server, after: Server, reason: MoveReason) -> None:
        """
        A session has gone to another server.

        @param name: of the session, for the log.
        """
        before.sessions -= 1
        after.sessions += 1
        self._last = after
        self.moves[reason] += 1
        suppressed = self._rateLimit.suppressedBefore(("moved", before.rank, after.rank))
        words = "session {session} moves from {before} to {after}: {reason}"
        where = after.shown if after is not before else "another server there"
        found = {"session": name, "before": before.shown, "after": where, "reason": reason.value}
        logCounted(self._log, LogLevel.info, suppressed, words, **found)

    def stands(self, place: StandbyPlace) -> None:
        """
        A tunnel stands by.
        """
        place.server.standing += 1
        if place.server.standing == 1:
            words = "{server} stands by: a tunnel there is open, and carries nothing"
            if place.isOther:
                words = "another server of {server} stands by: a tunnel there is open, and carries nothing"
            suppressed = self._rateLimit.suppressedBefore(("stands", place.server.rank))
            logCounted(self._log, LogLevel.info, suppressed, words, server=place.server.shown)

    def standsNoMore(self, place: StandbyPlace, reason: str | None) -> None:
        """
        One does not stand by any more.

        @param reason: why, if that is bad.
        """
        place.server.standing -= 1
        if reason is not None and not place.server.standing:
            words = "{server} does not stand by any more: {reason}"
            suppressed = self._rateLimit.suppressedBefore(("stands no more", place.server.rank))
            logCounted(self._log, LogLevel.warn, suppressed, words, server=place.server.shown, reason=reason)

    def pathChanged(self) -> None:
        """
        The network may have changed: forget what was learned of the path.
        """
        for server in self.all:
            server.context.pathChanged()
            server.health.forget()
            server.others.forget()
            server.searched.clear()
