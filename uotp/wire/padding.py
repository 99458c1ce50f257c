"""
Padding, by which the first writes of a tunnel have one of a few lengths, whatever is in them.  The other end skips it.
"""

from __future__ import annotations

from uotp.wire.format2 import HEADER_BYTES, Kind, controlFrame

PADDED_WRITES = 8
"""
So many writes of each end of a tunnel are padded, behind its hello: those with which a protocol begins are known by
their lengths.  What follows is a flow, whose times and sum padding would not hide.
"""

PADDED_SIZES = (1024, 4096, 16384)
"""To these lengths writes are filled up, in bytes: short ones, packets of a few, and a whole record of TLS."""

MOST_PADDING_BYTES = PADDED_SIZES[-1] + HEADER_BYTES - 1
"""No write grows by more than this.  A frame of padding has a header, so there is not always room for one before the
next length."""


def paddedSize(size: int) -> int:
    """
    @param size: how many bytes there are to write.
    @return: how many they become: one of L{PADDED_SIZES}, or beyond these a multiple of the largest.
    """
    record = PADDED_SIZES[-1]
    larger = (record * whole for whole in range(size // record, size // record + 3))
    return next(each for each in (*PADDED_SIZES, *larger) if each == size or each >= size + HEADER_BYTES)


def padded(frames: bytes) -> bytes:
    """
    @param frames: whole frames of format 2.
    @return: the same, and a frame of padding behind them where one is needed.
    """
    missing = paddedSize(len(frames)) - len(frames)
    return frames + controlFrame(Kind.PADDING, bytes(missing - HEADER_BYTES)) if missing else frames
