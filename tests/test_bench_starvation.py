"""
What counts as having had no processor.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from bench.rig.starvation import BUFFERED_SECONDS, starvedSeconds

LONG, SHORT = 2 * BUFFERED_SECONDS, BUFFERED_SECONDS / 2


class StarvationTests(SynchronousTestCase):
    """
    Compare two looks.
    """

    def test_theLongestWaitCounts(self) -> None:
        self.assertEqual(starvedSeconds({1: 0.0, 2: 0.0}, {1: LONG, 2: LONG + SHORT}), LONG + SHORT)

    def test_manyShortWaitsCountNothing(self) -> None:
        self.assertEqual(starvedSeconds(dict.fromkeys(range(9), 7.0), dict.fromkeys(range(9), 7.0 + SHORT)), 0.0)

    def test_whoHasComeMeanwhileCountsToo(self) -> None:
        self.assertEqual(starvedSeconds({}, {1: LONG}), LONG)

    def test_whoHasEndedDoesNot(self) -> None:
        self.assertEqual(starvedSeconds({1: LONG}, {}), 0.0)
