"""
What a server tells of itself when its client asks, in format 2: what time it is there, and what it has
heard of the target.  It is for whoever looks for a fault; nothing of what a tunnel carries depends on it.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

STATUS = Struct("!QBIII")
"""Milliseconds since 1970, whether there is a way, and three times: see L{ServerStatus}."""

STATUS_BYTES = STATUS.size

NO_TIME = 0xFFFFFFFF
"""Stands for a time that has not been, or that is not known."""

LONGEST_AGO = NO_TIME - 1
"""A longer time is told as this."""


class ServerStatus(NamedTuple):
    """
    Says how a server stands, for one session.

    @ivar milliseconds: what its clock says, since the begin of 1970.
    @ivar hasWay: whether the session has a socket towards the target: otherwise its name has not been found,
        or nothing leads there.
    @ivar answered: how many seconds ago the target sent something to this session; L{None} for never.
    @ivar refused: how many seconds ago the network last said that what was sent to the target has not
        arrived; L{None} for never.
    @ivar answeredAny: how many seconds ago the target sent something to any session; L{None} when that is not
        known.
    """

    milliseconds: int
    hasWay: bool
    answered: int | None = None
    refused: int | None = None
    answeredAny: int | None = None


def encodeStatus(status: ServerStatus) -> bytes:
    """
    @return: the payload of a frame.
    """
    times = [_told(ago) for ago in (status.answered, status.refused, status.answeredAny)]
    return STATUS.pack(status.milliseconds, status.hasWay, *times)


def statusOf(payload: bytes) -> ServerStatus:
    """
    @param payload: of a frame of that kind, L{STATUS_BYTES} long.
    @return: what it says.
    """
    milliseconds, hasWay, *times = STATUS.unpack(payload)
    answered, refused, answeredAny = (None if ago == NO_TIME else ago for ago in times)
    return ServerStatus(milliseconds, bool(hasWay), answered, refused, answeredAny)


def _told(ago: int | None) -> int:
    return NO_TIME if ago is None else min(max(ago, 0), LONGEST_AGO)
