"""
What became of flows while something happened to what carries them.  Pure: it opens nothing and
reads no clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

NANOSECONDS = 1_000_000_000
MILLISECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """
    One of a flow, and its answer.

    @ivar asked: when, in nanoseconds on the monotonic clock.
    @ivar took: how long the answer took, or -1 for none.
    """

    asked: int
    took: int

    @property
    def answered(self) -> int:
        """
        When the answer came; it must have.
        """
        return self.asked + self.took


Story = Sequence[Question]
"""All that a flow has asked, in that order."""


def between(flow: Story, begin: float, end: float) -> list[Question]:
    """
    @param begin: in seconds, as the end.
    @return: what was asked from one moment to another.
    """
    return [one for one in flow if begin * NANOSECONDS <= one.asked < end * NANOSECONDS]


def lostOf(flow: Story) -> int:
    """
    @return: how many were not answered.
    """
    return sum(one.took < 0 for one in flow)


def backAfter(flow: Story, moment: float) -> float:
    """
    @param moment: in seconds.
    @return: seconds from then to the first answer to what was asked later; not a number when there was none.
    """
    begin = moment * NANOSECONDS
    answers = [one.answered for one in flow if one.asked >= begin and one.took >= 0]
    return (min(answers) - begin) / NANOSECONDS if answers else math.nan


def longestGap(flow: Story) -> float:
    """
    @return: the longest time without an answer, in milliseconds; not a number for less than two of them.
    """
    answers = sorted(one.answered for one in flow if one.took >= 0)
    return max((after - before for before, after in pairwise(answers)), default=math.nan) / MILLISECOND
