"""
How many bytes of a flow may be sent once more: a part of what the flow sends, or a fixed rate where that
is more.  What was not used is saved up for a while.

Pure: time comes in with each call.
"""

from __future__ import annotations

GRANTED_SHARE = 0.05
"""So much of what a flow sends may be sent once more."""

GRANTED_BYTES_PER_SECOND = 16_000
"""128 kbit/s: so much may be sent once more where L{GRANTED_SHARE} of the flow is less."""

SAVED_SECONDS = 10.0
"""
What was not used in so long is saved up for a burst: a handshake, a page, some loud seconds of a call.
"""


class Grant:
    """
    Counts what one session may send once more for one purpose.

    @ivar left: bytes that it may send now.
    """

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = GRANTED_BYTES_PER_SECOND * SAVED_SECONDS

    def add(self, rate: float, seconds: float) -> None:
        """
        Time has passed.

        @param rate: what the flow has sent meanwhile, in bytes in a second.
        @param seconds: how long that was.
        """
        perSecond = max(rate * GRANTED_SHARE, GRANTED_BYTES_PER_SECOND)
        self.left = min(self.left + perSecond * seconds, perSecond * SAVED_SECONDS)

    def allows(self, size: int, reserve: float = 0.0) -> bool:
        """
        @param size: bytes that are to be sent once more.
        @param reserve: bytes that have to be left for others.
        @return: whether they may be.
        """
        return self.left - size >= reserve

    def spend(self, size: int, reserve: float = 0.0) -> bool:
        """
        Send so many bytes once more, if L{allows} says that they may be.

        @return: whether they may be; then they are counted.
        """
        if not self.allows(size, reserve):
            return False
        self.left -= size
        return True
