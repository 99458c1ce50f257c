"""
A trial of another number of links: what is compared, for how long, and when the next one may be.

Pure: time comes in with each call.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

STEADY_SECONDS = 0.6
"""
The round trip has to be short, or a queue to stand, for so long.  It is short for a moment whenever a queue has just
been emptied.  What is acknowledged in this time is compared, too.
"""

BRIEF_SECONDS = 0.15
"""
Where there is no queue, what is acknowledged in so short a time is compared.  That is less than the time between two
judgements, and so a heavy load on a fast path has all its links in less than a second.
"""

SETTLING_SECONDS = 0.4
SETTLING_ROUND_TRIPS = 8
"""
What another number of links brings is measured so much later.  A connection that has rested
begins with ten segments, and doubles them in each round trip.
"""

LONGEST_SETTLING_SECONDS = 4.0
"""At most so much later: a peer can make the round trip seem as long as it likes."""

GAIN = 0.05
"""Links bring more than others when they bring this share more.  Less may be chance."""

FIRST_PAUSE_SECONDS = 16.0
LONGEST_PAUSE_SECONDS = 128.0
PAUSE_GROWTH = 4
"""
The first pause, the longest one, and how many times as long each is as the one before.  Where one link more makes a
queue overflow, a trial delays by 0.1 s what is sent in its second.
"""


class Acknowledged:
    """
    Measures how much is acknowledged.
    """

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: list[tuple[float, int]] = []  # when, and how much since the first of them

    def begin(self) -> None:
        """
        Forget what was measured.
        """
        self._sums.clear()

    def count(self, amount: int, now: float) -> None:
        """
        @param amount: bytes that were acknowledged since the last call.
        @param now: monotonic seconds.
        """
        sums = self._sums
        sums.append((now, (amount + sums[-1][1]) if sums else 0))
        while now - sums[0][0] > STEADY_SECONDS and now - sums[1][0] >= STEADY_SECONDS:
            del sums[0]

    def rate(self, seconds: float) -> float | None:
        """
        @param seconds: L{STEADY_SECONDS} at most.
        @return: bytes a second, over the last so many seconds or a little more; L{None} where that is not known yet.
        """
        if not self._sums:
            return None
        end, last = self._sums[-1]
        for begin, first in reversed(self._sums):
            if end - begin >= seconds:
                return (last - first) / (end - begin)
        return None

    def reaches(self, rate: float, seconds: float) -> bool:
        """
        @return: whether so many bytes a second were acknowledged, measured as by L{rate}.
        """
        measured = self.rate(seconds)
        return measured is not None and measured >= rate


class Verdict(Enum):
    """
    What a trial shows.
    """

    MORE_BRING_MORE = auto()
    FEWER_BRING_AS_MUCH = auto()
    MORE_DO_NO_HARM = auto()
    """They make no queue, and bring as much at least."""


class Trial(NamedTuple):
    """
    Another number of links is tried.

    @ivar before: the number before.
    @ivar tried: the number that is tried.
    @ivar rate: what was acknowledged with the number before, in bytes a second.
    @ivar beganAt: when it was tried first.
    @ivar settledAt: when all links are as fast as they can be.
    @ivar hadQueue: whether there was a queue before.
    """

    before: int
    tried: int
    rate: float
    beganAt: float
    settledAt: float
    hadQueue: bool

    @property
    def areFewer(self) -> bool:
        """
        Whether fewer are tried than carried before.
        """
        return self.tried < self.before

    @property
    def endsAt(self) -> float:
        """
        When it is decided, at the latest.
        """
        return self.settledAt + STEADY_SECONDS

    def hasMadeQueue(self, queueAt: float) -> bool:
        """
        @param queueAt: when there was a queue last.
        @return: whether there was one in the trial.
        """
        return queueAt >= self.beganAt

    def verdict(self, acknowledged: Acknowledged, queueAt: float, roundTrip: float, now: float) -> Verdict | None:
        """
        @param acknowledged: what was, since the trial began.
        @param queueAt: when there was a queue last.
        @param roundTrip: of the path, in seconds.
        @return: what it shows, or L{None} as long as that is not known.
        """
        isAsMuch = acknowledged.reaches(self.rate * (1 - GAIN), STEADY_SECONDS)
        isMore = acknowledged.reaches(self.rate * (1 + GAIN), briefly(roundTrip))
        if self.areFewer:
            decided = Verdict.FEWER_BRING_AS_MUCH if isAsMuch else Verdict.MORE_BRING_MORE
            return decided if now >= self.endsAt else None
        if not self.hasMadeQueue(queueAt):
            if isMore or (isAsMuch and now >= self.endsAt):
                return Verdict.MORE_DO_NO_HARM
            return Verdict.FEWER_BRING_AS_MUCH if now >= self.endsAt else None
        if now >= (self.endsAt if self.hadQueue else self.settledAt):  # a new queue is our own
            return Verdict.MORE_BRING_MORE if isMore else Verdict.FEWER_BRING_AS_MUCH
        return None


class Pause:
    """
    The time until something is tried again.

    @ivar endsAt: when it may be.
    """

    __slots__ = ("_seconds", "endsAt")

    def __init__(self, now: float) -> None:
        self.endsAt = now
        self._seconds = FIRST_PAUSE_SECONDS

    def begin(self, now: float, *, wasInVain: bool) -> None:
        """
        It was tried, and was in vain, so that the next pause is longer; or something else says that it would be.
        """
        self.endsAt = now + self._seconds
        if wasInVain:
            self._seconds = min(PAUSE_GROWTH * self._seconds, LONGEST_PAUSE_SECONDS)


def settlingSeconds(roundTrip: float) -> float:
    """
    @return: how long it takes until links that have rested are as fast as they can be.
    """
    return min(max(SETTLING_SECONDS, SETTLING_ROUND_TRIPS * roundTrip), LONGEST_SETTLING_SECONDS)


def briefly(roundTrip: float) -> float:
    """
    @return: for how long at least is measured what more links bring where there is no queue.  In less than two round
        trips a connection that begins is not yet seen at all.
    """
    return min(max(BRIEF_SECONDS, 2 * roundTrip), STEADY_SECONDS)
