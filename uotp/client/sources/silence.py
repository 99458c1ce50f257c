"""
When to say that nothing comes back to a source: once, when it has sent for some seconds, the
server was there, and nothing has ever come.
"""

from __future__ import annotations

NEVER_ANSWERED_SECONDS = 8.0
"""So long a target may take to answer for the first time.  WireGuard asks twice in that time."""

SENT_SECONDS = 4.0
"""Who has sent for so long waits for something; a single datagram may need no answer."""


class Silence:
    """
    Watches whether something comes back to one source.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._isSaid = False

    def isToBeSaid(self, *, isUp: bool, answered: bool, lastSent: float, now: float) -> bool:
        """
        Look once in a while.

        @param isUp: whether there is a tunnel that answers.
        @param answered: whether anything has ever come back.
        @param lastSent: when the source last sent.
        @param now: the time, by the same clock.
        @return: whether it is to be said, which is so once.
        """
        if answered or self._isSaid or not isUp:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        self._isSaid = now - self._since >= NEVER_ANSWERED_SECONDS and lastSent - self._since >= SENT_SECONDS
        return self._isSaid
