"""
The memory that C{recvmmsg} fills.

Each message has two places.  The first is a slot of exactly the length that is expected, and
the slots of all messages lie one behind the other.  So where the datagrams have that length,
the whole batch lies there as one train.  The second place takes the rest of longer messages.
"""

from __future__ import annotations

import mmap
from array import array

from uotp.udp.abi import VECTOR_BYTES, WORD_BYTES, ffi, words

MAX_MESSAGES = 64
"""
One call receives so many at the most.  With 64 the cost of the call hardly counts, and the
longest turn is still about a millisecond.
"""

MAX_MESSAGE_BYTES = 65536
"""No datagram is so long, and no row of datagrams that the kernel joins."""

BYTES_PER_TURN = 256 * 1024
"""
About so much one port may read before others get their turn.  That takes a fraction of a
millisecond, and is four trains of the greatest length.
"""

FIRST_MESSAGES = 8
"""So many messages are asked for at first, when their length is not known: half a megabyte at the most."""

FIRST_SLOT_BYTES = 2048
"""The first guess: datagrams of most networks fit."""


def messagesAfter(most: int, longest: int) -> int:
    """
    @param most: how many messages a call has asked for, and has got, or they are long.
    @param longest: bytes of the longest that it has brought.
    @return: how many messages the next call asks for.
    """
    return min(2 * most, MAX_MESSAGES, BYTES_PER_TURN // max(longest, 1))


class ReceiveBuffers:
    """
    Holds the data of one batch.

    @ivar length: bytes of each slot.
    """

    def __init__(self) -> None:
        size = MAX_MESSAGES * MAX_MESSAGE_BYTES
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._data = mmap.mmap(-1, 2 * size, flags)  # pages that nobody writes to take no memory
        self._overflowStart = size
        self._base = int(ffi.cast("uintptr_t", ffi.from_buffer(self._data)))
        self.vectors = ffi.new("struct iovec[]", 2 * MAX_MESSAGES)
        data, stride = ffi.buffer(self.vectors), 2 * VECTOR_BYTES
        self._slotBases = words(data, 0, stride)
        self._slotLengths = words(data, WORD_BYTES, stride)
        first = self._base + size
        words(data, 2 * WORD_BYTES, stride)[:] = array("L", range(first, first + size, MAX_MESSAGE_BYTES))
        words(data, 3 * WORD_BYTES, stride)[:] = array("L", [MAX_MESSAGE_BYTES]) * MAX_MESSAGES
        self.length = 0
        self.aim(FIRST_SLOT_BYTES)

    def aim(self, length: int) -> None:
        """
        Give all slots this length.
        """
        self.length = length
        end = self._base + MAX_MESSAGES * length
        self._slotBases[:] = array("L", range(self._base, end, length))
        self._slotLengths[:] = array("L", [length]) * MAX_MESSAGES

    def inRow(self, start: int, length: int) -> bytes:
        """
        @param start: the index of a message.
        @param length: bytes to take.
        @return: the bytes from the beginning of its slot.
        """
        begin = start * self.length
        return self._data[begin : begin + length]

    def pieces(self, lengths: list[int]) -> list[bytes]:
        """
        @param lengths: the lengths of all messages, from the first on.
        @return: the data of each.
        """
        data, length = self._data, self.length
        starts = range(0, len(lengths) * length, length)
        if max(lengths) <= length:
            return [data[start : start + size] for start, size in zip(starts, lengths, strict=True)]
        overflows = range(self._overflowStart, self._overflowStart + self._overflowStart, MAX_MESSAGE_BYTES)
        return [
            data[start : start + min(size, length)] + data[overflow : overflow + max(size - length, 0)]
            for start, overflow, size in zip(starts, overflows, lengths, strict=False)
        ]
