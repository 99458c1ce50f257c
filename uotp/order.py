"""
How the datagrams of a session are put in order where they come out of its tunnels: which of
them wait for those sent before them, and for how long.  These are pure values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MIN_REORDER_SECONDS = 0.001
"""A shorter wait is none: timers are not more exact than that."""

MAX_REORDER_SECONDS = 5.0
"""A user can let datagrams wait for so long at the most.  Later they are of no use to anybody."""


class OrderMode(Enum):
    """
    Names the ways to put datagrams in order.  C{AUTO}: each waits somewhat longer than others
    were seen to be late, but those of a light flow only for a moment while the path loses.  C{TIME}: each waits
    for a time that was chosen.  C{OFF}: none waits.  C{BULK}: small ones do not wait, and all others wait as
    with C{AUTO}.
    """

    AUTO = "auto"
    TIME = "time"
    OFF = "off"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Order:
    """
    Says how datagrams are put in order.

    @ivar mode: the way.
    @ivar seconds: how long a datagram may wait; with L{OrderMode.TIME} only.
    """

    mode: OrderMode = OrderMode.AUTO
    seconds: float | None = None

    @classmethod
    def within(cls, seconds: float) -> Order:
        """
        @param seconds: how long a datagram may wait.
        @return: the order in which each waits for so long.
        """
        return cls(OrderMode.TIME, seconds)

    @property
    def isSound(self) -> bool:
        """
        Whether there is a time where one is needed, within the limits, and none elsewhere.
        """
        if self.mode is not OrderMode.TIME:
            return self.seconds is None
        return self.seconds is not None and MIN_REORDER_SECONDS <= self.seconds <= MAX_REORDER_SECONDS


AUTO_ORDER = Order()
"""How datagrams are put in order where nobody has said how."""
