"""
The work of one worker, as far as that is the same at both ends of tunnels: it begins when its parent
says so, takes over files that all workers change together, keeps to its parts, and tells what it
does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred, DeferredLock, fail, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from uotp.errors import ConfigurationError, PeerError, UotpError
from uotp.process import Aside, Pausing, PeriodicCalls, Steps, StoppedError, noPause
from uotp.telemetry import Logger, orLog
from uotp.workers.descriptors import Descriptors
from uotp.workers.groups import ListenOn, SocketMissing
from uotp.workers.sums import flattened
from uotp.workers.work import (
    AdoptFiles,
    AskReport,
    BeginWork,
    Disconnect,
    Disconnected,
    FilesPrepared,
    PrepareFiles,
    SetPart,
    TellReport,
    TellStatistics,
    TellUse,
)
from uotp.workers.workerend import WorkerEnd

USE_SECONDS = 0.25
"""How often the parent is told what a worker uses, if that has changed."""

STATISTICS_SECONDS = 2.0
"""How often it is told what the worker has done."""

USE_STEPS = 64
"""A use that has changed by less than one part in so many of what may be used is not told."""


class WorkService(Protocol):
    """
    Is one end of tunnels in a worker.
    """

    def startService(self) -> None:
        """
        Begin.

        @raise StartError: when that cannot be done.
        """

    def stopService(self) -> Any:
        """
        @return: fires when all is done, within 5 s.
        """

    def prepare(self, contents: Mapping[str, bytes] | None = None, pause: Pausing = noPause) -> Any:
        """
        Another thread may do this.

        @param pause: called again and again meanwhile.
        @return: credentials that are not used yet.
        @raise ConfigurationError: when they cannot be.
        """

    def renew(self, prepared: Any) -> None:
        """
        Use what was prepared.
        """

    def uses(self) -> dict[str, int]:
        """
        @return: how much is used of each thing that all workers share.
        """

    def setPart(self, name: str, amount: int) -> None:
        """
        Use no more of it than this.
        """

    def reportParts(self, most: int) -> Deferred[Iterator[tuple[object, ...]]]:
        """
        @param most: so many sessions are told one by one.
        @return: fires with how it is, in parts of plain values.
        """

    def disconnect(self, session: str) -> Deferred[int]:
        """
        End sessions.

        @param session: the beginning of their ids, or the name of their client.
        @return: fires with how many have ended.
        """

    def statistics(self) -> Any:
        """
        @return: frozen values.
        """

    def orderReceived(self, message: object, descriptors: Descriptors) -> None:
        """
        The parent has said something that is not for every kind of worker.

        @raise PeerError: when it may not come now.
        """


class Working:
    """
    Works for a parent.
    """

    _log = Logger()

    def __init__(
        self, clock: Any, begin: Callable[[BeginWork, WorkerEnd], WorkService], ended: Callable[[int], None]
    ) -> None:
        """
        @param clock: C{IReactorTime}.
        @param begin: makes the service.
        @param ended: called once with an exit status, when all is done and said.
        """
        self._begin = begin
        self._ended = ended
        self._calls = PeriodicCalls(clock)
        self._steps = Steps(clock)
        self._aside = Aside(clock)
        self._preparing = DeferredLock()  # one preparation after the other
        self._renewal = 0  # the one that was wanted last
        self._service: WorkService | None = None
        self._parts: dict[str, int] = {}
        self._told: dict[str, tuple[int, int]] = {}  # what is used, and the part
        self._prepared: tuple[int, Any] | None = None
        self._isOver = False

    def speakBy(self, end: WorkerEnd) -> None:
        """
        @param end: leads to the parent.
        """
        self._end = end

    def messageReceived(self, message: object, descriptors: Descriptors) -> None:
        """
        See L{uotp.workers.workerend.WorkerEndOwner}.
        """
        service = self._service
        if service is None:
            if self._isOver:
                return
            if not isinstance(message, BeginWork):
                reason = "it gives orders before it lets the work begin"
                raise PeerError(reason)
            self._start(message)
            return
        match message:
            case PrepareFiles(renewal, contents):
                self._prepare(service, renewal, contents)
            case AdoptFiles(renewal):
                self._adopt(service, renewal)
            case SetPart(name, amount):
                self._setPart(service, name, amount)
                self._tellUses()
            case ListenOn(group):
                self._listen(service, group, message, descriptors)
            case AskReport() | Disconnect():
                self._asked(service, message)
            case BeginWork():
                reason = "it lets the work begin twice"
                raise PeerError(reason)
            case _:
                service.orderReceived(message, descriptors)

    def _asked(self, service: WorkService, message: AskReport | Disconnect) -> None:
        """
        Answer a question, some of it in each turn.
        """
        if isinstance(message, AskReport):
            told = service.reportParts(message.most).addCallback(partial(self._tellParts, message.question))
            orLog(told, self._log, "the parent was not told how this worker is")
        else:
            ended = service.disconnect(message.session).addCallback(partial(self._tellDisconnected, message.question))
            orLog(ended, self._log, "sessions were not ended")

    def _tellParts(self, question: int, parts: Iterator[tuple[object, ...]]) -> Deferred[None]:
        def tell(part: tuple[object, ...]) -> None:
            self._end.send(TellReport(question, part, isLast=False))

        return self._steps.each(parts, tell).addCallback(
            lambda _: self._end.send(TellReport(question, (), isLast=True))
        )

    def _tellDisconnected(self, question: int, ended: int) -> None:
        self._end.send(Disconnected(question, ended))

    def _start(self, message: BeginWork) -> None:
        try:
            service = self._begin(message, self._end)
            for name, amount in message.parts.items():
                self._setPart(service, name, amount)
            service.startService()
        except Exception:  # noqa: BLE001 - whatever it is, the parent tries again later
            self._log.failure("the work cannot begin")
            self._isOver = True
            self._end.close(partial(self._ended, 1))
            return
        self._service = service
        self._calls.every(USE_SECONDS, self._tellUses)
        self._calls.every(STATISTICS_SECONDS, self._tellStatistics)
        self._end.ready()

    def _prepare(self, service: WorkService, renewal: int, contents: Mapping[str, bytes]) -> None:
        self._prepared, self._renewal = None, renewal

        def prepare() -> Deferred[Any]:
            if self._isOver:
                return fail(StoppedError("it stops"))
            return self._aside.run(lambda pause: service.prepare(contents, pause), "preparing certificates and lists")

        done: Deferred[Any] = self._preparing.run(prepare)
        told = done.addCallbacks(
            self._hasPrepared, self._hasNotPrepared, callbackArgs=(renewal,), errbackArgs=(renewal,)
        )
        orLog(told, self._log, "the parent was not told whether new files can be used")

    def _hasPrepared(self, prepared: Any, renewal: int) -> None:
        if renewal == self._renewal:  # or the parent waits for another one now
            self._prepared = renewal, prepared
        self._end.send(FilesPrepared(renewal, ""))

    def _hasNotPrepared(self, reason: Failure, renewal: int) -> None:
        if reason.check(StoppedError):
            return
        if reason.check(ConfigurationError):
            words = str(reason.value) or "they cannot be used"
        else:  # the others must not wait for us
            self._log.failure("new files could not be prepared", reason)
            words = repr(reason.value)
        self._end.send(FilesPrepared(renewal, words))

    def _listen(self, service: WorkService, group: int, message: ListenOn, descriptors: Descriptors) -> None:
        """
        Take what comes to a socket, or say why that cannot be: the parent tries it again.
        """
        try:
            service.orderReceived(message, descriptors)
        except PeerError:
            raise
        except (UotpError, OSError, CannotListenError) as error:
            self._end.send(SocketMissing(group, str(error)))
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody else listens in our place
            self._log.failure("a socket could not be used")
            self._end.send(SocketMissing(group, repr(error)))

    def _adopt(self, service: WorkService, renewal: int) -> None:
        if self._prepared is None or self._prepared[0] != renewal:
            reason = "it wants files to be used that were not prepared"
            raise PeerError(reason)
        (_, prepared), self._prepared = self._prepared, None
        service.renew(prepared)

    def _setPart(self, service: WorkService, name: str, amount: int) -> None:
        self._parts[name] = amount
        service.setPart(name, amount)

    def _tellUses(self) -> None:
        """
        Tell what is used, as far as that has changed.
        """
        assert self._service is not None
        for name, uses in self._service.uses().items():
            part = self._parts.get(name, 0)
            toldUse, toldPart = self._told.get(name, (0, -1))
            if part != toldPart or abs(uses - toldUse) > part // USE_STEPS:
                self._told[name] = uses, part
                self._end.send(TellUse(name, uses, part))

    def _tellStatistics(self) -> None:
        assert self._service is not None
        self._end.send(TellStatistics(flattened(self._service.statistics())))

    def stop(self) -> None:
        """
        See L{uotp.workers.workerend.WorkerEndOwner}.
        """
        if self._isOver:
            return
        self._isOver = True
        self._calls.stop()
        self._aside.stop()
        service = self._service
        stopped = maybeDeferred(lambda: None if service is None else service.stopService())
        orLog(stopped.addBoth(self._stopped), self._log, "the work did not end well")

    def _stopped(self, outcome: object) -> object:
        try:
            if self._service is not None:
                self._tellStatistics()
        finally:
            self._end.close(partial(self._ended, 0))
        return outcome
