"""
For how long, and for how much, a tunnel is used before it is replaced.
"""

from __future__ import annotations

AGE_SPREAD = 0.2
"""
The share of a tunnel's lifetime, in age or in bytes, that is left to chance: tunnels that
were opened together shall not be replaced together.
"""


class Lifetime:
    """
    Tells when one tunnel has lived, or has carried, for as long as it may.
    """

    def __init__(self, now: float, chance: float, maxAge: float | None, maxBytes: int | None) -> None:
        """
        @param now: monotonic seconds.
        @param chance: a random number from 0 to 1.
        @param maxAge: seconds that a tunnel may live, or L{None}.
        @param maxBytes: bytes that a tunnel may carry, or L{None}.
        """
        share = 1 - AGE_SPREAD * chance
        self._until = None if maxAge is None else now + maxAge * share
        self._bytes = None if maxBytes is None else maxBytes * share

    def isUsedUp(self, now: float, carried: int) -> bool:
        """
        @param now: monotonic seconds.
        @param carried: bytes that the tunnel has carried, both ways.
        """
        return (self._until is not None and now >= self._until) or (self._bytes is not None and carried >= self._bytes)
