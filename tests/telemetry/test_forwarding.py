"""
What a worker logs, on its way to the parent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger as TwistedLogger
from twisted.logger import LogLevel, LogPublisher, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from uotp.telemetry.foreign import ForeignLines
from uotp.telemetry.forwarding import MAX_NESTED, ForwardingObserver
from uotp.telemetry.log import Logger
from uotp.telemetry.workerlines import eventOf

REACTOR, ANOTHER = 1, 2
"""Numbers of threads."""


class Parent:
    """
    Takes lines while it has room.

    @ivar lines: what it took, in words.
    @ivar room: for so many more.
    @ivar refused: how many lines it had no room for.
    @ivar before: called with each line.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.room = 1000
        self.refused = 0
        self.before: Callable[[], object] = lambda: None

    def send(self, values: dict[str, Any]) -> bool:
        """
        @return: whether there was room.
        """
        self.before()
        if self.room <= 0:
            self.refused += 1
            return False
        self.room -= 1
        self.lines.append(formatEvent(eventOf(values, 2)).removeprefix("worker 2: "))
        return True

    def taken(self) -> list[str]:
        """
        @return: the lines since this was asked last.
        """
        taken, self.lines = self.lines, []
        return taken


class ForwardingTests(SynchronousTestCase):
    """
    Log in a worker.
    """

    def setUp(self) -> None:
        self.patch(Logger, "threshold", LogLevel.info)
        self.parent = Parent()
        self.thread = REACTOR
        self.waiting: list[tuple[Any, ...]] = []  # what another thread wants of the reactor's
        self.observer: Any = ForwardingObserver(
            self.parent.send, lambda *call: self.waiting.append(call), Clock().seconds, lambda: self.thread
        )
        publisher: Any = LogPublisher(self.observer)
        self.patch(ForeignLines, "_log", Logger("uotp.telemetry", observer=publisher))
        self.log = Logger("uotp.server", observer=publisher)
        self.twisted = TwistedLogger("twisted.internet.tcp", observer=publisher)

    def test_linesComeAtOnceAndInOrder(self) -> None:
        """
        Also the last ones of a process that ends.
        """
        self.log.info("{word}", word="first")
        self.assertEqual(self.parent.taken(), ["first"])
        self.log.error("second")
        self.assertEqual(self.parent.taken(), ["second"])

    def test_whatIsBelowTheThresholdStays(self) -> None:
        """
        Of Twisted too, and what has no level, as in the log of one process alone.
        """
        self.twisted.debug("not said")
        self.observer({"log_format": "not said", "log_namespace": "x"})
        self.twisted.info("said")
        self.assertEqual(self.parent.taken(), ["said"])

    def test_whatOthersSayIsLimitedHere(self) -> None:
        """
        So that what strangers cause does not fill the way to the parent.
        """
        for _ in range(100):
            self.twisted.info("accepted")
            self.log.info("ours")
        self.assertEqual(self.parent.taken(), ["accepted", *["ours"] * 100])

    def test_linesWithoutRoomAreCountedAndToldBeforeTheNextOne(self) -> None:
        self.log.info("first")
        self.parent.room = 0
        for _ in range(7):
            self.log.info("lost")
        self.parent.room = 1000
        self.log.info("next")
        self.log.info("last")
        self.assertEqual(
            self.parent.taken(), ["first", "7 log lines were lost, since nobody took them", "next", "last"]
        )

    def test_roomForTheNumberAloneIsUsed(self) -> None:
        """
        And whatever finds none after it is counted anew.
        """
        self.parent.room = 0
        self.log.info("lost")
        self.parent.room = 1
        self.log.info("lost too")
        self.assertEqual(self.parent.taken(), ["a log line was lost, since nobody took them"])
        self.parent.room = 1000
        self.log.info("next")
        self.assertEqual(self.parent.taken(), ["a log line was lost, since nobody took them", "next"])

    def test_noLineComesBeforeTheNumberOfThoseThatAreMissing(self) -> None:
        """
        A line is not tried while that number finds no room.
        """
        self.parent.room = 0
        self.log.info("lost")
        self.parent.refused = 0
        self.log.info("lost too")
        self.assertEqual(self.parent.refused, 1)

    def test_whatWasLostIsToldWithoutAnotherLine(self) -> None:
        """
        As soon as there is room, and once.
        """
        self.observer.roomAgain()
        self.parent.room = 0
        self.log.info("lost")
        self.observer.roomAgain()
        self.assertEqual(self.parent.taken(), [])
        self.parent.room = 1000
        self.observer.roomAgain()
        self.observer.roomAgain()
        self.assertEqual(self.parent.taken(), ["a log line was lost, since nobody took them"])

    def test_whereWarningsAreNotSaidNorIsWhatWasLost(self) -> None:
        """
        And lines go on.
        """
        self.patch(Logger, "threshold", LogLevel.error)
        self.parent.room = 0
        self.log.error("lost")
        self.parent.room = 1000
        self.log.error("next")
        self.assertEqual(self.parent.taken(), ["next"])

    def test_aWayThatFailsCostsALineAndNothingElse(self) -> None:
        def fail() -> None:
            raise OSError

        self.parent.before = fail
        self.log.info("lost")
        self.parent.before = lambda: None
        self.log.info("next")
        self.assertEqual(self.parent.taken(), ["a log line was lost, since nobody took them", "next"])

    def test_linesOfAnotherThreadWaitForTheReactor(self) -> None:
        """
        And say what was so when they were logged.
        """
        self.thread = ANOTHER
        things = [1]
        self.log.info("{things}", things=things)
        self.twisted.debug("not said")
        things.append(2)
        self.thread = REACTOR
        self.assertEqual((self.parent.taken(), len(self.waiting)), ([], 1))
        for call, *arguments in self.waiting:
            call(*arguments)
        self.assertEqual(self.parent.taken(), ["[1]"])

    def test_aLineThatIsLoggedWhileOneIsTakenComesNext(self) -> None:
        """
        And says what was so when it was logged.  The garbage collector may find a failure at any
        moment.  Whoever says meanwhile that there is room changes nothing.
        """
        things = [1]

        def once() -> None:
            self.parent.before = lambda: None
            self.observer.roomAgain()
            self.log.info("inner {things}", things=things)
            things.append(2)

        self.parent.before = once
        self.log.info("outer")
        self.log.info("later")
        self.assertEqual(self.parent.taken(), ["outer", "inner [1]", "later"])

    def test_whoeverLogsForEachLineThatHeTakesDoesNotGoOnForEver(self) -> None:
        self.parent.before = lambda: self.log.info("taking one")
        self.log.info("line")
        self.assertEqual(self.parent.taken(), ["line", *["taking one"] * MAX_NESTED])
        self.parent.before = lambda: None
        self.observer.roomAgain()
        self.assertEqual(self.parent.taken(), ["a log line was lost, since nobody took them"])

    def test_whatIsLostWhileTheNumberIsToldIsCountedToo(self) -> None:
        self.parent.room = 0
        self.log.info("lost")
        self.parent.room = 1000

        def once() -> None:
            self.parent.before = lambda: None
            for _ in range(MAX_NESTED + 3):
                self.log.info("inner")

        self.parent.before = once
        self.observer.roomAgain()
        self.assertEqual(self.parent.taken(), ["a log line was lost, since nobody took them", *["inner"] * MAX_NESTED])
        self.observer.roomAgain()
        self.assertEqual(self.parent.taken(), ["3 log lines were lost, since nobody took them"])

    def test_whoeverLogsThatHeHasNoRoomDoesNotGoOnForEver(self) -> None:
        self.parent.room = 0
        self.parent.before = lambda: self.log.info("no room")
        for _ in range(3):
            self.log.info("line")
        self.observer.roomAgain()
        self.parent.before = lambda: None
        self.parent.room = 1000
        self.observer.roomAgain()
        self.assertEqual(self.parent.taken(), ["7 log lines were lost, since nobody took them"])
