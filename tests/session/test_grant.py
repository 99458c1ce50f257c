"""
How much may be sent once more.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from uotp.session.recovery.grant import GRANTED_BYTES_PER_SECOND, GRANTED_SHARE, SAVED_SECONDS, Grant

SAVED = int(GRANTED_BYTES_PER_SECOND * SAVED_SECONDS)
"""What a new session, or one that rests, may send at once."""

FAST = 2_000_000.0
"""Bytes in a second of a flow of which the share is more than the fixed rate."""


class GrantTests(SynchronousTestCase):
    """
    Spend what is granted.
    """

    def setUp(self) -> None:
        self.grant = Grant()

    def test_aBurstMayBeSentAtOnceAndNoMore(self) -> None:
        self.assertTrue(self.grant.spend(SAVED))
        self.assertFalse(self.grant.spend(1))
        self.assertTrue(self.grant.spend(0))

    def test_whatIsRefusedIsNotCounted(self) -> None:
        self.assertFalse(self.grant.spend(SAVED + 1))
        self.assertTrue(self.grant.spend(SAVED))

    def test_whatIsLeftToOthersIsNotTouched(self) -> None:
        self.assertFalse(self.grant.spend(SAVED - 99, reserve=100))
        self.assertTrue(self.grant.spend(SAVED - 100, reserve=100))
        self.assertFalse(self.grant.spend(1, reserve=100))
        self.assertTrue(self.grant.spend(100))

    def test_aLightFlowHasAFixedRate(self) -> None:
        self.grant.spend(SAVED)
        self.grant.add(100.0, 0.25)
        self.assertEqual(self.grant.left, GRANTED_BYTES_PER_SECOND / 4)

    def test_aHeavyFlowHasAShareOfItself(self) -> None:
        self.grant.spend(SAVED)
        self.grant.add(FAST, 0.25)
        self.assertEqual(self.grant.left, FAST * GRANTED_SHARE / 4)

    def test_whatIsSavedIsBounded(self) -> None:
        """
        Also when the flow has become lighter.
        """
        self.grant.add(0.0, 1e6)
        self.assertEqual(self.grant.left, SAVED)
        self.grant.add(FAST, 1e6)
        self.assertEqual(self.grant.left, FAST * GRANTED_SHARE * SAVED_SECONDS)
        self.grant.add(0.0, 0.25)
        self.assertEqual(self.grant.left, SAVED)

    @given(st.lists(st.tuples(st.floats(0, 1e7), st.integers(0, 5000)), max_size=200))
    def test_copiesAreAFewPercentOfTheFlow(self, events: list[tuple[float, int]]) -> None:
        """
        Whatever is asked for: no more than what was saved, and either the share or the fixed rate.
        """
        grant = Grant()
        spent, allowed = 0, float(SAVED)
        for rate, size in events:
            grant.add(rate, 0.25)
            allowed += max(rate * GRANTED_SHARE, GRANTED_BYTES_PER_SECOND) * 0.25
            spent += size if grant.spend(size) else 0
            self.assertGreaterEqual(grant.left, 0)
        self.assertLessEqual(spent, allowed + 1)
