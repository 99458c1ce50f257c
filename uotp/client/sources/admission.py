"""
Which sources get a session, when more come than can be taken on.

Each new session costs a handshake, so only so many are begun in a second.  Forged sources
come by the thousand, and each of them mostly once; an honest program that gets no answer
asks again, after a second and after two.  So the sources are counted that were never seen
before.  While these are far more than could be taken on, a source is taken on only when it
asks again, and single datagrams of forged sources cost nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

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


class Admission:
    """
    Decides which sources are taken on.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """
        @param clock: monotonic seconds.
        """
        self._clock = clock
        self._tokens = NEW_AT_ONCE
        self._strangers = 0.0
        self._filledAt = clock()
        self._seen: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()  # how often each has asked, and when

    def admits(self, source: Hashable) -> bool:
        """
        A source without a session has sent something.

        @return: whether it is to have one.
        """
        now = self._clock()
        elapsed, self._filledAt = now - self._filledAt, now
        self._tokens = min(NEW_AT_ONCE, self._tokens + elapsed * NEW_PER_SECOND)
        self._strangers = max(0.0, self._strangers - elapsed * NEW_PER_SECOND)
        times, askedAt = self._seen.get(source, (0, now))
        if not times or now - askedAt >= SEEN_SECONDS:
            times, askedAt = 1, now
            self._strangers = min(2 * STRANGERS_AT_ONCE, self._strangers + 1)
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
        return self._strangers > STRANGERS_AT_ONCE

    def _needed(self, times: int) -> float:
        """
        @param times: how often a source has asked.
        @return: how many tokens have to be there for it.
        """
        if not self._isCrowded or times >= THIRD:
            return 1.0
        return RESERVED if times >= SECOND else NEW_AT_ONCE + 1

    def remember(self, source: Hashable) -> None:
        """
        A source that was proved has lost its session: it is welcome when it comes back.
        """
        self._remember(source, SECOND, self._clock() - ASK_AGAIN_SECONDS)

    def _remember(self, source: Hashable, times: int, askedAt: float) -> None:
        self._seen[source] = (times, askedAt)
        self._seen.move_to_end(source)
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)

    def checkInvariant(self) -> None:
        """
        What holds between any two calls.

        @raise AssertionError: when it does not.
        """
        assert 0 <= self._tokens <= NEW_AT_ONCE
        assert 0 <= self._strangers <= 2 * STRANGERS_AT_ONCE
        assert len(self._seen) <= MAX_SEEN
