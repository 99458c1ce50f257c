"""
Where the server's connections come in.  Until a connection has shown a session id it
belongs to nobody, costs as little as can be, and not for long.

A connection passes these rooms: it is a stranger (L{uotp.server.strangers}) from when it was accepted.  With
its first turn it has a tunnel, which waits for a hello, and who that is is known
(L{uotp.server.accepted}).  What the tunnel tells goes to whom it concerns (L{uotp.server.tunnelevents}):
whoever shows no hello comes to the door (L{uotp.server.entrance}), and whoever shows one is let in or refused
(L{uotp.server.admission}).  The registry says then whom it carries for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.protocol import Factory
from twisted.logger import LogLevel

from uotp.boundaries import Allowance, Security
from uotp.errors import PeerError
from uotp.process import Unlimited
from uotp.server.accepted import Accepted, AcceptedConnections
from uotp.server.admission import SessionAdmission
from uotp.server.connections import OwnedConnections
from uotp.server.door.visitors import Door, VisitorsStatistics
from uotp.server.entrance import Entrance
from uotp.server.joining import Coordinator, Handed
from uotp.server.limits import ConnectionLimits
from uotp.server.refusals import Refusals
from uotp.server.registry import Registry
from uotp.server.requirements import HelloRequirements
from uotp.server.silentcallers import SilentCallers
from uotp.server.strangers import Strangers, StrangersStatistics
from uotp.server.tunnelevents import TunnelEvents
from uotp.telemetry import Logger, RateLimit, logCounted
from uotp.tls import Tokens
from uotp.transport import Newcomer
from uotp.tunnel import AcceptedTunnel, LiveTunnels, TunnelState
from uotp.wire import WireChoice


@dataclass(frozen=True, slots=True)
class AcceptorStatistics:
    """
    Says how the connections stand at one moment.

    @ivar strangers: those that have shown no session id.
    @ivar known: how many have.
    @ivar knownEvicted: how many of them had to go since the beginning, because there was no room.
    @ivar refusals: how many were refused since the beginning, by the name of a L{Refusal}.
    @ivar handshakes: how many handshakes have ended, by the name of a L{Handshake}.
    @ivar visitors: those who are no clients, and find a web site.
    """

    strangers: StrangersStatistics
    known: int
    knownEvicted: int
    refusals: Mapping[str, int]
    handshakes: Mapping[str, int]
    visitors: VisitorsStatistics


class Acceptor(Factory):
    """
    Makes tunnels of accepted connections.
    """

    noisy = False
    _log = Logger()

    def __init__(
        self,
        registry: Registry,
        liveTunnels: LiveTunnels,
        clock: Any,
        rateLimit: RateLimit,
        makeStream: Callable[..., Any],
        limits: ConnectionLimits,
        wire: WireChoice = WireChoice.AUTO,
        coordinator: Coordinator | None = None,
        wallClock: Callable[[], float] = time.time,
        tokens: Callable[[], Tokens | None] = lambda: None,
        objection: Callable[[Security], PeerError | None] = lambda _: None,
        instance: bytes | None = None,
        *,
        pads: bool = False,
        announcers: Callable[[str], bool] = lambda _: False,
        door: Door | None = None,
        visitorAllowance: Callable[[], Allowance] = Unlimited,
    ) -> None:
        """
        @param registry: who knows the sessions.
        @param liveTunnels: of the service.
        @param clock: C{IReactorTime}.
        @param rateLimit: keeps the log short; our own, since strangers choose what is
            said here.
        @param makeStream: makes a stream of a connection, see L{Newcomer.become}.
        @param limits: how many connections there may be.
        @param wire: which formats may be spoken.
        @param coordinator: decides who may join, where there are several workers.
        @param wallClock: seconds since 1970, for clients that ask.
        @param tokens: tells one of which tokens each client has to show now, if any.
        @param objection: tells why a client whose handshake is done may not join any more, or L{None}.
        @param instance: what names this start of the server, which clients are told.
        @param pads: whether what tunnels send first is padded.
        @param announcers: tells whether what comes from an address has to say first for whom.
        @param door: who may come in, and who answers the others.
        @param visitorAllowance: makes the allowance of one more visitor.
        """
        self._clock = clock
        self._rateLimit = rateLimit
        self._makeStream = makeStream
        self._coordinator = coordinator
        self._announcers = announcers
        self._pads = pads
        self._closed = False
        refusals = Refusals(rateLimit)
        self._strangers = Strangers(clock, refusals.say, limits.silent, limits.begun)
        self._accepted = AcceptedConnections(self._strangers, liveTunnels, refusals)
        door = door or Door()
        self._callsIn = door.callsSilentIn
        self._silent = SilentCallers(clock, self._strangers.isSilent, self._strangers.hasRoomToBegin)
        self._entrance = Entrance(self._accepted, clock, wallClock, door, visitorAllowance, limits, self._newTunnel)
        self._admission = SessionAdmission(
            self._accepted,
            registry,
            OwnedConnections(limits.known, limits.owned),
            HelloRequirements(wire, tokens, objection),
            coordinator,
            instance,
            needsPath=door.needsPath,
        )
        self._events = TunnelEvents(self._accepted, self._entrance, self._admission, registry, wallClock, rateLimit)

    @property
    def relayed(self) -> int:
        """
        How many of the connections other workers have, and carry to this one.
        """
        return self._accepted.relayed

    # What a L{uotp.transport.listener.Reception} is told.

    def arrived(self, newcomer: Newcomer) -> None:
        """
        A connection was accepted.
        """
        if self._closed:
            newcomer.abort()
            return
        self._strangers.arrived(newcomer)
        if self._callsIn and not newcomer.awaitsHeader:
            self._silent.arrived(newcomer)

    def mustAnnounce(self, host: str) -> bool:
        """
        @return: whether what comes from an address has to say first for whom.
        """
        return self._announcers(host)

    def announced(self, newcomer: Newcomer, before: str) -> None:
        """
        It has said for whom it comes.  Where there are several workers, each client has one to which all of his
        connections go.
        """
        self._strangers.announced(newcomer, before)
        isAnothers = newcomer.owner != before
        if isAnothers and self._coordinator is not None and self._coordinator.passOn(newcomer):
            self._strangers.discard(newcomer)
        elif self._callsIn:
            self._silent.arrived(newcomer)

    def refused(self, newcomer: Newcomer, error: PeerError) -> None:
        """
        It has not said for whom it comes.
        """
        self._strangers.discard(newcomer)
        self._accepted.refusals.say(newcomer.host, str(error), error.kind)

    def begin(self, newcomer: Newcomer) -> None:
        """
        Something has come on it, and it is its turn.
        """
        self._silent.discard(newcomer)
        accepted = Accepted(newcomer, hasWaited=newcomer.hasWaited)
        self._begin(accepted, lambda tunnel: newcomer.become(self._makeStream, tunnel))

    def _begin(self, accepted: Accepted, become: Callable[[AcceptedTunnel], None]) -> None:
        """
        Let a connection have a tunnel, and its stream.
        """
        self._strangers.began(accepted.newcomer)
        tunnel = self._newTunnel()
        self._accepted.add(tunnel, accepted)
        try:
            become(tunnel)
        except Exception:
            if tunnel.state is TunnelState.NEW:  # it has no stream that could tell of its end
                self._accepted.letGo(tunnel)
            raise

    def _newTunnel(self) -> AcceptedTunnel:
        return AcceptedTunnel(self._clock, self._events, pads=self._pads)

    def left(self, newcomer: Newcomer) -> None:
        """
        It has gone, and nothing came on it.
        """
        self._silent.discard(newcomer)
        self._strangers.discard(newcomer)

    def giveOneUp(self) -> bool:
        """
        The system has no descriptor left.

        @return: whether anybody had to go.
        """
        return self._strangers.giveOneUp()

    def cannotAccept(self, reason: str) -> None:
        """
        Say so in the log.
        """
        suppressed = self._rateLimit.suppressedBefore(("accept", reason))
        words = "no connection can be accepted for now: {reason}"
        logCounted(self._log, LogLevel.error, suppressed, words, reason=reason)

    # What a L{uotp.server.workers.contact.ParentContact} brings.

    def adopt(self, newcomer: Handed) -> None:
        """
        Another worker hands a connection over.
        """
        if self._closed:
            newcomer.abort()
            return
        self._strangers.arrived(newcomer)
        self._begin(Accepted(newcomer), newcomer.become)

    def closeForRoom(self, connection: int, reason: str) -> None:
        """
        See L{SessionAdmission.closeForRoom}.
        """
        self._admission.closeForRoom(connection, reason)

    def allowStrangers(self, *, silent: int | None = None, begun: int | None = None) -> None:
        """
        See L{Strangers.allow}.
        """
        self._strangers.allow(silent=silent, begun=begun)

    # What the service says and asks.

    def open(self) -> None:
        """
        Let clients in, as from the beginning.
        """
        self._closed = self._admission.isClosed = False

    def close(self) -> None:
        """
        Let nobody in any more.
        """
        self._closed = self._admission.isClosed = True
        self._silent.endAll()
        self._strangers.endAll()
        self._entrance.visitors.endAll()

    def statistics(self) -> AcceptorStatistics:
        """
        @return: how the connections stand.
        """
        known, refusals = self._admission.known, self._accepted.refusals
        return AcceptorStatistics(
            self._strangers.statistics(),
            len(known),
            known.evicted,
            refusals.byKind(),
            refusals.byResult(),
            self._entrance.visitors.statistics(),
        )

    def checkInvariant(self) -> None:
        """
        What holds between any two events.

        @raise AssertionError: when it does not.
        """
        self._accepted.checkInvariant()
        self._admission.known.checkInvariant()
        self._entrance.visitors.checkInvariant()
