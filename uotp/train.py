"""
Defines what flows through the program: trains of datagrams.  These are pure values;
nothing here knows where a train comes from or where it goes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

MAX_TRAIN_BYTES = 65507
"""
The payload of the largest UDP datagram over IPv4 (65535 less the headers of IP
and UDP), and so the most that a lone datagram, or one batched send, can hold.
"""


TRAIN_OVERHEAD_BYTES = 256
"""
About what a train that is kept costs beside its payload.  Because of it, empty datagrams
count too where bytes are limited.
"""


DATAGRAMS_PER_UNIT = 16
"""
So many datagrams of one train take about as long to hand on as a train itself, with its own
decisions, does: the kernel cuts most of them.
"""


EVERYTHING = 1 << 40
"""More units than anything takes: no bound."""


def unitsOf(datagrams: int) -> int:
    """
    @return: about what it takes to hand on a train of so many datagrams.  One unit is a lone
        datagram.
    """
    return 1 + datagrams // DATAGRAMS_PER_UNIT


def datagramsOf(size: int, segment: int) -> int:
    """
    Count the datagrams of a train.

    Four places have this expression in place of a call: L{Train}, the pacer, the session's
    way in, and the encoder where it encodes one train.  Each lone datagram passes them, and the call alone
    would be an eighth of the time that the pacer takes for a train.

    @param size: of the payload, in bytes.
    @param segment: bytes of each datagram; the last one may be shorter.
    @return: how many there are, at least one.
    """
    return 1 if size <= segment else -(-size // segment)


class Train(NamedTuple):
    """
    Holds datagrams of one length that lie one after another.  It is a named tuple,
    because the data path makes one for each event, and a frozen dataclass takes twice as
    long to make.

    @ivar segment: bytes of each datagram; the last one may be shorter.
    @ivar payload: the datagrams without anything between them.  An empty
        datagram is a train of its own, with C{segment} 0 and no bytes.
    """

    segment: int
    payload: bytes

    @property
    def datagrams(self) -> int:
        """
        The number of datagrams, at least one.
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


def measured(trains: Iterable[Train]) -> tuple[int, int]:
    """
    @return: the payload of some trains, in bytes, and how many datagrams they have but for the first of each.
    """
    total = followers = 0
    for segment, payload in trains:
        size = len(payload)
        total += size
        if size > segment:
            followers += -(-size // segment) - 1
    return total, followers


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
    Divide trains into portions, each of which is written at one go.  Their order does not
    change.  Where less than half of a portion is free, no train is divided to fill it.

    @param most: bytes in each portion; a lone datagram may be longer.
    @return: the trains of each portion.
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
    Join neighbours into trains, without changing their order.  L{couple} does the same for
    messages that may hold several datagrams.  This function has a loop of its own, because
    it would take a fifth longer through that one.

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


NOTHING_WAITS: deque[Any] = deque(maxlen=0)
"""
Stands for a queue of trains while nothing waits, since an empty one takes 700 bytes, and most of those that
a session has are never used.  It is shared: whoever puts something in makes a queue of his own before.
"""

LAST_NUMBER = 0xFFFFFFFF
"""The highest number of a datagram.  Numbers count modulo 2^32, so 0 follows it."""

HALF_NUMBERS = 1 << 31
"""A number is ahead of another when it is less than this above it; any other is behind."""


Arrival = tuple[int, Train]
"""The number of a train's first datagram, and the train, or the part of it that has come."""

Missing = tuple[int, int]
"""Datagrams that have not come: the number of the first, and how many there are, one behind the other."""

TakeTrains = Callable[[list[Train]], None]
"""Takes trains, to send them or to hand them on."""


class Numbering:
    """
    Holds the number of the next datagram that one end of a session sends.  All links of
    the session share it.

    @ivar next: the number of the next datagram.
    """

    def __init__(self, first: int = 0) -> None:
        self.next = first


TrainPieces = tuple[int, list[bytes]]
"""
Neighbours that make one train: the bytes of each datagram, and the payload in pieces, in
order.
"""


def joined(messages: Iterable[tuple[bytes, int]]) -> list[TrainPieces]:
    """
    Find neighbours that make one train: all their datagrams have one length, and only the
    last of all may be shorter.  The pieces are not joined here, since not every caller
    needs that.

    @param messages: the data of each message, which is one datagram or several, and the
        bytes of each of these; the last datagram of a message may be shorter.  0 stands for
        a message that is one datagram.
    @return: as few trains as the order allows, none above L{MAX_TRAIN_BYTES} unless a lone
        message is.
    """
    found: list[TrainPieces] = []
    run: list[bytes] = []
    segment = room = 0
    for payload, coalesced in messages:
        length = len(payload)
        each = coalesced if 0 < coalesced < length else length
        if room >= length > 0 and (each == segment or each == length < segment):
            run.append(payload)
            room -= length
        else:
            run = [payload]
            found.append((each, run))
            segment = each
            room = MAX_TRAIN_BYTES - length
        if length != segment and length % segment:
            room = 0  # a shorter datagram is the last of its train
    return found


def couple(messages: Sequence[tuple[bytes, int]]) -> list[Train]:
    """
    Join neighbours into trains, without changing their order.

    @param messages: as for L{joined}.
    @return: as few trains as the order allows, none above L{MAX_TRAIN_BYTES} unless
        a lone message is.
    """
    if len(messages) == 1:  # this takes a third less time than joined()
        payload, coalesced = messages[0]
        size = len(payload)
        return [Train(coalesced if 0 < coalesced < size else size, payload)]
    return [Train(segment, b"".join(run)) for segment, run in joined(messages)]


def numberedFrom(number: int, trains: Iterable[Train]) -> Iterator[Arrival]:
    """
    @param number: of the first datagram.
    @return: each train with the number of its first datagram.
    """
    for train in trains:
        yield number, train
        number = number + train.datagrams & LAST_NUMBER
