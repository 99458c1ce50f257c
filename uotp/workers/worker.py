"""
The life of one worker: its process is started, asked whether it answers, ended when it does not,
and started again when it has ended.

That life is a table, L{uotp.workers.workerstates.WORKER_STATES}.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Sequence
from typing import Any

from twisted.logger import LogLevel

from uotp.errors import PeerError
from uotp.process import StateMachine
from uotp.telemetry import LineBudget, Logger, logCounted
from uotp.workers.controls import AliveAnswer, AliveQuestion, StopWorker, WorkerReady
from uotp.workers.descriptors import Descriptors
from uotp.workers.owner import WorkerPace, WorkersOwner, WorkerStatistics
from uotp.workers.restarts import Restarts
from uotp.workers.seams import ENDED_WELL, Launch, WorkerProcess
from uotp.workers.workerstates import RUNNING, WORKER_STATES, WorkerEvent, WorkerState

SHORTAGES = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOBUFS})
"""The system has too little of something just now: that says nothing of whether a worker can be started."""


class Worker(StateMachine[WorkerState, WorkerEvent]):
    """
    Leads one worker through its lives.
    """

    _log = Logger()

    def __init__(
        self,
        number: int,
        clock: Any,
        launch: Launch,
        owner: WorkersOwner,
        pace: WorkerPace,
        budget: LineBudget,
        gone: Callable[[], None],
    ) -> None:
        """
        @param number: which one it is.
        @param clock: C{IReactorTime}.
        @param launch: starts its process.
        @param owner: is told what comes of it.
        @param pace: how long things may take.
        @param budget: how many lines tell of deaths, of all workers together.
        @param gone: called when there is no process any more, and none will be started.
        """
        super().__init__(clock, WORKER_STATES, WorkerState.GONE)
        self.number = number
        self._launch = launch
        self._owner = owner
        self._pace = pace
        self._budget = budget
        self._gone = gone
        self._restarts = Restarts(pace.steadySeconds)
        self._starts = 0
        self._process: WorkerProcess | None = None
        self._hasChannel = False
        self._startedAt = self._since = clock.seconds()
        self._asked = self._answered = 0  # numbers of questions
        self._silentTicks = 0
        self._wasKilled = False
        self._failedStarts = 0  # one after the other
        self._wasReady = False  # in this life

    def statistics(self) -> WorkerStatistics:
        """
        @return: how it is.
        """
        pid = None if self._process is None else self._process.pid
        return WorkerStatistics(self.number, pid, self.state, max(self._starts - 1, 0), self._since)

    def _advance(self, event: WorkerEvent) -> bool:
        changed = super()._advance(event)
        if changed:
            self._since = self._clock.seconds()
        return changed

    # What its supervisor asks.

    def start(self) -> None:
        """
        Start the process; nothing when there is one.
        """
        isFirst = self.state is WorkerState.GONE
        if not self._advance(WorkerEvent.START):
            return
        if isFirst:
            self._starts = 0
            self._failedStarts = 0
            self._restarts = Restarts(self._pace.steadySeconds)
        self._starts += 1
        self._wasReady = False
        self._startedAt = self._clock.seconds()
        self._asked = self._answered = self._silentTicks = 0
        self._wasKilled = False
        try:
            self._process = self._launch(self.number, self)
        except OSError as error:
            what = f": {error.filename}" if error.filename else ""
            reason = f"{error.strerror}{what}"
            self._ended(f"could not be started ({reason})", isPassing=error.errno in SHORTAGES, reason=reason)
            return
        except Exception as error:  # noqa: BLE001 - the others are started all the same, and this one is tried again
            self._log.failure("worker {worker} could not be started", worker=self.number)
            self._ended(f"could not be started ({error!r})", reason=repr(error))
            return
        self._hasChannel = True
        if not self._tell(self._owner.began, self.number):
            self._process.channel.abort()  # it knows less than it needs

    def stop(self) -> None:
        """
        Ask the process to stop, and end it if it does not.  What waits for its start never starts.
        """
        hasNothing = self.state in {WorkerState.DYING, WorkerState.STARTING}
        if not self._advance(WorkerEvent.STOP):
            return
        if self.state is WorkerState.GONE:
            self._gone()
            return
        self.send(StopWorker())
        if hasNothing:  # it hears us only when it has started, and that may take longer than there is time
            self._setTimer(self._pace.killSeconds, self._kill)
        else:
            self._setTimer(self._pace.stopSeconds, self._killStopping)

    def _killStopping(self) -> None:
        if self._hasChannel:
            words = "worker {worker} has not stopped in {seconds:g} s: it is ended with force"
            self._log.warn(words, worker=self.number, seconds=self._pace.stopSeconds)
        self._kill()

    @property
    def hasRoom(self) -> bool:
        """
        Whether the process can be sent something, and little waits.
        """
        return self._process is not None and self._hasChannel and self._process.channel.hasRoom

    def send(self, message: object, descriptors: Sequence[int] = ()) -> bool:
        """
        Send the process a message; see L{uotp.workers.seams.MessageChannel.send}.

        @return: whether there is a process that gets it, unless it ends before.
        """
        if self._process is None or not self._hasChannel:
            return False
        self._process.channel.send(message, descriptors)
        return True

    def tick(self) -> None:
        """
        Some time has passed: see whether the process has answered, and ask it again.
        """
        if self._process is None:
            return
        if not self._hasChannel:
            self._process.reap()
        if self.state not in RUNNING:
            return
        self._silentTicks += 1
        allowed = self._pace.readyTicks if self.state is WorkerState.READY else self._pace.startTicks
        if self._silentTicks <= allowed:
            self._asked += 1
            self.send(AliveQuestion(self._asked))
            return
        what = "has not answered for" if self.state is WorkerState.READY else "is not ready after"
        words = "worker {worker} (process {pid}) {what} {seconds:g} s: it is ended"
        seconds = allowed * self._pace.tickSeconds
        self._sayDeath(words, pid=self._process.pid, what=what, seconds=seconds)
        self._advance(WorkerEvent.HUNG)
        self._setTimer(self._pace.killSeconds, self._kill)
        self._process.kill(signal.SIGABRT)  # it says where it hangs

    def _kill(self) -> None:
        if self._process is not None:
            self._wasKilled = True
            self._process.kill(signal.SIGKILL)

    # What comes of the process; see ProcessOwner.

    def messageReceived(self, message: object, descriptors: Descriptors) -> None:
        """
        It has sent a message.

        @raise PeerError: when it may not send this now.
        """
        match message:
            case AliveAnswer(number):
                if not self._answered < number <= self._asked:
                    reason = "it answers what it was not asked"
                    raise PeerError(reason)
                self._answered = number
                if self.state is WorkerState.READY:  # before that it has to get ready in time
                    self._silentTicks = 0
            case WorkerReady():
                self._silentTicks = 0
                if self._advance(WorkerEvent.WORKS):
                    self._failedStarts, self._wasReady = 0, True
                    self._tell(self._owner.ready, self.number)
            case AliveQuestion() | StopWorker():
                reason = "it sends what only its parent may send"
                raise PeerError(reason)
            case _:
                self._owner.received(self.number, message, descriptors)

    def channelLost(self, reason: str) -> None:
        """
        The channel has ended: the process is ended too, if it does not end by itself.
        """
        self._hasChannel = False
        if self._advance(WorkerEvent.LOST):
            self._setTimer(self._pace.killSeconds, self._kill)
        if self._process is not None:
            self._process.reap()

    def processEnded(self, how: str) -> None:
        """
        The process has ended: start another one, unless we stop.
        """
        pid = 0 if self._process is None else self._process.pid
        self._process = None
        self._hasChannel = False
        self._tell(self._owner.lost, self.number)
        if self.state is WorkerState.STOPPING:
            if how != ENDED_WELL and not self._wasKilled:
                self._sayDeath("worker {worker} (process {pid}) has ended {how}", pid=pid, how=how)
            self._advance(WorkerEvent.EXITED)
            self._gone()
            return
        self._ended(f"(process {pid}) has ended {how}", pid=pid, how=how)

    def _ended(self, howWords: str, *, isPassing: bool = False, **fields: object) -> None:
        ran = self._clock.seconds() - self._startedAt
        delay = self._restarts.delayAfter(ran)
        if self._advance(WorkerEvent.EXITED):
            when = f"in {delay:g} s" if delay else "at once"
            words = "worker {worker} {howWords}: it is started again {whenWords}"
            self._sayDeath(words, howWords=howWords, whenWords=when, delay=delay, **fields)
            self._setTimer(delay, self.start)
            if not (self._wasReady or isPassing):
                self._failedStarts += 1
                self._tell(lambda number: self._owner.startFailed(number, self._failedStarts), self.number)

    def _sayDeath(self, words: str, **fields: object) -> None:
        logCounted(self._log, LogLevel.error, self._budget.spend(), words, worker=self.number, **fields)

    def _tell(self, call: Callable[[int], None], number: int) -> bool:
        """
        @return: whether it could be done.
        """
        try:
            call(number)
        except Exception:  # noqa: BLE001 - nothing costs the daemon
            self._log.failure("something that had to be done for worker {worker} failed", worker=number)
            return False
        return True
