"""
What the log has been told of one tunnel, as a value.
"""

from __future__ import annotations

from typing import NamedTuple


class Told(NamedTuple):
    """
    Says what the log has been told of a tunnel.

    @ivar local: our address.
    @ivar peer: the address of the other end.
    @ivar session: the name of the session that it carries for.
    @ivar openedAt: when it was opened, in monotonic seconds.
    """

    local: str
    peer: str
    session: str
    openedAt: float
