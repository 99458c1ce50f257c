"""
Batches of a port that is bound to no address: each message tells which address of ours it
was sent to, beside who has sent it.
"""

from __future__ import annotations

import functools
import socket

from uotp.udp.abi import CONTROL_BYTES, UDP_GRO, Recvmmsg, ffi, ints, recvmmsg
from uotp.udp.buffers import MAX_MESSAGES, ReceiveBuffers
from uotp.udp.ownaddress import INFO_BYTES
from uotp.udp.recvmmsg import Batch, BatchReceiver, processSlots


class AddressedBatchReceiver(BatchReceiver):
    """
    Receives batches on sockets that tell of each message which address it was sent to.  In
    place of the raw name of a source, a parcel has that name with the control messages behind
    it that tell the address; see L{uotp.udp.ownaddress.sourceOf}.
    """

    def __init__(self, family: int, slots: ReceiveBuffers, receive: Recvmmsg = recvmmsg) -> None:
        """
        See L{BatchReceiver}.
        """
        lengths = INFO_BYTES[family]
        super().__init__(family, slots, receive, CONTROL_BYTES + lengths[-1])
        self.controlsOfLone = (0, *lengths)
        self._nothing = bytes(MAX_MESSAGES * self.controlBytes)
        self._levels = ints(self.controlData, ffi.offsetof("struct control", "cmsg_level"), self.controlBytes)
        self._kinds = ints(self.controlData, ffi.offsetof("struct control", "cmsg_type"), self.controlBytes)

    def receive(self, descriptor: int, expected: int, most: int) -> Batch:
        """
        See L{BatchReceiver.receive}.
        """
        try:
            return super().receive(descriptor, expected, most)
        finally:
            self.controlData[:] = self._nothing  # the kernel leaves gaps, and they are compared

    def uniformCatch(self, count: int) -> Batch | None:
        """
        See L{BatchReceiver.uniformCatch}.
        """
        batch = super().uniformCatch(count)
        if batch is None:
            return None
        infos = self._infos(count)
        if len(infos) > 1:
            return None
        _, segment, _, [(name, trains)] = batch
        return count, segment, 0, [(name + infos[0], trains)]

    def segmentsOf(self, count: int) -> list[int]:
        """
        See L{BatchReceiver.segmentsOf}.
        """
        told = self.segments[:count].tolist()
        return [each if self._isJoined(number) else 0 for number, each in enumerate(told)]

    def sourcesOf(self, count: int) -> list[bytes]:
        """
        See L{BatchReceiver.sourcesOf}.
        """
        names, infos = super().sourcesOf(count), self._infos(count)
        if len(names) == len(infos) == 1:
            return [names[0] + infos[0]]
        names, infos = (each * count if len(each) == 1 else each for each in (names, infos))
        return [name + info for name, info in zip(names, infos, strict=True)]

    def _isJoined(self, number: int) -> bool:
        """
        @return: whether the kernel has joined the datagrams of a message.
        """
        return self._kinds[number] == UDP_GRO and self._levels[number] == socket.IPPROTO_UDP

    def _infos(self, count: int) -> list[bytes]:
        """
        @return: the control messages that tell our address, of each message; or of one, if they
            are the same for all.
        """
        width = self.controlBytes
        control = self.controlData[: count * width]
        lengths = self.controls[:1] if control[:width] * count == control else self.controls[:count]
        return [
            control[number * width + (CONTROL_BYTES if self._isJoined(number) else 0) : number * width + length]
            for number, length in enumerate(lengths.tolist())
        ]


@functools.cache
def addressedBatchesFor(family: int) -> AddressedBatchReceiver:
    """
    @return: the receiver that all sockets of a family share.
    """
    return AddressedBatchReceiver(family, processSlots())
