"""
Format 2: each frame, in either direction, is a header of L{HEADER_BYTES} bytes and a
payload.  A train is one frame, and has the number of its first datagram.

Every limit is checked when the header has come, before anything is kept.  When a part of a
train has come, its whole datagrams are handed on at once: so no more is ever kept than a
header and one datagram.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from uotp.errors import PeerError
from uotp.train import (
    DATAGRAMS_PER_UNIT,
    EVERYTHING,
    LAST_NUMBER,
    Arrival,
    Missing,
    Numbering,
    Train,
    datagramsOf,
    joined,
    unitsOf,
)
from uotp.wire.status import STATUS_BYTES
from uotp.wire.undecoded import Undecoded

HEADER = Struct("!BBHHI")
"""Kind, flags, segment, length of the payload, number of the first datagram."""

HEADER_BYTES = HEADER.size

PING_BYTES = 8
"""The length of what a ping carries and its pong returns."""


AGAIN = 1
"""Flag of a train: it was sent before through another tunnel, and may have come through that."""

FIRST_SKIPPED_KIND = 128
"""
Frames of this kind and of higher ones are skipped when they are not known.  Later versions
may use them.
"""


class Kind(IntEnum):
    """
    Tells what a frame is.
    """

    TRAIN = 0
    PING = 1
    PONG = 2
    DRAIN = 3
    BYE = 4
    PADDING = 5
    MISSING = 128
    QUERY = 130
    STATUS = 131


RANGE = Struct("!II")
"""Of datagrams that are missing: the number of the first, and that of the last."""

MAX_MISSING = 16
"""So many ranges one frame may name."""

LONE_DATAGRAMS = 64
"""So many datagrams are sent with one system call, and count as one unit of work."""

TRAIN = int(Kind.TRAIN)
KNOWN_KINDS = frozenset(map(int, Kind))
"""The kinds as plain numbers, which are faster to compare for every frame."""

PAYLOAD_BYTES = {
    Kind.PING: PING_BYTES,
    Kind.PONG: PING_BYTES,
    Kind.DRAIN: 0,
    Kind.BYE: 0,
    Kind.QUERY: 0,
    Kind.STATUS: STATUS_BYTES,
}
"""The length of a kind's payload, where it is always the same."""

CONTROLS = frozenset({*PAYLOAD_BYTES, Kind.MISSING})
"""The kinds that somebody has to obey."""


class Decoded(NamedTuple):
    """
    Holds what some bytes have brought.

    @ivar arrivals: trains that were not sent before, in order.
    @ivar controls: kind and payload of each frame that is neither a train nor to be
        skipped, in order.
    @ivar again: trains that were sent before, through another tunnel, in order.
    """

    arrivals: list[Arrival]
    controls: list[tuple[Kind, bytes]]
    again: list[Arrival]


def controlFrame(kind: Kind, payload: bytes = b"") -> bytes:
    """
    @return: a frame that is no train.
    """
    return HEADER.pack(kind, 0, 0, len(payload), 0) + payload


def missingFrame(missing: Sequence[Missing]) -> bytes:
    """
    @param missing: at least one, and no more than L{MAX_MISSING}.
    @return: a frame that says which datagrams have not come.
    """
    ranges = [RANGE.pack(first, first + count - 1 & LAST_NUMBER) for first, count in missing]
    return controlFrame(Kind.MISSING, b"".join(ranges))


def missingOf(payload: bytes) -> list[Missing]:
    """
    @param payload: of a frame of that kind.
    @return: which datagrams the other end misses.
    """
    return [(first, (last - first & LAST_NUMBER) + 1) for first, last in RANGE.iter_unpack(payload)]


def frameAgain(number: int, train: Train) -> bytes:
    """
    @param number: the one that the train's first datagram had when it was first sent.
    @param train: with no more than 65535 bytes.
    @return: a frame that is a train, and says that it was sent before.
    """
    segment, payload = train
    size = len(payload)
    return HEADER.pack(TRAIN, AGAIN, min(segment, size), size, number) + payload


def isRanges(size: int) -> bool:
    """
    @return: whether a payload of so many bytes can be that of a frame which says what is missing.
    """
    return size % RANGE.size == 0 and 0 < size <= MAX_MISSING * RANGE.size


