"""
How much is said.
"""

from __future__ import annotations

import ast

from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.sources import modules
from uotp.telemetry.log import VERBOSITIES, Logger, parseVerbosity

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
