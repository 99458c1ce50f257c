"""
How what one system call has brought becomes trains.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from uotp.train import MAX_TRAIN_BYTES, Train


def couple(messages: Iterable[tuple[bytes, int]]) -> list[Train]:
    """
    Join neighbours into trains, without changing their order.

    @param messages: the data of each message, which is one datagram or several that
        the kernel has coalesced; and bytes of each of these, of which the last may be
        shorter, or 0 for a message that is one datagram.
    @return: as few trains as the order allows, none above L{MAX_TRAIN_BYTES} unless
        a lone message is.
    """
    trains: list[Train] = []
    run: list[bytes] = []
    segment = room = 0
    for data, coalesced in messages:
        size = len(data)
        each = coalesced if 0 < coalesced < size else size
        if 0 < size <= room and (each == segment or (each == size and size < segment)):
            run.append(data)
            room -= size
        else:
            if run:
                trains.append(Train(segment, b"".join(run)))
            run = [data]
            segment = each
            room = MAX_TRAIN_BYTES - size
        if segment == 0 or size % segment:
            room = 0  # a shorter datagram is the last of its train, and an empty one is alone
    if run:
        trains.append(Train(segment, b"".join(run)))
    return trains
