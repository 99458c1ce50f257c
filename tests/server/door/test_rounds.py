"""
Who seems to come back from where he was brought.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.server.door.rounds import COMPARED_BYTES, MOST_ALIKE, Rounds


class RoundsTests(SynchronousTestCase):
    """
    Bring visitors to a web server that does not answer.
    """

    def setUp(self) -> None:
        self.rounds = Rounds()

    def begin(self, visitor: int, words: bytes = b"GET /") -> bool:
        begun = self.rounds.begin(visitor, words)
        self.rounds.checkInvariant()
        return begun

    def fill(self) -> None:
        self.assertEqual([self.begin(number) for number in range(MOST_ALIKE)], [True] * MOST_ALIKE)
        self.assertFalse(self.begin(MOST_ALIKE))

    def test_soManyMayWaitThatSayTheSame(self) -> None:
        self.fill()
        self.assertTrue(self.begin(100, b"GET /other"))

    def test_whoIsAnsweredMakesRoom(self) -> None:
        self.fill()
        self.rounds.end(3)
        self.rounds.checkInvariant()
        self.assertTrue(self.begin(101))
        self.assertFalse(self.begin(102))

    def test_whoDoesNotCountChangesNothing(self) -> None:
        self.fill()
        self.rounds.end(MOST_ALIKE)
        self.rounds.end("nobody")
        self.assertFalse(self.begin(103))

    def test_whoBeginsAnewCountsOnce(self) -> None:
        """
        He had to go, and is brought to the web server once more before that is done.
        """
        for _ in range(2 * MOST_ALIKE):
            self.assertTrue(self.begin(1))
        self.assertTrue(self.begin(1, b"GET /other"))
        self.rounds.end(1)
        self.assertFalse(self.rounds._waiting or self.rounds._words)

    def test_onlyTheBeginningIsCompared(self) -> None:
        for number in range(MOST_ALIKE):
            self.assertTrue(self.begin(number, b"a" * COMPARED_BYTES + bytes([number])))
        self.assertFalse(self.begin(104, b"a" * COMPARED_BYTES))
        self.assertTrue(self.begin(105, b"a" * (COMPARED_BYTES - 1)))

    def test_nothingIsLeftOfThoseWhoAreGone(self) -> None:
        self.fill()
        for number in range(MOST_ALIKE):
            self.rounds.end(number)
        self.assertFalse(self.rounds._waiting or self.rounds._words)
