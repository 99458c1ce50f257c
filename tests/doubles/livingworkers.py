"""
Processes of workers in memory that live: their work is the real one, on a reactor of its own, at the other end
of a channel in memory.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone

from tests.doubles.channels import MemoryUnixTransport
from tests.doubles.pipes import PipeReactor
from uotp.workers.channel import Channel
from uotp.workers.controls import AliveQuestion, StopWorker, workerTable
from uotp.workers.descriptors import Descriptors
from uotp.workers.limits import PARENT_LIMITS, WORKER_LIMITS
from uotp.workers.seams import ProcessOwner, WorkerProcess
from uotp.workers.work import BeginWork
from uotp.workers.workerend import WorkerEnd
from uotp.workers.working import Working, WorkService

FIRST_PID = 2000

SLOWEST_SECONDS = 0.25
"""So much time passes at once at the most."""

MOST_TURNS = 5000
IDLE_TURNS = 4

Begin = Callable[[BeginWork, Any, Any], WorkService]
"""Makes the service of a worker: of what it is told, of what speaks for it, and for its reactor."""


class ProcessReactor(PipeReactor):
    """
    Is the reactor of one process.
    """

    def lookAtAll(self) -> bool:
        """
        Let one turn pass.

        @return: whether anything has happened on a descriptor.
        """
        return self.look(*{*self.readers, *self.writers})


class Nobody:
    """
    Is in the place of a process that was killed.
    """

    def connectionLost(self, reason: object) -> None:
        """
        There is nobody to tell.
        """


class Deaf:
    """
    Is in the place of a worker's end that somebody has taken over: it answers that it lives, and stops.
    """

    def __init__(self, end: WorkerEnd) -> None:
        self._end = end

    def messageReceived(self, message: object, descriptors: Descriptors) -> None:
        if isinstance(message, AliveQuestion | StopWorker):
            self._end.messageReceived(message, descriptors)

    def channelLost(self, reason: str) -> None:
        self._end.channelLost(reason)


class LivingProcess:
    """
    Is a process whose work is real.

    @ivar reactor: its own.
    @ivar working: its work.
    @ivar service: what it has begun, if it has.
    @ivar end: its end of the channel.
    @ivar raw: the channel at its end.
    @ivar isStopped: whether it gets no turns, as after SIGSTOP.
    @ivar alarms: in how many seconds it wanted to be ended by the system.
    @ivar statuses: with which it has ended by itself.
    @ivar signals: those that it was sent.
    """

    def __init__(
        self, number: int, pid: int, owner: ProcessOwner, clock: PipeReactor, kinds: tuple[type, ...], begin: Begin
    ) -> None:
        """
        @param clock: the parent's reactor.
        @param kinds: the messages that are sent and received, besides those that lead workers.
        """
        self.number = number
        self.pid = pid
        self._owner = owner
        self.reactor = ProcessReactor()
        self.reactor.rightNow = clock.seconds()
        self._begin = begin
        self.service: Any = None
        self.alarms: list[int] = []
        self.statuses: list[int] = []
        self.signals: list[int] = []
        self.lives = True
        self.isStopped = False
        self._how: str | None = None
        self._hasChannel = True
        table = workerTable(kinds)
        self.working = Working(self.reactor, self._makeService, self._exit)
        self.end = WorkerEnd(self.reactor, self.working, self.alarms.append)
        self.channel = Channel(f"worker {number}", self, table, clock, PARENT_LIMITS)
        self.raw = Channel("the parent", self.end, table, self.reactor, WORKER_LIMITS)
        self.end.speakOn(self.raw)
        self.working.speakBy(self.end)
        self._parents, self._workers = MemoryUnixTransport(clock), MemoryUnixTransport(self.reactor)
        self._parents.other, self._workers.other = self._workers, self._parents
        for transport, channel in ((self._parents, self.channel), (self._workers, self.raw)):
            transport.protocol = channel
            channel.makeConnection(transport)

    def _makeService(self, message: BeginWork, end: WorkerEnd) -> WorkService:
        self.service = self._begin(message, end, self.reactor)
        return self.service  # type: ignore[no-any-return]

    # What the parent does with it.

    def kill(self, number: int) -> None:
        if self.lives:
            self.signals.append(number)
            self.die(f"by {signal.Signals(number).name}")

    def reap(self) -> None:
        """
        Do nothing: the parent is told.
        """

    # The parent's end of the channel.

    def messageReceived(self, message: object, descriptors: Descriptors) -> None:
        self._owner.messageReceived(message, descriptors)

    def channelLost(self, reason: str) -> None:
        self._hasChannel = False
        self._owner.channelLost(reason)
        self._tellEnd()

    def _tellEnd(self) -> None:
        if self._how is not None and not self._hasChannel:
            how, self._how = self._how, None
            self._owner.processEnded(how)

    # What becomes of it.

    def _exit(self, status: int) -> None:
        """
        It stops its reactor: what that has not sent is lost.
        """
        self.statuses.append(status)
        self.reactor.callLater(0, self.die, f"with status {status}")

    def die(self, how: str = "by SIGKILL") -> None:
        """
        It is no more, and neither is anything that it had.
        """
        if not self.lives:
            return
        self.lives = False
        self._workers.protocol = Nobody()
        self.raw._outgoing.stopProducing()
        self.raw._descriptors.close()
        self._workers._unsent = b""
        self._workers._unsentDescriptors.clear()
        self._workers._end(ConnectionDone())
        for relay in list(self.service._contact.relays._relays.values()) if self.service is not None else ():
            relay._pipe.close()
        for each in {*self.reactor.readers, *self.reactor.writers}:
            for name in ("socket", "_socket", "_path", "_epoll"):
                open_ = getattr(each, name, None)
                if open_ is not None:
                    open_.close()
            for watched in getattr(each, "_watched", {}).values():
                watched._socket.close()
        self.reactor.readers.clear()
        self.reactor.writers.clear()
        for call in self.reactor.getDelayedCalls():
            call.cancel()
        self._how = how
        self._tellEnd()

    @property
    def channelIsOver(self) -> bool:
        """
        Whether both ends of its channel are closed, and it is no more.
        """
        return not self.lives and self._parents._isGone

    def takeOver(self) -> Channel:
        """
        Let somebody take it over: it heeds nothing that its parent says any more.

        @return: by which the parent is told things.
        """
        if not isinstance(self.raw._owner, Deaf):
            self.raw._owner = Deaf(self.end)
            self.working._calls.stop()
        return self.raw

    def turn(self) -> bool:
        """
        Let it have a turn.

        @return: whether anything was under way.
        """
        if self.channelIsOver:
            return False
        ends = (self._parents, self._workers)
        isBusy = not self.isStopped and any(bool(each._inbox or each._unsent) and not each._isGone for each in ends)
        self._parents.turn()
        if self.lives and not self.isStopped:
            self._workers.turn()
            isBusy = self.reactor.lookAtAll() or isBusy
            self.reactor.turn()
        return isBusy


class LivingLauncher:
    """
    Starts such processes, and lets time pass for all of them.

    @ivar processes: those of each number that were started, the newest last.
    @ivar takenOver: the numbers of those that somebody takes over before they can begin.
    """

    def __init__(self, reactor: ProcessReactor, kinds: tuple[type, ...], begin: Begin) -> None:
        """
        @param reactor: the parent's.
        """
        self._reactor = reactor
        self._kinds = kinds
        self._begin = begin
        self.processes: list[LivingProcess] = []
        self.takenOver: set[int] = set()

    def launch(self, number: int, owner: ProcessOwner) -> LivingProcess:
        pid = FIRST_PID + len(self.processes)
        process = LivingProcess(number, pid, owner, self._reactor, self._kinds, self._begin)
        self.processes.append(process)
        if number in self.takenOver:
            process.takeOver()
        return process

    def of(self, number: int) -> LivingProcess:
        """
        @return: the process of a worker that was started last.
        """
        return [each for each in self.processes if each.number == number][-1]

    def settle(self) -> None:
        """
        Let turns pass until nothing happens any more.
        """
        idle = 0
        for _ in range(MOST_TURNS):
            isBusy = self._reactor.lookAtAll()
            self._reactor.turn()
            for process in list(self.processes):
                isBusy = process.turn() or isBusy
            idle = 0 if isBusy else idle + 1
            if idle == IDLE_TURNS:
                return
        reason = "it never settles"
        raise AssertionError(reason)

    def advance(self, seconds: float) -> None:
        """
        Let time pass everywhere.
        """
        while seconds > 0:
            step = min(seconds, SLOWEST_SECONDS)
            seconds -= step
            self._reactor.advance(step)
            for process in list(self.processes):
                if process.lives and process.reactor.seconds() < self._reactor.seconds():
                    process.reactor.advance(self._reactor.seconds() - process.reactor.seconds())
            self.settle()


# Each twin fits its seam.
_process: type[WorkerProcess] = LivingProcess
_launch: Callable[[LivingLauncher, int, ProcessOwner], WorkerProcess] = LivingLauncher.launch
