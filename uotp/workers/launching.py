"""
Starts the processes of workers: the Python that we run on, once more, with a module of ours.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from uotp.errors import StartError
from uotp.telemetry import LineBudget
from uotp.workers.channel import Channel, adoptChannel
from uotp.workers.controls import workerTable
from uotp.workers.descriptors import Descriptors
from uotp.workers.limits import PARENT_LIMITS
from uotp.workers.seams import CHANNEL_DESCRIPTOR, ENDED_WELL, ProcessOwner, WorkerProcess
from uotp.workers.stderr import MOST_LINES, WrittenLines

LEFTOVER_SECONDS = 1.0
"""
So long after the end of a process it is read what it has written.  Somebody else may hold its pipes open for ever.
"""

HELD_BACK = frozenset({signal.SIGINT, signal.SIGHUP, signal.SIGTERM})
"""
Signals that a terminal or a service manager sends to the whole group.  They wait until a worker can
heed them; until then they would end it.
"""

NOT_PASSED_ON = ("NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_")
"""How variables begin by which a service manager speaks with the parent alone."""


def workerEnvironment(environment: Mapping[str, str], path: Iterable[str]) -> dict[str, str]:
    """
    @param environment: the parent's.
    @param path: where the parent looks for modules: its C{sys.path}.
    @return: a worker's, in which the same modules are found.
    """
    kept = {name: value for name, value in environment.items() if not name.startswith(NOT_PASSED_ON)}
    known = (folder for folder in path if isinstance(folder, str))  # Python passes over others, too
    folders = dict.fromkeys(os.path.abspath(folder) for folder in known if os.pathsep not in folder)
    return {**kept, "PYTHONPATH": os.pathsep.join(folders), "PYTHONSAFEPATH": "1", "PYTHONFAULTHANDLER": "1"}


def commandOf(module: str, version: tuple[int, ...] = sys.version_info[:2]) -> list[str]:
    """
    @param module: what is to be run.
    @param version: that of the Python which runs it.
    @return: the words for Python that run it, without looking for modules in the current directory: whoever may write
        there may not be whom this program trusts.
    """
    if version >= (3, 11):  # PYTHONSAFEPATH is heeded
        return ["-m", module]
    run = f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    return ["-c", f"import sys; del sys.path[0]; import runpy; {run}"]


def endOf(reason: BaseException | None) -> str:
    """
    @param reason: as Twisted tells it.
    @return: how a process has ended, see L{ProcessOwner.processEnded}.
    """
    if not isinstance(reason, ProcessTerminated):
        return ENDED_WELL
    if reason.signal is None:
        return f"with status {reason.exitCode}"
    try:
        return f"by {signal.Signals(reason.signal).name}"
    except ValueError:
        return f"by signal {reason.signal}"


class LaunchedProcess(ProcessProtocol):
    """
    Is a process of a worker, with its channel.

    @ivar pid: its number.
    @ivar channel: the parent's end of it.
    """

    transport: Any  # IProcessTransport, with what Twisted's has beyond that

    def __init__(self, owner: ProcessOwner, lines: WrittenLines, clock: Any) -> None:
        """
        @param owner: is told what comes of it.
        @param lines: get what it writes.
        @param clock: C{IReactorTime}.
        """
        self._owner = owner
        self._lines = lines
        self._clock = clock
        self.pid = 0
        self.channel: Any = None
        self._leftover: IDelayedCall | None = None
        self._how = ""
        self._channelIsLost = self._isTold = False
        self.isVoid = False

    def kill(self, number: int) -> None:
        """
        See L{uotp.workers.seams.WorkerProcess.kill}.
        """
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(number)

    def reap(self) -> None:
        """
        See L{uotp.workers.seams.WorkerProcess.reap}.  Twisted's reactors do it by themselves unless they
        were told to leave signals alone.
        """
        if self.transport.pid is not None:
            self.transport.reapProcess()

    # The channel; see ChannelOwner.

    def messageReceived(self, message: object, descriptors: Descriptors) -> None:
        """
        Hand it on.
        """
        self._owner.messageReceived(message, descriptors)

    def channelLost(self, reason: str) -> None:
        """
        The channel has ended.
        """
        self._channelIsLost = True
        if not self.isVoid:
            self._owner.channelLost(reason)
            self._tellEnd()

    # The process; see IProcessProtocol.

    def connectionMade(self) -> None:
        """
        It runs.
        """
        self.pid = self.transport.pid

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """
        It has written something.
        """
        self._lines.received(data)

    def processExited(self, reason: Failure) -> None:
        """
        It has ended.  Read what it has left.
        """
        self._leftover = self._clock.callLater(LEFTOVER_SECONDS, self._leave)

    def _leave(self) -> None:
        self.transport.loseConnection()
        self.channel.abort()

    def processEnded(self, reason: Failure) -> None:
        """
        It has ended, and its pipes are closed.
        """
        self._lines.end()
        self._how = endOf(reason.value)
        self._tellEnd()

    def _tellEnd(self) -> None:
        """
        Tell that all is over, if it is.
        """
        if self._how and self._channelIsLost and not self._isTold:
            self._isTold = True
            if self._leftover is not None and self._leftover.active():
                self._leftover.cancel()
            self._owner.processEnded(self._how)


class ProcessLauncher:
    """
    Starts processes of workers.
    """

    def __init__(
        self,
        reactor: Any,
        module: str,
        words: Sequence[str],
        kinds: Sequence[type],
        program: str = sys.executable,
        environment: Callable[[], Mapping[str, str]] = lambda: workerEnvironment(os.environ, sys.path),
    ) -> None:
        """
        @param reactor: Twisted's.
        @param module: what a worker runs.
        @param words: its arguments; the worker's number follows.
        @param kinds: the messages that are sent and received, besides those that lead workers.
        @param program: the Python that runs it.
        @param environment: tells that of a worker which is started now.
        @raise StartError: when there is no such program.
        """
        if not program or not os.access(program, os.X_OK):
            reason = f"workers need a Python that can be started, and {program or 'that of this process'} cannot be"
            raise StartError(reason)
        self._reactor = reactor
        self._command = [program, *commandOf(module), *words]
        self._table = workerTable(kinds)
        self._environment = environment
        self._budgets: dict[int, LineBudget] = {}

    def launch(self, number: int, owner: ProcessOwner) -> LaunchedProcess:
        """
        Start a process; see L{uotp.workers.seams.Launch}.

        @raise OSError: when that cannot be done now.
        """
        budget = self._budgets.setdefault(number, LineBudget(self._reactor.seconds, MOST_LINES))
        launched = LaunchedProcess(owner, WrittenLines(number, budget), self._reactor)
        channel = Channel(f"worker {number}", launched, self._table, self._reactor, PARENT_LIMITS)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            adoptChannel(self._reactor, ours.detach(), channel)
            launched.channel = channel
            try:
                self._spawn(launched, number, theirs.fileno())
            except BaseException:
                launched.isVoid = True
                channel.abort()
                raise
        return launched

    def _spawn(self, launched: LaunchedProcess, number: int, channelEnd: int) -> None:
        nothing = os.open(os.devnull, os.O_RDWR)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
        try:
            self._reactor.spawnProcess(
                launched,
                self._command[0],
                [*self._command, str(number)],
                self._environment(),
                childFDs={0: nothing, 1: "r", 2: "r", CHANNEL_DESCRIPTOR: channelEnd},
            )
        except (FileNotFoundError, PermissionError) as error:
            error.filename = self._command[0]
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(nothing)


# A process fits its seam, and so does what starts it.
_process: type[WorkerProcess] = LaunchedProcess
_launch: Callable[[ProcessLauncher, int, ProcessOwner], WorkerProcess] = ProcessLauncher.launch
