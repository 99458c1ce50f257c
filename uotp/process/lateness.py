"""
How long something that is due has to wait for its turn of the reactor.  A turn that takes long makes
all others wait, and nobody is told of it: so a call is made every now and then, which sees how late it is.

This costs four calls a second and nothing for a datagram.  A turn of a quarter of a second is always seen;
of shorter ones only those into which such a call falls, and of these the part that is left.  Within a minute
a delay that comes again and again is found.
"""

from __future__ import annotations

from typing import Any

LATENESS_SECONDS = 0.25
"""How often it is looked: each look takes some 20 microseconds."""

WINDOW_SECONDS = 60.0
"""The worst is remembered for so long at least, and for twice as long at the most."""


class Lateness:
    """
    Knows how late calls are that a reactor makes.
    """

    def __init__(self, clock: Any) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        self._clock = clock
        self._call: Any = None
        self._due = self._windowAt = 0.0
        self._before = self._now = 0.0  # the worst of the window before, and of this one

    def start(self) -> None:
        """
        Begin to look; nothing when that is so.
        """
        if self._call is None:
            self._windowAt = self._clock.seconds()
            self._wait(self._windowAt)

    def stop(self) -> None:
        """
        Look no more.
        """
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _wait(self, now: float) -> None:
        self._due = now + LATENESS_SECONDS
        self._call = self._clock.callLater(LATENESS_SECONDS, self._look)

    def _look(self) -> None:
        now = self._clock.seconds()
        self._now = max(self._now, now - self._due)
        if now - self._windowAt >= WINDOW_SECONDS:
            self._before, self._now, self._windowAt = self._now, 0.0, now
        self._wait(now)

    @property
    def worst(self) -> float:
        """
        The longest delay in the last minute or two, in seconds.
        """
        return max(self._before, self._now)
