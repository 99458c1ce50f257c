"""
Trains that are sent again through another link.  The link that was given them is gone, or
stands still: its pong is overdue, or its kernel has waited in vain for an acknowledgement
and has begun to repeat.

Under load a link that works never has to wait so long for an acknowledgement.  After a mere
loss, what the kernel repeats is acknowledged a round trip later.  So what a dead link holds
is on its way again within half a second, or a fifth of a second later where answers come
through another link, and hardly anything else is sent twice.  The other end knows by the
numbers what has arrived all the same.

Pure: time comes in with each call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from uotp.boundaries import AGAIN_SECONDS, Link, QueueRoom
from uotp.train import NOTHING_WAITS, TRAIN_OVERHEAD_BYTES, Arrival

STILL_LOOK_SECONDS = 0.1
"""The shortest time between two looks at all links."""

STILL_SECONDS = 0.08
"""
A link has to be seen standing still for so long, and for a round trip.  That takes two
looks at least.
"""

MAX_AGAIN_BYTES = 2 * 1024 * 1024
"""So much may wait to be sent again: what two links hold that die together under load, or many without."""

AGAIN_WAIT_SECONDS = 0.3
"""It may wait for so long.  Older trains would only delay new ones."""


class Reinjection:
    """
    Finds out which links of one session stand still, and keeps what is to be sent again.

    @ivar bytes: payload and overhead of what waits.
    @ivar lookAt: when to look at the links again, in monotonic seconds.
    """

    def __init__(self, now: float, room: QueueRoom) -> None:
        """
        @param now: monotonic seconds.
        @param room: says how much payload and overhead may wait.
        """
        self._room = room
        self._waiting: deque[tuple[float, Arrival]] = NOTHING_WAITS  # with the time until which it may wait
        self.bytes = 0
        self.lookAt = now
        self._stillSince: dict[Link, float] = {}  # as they were seen

    def __bool__(self) -> bool:
        """
        Whether something waits.
        """
        return bool(self._waiting)

    @property
    def hasWork(self) -> bool:
        """
        Whether something waits, or a link was seen to stand still.
        """
        return bool(self._waiting or self._stillSince)

    def findStill(self, links: Iterable[Link], now: float, well: Link | None = None) -> list[Link]:
        """
        Look at all links.

        @param well: one that was just seen not to be in trouble, and so need not be looked at.
        @return: those that hold something and stand still.
        """
        isInTime = now < self.lookAt + STILL_LOOK_SECONDS  # or there may have been two losses
        before = self._stillSince if isInTime else {}
        self.lookAt = now + STILL_LOOK_SECONDS
        self._stillSince = {}
        found: list[Link] = []
        for link in links:
            if link is well or now - link.sentAt > AGAIN_SECONDS or not link.holdsUnacked():
                continue
            if not link.isTroubled():  # which costs a fifth of all that is known of the path
                continue
            path = link.pathStats()
            if path is not None and path.isStill:
                self._stillSince[link] = first = before.get(link, now)
                if now - first >= max(STILL_SECONDS, path.roundTrip):
                    found.append(link)
        return found

    def isTimeToLook(self, now: float) -> bool:
        """
        @return: whether the last look was long enough ago.
        """
        return now >= self.lookAt

    def take(self, link: Link, now: float) -> None:
        """
        Take what is not known to have arrived from a link that stands still, or is gone.
        """
        self._stillSince.pop(link, None)
        if self._waiting is NOTHING_WAITS:
            self._waiting = deque()
        for arrival in link.takeUnacked():
            self._waiting.append((now + AGAIN_WAIT_SECONDS, arrival))
            self.bytes += costOf(arrival)
        while self.bytes > self._room.granted and not self._room.reaches(self.bytes):
            self._pop()

    def _pop(self) -> Arrival:
        arrival = self._waiting.popleft()[1]
        self.bytes -= costOf(arrival)
        return arrival

    def dropStale(self, now: float) -> None:
        """
        Forget what has waited too long.
        """
        while self._waiting and self._waiting[0][0] < now:
            self._pop()
        if not self._waiting:
            self._waiting = NOTHING_WAITS
        self._room.shrink(self.bytes)

    def next(self, most: int) -> list[Arrival]:
        """
        Take what is to be sent next.  Call this only while something waits.

        @param most: bytes to take at most; one train may be longer.
        @return: the trains, which are kept no longer.
        """
        taken: list[Arrival] = []
        while self._waiting and (not taken or len(self._waiting[0][1][1].payload) <= most):
            taken.append(self._pop())
            most -= len(taken[-1][1].payload)
        self._room.shrink(self.bytes)
        return taken

    def forget(self) -> None:
        """
        Forget all that waits.
        """
        self._waiting = NOTHING_WAITS
        self._stillSince.clear()
        self.bytes = 0
        self._room.shrink(0)


def costOf(arrival: Arrival) -> int:
    """
    @return: what a train that waits takes, in bytes.
    """
    return len(arrival[1].payload) + TRAIN_OVERHEAD_BYTES
