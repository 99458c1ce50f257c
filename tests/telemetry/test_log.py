"""
How much is said, and into which file.
"""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

from twisted.logger import LogLevel, capturedLogs, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.sources import modules
from uotp.telemetry.log import VERBOSITIES, Logger, logTo, openLogFile, parseVerbosity, reopenLogFile

LEVELS = ["debug", "info", "warn", "error", "critical"]


class ThresholdTests(SynchronousTestCase):
    """
    What is below the threshold is not said.
    """

    def setUp(self) -> None:
        self.patch(Logger, "threshold", Logger.threshold)

    def saidAt(self, word: str) -> list[str]:
        """
        @param word: a verbosity.
        @return: which levels are heard.
        """
        Logger.threshold = parseVerbosity(word)
        log = Logger(namespace="test")
        with capturedLogs() as events:
            for level in LEVELS:
                getattr(log, level)("said")
        return [event["log_level"].name for event in events]

    def test_eachVerbositySaysItsLevelAndAllAbove(self) -> None:
        for index, word in enumerate(["debug", "info", "warn", "error", "fatal"]):
            self.assertEqual(self.saidAt(word), LEVELS[index:], word)

    def test_unlessToldOtherwiseDebugIsNotSaid(self) -> None:
        """
        An embedding program hears of what its user would want to know.
        """
        self.assertIs(Logger.threshold, LogLevel.info)

    def test_failuresAreCriticalAndAlwaysSaid(self) -> None:
        """
        What should never happen is told at any verbosity.
        """
        Logger.threshold = parseVerbosity("fatal")
        Logger(namespace="test").failure("it happened", Failure(LookupError()))
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_aThresholdHoldsForLoggersOfAllRooms(self) -> None:
        """
        Also for those that were made before it was set, and of classes.
        """

        class Room:
            log = Logger()

        Logger.threshold = parseVerbosity("error")
        with capturedLogs() as events:
            Room.log.warn("not said")
            Room().log.error("said")
        self.assertEqual([event["log_format"] for event in events], ["said"])

    def test_everyRoomSpeaksThroughOurLogger(self) -> None:
        """
        A logger of Twisted's own would not know the threshold.
        """
        for name, module in modules().items():
            if name == "uotp.telemetry.log":
                continue
            for node in ast.walk(module):
                if isinstance(node, ast.ImportFrom) and node.module == "twisted.logger":
                    self.assertNotIn("Logger", [alias.name for alias in node.names], name)

    def test_aWordThatIsNoVerbosityIsAnsweredWithThoseThatAre(self) -> None:
        for word in ("", "loud", "INFO", "critical", "0"):
            error = self.assertRaises(ValueError, parseVerbosity, word)
            self.assertEqual(str(error), "one of debug, info, warn, error, fatal is needed")
        self.assertEqual(list(VERBOSITIES), ["debug", "info", "warn", "error", "fatal"])


class LogFileTests(SynchronousTestCase):
    """
    Write the file of C{--logfile}.
    """

    def setUp(self) -> None:
        self.patch(Logger, "threshold", LogLevel.info)
        self.path = Path(os.path.abspath(self.mktemp()))
        self.log = Logger(namespace="room")

    def logging(self) -> object:
        """
        Begin to log into the file, until the test is over.

        @return: the file.
        """
        before = list(globalLogPublisher._observers)
        logFile = openLogFile(str(self.path))
        self.addCleanup(logFile.close)
        logTo(logFile)
        for observer in globalLogPublisher._observers:
            if observer not in before:
                self.addCleanup(globalLogPublisher.removeObserver, observer)
        return logFile

    def test_linesSayWhenWhoAndWhat(self) -> None:
        self.logging()
        self.log.info("reached {host}", host="example.com")
        self.assertRegex(self.path.read_text(), r"^\d{4}-\d\d-\d\dT\S+ \[room#info\] reached example\.com\n$")

    def test_fileThatCannotBeOpenedAgainIsKept(self) -> None:
        folder, moved = Path(os.path.abspath(self.mktemp())), Path(os.path.abspath(self.mktemp()))
        folder.mkdir()
        self.path = folder / "log"
        logFile: Any = self.logging()
        folder.rename(moved)
        self.assertRaises(OSError, reopenLogFile, logFile)
        self.log.info("still here")
        self.assertIn("still here", (moved / "log").read_text())

    def test_whatWasThereStays(self) -> None:
        """
        A restart goes on where the file ended.
        """
        self.path.write_text("of yesterday\n")
        self.logging()
        self.log.info("of today")
        lines = self.path.read_text().splitlines()
        self.assertEqual(lines[0], "of yesterday")
        self.assertEqual(len(lines), 2)

    def test_afterReopeningANewFileIsWritten(self) -> None:
        """
        As logrotate wants it: until it is opened again, the moved file is written.
        """
        logFile = self.logging()
        moved = self.path.with_suffix(".1")
        self.log.info("first")
        self.path.rename(moved)
        self.log.info("second")
        logFile.reopen()  # type: ignore[attr-defined]
        self.log.info("third")
        self.assertEqual([line.split()[-1] for line in moved.read_text().splitlines()], ["first", "second"])
        self.assertEqual([line.split()[-1] for line in self.path.read_text().splitlines()], ["third"])

    def test_itIsNeverCutByItself(self) -> None:
        """
        Whoever runs us decides when a file ends, however long it has become.
        """
        logFile = openLogFile(str(self.path))
        self.addCleanup(logFile.close)
        logFile.write(bytes(1_500_000))
        logFile.write(b"more")
        self.assertEqual(self.path.stat().st_size, 1_500_004)
        self.assertEqual([path.name for path in self.path.parent.glob(f"{self.path.name}*")], [self.path.name])

    def test_aFileThatCannotBeWrittenIsAnError(self) -> None:
        """
        It is found when it is opened: a directory, or one in a directory that is not there.
        """
        self.path.mkdir()
        self.assertRaises(OSError, openLogFile, str(self.path))
        self.assertRaises(OSError, openLogFile, str(self.path / "no" / "file"))
