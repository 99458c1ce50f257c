"""
How long to wait before the next attempt.
"""

from __future__ import annotations

FIRST_SECONDS = 0.2
"""
The wait after a first failure, before jitter: long enough for a server that
restarts to lose little, short enough for nobody to notice.
"""

MAX_DOUBLINGS = 32
"""Beyond this the ceiling has long been reached; it keeps the power small."""


def backoffSeconds(failures: int, ceiling: float, jitter: float) -> float:
    """
    Exponential, with half of each wait left to chance, so that the tunnels that
    one event broke do not come back as one.

    @param failures: attempts that failed in a row, at least 1.
    @param ceiling: no wait is longer, in seconds.
    @param jitter: a random number from 0 to 1.
    @return: seconds to wait.
    """
    full: float = min(ceiling, FIRST_SECONDS * 2 ** min(failures - 1, MAX_DOUBLINGS))
    return full * (0.5 + 0.5 * jitter)
