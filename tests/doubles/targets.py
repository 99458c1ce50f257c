"""
Ways to a target, put together as a server does it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from uotp.boundaries import Address, DatagramPortOpener
from uotp.net import SharedResolver
from uotp.server.finder import TargetFinder
from uotp.server.target import Target
from uotp.server.targetsocket import TargetSocket
from uotp.telemetry import Drops, RateLimit


def targetMaker(
    target: tuple[str, int],
    openPort: DatagramPortOpener,
    resolver: SharedResolver,
    clock: Any,
    drops: Drops,
    routeTo: Callable[[Address], Address],
    jitter: Callable[[], float] = lambda: 0.5,
) -> partial[Target]:
    """
    @return: what makes the way to the target for each session of one server.
    """
    finder = TargetFinder(target, resolver, clock, RateLimit(clock.seconds))
    return partial(Target, finder, partial(TargetSocket, openPort, clock, drops, routeTo, jitter), clock, drops)
