"""
How long to wait before the next attempt.
"""

from __future__ import annotations

FIRST_SECONDS = 0.2
"""
The wait after a first failure, before jitter: long enough for a server that
restarts to lose little, short enough for nobody to notice.
"""

WAIT_GROWTH = 1.5
"""
Each wait is so many times the one before.  That is some half of the time that has passed since
the first failure, so that a server that is back soon is found soon: after three seconds it takes
0.75 s in the mean, where waits that are doubled take 1.5 s.
"""

MAX_WAIT_GROWTHS = 64
"""Beyond this the ceiling has long been reached; it keeps the power small."""


def backoffSeconds(failures: int, ceiling: float, jitter: float, spent: float = 0.0) -> float:
    """
    Exponential, with half of each wait left to chance, so that the tunnels that
    one event broke do not come back as one.

    @param failures: attempts that failed in a row, at least 1.
    @param ceiling: no wait is longer, in seconds.
    @param jitter: a random number from 0 to 1.
    @param spent: what counts as waited already, in seconds; as long as the first wait there
        is always one.
    @return: seconds to wait.
    """
    full: float = min(ceiling, FIRST_SECONDS * WAIT_GROWTH ** min(failures - 1, MAX_WAIT_GROWTHS))
    share = 0.5 + 0.5 * jitter
    return max(full * share - spent, min(full, FIRST_SECONDS) * share)
