"""
What others log, and how often it is said.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger as TwistedLogger
from twisted.logger import LoggingFile, LogLevel, LogPublisher, formatEvent
from twisted.python import log as legacy
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from uotp.telemetry.foreign import ForeignLines
from uotp.telemetry.log import Logger
from uotp.telemetry.ratelimit import MAX_LINES_PER_QUIET, QUIET_SECONDS


class ForeignLinesTests(SynchronousTestCase):
    """
    Log as Twisted does, and as we do.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[Any] = []
        limited: Any = ForeignLines(self.events.append, self.clock.seconds)
        self.publisher: Any = LogPublisher(limited)
        self.patch(ForeignLines, "_log", Logger("uotp.telemetry", observer=self.publisher))
        self.twisted = TwistedLogger("twisted.internet.tcp", observer=self.publisher)

    def lines(self) -> list[str]:
        """
        @return: what was said since this was asked last.
        """
        lines = [formatEvent(event) for event in self.events]
        self.events.clear()
        return lines

    def test_sameLineIsSaidOnceInTenMinutes(self) -> None:
        """
        And then how many there were that it was not.
        """
        for number in range(1000):
            self.twisted.info("accepted {number}", number=number)
        self.assertEqual(self.lines(), ["accepted 0"])
        self.clock.advance(QUIET_SECONDS)
        self.twisted.info("accepted {number}", number=1000)
        self.assertEqual(self.lines(), ["999 lines like the next one were not said before it", "accepted 1000"])

    def test_everNewLinesHaveABudgetToo(self) -> None:
        for number in range(1000):
            self.twisted.info(f"line {'x' * number}")
        self.assertEqual(len(self.lines()), MAX_LINES_PER_QUIET)

    def test_ourOwnLinesAreNotCounted(self) -> None:
        """
        Those that strangers cause have budgets where they are logged.
        """
        log = Logger("uotp.server.acceptor", observer=self.publisher)
        for number in range(200):
            log.info("ours {number}", number=number)
        self.assertEqual(len(self.lines()), 200)

    def test_nameThatOnlyBeginsLikeOursIsAnothers(self) -> None:
        log = TwistedLogger("uotpish", observer=self.publisher)
        for _ in range(2):
            log.info("said")
        self.assertEqual(self.lines(), ["said"])

    def fail(self, log: Any, error: type[Exception]) -> None:  # type: ignore[override]
        """
        Log an error with its traceback.
        """
        try:
            self.raiseIt(error)
        except error:
            log.failure("it failed", Failure())

    def raiseIt(self, error: type[Exception]) -> None:
        """
        Be the place where an error comes from.
        """
        raise error

    def test_firstErrorOfEachKindIsSaidWhateverElseWas(self) -> None:
        """
        Also of ours: what has a traceback should not happen, and may happen with each datagram.
        """
        for number in range(1000):
            self.twisted.info(f"line {'x' * number}")
        self.lines()
        for log in (self.twisted, Logger("uotp.session", observer=self.publisher)):
            for error in (LookupError, OSError):
                for _ in range(100):
                    self.fail(log, error)
        self.assertEqual([event["log_failure"].type for event in self.events], [LookupError, OSError])

    def test_sameErrorFromAnotherPlaceIsAnotherKind(self) -> None:
        self.fail(self.twisted, LookupError)
        try:
            raise LookupError  # noqa: TRY301 - here, and not where the others come from
        except LookupError:
            self.twisted.failure("it failed")
        self.assertEqual(len(self.lines()), 2)

    def test_linesInTheOldWayAreAlikeButForTheirNumbers(self) -> None:
        """
        A UDP port says by C{log.msg} that it has closed, each with its number.
        """
        self.patch(Logger, "threshold", LogLevel.debug)
        old = legacy.LogPublisher(publishPublisher=self.publisher)
        for port in range(40000, 40100):
            old.msg(f"(UDP Port {port} Closed)")
        old.msg("(TCP Port 8443 Closed)")
        self.assertEqual(self.lines(), ["(UDP Port 40000 Closed)", "(TCP Port 8443 Closed)"])

    def test_portsOfTwistedAreSaidAtDebugOnly(self) -> None:
        """
        Who runs a program is told by a line of ours where it listens.
        """
        old = legacy.LogPublisher(publishPublisher=self.publisher)
        lines = ["Acceptor starting on 8443", "(TCP Port 8443 Closed)"]
        for level, said in ((LogLevel.info, []), (LogLevel.debug, lines)):
            self.patch(Logger, "threshold", level)
            for line in lines:
                old.msg(line)
            self.assertTrue(all(event["log_level"] is LogLevel.debug for event in self.events))
            self.assertEqual(self.lines(), said)

    def test_aPortThatFailsIsSaid(self) -> None:
        """
        What only sounds like such a line, or is worse than news, is left as it is.
        """
        old = legacy.LogPublisher(publishPublisher=self.publisher)
        old.msg("Acceptor starting on 8443 has failed")
        self.twisted.info("Acceptor starting on 8443")
        old.msg("Acceptor starting on 8443", logLevel=30)
        self.assertEqual(len(self.lines()), 3)

    def test_errorsInTheOldWayAreOfOneKindWhateverTheySay(self) -> None:
        """
        C{log.err} has the whole traceback for its text.
        """
        old = legacy.LogPublisher(publishPublisher=self.publisher)
        for number in range(20):
            old.msg(failure=Failure(OSError(f"{'x' * number}")), why="it failed", isError=1)
        self.assertEqual(len(self.lines()), 1)

    def test_aTracebackThatIsPrintedIsSaidWhole(self) -> None:
        """
        Its lines are different things, though all of them have one format.  What is printed again is not.
        """
        printed = LoggingFile(logger=TwistedLogger("stderr", observer=self.publisher), level=LogLevel.error)
        for _ in range(2):
            printed.write("Exception in thread 7:\n  File x, line 7\nOSError\n")
        self.assertEqual(self.lines(), ["Exception in thread 7:", "  File x, line 7", "OSError"])

    def test_warningsOfPythonAreOfAKindForEachPlace(self) -> None:
        for line in (1, 2, 2):
            self.twisted.warn("{filename}:{lineno}: {warning}", filename="x.py", lineno=line, warning="old")
        self.assertEqual(self.lines(), ["x.py:1: old", "x.py:2: old"])
