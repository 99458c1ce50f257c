"""
A server in a worker: it accepts on sockets that its parent hands in, asks whom it may let in, and
keeps to its parts of what all workers share.
"""

from __future__ import annotations

import pickle
import socket
from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred

from uotp.errors import PeerError
from uotp.monitoring import Reporter, reportParts
from uotp.process import descriptorLimit
from uotp.server.credentials import serverCredentials
from uotp.server.service import ServerService
from uotp.server.settings import ServerSettings
from uotp.server.workers.contact import Parent, ParentContact
from uotp.server.workers.messages import (
    AnswerToJoin,
    OrderConnectionEnd,
    OrderDoubleEnd,
    OrderSessionEnd,
    PassOn,
    TakeOver,
)
from uotp.telemetry import orLog
from uotp.tls import CopiedFiles, ServerCredentials
from uotp.transport import Listener, listenOn
from uotp.tunnel import TunnelService
from uotp.workers import BeginWork, Descriptors, ListenNoMore, ListenOn

MOST_RELAYS = 1 << 16
"""Where nothing bounds descriptors."""

DESCRIPTORS_EACH = 16
"""One relayed connection is allowed for so many descriptors."""

TELL_SECONDS = 1.0
"""How often the parent is told which sessions are active."""


class ServerWorker(ServerService):
    """
    Runs a server in a worker.
    """

    speaks = False
    isOneOfSeveral = True

    def __init__(
        self,
        settings: ServerSettings,
        credentials: ServerCredentials | None,
        reactor: Any,
        parent: Parent,
        number: int,
        workers: int,
        instance: bytes | None = None,
    ) -> None:
        """
        See L{uotp.server.service.ServerService}.

        @param number: which worker it is, from 1 on.
        @param workers: how many there are.
        """
        mostRelays = relaysWithin(descriptorLimit())
        self._contact = ParentContact(parent, reactor, settings.tuning, mostRelays, number, workers)
        super().__init__(settings, credentials, reactor, self._contact, instance)
        self._contact.serve(self.acceptor, self.registry, self.handshakes, self.turns.allowanceOf, self.objection)
        self._listeners: dict[int, Listener] = {}

    def privilegedStartService(self) -> None:
        """
        Do nothing: the parent has bound the ports.
        """

    def startService(self) -> None:
        """
        Begin.

        @raise StartError: when the congestion control cannot be had any more.
        """
        TunnelService.startService(self)
        self.acceptor.open()
        self.beginToServe()
        self.periodicCalls.every(TELL_SECONDS, self._contact.tellActive)

    def stopService(self) -> Deferred[Any]:
        """
        See L{ServerService.stopService}.
        """
        listeners, self._listeners = self._listeners, {}
        closed = [maybeDeferred(each.stopListening) for each in listeners.values()]
        relayed = self._contact.relays.stop()
        stopped = super().stopService().addCallback(lambda _: self._contact.relays.hurry())
        return gatherResults([*closed, relayed, stopped])

    # What the parent wants; see uotp.workers.WorkService.

    def uses(self) -> dict[str, int]:
        """
        @return: how much is used of each thing that all workers share.
        """
        strangers = self.acceptor.statistics().strangers
        return {"memory": self.turns.memory.used, "silent": strangers.silent, "begun": strangers.begun}

    def setPart(self, name: str, amount: int) -> None:
        """
        Use no more of it than this.
        """
        if name == "memory":
            self.turns.memory.bytes = amount
        elif name == "silent":
            self.acceptor.allowStrangers(silent=amount)
        elif name == "begun":
            self.acceptor.allowStrangers(begun=amount)

    def reportParts(self, most: int) -> Deferred[Iterator[tuple[object, ...]]]:
        """
        See L{uotp.workers.WorkService}.
        """
        reporter: Reporter = self.reporter()
        return reporter.report().addCallback(reportParts, most)

    def orderReceived(self, message: object, descriptors: Descriptors) -> None:
        """
        The parent has said something.

        @raise PeerError: when it is nothing that a server's parent says.
        """
        match message:
            case AnswerToJoin():
                self._contact.answered(message)
            case TakeOver():
                self._contact.takeOver(message, descriptors.take(2 if message.isRelayed else 1))
            case PassOn():
                self._takePassed(message, *descriptors.take(1))
            case ListenOn(group):
                if self.running:
                    self._listen(group, *descriptors.take(1))
            case ListenNoMore(group):
                self._listenNoMore(group)
            case OrderSessionEnd():
                self._contact.endSession(message)
            case OrderDoubleEnd(sessionId):
                self.registry.leaveToOther(sessionId)
            case OrderConnectionEnd():
                self._contact.endConnection(message)
            case _:
                reason = "it says what a server's parent does not say"
                raise PeerError(reason)

    def _takePassed(self, message: PassOn, descriptor: int) -> None:
        """
        Another worker has accepted it, at whichever port.
        """
        given = socket.socket(fileno=descriptor)
        listener = next(iter(self._listeners.values()), None)
        if listener is None:  # this worker stops: the client dials again
            given.close()
        else:
            listener.receive(given, message.host, message.port)

    def _listenNoMore(self, group: int) -> None:
        listener = self._listeners.pop(group, None)
        if listener is not None:
            orLog(maybeDeferred(listener.stopListening), self._log, "a port was not closed")

    def _listen(self, group: int, descriptor: int) -> None:
        self._listenNoMore(group)
        given = socket.socket(fileno=descriptor)
        self._listeners[group] = listenOn(given, self.acceptor, self.handshakes, self.reactor)


def serverWorker(message: BeginWork, parent: Parent, reactor: Any) -> ServerWorker:
    """
    Make the service of a worker, as its parent orders.

    @raise ConfigurationError: for what cannot be used.
    """
    settings, tls, instance = pickle.loads(message.settings)  # noqa: S301 - it comes from the process that has started us
    files = CopiedFiles(message.contents)
    credentials = serverCredentials(tls, settings, files=files)
    return ServerWorker(settings, credentials, reactor, parent, message.number, message.workers, instance)


def relaysWithin(descriptors: int | None) -> int:
    """
    @param descriptors: how many this process may have, or L{None} for no limit.
    @return: how many connections it may carry to other workers, and others to it.  Each takes two
        descriptors, so both together get a quarter of them.
    """
    return MOST_RELAYS if descriptors is None else max(1, descriptors // DESCRIPTORS_EACH)
