"""
How long something that is due has to wait for its turn of the reactor.  A turn that takes long makes
all others wait, and nobody is told of it.  So the calls that are made every now and then anyway
(L{uotp.process.periodic}) see how late they are.

This costs nothing for a datagram, and no further wake-up.  A service makes two calls in a second at the
least: a turn of half a second is always seen; of shorter ones only those into which such a call falls, and
of these the part that is left.  Within a minute a delay that comes again and again is found.
"""

from __future__ import annotations

WINDOW_SECONDS = 60.0
"""The worst is remembered for so long at least, and for twice as long at the most."""


class Lateness:
    """
    Knows how late calls were.
    """

    def __init__(self) -> None:
        self._windowAt = 0.0
        self._before = self._now = 0.0  # the worst of the window before, and of this one

    def note(self, delay: float, now: float) -> None:
        """
        A call was late.

        @param delay: by so many seconds.
        @param now: monotonic seconds.
        """
        if now - self._windowAt >= WINDOW_SECONDS:
            self._before = self._now if now - self._windowAt < 2 * WINDOW_SECONDS else 0.0
            self._now, self._windowAt = 0.0, now
        self._now = max(self._now, delay)

    @property
    def worst(self) -> float:
        """
        The longest delay in the last minute or two, in seconds.
        """
        return max(self._before, self._now)
