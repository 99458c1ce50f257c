"""
What flows through the program: trains of datagrams.  Pure values; nothing
here knows where a train comes from or where it goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

MAX_TRAIN_BYTES = 65507
"""
The payload of the largest UDP datagram over IPv4 (65535 less the headers of IP
and UDP), and so the most that a lone datagram, or one batched send, can hold.
"""


class Train(NamedTuple):
    """
    A run of datagrams of one length that lie one after another.  A named tuple
    and not a dataclass, because the data path makes one for each event and a
    frozen dataclass takes twice as long to make.

    @ivar segment: bytes of each datagram; the last one may be shorter.
    @ivar payload: the datagrams without anything between them.  An empty
        datagram is a train of its own, with C{segment} 0 and no bytes.
    """

    segment: int
    payload: bytes

    @property
    def datagrams(self) -> int:
        """
        How many datagrams there are, at least one.
        """
        size = len(self.payload)
        return 1 if size <= self.segment else -(-size // self.segment)


def cut(train: Train) -> list[bytes]:
    """
    @return: the datagrams of a train, in order.
    """
    segment, payload = train
    size = len(payload)
    if size <= segment:
        return [payload]
    return [payload[start : start + segment] for start in range(0, size, segment)]


def gather(datagrams: Iterable[bytes]) -> list[Train]:
    """
    Join neighbours into trains, without changing their order.

    @return: as few trains as the order allows, none above L{MAX_TRAIN_BYTES}
        unless a lone datagram is.
    """
    trains: list[Train] = []
    run: list[bytes] = []
    segment = room = 0
    for datagram in datagrams:
        size = len(datagram)
        if run and 0 < size <= segment and size <= room:
            run.append(datagram)
            room -= size
            if size == segment:
                continue
            datagramsOfRun, run = run, []  # a shorter one is the last of its train
            trains.append(Train(segment, b"".join(datagramsOfRun)))
            continue
        if run:
            trains.append(Train(segment, b"".join(run)))
        run = [datagram]
        segment = size
        room = MAX_TRAIN_BYTES - size
    if run:
        trains.append(Train(segment, b"".join(run)))
    return trains
