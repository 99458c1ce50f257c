"""
What a link holds that has stopped to send, divided among links that have rested.

A connection that has rested may send ten segments at once.  So what the other end waits for
is there soonest when each of several such links takes so much of it.

Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from uotp.session.stickiness import FIRST_WINDOW_BYTES
from uotp.train import LAST_NUMBER, Arrival, split


def dividedAmong(links: int, arrivals: Sequence[Arrival]) -> list[list[Arrival]]:
    """
    @param links: how many there are, at least one.
    @param arrivals: trains with the numbers of their first datagrams, in order.
    @return: what each link is to take, as far as there is enough for all: the first ones the first window of
        a connection, and the last one all the rest.
    """
    left = deque(arrivals)
    parts: list[list[Arrival]] = []
    while left:
        part: list[Arrival] = []
        room = FIRST_WINDOW_BYTES
        while left and (room > 0 or len(parts) == links - 1):
            number, train = left.popleft()
            taken, rest = (train, None) if len(parts) == links - 1 else split(train, room)
            if part and len(taken.payload) > room and len(parts) < links - 1:
                left.appendleft((number, train))
                break
            if rest is not None:
                left.appendleft((number + taken.datagrams & LAST_NUMBER, rest))
            part.append((number, taken))
            room -= max(len(taken.payload), 1)
        parts.append(part)
    return parts
