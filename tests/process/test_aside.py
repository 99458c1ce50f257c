"""
Work in threads, and readings that follow each other.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reactors import ThreadReactor
from tests.doubles.threads import HeldThreads, WithThreads
from uotp.errors import ConfigurationError
from uotp.process.aside import BREAK_SECONDS, COMPUTE_SECONDS, SLOW_SECONDS, Aside, Breaks, StoppedError, startThread
from uotp.process.readings import MOST_WAITING, Readings, TooManyError


class AsideTests(SynchronousTestCase):
    """
    Do work while the reactor goes on.
    """

    def setUp(self) -> None:
        self.clock, self.threads = Clock(), HeldThreads()
        self.aside = Aside(WithThreads(self.clock), self.threads.start)
        capture = capturedLogs()
        self.events: Sequence[dict[str, Any]] = capture.__enter__()
        self.addCleanup(capture.__exit__, None, None, None)

    def said(self) -> list[tuple[LogLevel, str]]:
        return [(event["log_level"], formatEvent(event)) for event in self.events]

    def test_theResultComesInATurnOfTheReactor(self) -> None:
        done = self.aside.run(lambda _: 7, "counting")
        self.assertNoResult(done)
        self.threads.run()
        self.assertNoResult(done)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(done), 7)
        self.assertEqual((self.clock.getDelayedCalls(), self.said()), ([], []))

    def test_whatItRaisesComesToo(self) -> None:
        done = self.aside.run(lambda _: 1 // 0, "dividing")
        self.threads.run()
        self.clock.advance(0)
        self.failureResultOf(done, ZeroDivisionError)

    def test_whatHangsIsSaidOnceAndTheEndOfItToo(self) -> None:
        done = self.aside.run(lambda _: 7, "a look")
        for _ in range(5):
            self.clock.advance(SLOW_SECONDS)
        words = "a look has taken 10 s, and goes on: maybe a file system hangs.  What is in use stays so"
        self.assertEqual(self.said(), [(LogLevel.warn, words)])
        self.threads.run()
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(done), 7)
        self.assertEqual(self.said()[1:], [(LogLevel.info, "a look has come to an end")])

    def test_aStopWaitsForNothing(self) -> None:
        """
        What comes later is left alone.
        """
        done = self.aside.run(lambda _: 7, "a look")
        self.aside.stop()
        self.failureResultOf(done, StoppedError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.threads.run()
        self.clock.advance(0)
        self.assertEqual(self.said(), [])
        again = self.aside.run(lambda _: 8, "a look")
        self.threads.run()
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(again), 8)

    def test_whereNoThreadCanBeHadThatIsSaid(self) -> None:
        self.threads.hasRoom = False
        done = self.aside.run(lambda _: 7, "a look")
        self.clock.advance(0)
        self.assertIn("no thread", str(self.failureResultOf(done, ConfigurationError).value))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_noMemoryForAThreadIsSaidToo(self) -> None:
        def start(_: object) -> None:
            raise MemoryError

        done = Aside(WithThreads(self.clock), start).run(lambda _: 7, "a look")
        self.clock.advance(0)
        self.failureResultOf(done, ConfigurationError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_aReactorThatKnowsNoThreadsWorksAtOnce(self) -> None:
        self.assertEqual(self.successResultOf(Aside(Clock()).run(lambda _: 7, "counting")), 7)

    def test_aRealThreadIsAnotherOneAndKeepsNobodyFromEnding(self) -> None:
        reactor = ThreadReactor()
        startThread(lambda: reactor.callFromThread(print, threading.current_thread()))
        self.assertTrue(reactor.came.wait(60))
        ((_, (thread,)),) = reactor.calls
        self.assertIsNot(thread, threading.current_thread())
        self.assertTrue(thread.daemon)

    def test_breaksComeWhenTheyAreDue(self) -> None:
        """
        However often they are offered.
        """
        clock = Clock()
        slept: list[float] = []
        pause = Breaks(clock.seconds, slept.append)
        for _ in range(10):
            pause()
        self.assertEqual(slept, [])
        clock.advance(COMPUTE_SECONDS)
        for _ in range(10):
            pause()
        self.assertEqual(slept, [BREAK_SECONDS])


class ReadingsTests(SynchronousTestCase):
    """
    Ask for readings while others are under way.
    """

    def setUp(self) -> None:
        self.begun: list[tuple[bool, Deferred[bool]]] = []
        self.readings = Readings(self.read)

    def read(self, onlyNew: bool) -> Deferred[bool]:  # noqa: FBT001 - so it is called
        self.begun.append((onlyNew, Deferred()))
        return self.begun[-1][1]

    def test_whoAsksMeanwhileSharesTheNextOne(self) -> None:
        """
        It is not lost, and there is one for all of them.
        """
        first = self.readings.ask(onlyNew=False)
        more = [self.readings.ask(onlyNew=False) for _ in range(3)]
        self.assertEqual(len(self.begun), 1)
        self.begun[0][1].callback(True)
        self.assertTrue(self.successResultOf(first))
        self.assertEqual(len(self.begun), 2)
        for each in more:
            self.assertNoResult(each)
        self.begun[1][1].callback(False)
        self.assertEqual([self.successResultOf(each) for each in more], [False] * 3)
        self.assertEqual(len(self.begun), 2)

    def test_aFailureIsToldToAllAndTheNextOneBegins(self) -> None:
        first, second, third = (self.readings.ask(onlyNew=False) for _ in range(3))
        for number, those in enumerate(((first,), (second, third))):
            self.begun[number][1].errback(ConfigurationError("no key"))
            for each in those:
                self.assertEqual(str(self.failureResultOf(each, ConfigurationError).value), "no key")

    def test_allIsUsedWhereOneWantsThat(self) -> None:
        """
        A change was seen, and somebody sends SIGHUP.
        """
        self.readings.ask(onlyNew=True)
        self.readings.ask(onlyNew=True)
        self.readings.ask(onlyNew=False)
        self.begun[0][1].callback(True)
        self.begun[1][1].callback(True)
        self.readings.ask(onlyNew=True)
        self.assertEqual([onlyNew for onlyNew, _ in self.begun], [True, False, True])

    def test_thoseWhoWaitAreNotTooMany(self) -> None:
        """
        A file system hangs, and somebody asks each second.
        """
        asked = [self.readings.ask(onlyNew=False) for _ in range(1 + MOST_WAITING)]
        self.assertIn("wait already", str(self.failureResultOf(self.readings.ask(onlyNew=False), TooManyError).value))
        self.begun[0][1].callback(True)
        asked.append(self.readings.ask(onlyNew=False))
        for number in (1, 2):
            self.begun[number][1].callback(True)
        self.assertEqual([self.successResultOf(each) for each in asked], [True] * (2 + MOST_WAITING))

    def test_aStopBeginsNoMore(self) -> None:
        first, second = self.readings.ask(onlyNew=False), self.readings.ask(onlyNew=False)
        self.readings.stop()
        self.failureResultOf(second, StoppedError)
        self.begun[0][1].callback(True)
        self.assertTrue(self.successResultOf(first))
        self.assertEqual(len(self.begun), 1)
