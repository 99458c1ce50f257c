"""
What is measured, and how one number is made of many.  Pure: it opens nothing and
reads no clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Figure:
    """
    A kind of number.

    @ivar title: with its unit, for the head of a column.
    @ivar decimals: after the point.
    @ivar compared: whether a ratio of two of them says something; that of two
        losses, of which one may be 0, does not.
    """

    title: str
    decimals: int
    compared: bool = True


FIGURES = {
    "rate": Figure("datagrams/s", 0),
    "roundTrips": Figure("round trips/s", 0),
    "megabits": Figure("Mbit/s", 1),
    "processor": Figure("us/datagram", 1),
    "roundTripMedian": Figure("median ms", 3),
    "roundTripP90": Figure("p90 ms", 2),
    "roundTripP99": Figure("p99 ms", 3),
    "roundTripP999": Figure("p99.9 ms", 2),
    "roundTripMax": Figure("max ms", 1),
    "roundTripProcessor": Figure("us/round trip", 1),
    "clientRoundTripProcessor": Figure("client: us", 1),
    "serverRoundTripProcessor": Figure("server: us", 1),
    "delayMedian": Figure("delay median ms", 2),
    "delayP90": Figure("delay p90 ms", 2),
    "delayP99": Figure("delay p99 ms", 2),
    "delayP999": Figure("delay p99.9 ms", 2),
    "loss": Figure("lost %", 2, compared=False),
    "disorder": Figure("out of order %", 2, compared=False),
    "smallDelayMedian": Figure("small: median ms", 2),
    "smallDelayP90": Figure("small: p90 ms", 2),
    "smallDelayP99": Figure("small: p99 ms", 2),
    "smallLoss": Figure("small: lost %", 2, compared=False),
    "avoidedSeconds": Figure("avoided after s", 2),
    "replacedSeconds": Figure("replaced after s", 2),
    "fromStartSeconds": Figure("flows: s from start", 2),
    "fromKillSeconds": Figure("flows: s from kill", 2),
    "clientStopSeconds": Figure("client: s to end", 3),
    "serverStopSeconds": Figure("server: s to end", 3),
    "replaced": Figure("connections replaced", 0, compared=False),
    "sent": Figure("datagrams sent", 0, compared=False),
    "lost": Figure("datagrams lost", 0, compared=False),
    "quietP99": Figure("before: p99 ms", 2),
    "longestGap": Figure("longest gap ms", 1),
    "newcomers": Figure("newcomers in %", 1, compared=False),
    "newcomerSeconds": Figure("newcomer: s to come in", 3),
    "light": Figure("light flows: lost %", 2, compared=False),
    "lightMedian": Figure("light flows: median ms", 1),
    "goneSeconds": Figure("gone after s", 1),
    "times": Figure("bytes for one", 1),
    "kept": Figure("lingering kept", 0, compared=False),
    "attackSeconds": Figure("attack took s", 2),
    "mebibytes": Figure("MiB more", 1),
    "megabytesPerSecond": Figure("MB/s of visitors", 0, compared=False),
    "kibibytesEach": Figure("KiB each", 0),
    "descriptors": Figure("descriptors more", 0, compared=False),
    "kibibytesPerTunnel": Figure("KiB/tunnel", 1),
    "busyPercent": Figure("busy %", 2),
    "loadBusyPercent": Figure("load: busy %", 0, compared=False),
    "strangersBusyPercent": Figure("others: busy %", 0, compared=False),
    "ownLost": Figure("own sessions: lost", 0, compared=False),
    "ownBackMedian": Figure("own: median s to be back", 2),
    "ownBackSeconds": Figure("own: most s to be back", 2),
    "ownLongestGap": Figure("own: longest gap ms", 0),
    "otherLost": Figure("others: lost", 0, compared=False),
    "otherLongestGap": Figure("others: longest gap ms", 0),
    "mostLost": Figure("lost of one session", 0, compared=False),
    "connections": Figure("connections", 0),
    "connectionsEach": Figure("connections each", 2),
    "clientMemory": Figure("client: MiB", 1),
    "clientPrivate": Figure("client: MiB written", 1),
    "serverMemory": Figure("server: MiB", 1),
    "serverPrivate": Figure("server: MiB written", 1),
    "clientKibibytesEach": Figure("client: KiB each", 1),
    "serverKibibytesEach": Figure("server: KiB each", 1),
}
"""By the name that they have in the raw numbers; in the order in which columns stand."""


def percentile(numbers: Sequence[float], share: float) -> float:
    """
    @param share: of the numbers that are not above it, 0 to 1.
    @return: one of the numbers (nearest rank); not a number for none at all.
    """
    if not numbers:
        return math.nan
    ordered = sorted(numbers)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def disorder(numbers: Sequence[int]) -> int:
    """
    @param numbers: of datagrams, as they came.
    @return: how many came after one with a higher number.
    """
    return sum(number < highest for number, highest in zip(numbers, accumulate(numbers, max), strict=True))


def percent(part: float, whole: float) -> float:
    """
    @return: a share, in percent; 0 of nothing.
    """
    return 100 * part / whole if whole else 0.0
