"""
Trains that are sent with one system call each: the kernel, or the device, cuts them
(C{UDP_SEGMENT}).  Where that is refused, the datagrams go one by one, and the socket
remembers it.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Sequence

from twisted.logger import LogLevel

from uotp.boundaries import Address
from uotp.net import shownHost
from uotp.telemetry import Drop
from uotp.train import MAX_TRAIN_BYTES, Train, cut
from uotp.udp.base import SEND_DROPS, PortContext
from uotp.udp.ownaddress import withoutOwn

UDP_SEGMENT = 103
"""An option (linux/udp.h), and the control message that tells where to cut."""

MAX_SEGMENTS = 64
"""The kernel's UDP_MAX_SEGMENTS before it became 128."""

NEVER = 0
ALWAYS = MAX_TRAIN_BYTES + 1
"""Limits: datagrams of this length or longer go one by one.  With C{NEVER} all do, with C{ALWAYS} none."""

MAX_PATHS = 64
"""So many destinations are remembered for which trains were refused.  A forgotten one is tried once more."""

NOT_HERE = {errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.ENOSYS}
"""
Errors that say that a socket cannot do it at all: mostly EIO, from a device that does not
compute checksums, or from IPsec.
"""

TOO_LONG_TO_CUT = {errno.EMSGSIZE, errno.EINVAL}
"""
Errors that say, depending on the kernel's version, that a datagram does not fit the path in
one piece.  When it is sent alone, it is fragmented.
"""

SendEach = Callable[[Sequence[bytes], Address], bool]


class SegmentSender:
    """
    Sends trains through one socket.

    @ivar isConnected: whether the socket sends to one destination, which is known to it.
    """

    def __init__(self, udpSocket: socket.socket, context: PortContext, sendEach: SendEach) -> None:
        """
        @param sendEach: sends datagrams one by one, counts those that cannot be sent,
            and says whether any could.
        """
        self._context = context
        self._sendEach = sendEach
        self._sendmsg = udpSocket.sendmsg
        self.isConnected = False
        self._limit = ALWAYS if isKnown(udpSocket) else NEVER
        self._limits: dict[Address, int] = {}
        if self._limit == NEVER:
            self._say("this kernel cannot cut UDP trains, so datagrams are sent one by one, which takes longer")

    def send(self, train: Train, destination: Address) -> None:
        """
        Send a train of several datagrams, from the address of ours that the destination tells,
        if it tells one.
        """
        segment, payload = train
        limit = self._limit
        if self._limits:
            limit = min(limit, self._limits.get(destination, limit))
        most = min(MAX_TRAIN_BYTES // segment, MAX_SEGMENTS) * segment
        if segment >= limit or most <= segment:
            self._sendEach(cut(train), destination)
            return
        remote = destination
        control: tuple[tuple[int, int, bytes], ...] = ((socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", segment)),)
        if destination[-1].__class__ is bytes:
            remote, own = withoutOwn(destination)
            control = (*control, *own)
        for start in range(0, len(payload), most):
            part = payload[start : start + most]
            if len(part) <= segment:
                self._sendEach([part], destination)
                return
            try:
                self._sendmsg((part,), control, 0, None if self.isConnected else remote)
            except OSError as error:
                self._refused(error.errno or 0, Train(segment, part), destination)

    def _refused(self, number: int, train: Train, destination: Address) -> None:
        """
        Send the datagrams of a train that was refused one by one.  If that works, the train
        itself was refused, and this is remembered.  If not, the destination was refused, or
        the error told of a datagram that was sent before.
        """
        if SEND_DROPS.get(number) is Drop.SEND_BUFFER_FULL:
            self._context.drops.count(Drop.SEND_BUFFER_FULL, train.datagrams)
        elif self._sendEach(cut(train), destination):
            if number in NOT_HERE:
                self._limit = NEVER
                self._say(
                    "a device or path cannot take UDP trains, so datagrams are sent one by one, which takes longer"
                )
            elif number in TOO_LONG_TO_CUT:
                self._remember(train.segment, destination)

    def _remember(self, segment: int, destination: Address) -> None:
        if len(self._limits) >= MAX_PATHS:
            self._limits.clear()
        self._limits[destination] = segment
        self._say(
            "datagrams of {segment} bytes are longer than the path to {host} carries in one piece: sending them one by"
            " one, in fragments, takes longer",
            segment=segment,
            host=shownHost(destination[0]),
        )

    def _say(self, words: str, **fields: object) -> None:
        self._context.sayOnce(LogLevel.info, words, **fields)


def isKnown(udpSocket: socket.socket) -> bool:
    """
    @return: whether the kernel knows C{UDP_SEGMENT}.  One that does not would send a
        train as one datagram.
    """
    try:
        udpSocket.getsockopt(socket.IPPROTO_UDP, UDP_SEGMENT)
    except OSError:
        return False
    return True
