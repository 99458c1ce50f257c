"""
The queue before an observer of the log: what is kept, in which order, what is lost, and how that
is told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from twisted.logger import ILogObserver
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from uotp.telemetry.outlet import MAX_BYTES, MAX_LINES, Outlet

PATIENCE_SECONDS = 30.0
"""A thread that has not done its work after so long never does."""


@implementer(ILogObserver)
class Listener:
    """
    Is an observer that takes lines, or does not.

    @ivar taken: the lines.
    @ivar error: raised in place of taking one, if it is set.
    @ivar free: cleared to let a line wait.
    @ivar begun: set when a line has come to it.
    """

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.error: Exception | None = None
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Event()

    def __call__(self, event: Any) -> None:
        self.begun.set()
        if not self.free.wait(PATIENCE_SECONDS):
            raise TimeoutError
        if self.error is not None:
            raise self.error
        self.taken.append(event["line"])


def tellLost(observer: Any, count: int, reason: str) -> None:
    """
    Tell it as a line like others.
    """
    observer({"line": f"{count} lost{reason}"})


class OutletTestCase(SynchronousTestCase):
    """
    Has an outlet whose thread is started only where a test wants one.
    """

    def setUp(self) -> None:
        self.listener = Listener()
        self.started: list[Callable[[], None]] = []
        self.outlet = Outlet(self.listener, tellLost, self.started.append)

    def put(self, *lines: object, size: int = 1) -> None:
        """
        Log some lines.
        """
        for line in lines:
            self.outlet.put({"line": line}, size)

    def flushed(self) -> list[Any]:
        """
        @return: what has been taken when all is handed out.
        """
        self.assertTrue(self.outlet.flush(time.monotonic()))
        taken, self.listener.taken = self.listener.taken, []
        return taken


class QueueTests(OutletTestCase):
    """
    Hand out what waits, without a thread.
    """

    def test_linesComeInOrder(self) -> None:
        self.put(*range(MAX_LINES))
        self.assertEqual(self.listener.taken, [])
        self.assertEqual(self.flushed(), list(range(MAX_LINES)))

    def test_linesThatFindNoRoomAreCountedWhereTheyAreMissing(self) -> None:
        """
        The oldest are kept: they say how it began.
        """
        self.put(*range(MAX_LINES + 7))
        self.assertEqual(self.flushed(), [*range(MAX_LINES), "7 lost, since nobody took them"])
        self.put("again")
        self.assertEqual(self.flushed(), ["again"])

    def test_longLinesFillTheQueueSooner(self) -> None:
        self.put(1, 2, 3, size=MAX_BYTES // 2)
        self.assertEqual(self.flushed(), [1, 2, "1 lost, since nobody took them"])
        self.put(4, 5, size=MAX_BYTES // 2)
        self.assertEqual(self.flushed(), [4, 5])

    def test_aFloodKeepsNothingForEachLineThatIsLost(self) -> None:
        self.put(*range(MAX_LINES + 10_000))
        self.assertLessEqual(len(self.outlet._waiting), MAX_LINES + 1)

    def test_linesThatCannotBeWrittenAreToldWhenOneCan(self) -> None:
        """
        As when a disk was full.
        """
        self.listener.error = OSError(28, "No space left on device")
        self.put(1, 2, 3)
        self.assertEqual(self.flushed(), [])
        self.listener.error = None
        self.put(4)
        self.assertEqual(self.flushed(), ["3 lost: No space left on device", 4])

    def test_errorsWithoutWordsAreCalledByTheirName(self) -> None:
        self.listener.error = BrokenPipeError()
        self.put(1)
        self.flushed()
        self.listener.error = None
        self.put(2)
        self.assertEqual(self.flushed(), ["1 lost: BrokenPipeError", 2])

    def test_whatIsDoneLaterIsDoneBetweenLinesAndOnce(self) -> None:
        def reopen() -> None:
            self.listener.taken.append("reopened")

        self.put(1)
        self.outlet.later(reopen)
        self.outlet.later(reopen)
        self.put(2)
        self.assertEqual(self.flushed(), [1, "reopened", 2])

    def test_aLineThatIsLoggedWhileOneIsHandedOutComesNext(self) -> None:
        self.outlet.later(lambda: self.put("inner"))
        self.put("outer")
        self.assertEqual(self.flushed(), ["outer", "inner"])

    def test_noThreadIsStartedBeforeItMayNorWithoutALine(self) -> None:
        """
        A process that forks leaves its threads behind.
        """
        self.put(1)
        self.assertEqual(self.started, [])
        self.outlet.begin()
        self.put(2)
        self.assertEqual(len(self.started), 1)
        another = Outlet(self.listener, tellLost, self.started.append)
        another.begin()
        self.assertEqual(len(self.started), 1)

    def test_atTheEndOfTheProcessNoThreadIsNeeded(self) -> None:
        """
        Python starts none any more then.
        """

        def refuse(_: object) -> None:
            reason = "can't create new thread at interpreter shutdown"
            raise RuntimeError(reason)

        self.outlet = Outlet(self.listener, tellLost, refuse)
        self.outlet.begin()
        self.put("the last words")
        self.assertEqual(self.flushed(), ["the last words"])


class ThreadTests(OutletTestCase):
    """
    Let a thread hand the lines out.
    """

    def setUp(self) -> None:
        super().setUp()
        self.outlet = Outlet(self.listener, tellLost)
        self.outlet.begin()
        self.addCleanup(self.listener.free.set)

    def test_whoeverLogsDoesNotWaitForWhoeverListens(self) -> None:
        """
        All is there in the end, but for what had no room.
        """
        self.listener.free.clear()
        self.put(0)
        self.assertTrue(self.listener.begun.wait(PATIENCE_SECONDS))
        self.put(*range(1, MAX_LINES + 11))
        self.assertEqual(self.listener.taken, [])
        self.listener.free.set()
        self.assertTrue(self.outlet.flush(time.monotonic() + PATIENCE_SECONDS))
        self.assertEqual(self.listener.taken, [*range(MAX_LINES + 1), "10 lost, since nobody took them"])

    def test_theEndDoesNotWaitForWhoeverDoesNotListen(self) -> None:
        self.listener.free.clear()
        self.put(0)
        self.assertTrue(self.listener.begun.wait(PATIENCE_SECONDS))
        self.assertFalse(self.outlet.flush(time.monotonic() + 0.01))

    def test_linesOfManyThreadsAreAllThere(self) -> None:
        threads = [threading.Thread(target=self.put, args=range(n, n + 100)) for n in range(0, 1000, 100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        self.assertTrue(self.outlet.flush(time.monotonic() + PATIENCE_SECONDS))
        self.assertEqual(sorted(self.listener.taken), list(range(1000)))
