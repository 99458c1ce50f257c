"""
Whether tunnels may be opened to stand by at a server, as a table.

A server that has failed rests, longer each time, and then one session tries it for all.  So a server that is away costs
one attempt now and then, however many sessions there are.  Pure: time comes in with each call.
"""

from __future__ import annotations

from enum import Enum, auto

FIRST_REST_SECONDS = 5.0
"""A server that only restarts is back after that."""

REST_GROWTH = 2.0

MOST_REST_SECONDS = 120.0
"""A server that comes back stands by after two minutes at most."""

MOST_ALONE_SECONDS = 900.0
"""Where all addresses of a name are of one server, another one is looked for every quarter of an hour in the end."""

GOOD_SECONDS = 60.0
"""A server that was good for so long has not failed again, but for the first time."""


class HealthState(Enum):
    """
    Names what is known of a server.

    GOOD: nothing speaks against it.  RESTING: it has failed.  TRIED: one session tries it for all.
    """

    GOOD = auto()
    RESTING = auto()
    TRIED = auto()


class HealthEvent(Enum):
    """
    Names what can happen.  ABANDONED: the session that tries it does not go on.
    """

    TRY = auto()
    OPENED = auto()
    FAILED = auto()
    ABANDONED = auto()


HEALTH_STATES: dict[tuple[HealthState, HealthEvent], HealthState] = {
    (HealthState.GOOD, HealthEvent.FAILED): HealthState.RESTING,
    (HealthState.RESTING, HealthEvent.TRY): HealthState.TRIED,
    (HealthState.RESTING, HealthEvent.OPENED): HealthState.GOOD,
    (HealthState.TRIED, HealthEvent.OPENED): HealthState.GOOD,
    (HealthState.TRIED, HealthEvent.FAILED): HealthState.RESTING,
    (HealthState.TRIED, HealthEvent.ABANDONED): HealthState.RESTING,
}
"""What each event leads to.  A pair that is not here changes nothing."""


class Health:
    """
    Tells whether a tunnel may be opened to stand by at one server.

    @ivar state: what is known of it.
    """

    def __init__(self, *, isGood: bool = True) -> None:
        """
        @param isGood: whether all sessions may try it at once; if not, one has to find out first.
        """
        self.state = HealthState.GOOD if isGood else HealthState.RESTING
        self._failures = 0  # in a row
        self._restsUntil = self._goodSince = float("-inf")

    def mayTry(self, now: float) -> bool:
        """
        @return: whether a session may open a tunnel there.
        """
        return self.state is HealthState.GOOD or (self.state is HealthState.RESTING and now >= self._restsUntil)

    def tried(self) -> None:
        """
        A session opens a tunnel there.
        """
        self._advance(HealthEvent.TRY)

    def opened(self, now: float) -> None:
        """
        A tunnel is open.
        """
        if self._advance(HealthEvent.OPENED):
            self._goodSince = now

    def failed(self, now: float, most: float = MOST_REST_SECONDS) -> None:
        """
        None can be opened, or all are lost.

        @param most: the longest rest, in seconds.
        """
        if self.state is HealthState.GOOD and now - self._goodSince >= GOOD_SECONDS:
            self._failures = 0
        if self._advance(HealthEvent.FAILED):
            rest = FIRST_REST_SECONDS * REST_GROWTH**self._failures
            self._restsUntil = now + min(rest, most)
            if rest < most:
                self._failures += 1

    def abandoned(self) -> None:
        """
        The session that tries it needs it no more.  Another may begin at once.
        """
        self._advance(HealthEvent.ABANDONED)

    def forget(self) -> None:
        """
        The network may have changed: it need not rest any more.
        """
        self._restsUntil, self._failures = float("-inf"), 0

    def _advance(self, event: HealthEvent) -> bool:
        after = HEALTH_STATES.get((self.state, event))
        if after is not None:
            self.state = after
        return after is not None
