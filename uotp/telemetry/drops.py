"""
Counts datagrams that are dropped, by the reason.  The log tells the numbers once in a
while; no single datagram gets a line of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Protocol


class Drop(Enum):
    """
    Names a reason for which datagrams are dropped, in the words of the log.
    """

    BACKLOG_FULL = "waited with too many others"
    BACKLOG_STALE = "waited too long"
    PACED_OUT = "came in faster than their receiver can be expected to read"
    TOO_MANY_SESSIONS = "from a source that no session could be opened for"
    SOURCE_TOO_MUCH = "from a source that sent more than its share of a crowded port"
    SOURCE_NOT_ALLOWED = "from a source that is not allowed"
    SOURCE_UNKNOWN = "reached a session's socket from elsewhere than the target"
    SEND_REFUSED = "refused by the network when sent"
    SEND_BUFFER_FULL = "found the socket's send buffer full"
    RECEIVE_BUFFER_FULL = "found the socket's receive buffer full"
    TOO_LONG = "too long to be sent as UDP"
    CUT_OFF = "arrived cut off"


class DropCounter(Protocol):
    """
    Counts what is dropped.
    """

    def count(self, drop: Drop, datagrams: int = 1) -> None:
        """
        Count datagrams that were dropped for a reason.

        @param datagrams: how many were dropped.
        """


class Drops:
    """
    Counts for one service what was dropped in any of its parts.
    """

    def __init__(self) -> None:
        self.totals: Counter[Drop] = Counter()
        self._reported: Counter[Drop] = Counter()

    def count(self, drop: Drop, datagrams: int = 1) -> None:
        """
        Count datagrams that were dropped for a reason.

        @param datagrams: how many were dropped.
        """
        self.totals[drop] += datagrams

    def report(self) -> dict[str, object] | None:
        """
        @return: what was dropped since this was asked last, as fields for a line of the log, or L{None} when
            nothing was: C{reportWords} for the text, and the number of each reason by its name.
        """
        fresh = self.totals - self._reported
        self._reported = self.totals.copy()
        if not fresh:
            return None
        words = "; ".join(f"{number} {drop.value}" for drop, number in fresh.most_common())
        return {"reportWords": words, **{drop.name: number for drop, number in fresh.items()}}


NOTHING_DROPPED: Mapping[Drop, int] = MappingProxyType({})
"""Stands for the counts of a session that has dropped nothing, as most have not."""


class SessionDrops:
    """
    Counts what one session drops, for itself and among all that its service drops.

    @ivar totals: how many datagrams this session has dropped, by the reason.
    """

    __slots__ = ("_service", "totals")

    def __init__(self, service: DropCounter) -> None:
        """
        @param service: counts for all sessions.
        """
        self._service = service
        self.totals = NOTHING_DROPPED

    def count(self, drop: Drop, datagrams: int = 1) -> None:
        """
        See L{DropCounter}.
        """
        self._service.count(drop, datagrams)
        self.totals = {**self.totals, drop: self.totals.get(drop, 0) + datagrams}
