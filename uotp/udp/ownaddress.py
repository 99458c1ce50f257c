"""
Which address of ours a datagram was sent to, where a port is bound to no address.

A host may have several addresses, and whoever asks one of them expects the answer from there.
A port that is bound to one address answers from that.  One that is bound to none is told by
Linux, for each datagram, which address that was sent to (C{IP_PKTINFO}, C{IPV6_PKTINFO}), and
tells Linux which one an answer comes from.

There a source is an address with one more item: our own address, as bytes that the kernel
takes.  So sources that send to two addresses of ours are two sources, and an answer finds its
way by what it is sent to.  The network interface is left to the kernel, since routes change;
only a link-local address of IPv6 means nothing without it.
"""

from __future__ import annotations

import functools
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any

from uotp.boundaries import Address
from uotp.udp.abi import CONTROL_BYTES, MAX_ADDRESSES, NAME_BYTES, addressOf

IP_PKTINFO = 8
IPV6_RECVPKTINFO = 49
IPV6_PKTINFO = 50
"""Options, and control messages, of Linux (linux/in.h, linux/in6.h)."""

Message = tuple[int, int, bytes]
"""A control message as the socket module has it: level, type and data."""

INFO4 = struct.Struct("=i4s4s")
"""struct in_pktinfo: interface, address that answers come from, address in the header."""

INFO6 = struct.Struct("=16si")
"""struct in6_pktinfo: address and interface."""

KINDS = {INFO4.size: (socket.IPPROTO_IP, IP_PKTINFO), INFO6.size: (socket.IPPROTO_IPV6, IPV6_PKTINFO)}
"""Level and type of the control message that tells where an answer comes from, by its size."""

CMSGHDR = struct.Struct("@Nii")
"""struct cmsghdr: length with this header, level and type."""

INFO_BYTES: dict[int, tuple[int, ...]] = {
    socket.AF_INET: (socket.CMSG_SPACE(INFO4.size),),
    socket.AF_INET6: (socket.CMSG_SPACE(INFO6.size), socket.CMSG_SPACE(INFO6.size) + socket.CMSG_SPACE(INFO4.size)),
}
"""
How long the control messages with our address are.  A socket for IPv6 tells it twice of a
datagram of IPv4, and only the second one is right where that was sent to everybody.
"""

MAX_CONTROL_BYTES = CONTROL_BYTES + max(*INFO_BYTES[socket.AF_INET], *INFO_BYTES[socket.AF_INET6])
"""So much the control messages of one datagram take at the most."""

ANY4 = bytes(4)
ANY6 = bytes(16)
MAPPED = bytes(10) + b"\xff\xff"
"""What stands before an address of IPv4 that is written as one of IPv6."""

MULTICAST6 = 0xFF
LINK_LOCAL6 = 0xFE80
LINK_LOCAL6_MASK = 0xFFC0
"""How addresses of IPv6 begin that are many hosts', and that are valid on one link only."""


def askForOwnAddress(udpSocket: socket.socket) -> None:
    """
    Let the kernel tell of each datagram which address it was sent to.  Do this before the
    socket is bound, or it is not told of the first ones.

    @raise OSError: when the kernel does not.
    """
    if udpSocket.family == socket.AF_INET6:
        udpSocket.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
    udpSocket.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


@functools.lru_cache(maxsize=MAX_ADDRESSES)
def sourceOf(raw: bytes) -> Address:
    """
    @param raw: a struct sockaddr, and behind it the control messages of a datagram.
    @return: the source, with our own address if that is told.
    """
    size = NAME_BYTES[int.from_bytes(raw[:2], sys.byteorder)]
    source = addressOf(raw[:size])
    messages = list(messagesIn(raw[size:]))
    return withOwn(source, messages[-1]) if messages else source


def messagesIn(control: bytes) -> Iterator[Message]:
    """
    @param control: control messages as they lie in memory.
    @return: each of them.
    """
    while len(control) >= CMSGHDR.size:
        length, level, kind = CMSGHDR.unpack_from(control)
        size = max(length - socket.CMSG_LEN(0), 0)
        yield level, kind, control[socket.CMSG_LEN(0) : length]
        control = control[socket.CMSG_SPACE(size) :]


@functools.lru_cache(maxsize=MAX_ADDRESSES)
def withOwn(source: Address, message: Message) -> Address:
    """
    @param source: as C{socket.recvfrom} gives it.
    @param message: the last control message of a datagram.
    @return: the source with our own address, if the message tells one that may be answered
        from; otherwise the source alone, and the kernel chooses where answers come from.
    """
    level, kind, data = message
    if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
        _, own, _ = INFO4.unpack(data)
        if own == ANY4:
            return source
        isMapped = ":" in source[0]
        return (*source, INFO6.pack(MAPPED + own, 0) if isMapped else INFO4.pack(0, own, ANY4))
    if (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO):
        own, interface = INFO6.unpack(data)
        if own == ANY6 or own[0] == MULTICAST6:
            return source
        isLinkLocal = int.from_bytes(own[:2], "big") & LINK_LOCAL6_MASK == LINK_LOCAL6
        return (*source, INFO6.pack(own, interface if isLinkLocal else 0))
    return source


def withoutOwn(address: Address) -> tuple[Address, tuple[Message, ...]]:
    """
    @param address: a source, with our own address or without.
    @return: where to send, and the control messages that tell where that comes from.
    """
    own = address[-1]
    if own.__class__ is not bytes:
        return address, ()
    return address[:-1], ((*KINDS[len(own)], own),)


def ownAddress(address: Address, port: int) -> Address | None:
    """
    @param address: a source.
    @param port: the number of our port.
    @return: our own address, as a socket is bound to it; L{None} where it is not told.
    """
    own: Any = address[-1]
    if own.__class__ is not bytes:
        return None
    if len(own) == INFO4.size:
        return socket.inet_ntoa(INFO4.unpack(own)[1]), port
    host, interface = INFO6.unpack(own)
    return socket.inet_ntop(socket.AF_INET6, host), port, 0, interface
