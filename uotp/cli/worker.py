"""
The program of a worker.  A parent starts it, and leads it over an inherited descriptor; nobody else
can.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.logger import FilteringLogObserver, ILogObserver, LogLevel, LogLevelFilterPredicate, globalLogBeginner

from uotp.errors import StartError
from uotp.process import FreedMemory, GarbageCollection, raiseDescriptorLimit, trimOfMalloc, useMonotonicClock
from uotp.server import MESSAGES, serverWorker
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


class WorkerProgram:
    """
    Runs the work of one worker in a process of its own.
    """

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: the reactor of this process.
        """
        self._reactor = reactor
        self._status = 0
        self._working = Working(reactor, self._begin, self._ended)

    def join(self, descriptor: int) -> None:
        """
        Begin to listen to the parent.

        @param descriptor: leads to it.
        @raise StartError: when there is none.
        """
        end = joinParent(self._reactor, self._working, (*WORK, *MESSAGES), descriptor)
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
        return serverWorker(message, end, self._reactor)

    def _ended(self, status: int) -> None:
        self._status = status
        self._reactor.callWhenRunning(self._reactor.stop)

    def run(self) -> int:
        """
        @return: the exit status.
        """
        self._reactor.run()
        return self._status


def runWorker() -> int:
    """
    Work for the parent until it wants no more.

    @return: the exit status.
    """
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    useMonotonicClock(reactor)
    raiseDescriptorLimit()
    program = WorkerProgram(reactor)
    try:
        program.join(CHANNEL_DESCRIPTOR)
    except StartError as error:
        sayLast(sys.stderr, f"uotp: {error}\n")
        return START_FAILED
    return program.run()


if __name__ == "__main__":
    sys.exit(runWorker())
