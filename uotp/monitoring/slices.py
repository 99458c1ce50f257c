"""
Work that takes long, done in slices of one turn of the reactor each, so that datagrams are carried between.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

SLICE_SECONDS = 0.001
"""So long a slice takes, and one step more."""


def inSlices(clock: Any, steps: Iterator[object]) -> Deferred[None]:
    """
    Take the steps of some work, as many in each turn as L{SLICE_SECONDS} allow.

    @param clock: C{IReactorTime}.
    @param steps: each takes less than half a millisecond.
    @return: fires when the steps are over, maybe at once; fails when one of them does.
    """
    done: Deferred[None] = Deferred()
    _takeSlice(clock, steps, done)
    return done


def _takeSlice(clock: Any, steps: Iterator[object], done: Deferred[None]) -> None:
    end = clock.seconds() + SLICE_SECONDS
    try:
        for _ in steps:
            if clock.seconds() >= end:
                clock.callLater(0, _takeSlice, clock, steps, done)
                return
    except Exception:  # noqa: BLE001 - whoever waits is told
        done.errback(Failure())
        return
    done.callback(None)
