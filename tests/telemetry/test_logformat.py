"""
In which format the log is written, and where it goes to the journal.
"""

from __future__ import annotations

import io
import json
import os
from typing import Any

from twisted.logger import FileLogObserver, ILogObserver, LogLevel, textFileLogObserver
from twisted.trial.unittest import SynchronousTestCase

from uotp.telemetry.log import Logger
from uotp.telemetry.logformat import LogFormat, inFormat, leadsToJournal, lineObserver, parseLogFormat


class LogFormatTests(SynchronousTestCase):
    """
    Write lines.
    """

    def setUp(self) -> None:
        self.patch(Logger, "threshold", LogLevel.info)
        self.file = io.StringIO()

    def write(self, observer: ILogObserver, level: Any = LogLevel.warn, words: str = "said") -> str:
        """
        @return: what is written of a line.
        """
        before = len(self.file.getvalue())
        Logger("uotp.room", observer=observer).emit(level, words)
        return self.file.getvalue()[before:]

    def test_textIsAsTwistedHasIt(self) -> None:
        self.assertRegex(self.write(lineObserver(self.file)), r"^\d{4}-\S+ \[uotp\.room#warn\] said\n$")

    def test_jsonIsAnObject(self) -> None:
        self.assertEqual(json.loads(self.write(lineObserver(self.file, LogFormat.JSON)))["message"], "said")

    def test_theJournalGetsPrioritiesAndNoTime(self) -> None:
        """
        Each line of an entry begins so: the journal makes an entry of each.
        """
        observer = lineObserver(self.file, isJournal=True)
        self.assertEqual(self.write(observer), "<4>[uotp.room#warn] said\n")
        self.assertEqual(self.write(observer, LogLevel.critical), "<2>[uotp.room#critical] said\n")
        self.assertEqual(self.write(observer, words="a\nb"), "<4>[uotp.room#warn] a\n<4>\tb\n")

    def test_jsonGoesToTheJournalAsItIs(self) -> None:
        observer = lineObserver(self.file, LogFormat.JSON, isJournal=True)
        self.assertEqual(json.loads(self.write(observer))["level"], "warn")

    def test_whatIsBelowTheThresholdIsNotWritten(self) -> None:
        for form in LogFormat:
            observer = lineObserver(self.file, form, isJournal=True)
            observer({"log_format": "x", "log_level": LogLevel.debug, "log_namespace": "twisted"})
        self.assertEqual(self.file.getvalue(), "")

    def test_theJournalIsKnownByItsStream(self) -> None:
        with open(os.devnull, "w", encoding="ascii") as stream:
            status = os.fstat(stream.fileno())
            right = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
            self.assertTrue(leadsToJournal(stream, right))
            self.assertFalse(leadsToJournal(stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"}))
            self.assertFalse(leadsToJournal(stream, {}))
        self.assertFalse(leadsToJournal(self.file, right))
        self.assertFalse(leadsToJournal(stream, right))

    def test_filesOfOthersAreWrittenInOurFormat(self) -> None:
        others = textFileLogObserver(self.file)
        self.assertEqual(json.loads(self.write(inFormat(others, LogFormat.JSON)))["message"], "said")

    def test_whoeverWritesToNoFileStaysAsHeIs(self) -> None:
        legacy: Any = [].append
        self.assertIs(inFormat(legacy, LogFormat.JSON), legacy)
        others: Any = FileLogObserver(self.file, lambda _: "own\n")
        self.assertIs(inFormat(others, LogFormat.TEXT), others)

    def test_formatsHaveNames(self) -> None:
        self.assertEqual([parseLogFormat(word) for word in ("text", "json")], list(LogFormat))
        error = self.assertRaises(ValueError, parseLogFormat, "xml")
        self.assertEqual(str(error), "one of text, json is needed")
