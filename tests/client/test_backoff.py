"""
The waits between attempts: short at first, never above the ceiling, not all alike.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.client.dial.backoff import backoffSeconds


class BackoffTests(SynchronousTestCase):
    """
    Ask how long to wait after so many failures.
    """

    def test_theFirstWaitIsWellBelowASecond(self) -> None:
        """
        A server that restarts is back at once.
        """
        self.assertAlmostEqual(backoffSeconds(1, 5.0, 0.0), 0.1)
        self.assertAlmostEqual(backoffSeconds(1, 5.0, 1.0), 0.2)

    def test_eachFailureMakesTheWaitLongerUpToTheCeiling(self) -> None:
        """
        A server that stays away is asked every few seconds.
        """
        waits = [backoffSeconds(failures, 5.0, 1.0) for failures in range(1, 11)]
        growing = [0.2, 0.3, 0.45, 0.675, 1.0125, 1.51875, 2.278125, 3.4171875]
        for wait, expected in zip(waits, [*growing, 5.0, 5.0], strict=True):
            self.assertAlmostEqual(wait, expected)

    def test_halfOfAWaitIsLeftToChance(self) -> None:
        """
        Tunnels that broke together do not come back as one.
        """
        for failures in (1, 3, 50):
            full = backoffSeconds(failures, 5.0, 1.0)
            self.assertAlmostEqual(backoffSeconds(failures, 5.0, 0.0), full / 2)
            self.assertAlmostEqual(backoffSeconds(failures, 5.0, 0.5), full * 0.75)

    def test_aLowCeilingHoldsFromTheFirstWait(self) -> None:
        self.assertAlmostEqual(backoffSeconds(1, 0.05, 1.0), 0.05)

    def test_someOfTheWaitMayBeOver(self) -> None:
        """
        As long as the first wait there is always one.
        """
        for spent, wait in ((0.0, 5.0), (1.0, 4.0), (4.9, 0.2), (6.0, 0.2)):
            self.assertAlmostEqual(backoffSeconds(10, 5.0, 1.0, spent), wait)
        self.assertAlmostEqual(backoffSeconds(10, 5.0, 0.0, 4.0), 0.1)
        self.assertAlmostEqual(backoffSeconds(1, 5.0, 1.0, 4.0), 0.2)
        self.assertAlmostEqual(backoffSeconds(10, 0.05, 1.0, 4.0), 0.05)

    def test_failuresWithoutEndDoNoHarm(self) -> None:
        """
        After years of trying the wait is still a number, and a high ceiling is reached.
        """
        self.assertEqual(backoffSeconds(10**9, 5.0, 1.0), 5.0)
        self.assertEqual(backoffSeconds(10**9, 365 * 86400.0, 1.0), 365 * 86400.0)
