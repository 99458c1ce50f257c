"""
A client's connections, looked at again and again while something happens to them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.connections import Look, writtenBytes
from bench.pairs import Flow
from bench.places import Place
from bench.rig.namespaces import command

BETWEEN_SECONDS = 0.025
"""From one look to the next, besides the few milliseconds that one takes."""


class ReachabilityObserver:
    """
    Looks at the connections of a flow's client to its server.

    @ivar looks: all so far, in the order of their moments.
    """

    def __init__(self, place: Place, flow: Flow) -> None:
        """
        @param place: where the flow is.
        """
        wanted = ("state", "established", "dport", "=", f":{flow.pair.tunnelPort}")
        self._words = (*place.clientSide, "ss", "-tinHO", *wanted)
        self.looks: list[Look] = []

    def until(self, condition: Callable[[Look], bool], deadline: float) -> bool:
        """
        Look until something is seen.

        @param deadline: on the monotonic clock; then there is an end in any case.
        @return: whether it was seen.
        """
        while True:
            written = writtenBytes(command(*self._words))
            look = Look(time.monotonic(), written)
            self.looks.append(look)
            if condition(look):
                return True
            if look.moment >= deadline:
                return False
            time.sleep(BETWEEN_SECONDS)

    def untilMoment(self, moment: float) -> None:
        """
        Look until a moment on the monotonic clock.
        """
        self.until(lambda _: False, moment)

    def since(self, moment: float, end: float = float("inf")) -> list[Look]:
        """
        @return: the looks from a moment to another.
        """
        return [look for look in self.looks if moment <= look.moment <= end]
