"""
Tests of L{uotp.monitoring.slices}.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from functools import partial

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.monitoring.slices import BRISKLY, GENTLY, inSlices


class SlicesTests(SynchronousTestCase):
    """
    Do work that takes time.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.done = 0

    def work(self, steps: int, seconds: float) -> Iterator[None]:
        for _ in range(steps):
            self.clock.rightNow += seconds
            self.done += 1
            yield

    def test_shortWorkIsDoneAtOnce(self) -> None:
        self.assertIsNone(self.successResultOf(inSlices(self.clock, self.work(100, 0.0))))
        self.assertEqual(self.done, 100)

    def test_longWorkIsDoneInTurns(self) -> None:
        turns: list[Callable[[], None]] = []
        self.patch(self.clock, "callLater", lambda _, call, *arguments: turns.append(partial(call, *arguments)))
        done = inSlices(self.clock, self.work(100, BRISKLY.slice / 4))
        taken = [self.done]
        while turns:
            before = self.done
            turns.pop()()
            taken.append(self.done - before)
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual((sum(taken), max(taken) <= 5), (100, True))

    def test_gentleWorkRestsAfterEachSlice(self) -> None:
        done = inSlices(self.clock, self.work(3, GENTLY.slice), GENTLY)
        for expected in (1, 2, 3):
            self.assertEqual(self.done, expected)
            self.assertNoResult(done)
            self.clock.advance(GENTLY.rest / 2)
            self.assertEqual(self.done, expected)
            self.clock.advance(GENTLY.rest / 2)
        self.assertIsNone(self.successResultOf(done))

    def test_faultIsToldToWhoeverWaits(self) -> None:
        def fail() -> Iterator[None]:
            yield
            raise ZeroDivisionError

        self.failureResultOf(inSlices(self.clock, fail()), ZeroDivisionError)

    def test_nothingIsLeftToTheCollector(self) -> None:
        """
        It does not look again at what it has found alive once: of reports that are made all day much would stay.
        """
        self.addCleanup(gc.enable)
        gc.disable()
        work = self.work(3, BRISKLY.slice)
        left = weakref.ref(work)
        done = inSlices(self.clock, work)
        del work
        self.clock.pump([0.0] * 5)
        self.assertIsNone(self.successResultOf(done))
        self.assertIsNone(left())
