"""
A worker's contact with its parent: what it asks of each connection, what it tells of its sessions,
and the connections that it hands over or gets.
"""

from __future__ import annotations

import errno
import zlib
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Protocol

from twisted.logger import LogLevel

from uotp.boundaries import Allowance, Security
from uotp.errors import PeerError, Refusal
from uotp.net import TunnelSocketOptions
from uotp.server.acceptor import Acceptor
from uotp.server.joining import Announced, Coordination, Decision, JoinAnswer, JoinQuestion
from uotp.server.registry import Registry, ServedSession
from uotp.server.sessionshares import Shortage, Surplus
from uotp.server.strangers import Stranger
from uotp.server.workers.handed import HandedConnection, handOver, securityOf, socketsOf
from uotp.server.workers.messages import (
    AnswerToJoin,
    AskToJoin,
    OrderConnectionEnd,
    OrderSessionEnd,
    PassOn,
    TakeOver,
    TellGone,
    TellSessionEnded,
    TellSessionLingers,
    TellSessionOpened,
    TellSessionsActive,
    valuesOf,
)
from uotp.server.workers.relays import Relays
from uotp.telemetry import Logger, RateLimit, logCounted
from uotp.transport import AcceptedTcpStream, HandshakeQueue, newPipe
from uotp.tunnel import AcceptedTunnel
from uotp.wire import sessionName

BUSY = "its parent has much to read"
"""Why a connection is closed that another worker should have had."""

MOST_ACTIVE = 1024
"""So many sessions are told of in one message, of some 60 bytes each."""


def workerFor(owner: str, workers: int) -> int:
    """
    @param owner: who is there, see L{uotp.net.ownerOf}.
    @param workers: how many there are.
    @return: the number of the one to which his connections go that balancers announce, from 1 on.
    """
    return 1 + zlib.crc32(owner.encode()) % workers


class Parent(Protocol):
    """
    Is where messages for the parent go.
    """

    @property
    def hasRoom(self) -> bool:
        """
        See L{uotp.workers.seams.MessageChannel.hasRoom}.
        """

    def send(self, message: object, descriptors: Sequence[int] = ()) -> None:
        """
        See L{uotp.workers.seams.MessageChannel.send}.
        """


