"""
Freed memory goes back to the machine, seldom, and while there is little to do.
"""

from __future__ import annotations

import ctypes
import platform

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.process.freed import GIVE_BACK_SECONDS, LITTLE_SHARE, MOST_SHARE, FreedMemory, trimOfMalloc


class FreedMemoryTests(SynchronousTestCase):
    """
    Let time pass.
    """

    def setUp(self) -> None:
        self.clock, self.processorTime, self.took, self.trims = Clock(), 100.0, 0.0, 0
        self.memory = FreedMemory(self.clock, self.trim, lambda: self.processorTime)
        self.memory.start()

    def trim(self) -> None:
        self.trims += 1
        self.clock.rightNow += self.took

    def passTime(self, minutes: int, share: float = 0.0) -> int:
        """
        @return: how often memory was given back meanwhile.
        """
        before = self.trims
        for _ in range(minutes):
            self.processorTime += share * GIVE_BACK_SECONDS
            self.clock.advance(GIVE_BACK_SECONDS)
        return self.trims - before

    def test_itIsGivenBackWhileThereIsLittleToDo(self) -> None:
        self.clock.advance(GIVE_BACK_SECONDS - 1)
        self.assertEqual(self.trims, 0)
        self.clock.advance(1)
        self.assertEqual(self.trims, 1)
        self.assertEqual(self.passTime(3, 0.9 * LITTLE_SHARE), 3)

    def test_whoeverIsAtWorkIsNotStopped(self) -> None:
        self.assertEqual(self.passTime(10, 1.1 * LITTLE_SHARE), 0)
        self.assertEqual(self.passTime(1), 1)

    def test_whatTakesLongIsDoneSeldom(self) -> None:
        self.took = 5 * GIVE_BACK_SECONDS * MOST_SHARE
        self.assertLessEqual(self.passTime(50), 11)
        self.assertGreater(self.passTime(50), 5)

    def test_afterTheStopNothingIsDone(self) -> None:
        self.memory.stop()
        self.assertEqual((self.passTime(3), self.clock.getDelayedCalls()), (0, []))

    def test_whereNothingGivesItBackNobodyLooks(self) -> None:
        memory = FreedMemory(clock := Clock(), None)
        memory.start()
        self.assertEqual(clock.getDelayedCalls(), [])
        memory.stop()


class MallocTests(SynchronousTestCase):
    """
    Ask the C library.
    """

    def test_glibcGivesBack(self) -> None:
        trim = trimOfMalloc()
        self.assertEqual(trim is not None, platform.libc_ver()[0] == "glibc")
        if trim is not None:
            self.assertIn(trim(), (0, 1))

    def test_anotherLibraryDoesNot(self) -> None:
        for error in (OSError, TypeError):

            def load(_name: None, error: type[Exception] = error) -> None:
                raise error

            self.patch(ctypes, "CDLL", load)
            self.assertIsNone(trimOfMalloc())
        self.patch(ctypes, "CDLL", lambda _name: object())
        self.assertIsNone(trimOfMalloc())
