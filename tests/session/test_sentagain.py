"""
What was sent again of late, and whether copies are lost with what they are copies of.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.session.recovery.sentagain import APART_FOR_SECONDS, COPY_APART_SECONDS, REMEMBERED, SentAgain
from uotp.train import LAST_NUMBER

NOW = 1000.0


class SentAgainTests(SynchronousTestCase):
    """
    Note what is sent again.
    """

    def setUp(self) -> None:
        self.sent = SentAgain()

    def test_whatWasSentAgainIsKnownWithItsTime(self) -> None:
        self.sent.note(7, 2, NOW)
        found = [self.sent.lastSent(number) for number in (6, 7, 8, 9)]
        self.assertEqual(found, [None, NOW, NOW, None])
        self.sent.note(8, 1, NOW + 1)
        self.assertEqual((self.sent.lastSent(7), self.sent.lastSent(8)), (NOW, NOW + 1))

    def test_numbersWrap(self) -> None:
        self.sent.note(LAST_NUMBER, 3, NOW)
        found = [self.sent.lastSent(number) for number in (LAST_NUMBER - 1, LAST_NUMBER, 0, 1, 2)]
        self.assertEqual(found, [None, NOW, NOW, NOW, None])

    def test_onlyTheLastAreRemembered(self) -> None:
        for number in range(REMEMBERED + 1):
            self.sent.note(number, 1, NOW)
        self.assertEqual((self.sent.lastSent(0), self.sent.lastSent(1)), (None, NOW))
        self.assertEqual(len(self.sent._sent), REMEMBERED)

    def lose(self, segments: int, both: int, looks: int, now: float = NOW) -> None:
        """
        So much is lost with each of some looks.
        """
        for look in range(looks):
            self.sent.lost(segments)
            for _ in range(both):
                self.sent.lostBoth(now + look * 0.25)

    def test_copiesGoAtOnceWhereLossesAreSingle(self) -> None:
        """
        Though one and the other is lost together, by chance.
        """
        self.assertEqual(self.sent.apart(NOW), 0.0)
        for _ in range(20):
            self.lose(3, 0, 13)
            self.lose(3, 1, 1)
        self.assertEqual(self.sent.apart(NOW), 0.0)

    def test_copiesFollowApartInBursts(self) -> None:
        """
        For a while after they were seen.
        """
        self.lose(2, 0, 1)
        self.sent.lostBoth(NOW)
        self.sent.lostBoth(NOW)
        self.assertEqual(self.sent.apart(NOW), 0.0)
        self.sent.lostBoth(NOW)
        self.assertEqual(self.sent.apart(NOW), COPY_APART_SECONDS)
        self.assertEqual(self.sent.apart(NOW + APART_FOR_SECONDS - 1), COPY_APART_SECONDS)
        self.assertEqual(self.sent.apart(NOW + APART_FOR_SECONDS), 0.0)

    def test_whatIsLongAgoCountsForLittle(self) -> None:
        self.lose(0, 1, 2)
        self.lose(0, 0, 200)
        self.sent.lostBoth(NOW)
        self.assertEqual(self.sent.apart(NOW), 0.0)
