"""
For how long, and for how much, a tunnel is used before it is replaced.
"""

from __future__ import annotations

from uotp.telemetry import spelled

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
        self._share = share

    def isUsedUp(self, now: float, carried: int, allowed: int | None) -> bool:
        """
        @param now: monotonic seconds.
        @param carried: bytes that the tunnel has carried, both ways.
        @param allowed: bytes that the path lets a tunnel carry, as far as it is known, or L{None}.
        """
        return self.reason(now, carried, allowed) is not None

    def reason(self, now: float, carried: int, allowed: int | None) -> str | None:
        """
        See L{isUsedUp}.

        @return: why the tunnel is to be replaced, for the log; L{None} when it is not.
        """
        if self._until is not None and now >= self._until:
            return f"it is as old as it may become ({spelled('maxAge')})"
        if self._bytes is not None and carried >= self._bytes:
            return f"it has carried as much as it may ({spelled('maxBytes')})"
        if allowed is not None and carried >= allowed * self._share:
            return "it has carried nearly as much as the path seems to allow"
        return None
