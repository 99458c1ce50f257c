"""
Each kind of loss has a counter, and the log says how many once in a while:
never a line for a datagram.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum


class Drop(Enum):
    """
    Why datagrams were dropped, in the words of the log.
    """

    BACKLOG_FULL = "waited with too many others"
    BACKLOG_STALE = "waited too long"
    TOO_MANY_SESSIONS = "from a source that no session could be opened for"
    SOURCE_UNKNOWN = "reached a session's socket from elsewhere than the target"
    SEND_REFUSED = "refused by the network when sent"
    SEND_BUFFER_FULL = "found the socket's send buffer full"
    TOO_LONG = "too long to be sent as UDP"
    CUT_OFF = "arrived cut off"


class Drops:
    """
    The counters of one service, shared by all its rooms.
    """

    def __init__(self) -> None:
        self.totals: Counter[Drop] = Counter()
        self._reported: Counter[Drop] = Counter()

    def count(self, drop: Drop, datagrams: int = 1) -> None:
        """
        @param datagrams: how many were dropped.
        """
        self.totals[drop] += datagrams

    def report(self) -> str | None:
        """
        @return: what was dropped since this was asked last, as text for the log,
            or L{None} when nothing was.
        """
        fresh = self.totals - self._reported
        self._reported = self.totals.copy()
        if not fresh:
            return None
        return "; ".join(f"{number} {drop.value}" for drop, number in fresh.most_common())
