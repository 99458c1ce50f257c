"""
What others log, and how often it is said.
"""

from __future__ import annotations

import io
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LegacyLogObserverWrapper, LogPublisher, formatEvent, globalLogPublisher, textFileLogObserver
from twisted.logger import Logger as TwistedLogger
from twisted.python import log as legacy
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from uotp.telemetry import foreign
from uotp.telemetry.foreign import limitForeignLines
from uotp.telemetry.log import Logger
from uotp.telemetry.ratelimit import MAX_LINES_PER_QUIET, QUIET_SECONDS


def observer(events: list[Any]) -> Any:
    """
    @return: an observer that keeps events.
    """
    return events.append


class ForeignLinesTests(SynchronousTestCase):
    """
    Log as Twisted does, and as we do.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[Any] = []
        self.publisher: Any = LogPublisher(observer(self.events))
        self.patch(foreign.ForeignLines, "_log", Logger("uotp.telemetry", observer=self.publisher))
        limitForeignLines(self.publisher, self.clock.seconds)
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
        old = legacy.LogPublisher(publishPublisher=self.publisher)
        for port in range(40000, 40100):
            old.msg(f"(UDP Port {port} Closed)")
        old.msg("(TCP Port 8443 Closed)")
        self.assertEqual(self.lines(), ["(UDP Port 40000 Closed)", "(TCP Port 8443 Closed)"])

    def test_everyKindOfObserverIsLimitedAndSeesWhatItUsedTo(self) -> None:
        """
        That of C{twistd --logfile} writes text, that of C{--syslog} is one of the old kind.
        """
        old: list[Any] = []
        file = io.StringIO()
        publisher = LogPublisher(textFileLogObserver(file), LegacyLogObserverWrapper(observer(old)))
        limitForeignLines(publisher, self.clock.seconds)
        log = TwistedLogger("twisted.internet.tcp", observer=publisher)
        for _ in range(100):
            log.info("{word}", word="accepted")
        self.assertEqual(len(file.getvalue().splitlines()), 1)
        self.assertEqual([legacy.textFromEventDict(event) for event in old], ["accepted"])

    def test_observerThatIsAddedLaterGetsEverything(self) -> None:
        late: list[Any] = []
        self.publisher.addObserver(observer(late))
        for _ in range(3):
            self.twisted.info("said")
        self.assertEqual((len(self.lines()), len(late)), (1, 3))

    def test_theGlobalLogIsOfThisKind(self) -> None:
        self.assertIsInstance(globalLogPublisher, LogPublisher)
