"""
When the garbage collector works.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.process.garbage import (
    FULL_ROUNDS,
    GARBAGE_REST_SECONDS,
    GARBAGE_SWEEP_SECONDS,
    MIDDLE_ROUNDS,
    REST_CHECK_SECONDS,
    YOUNG_OBJECTS,
    GarbageCollection,
)


class FakeCollector:
    """
    Stands for the module C{gc}, and writes down what it is told.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.callbacks: list[Callable[[str, dict[str, int]], None]] = []
        self.threshold = (700, 10, 10)

    def get_threshold(self) -> tuple[int, int, int]:
        return self.threshold

    def set_threshold(self, *threshold: int) -> None:
        self.threshold = threshold  # type: ignore[assignment]

    def collect(self) -> int:
        self.calls.append("collect")
        return 0

    def freeze(self) -> None:
        self.calls.append("freeze")

    def unfreeze(self) -> None:
        self.calls.append("unfreeze")


SWEEP = ["unfreeze", "collect", "freeze", "collect"]


class GarbageCollectionTests(SynchronousTestCase):
    """
    Let time pass, and the collector work.
    """

    def setUp(self) -> None:
        self.clock, self.collector, self.processorTime = Clock(), FakeCollector(), 0.0
        self.collection = GarbageCollection(self.clock, lambda: self.processorTime, self.collector)
        self.collection.start()

    def passTime(self, seconds: float, share: float) -> None:
        """
        Time passes, of which a processor works for us a share.
        """
        for _ in range(int(seconds / GARBAGE_REST_SECONDS)):
            self.processorTime += share * GARBAGE_REST_SECONDS
            self.clock.advance(GARBAGE_REST_SECONDS)

    def test_whatThereIsAtTheStartIsFrozen(self) -> None:
        self.assertEqual(self.collector.calls, SWEEP)
        self.assertEqual(self.collector.threshold, (YOUNG_OBJECTS, MIDDLE_ROUNDS, FULL_ROUNDS))

    def test_whatAFullCollectionLeavesIsNotLookedAtByTheNext(self) -> None:
        self.collector.calls.clear()
        (told,) = self.collector.callbacks
        for generation in range(3):
            for phase in ("start", "stop"):
                told(phase, {"generation": generation})
        self.assertEqual(self.collector.calls, ["freeze"])

    def test_everythingIsLookedAtOnceAnHourWhileThereIsNothingToDo(self) -> None:
        self.collector.calls.clear()
        self.passTime(GARBAGE_SWEEP_SECONDS - 1, 0.001)
        self.assertEqual(self.collector.calls, [])
        self.passTime(2 * REST_CHECK_SECONDS, 0.001)
        self.assertEqual(self.collector.calls, SWEEP)
        self.passTime(GARBAGE_SWEEP_SECONDS - 3 * REST_CHECK_SECONDS, 0.001)
        self.assertEqual(self.collector.calls, SWEEP)

    def test_whoeverIsAtWorkIsNotStopped(self) -> None:
        """
        However long that takes; and as soon as there is a rest, it is used.
        """
        self.collector.calls.clear()
        self.passTime(24 * GARBAGE_SWEEP_SECONDS, 0.01)
        self.assertEqual(self.collector.calls, [])
        self.passTime(2 * REST_CHECK_SECONDS, 0.0)
        self.assertEqual(self.collector.calls, SWEEP)

    def test_stopLeavesTheCollectorAsItWas(self) -> None:
        for seconds in (
            0.0,
            GARBAGE_SWEEP_SECONDS + GARBAGE_REST_SECONDS / 2,
        ):  # before a look, or before its sweep
            self.clock.advance(seconds)
            self.collection.stop()
            self.assertEqual((self.collector.threshold, self.collector.callbacks), ((700, 10, 10), []))
            self.assertEqual(self.collector.calls[-1], "unfreeze")
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.collection.stop()
            self.collection.start()

    def test_aCollectorThatCannotFreezeIsLeftAlone(self) -> None:
        """
        PyPy has another kind.
        """
        clock, other = Clock(), object()
        collection = GarbageCollection(clock, float, other)
        collection.start()
        collection.stop()
        self.assertEqual(clock.getDelayedCalls(), [])


class RealCollectorTests(SynchronousTestCase):
    """
    Let Python's own collector work.
    """

    def test_collectionsLookAtABoundedNumberOfObjects(self) -> None:
        """
        However many there are, and even if all stay.
        """
        collection = GarbageCollection(Clock())
        collection.start()
        self.addCleanup(collection.stop)
        most = 0

        def look(phase: str, information: Any) -> None:
            nonlocal most
            if phase == "start":
                most = max(most, sum(len(gc.get_objects(each)) for each in range(information["generation"] + 1)))

        gc.callbacks.append(look)
        self.addCleanup(gc.callbacks.remove, look)
        kept = [[number] for number in range(200_000)]
        self.assertEqual(len(kept), 200_000)
        self.assertGreater(most, YOUNG_OBJECTS)
        self.assertLess(most, 20 * YOUNG_OBJECTS)
