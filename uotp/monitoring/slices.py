"""
Work that takes long, done in slices of one turn of the reactor each, so that datagrams are carried between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure


@dataclass(frozen=True, slots=True)
class Pace:
    """
    Says how fast work is done.

    @ivar slice: so long a slice takes, in seconds, and one step more.
    @ivar rest: so long nothing is done after it, in seconds.
    """

    slice: float
    rest: float


BRISKLY = Pace(slice=0.001, rest=0.0)
"""For what others wait for that do not wait long."""

GENTLY = Pace(slice=0.0005, rest=0.001)
"""For what has time: a datagram seldom meets it.  More and shorter slices would cost more than they do."""


def inSlices(clock: Any, steps: Iterator[object], pace: Pace = BRISKLY) -> Deferred[None]:
    """
    Take the steps of some work, as many in each turn as the pace allows.

    @param clock: C{IReactorTime}.
    @param steps: each takes less than half a millisecond.
    @param pace: how fast.
    @return: fires when the steps are over, maybe at once; fails when one of them does.
    """
    done: Deferred[None] = Deferred()
    _takeSlice(clock, steps, pace, done)
    return done


def _takeSlice(clock: Any, steps: Iterator[object], pace: Pace, done: Deferred[None]) -> None:
    end = clock.seconds() + pace.slice
    try:
        for _ in steps:
            if clock.seconds() >= end:
                clock.callLater(pace.rest, _takeSlice, clock, steps, pace, done)
                return
    except Exception:  # noqa: BLE001 - whoever waits is told
        done.errback(Failure())
        return
    done.callback(None)
