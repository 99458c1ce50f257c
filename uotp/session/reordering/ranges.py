"""
Numbers that are remembered for a while, as ranges.  Pure: time comes in with each call.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from typing import NamedTuple


class Range(NamedTuple):
    """
    Holds numbers in a row that are remembered since the same moment.

    @ivar begin: the first number.
    @ivar end: the number behind the last.
    @ivar since: that moment, in monotonic seconds.
    """

    begin: int
    end: int
    since: float


class Ranges:
    """
    Remembers a bounded number of ranges, in the order of their numbers.  The lowest are
    forgotten when there are too many, or when they are too old.
    """

    def __init__(self, most: int, seconds: float, *, joins: bool = False) -> None:
        """
        @param most: how many ranges are remembered at most.
        @param seconds: how long a range is remembered at most.
        @param joins: whether ranges that follow one another become one, which is remembered since the later
            moment.  So there are no more than gaps between them.
        """
        self._most = most
        self._seconds = seconds
        self._joins = joins
        self._ranges: list[Range] = []

    def __len__(self) -> int:
        """
        The number of ranges.
        """
        return len(self._ranges)

    def add(self, begin: int, end: int, since: float) -> None:
        """
        Remember some numbers that are not remembered yet; L{others} tells which are not.

        @param begin: the first number.
        @param end: the number behind the last.
        @param since: monotonic seconds.
        """
        ranges = self._ranges
        if self._joins:
            index = bisect_right(ranges, (begin, math.inf))
            if index < len(ranges) and ranges[index].begin == end:
                _, end, later = ranges.pop(index)
                since = max(since, later)
            if index and ranges[index - 1].end == begin:
                begin, _, earlier = ranges.pop(index - 1)
                since = max(since, earlier)
        insort(ranges, Range(begin, end, since))
        del ranges[: -self._most]

    def take(self, begin: int, end: int, now: float) -> list[Range]:
        """
        Forget some numbers.

        @param begin: the first number.
        @param end: the number behind the last.
        @param now: monotonic seconds.
        @return: those of them that were remembered, in order.
        """
        ranges = self._ranges
        while ranges and ranges[0].since < now - self._seconds:
            del ranges[0]
        taken: list[Range] = []
        index = max(bisect_right(ranges, (begin, math.inf)) - 1, 0)
        while index < len(ranges) and ranges[index].begin < end:
            known = ranges[index]
            first, last = max(begin, known.begin), min(end, known.end)
            if first >= last:  # it ends before what is looked for
                index += 1
                continue
            taken.append(Range(first, last, known.since))
            left = [Range(a, b, known.since) for a, b in ((known.begin, first), (last, known.end)) if a < b]
            ranges[index : index + 1] = left
            index += len(left)
        del ranges[: -self._most]
        return taken

    def others(self, begin: int, end: int) -> list[tuple[int, int]]:
        """
        Find those of some numbers that are not remembered.

        @param begin: the first number.
        @param end: the number behind the last.
        @return: the first of each row of them and the number behind its last, in order.
        """
        ranges = self._ranges
        found: list[tuple[int, int]] = []
        index = max(bisect_right(ranges, (begin, math.inf)) - 1, 0)
        while index < len(ranges) and ranges[index].begin < end:
            known = ranges[index]
            if begin < known.begin:
                found.append((begin, known.begin))
            begin = max(begin, known.end)
            index += 1
        if begin < end:
            found.append((begin, end))
        return found

    def last(self, count: int) -> list[Range]:
        """
        @return: so many of the ranges, those with the highest numbers, in order.
        """
        return self._ranges[-count:]

    def clear(self) -> None:
        """
        Forget all of them.
        """
        self._ranges.clear()
