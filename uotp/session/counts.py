"""
What a session has done since it began, as numbers that only grow.
"""

from __future__ import annotations

from typing import NamedTuple


class SessionCounts(NamedTuple):
    """
    Says what a session has done so far, or what several have done together.

    @ivar trainsOut: trains that came from UDP.
    @ivar datagramsOut: datagrams that came from UDP.
    @ivar bytesOut: payload that came from UDP.
    @ivar trainsIn: trains that came from the links, without what was sent again.
    @ivar datagramsIn: datagrams of these.
    @ivar bytesIn: payload of these.
    @ivar again: datagrams that were sent a second time.
    @ivar heldDatagrams: datagrams that waited for those before them.
    @ivar heldSeconds: how long they waited, all together.
    @ivar late: datagrams that came too late to be put in order.
    """

    trainsOut: int = 0
    datagramsOut: int = 0
    bytesOut: int = 0
    trainsIn: int = 0
    datagramsIn: int = 0
    bytesIn: int = 0
    again: int = 0
    heldDatagrams: int = 0
    heldSeconds: float = 0.0
    late: int = 0

    def plus(self, other: SessionCounts) -> SessionCounts:
        """
        @return: what both have done together.
        """
        return SessionCounts._make(one + another for one, another in zip(self, other, strict=True))
