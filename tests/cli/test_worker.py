"""
The program of a worker, in memory.
"""

from __future__ import annotations

import io
import resource
import signal
import sys
from typing import Any

from twisted.logger import Logger as TwistedLogger
from twisted.logger import LogLevel, LogPublisher, globalLogBeginner
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.channels import RecordingChannel
from tests.doubles.reactors import MemoryReactor
from uotp.cli import worker
from uotp.cli.worker import (
    HUNG_SECONDS,
    SELF_CHECK_SECONDS,
    START_FAILED,
    WorkerKind,
    WorkerProgram,
    endAfter,
    leaveNoCoreFile,
    runWorker,
    withoutChatter,
)
from uotp.errors import StartError
from uotp.server.workers.messages import MESSAGES
from uotp.telemetry.log import Logger
from uotp.telemetry.ratelimit import LineBudget
from uotp.telemetry.spelling import Spelling
from uotp.workers.controls import StopWorker
from uotp.workers.descriptors import Descriptors
from uotp.workers.seams import CHANNEL_DESCRIPTOR
from uotp.workers.work import WORK, BeginWork, TellLine
from uotp.workers.workerend import WorkerEnd

BEGIN = BeginWork(2, 4, "debug", {"ownerShare": "--owner-share"}, b"settings", {}, {})


