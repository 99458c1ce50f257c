"""
The parent's side of the work of all workers, as far as that is the same at both ends of tunnels: it
lets them begin, shares out what there is, changes files for all together, adds up what they have
done, and logs what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.logger import LogLevel

from uotp.errors import PeerError, StartError
from uotp.net import SocketGroup
from uotp.process import Aside, Pausing, Readings, noPause
from uotp.telemetry import Drops, LineBudget, Logger, Spelling, logCounted, publishLine
from uotp.workers.descriptors import Descriptors
from uotp.workers.groups import ListeningGroup, ListeningGroups, SocketMissing
from uotp.workers.owner import WorkerPace, WorkersOwner, WorkerStatistics
from uotp.workers.parts import Parts
from uotp.workers.questions import Questions
from uotp.workers.renewals import Renewals
from uotp.workers.seams import Launch
from uotp.workers.sums import Sums, countDropped
from uotp.workers.supervisor import Supervisor
from uotp.workers.work import (
    AskReport,
    BeginWork,
    Disconnect,
    Disconnected,
    FilesPrepared,
    SetPart,
    TellLine,
    TellReport,
    TellStatistics,
    TellUse,
)
from uotp.workers.workerstates import WorkerState

HOPELESS_STARTS, HOPELESS_SECONDS = 4, 5.0
"""When each worker has failed to start so often, for so long, and none ever did, this machine cannot run any."""


class WorkFiles(Protocol):
    """
    Are the files of credentials that all workers use.

    @ivar contents: what those hold that are in use, by their paths.
    """

    @property
    def contents(self) -> Mapping[str, bytes]:
        """
        See above.
        """

    def prepare(self, contents: None = None, pause: Pausing = noPause) -> Any:
        """
        Read them again, and do not use them yet.  Another thread does this.

        @param pause: called again and again meanwhile.
        @return: what has C{contents}, too, and knows whether that C{isInUse}.
        @raise ConfigurationError: when they cannot be used.
        """

    def adopt(self, prepared: Any) -> None:
        """
        Use what was prepared.
        """


class WorkforceOwner(Protocol):
    """
    Is what workers work for.
    """

    def ready(self, worker: int) -> None:
        """
        It works.
        """

    def lost(self, worker: int) -> None:
        """
        It is gone.
        """

    def received(self, worker: int, message: object, descriptors: Descriptors) -> None:
        """
        It has said something that is not for every kind of worker.

        @raise PeerError: when it may not say so.
        """


class Workforce:
    """
    Leads all workers.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        launch: Launch,
        count: int,
        owner: WorkforceOwner,
        settings: bytes,
        files: WorkFiles | None,
        totals: Mapping[str, int],
        sums: Sums,
        drops: Drops,
        pace: WorkerPace | None = None,
    ) -> None:
        """
        @param reactor: C{IReactorTime}.
        @param launch: starts a process.
        @param count: how many workers there are.
        @param owner: what they work for.
        @param settings: what each is told, pickled.
        @param files: those of the credentials, or L{None} without any.
        @param totals: how much there is of what all share, by name.
        @param sums: of what the workers tell of themselves.
        @param drops: counts what they drop.
        @param pace: how long things may take.
        """
        self._owner = owner
        self._settings = settings
        self._files = files
        self._supervisor = Supervisor(reactor, launch, count, self, pace)
        self._groups = ListeningGroups(self.send, self._supervisor.numbers, reactor)
        self._renewals = Renewals(self.send, reactor)
        self._questions = Questions(self.send, reactor)
        self._aside = Aside(reactor)
        self._readings = Readings(self._readAgain)
        self._parts = {name: Parts(total, count, self._teller(name)) for name, total in totals.items()}
        self._sums = sums
        self._drops = drops
        self._waiting = set(self._supervisor.numbers)  # those that were never ready
        self._whenReady: list[Deferred[None]] = []
        self._clock = reactor
        self._startedAt = reactor.seconds()
        self._readyBudget = LineBudget(reactor.seconds)
        self._failed: set[int] = set()  # those that could not be started, again and again

    def _teller(self, name: str) -> Callable[[int, int], object]:
        return lambda worker, amount: self.send(worker, SetPart(name, amount))

    def start(self) -> None:
        """
        Start all.
        """
        self._waiting = set(self._supervisor.numbers)
        self._failed.clear()
        self._startedAt = self._clock.seconds()
        self._supervisor.start()

    def stop(self) -> Deferred[None]:
        """
        @return: fires when all have stopped.
        """
        self._readings.stop()
        self._aside.stop()
        return self._supervisor.stop()

    def whenReady(self) -> Deferred[None]:
        """
        @return: fires when each has been ready once; fails with L{StartError} when none can be started, which is
            tried on all the same.
        """
        if not self._waiting:
            return succeed(None)
        waits: Deferred[None] = Deferred()
        self._whenReady.append(waits)
        return waits

    def send(self, worker: int, message: object, descriptors: Sequence[int] = ()) -> bool:
        """
        See L{Supervisor.send}.
        """
        return self._supervisor.send(worker, message, descriptors)

    def hasRoom(self, worker: int) -> bool:
        """
        See L{Supervisor.hasRoom}.
        """
        return self._supervisor.hasRoom(worker)

    def sendAll(self, messageFor: Callable[[int], tuple[object, Sequence[int]]]) -> None:
        """
        Send something to all that there are.

        @param messageFor: gives the message for a worker, with its descriptors.
        """
        for worker in self._supervisor.numbers:
            self.send(worker, *messageFor(worker))

    def listenOn(self, number: int, sockets: SocketGroup, transport: Literal["TCP", "UDP"]) -> ListeningGroup:
        """
        See L{ListeningGroups.add}.
        """
        return self._groups.add(number, sockets, transport)

    def reload(self) -> Deferred[None]:
        """
        Read the files again, and have all workers use them, or none.  One that is wanted while another is under way
        follows it.

        @return: fires when all use them; fails with L{ConfigurationError} when one cannot.
        """
        return self._readings.ask(onlyNew=False).addCallback(lambda _: None)

    def takeUp(self) -> Deferred[bool]:
        """
        Files have changed: have all workers use what they say, if that is anything new, or none.

        @return: fires when all use it, and tells whether it is; fails with L{ConfigurationError} when one cannot.
        """
        return self._readings.ask(onlyNew=True)

    def _readAgain(self, onlyNew: bool) -> Deferred[bool]:  # noqa: FBT001 - as L{Readings} tells it
        files = self._files
        if files is None:
            return succeed(False)
        reading = self._aside.run(lambda pause: files.prepare(pause=pause), "reading certificates, keys and lists")
        return reading.addCallback(self._haveUsed, files, onlyNew)

    def _haveUsed(self, prepared: Any, files: WorkFiles, onlyNew: bool) -> Deferred[bool]:  # noqa: FBT001 - a callback
        if onlyNew and prepared.isInUse:
            return succeed(False)
        done = self._renewals.renew(dict(prepared.contents), self._supervisor.numbers, lambda: files.adopt(prepared))
        return done.addCallback(lambda _: True)

    def askReports(self, most: int) -> Deferred[dict[int, Any]]:
        """
        Ask all workers how they are.

        @param most: so many sessions each tells one by one.
        @return: fires with the parts that each has told, by their numbers, as far as workers tell in time.
        """
        return self._questions.ask(self._supervisor.numbers, lambda number: AskReport(number, most))

    def disconnect(self, session: str) -> Deferred[int]:
        """
        Have sessions of all workers end.

        @param session: the beginning of their ids, or the name of their client.
        @return: fires with how many that were, as far as workers tell in time.
        """
        asked = self._questions.ask(self._supervisor.numbers, lambda number: Disconnect(number, session))
        return asked.addCallback(lambda answers: sum(answers.values()))

    def totals(self) -> dict[str, int]:
        """
        @return: what all workers have done, as they have told last, by name.
        """
        return self._sums.total()

    def statistics(self) -> tuple[WorkerStatistics, ...]:
        """
        @return: how each worker is.
        """
        return self._supervisor.statistics()

    def words(self) -> str:
        """
        @return: how many work, in words, if those are not all.
        """
        states = [each.state for each in self._supervisor.statistics()]
        ready = states.count(WorkerState.READY)
        return "" if ready == len(states) else f"{ready} of {len(states)} workers are ready"

    def isAlive(self) -> bool:
        """
        @return: whether one works, or all are about to for the first time.  A worker that does not answer is started
            again by us, and the sessions of the others go on meanwhile.
        """
        return bool(self._waiting) or any(each.state is WorkerState.READY for each in self._supervisor.statistics())

    # What becomes of workers; see WorkersOwner.

    def began(self, number: int) -> None:
        """
        A process runs.
        """
        begin = BeginWork(
            number=number,
            workers=len(self._supervisor.numbers),
            verbosity=Logger.threshold.name,
            spellings=dict(Spelling.spellings),
            settings=self._settings,
            contents={} if self._files is None else dict(self._files.contents),
            parts={name: each.began(number) for name, each in self._parts.items()},
        )
        self.send(number, begin)
        self._renewals.began(number)
        self._groups.began(number)

    def ready(self, number: int) -> None:
        """
        It does its work.
        """
        self._owner.ready(number)
        if number not in self._waiting:
            suppressed = self._readyBudget.spend()
            logCounted(self._log, LogLevel.info, suppressed, "worker {worker} is ready again", worker=number)
        else:
            self._waiting.discard(number)
            if not self._waiting:
                self._log.info("all {workers} workers are ready", workers=len(self._supervisor.numbers))
        if not self._waiting:
            waiting, self._whenReady = self._whenReady, []
            for each in waiting:
                each.callback(None)

    def startFailed(self, number: int, times: int) -> None:
        """
        It could not be started, or has ended before it was ready.
        """
        if times >= HOPELESS_STARTS:
            self._failed.add(number)
        numbers = set(self._supervisor.numbers)
        hasTried = self._clock.seconds() - self._startedAt >= HOPELESS_SECONDS
        if hasTried and self._failed == self._waiting == numbers:  # one that was ready is not waited for any more
            reason = f"no worker can be started: each was tried {HOPELESS_STARTS} times or more"
            waiting, self._whenReady = self._whenReady, []
            for each in waiting:
                each.errback(StartError(reason))

    def lost(self, number: int) -> None:
        """
        It is gone.
        """
        for each in self._parts.values():
            each.gone(number)
        self._sums.gone(number)
        self._groups.lost(number)
        self._owner.lost(number)
        self._renewals.lost(number)
        self._questions.lost(number)

    def received(self, number: int, message: object, descriptors: Descriptors) -> None:
        """
        It has said something.

        @raise PeerError: when it may not say so.
        """
        match message:
            case TellLine(values):
                self._say(number, values)
            case TellUse(name, uses, part):
                if name not in self._parts:
                    reason = "it uses what there is not"
                    raise PeerError(reason)
                self._parts[name].used(number, uses, part)
            case TellStatistics(values):
                countDropped(self._drops, self._sums.tell(number, values))
            case SocketMissing():
                self._groups.missing(number, message)
            case FilesPrepared():
                self._renewals.prepared(number, message)
            case TellReport(question, part, isLast):
                self._questions.toldPart(number, question, part, isLast=isLast)
            case Disconnected(question, ended):
                self._questions.answered(number, question, max(ended, 0))
            case _:
                self._owner.received(number, message, descriptors)

    def _say(self, number: int, values: dict[str, object]) -> None:
        try:
            publishLine(values, number)
        except ValueError as error:
            raise PeerError(str(error)) from error


# It fits its seam.
_workforce: type[WorkersOwner] = Workforce
