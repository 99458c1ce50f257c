"""
Which sources get a session, when more come than can be taken on.

Each new session costs a handshake, so only so many are begun in a second.  Forged sources
come by the thousand, and each of them mostly once; an honest program that gets no answer
asks again, after a second and after two.  So the sources are counted that were never seen
before.  While these are far more than could be taken on, a source is taken on only when it
asks again, and single datagrams of forged sources cost nothing.

Where several processes have the sources of a client, which the kernel spreads over them by chance, each
has its part of all these numbers, and asks nobody.  A burst is no longer than a moment, too short to
share it out by use.  So what may come at once is a part with room for chance besides: of as many
sources as one process takes on at once, each process has enough for those that come to it.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

NEW_PER_SECOND = 32.0
NEW_AT_ONCE = 104.0
"""
How many sessions may be begun.  A browser that starts asks a hundred questions at once, each
from a port of its own.
"""

STRANGERS_AT_ONCE = 104.0
"""
So many more sources than L{NEW_PER_SECOND} may come that were never seen before.  Beyond
that they are a crowd, until they have become fewer: for three seconds at least.
"""

ASK_AGAIN_SECONDS = 0.5
"""
What a source sends sooner after what it sent before does not count as asking again.  It may
be a copy, and programs wait for longer.
"""

SEEN_SECONDS = 30.0
"""A source that has not asked for so long is a stranger again."""

MAX_SEEN = 16384
"""
So many sources are remembered that have asked and were not taken on, in some 4 MB.  Of 2000
forged sources in a second, those of eight seconds.
"""

RESERVED = 8.0
"""
So many sessions are left for sources that ask for the third time, so that those that ask
for the second time, and may be many, do not take them all.
"""

SECOND, THIRD = 2, 3
"""How often a source has asked."""

DEVIATIONS = 4.0
"""
How much room for chance a part of a burst has, in standard deviations of how many sources come to one
process.  That is enough 9 999 times of 10 000.  All parts together are 1.6 times a burst with two processes,
and 2.2 times with eight, each of which does its work on a processor of its own.
"""

LEAST_RESERVED = 2.0
"""Where fewer were left for them, none would be: one is what a source needs that asks for the first time."""


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """
    Says how many sources one process takes on.

    @ivar perSecond: see L{NEW_PER_SECOND}.
    @ivar atOnce: see L{NEW_AT_ONCE}.
    @ivar strangers: see L{STRANGERS_AT_ONCE}.
    @ivar reserved: see L{RESERVED}.
    @ivar seen: see L{MAX_SEEN}.
    @ivar places: for so many of those that are not proved there is a place at least, whatever part of all places
        this process has: for those that come at once.
    """

    perSecond: float
    atOnce: float
    strangers: float
    reserved: float
    seen: int
    places: int

    @classmethod
    def of(cls, processes: int) -> AdmissionLimits:
        """
        @param processes: how many share what there is.
        @return: the part of each.
        """
        atOnce = partOfBurst(NEW_AT_ONCE, processes)
        return cls(
            NEW_PER_SECOND / processes,
            atOnce,
            partOfBurst(STRANGERS_AT_ONCE, processes),
            max(RESERVED / processes, LEAST_RESERVED),
            MAX_SEEN // processes,
            0 if processes == 1 else int(atOnce),
        )


def partOfBurst(burst: float, processes: int) -> float:
    """
    @return: how many of so many sources may come to one process of several, as chance has it.
    """
    mean = burst / processes
    return burst if processes == 1 else min(burst, math.ceil(mean + DEVIATIONS * math.sqrt(mean)))


class Admission:
    """
    Decides which sources are taken on.
    """

    def __init__(self, clock: Callable[[], float], limits: AdmissionLimits | None = None) -> None:
        """
        @param clock: monotonic seconds.
        @param limits: how many; those of a client that is one process when left out.
        """
        self._clock = clock
        self._limits = limits or AdmissionLimits.of(1)
        self._tokens = self._limits.atOnce
        self._strangers = 0.0
        self._filledAt = clock()
        self._seen: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()  # how often each has asked, and when

    def admits(self, source: Hashable) -> bool:
        """
        A source without a session has sent something.

        @return: whether it is to have one.
        """
        now, limits = self._clock(), self._limits
        elapsed, self._filledAt = now - self._filledAt, now
        self._tokens = min(limits.atOnce, self._tokens + elapsed * limits.perSecond)
        self._strangers = max(0.0, self._strangers - elapsed * limits.perSecond)
        times, askedAt = self._seen.get(source, (0, now))
        if not times or now - askedAt >= SEEN_SECONDS:
            times, askedAt = 1, now
            self._strangers = min(2 * limits.strangers, self._strangers + 1)
        elif now - askedAt >= ASK_AGAIN_SECONDS:
            times, askedAt = times + 1, now
        elif self._isCrowded:
            return False
        if self._tokens >= self._needed(times):
            self._tokens -= 1
            self._seen.pop(source, None)
            return True
        self._remember(source, times, askedAt)
        return False

    @property
    def _isCrowded(self) -> bool:
        """
        Whether far more sources come than can be taken on.
        """
        return self._strangers > self._limits.strangers

    def _needed(self, times: int) -> float:
        """
        @param times: how often a source has asked.
        @return: how many tokens have to be there for it.
        """
        if not self._isCrowded or times >= THIRD:
            return 1.0
        return self._limits.reserved if times >= SECOND else self._limits.atOnce + 1

    def remember(self, source: Hashable) -> None:
        """
        A source that was proved has lost its session: it is welcome when it comes back.
        """
        self._remember(source, SECOND, self._clock() - ASK_AGAIN_SECONDS)

    def _remember(self, source: Hashable, times: int, askedAt: float) -> None:
        self._seen[source] = (times, askedAt)
        self._seen.move_to_end(source)
        if len(self._seen) > self._limits.seen:
            self._seen.popitem(last=False)

    def checkInvariant(self) -> None:
        """
        What holds between any two calls.

        @raise AssertionError: when it does not.
        """
        assert 0 <= self._tokens <= self._limits.atOnce
        assert 0 <= self._strangers <= 2 * self._limits.strangers
        assert len(self._seen) <= self._limits.seen