class ProgramTests(SynchronousTestCase):
    """
    Run it on a reactor in memory, for a parent that writes down what it hears.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.channel = RecordingChannel()
        self.joined: list[tuple[object, ...]] = []
        self.observers: list[Any] = []
        self.began: list[object] = []
        self.endsAfter: list[float] = []
        self.heeds = 0
        self.refusal: StartError | None = None
        self.patch(worker, "joinParent", self.joinParent)
        self.patch(globalLogBeginner, "beginLoggingTo", self.beginLogging)
        self.patch(worker, "GarbageCollection", lambda _: self)
        self.patch(worker, "FreedMemory", lambda *_: self)
        self.patch(WorkerEnd, "heedSignals", lambda _: self.heed())
        self.patch(Logger, "threshold", Logger.threshold)
        self.patch(LineBudget, "processes", 1)
        self.patch(Spelling, "spellings", {})

    def heed(self) -> None:
        self.heeds += 1

    def start(self) -> None:
        """
        What a process of its own does is begun.
        """
        self.began.append("tidy")

    def joinParent(self, reactor: Any, owner: Any, kinds: Any, descriptor: int) -> WorkerEnd:
        """
        In place of the real one.
        """
        if self.refusal is not None:
            raise self.refusal
        self.joined.append((reactor, tuple(kinds), descriptor))
        self.end = WorkerEnd(reactor, owner, lambda _: None)
        self.end.speakOn(self.channel)
        return self.end

    def beginLogging(self, observers: Any, **options: Any) -> None:
        self.observers.extend(observers)
        self.assertEqual(options, {"redirectStandardIO": False})

    def serverWorker(self, message: BeginWork, end: Any, reactor: Any) -> Any:
        self.began.append((message, end, reactor))
        raise StartError

    def join(self, *, stops: bool = True) -> WorkerProgram:
        """
        @param stops: whether the test does not have it end.
        """
        program = WorkerProgram(self.reactor, WorkerKind(MESSAGES, self.serverWorker), self.endsAfter.append)
        if stops:
            self.addCleanup(program._calls.stop)
        program.join(7)
        return program

    def lines(self) -> list[str]:
        """
        @return: what the parent was told for its log.
        """
        told = [each.values for each in self.channel.messages() if isinstance(each, TellLine)]
        return [str(each.get("format") or each.get("text")) for each in told]

    def test_itJoinsItsParent(self) -> None:
        """
        And heeds signals before the reactor runs and when it does, which sets its own.
        """
        self.join()
        self.assertEqual(self.joined, [(self.reactor, (*WORK, *MESSAGES), 7)])
        self.assertEqual(self.heeds, 1)
        for call, arguments, keywords in self.reactor.whenRunningHooks:
            call(*arguments, **keywords)
        self.assertEqual(self.heeds, 2)

    def test_whatItLogsGoesToItsParent(self) -> None:
        """
        As long as there is room; and what Twisted says when all is well does not.
        """
        self.join()
        (observer,) = self.observers
        publisher = LogPublisher(observer)
        ours = TwistedLogger("uotp.server", observer=publisher)
        ours.info("a session begins")
        for namespace in ("twisted.internet.udp", "log_legacy"):
            theirs = TwistedLogger(namespace, observer=publisher)
            theirs.info("it starts")
            theirs.warn(f"{namespace} warns")
        self.assertEqual(self.lines(), ["a session begins", "twisted.internet.udp warns", "log_legacy warns"])
        self.channel.hasRoom = False
        ours.info("nobody hears it")
        self.assertEqual(len(self.lines()), 3)
        self.channel.hasRoom = True
        ours.info("again")
        self.assertEqual(self.lines()[-1], "again")
        self.assertEqual(len(self.lines()), 5)  # one line tells what was lost

    def test_itLooksAfterItself(self) -> None:
        """
        The system ends it when it does not; and when there is room again, it tells what its log has lost.
        """
        self.join()
        (observer,) = self.observers
        self.channel.hasRoom = False
        TwistedLogger("uotp.server", observer=LogPublisher(observer)).info("nobody hears it")
        self.reactor.advance(SELF_CHECK_SECONDS)
        self.assertEqual((self.endsAfter, self.lines()), ([HUNG_SECONDS], []))
        self.channel.hasRoom = True
        self.reactor.advance(SELF_CHECK_SECONDS)
        self.assertEqual((self.endsAfter, len(self.lines())), ([HUNG_SECONDS] * 2, 1))

    def test_chatterBelowWarningsIsLeftOut(self) -> None:
        seen: list[Any] = []
        observer: Any = withoutChatter(seen.append)  # type: ignore[arg-type]
        for namespace, level, isSeen in (
            ("uotp.x", LogLevel.debug, True),
            ("twisted.x", LogLevel.info, False),
            ("twisted.x", LogLevel.warn, True),
            ("log_legacy", LogLevel.info, False),
        ):
            seen.clear()
            observer({"log_namespace": namespace, "log_level": level})
            self.assertEqual(bool(seen), isSeen, namespace)

    def test_itBeginsAsItsParentSays(self) -> None:
        """
        It logs as much, spells settings the same way, and has its part of each budget of lines.
        """
        self.join()
        self.end.messageReceived(BEGIN, Descriptors())
        self.assertEqual(self.began, ["tidy", "tidy", (BEGIN, self.end, self.reactor)])
        self.assertIs(Logger.threshold, LogLevel.debug)
        self.assertEqual((LineBudget.processes, Spelling.spellings), (4, {"ownerShare": "--owner-share"}))
        self.flushLoggedErrors(StartError)

    def test_itsStatusSaysHowItEnds(self) -> None:
        """
        0 when it was stopped, and 1 when it could not begin.
        """
        for message, status in ((StopWorker(), 0), (BEGIN, 1)):
            self.setUp()
            program = self.join(stops=False)
            self.end.messageReceived(message, Descriptors())
            self.assertFalse(self.reactor.hasStopped)
            self.reactor.running = True
            self.patch(self.reactor, "callWhenRunning", lambda call: call())
            self.end.channelLost("closed")
            self.assertTrue(self.reactor.hasStopped)
            self.patch(self.reactor, "run", lambda: None)
            self.assertEqual(program.run(), status)
            self.assertEqual(self.reactor.getDelayedCalls(), [])
            self.flushLoggedErrors(StartError)

    def test_theSystemEndsItByTheTimeOfAProcessor(self) -> None:
        """
        Which goes on only while it runs.
        """
        self.addCleanup(signal.setitimer, signal.ITIMER_PROF, 0)
        endAfter(1000.0)
        left, interval = signal.getitimer(signal.ITIMER_PROF)
        self.assertTrue(900.0 < left <= 1001.0, left)
        self.assertEqual(interval, 0.0)

    def test_itLeavesNoCoreFile(self) -> None:
        """
        Nor is a program given one: by a limit of one byte, where there may be any.
        """
        limits: list[Any] = []
        self.patch(resource, "setrlimit", lambda *limit: limits.append(limit))
        for most in (resource.RLIM_INFINITY, 1 << 20, 0):
            self.patch(resource, "getrlimit", lambda _, most=most: (0, most))
            leaveNoCoreFile()
        soft = [1, 1, 0]
        expected = zip(soft, (resource.RLIM_INFINITY, 1 << 20, 0), strict=True)
        self.assertEqual(limits, [(resource.RLIMIT_CORE, each) for each in expected])

    def run_(self) -> tuple[int, str]:
        """
        @return: the status of the whole program, and what it has written.
        """
        error = io.StringIO()
        self.patch(sys, "stderr", error)
        self.patch(worker, "useMonotonicClock", self.began.append)
        self.patch(worker, "raiseDescriptorLimit", lambda: self.began.append("limit"))
        self.patch(worker, "leaveNoCoreFile", lambda: self.began.append("no core file"))
        import twisted.internet  # noqa: PLC0415 - as the program does

        names = vars(twisted.internet)
        if "reactor" in names:
            self.addCleanup(names.__setitem__, "reactor", names["reactor"])
        else:
            self.addCleanup(names.pop, "reactor", None)
        names["reactor"] = self.reactor
        self.patch(self.reactor, "run", lambda: self.began.append("run"))
        return runWorker(["server", "1"]), error.getvalue()

    def test_nobodyElseStartsIt(self) -> None:
        """
        It says so in one line.
        """
        self.refusal = StartError("this program is started by one that has workers, and by nobody else")
        said = "uotp: this program is started by one that has workers, and by nobody else\n"
        self.assertEqual(self.run_(), (START_FAILED, said))
        self.assertNotIn("run", self.began)

    def test_itRunsOnTheChannelsDescriptor(self) -> None:
        """
        With timers that follow no wall clock, and as many descriptors as it may have.
        """
        self.assertEqual(self.run_(), (0, ""))
        self.assertEqual(self.began, [self.reactor, "limit", "no core file", "run"])
        self.assertEqual(self.joined[0][2], CHANNEL_DESCRIPTOR)
