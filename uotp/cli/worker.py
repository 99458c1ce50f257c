"""
The program of a worker.  A parent starts it, and leads it over an inherited descriptor; nobody else
can.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.logger import FilteringLogObserver, ILogObserver, LogLevel, LogLevelFilterPredicate, globalLogBeginner

from uotp.errors import StartError
from uotp.process import (
    FreedMemory,
    GarbageCollection,
    PeriodicCalls,
    raiseDescriptorLimit,
    trimOfMalloc,
    useMonotonicClock,
)
from uotp.telemetry import ForwardingObserver, LineBudget, Logger, Spelling, sayLast
from uotp.workers import CHANNEL_DESCRIPTOR, WORK, BeginWork, TellLine, WorkerEnd, Working, joinParent

START_FAILED = 1
"""The exit status when there is no parent, or the work cannot begin."""

SELF_CHECK_SECONDS = 1.0
"""How often a worker looks after itself."""

HUNG_SECONDS = 30.0
"""
One that has taken so much of a processor's time without looking after itself hangs, and is ended by the system.  Its
parent does that sooner, but may be gone.  Time in which nothing runs does not count.
"""


def withoutChatter(observer: ILogObserver) -> ILogObserver:
    """
    @return: an observer that is not told what Twisted says when all is well: that concerns its parent only.
    """
    chatter = LogLevelFilterPredicate(defaultLogLevel=LogLevel.debug)
    for namespace in ("log_legacy", "twisted"):
        chatter.setLogLevelForNamespace(namespace, LogLevel.warn)
    return FilteringLogObserver(observer, [chatter])


@dataclass(frozen=True, slots=True)
class WorkerKind:
    """
    Says what a worker of one end works at.

    @ivar messages: what it and its parent say, besides what leads workers of any kind.
    @ivar make: makes its service.
    """

    messages: Sequence[type]
    make: Callable[[BeginWork, WorkerEnd, Any], Any]


def ofClient() -> WorkerKind:
    """
    @return: what a client's worker works at; a server's does not load it.
    """
    from uotp.client.workers import CLIENT_MESSAGES, clientWorker  # noqa: PLC0415 - for memory

    return WorkerKind(CLIENT_MESSAGES, clientWorker)


def ofServer() -> WorkerKind:
    """
    @return: the same of a server's.
    """
    from uotp.server.workers import MESSAGES, serverWorker  # noqa: PLC0415 - for memory

    return WorkerKind(MESSAGES, serverWorker)


WORKER_KINDS = {"client": ofClient, "server": ofServer}
"""Of which end a worker is, by the first argument of its program."""


class WorkerProgram:
    """
    Runs the work of one worker in a process of its own.
    """

    def __init__(self, reactor: Any, kind: WorkerKind, endAfter: Callable[[float], object]) -> None:
        """
        @param reactor: the reactor of this process.
        @param kind: what it works at.
        @param endAfter: has the system end this process when it has taken so many seconds of a processor, unless it
            is called again before.
        """
        self._endAfter = endAfter
        self._calls = PeriodicCalls(reactor)
        self._reactor = reactor
        self._kind = kind
        self._status = 0
        self._working = Working(reactor, self._begin, self._ended)

    def join(self, descriptor: int) -> None:
        """
        Begin to listen to the parent.

        @param descriptor: leads to it.
        @raise StartError: when there is none.
        """
        end = joinParent(self._reactor, self._working, (*WORK, *self._kind.messages), descriptor)
        self._working.speakBy(end)

        def say(values: dict[str, Any]) -> bool:
            if not end.hasRoom:
                return False
            end.send(TellLine(values))
            return True

        forwarding = ForwardingObserver(say, self._reactor.callFromThread, self._reactor.seconds)
        globalLogBeginner.beginLoggingTo([withoutChatter(forwarding)], redirectStandardIO=False)
        end.heedSignals()
        self._reactor.callWhenRunning(end.heedSignals)

        def lookAfterItself() -> None:
            self._endAfter(HUNG_SECONDS)
            forwarding.roomAgain()

        self._calls.every(SELF_CHECK_SECONDS, lookAfterItself)

    def _begin(self, message: BeginWork, end: WorkerEnd) -> Any:
        LineBudget.processes = message.workers
        Logger.threshold = LogLevel.lookupByName(message.verbosity)
        Spelling.spellings = message.spellings
        GarbageCollection(self._reactor).start()
        FreedMemory(self._reactor, trimOfMalloc()).start()
        return self._kind.make(message, end, self._reactor)

    def _ended(self, status: int) -> None:
        self._status = status
        self._calls.stop()
        self._reactor.callWhenRunning(self._reactor.stop)

    def run(self) -> int:
        """
        @return: the exit status.
        """
        self._reactor.run()
        return self._status


def runWorker(arguments: Sequence[str]) -> int:
    """
    Work for the parent until it wants no more.

    @param arguments: of the program: an end, and the number of the worker.
    @return: the exit status.
    """
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    useMonotonicClock(reactor)
    raiseDescriptorLimit()
    leaveNoCoreFile()
    try:
        program = WorkerProgram(reactor, kindNamed(arguments), endAfter)
        program.join(CHANNEL_DESCRIPTOR)
    except StartError as error:
        sayLast(sys.stderr, f"uotp: {error}\n")
        return START_FAILED
    return program.run()


def endAfter(seconds: float) -> None:
    """
    See L{WorkerProgram}.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)


def leaveNoCoreFile() -> None:
    """
    Have the system write no memory of this process to a disk when it is ended while it hangs: there are keys in it.
    One byte is too little for a file, and says that no program is to be given it either (core(5)).
    """
    import resource  # noqa: PLC0415 - there is none where there are no workers

    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (1 if most else 0, most))


def kindNamed(arguments: Sequence[str]) -> WorkerKind:
    """
    @return: what a worker with these arguments works at.
    @raise StartError: when no parent of ours would start it so.
    """
    kindOf = WORKER_KINDS.get(arguments[0]) if arguments else None
    if kindOf is None:
        reason = "this program is started by one that has workers, which says of which end"
        raise StartError(reason)
    return kindOf()


if __name__ == "__main__":
    sys.exit(runWorker(sys.argv[1:]))
