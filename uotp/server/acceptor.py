"""
Where the server's connections come in.  Until a connection has shown a session id it
belongs to nobody, costs as little as can be, and not for long; then the registry says whom it
carries for.

Nobody can take all connections for himself.  A part of them is for strangers
(L{uotp.server.strangers}).  Of the rest an owner may have a share; and when all are taken,
whoever has most gives one up.  An owner is a client's certificate, or without one an address.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from twisted.internet.protocol import Factory
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from uotp.boundaries import Allowance, Security
from uotp.errors import PeerError, Refusal
from uotp.process import Unlimited
from uotp.server.clientfields import clientFields
from uotp.server.connections import OwnedConnections
from uotp.server.door.request import PathUpgrade
from uotp.server.door.visitor import Visitor
from uotp.server.door.visitors import MOST_VISITORS, PATH_ONLY, Door, Visitors, VisitorsStatistics
from uotp.server.joining import Coordinator, Decision, Handed, JoinAnswer, JoinQuestion
from uotp.server.refusals import Handshake, Refusals
from uotp.server.registry import Joined, Registry, ServedSession
from uotp.server.strangers import Stranger, Strangers, StrangersStatistics
from uotp.telemetry import Logger, RateLimit, logCounted, spelled
from uotp.tls import Tokens
from uotp.transport import Newcomer
from uotp.tunnel import AcceptedTunnel, LiveTunnels, Tunnel, TunnelState
from uotp.wire import FORMATS, ClientHello, ServerStatus, WireChoice, WireFormat

MAX_SILENT = 4096
"""
How many connections there may be on which nothing has been said, or that wait for their first
turn.  Each costs a descriptor and a kilobyte.  About so many handshakes can be done while a client is patient.
"""

MAX_BEGUN = 512
"""
How many connections there may be that have begun to shake hands and have shown no session id;
each costs some 30 KB.  An honest client is through in a few round trips, so whoever waits long is not one.
"""

SHUT_OUT = frozenset({Refusal.REVOKED, Refusal.NOT_LISTED, Refusal.UNKNOWN_ISSUER})
"""
Why a tunnel ends that was let in: its client may not join any more, so its session need not wait for it.  One whose
token was taken away may have another one.
"""

NOT_ANY_MORE = SHUT_OUT | {Refusal.WRONG_TOKEN}
"""Why tunnels are closed, after files were read again, that were let in."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """
    Says how many connections there may be.

    @ivar silent: of those that have said nothing.
    @ivar begun: of those that have begun to shake hands.
    @ivar known: of those that have shown a session id.
    @ivar owned: of these, for one owner.
    @ivar visitors: of those who find a web site.
    @ivar visitorsOwned: of these, for one address.
    """

    silent: int
    begun: int
    known: int
    owned: int
    visitors: int = 1
    visitorsOwned: int = 1

    @classmethod
    def of(cls, connections: int, ownerShare: int) -> ConnectionLimits:
        """
        @param connections: how many there may be in all.
        @param ownerShare: how many of a hundred one owner may have.
        @return: how they are shared out.
        """
        silent = max(1, min(MAX_SILENT, connections // 4))
        begun = max(1, min(MAX_BEGUN, connections // 8))
        visitors = max(1, min(MOST_VISITORS, connections // 16))
        known = max(1, connections - silent - begun - visitors)
        owned = max(1, min(known, connections * ownerShare // 100))
        return cls(silent, begun, known, owned, visitors, max(1, visitors * ownerShare // 100))


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


@dataclass(slots=True)
class Accepted:
    """
    Says what is known of one accepted connection.

    @ivar newcomer: how it came in.
    @ivar owner: whose share of all connections it is a part of, from when it has shown a
        session id.
    @ivar served: whom it carries for; L{None} before.
    @ivar number: what a coordinator calls it, once that was asked; 0 before.
    @ivar visitor: looks on while it may be no tunnel.
    @ivar isUpgraded: whether it has asked for the path.
    """

    newcomer: Stranger
    owner: Hashable = None
    served: ServedSession | None = None
    number: int = 0
    visitor: Visitor | None = None
    isUpgraded: bool = False

    @property
    def peer(self) -> str:
        """
        The host that it comes from.
        """
        return self.newcomer.host


class Acceptor(Factory):
    """
    Makes tunnels of accepted connections, and brings them to their sessions.

    @ivar relayed: how many of them other workers have, and carry to this one.
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
        self._instance = instance
        self._announcers = announcers
        self._door = door or Door()
        self._visitors = Visitors(
            clock, wallClock, self, self._door, visitorAllowance, limits.visitors, limits.visitorsOwned
        )
        self._coordinator = coordinator
        self._wallClock = wallClock
        self._tokens = tokens
        self._objection = objection
        self._pads = pads
        self._numbers = count(1)
        self._byNumber: dict[int, Tunnel] = {}
        self.relayed = 0
        self._registry = registry
        self._liveTunnels = liveTunnels
        self._clock = clock
        self._rateLimit = rateLimit
        self._makeStream = makeStream
        self._wire = wire
        self._closed = False
        self._accepted: dict[Tunnel, Accepted] = {}
        self._refusals = Refusals(rateLimit)
        self._strangers = Strangers(clock, self._refusals.say, limits.silent, limits.begun)
        self._known: OwnedConnections[Tunnel] = OwnedConnections(limits.known, limits.owned)

    # What a L{uotp.transport.listener.Reception} is told.

    def arrived(self, newcomer: Newcomer) -> None:
        """
        A connection was accepted.
        """
        if self._closed:
            newcomer.abort()
        else:
            self._strangers.arrived(newcomer)

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

    def refused(self, newcomer: Newcomer, error: PeerError) -> None:
        """
        It has not said for whom it comes.
        """
        self._strangers.discard(newcomer)
        self._refusals.say(newcomer.host, str(error), error.kind)

    def begin(self, newcomer: Newcomer) -> None:
        """
        Something has come on it, and it is its turn.
        """
        self._strangers.began(newcomer)
        tunnel = self._newTunnel()
        self._accepted[tunnel] = Accepted(newcomer)
        self._liveTunnels.add(tunnel)
        try:
            newcomer.become(self._makeStream, tunnel)
        except Exception:
            if tunnel.state is TunnelState.NEW:  # it has no stream that could tell of its end
                self._letGo(tunnel)
            raise

    def _newTunnel(self) -> AcceptedTunnel:
        return AcceptedTunnel(self._clock, self, pads=self._pads)

    def adopt(self, newcomer: Handed) -> None:
        """
        Another worker hands a connection over.
        """
        if self._closed:
            newcomer.abort()
            return
        self._strangers.arrived(newcomer)
        self._strangers.began(newcomer)
        tunnel = self._newTunnel()
        self._accepted[tunnel] = Accepted(newcomer)
        self.relayed += newcomer.isRelayed
        self._liveTunnels.add(tunnel)
        try:
            newcomer.become(tunnel)
        except Exception:
            if tunnel.state is TunnelState.NEW:  # it has no stream that could tell of its end
                self._letGo(tunnel)
            raise

    def left(self, newcomer: Newcomer) -> None:
        """
        It has gone, and nothing came on it.
        """
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

    def open(self) -> None:
        """
        Let clients in, as from the beginning.
        """
        self._closed = False

    def close(self) -> None:
        """
        Let nobody in any more.
        """
        self._closed = True
        self._strangers.endAll()
        self._visitors.endAll()

    def tunnelSecured(self, tunnel: Tunnel) -> None:
        """
        A handshake is done; that of one that is relayed was counted where it is, and that of one that has asked for
        the path when it came to the door.
        """
        accepted = self._accepted[tunnel]
        if accepted.newcomer.isRelayed or accepted.isUpgraded:
            return
        if tunnel.security is not None:
            self._refusals.handshakes[Handshake.DONE] += 1
        assert isinstance(tunnel, AcceptedTunnel)
        if accepted.newcomer.hops:
            return
        if self._visitors.isLoop(tunnel):
            tunnel.misbehaved(PeerError(f"it comes from us: {spelled('fallback')} names this very server"))
        else:
            accepted.visitor = self._visitors.watch(tunnel, accepted.newcomer)

    def noHello(self, tunnel: Tunnel, error: PeerError) -> None:
        """
        What has come on a connection is no hello.
        """
        visitor = self._accepted[tunnel].visitor
        assert isinstance(tunnel, AcceptedTunnel)
        if visitor is None:
            tunnel.misbehaved(error)
        elif tunnel.hearsTls and self._door.fallback is None:
            visitor.isClient()
            tunnel.sayNoTls(error)
        else:
            visitor.noHello(tunnel.shown, error)

    def peerEnded(self, tunnel: Tunnel) -> None:
        """
        The other end has said all, and no hello.
        """
        visitor = self._accepted[tunnel].visitor
        assert isinstance(tunnel, AcceptedTunnel)
        if visitor is not None:
            visitor.peerEnded(tunnel.shown)

    def takenOver(self, visitor: Visitor) -> None:
        """
        See L{uotp.server.door.visitors.DoorOwner}.
        """
        if self._accepted.pop(visitor.tunnel, None) is not None:
            self._liveTunnels.discard(visitor.tunnel)

    def visitorCame(self, visitor: Visitor, reason: PeerError | None, *, hasRoom: bool) -> None:
        """
        See L{uotp.server.door.visitors.DoorOwner}.  For whom there is no room stays a stranger, who has to go soon.
        """
        if hasRoom:
            self._strangers.discard(visitor.newcomer)
        if reason is not None:
            self._refusals.say(visitor.newcomer.host, str(reason), reason.kind, visitor.tunnel.peerName)

    def visitorLeft(self, visitor: Visitor, reason: Failure | None) -> None:
        """
        See L{uotp.server.door.visitors.DoorOwner}.
        """
        if reason is None or visitor.tunnel in self._accepted:
            return
        self._strangers.discard(visitor.newcomer)
        self._liveTunnels.log.strangerLost(visitor.newcomer.host, reason.getErrorMessage())

    def upgraded(self, visitor: Visitor, upgrade: PathUpgrade) -> None:
        """
        Somebody has asked for the path: he has to say hello within what comes now.
        """
        newcomer, stream = visitor.newcomer, visitor.stream
        tunnel = self._newTunnel()
        self._accepted[tunnel] = Accepted(newcomer, isUpgraded=True)
        self._liveTunnels.add(tunnel)
        stream.write(upgrade.answer)
        stream.handTo(tunnel)
        tunnel.makeConnection(stream)
        if tunnel.security is not None:
            tunnel.handshakeCompleted()
        stream.becomeWebSocket(upgrade.rest, masks=False)

    def helloReceived(self, tunnel: Tunnel, hello: ClientHello) -> None:
        """
        A connection has said its hello.
        """
        accepted = self._accepted[tunnel]
        if accepted.newcomer not in self._strangers:  # aborted already
            return
        assert isinstance(tunnel, AcceptedTunnel)
        security = tunnel.security
        key = None if security is None else security.peerKey
        owner = accepted.newcomer.owner if key is None else key
        if not self._isLetPast(tunnel, hello, accepted):
            return
        if self._coordinator is None:
            self._admit(tunnel, hello, key, owner)
            return
        accepted.newcomer.isAskedFor = True
        accepted.number = next(self._numbers)
        question = JoinQuestion(
            connection=accepted.number,
            sessionId=hello.sessionId,
            key=key,
            owner=owner,
            isRelayed=accepted.newcomer.isRelayed,
            isMovable=tunnel.transport.isBare,
            hops=accepted.newcomer.hops,
        )
        tunnel.transport.pauseProducing()  # what comes next is for whoever gets the connection
        self._coordinator.ask(question, partial(self._answered, self._coordinator, tunnel, hello, question))

    def _isLetPast(self, tunnel: AcceptedTunnel, hello: ClientHello, accepted: Accepted) -> bool:
        """
        @return: whether a hello has what is needed.  Who has said one that has not is a visitor, or is refused when he
            knew enough to be no stranger.
        """
        visitor = accepted.visitor
        isVisitor = visitor is not None
        try:
            tunnel.token = self._requireToken(hello)
            if visitor is not None and self._door.needsPath:
                raise PeerError(PATH_ONLY, Refusal.FORMAT)  # noqa: TRY301 - one more thing that is needed
            isVisitor = isVisitor and hello.wireFormat is WireFormat.ONE  # whom we could not refuse in words of ours
            self._requireFormat(hello)
            if accepted.newcomer.isRelayed:
                self._requireWelcome(tunnel.security)
        except PeerError as error:
            if visitor is not None and isVisitor and error.kind is not Refusal.STOPPING:
                visitor.noClient(tunnel.shown, error)
                return False
            if visitor is not None:
                visitor.isClient()
            self._refuse(tunnel, str(error), error.kind)
            return False
        if visitor is not None:
            visitor.isClient()
        return True

    def _requireFormat(self, hello: ClientHello) -> None:
        if self._closed:
            reason = "the server stops"
            raise PeerError(reason, Refusal.STOPPING)
        if hello.wireFormat not in FORMATS[self._wire]:
            reason = (
                f"it speaks format {hello.wireFormat.value}, and {spelled('wire')} {self._wire.value} was said here"
            )
            raise PeerError(reason, Refusal.FORMAT)

    def _requireWelcome(self, security: Security | None) -> None:
        """
        Judge once more a client whose handshake another worker has done.  Files may have been read again since, and
        nobody has looked at it here while it waited for its turn.

        @raise PeerError: when it may not join any more.
        """
        error = None if security is None else self._objection(security)
        if error is not None:
            raise error

    def _requireToken(self, hello: ClientHello) -> bytes | None:
        """
        @return: what identifies the token, if one has to be shown.
        @raise PeerError: when none is that is known.
        """
        tokens = self._tokens()
        if tokens is None:
            return None
        if hello.wireFormat is WireFormat.ONE:
            reason = "it speaks format 1, in which there is no token, and a token is needed here"
            raise PeerError(reason, Refusal.FORMAT)
        token = tokens.match(hello.token)
        if token is None:
            reason = "no token was shown, and one is needed here" if hello.token is None else "wrong token"
            raise PeerError(reason, Refusal.WRONG_TOKEN)
        return token

    def _refuse(self, tunnel: AcceptedTunnel, reason: str, kind: Refusal) -> None:
        self._refusals.say(self._accepted[tunnel].peer, reason, kind, tunnel.peerName)
        tunnel.refuse()

    def _answered(
        self,
        coordinator: Coordinator,
        tunnel: AcceptedTunnel,
        hello: ClientHello,
        question: JoinQuestion,
        answer: JoinAnswer,
    ) -> None:
        accepted = self._accepted.get(tunnel)
        waits = accepted is not None and accepted.newcomer in self._strangers and tunnel.state is TunnelState.HELLO
        if accepted is not None:
            accepted.newcomer.isAskedFor = False
        if accepted is None or not waits or self._closed:  # when the server stops, strangers are ended by turns
            if answer.decision is not Decision.REFUSED:
                self._giveBack(coordinator, question)
        elif answer.decision is Decision.REFUSED:
            self._refuse(tunnel, answer.reason, answer.kind)
        elif answer.decision is Decision.HERE:
            self._byNumber[question.connection] = tunnel
            tunnel.transport.resumeProducing()
            if not self._admit(tunnel, hello, question.key, question.owner):
                self._byNumber.pop(question.connection, None)
                self._giveBack(coordinator, question)
        else:
            self._letGo(tunnel)
            coordinator.handOver(tunnel, accepted.newcomer, question, answer.worker)

    def _giveBack(self, coordinator: Coordinator, question: JoinQuestion) -> None:
        coordinator.gone(question.connection)
        if question.sessionId not in self._registry:
            coordinator.abandoned(question.sessionId)

    def _letGo(self, tunnel: Tunnel) -> None:
        """
        Forget a connection that another worker gets, or that has none that it could be.
        """
        newcomer = self._accepted.pop(tunnel).newcomer
        self._strangers.discard(newcomer)
        self.relayed -= newcomer.isRelayed
        self._liveTunnels.discard(tunnel)

    def _admit(self, tunnel: AcceptedTunnel, hello: ClientHello, key: bytes | None, owner: Hashable) -> bool:
        """
        Bring a connection to its session.

        @return: whether it may join.
        """
        accepted = self._accepted[tunnel]
        try:
            joined = self._join(tunnel, accepted.peer, hello, key, owner)
        except PeerError as error:
            self._refuse(tunnel, str(error), error.kind)
            return False
        self._strangers.discard(accepted.newcomer)
        self._known.add(owner, tunnel)
        accepted.owner = owner
        accepted.served = joined.served
        kept = f"a {'new' if joined.isNew else 'known'} session, kept for {self._registry.linger:g} s without a tunnel"
        self._liveTunnels.log.opened(tunnel, joined.served.name, kept)
        tunnel.welcome(
            joined.served.session, isNew=joined.isNew, keptSeconds=self._registry.linger, instance=self._instance
        )
        return True

    def _join(self, tunnel: Tunnel, peer: str, hello: ClientHello, key: bytes | None, owner: Hashable) -> Joined:
        giver = self._known.giver(owner)
        joined = self._registry.join(hello.sessionId, key, tunnel, peer, tunnel.peerName, hello.order)
        if giver is not None:
            self._evict(giver)
        return joined

    def _evict(self, giver: Hashable) -> None:
        newest, reason = self._known.evict(giver)
        self._refusals.say(self._accepted[newest].peer, reason, Refusal.NO_ROOM, newest.peerName)
        newest.close()

    def closeForRoom(self, connection: int, reason: str) -> None:
        """
        A connection has to make room for one of another worker.

        @param connection: its number.
        """
        tunnel = self._byNumber.get(connection)
        if tunnel is not None:
            self._refusals.say(self._accepted[tunnel].peer, reason, Refusal.NO_ROOM, tunnel.peerName)
            tunnel.close()

    def tunnelDrained(self, tunnel: Tunnel) -> None:
        """
        The client closes it, and may have to say first that it leaves; a deadline of
        the tunnel's own bounds that.
        """
        self._liveTunnels.log.tell(tunnel, "no more trains follow, neither way")

    def pongGivenUp(self, tunnel: Tunnel) -> None:
        """
        The client does not answer: it has opened another tunnel, if it lives.
        """
        peer = self._accepted[tunnel].peer
        client = clientFields(tunnel.peerName)
        suppressed = self._rateLimit.suppressedBefore((peer, "pong given up"))
        self._liveTunnels.log.tell(tunnel, "no pong has come")
        words = "a tunnel from {peer}{clientWords} does not answer and is given up"
        logCounted(self._log, LogLevel.info, suppressed, words, peer=peer, **client)
        tunnel.abort()

    def peerLeft(self, tunnel: Tunnel) -> None:
        """
        The client says that its session is over.
        """
        served = self._accepted[tunnel].served
        self._liveTunnels.log.tell(tunnel, "the client says that its session is over")
        if served is not None:
            self._registry.peerLeft(served)

    def status(self, tunnel: Tunnel) -> ServerStatus | None:
        """
        A client asks how the server stands.
        """
        served = self._accepted[tunnel].served
        return None if served is None else self._registry.status(served, int(self._wallClock() * 1000))

    def tunnelLost(self, tunnel: Tunnel, reason: Failure) -> None:
        """
        A connection is gone.
        """
        self._liveTunnels.discard(tunnel)
        accepted = self._accepted.pop(tunnel, None)
        if accepted is None:  # it was to be handed over
            return
        if accepted.visitor is not None:
            accepted.visitor.lost(reason)
        self.relayed -= accepted.newcomer.isRelayed
        if self._coordinator is not None and self._byNumber.pop(accepted.number, None) is not None:
            self._coordinator.gone(accepted.number)
        words = tunnel.fault or tunnel.refusal
        assert isinstance(tunnel, AcceptedTunnel)
        if not tunnel.isSecured and tunnel.security is not None:
            ended = Handshake.LOST if tunnel.refusal is None else Handshake.REFUSED
            self._refusals.handshakes[ended] += 1
        self._liveTunnels.log.lost(tunnel, words or reason.getErrorMessage())
        self._strangers.discard(accepted.newcomer)
        self._known.discard(accepted.owner, tunnel)
        if accepted.served is not None:
            isShutOut = tunnel.fault is not None and tunnel.faultKind in SHUT_OUT
            self._registry.tunnelLost(accepted.served, tunnel, isShutOut=isShutOut)
        if words is not None:
            wasLetIn = accepted.served is not None and tunnel.kind in NOT_ANY_MORE
            say = self._refusals.sayShutOut if wasLetIn else self._refusals.say
            say(accepted.peer, words, tunnel.kind, tunnel.peerName)
        elif accepted.served is None:
            self._liveTunnels.log.strangerLost(accepted.peer, reason.getErrorMessage())

    def allowStrangers(self, *, silent: int | None = None, begun: int | None = None) -> None:
        """
        See L{Strangers.allow}.
        """
        self._strangers.allow(silent=silent, begun=begun)

    def statistics(self) -> AcceptorStatistics:
        """
        @return: how the connections stand.
        """
        return AcceptorStatistics(
            self._strangers.statistics(),
            len(self._known),
            self._known.evicted,
            self._refusals.byKind(),
            self._refusals.byResult(),
            self._visitors.statistics(),
        )

    def checkInvariant(self) -> None:
        """
        What holds between any two events.

        @raise AssertionError: when it does not.
        """
        self._strangers.checkInvariant()
        self._known.checkInvariant()
        self._visitors.checkInvariant()
        assert len(self._accepted) <= len(self._liveTunnels)
        assert self.relayed == sum(accepted.newcomer.isRelayed for accepted in self._accepted.values())
        for tunnel, accepted in self._accepted.items():
            assert accepted.served is None or accepted.newcomer not in self._strangers
            assert accepted.served is None or tunnel in accepted.served.tunnels
