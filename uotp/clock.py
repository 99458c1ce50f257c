"""
One clock for every timer, and one that nobody can set.
"""

from __future__ import annotations

import time
from typing import Any


def useMonotonicClock(reactor: Any) -> None:
    """
    Let all timers of a reactor follow the monotonic clock.  Twisted's own
    choice is the wall clock: when that is set back by an hour, every time-out
    comes an hour late.

    @param reactor: a reactor that has no timer pending yet.
    @raise RuntimeError: when it has, since those would be off by decades.
    """
    if reactor.seconds is time.monotonic:
        return
    if reactor.getDelayedCalls():
        reason = "timers are pending already: choose the clock before the first of them"
        raise RuntimeError(reason)
    reactor.seconds = time.monotonic
