"""
What is to be sent again, through another link, since the one that it was given to stands
still: it does not answer, or the kernel has waited in vain for an acknowledgement and has
begun to repeat, or it is gone.

Under load no link is without an acknowledgement for as long as the kernel waits; and
where it was but a loss, what the kernel repeats is acknowledged a round trip later.  So
what a dead link holds is on its way again in half a second, and hardly anything else
is.  What has arrived all the same is known to the other end by its number.

Pure: time comes in with each call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from uotp.boundaries import AGAIN_SECONDS, Link
from uotp.train import TRAIN_OVERHEAD_BYTES, Arrival

STILL_LOOK_SECONDS = 0.1
"""How often links are looked at, at most."""

STILL_SECONDS = 0.08
"""
For so long, and for a round trip, a link must be seen to stand still: between two looks
at the least.
"""

MAX_AGAIN_BYTES = 2 * 1024 * 1024
"""What may wait to be sent again: of two links that have died together, or of many at rest."""

AGAIN_WAIT_SECONDS = 0.3
"""For how long: what is older only stands before what is fresh."""


class Reinjection:
    """
    For one session.
    """

    def __init__(self, now: float) -> None:
        """
        @param now: monotonic seconds.
        """
        self._waiting: deque[tuple[float, Arrival]] = deque()  # with the time until which it may wait
        self.bytes = 0
        self._lookedAt = now - STILL_LOOK_SECONDS
        self._stillSince: dict[Link, float] = {}  # as they were seen

    def __bool__(self) -> bool:
        """
        Whether something waits.
        """
        return bool(self._waiting)

    def findStill(self, links: Iterable[Link], now: float) -> list[Link]:
        """
        Look at links, now and then.

        @return: those that hold something and stand still.
        """
        since, self._lookedAt = now - self._lookedAt, now
        before = self._stillSince if since < 2 * STILL_LOOK_SECONDS else {}
        self._stillSince = {}
        found: list[Link] = []
        for link in links:
            if now - link.sentAt > AGAIN_SECONDS or not link.holdsUnacked():
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
        return now - self._lookedAt >= STILL_LOOK_SECONDS

    def take(self, link: Link, now: float) -> None:
        """
        Take what a link holds that stands still, or is gone.
        """
        self._stillSince.pop(link, None)
        for arrival in link.takeUnacked():
            self._waiting.append((now + AGAIN_WAIT_SECONDS, arrival))
            self.bytes += costOf(arrival)
        while self.bytes > MAX_AGAIN_BYTES:
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

    def next(self, most: int) -> list[Arrival]:
        """
        To be called while something waits only.

        @param most: bytes; one train may be longer.
        @return: what is to be sent next, and is left to the caller.
        """
        taken: list[Arrival] = []
        while self._waiting and (not taken or len(self._waiting[0][1][1].payload) <= most):
            taken.append(self._pop())
            most -= len(taken[-1][1].payload)
        return taken

    def forget(self) -> None:
        """
        Send nothing of it.
        """
        self._waiting.clear()
        self._stillSince.clear()
        self.bytes = 0


def costOf(arrival: Arrival) -> int:
    """
    @return: what a train takes that waits, in bytes.
    """
    return len(arrival[1].payload) + TRAIN_OVERHEAD_BYTES
