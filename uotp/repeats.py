"""
Says a thing once, and then only now and again: a stranger who knocks all day
or a server that stays away must not fill a disk.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

QUIET_SECONDS = 600.0
"""How long the same thing is not said again: six lines an hour do not hide others."""

MAX_REMEMBERED = 256
"""Different things remembered; whoever invents new ones makes old ones be said again, no more."""

MAX_LINES_PER_QUIET = 64
"""Different things said in one quiet time, so that inventing new ones fills no disk either."""


class Repeats:
    """
    Decides which of many equal events is worth a line.
    """

    def __init__(self, clock: Callable[[], float], quiet: float = QUIET_SECONDS) -> None:
        """
        @param clock: monotonic seconds.
        @param quiet: seconds for which the same thing is not said again.
        """
        self._clock = clock
        self._quiet = quiet
        self._last: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()
        self._windowStart = clock()
        self._windowLines = 0

    def worthSaying(self, thing: Hashable) -> int | None:
        """
        @param thing: what identifies the event.
        @return: how often it happened unsaid since it was said last, or L{None}
            when it is not to be said now.
        """
        now = self._clock()
        if now - self._windowStart >= self._quiet:
            self._windowStart, self._windowLines = now, 0
        said, unsaid = self._last.get(thing, (None, 0))
        if (said is not None and now - said < self._quiet) or self._windowLines >= MAX_LINES_PER_QUIET:
            if said is not None:
                self._last[thing] = (said, unsaid + 1)
            return None
        self._windowLines += 1
        self._last[thing] = (now, 0)
        self._last.move_to_end(thing)
        if len(self._last) > MAX_REMEMBERED:
            self._last.popitem(last=False)
        return unsaid


def again(unsaid: int) -> str:
    """
    @return: words for the end of a line that stands for more than one event.
    """
    return f" ({unsaid} more since last said)" if unsaid else ""
