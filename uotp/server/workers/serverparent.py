"""
A server with several workers, seen from their parent: it owns the sockets at which they accept,
knows who has which session, and keeps what there may be of all of them together.  It carries
nothing itself.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import LogLevel

from uotp.errors import PeerError
from uotp.monitoring import ParentReporter, Report, Reporter, commonReport, placeWords
from uotp.net import listenGroup, setSegmentSize, steer
from uotp.server.connections import OwnedConnections
from uotp.server.front import LISTEN_QUEUE, ServerFront
from uotp.server.limits import ConnectionLimits
from uotp.server.sessionshares import SessionShares, Surplus
from uotp.server.settings import ServerSettings
from uotp.server.statistics import COUNTED, CURRENT, ServerStatistics
from uotp.server.workers.messages import (
    AnswerToJoin,
    AskToJoin,
    HandOver,
    OrderConnectionEnd,
    OrderDoubleEnd,
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
from uotp.server.workers.sessiontable import SessionTable, SessionTableStatistics
from uotp.telemetry import LineBudget, Logger, logCounted
from uotp.tls import ServerCredentials, ServerTls
from uotp.tunnel import shortStatus
from uotp.wire import newInstance
from uotp.workers import (
    Descriptors,
    Launch,
    ListeningGroup,
    Sums,
    WorkerStatistics,
    Workforce,
    closeAll,
    gathered,
)

CLAIM_CHECK_SECONDS = 5.0
"""How often we look for sessions that were to begin and have not."""


class ServerParent(ServerFront):
    """
    Runs a server with several workers.
    """

    _log = Logger()
    isOneOfSeveral = True
    preparing = "starting workers"
    unready = "not all workers are ready yet"

    def __init__(
        self,
        settings: ServerSettings,
        tls: ServerTls | None,
        credentials: ServerCredentials | None,
        reactor: Any,
        workers: int,
        launch: Launch,
    ) -> None:
        """
        See L{ServerFront}.

        @param tls: what the credentials were made of.
        @param workers: how many there are to be.
        @param launch: starts the process of one.
        """
        super().__init__(settings, credentials, reactor, workers)
        self._workers = workers
        limits = ConnectionLimits.of(self.mostConnections, settings.ownerShare)
        self._table = SessionTable(
            self,
            reactor.seconds,
            SessionShares(self.mostSessions, settings.ownerShare),
            OwnedConnections(limits.known, limits.owned),
        )
        self._workforce = Workforce(
            reactor,
            launch,
            workers,
            self,
            pickle.dumps((settings, tls, newInstance())),
            credentials,
            {"memory": settings.memory, "silent": limits.silent, "begun": limits.begun},
            Sums(ServerStatistics, CURRENT, COUNTED),
            self.drops,
        )
        self._groupNumbers = count(1)
        self._lossBudget = LineBudget(reactor.seconds)

    def lookUpAhead(self) -> None:
        """
        Do nothing: each worker looks the target up.
        """

    def listen(self, host: str, port: int) -> ListeningGroup:
        """
        See L{ServerFront}.
        """
        mss = self.settings.mss
        given = self.given.at(host, port)
        if given is not None:
            steer(given.sockets[0], self._workers, byPort=False)
            if mss is not None:
                for each in given.sockets:
                    setSegmentSize(each, mss)
            return self._workforce.listenOn(next(self._groupNumbers), given, "TCP")
        prepare = {} if mss is None else {"prepare": partial(setSegmentSize, size=mss)}
        sockets = listenGroup((host, port), self._workers, LISTEN_QUEUE, **prepare)
        return self._workforce.listenOn(next(self._groupNumbers), sockets, "TCP")

    def startService(self) -> None:
        """
        Begin, and start the workers.

        @raise StartError: when a port cannot be had.
        """
        super().startService()
        self.periodicCalls.every(CLAIM_CHECK_SECONDS, self._table.sweep)
        self.reactor.callWhenRunning(self._startWorkers)

    def _startWorkers(self) -> None:
        if self.running:
            self._workforce.start()

    def whenReady(self) -> Deferred[None]:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        return self._workforce.whenReady()

    def stopService(self) -> Deferred[Any]:
        """
        Accept nothing more, and let all workers stop.

        @return: fires when their processes have ended.
        """
        closed = self.ports.stop()
        stopped = self._workforce.stop().addCallback(lambda _: self.reportDrops())  # they tell their last at the end
        super().stopService()
        return self.afterwards(gatherResults([closed, stopped]))

    def takeUp(self) -> Deferred[bool]:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        return self._workforce.takeUp()

    def reload(self) -> Deferred[None]:
        """
        Read the files again, and have all workers use them, or none.

        @return: fires when all do; fails with L{ConfigurationError} when one cannot.
        """
        return self.countReload(self._workforce.reload())

    def newReporter(self) -> Reporter:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        return ParentReporter(self, self._workforce, self.reactor)

    def commonReport(self) -> Report:
        """
        See L{uotp.monitoring.ParentReporter}.
        """
        return commonReport(self, "server", placeWords(*self.settings.target))

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
        return shortStatus(told.registry.sessions, told.tunnels.tunnels, self._workforce.words())

    def isAlive(self) -> bool:
        """
        See L{uotp.tunnel.TunnelService}.
        """
        return self._workforce.isAlive()

    def statistics(self) -> ServerStatistics:
        """
        @return: those of all workers together, as they have told last.
        """
        # An owner may have sessions at several workers.
        totals = {**self._workforce.totals(), "registry.owners": self._table.statistics().owners}
        return replace(gathered(ServerStatistics, totals), reloads=dict(self.reloads))

    def tableStatistics(self) -> SessionTableStatistics:
        """
        @return: what was decided for all workers.
        """
        return self._table.statistics()

    def workerStatistics(self) -> tuple[WorkerStatistics, ...]:
        """
        @return: how each worker is.
        """
        return self._workforce.statistics()

    # What the table orders; see TableOwner.

    def endSession(self, worker: int, sessionId: bytes, surplus: Surplus) -> None:
        """
        See L{uotp.server.workers.sessiontable.TableOwner}.
        """
        order = OrderSessionEnd(sessionId, surplus.shortage.name, surplus.sessions, surplus.most)
        self._workforce.send(worker, order)

    def endDouble(self, worker: int, sessionId: bytes) -> None:
        """
        See L{uotp.server.workers.sessiontable.TableOwner}.
        """
        self._workforce.send(worker, OrderDoubleEnd(sessionId))

    def closeConnection(self, worker: int, connection: int, reason: str) -> None:
        """
        See L{uotp.server.workers.sessiontable.TableOwner}.
        """
        self._workforce.send(worker, OrderConnectionEnd(connection, reason))

    # What becomes of workers; see WorkforceOwner.

    def ready(self, worker: int) -> None:
        """
        See L{uotp.workers.WorkforceOwner}.
        """
        self._table.workerReady(worker)

    def lost(self, worker: int) -> None:
        """
        See L{uotp.workers.WorkforceOwner}.
        """
        sessions = self._table.workerLost(worker)
        if sessions and self.running:
            words = "worker {worker} is gone, and its sessions with it: {sessions}; their clients begin new ones"
            logCounted(self._log, LogLevel.warn, self._lossBudget.spend(), words, worker=worker, sessions=sessions)

    def received(self, worker: int, message: object, descriptors: Descriptors) -> None:
        """
        See L{uotp.workers.WorkforceOwner}.
        """
        table = self._table
        match message:
            case AskToJoin():
                self._answer(worker, message)
            case TellGone(connection):
                table.connectionGone(worker, connection)
            case TellSessionOpened(sessionId, key, owner):
                table.sessionOpened(worker, sessionId, key, owner)
            case TellSessionEnded(sessionId):
                table.sessionEnded(worker, sessionId)
            case TellSessionLingers(sessionId):
                table.sessionLingers(worker, sessionId)
            case TellSessionsActive(sessions):
                table.sessionsActive(worker, sessions)
            case HandOver():
                self._handOver(worker, message, descriptors)
            case PassOn():
                self._passOn(worker, message, descriptors)
            case _:
                reason = "it says what a server's worker does not say"
                raise PeerError(reason)

    def _answer(self, worker: int, message: AskToJoin) -> None:
        answer = self._table.ask(worker, message)
        told = AnswerToJoin(message.question, answer.decision.value, answer.worker, answer.reason, answer.kind.name)
        self._workforce.send(worker, told)

    def _handOver(self, worker: int, message: HandOver, descriptors: Descriptors) -> None:
        """
        Hand a connection on.  Where its worker is gone, or too busy to read of so many, it ends: its client
        dials again.
        """
        if message.worker not in range(1, self._workers + 1):
            reason = "it hands a connection to a worker that there is not"
            raise PeerError(reason)
        if not message.isRelayed:  # also when it was lost on its way
            self._table.connectionGone(worker, message.connection)
        given = descriptors.take(2 if message.isRelayed else 1)
        try:
            if self._workforce.hasRoom(message.worker):
                self._workforce.send(message.worker, takeOver(message), given)
            else:
                self._sayLost(message.worker, "it is gone, or has much to read")
        except OSError as error:
            self._sayLost(message.worker, error.strerror or str(error))
        finally:
            closeAll(given)

    def _passOn(self, sender: int, message: PassOn, descriptors: Descriptors) -> None:
        """
        Hand a connection on.  Where its worker is not there, or too busy, whoever has accepted it gets it back.
        """
        if message.worker not in range(1, self._workers + 1):
            reason = "it hands a connection to a worker that there is not"
            raise PeerError(reason)
        given = descriptors.take(1)
        ready = [one for one in (message.worker, sender) if self._table.isReady(one) and self._workforce.hasRoom(one)]
        try:
            if not any(self._workforce.send(one, message, given) for one in ready[:1]):
                self._sayLost(message.worker, "it is gone, or has much to read")
        except OSError as error:
            self._sayLost(message.worker, error.strerror or str(error))
        finally:
            closeAll(given)

    def _sayLost(self, worker: int, reason: str) -> None:
        suppressed = self.rateLimit.suppressedBefore(("handed", reason))
        words = "a connection could not be handed to worker {worker}: {reason}"
        logCounted(self._log, LogLevel.warn, suppressed, words, worker=worker, reason=reason)


def takeOver(message: HandOver) -> TakeOver:
    """
    @return: the same for whom it is for.
    """
    return TakeOver(**valuesOf(message, TakeOver))
