"""
What Linux says of its routes, by netlink: by which interface a packet leaves that has a firewall mark, and which marks
the rules of policy routing name.  Where there is no netlink, nothing is known.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from ipaddress import ip_address

try:
    import fcntl
except ImportError:  # Windows has none of all this
    HAS_FCNTL = False
else:
    HAS_FCNTL = True

__all__ = ["interfaceTo", "isTunnelInterface", "markedRules"]

NLMSG_HEADER = struct.Struct("=IHHII")
"""Length, type, flags, sequence number and port of a message of netlink (linux/netlink.h)."""

ROUTE_MESSAGE = struct.Struct("=BBBBBBBBI")
"""Linux's struct rtmsg, and as long as struct fib_rule_hdr: the family is the first byte."""

ATTRIBUTE = struct.Struct("=HH")
"""Length and type of an attribute."""

GET_ROUTE, NEW_ROUTE = 26, 24
GET_RULE, NEW_RULE = 34, 32
IS_REQUEST, IS_DUMP = 1, 0x300
NLMSG_DONE, NLMSG_ERROR = 3, 2
"""Numbers of messages and flags (linux/rtnetlink.h)."""

RTA_DST, RTA_OIF, RTA_MARK = 1, 4, 16
FRA_FWMARK = 10
"""Numbers of attributes."""

SIOCGIFHWADDR = 0x8927
"""Asks for the address and the type of an interface (linux/sockios.h)."""

NO_HARDWARE = 0xFFFE
"""ARPHRD_NONE of linux/if_arp.h."""

ANSWER_BYTES = 65536
"""An answer of the kernel has room in so many bytes."""

MOST_ANSWERS = 64
"""So many parts of an answer are read: a host has a handful of rules."""

KERNEL_SECONDS = 1.0
"""The kernel answers at once."""


def interfaceTo(host: str, mark: int | None = None) -> str | None:
    """
    @param host: a numeric address.
    @param mark: of the packets, or L{None}.
    @return: the name of the interface by which they leave; L{None} where nothing leads there, or the system does not
        tell.
    """
    try:
        address = ip_address(host.partition("%")[0])
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 - of IP
        request = ROUTE_MESSAGE.pack(family, len(address.packed) * 8, 0, 0, 0, 0, 0, 0, 0)
        request += attribute(RTA_DST, address.packed)
        if mark is not None:
            request += attribute(RTA_MARK, struct.pack("=I", mark))
        for kind, payload in ask(GET_ROUTE, IS_REQUEST, request):
            if kind == NEW_ROUTE:
                index = attributesOf(payload).get(RTA_OIF)
                return None if index is None else socket.if_indextoname(int.from_bytes(index, sys.byteorder))
    except (OSError, ValueError, AttributeError, struct.error):
        return None
    return None


def isTunnelInterface(name: str) -> bool:
    """
    @param name: of an interface.
    @return: whether it has no hardware under it, as that of a WireGuard or of a program with a TUN device.
    """
    if not HAS_FCNTL:
        return False
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            told = fcntl.ioctl(probe.fileno(), SIOCGIFHWADDR, struct.pack("=16s24x", name.encode()[:15]))
    except OSError:
        return False
    return int(struct.unpack_from("=H", told, 16)[0]) == NO_HARDWARE


def markedRules() -> set[int] | None:
    """
    @return: the marks that rules of policy routing name; L{None} where the system does not tell.
    """
    marks = set()
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            request = ROUTE_MESSAGE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
            for kind, payload in ask(GET_RULE, IS_REQUEST | IS_DUMP, request):
                mark = attributesOf(payload).get(FRA_FWMARK) if kind == NEW_RULE else None
                if mark is not None:
                    marks.add(struct.unpack("=I", mark)[0])
    except (OSError, ValueError, AttributeError, struct.error):
        return None
    return marks


def attribute(kind: int, value: bytes) -> bytes:
    """
    @return: an attribute of a message, with what fills it up to a multiple of four bytes.
    """
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def attributesOf(payload: bytes) -> dict[int, bytes]:
    """
    @param payload: of a message, with its fixed part.
    @return: the attributes behind that.
    """
    found, start = {}, ROUTE_MESSAGE.size
    while start + ATTRIBUTE.size <= len(payload):
        size, kind = ATTRIBUTE.unpack_from(payload, start)
        if size < ATTRIBUTE.size:
            break
        found[kind] = payload[start + ATTRIBUTE.size : start + size]
        start += size + -size % 4
    return found


def ask(kind: int, flags: int, request: bytes) -> Iterator[tuple[int, bytes]]:
    """
    Ask the kernel.

    @return: type and payload of each message of its answer.
    @raise OSError: when it does not answer.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(KERNEL_SECONDS)
        kernel.send(NLMSG_HEADER.pack(NLMSG_HEADER.size + len(request), kind, flags, 1, 0) + request)
        for _ in range(MOST_ANSWERS):
            answer = kernel.recv(ANSWER_BYTES)
            for came, payload in messagesOf(answer):
                if came in {NLMSG_DONE, NLMSG_ERROR}:
                    return
                yield came, payload
            if flags & IS_DUMP != IS_DUMP:
                return


def messagesOf(answer: bytes) -> Iterator[tuple[int, bytes]]:
    """
    @return: type and payload of each message in what was read.
    """
    start = 0
    while start + NLMSG_HEADER.size <= len(answer):
        size, kind, *_ = NLMSG_HEADER.unpack_from(answer, start)
        if size < NLMSG_HEADER.size:
            return
        yield kind, answer[start + NLMSG_HEADER.size : start + size]
        start += size + -size % 4
