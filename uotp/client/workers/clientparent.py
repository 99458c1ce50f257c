"""
A client with several workers, seen from their parent: it owns the sockets to which sources send, and keeps
what there may be of all of them together.  It carries nothing itself.

Each worker has a socket at each address, and the kernel sends a source to one of them, always the same
(L{uotp.net.steering}).  What comes while a worker is gone waits in its socket for the next one.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, succeed

from uotp.boundaries import Address
from uotp.client.dial.outcomes import HANDSHAKES
from uotp.client.front import ClientFront
from uotp.client.settings import ClientSettings
from uotp.client.sources.sessions import MAX_CLIENT_SESSIONS
from uotp.client.statistics import CURRENT_OF_CLIENT, ClientStatistics
from uotp.client.workers.clientworker import WRITER
from uotp.client.workers.messages import (
    FollowPath,
    LearnGoodHosts,
    TellGoodHosts,
    TellPortLost,
    TellServerFound,
)
from uotp.errors import PeerError
from uotp.monitoring import ParentReporter, Report, Reporter, commonReport
from uotp.net import steer
from uotp.telemetry import Logger
from uotp.tls import ClientCredentials, ClientTls
from uotp.tunnel import RELOADS, shortStatus
from uotp.udp import datagramGroupOpener, givenSocketPreparer
from uotp.workers import (
    Descriptors,
    Launch,
    ListeningGroup,
    Sums,
    WorkerStatistics,
    Workforce,
    gathered,
    oneLine,
)


class GroupPort:
    """
    Is one UDP port of a client as its parent has it: the sockets of all workers, or none while they are lost.

    @ivar number: by which workers know it.
    """

    def __init__(self, number: int, whenLost: Callable[[str], None]) -> None:
        """
        @param whenLost: told why, when it is gone and we did not close it.
        """
        self.number = number
        self._whenLost = whenLost
        self._group: ListeningGroup | None = None

    def hold(self, group: ListeningGroup) -> None:
        """
        It is bound.
        """
        self._group = group

    def lost(self, reason: str) -> None:
        """
        A worker cannot read its socket any more.  The others lose theirs too: a socket that is bound again
        would be another one in the group.
        """
        if self._group is not None:
            self.stopListening()
            self._whenLost(reason)

    def stopListening(self) -> None:
        """
        Close all sockets.
        """
        group, self._group = self._group, None
        if group is not None:
            group.stopListening()

    def ignoreSources(self) -> None:
        """
        Do nothing: each worker does that.
        """


class ClientParent(ClientFront):
    """
    Runs a client with several workers.
    """

    _log = Logger()

    def __init__(
        self,
        settings: ClientSettings,
        tls: ClientTls | None,
        credentials: ClientCredentials | None,
        reactor: Any,
        workers: int,
        launch: Launch,
    ) -> None:
        """
        See L{ClientFront}.

        @param tls: what the credentials were made of.
        @param workers: how many there are to be.
        @param launch: starts the process of one.
        """
        super().__init__(settings, credentials, reactor, workers)
        directory = settings.stateDirectory
        told = replace(settings, stateDirectory=None if directory is None else os.path.abspath(directory))
        self._workers = workers
        self._openGroup = datagramGroupOpener(reactor, self.drops, settings.udpBuffer)
        self._workforce = Workforce(
            reactor,
            launch,
            workers,
            self,
            pickle.dumps((told, tls)),
            credentials,
            {"memory": settings.memory, "sessions": MAX_CLIENT_SESSIONS},
            Sums(ClientStatistics, CURRENT_OF_CLIENT, (*RELOADS, *HANDSHAKES)),
            self.drops,
        )
        self._groupPorts: dict[int, GroupPort] = {}
        self._numbers = count(1)
        self._isServerFound = False
        self._goodHosts: dict[int, tuple[str, ...]] = {}  # told while the worker was gone that writes them down
        self._waiting: list[Deferred[None]] = []  # for that

    def lookUpAhead(self) -> None:
        """
        Do nothing: each worker looks the server up.
        """

    # The ports.

    def newPort(self, whenLost: Callable[[str], None]) -> GroupPort:
        """
        See L{ClientFront}.
        """
        port = GroupPort(next(self._numbers), whenLost)
        self._groupPorts[port.number] = port
        return port

    def openPort(self, bindAddress: Address, protocol: GroupPort) -> ListeningGroup:
        """
        See L{ClientFront}.
        """
        host, number = bindAddress[:2]
        sockets = self.given.at(host, number)
        if sockets is None:
            sockets = self._openGroup((host, number), self._workers)
        else:
            prepare = givenSocketPreparer(self.reactor, self.drops, self.settings.udpBuffer)
            for each in sockets.sockets:
                prepare(each)
            steer(sockets.sockets[0], self._workers, byPort=True)
        group = self._workforce.listenOn(protocol.number, sockets, "UDP")
        protocol.hold(group)
        return group

    # The service.

    def startService(self) -> None:
        """
        Begin, and start the workers.

        @raise StartError: when a port or the mark cannot be had.
        """
        super().startService()
        self.reactor.callWhenRunning(self._startWorkers)

    def _startWorkers(self) -> None:
        if self.running:
            self._workforce.start()

    def whenReady(self) -> Deferred[Any]:
        """
        See L{uotp.tunnel.TunnelService}.  A client is ready when all workers have begun, and one knows where to
        dial.
        """
        return self._workforce.whenReady().addCallback(lambda _: self._whenServerFound())

    def _whenServerFound(self) -> Deferred[None]:
        if self._isServerFound:
            return succeed(None)
        self._waiting.append(Deferred())
        return self._waiting[-1]

    def _serverFound(self) -> None:
        self._isServerFound = True
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def stopService(self) -> Deferred[Any]:
        """
        Let all workers stop: they take nothing more from sources, and let what is under way arrive.

        @return: fires when their processes have ended.
        """
        self.ports.ignoreSources()
        self._isServerFound = False
        stopped = self._workforce.stop().addCallback(lambda _: self.ports.stop())
        super().stopService()
        return self.afterwards(stopped)

    def takeUp(self) -> Deferred[bool]:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        return self._workforce.takeUp()

    def reload(self) -> Deferred[None]:
        """
        Read the files again, and have all workers use them, or none.  In any case all find out what has
        become of the path to the server.

        @return: fires when all use them; fails with L{ConfigurationError} when one cannot.
        """
        done = self.countReload(self._workforce.reload())
        if self._credentials is None:
            self.followPath()
        return done.addErrback(self._notRenewed)

    def _notRenewed(self, reason: Any) -> Any:
        self.followPath()
        return reason

    def followPath(self) -> None:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        self._workforce.sendAll(lambda _: (FollowPath(), ()))

    def newReporter(self) -> Reporter:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        return ParentReporter(self, self._workforce, self.reactor)

    def commonReport(self) -> Report:
        """
        See L{uotp.monitoring.ParentReporter}.
        """
        return commonReport(self, "client", self.settings.servers[0].shown(isPlain=self.isPlain))

    @property
    def trouble(self) -> str:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        return super().trouble or self._workforce.words()

    def disconnect(self, session: str) -> Deferred[int]:
        """
        See L{uotp.monitoring.Reporter}.
        """
        return self._workforce.disconnect(session)

    def statusWords(self) -> str:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        told = self.statistics()
        return shortStatus(told.sessions.sessions, told.tunnels.tunnels, self._workforce.words())

    def isAlive(self) -> bool:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        return self._workforce.isAlive()

    def statistics(self) -> ClientStatistics:
        """
        @return: those of all workers together, as they have told last.
        """
        return replace(gathered(ClientStatistics, self._workforce.totals()), reloads=dict(self.reloads))

    def workerStatistics(self) -> tuple[WorkerStatistics, ...]:
        """
        @return: how each worker is.
        """
        return self._workforce.statistics()

    # What becomes of workers; see WorkforceOwner.

    def ready(self, worker: int) -> None:
        """
        See L{uotp.workers.WorkforceOwner}.
        """
        if worker == WRITER and self._goodHosts:
            goodHosts, self._goodHosts = self._goodHosts, {}
            for server, hosts in goodHosts.items():
                self._workforce.send(WRITER, LearnGoodHosts(server, hosts))

    def lost(self, worker: int) -> None:
        """
        See L{uotp.workers.WorkforceOwner}.
        """

    def received(self, worker: int, message: object, descriptors: Descriptors) -> None:
        """
        See L{uotp.workers.WorkforceOwner}.

        @raise PeerError: when it may not say so.
        """
        match message:
            case TellServerFound():
                self._serverFound()
            case TellPortLost(number, reason) if number in self._groupPorts:
                self._groupPorts[number].lost(oneLine(reason))
            case TellGoodHosts(server, hosts) if worker != WRITER and 0 <= server < len(self.settings.servers):
                if not self._workforce.send(WRITER, LearnGoodHosts(server, hosts)):
                    self._goodHosts[server] = hosts
            case _:
                reason = "it says what a client's worker does not say"
                raise PeerError(reason)
