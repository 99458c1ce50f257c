"""
Format 1: each frame is a length of two bytes, most significant first, and a datagram of
that length.  Frames follow one another in both directions.  C{udp-over-tls-pool} speaks it.
"""

from __future__ import annotations

from struct import Struct

from uotp.train import DATAGRAMS_PER_UNIT, EVERYTHING, MAX_TRAIN_BYTES, Train
from uotp.wire.undecoded import Undecoded

FIRST_LOOK_FRAMES = 8
"""So many frames ahead a run of one length is looked for at first."""

LENGTH_BYTES = 2
"""Length of a frame's header; so no datagram is longer than 65535 bytes."""


def framesOf(train: Train) -> bytes:
    """
    @return: the frames of a train's datagrams.
    """
    segment, payload = train
    size = len(payload)
    if size <= segment:
        return size.to_bytes(LENGTH_BYTES, "big") + payload
    header = segment.to_bytes(LENGTH_BYTES, "big")
    count, rest = divmod(size, segment)
    datagrams = Struct(f"{segment}s" * count + f"{rest}s").unpack(payload)
    if rest:
        # Each joint puts a header of the full length before the next datagram, so the
        # short one at the end is not among those that are joined.
        return b"".join((header, header.join(datagrams[:-1]), rest.to_bytes(LENGTH_BYTES, "big"), datagrams[-1]))
    return header + header.join(datagrams[:-1])


def equalFrames(data: bytes, start: int, size: int, end: int, bound: int = EVERYTHING) -> int:
    """
    @param start: where a complete frame begins.
    @param size: the length of its datagram.
    @param end: where the data end.
    @param bound: how many are looked for at most.
    @return: how many complete frames of this length stand there in a row; not more
        than a train can hold.
    """
    stride = LENGTH_BYTES + size
    header = data[start : start + LENGTH_BYTES]
    if data[start + stride : start + stride + LENGTH_BYTES] != header:
        return 1
    most = min((end - start) // stride, MAX_TRAIN_BYTES // size or 1, bound) if size else 1
    count = 1
    ahead = FIRST_LOOK_FRAMES
    while count < most:
        stop = min(count + ahead, most)
        begin, end = start + count * stride, start + stop * stride
        high, low = data[begin:end:stride], data[begin + 1 : end : stride]
        others = max(len(high.lstrip(header[:1])), len(low.lstrip(header[1:])))
        if others:
            return stop - others
        count = stop
        ahead *= 8  # so that the work is in proportion to what is found
    return most


class Format1Codec(Undecoded):
    """
    Makes frames of trains and trains of frames, for one tunnel.  A few calls take a train
    apart or put it together, however many datagrams it has, with a C{Struct} for its shape.
    That is made anew each time: a peer chooses the shapes, so a memory of them would need a
    bound.
    """

    def encode(self, trains: list[Train]) -> bytes:
        """
        @param trains: none of their datagrams above 65535 bytes.
        @return: their frames.
        """
        if len(trains) == 1:
            return framesOf(trains[0])
        return b"".join([framesOf(train) for train in trains])

    def decode(self, data: bytes, most: int = EVERYTHING) -> list[Train]:
        """
        @param data: the next bytes of the stream, cut anywhere; none to go on with what there
            is.
        @param most: decode no more than takes about so many units to hand on.
        @return: the datagrams that are complete now, in as few trains as their order
            allows.  The rest is kept: at most one frame, unless there is a L{rest}.
        """
        start = self.spent = 0
        if self.rest or self._held:
            resumed = self._resume(data)
            if resumed is None:
                return []
            data, start = resumed
        trains: list[Train] = []
        end = len(data)
        left = most
        payload = start + LENGTH_BYTES
        while payload <= end:
            size = data[start] << 8 | data[start + 1]
            if payload + size > end:
                break
            if left <= 0:
                self._leave(data, start)
                break
            count = equalFrames(data, start, size, end, left * DATAGRAMS_PER_UNIT)
            left -= 1 + count // DATAGRAMS_PER_UNIT  # L{unitsOf}, without a call
            if count == 1:
                datagrams = data[payload : payload + size]
            else:
                datagrams = b"".join(Struct(f"{LENGTH_BYTES}x{size}s" * count).unpack_from(data, start))
            start += count * (LENGTH_BYTES + size)
            payload = start + LENGTH_BYTES
            if payload <= end:  # a shorter one may be the last of the train
                last = data[start] << 8 | data[start + 1]
                if 0 < last < size and payload + last <= end and len(datagrams) + last <= MAX_TRAIN_BYTES:
                    datagrams += data[payload : payload + last]
                    start = payload + last
                    payload = start + LENGTH_BYTES
            trains.append(Train(size, datagrams))
        else:
            size = 0
        if start < end and not self.rest:
            self._keep(data, start, LENGTH_BYTES + size)
        self.spent = most - left
        return trains