class ParentContact:
    """
    Asks and tells the parent.
    """

    _log = Logger()

    def __init__(
        self,
        parent: Parent,
        reactor: Any,
        tuning: TunnelSocketOptions,
        mostRelays: int,
        number: int = 1,
        workers: int = 1,
    ) -> None:
        """
        @param tuning: how the sockets of connections are set up.
        @param mostRelays: see L{Relays}.
        @param number: which worker this is, from 1 on.
        @param workers: how many there are.
        """
        self._number = number
        self._workers = workers
        self.relays = Relays(mostRelays, reactor, self.gone)
        self._parent = parent
        self._reactor = reactor
        self._tuning = tuning
        self._questions = count(1)
        self._asked: dict[int, Callable[[JoinAnswer], None]] = {}
        self._active: dict[bytes, float] = {}
        self._lingering: set[bytes] = set()
        self._rateLimit = RateLimit(reactor.seconds)

    def serve(
        self,
        acceptor: Acceptor,
        registry: Registry,
        handshakes: HandshakeQueue,
        allowanceOf: Callable[[Any], Allowance],
        objection: Callable[[Security], PeerError | None],
    ) -> None:
        """
        Know what the worker has.

        @param allowanceOf: makes an allowance for something of an owner.
        @param objection: tells why a client may not join any more that was let in, or L{None}.
        """
        self._objection = objection
        self._acceptor = acceptor
        self._registry = registry
        self._handshakes = handshakes
        self._allowanceOf = allowanceOf

    # What the acceptor asks; see Coordinator.

    def passOn(self, newcomer: Announced) -> bool:
        """
        See L{uotp.server.joining.Coordinator}.  While the parent has much to read, it stays here: its session may be
        anywhere.
        """
        worker = workerFor(newcomer.owner, self._workers)
        if worker == self._number or not self._parent.hasRoom:
            return False
        with newcomer.surrender() as given:
            try:
                self._parent.send(PassOn(worker, newcomer.host, newcomer.port), [given.fileno()])
            except (OSError, ValueError) as error:
                self._sayLost("a connection from {peer} could not be handed over", newcomer.host, error)
        return True

    def ask(self, question: JoinQuestion, answered: Callable[[JoinAnswer], None]) -> None:
        """
        See L{uotp.server.joining.Coordinator}.
        """
        number = next(self._questions)
        self._asked[number] = answered
        self._parent.send(AskToJoin(question=number, **valuesOf(question, JoinQuestion)))

    def abandoned(self, sessionId: bytes) -> None:
        """
        See L{uotp.server.joining.Coordinator}.
        """
        self._parent.send(TellSessionEnded(sessionId))

    def gone(self, connection: int) -> None:
        """
        See L{uotp.server.joining.Coordinator}.
        """
        self._parent.send(TellGone(connection))

    def handOver(self, tunnel: AcceptedTunnel, newcomer: Stranger, question: JoinQuestion, worker: int) -> None:
        """
        See L{uotp.server.joining.Coordinator}.
        """
        stream: Any = tunnel.transport
        if newcomer.isRelayed:  # another worker has the connection: the client dials again
            stream.abort()
            return
        isBare = stream.isBare
        hand = self._give if isBare else self._relay
        try:
            if not isBare:
                self.relays.requireRoom(len(self.relays))
            self._requireRoom()
            hand(tunnel, stream, newcomer, question, worker)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody else knows of this connection any more
            if not isinstance(error, OSError | ValueError):
                self._log.failure("a connection could not be handed over")
            self._sayLost("a connection from {peer} could not be handed over", newcomer.host, error)
            stream.abort()
            self.gone(question.connection)

    def _requireRoom(self) -> None:
        """
        @raise OSError: when the parent has not read what it was sent.
        """
        if not self._parent.hasRoom:
            raise OSError(errno.ENOBUFS, BUSY)

    def _sayLost(self, words: str, peer: str, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or str(error)
        suppressed = self._rateLimit.suppressedBefore((words, reason))
        logCounted(self._log, LogLevel.warn, suppressed, words + ": {reason}", peer=peer, reason=reason)

    def _give(
        self,
        tunnel: AcceptedTunnel,
        stream: AcceptedTcpStream,
        newcomer: Stranger,
        question: JoinQuestion,
        worker: int,
    ) -> None:
        """
        Hand over the connection itself.
        """
        message = handOver(tunnel, newcomer, question, worker, isRelayed=False)
        with stream.surrender() as given:
            self._parent.send(message, [given.fileno()])
        self._sayMoved(newcomer, question, worker)

    def _relay(
        self,
        tunnel: AcceptedTunnel,
        stream: AcceptedTcpStream,
        newcomer: Stranger,
        question: JoinQuestion,
        worker: int,
    ) -> None:
        """
        Keep the connection, and carry its bytes through a pipe.
        """
        message = handOver(tunnel, newcomer, question, worker, isRelayed=True)
        ours, theirs = newPipe()
        with theirs:
            try:
                self._parent.send(message, [theirs.fileno(), stream.fileno()])
            except Exception:
                ours.close()
                raise
        number = question.connection
        if not stream.isCarrying:  # the client has closed it behind what it has said
            ours.close()
            stream.abort()
            self.gone(number)
            return
        self.relays.begin(number, stream, ours, self._allowanceOf(question.owner))
        self._sayMoved(newcomer, question, worker)

    def _sayMoved(self, newcomer: Stranger, question: JoinQuestion, worker: int) -> None:
        self._log.debug(
            "a connection from {peer} goes to worker {worker}, which has session {session}",
            peer=newcomer.host,
            worker=worker,
            session=sessionName(question.sessionId),
        )

    # What becomes of sessions; see SessionWatcher.

    def sessionOpened(self, served: ServedSession) -> None:
        """
        See L{uotp.server.registry.SessionWatcher}.
        """
        owner = served.holder
        assert isinstance(owner, bytes | str)
        self._parent.send(TellSessionOpened(served.sessionId, served.owner, owner))

    def sessionEnded(self, served: ServedSession) -> None:
        """
        See L{uotp.server.registry.SessionWatcher}.
        """
        self._active.pop(served.sessionId, None)
        self._lingering.discard(served.sessionId)
        self._parent.send(TellSessionEnded(served.sessionId))

    def sessionLingers(self, served: ServedSession) -> None:
        """
        See L{uotp.server.registry.SessionWatcher}.
        """
        self._active.pop(served.sessionId, None)
        self._lingering.add(served.sessionId)
        self._parent.send(TellSessionLingers(served.sessionId))

    def sessionActive(self, served: ServedSession) -> None:
        """
        See L{uotp.server.registry.SessionWatcher}.  Of sessions that have tunnels, the parent is told
        once in a while.
        """
        if served.sessionId in self._lingering:
            self._lingering.discard(served.sessionId)
            self._parent.send(TellSessionsActive(((served.sessionId, served.lastActive),)))
        else:
            self._active[served.sessionId] = served.lastActive

    def tellActive(self) -> None:
        """
        Tell which sessions have carried something.  Call this now and then.
        """
        active, self._active = list(self._active.items()), {}
        for start in range(0, len(active), MOST_ACTIVE):
            self._parent.send(TellSessionsActive(tuple(active[start : start + MOST_ACTIVE])))

    # What the parent says.

    def answered(self, message: AnswerToJoin) -> None:
        """
        It has decided about a connection.

        @raise PeerError: when nobody has asked.
        """
        answered = self._asked.pop(message.question, None)
        if answered is None:
            reason = "it answers what it was not asked"
            raise PeerError(reason)
        decision = Decision(message.decision)
        answered(JoinAnswer(decision, message.worker, message.reason, Refusal[message.kind]))

    def takeOver(self, message: TakeOver, descriptors: Sequence[int]) -> None:
        """
        A connection of another worker comes here.

        @param descriptors: of it; they are ours to close.
        """
        try:
            sockets = socketsOf(descriptors)
        except OSError as error:
            self._sayLost("a connection from {peer} that another worker has handed over is lost", message.host, error)
            return
        handed = HandedConnection(message, sockets, self._handshakes, self._tuning, self._reactor)
        if not message.isRelayed:
            self._acceptor.adopt(handed)
            return
        try:
            self.relays.requireRoom(self._acceptor.relayed)
        except OSError as error:
            handed.abort()
            self._sayLost("a connection from {peer} that another worker has handed over is lost", message.host, error)
            return
        security = securityOf(message)
        if security is not None and self._objection(security) is not None:
            handed.abort()  # its client learns why when it dials again
        else:
            self._acceptor.adopt(handed)

    def endSession(self, message: OrderSessionEnd) -> None:
        """
        A session has to make room.
        """
        self._registry.giveUp(message.sessionId, Surplus(Shortage[message.shortage], message.sessions, message.most))

    def endConnection(self, message: OrderConnectionEnd) -> None:
        """
        A connection has to make room.
        """
        if not self.relays.end(message.connection):
            self._acceptor.closeForRoom(message.connection, message.reason)


# It fits its seam.
_contact: type[Coordination] = ParentContact
