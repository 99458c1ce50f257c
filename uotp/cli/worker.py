"""
The program of a worker.  A parent starts it, and leads it over an inherited descriptor; nobody else
can.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.logger import FilteringLogObserver, ILogObserver, LogLevel, LogLevelFilterPredicate, globalLogBeginner

from uotp.errors import StartError
from uotp.process import FreedMemory, GarbageCollection, raiseDescriptorLimit, trimOfMalloc, useMonotonicClock
from uotp.telemetry import ForwardingObserver, LineBudget, Logger, Spelling, sayLast
from uotp.workers import CHANNEL_DESCRIPTOR, WORK, BeginWork, TellLine, WorkerEnd, Working, joinParent

START_FAILED = 1
"""The exit status when there is no parent, or the work cannot begin."""


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

    def __init__(self, reactor: Any, kind: WorkerKind) -> None:
        """
        @param reactor: the reactor of this process.
        @param kind: what it works at.
        """
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

    def _begin(self, message: BeginWork, end: WorkerEnd) -> Any:
        LineBudget.processes = message.workers
        Logger.threshold = LogLevel.lookupByName(message.verbosity)
        Spelling.spellings = message.spellings
        GarbageCollection(self._reactor).start()
        FreedMemory(self._reactor, trimOfMalloc()).start()
        return self._kind.make(message, end, self._reactor)

    def _ended(self, status: int) -> None:
        self._status = status
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
    try:
        program = WorkerProgram(reactor, kindNamed(arguments))
        program.join(CHANNEL_DESCRIPTOR)
    except StartError as error:
        sayLast(sys.stderr, f"uotp: {error}\n")
        return START_FAILED
    return program.run()


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
