"""
What a user may say of sending datagrams over two tunnels.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.duplicate import Duplicate, parseDuplicate


class DuplicateTests(SynchronousTestCase):
    """
    Read the words.
    """

    def test_eachChoiceHasItsWord(self) -> None:
        self.assertEqual([parseDuplicate(word) for word in ("auto", "off", "always")], list(Duplicate))

    def test_anythingElseIsRefusedInWords(self) -> None:
        for word in ("", "on", "AUTO ", "2"):
            error = self.assertRaises(ValueError, parseDuplicate, word)
            self.assertEqual(str(error), "one of auto, off, always is needed")
