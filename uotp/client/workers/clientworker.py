"""
A client in a worker: it reads sockets that its parent hands in, and keeps to its parts of what
all workers share.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from uotp.client.credentials import clientCredentials
from uotp.client.service import ClientService
from uotp.client.settings import ClientSettings
from uotp.client.workers.memberports import MemberPorts
from uotp.client.workers.messages import (
    FollowPath,
    LearnGoodHosts,
    TellGoodHosts,
    TellPortLost,
    TellServerFound,
)
from uotp.errors import PeerError
from uotp.monitoring import Reporter, reportParts
from uotp.process import SleepClocks
from uotp.telemetry import orLog
from uotp.tls import ClientCredentials, CopiedFiles
from uotp.tunnel import TunnelService
from uotp.udp import groupMemberOpener
from uotp.workers import BeginWork, Descriptors, ListenNoMore, ListenOn

WRITER = 1
"""The number of the worker that writes into the state directory."""


class ClientsParent(Protocol):
    """
    Is where messages for the parent go.
    """

    def send(self, message: object, descriptors: Sequence[int] = ()) -> None:
        """
        See L{uotp.workers.channel.MessageChannel.send}.
        """


class ClientWorker(ClientService):
    """
    Runs a client in a worker.
    """

    speaks = False

    def __init__(
        self,
        settings: ClientSettings,
        credentials: ClientCredentials | None,
        reactor: Any,
        parent: ClientsParent,
        number: int,
        processes: int,
        clocks: SleepClocks | None = None,
    ) -> None:
        """
        See L{ClientService}.

        @param parent: is told what it has to know.
        @param number: which worker this is.
        """
        writeElsewhere = None if number == WRITER else self._tellGoodHosts
        self._parent = parent
        super().__init__(settings, credentials, reactor, clocks, processes, writeElsewhere)
        self._members = MemberPorts(
            groupMemberOpener(reactor, self.drops, settings.udpBuffer, self.intakeBytes),
            self.newPort,
            lambda group, reason: parent.send(TellPortLost(group, reason)),
        )
        self._isStopping = False

    def _tellGoodHosts(self, server: int, hosts: tuple[str, ...]) -> None:
        self._parent.send(TellGoodHosts(server, hosts))

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
        self._isStopping = False
        self.beginToCarry()
        found = self.whenReady().addCallback(lambda _: self._parent.send(TellServerFound()))
        orLog(found, self._log, "the parent was not told that the server is found")

    def stopService(self) -> Deferred[None]:
        """
        See L{ClientService.stopService}.
        """
        self._isStopping = True
        return super().stopService()

    def countKernelDrops(self) -> None:
        """
        See L{ClientService}.
        """
        self._members.countKernelDrops()

    def ignoreSources(self) -> None:
        """
        See L{ClientService}.
        """
        self._members.ignoreSources()

    def closePorts(self) -> Deferred[Any]:
        """
        See L{ClientService}.
        """
        return self._members.stop()

    def renew(self, prepared: Any) -> None:
        """
        Use new files, and find out besides what has become of the path to the server.
        """
        before = self.ownPin()
        try:
            super().renew(prepared)
        finally:
            self.pathMayHaveChanged(keyChanged=self.ownPin() != before)

    # What the parent wants; see uotp.workers.WorkService.

    def uses(self) -> dict[str, int]:
        """
        @return: how much is used of each thing that all workers share.
        """
        return {"memory": self.turns.memory.used, "sessions": len(self._sessions)}

    def setPart(self, name: str, amount: int) -> None:
        """
        Use no more of it than this.
        """
        if name == "memory":
            self.turns.memory.bytes = amount
        elif name == "sessions":
            self._sessions.setMost(amount)

    def reportParts(self, most: int) -> Deferred[Iterator[tuple[object, ...]]]:
        """
        See L{uotp.workers.WorkService}.
        """
        reporter: Reporter = self.reporter()
        return reporter.report().addCallback(reportParts, most)

    def orderReceived(self, message: object, descriptors: Descriptors) -> None:
        """
        The parent has said something.

        @raise PeerError: when it is nothing that a client's parent says.
        """
        match message:
            case ListenOn(group):
                if not self._isStopping:
                    self._members.open(group, *descriptors.take(1))
            case ListenNoMore(group):
                self._members.close(group)
            case LearnGoodHosts(server, hosts) if 0 <= server < len(self._ways):
                self._ways[server].lastGood.learn(hosts)
            case FollowPath():
                self.pathMayHaveChanged(keyChanged=False)
            case _:
                reason = "it says what a client's parent does not say"
                raise PeerError(reason)


def clientWorker(message: BeginWork, parent: ClientsParent, reactor: Any) -> ClientWorker:
    """
    Make the service of a worker, as its parent orders.

    @raise ConfigurationError: for what cannot be used.
    """
    settings, tls = pickle.loads(message.settings)  # noqa: S301 - it comes from the process that has started us
    credentials = clientCredentials(tls, settings, files=CopiedFiles(message.contents))
    return ClientWorker(settings, credentials, reactor, parent, message.number, message.workers)