class Format2Codec(Undecoded):
    """
    Makes frames of trains and trains of frames, for one tunnel.
    """

    def __init__(self, numbering: Numbering) -> None:
        """
        @param numbering: of the session that the tunnel carries for.
        """
        super().__init__()
        self._numbering = numbering
        self._kind = TRAIN  # of the frame that has come in part
        self._segment = 0
        self._isAgain = False
        self._number = 0  # of the next of its datagrams
        self._left = 0  # bytes of its payload that have not been handed on
        self._drained = False
        self._units = 0  # that may still be spent in this call

    def encode(self, trains: list[Train]) -> bytes:
        """
        Number trains, and make frames of them.

        @param trains: none with more than 65535 bytes.
        @return: their frames.
        """
        number = self._numbering.next
        if len(trains) == 1:
            segment, payload = trains[0]
            size = len(payload)
            self._numbering.next = number + (1 if size <= segment else -(-size // segment)) & LAST_NUMBER
            return HEADER.pack(TRAIN, 0, min(segment, size), size, number) + payload
        pieces: list[bytes] = []
        for segment, payloads in joined([(payload, segment) for segment, payload in trains]):
            size = sum(map(len, payloads))
            pieces.append(HEADER.pack(TRAIN, 0, segment, size, number))
            pieces += payloads
            number = number + datagramsOf(size, segment) & LAST_NUMBER
        self._numbering.next = number
        return b"".join(pieces)

    def decodeLone(self, data: bytes) -> Arrival | None:
        """
        Decode one whole train that was not sent before and has nothing before or behind it.
        A lone datagram comes so.  The train has no more than L{LONE_DATAGRAMS}.

        @param data: the next bytes of the stream.
        @return: the train and its number, or L{None} for anything else.  Then nothing has
            changed, and L{decode} is to be called with the same bytes.
        """
        size = len(data) - HEADER_BYTES
        if size < 0 or self._left or self._held or self.rest or self._drained:
            return None
        kind, flags, segment, length, number = HEADER.unpack_from(data)
        if kind != TRAIN or flags or length != size or size > segment * LONE_DATAGRAMS:
            return None
        return number, Train(segment, data[HEADER_BYTES:])

    def decode(self, data: bytes, most: int = EVERYTHING) -> Decoded:
        """
        @param data: the next bytes of the stream, cut anywhere; none to go on with what there
            is.
        @param most: decode no more than takes about so many units to obey.
        @return: the datagrams and the other frames that are complete now.
        @raise PeerError: for bytes that the format does not allow; the codec is of no
            use afterwards.
        """
        self.spent = 0
        decoded = Decoded([], [], [])
        resumed = self._resume(data)
        if resumed is None:
            return decoded
        data, start = resumed
        self._units = most
        while True:
            needed = HEADER_BYTES
            if self._left:
                start = self._decodePart(data, start, decoded)
                if self._left:
                    needed = min(self._segment, self._left) if self._kind == TRAIN else self._left
            if len(data) - start < needed:
                self._keep(data, start, needed)
                break
            if self._units <= 0:
                self._leave(data, start)
                break
            if not self._left:
                start = self._decodeHeader(data, start, decoded)
        self.spent = most - self._units
        return decoded

    def _decodeHeader(self, data: bytes, start: int, decoded: Decoded) -> int:
        """
        Begin a frame; a train that has come whole is handed on, unless it is too much for
        this call.

        @return: where what was not taken begins.
        """
        size: int
        kind, flags, segment, size, number = HEADER.unpack_from(data, start)
        self._check(kind, flags, segment, size)
        start += HEADER_BYTES
        if kind == TRAIN and start + size <= len(data) and size <= self._units * DATAGRAMS_PER_UNIT * segment:
            self._units -= unitsOf(datagramsOf(size, segment))
            (decoded.again if flags else decoded.arrivals).append((number, Train(segment, data[start : start + size])))
            return start + size
        if kind != TRAIN:
            self._units -= 1
        if size:
            self._kind, self._segment, self._number, self._left = kind, segment, number, size
            self._isAgain = flags == AGAIN
        elif kind in CONTROLS:
            decoded.controls.append((Kind(kind), b""))
        return start

    def _check(self, kind: int, flags: int, segment: int, size: int) -> None:
        """
        @raise PeerError: for a header that the format does not allow.
        """
        if kind == TRAIN:
            if flags <= AGAIN and (segment or not size) and not self._drained:
                return
            if self._drained:
                reason = "it sent a train after it had said that none would follow"
            else:
                reason = f"a train of {size} bytes in datagrams of {segment}, with flags {flags:#x}"
            raise PeerError(reason)
        if kind not in KNOWN_KINDS:
            if kind >= FIRST_SKIPPED_KIND:
                return
            reason = f"a frame of kind {kind}, which there is not"
        elif flags:
            reason = f"a frame of kind {kind} with flags {flags:#x}, which there are not"
        elif size != PAYLOAD_BYTES.get(Kind(kind), size) or (kind == Kind.MISSING and not isRanges(size)):
            reason = f"a frame of kind {kind} with {size} bytes"
        else:
            self._drained = self._drained or kind == Kind.DRAIN
            return
        raise PeerError(reason)

    def _decodePart(self, data: bytes, start: int, decoded: Decoded) -> int:
        """
        Take as much as can be used of a frame that has not come whole.

        @return: where what was not taken begins.
        """
        there = len(data) - start
        kind, left = self._kind, self._left
        if kind == TRAIN:
            segment = self._segment
            size = left if left <= there else there - there % segment
            size = min(size, self._units * DATAGRAMS_PER_UNIT * segment)
            if size > 0:
                self._units -= unitsOf(datagramsOf(size, segment))
                trains = decoded.again if self._isAgain else decoded.arrivals
                trains.append((self._number, Train(segment, data[start : start + size])))
                self._number = self._number + datagramsOf(size, segment) & LAST_NUMBER
            size = max(size, 0)
        elif kind in CONTROLS:
            size = left if left <= there else 0
            if size:
                decoded.controls.append((Kind(kind), data[start : start + size]))
        else:
            size = min(left, there)
        self._left -= size
        return start + size
