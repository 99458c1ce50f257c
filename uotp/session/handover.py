"""
What a link holds that has stopped to send, divided among links that have rested.

A connection that has rested may send ten segments at once.  So what the other end waits for
is there soonest when each of several such links takes so much of it.

Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from uotp.boundaries import Link
from uotp.path import PathStats
from uotp.session.stickiness import FIRST_WINDOW_BYTES
from uotp.train import LAST_NUMBER, Arrival, split

STALLED_SEGMENTS = 4
"""
A link that may have no more segments than this in flight sends nearly nothing.  BBR does that to each of
its connections for 0.2 s when it has not seen the least round trip for ten seconds, and so it
does where the queue is never quite empty; all that the kernel holds unsent comes late then.
"""


def isStalled(path: PathStats | None) -> bool:
    """
    @param path: of a link that carries more than such a link can.
    @return: whether it sends nearly nothing for a while, so that another one had better carry.
    """
    return path is not None and path.isWaiting and 0 < path.window <= STALLED_SEGMENTS


def hasRested(link: Link) -> bool:
    """
    @return: whether a link has nothing under way, and so may begin anew.
    """
    path = link.pathStats()
    return path is not None and not path.isWaiting and not link.cost()


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
