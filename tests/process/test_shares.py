"""
Who has most of something that is limited.
"""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from uotp.process.shares import Shares


class SharesTests(SynchronousTestCase):
    """
    Entries by owners.
    """

    def setUp(self) -> None:
        self.shares: Shares[str, int] = Shares()
        self.addCleanup(self.shares.checkInvariant)

    def test_nobodyHasAnything(self) -> None:
        self.assertEqual(len(self.shares), 0)
        self.assertEqual(list(self.shares), [])
        self.assertRaises(LookupError, self.shares.ofMost)
        self.assertRaises(LookupError, self.shares.oldestOfMost)

    def test_whoHasMostGivesItsOldestUp(self) -> None:
        for owner, entry in (("one", 1), ("many", 2), ("many", 3), ("two", 4), ("many", 5), ("two", 6)):
            self.shares.add(owner, entry)
        self.assertEqual(self.shares.oldestOfMost(), ("many", 2))
        self.assertEqual([self.shares.count(owner) for owner in ("one", "two", "many", "none")], [1, 2, 3, 0])

    def test_amongEqualsWhoHasHadThemLongest(self) -> None:
        for owner, entry in (("late", 1), ("early", 2), ("early", 3), ("late", 4)):
            self.shares.add(owner, entry)
        self.assertEqual(self.shares.ofMost(), "early")

    def test_anEntryCountsOnce(self) -> None:
        self.shares.add("one", 1)
        self.shares.add("one", 1)
        self.assertEqual(len(self.shares), 1)

    def test_whoHasWhatIsKnown(self) -> None:
        self.shares.add("one", 1)
        self.assertTrue(self.shares.has("one", 1))
        self.assertFalse(self.shares.has("one", 99) or self.shares.has("other", 1))

    def test_whatIsNotThereCanBeDiscarded(self) -> None:
        self.shares.add("one", 1)
        self.shares.discard("one", 2)
        self.shares.discard("other", 1)
        self.assertEqual(list(self.shares.of("one")), [1])
        self.assertEqual(list(self.shares.of("other")), [])

    def test_theOrderOfAllIsThatInWhichTheyCame(self) -> None:
        for entry in (3, 1, 2):
            self.shares.add("one", entry)
        self.shares.discard("one", 1)
        self.shares.add("one", 1)
        self.assertEqual(list(self.shares.of("one")), [3, 2, 1])

    def test_whateverHappensTheMostAreKnown(self) -> None:
        """
        Chance adds and discards, and each time the answer is that of a plain count.
        """
        chance = random.Random(13)  # noqa: S311 - a test
        plain: dict[str, list[int]] = {}
        for _ in range(3000):
            owner, entry = chance.choice("abcde"), chance.randrange(12)
            if chance.random() < 0.5:
                self.shares.add(owner, entry)
                if entry not in plain.setdefault(owner, []):
                    plain[owner].append(entry)
            else:
                self.shares.discard(owner, entry)
                if entry in plain.get(owner, []):
                    plain[owner].remove(entry)
            self.shares.checkInvariant()
            most = max(map(len, plain.values()), default=0)
            if most:
                owner, entry = self.shares.oldestOfMost()
                self.assertEqual((len(plain[owner]), plain[owner][0]), (most, entry))
