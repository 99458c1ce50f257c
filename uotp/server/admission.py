"""
The way of a connection from its hello to its session: what the hello needs is looked at, where there are
several workers their parent is asked whose it is, and then it joins, or is refused.

Of all connections that carry an owner may have a share; and when all are taken, whoever has most gives one
up.  An owner is a client's certificate, or without one an address.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from itertools import count

from uotp.errors import PeerError, Refusal
from uotp.server.accepted import Accepted, AcceptedConnections
from uotp.server.connections import OwnedConnections
from uotp.server.door.visitors import PATH_ONLY
from uotp.server.joining import Coordinator, Decision, JoinAnswer, JoinQuestion
from uotp.server.registry import Joined, Registry
from uotp.server.requirements import HelloRequirements
from uotp.tunnel import AcceptedTunnel, Tunnel, TunnelState
from uotp.wire import ClientHello, WireFormat


class SessionAdmission:
    """
    Brings connections to their sessions.

    @ivar isClosed: whether nobody is let in any more.
    @ivar known: those that have joined, by their owners.
    """

    def __init__(
        self,
        connections: AcceptedConnections,
        registry: Registry,
        known: OwnedConnections[Tunnel],
        requirements: HelloRequirements,
        coordinator: Coordinator | None,
        instance: bytes | None,
        *,
        needsPath: bool,
    ) -> None:
        """
        @param registry: who knows the sessions.
        @param requirements: says what a hello needs.
        @param coordinator: decides who may join, where there are several workers.
        @param instance: what names this start of the server, which clients are told.
        @param needsPath: whether only who has asked for the path may join.
        """
        self.isClosed = False
        self.known = known
        self._connections = connections
        self._registry = registry
        self._requirements = requirements
        self._coordinator = coordinator
        self._instance = instance
        self._needsPath = needsPath
        self._numbers = count(1)
        self._byNumber: dict[int, Tunnel] = {}

    # What the hello needs.

    def helloReceived(self, tunnel: AcceptedTunnel, hello: ClientHello) -> None:
        """
        A connection has said its hello.
        """
        accepted = self._connections[tunnel]
        if accepted.newcomer not in self._connections.strangers:  # aborted already
            return
        if not self._isLetPast(tunnel, hello, accepted):
            return
        security = tunnel.security
        key = None if security is None else security.peerKey
        owner = accepted.newcomer.owner if key is None else key
        if self._coordinator is None:
            self._admit(tunnel, hello, key, owner)
        else:
            self._ask(self._coordinator, tunnel, hello, key, owner)

    def _isLetPast(self, tunnel: AcceptedTunnel, hello: ClientHello, accepted: Accepted) -> bool:
        """
        @return: whether a hello has what is needed.  Who has said one that has not is a visitor, or is refused when he
            knew enough to be no stranger.
        """
        visitor, requirements = accepted.visitor, self._requirements
        isVisitor = visitor is not None
        try:
            tunnel.token = requirements.requireToken(hello)
            if visitor is not None and self._needsPath:
                raise PeerError(PATH_ONLY, Refusal.FORMAT)  # noqa: TRY301 - one more thing that is needed
            isVisitor = isVisitor and hello.wireFormat is WireFormat.ONE  # whom we could not refuse in words of ours
            self._requireOpen()
            requirements.requireFormat(hello)
            if accepted.newcomer.isRelayed:
                requirements.requireWelcome(tunnel.security)
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

    def _requireOpen(self) -> None:
        if self.isClosed:
            reason = "the server stops"
            raise PeerError(reason, Refusal.STOPPING)

    def _refuse(self, tunnel: AcceptedTunnel, reason: str, kind: Refusal) -> None:
        self._connections.refusals.say(self._connections[tunnel].peer, reason, kind, tunnel.peerName)
        tunnel.refuse()

    # Whose it is, where there are several workers.

    def _ask(
        self,
        coordinator: Coordinator,
        tunnel: AcceptedTunnel,
        hello: ClientHello,
        key: bytes | None,
        owner: bytes | str,
    ) -> None:
        accepted = self._connections[tunnel]
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
        coordinator.ask(question, partial(self._answered, coordinator, tunnel, hello, question))

    def _answered(
        self,
        coordinator: Coordinator,
        tunnel: AcceptedTunnel,
        hello: ClientHello,
        question: JoinQuestion,
        answer: JoinAnswer,
    ) -> None:
        accepted = self._connections.get(tunnel)
        if accepted is not None:
            accepted.newcomer.isAskedFor = False
        isStranger = accepted is not None and accepted.newcomer in self._connections.strangers
        waits = isStranger and tunnel.state is TunnelState.HELLO
        if accepted is None or not waits or self.isClosed:  # when the server stops, strangers are ended by turns
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
            self._connections.letGo(tunnel)
            coordinator.handOver(tunnel, accepted.newcomer, question, answer.worker)

    def _giveBack(self, coordinator: Coordinator, question: JoinQuestion) -> None:
        coordinator.gone(question.connection)
        if question.sessionId not in self._registry:
            coordinator.abandoned(question.sessionId)

    # Into its session.

    def _admit(self, tunnel: AcceptedTunnel, hello: ClientHello, key: bytes | None, owner: Hashable) -> bool:
        """
        Bring a connection to its session.

        @return: whether it may join.
        """
        accepted = self._connections[tunnel]
        try:
            joined = self._join(tunnel, accepted.peer, hello, key, owner)
        except PeerError as error:
            self._refuse(tunnel, str(error), error.kind)
            return False
        self._connections.strangers.discard(accepted.newcomer)
        self.known.add(owner, tunnel)
        accepted.owner = owner
        accepted.served = joined.served
        linger = self._registry.linger
        kept = f"a {'new' if joined.isNew else 'known'} session, kept for {linger:g} s without a tunnel"
        self._connections.liveTunnels.log.opened(tunnel, joined.served.name, kept)
        tunnel.welcome(joined.served.session, isNew=joined.isNew, keptSeconds=linger, instance=self._instance)
        return True

    def _join(self, tunnel: Tunnel, peer: str, hello: ClientHello, key: bytes | None, owner: Hashable) -> Joined:
        giver = self.known.giver(owner)
        joined = self._registry.join(hello.sessionId, key, tunnel, peer, tunnel.peerName, hello.order)
        if giver is not None:
            newest, reason = self.known.evict(giver)
            self._closeForRoom(newest, reason)
        return joined

    def _closeForRoom(self, tunnel: Tunnel, reason: str) -> None:
        peer = self._connections[tunnel].peer
        self._connections.refusals.say(peer, reason, Refusal.NO_ROOM, tunnel.peerName)
        tunnel.close()

    def closeForRoom(self, connection: int, reason: str) -> None:
        """
        A connection has to make room for one of another worker.

        @param connection: its number.
        """
        tunnel = self._byNumber.get(connection)
        if tunnel is not None:
            self._closeForRoom(tunnel, reason)

    # Out of it.

    def lost(self, tunnel: Tunnel, accepted: Accepted) -> None:
        """
        A connection is gone, and so is its place.
        """
        if self._coordinator is not None and self._byNumber.pop(accepted.number, None) is not None:
            self._coordinator.gone(accepted.number)
        self.known.discard(accepted.owner, tunnel)
