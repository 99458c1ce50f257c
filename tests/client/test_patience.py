"""
How long the steps to an open tunnel may take.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.client.dial.patience import MOST_SECONDS, ROOMY, DialStep, Patience


class PatienceTests(SynchronousTestCase):
    """
    Let steps be done in time, or not.
    """

    def setUp(self) -> None:
        self.patience = Patience(4.0)

    def test_everyStepBeginsWithWhatTheUserSays(self) -> None:
        self.assertEqual({self.patience.seconds(step) for step in DialStep}, {4.0})
        self.assertEqual(Patience(0.5).seconds(DialStep.TLS), 0.5)

    def test_stepThatWasNotDoneInTimeGetsMoreUpToABound(self) -> None:
        seen = []
        for _ in range(5):
            seen.append(self.patience.seconds(DialStep.TLS))
            self.patience.timedOut(DialStep.TLS, seen[-1])
        self.assertEqual(seen, [4.0, 8.0, 16.0, MOST_SECONDS, MOST_SECONDS])
        self.assertEqual(self.patience.seconds(DialStep.CONNECT), 4.0)

    def test_severalThatTimeOutTogetherCountOnce(self) -> None:
        for _ in range(8):
            self.patience.timedOut(DialStep.CONNECT, 4.0)
        self.assertEqual(self.patience.seconds(DialStep.CONNECT), 8.0)

    def test_successFallsBack(self) -> None:
        self.patience.timedOut(DialStep.HELLO, 16.0)
        self.patience.succeeded(DialStep.HELLO, 0.1)
        self.assertEqual((self.patience.seconds(DialStep.HELLO), self.patience.usual(DialStep.HELLO)), (4.0, 0.1))

    def test_successThatTookLongLeavesRoom(self) -> None:
        """
        Or a slow path would have to be found out again each time.
        """
        self.patience.timedOut(DialStep.TLS, 4.0)
        self.patience.succeeded(DialStep.TLS, 5.0)
        self.assertEqual(self.patience.seconds(DialStep.TLS), ROOMY * 5.0)

    def test_roundTripOfTheConnectionCounts(self) -> None:
        self.assertEqual(self.patience.seconds(DialStep.TLS, 2.4), ROOMY * 2.4)
        self.assertEqual(self.patience.seconds(DialStep.TLS, 100.0), MOST_SECONDS)

    def test_userMayWantMoreThanTheBound(self) -> None:
        patience = Patience(60.0)
        patience.timedOut(DialStep.TLS, 60.0)
        patience.succeeded(DialStep.CONNECT, 50.0)
        self.assertEqual({patience.seconds(step) for step in DialStep}, {60.0})
