"""
When to ask again where the target is: datagrams are sent, and nothing comes back.
"""

from __future__ import annotations

TARGET_UNHEARD_SECONDS = 4.0
"""
A target that says nothing for so long, while it is sent something, is looked for.  It is less
than the 5 s after which WireGuard asks again for a handshake.
"""

MOST_UNHEARD_SECONDS = 60.0
"""
After each time the target has twice as long, up to this: many have nothing to say, and the
resolver is asked for nothing.
"""


class TargetSilence:
    """
    Judges how long one target has been silent, by looks at when something was sent and heard.
    """

    __slots__ = ("_heardAt", "_seenSentAt", "_since", "_wait")

    def __init__(self) -> None:
        self._heardAt = self._seenSentAt = float("-inf")
        self._since: float | None = None
        self._wait = TARGET_UNHEARD_SECONDS

    def isLong(self, sentAt: float, heardAt: float, now: float) -> bool:
        """
        @param sentAt: when something was last sent to the target.
        @param heardAt: when something was last heard of it.
        @return: whether it is time to look for the target.  The next time comes later.
        """
        if heardAt > self._heardAt:
            self._heardAt, self._since, self._wait = heardAt, None, TARGET_UNHEARD_SECONDS
        if sentAt <= max(heardAt, self._seenSentAt):
            return False
        self._seenSentAt = sentAt
        if self._since is None:
            self._since = sentAt
        if now - self._since < self._wait:
            return False
        self._since, self._wait = now, min(2 * self._wait, MOST_UNHEARD_SECONDS)
        return True
