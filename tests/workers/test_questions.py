"""
Questions that all workers answer, or not.
"""

from __future__ import annotations

from tests.doubles.contracts import TimerTestCase
from uotp.errors import PeerError
from uotp.workers.questions import ANSWER_SECONDS, MOST_ANSWER_PARTS, Questions


class QuestionsTests(TimerTestCase):
    """
    Ask two workers.
    """

    def setUp(self) -> None:
        super().setUp()
        self.sent: list[tuple[int, object]] = []
        self.there = {1, 2}
        self.questions = Questions(self.send, self.clock)

    def send(self, worker: int, message: object) -> bool:
        """
        In place of a channel.
        """
        self.sent.append((worker, message))
        return worker in self.there

    def test_allAnswersAreGathered(self) -> None:
        done = self.questions.ask((1, 2), lambda number: ("how many", number))
        self.assertEqual(self.sent, [(1, ("how many", 1)), (2, ("how many", 1))])
        self.questions.answered(2, 1, "two")
        self.assertNoResult(done)
        self.questions.answered(1, 1, "one")
        self.assertEqual(self.successResultOf(done), {1: "one", 2: "two"})

    def test_answerMayHaveParts(self) -> None:
        done = self.questions.ask((1, 2), str)
        self.questions.toldPart(1, 1, "a", isLast=False)
        self.questions.toldPart(2, 1, "x", isLast=True)
        self.questions.toldPart(1, 1, "b", isLast=False)
        self.assertNoResult(done)
        self.questions.toldPart(1, 1, "c", isLast=True)
        self.assertEqual(self.successResultOf(done), {1: ["a", "b", "c"], 2: ["x"]})
        self.questions.toldPart(1, 1, "late", isLast=False)

    def test_answerMayNotBeEndless(self) -> None:
        self.questions.ask((1, 2), str).addErrback(lambda _: None)
        for _ in range(MOST_ANSWER_PARTS):
            self.questions.toldPart(1, 1, "more", isLast=False)
        self.assertRaises(PeerError, self.questions.toldPart, 1, 1, "more", isLast=False)
        self.assertRaises(PeerError, self.questions.toldPart, 1, 2, "not asked", isLast=False)
        self.clock.advance(ANSWER_SECONDS)

    def test_whoDoesNotAnswerIsNotWaitedForLong(self) -> None:
        done = self.questions.ask((1, 2), str)
        self.questions.answered(1, 1, "one")
        self.clock.advance(ANSWER_SECONDS)
        self.assertEqual(self.successResultOf(done), {1: "one"})
        self.questions.answered(2, 1, "late")

    def test_whoIsNotThereIsNotAsked(self) -> None:
        self.there = {2}
        done = self.questions.ask((1, 2), str)
        self.questions.answered(2, 1, "two")
        self.assertEqual(self.successResultOf(done), {2: "two"})
        self.there = set()
        self.assertEqual(self.successResultOf(self.questions.ask((1, 2), str)), {})

    def test_whoIsLostIsNotWaitedFor(self) -> None:
        first, second = self.questions.ask((1, 2), str), self.questions.ask((1, 2), str)
        self.questions.answered(2, 1, "two")
        self.questions.lost(1)
        self.assertEqual(self.successResultOf(first), {2: "two"})
        self.assertNoResult(second)
        self.questions.lost(2)
        self.assertEqual(self.successResultOf(second), {})

    def test_whoWasNotAskedMayNotAnswer(self) -> None:
        self.assertRaises(PeerError, self.questions.answered, 1, 1, "nothing was asked")
        done = self.questions.ask((1,), str)
        self.assertRaises(PeerError, self.questions.answered, 2, 1, "not you")
        for number in (0, -1, 2):
            self.assertRaises(PeerError, self.questions.answered, 1, number, "not this")
        self.questions.answered(1, 1, "one")
        self.assertEqual(self.successResultOf(done), {1: "one"})
