"""
Limits how often the log says the same thing.  A stranger who tries to connect all day, or
a server that is down for a day, must not fill a disk.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import ClassVar

QUIET_SECONDS = 600.0
"""The same thing is not said again for so long: six lines an hour do not hide others."""

MAX_REMEMBERED = 256
"""
So many different things are remembered.  Somebody who causes more of them only has the
oldest be said again.
"""

MAX_LINES_PER_QUIET = 64
"""
So many lines may come in L{QUIET_SECONDS}, some 9000 a day; with more than four workers a quarter of
that from each.  So a disk is not filled by ever new things either.
"""

MOST_PARTS = 4
"""A budget is parted in no more than this: of more processes each has a quarter, or what it says would be of no use."""

_AFTER = re.compile(r" after [\d.]+ s\b")


class LineBudget:
    """
    Allows so many lines in so long a time, for what strangers can make happen.  Of several processes of a
    program each has its part of every budget: see L{MOST_PARTS}.

    @cvar processes: how many processes of the program log by these budgets.
    """

    processes: ClassVar[int] = 1

    def __init__(
        self, clock: Callable[[], float], lines: int = MAX_LINES_PER_QUIET, seconds: float = QUIET_SECONDS
    ) -> None:
        """
        @param clock: monotonic seconds.
        @param lines: how many are allowed to all processes together, but a quarter of them to each at least,
            and one.
        @param seconds: the period.
        """
        self._clock = clock
        self._lines = lines
        self._seconds = seconds
        self._start = clock()
        self._spent = 0
        self._suppressed = 0

    def spend(self) -> int | None:
        """
        @return: how many lines were suppressed since the last one, or L{None} when
            this one is.
        """
        now = self._clock()
        if now - self._start >= self._seconds:
            self._start, self._spent = now, 0
        if self._spent >= max(1, self._lines // min(LineBudget.processes, MOST_PARTS)):
            self._suppressed += 1
            return None
        self._spent += 1
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed


class RateLimit:
    """
    Decides which of many equal events gets a line in the log.
    """

    def __init__(self, clock: Callable[[], float], quiet: float = QUIET_SECONDS) -> None:
        """
        @param clock: monotonic seconds.
        @param quiet: seconds for which the same thing is not said again.
        """
        self._clock = clock
        self._quiet = quiet
        self._last: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()
        self._budget = LineBudget(clock, seconds=quiet)

    def suppressedBefore(self, event: Hashable) -> int | None:
        """
        @param event: what is equal for equal events.
        @return: how many events, this one and others, were suppressed since it was said
            last, or L{None} when this one is.
        """
        now = self._clock()
        said, suppressed = self._last.get(event, (None, 0))
        if said is not None and now - said < self._quiet:
            self._last[event] = (said, suppressed + 1)
            return None
        others = self._budget.spend()
        if others is None:
            return None
        self._last[event] = (now, 0)
        self._last.move_to_end(event)
        if len(self._last) > MAX_REMEMBERED:
            self._last.popitem(last=False)
        return suppressed + others


def causeOf(reason: str) -> str:
    """
    @param reason: why something failed, and behind a semicolon what can be done about it.
    @return: the former alone, by which two such lines are equal: the latter may tell the time.
        Nor does it matter after how long that was.
    """
    return _AFTER.sub("", reason.partition("; ")[0])


def again(suppressed: int) -> str:
    """
    @return: words for the end of a line that stands for more than one event.
    """
    return f" (and {suppressed} not said before)" if suppressed else ""
