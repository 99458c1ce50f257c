"""
How much the ends of a channel may send and hold.
"""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """
    Says how much one end of a channel may send and hold.

    @ivar sends: bytes in a message that this end sends.
    @ivar receives: bytes in a message that comes.
    @ivar waiting: bytes that may wait to be sent.
    """

    sends: int
    receives: int
    waiting: int


PARENT_LIMITS = ChannelLimits(sends=64 * MEBIBYTE, receives=MEBIBYTE, waiting=(64 + 8) * MEBIBYTE)
"""A parent's: it sends whole files, one message of the largest behind another that is being sent."""

WORKER_LIMITS = ChannelLimits(sends=MEBIBYTE, receives=64 * MEBIBYTE, waiting=8 * MEBIBYTE)
"""A worker's."""
