"""
The log of a process: whoever listens, however the log was begun.
"""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import skipIf

from twisted.internet.task import Clock
from twisted.logger import (
    LegacyLogObserverWrapper,
    LogBeginner,
    LogLevel,
    LogPublisher,
    formatEvent,
    globalLogPublisher,
    textFileLogObserver,
)
from twisted.logger import Logger as TwistedLogger
from twisted.python import log as legacy
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile as TwistedLogFile
from twisted.trial.unittest import SynchronousTestCase

from tests.sources import modules
from tests.test_packages import importsOf
from uotp.telemetry import processlog
from uotp.telemetry.frozen import frozen
from uotp.telemetry.log import Logger
from uotp.telemetry.logformat import LogFormat
from uotp.telemetry.outlet import MAX_LINES
from uotp.telemetry.processlog import ProcessLog


class MemoryFile(io.StringIO):
    """
    Is a log file that can be opened again, or cannot.
    """

    path = "log"

    def __init__(self, error: OSError | None = None) -> None:
        super().__init__()
        self._error = error

    def reopen(self) -> None:
        """
        Note that it was.
        """
        if self._error is not None:
            raise self._error
        self.write("reopened\n")


class ProcessLogTests(SynchronousTestCase):
    """
    Begin a log in the ways of twistd, twist and the console scripts.
    """

    def setUp(self) -> None:
        self.patch(Logger, "threshold", LogLevel.info)
        self.publisher: Any = LogPublisher()
        self.stdio: Any = type("Stdio", (), {"stdout": io.StringIO(), "stderr": io.StringIO()})
        self.beginner = LogBeginner(self.publisher, io.StringIO(), self.stdio, type("W", (), vars(warnings)))
        self.atExit: list[Callable[[], Any]] = []
        self.ours = Logger("uotp.somewhere", observer=self.publisher)
        self.twisted = TwistedLogger("twisted.somewhere", observer=self.publisher)

    def processLog(self) -> ProcessLog:
        """
        @return: the log, which starts no thread: all is handed out when the process ends.
        """
        log = ProcessLog(self.publisher, Clock().seconds, atExit=self.atExit.append)
        self.patch(ProcessLog, "_log", self.ours)
        return log

    def atEnd(self) -> None:
        """
        Let the process end.
        """
        for act in self.atExit:
            act()

    def test_whatWasSaidBeforeTheLogBeganIsInEachLogOnce(self) -> None:
        """
        A service is made before, and under C{twist} even started.
        """
        self.ours.info("making")
        log = self.processLog()
        file, other = MemoryFile(), io.StringIO()
        log.logTo(file)  # type: ignore[arg-type]
        self.ours.info("starting")
        self.beginner.beginLoggingTo([textFileLogObserver(other)])
        self.ours.info("running")
        log.absorb()
        self.assertEqual((file.getvalue(), other.getvalue()), ("", ""))
        self.atEnd()
        for text in (file.getvalue(), other.getvalue()):
            self.assertEqual([line.split()[-1] for line in text.splitlines()], ["making", "starting", "running"])

    def test_somethingMayBeSaidBeforeAnythingElse(self) -> None:
        """
        Also before what was said before the log began; and not where nothing is.
        """
        for lines in (["making"], []):
            told: list[Any] = []
            self.setUp()
            for line in lines:
                self.ours.info(line)
            log = self.processLog()
            log.precede(lambda: self.ours.info("this is the log"))
            self.beginner.beginLoggingTo([told.append])  # type: ignore[list-item]
            self.atEnd()
            self.assertEqual([formatEvent(event) for event in told], ["this is the log", "making"] if lines else [])

    def test_aLogfileIsEnough(self) -> None:
        log, file = self.processLog(), MemoryFile()
        log.logTo(file)  # type: ignore[arg-type]
        self.beginner.beginLoggingTo([])
        self.ours.info("said")
        self.atEnd()
        self.assertEqual(len(file.getvalue().splitlines()), 1)

    def test_everyKindOfObserverIsLimitedAndSeesWhatItUsedTo(self) -> None:
        """
        That of C{twistd --logfile} writes text, that of C{--syslog} is one of the old kind.
        """
        old: list[Any] = []
        file = io.StringIO()
        legacyObserver: Any = old.append
        self.processLog()
        self.beginner.beginLoggingTo([textFileLogObserver(file), LegacyLogObserverWrapper(legacyObserver)])
        for _ in range(100):
            self.twisted.info("{word}", word="accepted")
        self.atEnd()
        self.assertEqual(len(file.getvalue().splitlines()), 1)
        self.assertEqual([legacy.textFromEventDict(event) for event in old], ["accepted"])

    def test_observersOfAllTimesAreLimited(self) -> None:
        """
        Those that were there before, and those that come later; those that go get nothing more.
        """
        before: list[Any] = []
        later: list[Any] = []
        gone: list[Any] = []
        self.beginner.beginLoggingTo([before.append])  # type: ignore[list-item]
        log = self.processLog()
        log.absorb()
        self.publisher.addObserver(gone.append)
        self.publisher.removeObserver(gone.append)
        self.publisher.addObserver(later.append)
        self.publisher.addObserver(later.append)
        for _ in range(3):
            self.twisted.info("said")
        self.atEnd()
        self.assertEqual([len(before), len(later), len(gone)], [1, 1, 0])

    def test_oneThatDoesNotListenCostsTheOthersNothing(self) -> None:
        """
        Each has a queue of its own.  At the end nobody is waited for who does not listen: not by
        Python either, which flushes its standard streams.
        """
        for name in ("stdout", "stderr", "__stdout__", "__stderr__"):
            self.patch(sys, name, getattr(sys, name))
        self.patch(processlog, "FLUSH_SECONDS", 0.01)
        free, heard, begun = threading.Event(), threading.Event(), threading.Event()
        self.addCleanup(free.set)

        def deaf(_: Any) -> None:
            begun.set()
            free.wait(30)

        log = self.processLog()
        self.beginner.beginLoggingTo([deaf, lambda _: heard.set()])  # type: ignore[list-item]
        log.begin()
        self.ours.info("said")
        self.assertTrue(begun.wait(30))
        self.assertTrue(heard.wait(30))
        self.atEnd()
        ends = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
        for name in ("stdout", "stderr"):
            setattr(sys, name, getattr(self.stdio, name))
        self.assertEqual(ends, (None,) * 4)

    def test_whatIsLostIsSaidInWords(self) -> None:
        file = io.StringIO()
        self.processLog()
        self.beginner.beginLoggingTo([textFileLogObserver(file)])
        for count in (1, 2):
            for _ in range(MAX_LINES + count):
                self.ours.info("said")
            self.atEnd()
            lines = file.getvalue().splitlines()
            words = ("a log line was lost", "2 log lines were lost")[count - 1]
            self.assertRegex(lines[-1], rf"\[uotp.telemetry#warn\] {words}, since nobody took them$")

    def test_whoeverHasGoneHasAllUntilThen(self) -> None:
        """
        C{twistd} takes its observer away before the process ends.
        """
        told: list[Any] = []
        self.processLog()
        self.beginner.beginLoggingTo([told.append])  # type: ignore[list-item]
        self.ours.info("stopping")
        self.publisher.removeObserver(told.append)
        self.ours.info("said to nobody")
        self.atEnd()
        self.assertEqual([formatEvent(event) for event in told], ["stopping"])

    def test_filesAreOpenedAgainBetweenTheLines(self) -> None:
        log, file = self.processLog(), MemoryFile()
        log.logTo(file)  # type: ignore[arg-type]
        self.beginner.beginLoggingTo([])
        self.ours.info("before")
        log.reopen()
        self.ours.info("after")
        self.atEnd()
        self.assertEqual([line.split()[-1] for line in file.getvalue().splitlines()], ["before", "reopened", "after"])

    def test_aFileThatCannotBeOpenedAgainIsSaid(self) -> None:
        log, file = self.processLog(), MemoryFile(OSError(13, "Permission denied"))
        log.logTo(file)  # type: ignore[arg-type]
        self.beginner.beginLoggingTo([])
        log.reopen()
        self.atEnd()
        self.assertIn("#error] the log file could not be opened again: Permission denied\n", file.getvalue())

    def test_theFileOfTwistdIsOpenedAgainToo(self) -> None:
        """
        One that somebody else has moved away; what was logged before is in the old one.
        """
        path = self.mktemp()
        file = TwistedLogFile.fromFullPath(path)
        self.addCleanup(file.close)
        log = self.processLog()
        self.beginner.beginLoggingTo([textFileLogObserver(file)])
        self.ours.info("before")
        log.reopen()
        self.ours.info("after")
        os.rename(path, path + ".1")
        self.atEnd()
        texts = [Path(each).read_text("utf-8") for each in (path + ".1", path)]
        self.assertEqual([text.split()[-1] for text in texts], ["before", "after"])

    @skipIf(os.name == "nt", "permissions are something else there")
    def test_aNewFileOfTwistdMayBeReadByTheSame(self) -> None:
        """
        The first is opened before twistd goes into the background, where it has another mask.
        """
        path = self.mktemp()
        self.addCleanup(os.umask, os.umask(0o022))
        file = TwistedLogFile.fromFullPath(path)
        self.addCleanup(file.close)
        log = self.processLog()
        self.beginner.beginLoggingTo([textFileLogObserver(file)])
        os.umask(0o077)
        os.rename(path, path + ".1")
        log.reopen()
        self.atEnd()
        self.assertEqual([os.stat(each).st_mode & 0o777 for each in (path + ".1", path)], [0o644, 0o644])

    def test_theFileOfTwistdStaysWhereItCannotBeOpenedAgain(self) -> None:
        """
        Twisted would close it first, and have none from then on.
        """
        path = self.mktemp()
        os.mkdir(path)
        file = TwistedLogFile.fromFullPath(os.path.join(path, "log"))
        self.addCleanup(file.close)
        log = self.processLog()
        self.beginner.beginLoggingTo([textFileLogObserver(file)])
        os.rename(path, path + ".1")
        log.reopen()
        self.ours.info("after")
        self.atEnd()
        lines = Path(path + ".1", "log").read_text("utf-8").splitlines()
        self.assertIn("could not be opened again: No such file or directory", lines[-1] + lines[-2])
        self.assertTrue(any(line.endswith("after") for line in lines))

    def test_filesOfAllKindsMayBeJson(self) -> None:
        """
        Ours, and those of twistd, which has an observer of its own and takes it away at the end.
        """
        log = ProcessLog(self.publisher, Clock().seconds, atExit=self.atExit.append, form=LogFormat.JSON)
        ours, others = MemoryFile(), io.StringIO()
        log.logTo(ours)  # type: ignore[arg-type]
        observer = textFileLogObserver(others)
        self.beginner.beginLoggingTo([observer])
        self.publisher.addObserver(observer)
        self.ours.info("said")
        self.publisher.removeObserver(observer)
        self.ours.info("later")
        self.atEnd()
        read = [[json.loads(line)["message"] for line in file.getvalue().splitlines()] for file in (ours, others)]
        self.assertEqual(read, [["said", "later"], ["said"]])

    def test_onlyTheCommandLinesTakeTheLogOver(self) -> None:
        """
        That of a program which embeds an end is its own.
        """
        users = {name for name in modules() if any(part.endswith(".ProcessLog") for part in importsOf(name))}
        self.assertEqual(users, {"uotp.telemetry", "uotp.cli.common", "uotp.cli.endservice"})

    def test_theGlobalLogIsOfThisKind(self) -> None:
        self.assertIsInstance(globalLogPublisher, LogPublisher)


