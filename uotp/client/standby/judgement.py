"""
When a session leaves a server that works for another one: since that is far nearer, or since it is the one to use
first and has been well for long enough.  Pure: time comes in with each call.
"""

from __future__ import annotations

FAR_TIMES = 3.0
FARTHER_SECONDS = 0.1
"""
A server is far worse when its round trip is so many times that of another, and so much longer.  A move costs the
flow its order for a moment and gives it another source at the target, so less is not worth it.
"""

FAR_FOR_SECONDS = 60.0
"""It has to be so for so long without a break: a queue that a download makes comes and goes."""

HEALTHY_SECONDS = 180.0
"""The server to use first has to be well for so long before a session comes back: who restarts it does so twice."""

HEALTHY_GROWTH = 2.0

MOST_HEALTHY_SECONDS = 3600.0
"""Each time that it fails soon after, it has to be well for longer, up to an hour."""

RELAPSE_SECONDS = 900.0
"""So long after a session came back, a failure is one of a server that comes and goes."""


def isFarWorse(inUse: float, other: float) -> bool:
    """
    @param inUse: the round trip of the server in use, in seconds; 0 where it is not known.
    @param other: that of another one.
    @return: whether the other one is far better.
    """
    return bool(inUse and other) and inUse > FAR_TIMES * other and inUse > other + FARTHER_SECONDS


class Judgement:
    """
    Tells for one session whether it had better be at the server where its tunnel stands by.
    """

    def __init__(self) -> None:
        self._farSince: float | None = None
        self._healthySince: float | None = None
        self._healthySeconds = HEALTHY_SECONDS
        self._cameBackAt = float("-inf")

    def isTooFar(self, inUse: float, other: float, now: float) -> bool:
        """
        Call this now and then while the session carries something.

        @return: whether the server in use has been far worse than the other for long enough.
        """
        if not isFarWorse(inUse, other):
            self._farSince = None
        elif self._farSince is None:
            self._farSince = now
        return self._farSince is not None and now - self._farSince >= FAR_FOR_SECONDS

    def mayComeBack(self, inUse: float, other: float, now: float) -> bool:
        """
        Call this now and then while the tunnel at the other server, which is to be used before this one, answers.

        @return: whether it has been well for long enough.
        """
        if isFarWorse(other, inUse):
            self._healthySince = None
        elif self._healthySince is None:
            self._healthySince = now
        return self._healthySince is not None and now - self._healthySince >= self._healthySeconds

    def otherIsAway(self) -> None:
        """
        The other server does not answer, or there is another one.
        """
        self._healthySince = self._farSince = None

    def rests(self) -> None:
        """
        Nothing is carried, so round trips tell nothing.
        """
        self._farSince = None

    def left(self, now: float) -> None:
        """
        The session has left the server that is to be used first.
        """
        self.otherIsAway()
        if now - self._cameBackAt < RELAPSE_SECONDS:
            self._healthySeconds = min(self._healthySeconds * HEALTHY_GROWTH, MOST_HEALTHY_SECONDS)
        else:
            self._healthySeconds = HEALTHY_SECONDS

    def cameBack(self, now: float) -> None:
        """
        The session is there again.
        """
        self.otherIsAway()
        self._cameBackAt = now
