"""
When a worker that has died is started again.
"""

from __future__ import annotations

FIRST_RESTART_SECONDS = 1.0
"""A worker that dies again so soon may need something that is not there yet..."""

MOST_RESTART_SECONDS = 30.0
"""...and is tried for ever, but not so often that it costs the others anything."""


class Restarts:
    """
    Says how long a worker waits for its next start: not at all after its first death, then
    longer and longer.
    """

    def __init__(self, steadySeconds: float) -> None:
        """
        @param steadySeconds: a worker that has run for so long is taken to be well.
        """
        self._steadySeconds = steadySeconds
        self._next = 0.0

    def delayAfter(self, ran: float) -> float:
        """
        @param ran: for how many seconds it has run.
        @return: seconds until it is started again.
        """
        if ran >= self._steadySeconds:
            self._next = 0.0
        delay = self._next
        self._next = min(max(2 * delay, FIRST_RESTART_SECONDS), MOST_RESTART_SECONDS)
        return delay
