"""
Timers do not follow a clock that can be set, and neither does what is taken for a sleep.
"""

from __future__ import annotations

import ctypes
import sys
import time
from typing import Any
from unittest import skipUnless

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.process.clock import JUMP_SECONDS, UNSETTABLE, SleepClocks, SleepDetector, sleepClocks, useMonotonicClock


class ClockTests(SynchronousTestCase):
    """
    Choose the clock of a reactor.
    """

    def test_timersFollowTheMonotonicClock(self) -> None:
        """
        The reactor is asked for the time, and asks the monotonic clock.
        """
        reactor: Any = Clock()
        useMonotonicClock(reactor)
        self.assertIs(reactor.seconds, time.monotonic)

    def test_choosingAgainIsAllowedWithTimersPending(self) -> None:
        """
        Both ends in one process choose it, each before its own first timer.
        """
        reactor: Any = Clock()
        useMonotonicClock(reactor)
        reactor.callLater(1.0, list)
        useMonotonicClock(reactor)
        self.assertIs(reactor.seconds, time.monotonic)

    def test_timersOfTheOtherClockForbidIt(self) -> None:
        """
        Those would be off by decades, so nothing is changed, and it is said why.
        """
        reactor: Any = Clock()
        before = reactor.seconds
        reactor.callLater(1.0, list)
        error = self.assertRaises(RuntimeError, useMonotonicClock, reactor)
        self.assertIn("timers are pending already", str(error))
        self.assertEqual(reactor.seconds, before)


class SleepClocksTests(SynchronousTestCase):
    """
    Choose the clocks that tell of a sleep.
    """

    def setUp(self) -> None:
        self.asked: list[Any] = []
        self.times: dict[Any, float] = {"goes on": 100.0, "stops": 60.0}
        self.patch(time, "clock_gettime", self.tell)

    def tell(self, clock: Any) -> float:
        """
        Stand for C{clock_gettime}.
        """
        self.asked.append(clock)
        return self.times[clock]

    def name(self, *names: str) -> None:
        """
        Let Python know two clocks by these names, as it does on some system.
        """
        for name, clock in zip(names, ("goes on", "stops"), strict=True):
            self.patch(time, name, clock) if hasattr(time, name) else self.lend(name, clock)

    def lend(self, name: str, clock: str) -> None:
        """
        Let Python know a clock that this system does not have.
        """
        setattr(time, name, clock)
        self.addCleanup(delattr, time, name)

    def test_whereTwoClocksCannotBeSetTheyAreAsked(self) -> None:
        for platform, names in UNSETTABLE.items():
            self.name(*names)
            clocks = sleepClocks(platform)
            self.assertEqual((clocks.goesOn(), clocks.stops(), clocks.settable), (100.0, 60.0, False), platform)

    def test_otherwiseTheTimeOfDayIsAsked(self) -> None:
        """
        Whatever the names of clocks mean on a system that is not known.
        """
        self.name(*UNSETTABLE["linux"])
        for platform in ("freebsd14", "win32"):
            self.assertEqual(sleepClocks(platform), SleepClocks(time.time, time.monotonic, settable=True))
        self.assertEqual(self.asked, [])

    def test_aKernelWithoutTheClockIsNoError(self) -> None:
        def refuse(_: object) -> float:
            raise OSError(22, "Invalid argument")

        self.name(*UNSETTABLE["linux"])
        self.patch(time, "clock_gettime", refuse)
        self.assertEqual(sleepClocks("linux").goesOn, time.time)


class RealClocksTests(SynchronousTestCase):
    """
    Ask the clocks of this system.
    """

    @skipUnless(sys.platform in UNSETTABLE, "this system has no clocks for it")
    def test_settingTheClockMovesNeither(self) -> None:
        """
        An hour back, an hour on, a year on: neither clock is the time of day.
        """
        clocks = sleepClocks()
        self.assertFalse(clocks.settable)
        sleep = SleepDetector(clocks, lambda: clocks.stops() + 1e9)
        for hours in (-1, 1, 24 * 365):
            self.patch(time, "time", lambda hours=hours: hours * 3600.0)
            self.assertFalse(sleep.isOver())

    @skipUnless(sys.platform == "linux", "Linux tells by the numbers of its clocks")
    def test_linuxIsAskedForTheClocksThatItsManualNames(self) -> None:
        """
        7 is the one with the sleep, 1 the one without, whatever Python calls them.
        """
        kernel = ctypes.CDLL(None, use_errno=True)
        for number, clock in ((7, sleepClocks().goesOn), (1, sleepClocks().stops)):
            before = (ctypes.c_long * 2)()
            self.assertEqual(kernel.clock_gettime(number, before), 0)
            told = clock()
            after = (ctypes.c_long * 2)()
            self.assertEqual(kernel.clock_gettime(number, after), 0)
            seconds = [whole + nano / 1e9 for whole, nano in (before, after)]
            self.assertTrue(seconds[0] - 1e-6 <= told <= seconds[1] + 1e-6)


class SleepTests(SynchronousTestCase):
    """
    Ask whether this machine has slept.
    """

    def setUp(self) -> None:
        self.day, self.goesOn, self.monotonic = 1_700_000_000.0, 6000.0, 5000.0
        clocks = SleepClocks(lambda: self.goesOn, lambda: self.monotonic, settable=False)
        self.sleep = SleepDetector(clocks, lambda: self.day)

    def passTime(self, seconds: float, *, slept: float = 0.0, wasSet: float = 0.0) -> None:
        """
        Time passes.

        @param slept: for so long besides, the machine slept.
        @param wasSet: by so much somebody set the time of day.
        """
        self.monotonic += seconds
        self.goesOn += seconds + slept
        self.day += seconds + slept + wasSet

    def test_timeThatPassesIsNoSleep(self) -> None:
        self.assertFalse(self.sleep.isOver())
        for seconds in (0.0, 1.0, 1.5, 3600.0, 1e7):
            self.passTime(seconds)
            self.assertFalse(self.sleep.isOver())

    def test_sleepIsNoticedOnce(self) -> None:
        for seconds in (JUMP_SECONDS, 5.0, 8 * 3600.0):
            self.passTime(1.0, slept=seconds)
            self.assertTrue(self.sleep.isOver())
            self.assertEqual(self.sleep.doubt, "")
            self.passTime(1.0)
            self.assertFalse(self.sleep.isOver())

    def test_clockThatIsSetMayMeanThatTheMachineWasStopped(self) -> None:
        """
        As a virtual machine is from outside, whose clock is put right afterwards.
        """
        for seconds in (-JUMP_SECONDS, -3600.0, 3600.0, 365 * 86400.0):
            self.passTime(1.0, wasSet=seconds)
            self.assertTrue(self.sleep.isOver())
            self.assertEqual(self.sleep.doubt, ", or its clock was set")
            self.passTime(1.0)
            self.assertFalse(self.sleep.isOver())

    def test_clockThatIsPutRightLittleByLittleIsNoSleep(self) -> None:
        for _ in range(100):
            self.passTime(1.0, wasSet=0.5)
            self.assertFalse(self.sleep.isOver())


class SettableSleepTests(SynchronousTestCase):
    """
    Ask where the system has no clock that goes on in a sleep and that nobody can set.
    """

    def test_sleepAndAClockThatWasSetLookTheSame(self) -> None:
        day = 1e9
        sleep = SleepDetector(SleepClocks(lambda: day, lambda: 5000.0, settable=True), lambda: day)
        for seconds in (JUMP_SECONDS, -3600.0):
            day += seconds
            self.assertTrue(sleep.isOver())
            self.assertEqual(sleep.doubt, ", or its clock was set")
