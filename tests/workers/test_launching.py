"""
How the process of a worker is started, and what is told of it.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure

from tests.doubles.channels import MemoryUnixTransport, Note, RecordingChannel
from tests.doubles.contracts import TimerTestCase
from uotp.errors import StartError
from uotp.telemetry import LineBudget
from uotp.workers.descriptors import Descriptors
from uotp.workers.launching import LaunchedProcess, ProcessLauncher, commandOf, endOf, workerEnvironment
from uotp.workers.stderr import WrittenLines


class ProcessDiarist:
    """
    Writes down what it is told of a process.
    """

    def __init__(self) -> None:
        self.journal: list[object] = []

    def messageReceived(self, message: object, descriptors: Descriptors) -> None:
        self.journal.append(message)

    def channelLost(self, reason: str) -> None:
        self.journal.append("channel lost")

    def processEnded(self, how: str) -> None:
        self.journal.append(f"ended {how}")


class FakeProcessTransport:
    """
    Stands for a process of Twisted's.

    @ivar signals: those that it was sent.
    @ivar reaped: how often it was looked for its end.
    @ivar left: how often its pipes were closed.
    """

    def __init__(self) -> None:
        self.pid: int | None = 77
        self.signals: list[int] = []
        self.reaped = self.left = 0

    def signalProcess(self, number: int) -> None:
        if self.pid is None:
            raise ProcessExitedAlready
        self.signals.append(number)

    def reapProcess(self) -> None:
        self.reaped += 1

    def loseConnection(self) -> None:
        self.left += 1


class LaunchedProcessTests(TimerTestCase):
    """
    Follow a process to its end.
    """

    def setUp(self) -> None:
        super().setUp()
        self.owner = ProcessDiarist()
        lines = WrittenLines(1, LineBudget(self.clock.seconds))
        self.process = LaunchedProcess(self.owner, lines, self.clock)
        self.channel = self.process.channel = RecordingChannel()
        self.transport = FakeProcessTransport()
        untyped: Any = self.transport
        self.process.makeConnection(untyped)

    def exit(self, reason: Exception) -> Failure:
        """
        The process ends.

        @return: how.
        """
        self.transport.pid = None
        self.process.processExited(Failure(reason))
        return Failure(reason)

    def test_endIsToldWhenAllWasRead(self) -> None:
        """
        What it has written, and all messages, in whatever order they end.
        """
        for channelFirst in (True, False):
            self.setUp()
            self.process.messageReceived(Note("hello"), Descriptors())
            how = self.exit(ProcessTerminated(1))
            with capturedLogs() as events:
                self.process.childDataReceived(2, b"Traceback\nError")
                if channelFirst:
                    self.process.channelLost("closed")
                self.assertNotIn("ended with status 1", self.owner.journal)
                self.process.processEnded(how)
                if not channelFirst:
                    self.assertNotIn("ended with status 1", self.owner.journal)
                    self.process.channelLost("closed")
            self.assertEqual(self.owner.journal, [Note("hello"), "channel lost", "ended with status 1"])
            self.assertEqual([formatEvent(event) for event in events], ["worker 1: Traceback", "worker 1: Error"])
            self.assertNoTimer()

    def test_pipesThatSomebodyElseHoldsAreNotWaitedForLong(self) -> None:
        how = self.exit(ProcessDone(0))
        self.clock.advance(1.0)
        self.assertEqual((self.transport.left, self.channel.ended), (1, ["abort"]))
        self.process.channelLost("aborted")
        self.process.processEnded(how)
        self.assertEqual(self.owner.journal[-1], "ended with status 0")

    def test_signalsGoToTheProcessWhileItLives(self) -> None:
        self.process.kill(signal.SIGABRT)
        self.process.reap()
        self.exit(ProcessDone(0))
        self.process.kill(signal.SIGKILL)
        self.process.reap()
        self.assertEqual((self.transport.signals, self.transport.reaped), ([signal.SIGABRT], 1))
        self.assertEqual(self.process.pid, 77)
        self.clock.advance(1.0)

    def test_oneThatWasNotStartedIsNotTalkedAbout(self) -> None:
        self.process.isVoid = True
        self.process.channelLost("aborted")
        self.assertEqual(self.owner.journal, [])


class FakeSpawningReactor:
    """
    Writes down what is spawned, or refuses.
    """

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self.seconds = clock.seconds
        self.callLater = clock.callLater
        self.spawned: list[tuple[Any, ...]] = []
        self.open: list[bool] = []
        self.refusal: OSError | None = None
        self.ends: list[int] = []
        self.transport: Any = None

    def adoptStreamConnection(self, descriptor: int, family: int, factory: Any) -> None:
        self.transport = MemoryUnixTransport(self._clock)
        self.transport.other = MemoryUnixTransport(self._clock)
        self.transport.protocol = factory.buildProtocol(None)
        self.transport.protocol.makeConnection(self.transport)

    def spawnProcess(self, protocol: Any, program: str, words: list[str], environment: Any, *, childFDs: Any) -> None:
        self.spawned.append((program, words, dict(environment), sorted(childFDs)))
        self.ends = [end for end in childFDs.values() if isinstance(end, int)]
        self.open = [not os.get_inheritable(end) for end in self.ends]
        if self.refusal is not None:
            raise self.refusal
        protocol.makeConnection(FakeProcessTransport())


class LauncherTests(TimerTestCase):
    """
    Start processes.
    """

    def setUp(self) -> None:
        super().setUp()
        self.reactor = FakeSpawningReactor(self.clock)

    def launcher(self, program: str = sys.executable) -> ProcessLauncher:
        """
        @return: starts processes.
        """
        return ProcessLauncher(self.reactor, "some.module", ("server",), (Note,), program, lambda: {"A": "b"})

    def assertNothingIsOpen(self) -> None:
        """
        What the process gets is its own.
        """
        self.assertEqual(self.reactor.open, [True, True])
        for end in self.reactor.ends:
            self.assertRaises(OSError, os.fstat, end)

    def test_pythonRunsTheModuleWithItsNumber(self) -> None:
        process = self.launcher().launch(4, ProcessDiarist())
        words = [sys.executable, *commandOf("some.module"), "server", "4"]
        self.assertEqual(self.reactor.spawned, [(sys.executable, words, {"A": "b"}, [0, 1, 2, 3])])
        self.assertEqual(process.pid, 77)
        self.assertTrue(process.channel.hasRoom)
        process.channel.send(Note("hello"))
        self.assertNothingIsOpen()

    def test_oneThatCannotBeStartedLeavesNothing(self) -> None:
        owner = ProcessDiarist()
        self.reactor.refusal = OSError(11, "Resource temporarily unavailable")
        self.assertRaises(OSError, self.launcher().launch, 4, owner)
        self.assertNothingIsOpen()
        self.clock.advance(0.0)
        self.assertEqual(owner.journal, [])

    def test_aPythonThatCannotBeStartedIsNamed(self) -> None:
        """
        As in a root directory of our own, before anything is started.
        """
        for program, name in (("/no/python", "/no/python"), ("", "that of this process")):
            error = self.assertRaises(StartError, self.launcher, program)
            words = f"workers need a Python that can be started, and {name} cannot be"
            self.assertEqual(str(error), words)


class EnvironmentTests(TimerTestCase):
    """
    Give a worker what it needs of its parent's environment.
    """

    def test_managersVariablesStayWithTheParent(self) -> None:
        given = {"NOTIFY_SOCKET": "x", "WATCHDOG_PID": "1", "WATCHDOG_USEC": "1", "LISTEN_FDS": "1", "LANG": "C"}
        found = workerEnvironment(given, [])
        self.assertEqual({name for name in found if not name.startswith("PYTHON")}, {"LANG"})

    def test_sameModulesAreFound(self) -> None:
        """
        In the same order, also where the parent was started in its own directory.
        """
        strange: list[Any] = ["/a", "", "relative", "/a", "/with:colon", Path("/path"), 7]
        found = workerEnvironment({"PYTHONPATH": "/other"}, strange)
        here = os.getcwd()
        self.assertEqual(found["PYTHONPATH"], f"/a:{here}:{here}/relative")
        self.assertEqual((found["PYTHONSAFEPATH"], found["PYTHONFAULTHANDLER"]), ("1", "1"))

    def test_theCurrentDirectoryIsNotLookedInForModules(self) -> None:
        """
        Python before 3.11 has no option for that.
        """
        self.assertEqual(commandOf("a.b", (3, 11)), ["-m", "a.b"])
        minus, program = commandOf("a.b", (3, 10))
        self.assertEqual(minus, "-c")
        ran: list[object] = []
        self.patch(runpy, "run_module", lambda *arguments, **keywords: ran.append((sys.path, arguments, keywords)))
        self.patch(sys, "path", ["", "/a", "/b"])
        exec(program, {})  # noqa: S102 - it is ours
        self.assertEqual(ran, [(["/a", "/b"], ("a.b",), {"run_name": "__main__", "alter_sys": True})])

    def test_waysToEndHaveWords(self) -> None:
        for reason, words in (
            (ProcessDone(0), "with status 0"),
            (ProcessTerminated(3), "with status 3"),
            (ProcessTerminated(signal=9), "by SIGKILL"),
            (ProcessTerminated(signal=200), "by signal 200"),
        ):
            self.assertEqual(endOf(reason), words)
