"""
Tests for L{uotp.session.silence}.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from uotp.session import STOPPED_SECONDS, StoppedAnswers
from uotp.session.silence import PAUSE_SECONDS

LOOK = 2.0
END = 400.0


class StoppedAnswersTests(SynchronousTestCase):
    """
    Look every two seconds at somebody who was last answered at the time 0.
    """

    def saidAt(self, sends: Iterable[float], hears: Iterable[float] = ()) -> list[float]:
        """
        @return: when it is to be said.
        """
        stopped, sent, heard = StoppedAnswers(), list(sends), list(hears)
        said = []
        for look in range(int(END / LOOK)):
            now = look * LOOK
            sentAt = max((each for each in sent if each <= now), default=0.0)
            heardAt = max((each for each in heard if each <= now), default=0.0)
            if stopped.isToBeSaid(sentAt, heardAt, now):
                said.append(now)
        return said

    def every(self, seconds: float, begin: float = 1.0, end: float = END) -> list[float]:
        return [begin + count * seconds for count in range(int((end - begin) / seconds))]

    def test_saidOnce(self) -> None:
        """
        Of a flow, and of a handshake that is tried again and again.
        """
        for gap in (1.0, 5.0):
            (said,) = self.saidAt(self.every(gap))
            self.assertTrue(0 <= said - 1 - STOPPED_SECONDS <= 2 * LOOK, said)

    def test_answersInTimeAreNoSilence(self) -> None:
        answers = self.every(STOPPED_SECONDS - 2 * LOOK, end=END + STOPPED_SECONDS)
        self.assertEqual(self.saidAt(self.every(1.0), answers), [])

    def test_keepalivesAreNoQuestion(self) -> None:
        self.assertEqual(self.saidAt(self.every(25.0)), [])

    def test_whoHasStoppedToSendWaitsForNothing(self) -> None:
        self.assertEqual(self.saidAt(self.every(1.0, end=STOPPED_SECONDS - PAUSE_SECONDS - LOOK)), [])

    def test_timeCountsFromWhatWasSentAfterAPause(self) -> None:
        (said,) = self.saidAt(self.every(1.0, begin=100.0))
        self.assertGreaterEqual(said, 100 + STOPPED_SECONDS)

    def test_saidAgainAfterAnswers(self) -> None:
        self.assertEqual(len(self.saidAt(self.every(1.0), [100.0])), 2)
