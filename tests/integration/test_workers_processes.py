"""
Workers as real processes: they are started again, ended when they hang, and all stop.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from twisted.internet import reactor as globalReactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from bench.rig.programs import HANG_SECONDS, Program, until
from tests.integration.harness import ProgramTestCase, ourEnvironment, requireProcfs
from tests.integration.workerprogram import KINDS, MODULE, Order, Report
from uotp.workers.descriptors import Descriptors
from uotp.workers.launching import ProcessLauncher
from uotp.workers.owner import WorkerPace
from uotp.workers.supervisor import Supervisor
from uotp.workers.workerstates import WorkerState

reactor: Any = globalReactor

ROOT = Path(__file__).resolve().parents[2]
"""Where these tests are imported from."""

LOOK_SECONDS = 0.01

PATIENT = WorkerPace(killSeconds=HANG_SECONDS, stopSeconds=HANG_SECONDS, readyTicks=10_000, startTicks=10_000)
"""Nothing is ended since this machine is slow."""


def openDescriptors() -> list[str]:
    """
    @return: what the descriptors of this process lead to, but the one that looks.
    """
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue
    return sorted(found)


def isRunning(pid: int) -> bool:
    """
    @return: whether a process has not ended.
    """
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class WrittenOwner:
    """
    Writes down what it is told of workers, and takes what they send.

    @ivar journal: what happened, with the number of the worker.
    @ivar taken: descriptors that have come.
    """

    def __init__(self) -> None:
        self.journal: list[tuple[object, ...]] = []
        self.taken: list[int] = []

    def began(self, number: int) -> None:
        self.journal.append(("began", number))

    def ready(self, number: int) -> None:
        self.journal.append(("ready", number))

    def startFailed(self, number: int, times: int) -> None:
        self.journal.append(("start failed", number, times))

    def received(self, number: int, message: object, descriptors: Descriptors) -> None:
        assert isinstance(message, Report)
        self.journal.append((message.what, number, message.text))
        self.taken += descriptors.take(len(descriptors))

    def lost(self, number: int) -> None:
        self.journal.append(("lost", number))

    def said(self, what: str) -> list[str]:
        """
        @return: the reports of one kind.
        """
        return [str(entry[2]) for entry in self.journal if entry[0] == what]


class WorkersTestCase(TestCase):
    """
    Has two obedient workers.
    """

    timeout = 2 * HANG_SECONDS

    def setUp(self) -> None:
        requireProcfs()
        self.owner = WrittenOwner()
        self.lines: list[str] = []
        observer: Any = self.log
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.supervisor: Supervisor | None = None
        self.addCleanup(self.end)

    def log(self, event: LogEvent) -> None:
        """
        Keep what is logged.
        """
        self.lines.append(formatEvent(event))

    def end(self) -> Deferred[None] | None:
        """
        Leave no process, whatever a test has found.
        """
        if self.supervisor is None:
            return None
        for worker in self.supervisor.statistics():
            if worker.pid is not None:
                os.kill(worker.pid, signal.SIGCONT)
        return self.supervisor.stop()

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """
        Wait for something.
        """
        end = reactor.seconds() + HANG_SECONDS
        while not condition():
            if reactor.seconds() > end:
                self.fail(f"not so: {what}\n{self.owner.journal}\n" + "\n".join(self.lines))
            await deferLater(reactor, LOOK_SECONDS)

    async def workers(self, pace: WorkerPace = PATIENT) -> Supervisor:
        """
        @return: supervises two that are ready.
        """
        launcher = ProcessLauncher(reactor, MODULE, (), KINDS)
        self.supervisor = Supervisor(reactor, launcher.launch, 2, self.owner, pace)
        self.supervisor.start()
        await self.until(lambda: self.states() == [WorkerState.READY] * 2, "both are ready")
        return self.supervisor

    def states(self) -> list[WorkerState]:
        """
        @return: how they are.
        """
        assert self.supervisor is not None
        return [worker.state for worker in self.supervisor.statistics()]

    def pids(self) -> list[int]:
        """
        @return: their processes.
        """
        assert self.supervisor is not None
        return [worker.pid for worker in self.supervisor.statistics() if worker.pid is not None]

    def hasLine(self, *parts: str) -> bool:
        """
        @return: whether a line with all of these was logged.
        """
        return any(all(part in line for part in parts) for line in self.lines)


class ProcessesTests(WorkersTestCase):
    """
    Start them, and see how they end.
    """

    async def test_allStopWithoutATrace(self) -> None:
        """
        No process is left, and no descriptor: neither here nor, meanwhile, in a worker that should not have it.
        """
        await deferLater(reactor, 0)
        leaked, other = os.pipe()
        self.addCleanup(os.close, leaked)
        self.addCleanup(os.close, other)
        os.set_inheritable(leaked, True)  # a careless program
        before = openDescriptors()
        supervisor = await self.workers()
        pids = self.pids()
        supervisor.send(2, Order("list"))
        await self.until(lambda: self.owner.said("environment"), "it tells what it has")
        await supervisor.stop()
        self.assertEqual(openDescriptors(), before)
        self.assertEqual([pid for pid in pids if isRunning(pid)], [])
        self.assertEqual(sorted(self.owner.journal[-2:]), [("lost", 1), ("lost", 2)])
        (found,) = self.owner.said("descriptors")
        self.assertNotIn(os.readlink(f"/proc/self/fd/{leaked}"), found)
        self.assertTrue(found.startswith("0=/dev/null 1=pipe:"), found)
        self.assertFalse(self.hasLine("has ended"), self.lines)

    async def test_oneThatIsKilledIsStartedAgain(self) -> None:
        """
        The other goes on.
        """
        supervisor = await self.workers()
        first, second = self.pids()
        os.kill(first, signal.SIGKILL)
        await self.until(lambda: self.owner.journal.count(("ready", 1)) == 2, "it is ready again")
        self.assertNotEqual(self.pids()[0], first)
        self.assertEqual(self.pids()[1], second)
        self.assertTrue(self.hasLine(f"worker 1 (process {first}) has ended by SIGKILL: it is started again at once"))
        self.assertEqual([worker.restarts for worker in supervisor.statistics()], [1, 0])

    async def test_oneThatIsStoppedDoesNotAnswerAndIsEnded(self) -> None:
        """
        As is any that hangs.
        """
        await self.workers(WorkerPace(tickSeconds=0.1, readyTicks=100, startTicks=10_000, killSeconds=0.1))
        first, second = self.pids()
        os.kill(first, signal.SIGSTOP)
        await self.until(lambda: self.owner.journal.count(("ready", 1)) == 2, "another one is ready")
        self.assertTrue(self.hasLine("worker 1", str(first), "has not answered for 10 s"), self.lines)
        self.assertTrue(self.hasLine("worker 1", "has ended by SIGKILL"), self.lines)
        self.assertEqual(self.pids()[1], second)

    async def test_oneThatHangsSaysWhere(self) -> None:
        """
        The log has its traceback.
        """
        pace = WorkerPace(tickSeconds=0.1, readyTicks=100, startTicks=10_000, killSeconds=HANG_SECONDS)
        supervisor = await self.workers(pace)
        supervisor.send(2, Order("hang"))
        await self.until(lambda: self.owner.journal.count(("ready", 2)) == 2, "another one is ready")
        self.assertTrue(self.hasLine("worker 2:", "workerprogram.py", "in hang"), self.lines)
        self.assertTrue(self.hasLine("worker 2", "has ended by SIGABRT"), self.lines)

    async def test_tracebackOfACrashIsLogged(self) -> None:
        supervisor = await self.workers()
        supervisor.send(2, Order("crash"))
        await self.until(lambda: self.owner.journal.count(("ready", 2)) == 2, "another one is ready")
        self.assertTrue(self.hasLine("worker 2: RuntimeError: as it was told"), self.lines)
        self.assertTrue(self.hasLine("worker 2", "has ended with status 1"), self.lines)

    async def test_terminalsAndManagersSignalsDoWhatTheyShould(self) -> None:
        """
        Ctrl-C and a reload are for the parent; SIGTERM ends in good order.
        """
        await self.workers()
        first, _ = self.pids()
        os.kill(first, signal.SIGINT)
        os.kill(first, signal.SIGHUP)
        os.kill(first, signal.SIGTERM)
        await self.until(lambda: self.owner.journal.count(("ready", 1)) == 2, "another one is ready")
        self.assertTrue(self.hasLine(f"worker 1 (process {first}) has ended with status 0"), self.lines)

    async def test_managersVariablesStayWithTheParent(self) -> None:
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "LISTEN_FDS"):
            os.environ[name] = "0"
            self.addCleanup(os.environ.pop, name)
        supervisor = await self.workers()
        supervisor.send(1, Order("list"))
        await self.until(lambda: self.owner.said("environment"), "it tells what it has")
        names = self.owner.said("environment")[0].split()
        self.assertEqual([name for name in names if name.startswith(("NOTIFY", "WATCHDOG", "LISTEN"))], [])

    async def test_theySpeakAgainAfterAStop(self) -> None:
        supervisor = await self.workers()
        await supervisor.stop()
        supervisor.start()
        await self.until(lambda: self.states() == [WorkerState.READY] * 2, "both are ready")


class TravelTests(WorkersTestCase):
    """
    Send descriptors there and back.
    """

    def pipe(self) -> tuple[int, int]:
        """
        @return: the ends of a pipe to read and to write.
        """
        ends = os.pipe()
        for end in ends:
            self.addCleanup(os.close, end)
        return ends

    async def test_theyTravelBothWays(self) -> None:
        """
        What comes back is another descriptor of the same file, which no program inherits.
        """
        supervisor = await self.workers()
        readable, writable = self.pipe()
        self.assertTrue(supervisor.send(1, Order("echo", "with two"), (readable, writable)))
        await self.until(lambda: len(self.owner.taken) == 2, "both are back")
        for there, back in zip((readable, writable), self.owner.taken, strict=True):
            self.addCleanup(os.close, back)
            self.assertNotEqual(there, back)
            self.assertEqual(os.fstat(there).st_ino, os.fstat(back).st_ino)
            self.assertFalse(os.get_inheritable(back))
        self.assertEqual(self.owner.said("echo"), ["with two"])

    async def test_manyTravelEachWithItsMessage(self) -> None:
        """
        Between messages that have none.
        """
        supervisor = await self.workers()
        pipes = [self.pipe() for _ in range(40)]
        for number, (_, writable) in enumerate(pipes):
            supervisor.send(2, Order("echo", "x" * 100 * number))
            supervisor.send(2, Order("write", f"pipe {number}"), (writable,))
        supervisor.send(2, Order("echo", "last"))
        await self.until(lambda: "last" in self.owner.said("echo"), "all was done")
        self.assertEqual([os.read(readable, 99) for readable, _ in pipes], [b"pipe %d" % n for n in range(40)])

    async def test_oneThatIsLostCostsItsMessageAndNoOther(self) -> None:
        """
        A worker that has as many descriptors as it may have leaves a message out, and lives on.  No message gets
        what was sent with another.
        """
        supervisor = await self.workers()
        pipes = [self.pipe() for _ in range(3)]
        before = self.pids()

        async def obey(*orders: tuple[Order, tuple[int, ...]]) -> None:
            done = len(self.owner.said("echo"))
            for order, descriptors in (*orders, (Order("echo"), ())):
                supervisor.send(1, order, descriptors)
            await self.until(lambda: len(self.owner.said("echo")) > done, f"it has done {orders}")

        await obey((Order("narrow"), ()))
        await obey((Order("write", "lost"), (pipes[0][1],)), (Order("write", "lost"), (pipes[1][1],)))
        await obey((Order("widen"), ()))
        await obey((Order("write", "found"), (pipes[2][1],)))
        for readable, _ in pipes:
            os.set_blocking(readable, False)
        self.assertEqual(os.read(pipes[2][0], 99), b"found")
        for readable, _ in pipes[:2]:
            self.assertRaises(BlockingIOError, os.read, readable, 99)
        self.assertEqual(self.pids(), before)
        self.assertTrue(self.hasLine("worker 1:", "1 of 1 descriptors were lost on their way"))


class OrphanTests(ProgramTestCase):
    """
    End their parent.
    """

    def parent(self, *words: str) -> Program:
        """
        Start one.
        """
        requireProcfs()
        environment = ourEnvironment()
        environment["PYTHONPATH"] += os.pathsep + str(ROOT)
        return self.start("parent", [sys.executable, "-m", "tests.integration.parentprogram", *words], environment)

    def test_workersEndWhenTheirParentIsKilled(self) -> None:
        """
        By themselves: nobody is left who could end them.
        """
        parent = self.parent()
        parent.waitFor(lambda: len(self.pids(parent.lines)) == 2, "both workers are ready")
        pids = self.pids(parent.lines)
        parent.kill()
        for pid in pids:
            until(lambda pid=pid: not isRunning(pid), f"{pid} has ended")  # type: ignore[misc]

    def test_workersEndWithTheirParent(self) -> None:
        """
        When it is sent SIGTERM, and they are too, as by a service manager.
        """
        parent = self.parent()
        parent.waitFor(lambda: len(self.pids(parent.lines)) == 2, "both workers are ready")
        pids = self.pids(parent.lines)
        for pid in (parent.process.pid, *pids):
            os.kill(pid, signal.SIGTERM)
        parent.waitForLine("all have stopped")
        self.assertEqual([pid for pid in pids if isRunning(pid)], [])

    def test_deathsAreSeenWhereTheReactorLeavesSignalsAlone(self) -> None:
        """
        As in a program that embeds a server.
        """
        parent = self.parent("embedded")
        parent.waitForLine("worker [12] is lost")
        parent.waitForLine("all have stopped")
        self.assertEqual(parent.waitForExit(), 0)

    def pids(self, lines: list[str]) -> list[int]:
        """
        @return: the processes of those that are ready.
        """
        return [int(line.split()[1]) for line in lines if line.endswith("is ready")]
