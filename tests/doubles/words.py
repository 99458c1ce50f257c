"""
What parsers of words make of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase


class ParserTestCase(SynchronousTestCase):
    """
    Turns words into values.
    """

    def assertParsed(self, parse: Callable[[str], Any], *pairs: tuple[str, object]) -> None:
        """
        @param pairs: words, and their values.
        """
        for word, value in pairs:
            result = parse(word)
            self.assertEqual(result, value, word)
            self.assertIs(type(result), type(value), word)

    def assertRefused(self, parse: Callable[[str], Any], reason: str, *words: str) -> None:
        """
        @param reason: what the user is told.
        @param words: what is refused for it.
        """
        for word in words:
            try:
                value = parse(word)
            except ValueError as error:
                self.assertEqual(str(error), reason, word)
            else:
                self.fail(f"{word!r} was taken for {value!r}")
