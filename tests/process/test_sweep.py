"""
What is done with each of many things, a bounded part in each turn.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.doubles.contracts import TimerTestCase
from uotp.process.sweep import each
from uotp.process.turns import TURN_SECONDS


class SweepTests(TimerTestCase):
    """
    Do something that takes time with many things.
    """

    def setUp(self) -> None:
        super().setUp()
        self.done: list[int] = []

    def act(self, item: int) -> None:
        """
        Take a fifth of what one turn may take.
        """
        self.done.append(item)
        self.clock.rightNow += TURN_SECONDS / 4.99

    def test_fewAreDoneAtOnce(self) -> None:
        self.successResultOf(each(self.clock, [1, 2, 3], self.act))
        self.assertEqual(self.done, [1, 2, 3])

    def test_nothingIsDoneAtOnce(self) -> None:
        self.successResultOf(each(self.clock, (), self.act))

    def test_manyAreDoneInSeveralTurns(self) -> None:
        turns: list[Callable[[], None]] = []
        self.patch(self.clock, "callLater", lambda _, call: turns.append(call))
        finished = each(self.clock, range(12), self.act)
        self.assertEqual(self.done, [0, 1, 2, 3, 4])
        turns.pop()()
        self.assertEqual(self.done, [*range(10)])
        self.assertNoResult(finished)
        turns.pop()()
        self.assertEqual(turns, [])
        self.assertEqual(self.done, [*range(12)])
        self.successResultOf(finished)

    def test_turnThatIsJustFullLeavesNoTimer(self) -> None:
        self.successResultOf(each(self.clock, range(5), self.act))

    def test_whatIsAddedMeanwhileIsNotTaken(self) -> None:
        items = [1, 2]
        each(self.clock, items, items.append)
        self.assertEqual(items, [1, 2, 1, 2])

    def test_errorCostsNoOther(self) -> None:
        self.successResultOf(each(self.clock, ["1", "x", "2"], lambda word: self.done.append(int(word))))
        self.assertEqual(self.done, [1, 2])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
