"""
What the log has been told of one tunnel, as a value.
"""

from __future__ import annotations

from typing import NamedTuple


class Told(NamedTuple):
    """
    Says what the log has been told of a tunnel.

    @ivar ends: its addresses, ours first.
    @ivar session: the name of the session that it carries for.
    @ivar openedAt: when it was opened, in monotonic seconds.
    """

    ends: str
    session: str
    openedAt: float
