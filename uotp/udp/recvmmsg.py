"""
Many datagrams are received with one system call.

One comparison of bytes tells whether a batch lies in the buffers as one train.  If it does
not, its messages are sorted by source, and joined where they fit.  The whole process shares
the buffers: it has one thread, and takes copies out of them.
"""

from __future__ import annotations

import functools
import os
from array import array

from uotp.train import MAX_TRAIN_BYTES, Train, couple
from uotp.udp.abi import (
    CONTROL_BYTES,
    CUT_OFF,
    MMSGHDR_BYTES,
    NAME_BYTES,
    WITHOUT_WAITING,
    Recvmmsg,
    ffi,
    ints,
    recvmmsg,
    words,
)
from uotp.udp.buffers import MAX_MESSAGES, ReceiveBuffers

Batch = tuple[int, int, int, list[tuple[bytes, list[Train]]]]
"""
What one call has brought: the number of messages, the bytes of the longest, the number of
those that were cut off and so are lost, and the trains of each source with its raw name.
"""


class BatchReceiver:
    """
    Receives batches on sockets of one family.

    @ivar controlBytes: how much room each message has for control messages.
    @ivar controlData: where these lie.
    @ivar controls: the length of the control messages of each message.
    @ivar controlsOfLone: the lengths that they have where a message is one datagram.
    @ivar segments: what the first of them tells, if it is how long the datagrams are.
    """

    def __init__(
        self,
        family: int,
        slots: ReceiveBuffers,
        receive: Recvmmsg = recvmmsg,
        controlBytes: int = CONTROL_BYTES,
    ) -> None:
        """
        @param family: C{AF_INET} or C{AF_INET6}.
        @param slots: the buffers that are filled.
        @param receive: C{recvmmsg}, or its twin.
        """
        self.controlBytes = controlBytes
        self.controlsOfLone: tuple[int, ...] = (0,)
        self._slots = slots
        self._receive = receive
        self._nameBytes = NAME_BYTES[family]
        self._headers = ffi.new("struct mmsghdr[]", MAX_MESSAGES)
        self._nameData = ffi.new("char[]", MAX_MESSAGES * self._nameBytes)
        self._controlMemory = ffi.new("char[]", MAX_MESSAGES * controlBytes)
        for number in range(MAX_MESSAGES):
            header = self._headers[number].msg_hdr
            header.msg_name = self._nameData + number * self._nameBytes
            header.msg_namelen = self._nameBytes
            header.msg_iov = slots.vectors + 2 * number
            header.msg_iovlen = 2
            header.msg_control = self._controlMemory + number * controlBytes
            header.msg_controllen = controlBytes
        self._header = ffi.buffer(self._headers)
        self._names = ffi.buffer(self._nameData)
        self._fresh = bytes(self._header)
        offset = ffi.offsetof("struct mmsghdr", "msg_len")
        self._lengths = ints(self._header, offset, MMSGHDR_BYTES)
        self._flags = ints(self._header, ffi.offsetof("struct msghdr", "msg_flags"), MMSGHDR_BYTES)
        control = ffi.offsetof("struct msghdr", "msg_controllen")
        self.controls = words(self._header, control, MMSGHDR_BYTES)
        self.controlData = ffi.buffer(self._controlMemory)
        self.segments = ints(self.controlData, ffi.offsetof("struct control", "segment"), controlBytes)
        # The headers as they are after a batch in which each message fills its slot:
        self._uniform = bytearray(self._fresh)
        self._uniformControls = words(self._uniform, control, MMSGHDR_BYTES)
        self._uniformLengths = ints(self._uniform, offset, MMSGHDR_BYTES)
        self._uniformLength = self._uniformControl = -1

    def receive(self, descriptor: int, expected: int, most: int) -> Batch:
        """
        Receive what has come.

        @param descriptor: a socket that does not block.
        @param expected: the length that most messages are expected to have, in bytes.
        @param most: how many messages to receive, up to L{MAX_MESSAGES}.
        @raise OSError: when there is none.
        """
        slots = self._slots
        if expected != slots.length:
            slots.aim(expected)
        count = self._receive(descriptor, self._headers, most, WITHOUT_WAITING, ffi.NULL)
        if count <= 0:
            raise OSError(ffi.errno, os.strerror(ffi.errno))
        try:
            return self.uniformCatch(count) or self._mixedCatch(count)
        finally:
            used = count * MMSGHDR_BYTES
            self._header[:used] = self._fresh[:used]

    def uniformCatch(self, count: int) -> Batch | None:
        """
        @return: what has come, if it lies there as one train: all of it is from one source,
            each message is as long as its slot, and the last may be shorter; otherwise
            L{None}.
        """
        length = self._slots.length
        if length != self._uniformLength:
            self._uniformLength = length
            self._uniformLengths[:] = array("i", [length]) * MAX_MESSAGES
        before = count - 1
        control = self.controls[before]
        if control != self._uniformControl:
            if control not in self.controlsOfLone:
                return None
            self._uniformControl = control
            self._uniformControls[:] = array("L", [control]) * MAX_MESSAGES
        last = self._lengths[before]
        if (
            not 0 < last <= length
            or self._flags[before]
            or not self._uniform.startswith(self._header[: before * MMSGHDR_BYTES])
        ):
            return None
        name = self._names[: self._nameBytes]
        if before and name * count != self._names[: count * self._nameBytes]:
            return None
        segment = length if before else last
        size = before * length + last
        if size <= MAX_TRAIN_BYTES:
            trains = [Train(segment, self._slots.inRow(0, size))]
        else:
            most = MAX_TRAIN_BYTES // length or 1
            trains = [
                Train(segment, self._slots.inRow(start, min(most * length, size - start * length)))
                for start in range(0, count, most)
            ]
        return count, segment, 0, [(name, trains)]

    def _mixedCatch(self, count: int) -> Batch:
        lengths = self._lengths[:count].tolist()
        pieces = self._slots.pieces(lengths)
        messages = list(zip(pieces, self.segmentsOf(count), strict=True))
        cutOff = [message for message, flags in enumerate(self._flags[:count].tolist()) if flags & CUT_OFF]
        sources = self.sourcesOf(count)
        if not cutOff and len(sources) == 1:
            return count, max(lengths), 0, [(sources[0], couple(messages))]
        bySource: dict[bytes, list[tuple[bytes, int]]] = {}
        for number, message in enumerate(messages):
            if number not in cutOff:
                bySource.setdefault(sources[number if len(sources) > 1 else 0], []).append(message)
        return count, max(lengths), len(cutOff), [(source, couple(some)) for source, some in bySource.items()]

    def segmentsOf(self, count: int) -> list[int]:
        """
        @return: how long the datagrams in each message are, or 0 where it is one datagram.
        """
        controls = self.controls[:count].tolist()
        if not any(controls):
            return controls
        told = self.segments[:count].tolist()
        return [each if control else 0 for each, control in zip(told, controls, strict=True)]

    def sourcesOf(self, count: int) -> list[bytes]:
        """
        @return: the raw name of who has sent each message; or one, if all have the same.
        """
        width = self._nameBytes
        names = self._names[: count * width]
        if names[:width] * count == names:
            return [names[:width]]
        return [names[start : start + width] for start in range(0, count * width, width)]


@functools.cache
def batchesFor(family: int) -> BatchReceiver:
    """
    @return: the receiver that all sockets of a family share.
    """
    return BatchReceiver(family, processSlots())


@functools.cache
def processSlots() -> ReceiveBuffers:
    """
    @return: the buffers of this process.
    """
    return ReceiveBuffers()
