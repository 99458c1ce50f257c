"""
What stands in for Linux under a UDP port: trains come by C{recvmmsg} and go by C{sendmsg}.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.doubles.udpsockets import FakeUdpSocket, trouble
from uotp.boundaries import Address
from uotp.net.sockopts import UDP_BUFFER_BYTES
from uotp.train import MAX_TRAIN_BYTES, Train, cut

if sys.platform == "linux":
    from uotp.udp import abi

ERROR_QUEUE = 0x2000
"""The flag that asks for an error, and not for a datagram."""


def nameOf(number: int) -> bytes:
    """
    @return: a struct sockaddr_in: port 7000 and some, at 10.0.0.1 and so on.
    """
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H4B8x", 7000 + number, 10, 0, 0, number + 1)


ControlMessage = tuple[int, int, bytes]
"""Level, type and data."""

UDP_GRO = 104
UDP_SEGMENT = 103
IP_PKTINFO = 8
IPV6_PKTINFO = 50
"""Types of control messages of Linux."""


def ownAddresses(host: str, interface: int = 1, header: str = "") -> tuple[ControlMessage, ...]:
    """
    @param host: the address of ours to which something was sent.
    @param interface: where it came in.
    @param header: the address that stands in it, if that is another one.
    @return: what a socket for IPv4 is told of it; or for an address of IPv6, what one for IPv6 is told.
    """
    if ":" not in host:
        told = [socket.inet_aton(each) for each in (host, header or host)]
        return ((socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=i4s4s", interface, *told)),)
    packed = socket.inet_pton(socket.AF_INET6, header or host)
    six = (socket.IPPROTO_IPV6, IPV6_PKTINFO, struct.pack("=16si", packed, interface))
    if not host.startswith("::ffff:"):
        return (six,)
    return six, *ownAddresses(host[7:], interface, header[7:])


class Message(NamedTuple):
    """
    Holds a message as the kernel has it for us.

    @ivar segment: the length of the datagrams in it, if it has coalesced some.
    @ivar flags: what the kernel adds.
    @ivar own: the control messages that tell which address of ours it was sent to.
    """

    data: bytes
    name: bytes = nameOf(0)
    segment: int = 0
    flags: int = 0
    own: tuple[ControlMessage, ...] = ()

    def control(self) -> list[ControlMessage]:
        """
        @return: all its control messages.
        """
        joined = [(socket.IPPROTO_UDP, UDP_GRO, struct.pack("=i", self.segment))] if self.segment else []
        return [*joined, *self.own]

    def datagrams(self) -> list[bytes]:
        return cut(Train(self.segment or len(self.data), self.data))


class FakeKernel:
    """
    Does C{recvmmsg} on real structures.

    @ivar waiting: what is received next, or goes wrong next.
    @ivar aside: the same for each descriptor that has something of its own.
    @ivar asked: how many messages each call has asked for.
    @ivar batchTrouble: what each call of C{recvmmsg} fails with, or 0.
    """

    def __init__(self) -> None:
        self.batchTrouble = 0
        self.waiting: deque[Message | OSError] = deque()
        self.aside: dict[int, deque[Message | OSError]] = {}
        self.asked: list[int] = []

    def recvmmsg(self, descriptor: int, headers: Any, most: int, flags: int, timeout: Any) -> int:
        """
        Fill as many structures as there are messages, as Linux does it.
        """
        self.asked.append(most)
        if self.batchTrouble:
            abi.ffi.errno = self.batchTrouble
            return -1
        count, waiting = 0, self.aside.get(descriptor, self.waiting)
        while count < most and waiting and isinstance(waiting[0], Message):
            self._fill(headers[count], waiting[0])
            waiting.popleft()
            count += 1
        if count:
            return count
        reason = waiting.popleft() if waiting else trouble(errno.EAGAIN)
        assert isinstance(reason, OSError)
        abi.ffi.errno = reason.errno
        return -1

    def _fill(self, entry: Any, message: Message) -> None:
        ffi, header = abi.ffi, entry.msg_hdr
        assert header.msg_namelen == len(message.name)
        ffi.memmove(header.msg_name, message.name, len(message.name))
        left = message.data
        for number in range(header.msg_iovlen):
            vector = header.msg_iov[number]
            ffi.memmove(vector.iov_base, left[: vector.iov_len], min(len(left), vector.iov_len))
            left = left[vector.iov_len :]
        assert not left
        entry.msg_len = len(message.data)
        place, room = header.msg_control, header.msg_controllen
        for level, kind, told in message.control():
            length = socket.CMSG_LEN(len(told))
            size = min(socket.CMSG_SPACE(len(told)), room)
            assert length <= room
            ffi.memmove(place, struct.pack("@Nii", length, level, kind) + told, length)  # the gap behind it stays
            place, room = place + size, room - size
        header.msg_controllen -= room
        header.msg_flags = message.flags


class LinuxFakeSocket(FakeUdpSocket):
    """
    Does what it was told with each call, or fails.

    @ivar trainTrouble: what C{sendmsg} raises, by the length of the datagrams in the train or for all (0).
    @ivar trains: what was sent as a train.
    @ivar sentFrom: for each call of C{sendmsg}, the control messages that told where it came from.
    @ivar options: the options that were set.
    @ivar complaints: errors of datagrams sent before, and where each was sent to.
    @ivar unknown: options that this kernel does not know.
    """

    family = socket.AF_INET

    def __init__(self, kernel: FakeKernel, unknown: Sequence[int] = ()) -> None:
        super().__init__()
        self._kernel = kernel
        self.unknown = unknown
        self.trainTrouble: dict[int, int] = {}
        self.trains: list[tuple[Train, Address]] = []
        self.sentFrom: list[tuple[ControlMessage, ...]] = []
        self.options: list[tuple[int, int]] = []
        self.complaints: deque[tuple[int, Address]] = deque()
        self.attempts = 0

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.getsockopt(level, option)
        self.options.append((level, option))

    def getsockopt(self, level: int, option: int, size: int = 0) -> int:
        if option in self.unknown or size:  # it tells nothing that is longer than a number
            raise trouble(errno.ENOPROTOOPT)
        return 2 * UDP_BUFFER_BYTES if option == socket.SO_RCVBUF else 0

    def sendmsg(self, parts: Sequence[bytes], control: Any, flags: int, destination: Address) -> None:
        own = tuple(each for each in control if each[:2] != (socket.IPPROTO_UDP, UDP_SEGMENT))
        self.sentFrom.append(own)
        if len(own) == len(control):
            self.sendto(b"".join(parts), destination)
            return
        self.attempts += 1
        (segment,) = struct.unpack("=H", control[0][2])
        train = Train(segment, b"".join(parts))
        assert 1 < train.datagrams <= 64
        assert len(train.payload) <= MAX_TRAIN_BYTES
        number = self.trainTrouble.get(segment, self.trainTrouble.get(0))
        if number:
            raise trouble(number)
        self.trains.append((train, destination))

    def recvmsg(self, size: int, controlSize: int, flags: int = 0) -> tuple[bytes, list[ControlMessage], int, Address]:
        if flags:
            assert flags == ERROR_QUEUE
            if not self.complaints:
                raise trouble(errno.EAGAIN)
            number, destination = self.complaints.popleft()
            error = struct.pack("=IBBBBII16x", number, 2, 3, 3, 0, 0, 0)
            return b"", [(socket.SOL_SOCKET, 29, b"when"), (0, 11, error)], ERROR_QUEUE, destination
        self._kernel.asked.append(-1)
        message = self._kernel.waiting.popleft() if self._kernel.waiting else trouble(errno.EAGAIN)
        if isinstance(message, OSError):
            raise message
        return message.data, message.control(), message.flags, abi.addressOf(message.name)
