"""
What those have to do with who use workers: how long things may take, what they are told, and what
they may ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from uotp.workers.descriptors import Descriptors
from uotp.workers.workerstates import WorkerState


@dataclass(frozen=True, slots=True)
class WorkerPace:
    """
    Says how long things may take.

    @ivar tickSeconds: so often a worker is asked whether it is alive.
    @ivar readyTicks: in so many of these it answers when it is ready.  They are counted, since a clock
        also goes on while this process is stopped or the machine sleeps.
    @ivar startTicks: in so many of these it is ready, whether it answers or not.
    @ivar killSeconds: from SIGABRT, or from the end of the channel, to SIGKILL.
    @ivar stopSeconds: from the wish that it stops to SIGKILL.  One that works stops within four seconds, and
        the program has five.
    @ivar steadySeconds: a worker that has run for so long is started again at once.
    """

    tickSeconds: float = 1.0
    readyTicks: int = 10
    startTicks: int = 60
    killSeconds: float = 1.0
    stopSeconds: float = 4.7
    steadySeconds: float = 5.0


@dataclass(frozen=True, slots=True)
class WorkerStatistics:
    """
    Tells how a worker is.

    @ivar number: which one it is, from 1 on.
    @ivar pid: of its process, or L{None} when there is none.
    @ivar state: what it is doing.
    @ivar restarts: how often it was started again.
    @ivar since: when it came into its state, in seconds of the reactor's clock.
    """

    number: int
    pid: int | None
    state: WorkerState
    restarts: int
    since: float


class WorkersOwner(Protocol):
    """
    Is told what comes of workers.  What it raises is logged and costs nothing else.
    """

    def began(self, number: int) -> None:
        """
        A process runs: send it what it needs.  If this raises, the process is ended, and another one is started
        later.
        """

    def ready(self, number: int) -> None:
        """
        It does its work.
        """

    def startFailed(self, number: int, times: int) -> None:
        """
        It has ended before it was ready, or could not be started though the system has all that it takes.  It is
        tried again.

        @param times: how often in a row.
        """

    def received(self, number: int, message: object, descriptors: Descriptors) -> None:
        """
        It has sent a message.

        @param descriptors: those that are not taken before this returns are closed.
        @raise PeerError: when it may not send this now; that ends it.
        """

    def lost(self, number: int) -> None:
        """
        Its process has ended.  Either L{began} follows, or nothing more.
        """
