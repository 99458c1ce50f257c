"""
Runs of numbered trains that follow one another without a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from uotp.session.backlog import SMALL_BYTES, endApart
from uotp.train import (
    LAST_NUMBER,
    TRAIN_OVERHEAD_BYTES,
    Arrival,
    Train,
    bytesOf,
    countOf,
    datagramsOf,
    datagramsWithin,
)


class Run(NamedTuple):
    """
    Holds trains that came together and whose numbers follow one another.

    @ivar number: of the first datagram.
    @ivar datagrams: how many there are in all.
    @ivar trains: all of them, in order.  There is none any more if they were passed on
        already, and only their numbers wait.
    """

    number: int
    datagrams: int
    trains: list[Train]

    def cost(self) -> int:
        """
        @return: how many bytes the run takes while it waits.
        """
        return bytesOf(self.trains) + max(len(self.trains), 1) * TRAIN_OVERHEAD_BYTES

    def within(self, begin: int, end: int) -> list[Train]:
        """
        @param begin: the number of the first datagram that is wanted.
        @param end: the number behind that of the last.
        @return: those of its datagrams that are wanted.
        """
        parts: list[Train] = []
        first = self.number
        for train in self.trains:
            last = first + train.datagrams
            if begin < last and first < end:
                parts.append(datagramsWithin(train, max(begin - first, 0), min(end, last) - first))
            first = last
        return parts


def bySize(run: Run) -> Iterator[tuple[bool, Run]]:
    """
    @return: the parts of a run in order, see L{alikeBySize}.
    """
    number = run.number
    for areSmall, trains in alikeBySize(run.trains):
        datagrams = countOf(trains)
        yield areSmall, Run(number, datagrams, trains)
        number += datagrams


def alikeBySize(trains: Iterable[Train]) -> Iterator[tuple[bool, list[Train]]]:
    """
    @return: the same datagrams in the same order, in parts, each with whether its datagrams
        are small.  As many as are alike in that, one behind the other, are one part.
    """
    for areSmall, alike in groupby((part for train in trains for part in endApart(train)), hasSmallDatagrams):
        yield areSmall, list(alike)


def hasSmallDatagrams(train: Train) -> bool:
    """
    @return: whether the datagrams of a train are small, or the first is of one from which no
        small one was split off.
    """
    return min(len(train.payload), train.segment) <= SMALL_BYTES


def runsOf(arrivals: Iterable[Arrival]) -> Iterator[Run]:
    """
    @param arrivals: trains as they came.
    @return: the same trains in the same order; those whose numbers follow one another are
        one run.
    """
    first = following = 0
    trains: list[Train] = []
    for number, train in arrivals:
        if trains and number == following & LAST_NUMBER:
            trains.append(train)
        else:
            if trains:
                yield Run(first, following - first, trains)
            first = following = number
            trains = [train]
        segment, payload = train
        following += datagramsOf(len(payload), segment)
    if trains:
        yield Run(first, following - first, trains)