class FrozenTests(SynchronousTestCase):
    """
    Keep events for later.
    """

    def test_theTextIsThatOfTheMomentWhenItWasLogged(self) -> None:
        things = [1]
        event = {"log_format": "{things} and {word}", "things": things, "word": "w", "log_source": self}
        kept, _ = frozen(event)
        things.append(2)
        self.assertEqual(formatEvent(kept), "[1] and w")
        self.assertEqual(kept["word"], "w")  # which an observer that writes JSON can filter by

    def test_whatIsAtWorkIsNotKeptAlive(self) -> None:
        class Worker:
            log = Logger("uotp.x")

        events: list[Any] = []
        observer: Any = events.append
        self.patch(globalLogPublisher, "_observers", [observer])
        Worker().log.info("said")
        self.assertTrue(any(isinstance(value, Worker) for value in events[0].values()))
        kept, _ = frozen(events[0])
        self.assertFalse(any(isinstance(value, Worker | TwistedLogger) for value in kept.values()))

    def test_anErrorKeepsItsTracebackAndNoFrames(self) -> None:
        try:
            raise LookupError("it is" + " gone")  # noqa: TRY301 - the words are what is looked for
        except LookupError:
            failure = Failure()
        event = {"log_format": "failed", "log_failure": failure}
        kept, size = frozen(event)
        said = kept["log_failure"]
        self.assertEqual(said.getTraceback(), failure.getTraceback())
        self.assertIn("it is gone", said.getTraceback())
        self.assertIsNone(said.tb)
        self.assertIsNone(said.value.__traceback__)
        self.assertIsNotNone(failure.tb)
        self.assertGreater(size, len(said.getTraceback()))

    def test_longTextCounts(self) -> None:
        _, size = frozen({"log_format": "{text}", "text": "x" * 10_000})
        self.assertGreater(size, 10_000)
