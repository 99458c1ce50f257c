"""
Whether the web server behind us brings its visitors back to us, perhaps by way of others.  Each round of such a
visit is one more visitor, who comes from where that web server is and says the same, while all of the
rounds before it wait for their answer.  So it is known without any sign of ours: of those who come from there and
begin alike only so many may wait at once.

A terminator on the same machine brings its visitors from there too, and several may say the same; so the
bound is one that honest ones seldom meet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

MOST_ALIKE = 32
"""So many visitors that come from the web server's address and begin alike may wait for their answer at once."""

COMPARED_BYTES = 1024
"""So much of what each has said first is compared."""


class Rounds:
    """
    Counts visitors who come from where the web server is and have not been answered.
    """

    def __init__(self) -> None:
        self._words: dict[Hashable, bytes] = {}
        self._waiting: Counter[bytes] = Counter()

    def begin(self, visitor: Hashable, words: bytes) -> bool:
        """
        Somebody wants to be brought to the web server.  One who counts already counts once, by what he has said now.

        @param words: what he has said so far.
        @return: whether he may be; then he counts until L{end}.
        """
        self.end(visitor)
        words = words[:COMPARED_BYTES]
        if self._waiting[words] >= MOST_ALIKE:
            return False
        self._words[visitor] = words
        self._waiting[words] += 1
        return True

    def end(self, visitor: Hashable) -> None:
        """
        He has been answered, or is gone.  One who does not count changes nothing.
        """
        words = self._words.pop(visitor, None)
        if words is None:
            return
        self._waiting[words] -= 1
        if not self._waiting[words]:
            del self._waiting[words]

    def checkInvariant(self) -> None:
        """
        What holds between any two calls.

        @raise AssertionError: when it does not.
        """
        assert self._waiting == Counter(self._words.values())
        assert all(0 < number <= MOST_ALIKE for number in self._waiting.values())
