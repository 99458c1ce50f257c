"""
Keeps workers alive: as many as there are to be, each in a process of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed

from uotp.process import PeriodicCalls
from uotp.telemetry import LineBudget
from uotp.workers.owner import WorkerPace, WorkersOwner, WorkerStatistics
from uotp.workers.seams import Launch
from uotp.workers.worker import Worker
from uotp.workers.workerstates import WorkerState


class Supervisor:
    """
    Starts workers, starts them again, and stops them.
    """

    def __init__(
        self, clock: Any, launch: Launch, count: int, owner: WorkersOwner, pace: WorkerPace | None = None
    ) -> None:
        """
        @param clock: C{IReactorTime}.
        @param launch: starts a process.
        @param count: how many workers there are; their numbers are from 1 on.
        @param owner: is told what comes of them.
        @param pace: how long things may take; as usual when left out.
        """
        self._pace = pace or WorkerPace()
        self._calls = PeriodicCalls(clock)
        budget = LineBudget(clock.seconds)
        self._workers = {
            number: Worker(number, clock, launch, owner, self._pace, budget, self._gone)
            for number in range(1, count + 1)
        }
        self._isRunning = False
        self._stopping: list[Deferred[None]] = []  # what fires when all have stopped, while they do

    @property
    def numbers(self) -> Sequence[int]:
        """
        Those of all workers.
        """
        return tuple(self._workers)

    def start(self) -> None:
        """
        Start all workers.  One that cannot be started is tried again.

        @raise RuntimeError: while they stop.
        """
        if self._stopping:
            reason = "the workers have not stopped"
            raise RuntimeError(reason)
        if self._isRunning:
            return
        self._isRunning = True
        self._calls.every(self._pace.tickSeconds, self._tick)
        for worker in self._workers.values():
            worker.start()

    def _tick(self) -> None:
        for worker in self._workers.values():
            worker.tick()

    def stop(self) -> Deferred[None]:
        """
        Stop all workers, and end those that do not.

        @return: fires when all processes have ended; each call has one of its own.
        """
        if not self._isRunning:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._stopping.append(done)
        for worker in self._workers.values():
            worker.stop()
        self._gone()
        return done

    def _gone(self) -> None:
        """
        Maybe all have ended.
        """
        if not self._stopping or any(worker.state is not WorkerState.GONE for worker in self._workers.values()):
            return
        self._calls.stop()
        self._isRunning = False
        waiting, self._stopping = self._stopping, []
        for done in waiting:
            done.callback(None)

    def send(self, number: int, message: object, descriptors: Sequence[int] = ()) -> bool:
        """
        Send a worker a message; see L{uotp.workers.seams.MessageChannel.send}.

        @return: whether there is a process that gets it, unless it ends before.
        """
        return self._workers[number].send(message, descriptors)

    def hasRoom(self, number: int) -> bool:
        """
        @return: whether little waits to be sent to a worker, so that one may send it what can be left out.
        """
        return self._workers[number].hasRoom

    def statistics(self) -> tuple[WorkerStatistics, ...]:
        """
        @return: how each worker is.
        """
        return tuple(worker.statistics() for worker in self._workers.values())
