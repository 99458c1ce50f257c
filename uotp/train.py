"""
What flows through the program: trains of datagrams.  Pure values; nothing
here knows where a train comes from or where it goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

MAX_TRAIN_BYTES = 65507
"""
The payload of the largest UDP datagram over IPv4 (65535 less the headers of IP
and UDP), and so the most that a lone datagram, or one batched send, can hold.
"""


TRAIN_OVERHEAD_BYTES = 256
"""About what a train that is kept costs beside its payload, so that empty datagrams are bounded too."""


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


def countOf(trains: Iterable[Train]) -> int:
    """
    @return: how many datagrams there are in some trains.
    """
    return sum(train.datagrams for train in trains)


def bytesOf(trains: Iterable[Train]) -> int:
    """
    @return: the payload of some trains, in bytes.
    """
    total = 0
    for train in trains:  # faster than sum() for one train, which is what there mostly is
        total += len(train.payload)
    return total


def cut(train: Train) -> list[bytes]:
    """
    @return: the datagrams of a train, in order.
    """
    segment, payload = train
    size = len(payload)
    if size <= segment:
        return [payload]
    return [payload[start : start + segment] for start in range(0, size, segment)]


def split(train: Train, most: int) -> tuple[Train, Train | None]:
    """
    Take datagrams off the front of a train.

    @param most: bytes to take at most; one datagram is taken even if it is longer.
    @return: what is taken, and what is left, if anything is.
    """
    segment, payload = train
    if len(payload) <= max(segment, most):
        return train, None
    place = max(most // segment, 1) * segment
    return Train(segment, payload[:place]), Train(segment, payload[place:])


def datagramsWithin(train: Train, begin: int, end: int) -> Train:
    """
    @param begin: the index of a datagram.
    @param end: the index behind a later one's.
    @return: the datagrams from the one to the other, as a train.
    """
    if not begin and end >= train.datagrams:
        return train
    segment, payload = train
    return Train(segment, payload[begin * segment : end * segment])


def portions(trains: Iterable[Train], most: int) -> Iterator[list[Train]]:
    """
    Divide trains into what is written at one go, without changing their order.

    @param most: bytes in each portion; a lone datagram may be longer.
    """
    portion: list[Train] = []
    room = most
    for train in trains:
        rest: Train | None = train
        while rest is not None:
            if portion and len(rest.payload) > room and (room < rest.segment or room < most // 2):
                yield portion
                portion = []
                room = most
            first, rest = split(rest, room)
            portion.append(first)
            room -= len(first.payload)
    if portion:
        yield portion


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


LAST_NUMBER = 0xFFFFFFFF
"""Datagrams are numbered modulo 2^32: 0 follows this."""


Arrival = tuple[int, Train]
"""The number of a train's first datagram, and the train, or as much of it as has come."""


class Numbering:
    """
    The numbers of what one end of a session sends, shared by its tunnels.

    @ivar next: of the next datagram.
    """

    def __init__(self, first: int = 0) -> None:
        self.next = first


class Joined(NamedTuple):
    """
    Trains that make one.

    @ivar segment: of all of them; no longer than the payload.
    @ivar size: of the payload, in bytes.
    @ivar datagrams: how many there are.
    @ivar payloads: of each.
    """

    segment: int
    size: int
    datagrams: int
    payloads: list[bytes]


def joined(trains: Iterable[Train]) -> Iterator[Joined]:
    """
    Make one train of neighbours where that is one: of datagrams of the same length, of
    which the last may be shorter, as what acknowledges behind what is data.

    @return: as many as there have to be, in order; none above L{MAX_TRAIN_BYTES} that was
        not before.
    """
    segment = size = datagrams = room = 0
    payloads: list[bytes] = []
    for nextSegment, payload in trains:
        length = len(payload)
        if room >= length > 0 and (nextSegment == segment or length <= min(segment, nextSegment)):
            payloads.append(payload)
            size += length
            datagrams += -(-length // segment)
        else:
            if payloads:
                yield Joined(segment, size, datagrams, payloads)
            segment, size, payloads = min(nextSegment, length), length, [payload]
            datagrams = 1 if length <= nextSegment else -(-length // nextSegment)
        room = 0 if not segment or size % segment else MAX_TRAIN_BYTES - size
    if payloads:
        yield Joined(segment, size, datagrams, payloads)


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
