"""
Which of several sockets at one address and port gets what comes in, where each worker has one: the
kernel asks a small program, in the classic language of BPF, for the number of the socket.  The
program hashes where a packet comes from: of a TCP connection the address alone, so that all
tunnels of a client meet in one worker, whatever ports they come from; of a datagram the address and
the port, so that each source keeps its worker.  Of an IPv6 address the /64 counts, which is one
household.

The numbers are those in which the sockets have begun to listen.  So they stay as they are while
all sockets stay open, and who owns them must not be a worker, which may die.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from uotp.net.zones import bindable, hostOf

SO_ATTACH_REUSEPORT_CBPF = 51
"""A number of Linux 4.6 (asm-generic/socket.h)."""

SKF_NET_OFF = 0xFFF00000
"""An offset of -0x100000 (linux/filter.h): what is added to it counts from the header of IP."""

LOAD_WORD, LOAD_HALF, LOAD_BYTE, LOAD_HALF_BEHIND_X = 0x20, 0x28, 0x30, 0x48
MULTIPLY, MODULO, AND, SHIFT_LEFT, SHIFT_RIGHT = 0x24, 0x94, 0x54, 0x64, 0x74
XOR_X, COPY_TO_X, JUMP, JUMP_IF_EQUAL, RETURN = 0xAC, 0x07, 0x05, 0x15, 0x16
"""
Instructions by their numbers (linux/bpf_common.h).  What they load and reckon with is the
accumulator; X is a second register.
"""

GOLDEN, MIXER = 0x9E3779B1, 0x85EBCA6B
"""
Odd numbers without a pattern, to multiply by: 2^32 by the golden ratio, and one of MurmurHash3.
Addresses that differ in their last bit only differ in all bits then.
"""

VERSION_BITS, VERSION_4 = 0xF0, 0x40
"""The first byte of an IP header has the version in its upper half."""

LENGTH_BITS = 0x0F
"""And in its lower half the length of an IPv4 header, in words of four bytes."""

IPV4_SOURCE = 12
IPV6_SOURCE, IPV6_SOURCE_SECOND = 8, 12
"""Where the source's address stands: all of IPv4, and the two words that are the /64 of IPv6."""

IPV6_HEADER_BYTES = 40
"""Where UDP begins behind IPv6 without extensions.  With some, other bytes of the packet are hashed in its place."""


class Instruction(NamedTuple):
    """
    Is one instruction of a classic BPF program.

    @ivar otherwise: how many instructions a comparison that does not hold passes over.
    """

    code: int
    operand: int = 0
    otherwise: int = 0

    def encoded(self) -> bytes:
        """
        @return: as C{struct sock_filter} has it.
        """
        return struct.pack("HBBI", self.code, 0, self.otherwise, self.operand)


PORT_BEHIND_IPV4 = (
    Instruction(LOAD_BYTE, SKF_NET_OFF),
    Instruction(AND, LENGTH_BITS),
    Instruction(SHIFT_LEFT, 2),
    Instruction(COPY_TO_X),
    Instruction(LOAD_HALF_BEHIND_X, SKF_NET_OFF),
)
PORT_BEHIND_IPV6 = (Instruction(LOAD_HALF, SKF_NET_OFF + IPV6_HEADER_BYTES),)
"""Load the source's port, which stands first in UDP."""

NO_PORT = (Instruction(LOAD_BYTE, SKF_NET_OFF),)
"""Load the same of every packet."""


def mixedWith(offset: int) -> tuple[Instruction, ...]:
    """
    @param offset: of a word in the header of IP.
    @return: what hashes that together with what is in the accumulator.
    """
    return (
        Instruction(MULTIPLY, MIXER),
        Instruction(COPY_TO_X),
        Instruction(LOAD_WORD, SKF_NET_OFF + offset),
        Instruction(XOR_X),
        Instruction(MULTIPLY, GOLDEN),
    )


def steeringProgram(sockets: int, *, byPort: bool) -> tuple[Instruction, ...]:
    """
    @param sockets: how many there are.
    @param byPort: whether the port of the source counts too.
    @return: a program that returns the number of one of them.
    """
    four = (*(PORT_BEHIND_IPV4 if byPort else NO_PORT), *mixedWith(IPV4_SOURCE))
    six = (
        *(PORT_BEHIND_IPV6 if byPort else NO_PORT),
        *mixedWith(IPV6_SOURCE),
        *mixedWith(IPV6_SOURCE_SECOND),
    )
    return (
        Instruction(LOAD_BYTE, SKF_NET_OFF),
        Instruction(AND, VERSION_BITS),
        Instruction(JUMP_IF_EQUAL, VERSION_4, len(four) + 1),
        *four,
        Instruction(JUMP, len(six)),
        *six,
        Instruction(COPY_TO_X),
        Instruction(SHIFT_RIGHT, 15),
        Instruction(XOR_X),
        Instruction(MULTIPLY, MIXER),
        Instruction(SHIFT_RIGHT, 16),
        Instruction(MODULO, sockets),
        Instruction(RETURN),
    )


def steer(one: socket.socket, sockets: int, *, byPort: bool) -> None:
    """
    Let a program choose among all sockets at an address and port.

    @param one: any of them.
    @param sockets: how many there are.
    @param byPort: see L{steeringProgram}.
    @raise OSError: when the system has no such thing.
    """
    program = steeringProgram(sockets, byPort=byPort)
    encoded = ctypes.create_string_buffer(b"".join(each.encoded() for each in program))
    one.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, struct.pack("HP", len(program), ctypes.addressof(encoded))
    )


def steeringTrouble() -> str | None:
    """
    @return: why several workers cannot listen at one port here, or L{None} when they can.
    """
    if sys.platform != "linux":
        return "only Linux tells each connection which worker it is for"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            steer(probe, 2, byPort=True)
        except OSError as error:
            return f"the kernel cannot tell each connection which worker it is for ({error.strerror or error})"
    return None


class SocketGroup:
    """
    Holds sockets that are bound to the same address and port, one for each worker.

    @ivar sockets: in the order of the workers.
    """

    def __init__(self, sockets: list[socket.socket]) -> None:
        """
        @param sockets: at least one.
        """
        self.sockets = sockets

    @property
    def pair(self) -> tuple[str, int]:
        """
        The address and the port.
        """
        name = self.sockets[0].getsockname()
        return hostOf(name), name[1]

    def close(self) -> None:
        """
        Close all of them.
        """
        for each in self.sockets:
            each.close()


def prepareNothing(_: socket.socket) -> None:
    """
    Leave a socket as it is.
    """


def listenGroup(
    address: tuple[str, int], count: int, backlog: int, prepare: Callable[[socket.socket], None] = prepareNothing
) -> SocketGroup:
    """
    Listen with several TCP sockets at one address and port.

    @param address: numeric; port 0 for any.
    @param count: how many sockets.
    @param backlog: how many connections the kernel accepts ahead of us, at each of them.
    @param prepare: called with each socket before it is bound.
    @return: the sockets, which do not block.
    @raise OSError: when the address cannot be had, also when others like us listen there.
    """
    group = _bindGroup(address, socket.SOCK_STREAM, count, prepare)
    try:
        steer(group.sockets[0], count, byPort=False)
        for each in group.sockets:
            each.listen(backlog)
    except BaseException:
        group.close()
        raise
    return group


def datagramGroup(
    address: tuple[str, int], count: int, prepare: Callable[[socket.socket], None] = prepareNothing
) -> SocketGroup:
    """
    Bind several UDP sockets to one address and port.  See L{listenGroup}.
    """
    group = _bindGroup(address, socket.SOCK_DGRAM, count, prepare)
    try:
        steer(group.sockets[0], count, byPort=True)
    except BaseException:
        group.close()
        raise
    return group


def _bindGroup(
    address: tuple[str, int], kind: int, count: int, prepare: Callable[[socket.socket], None]
) -> SocketGroup:
    wanted = bindable(address)
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    _requireFree(family, kind, wanted)
    group = SocketGroup([])
    try:
        for _ in range(count):
            each = socket.socket(family, kind)
            group.sockets.append(each)
            each.setblocking(False)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            _reuseAddress(each, kind)
            prepare(each)
            each.bind(wanted)
            wanted = each.getsockname()
    except BaseException:
        group.close()
        raise
    return group


def _reuseAddress(one: socket.socket, kind: int) -> None:
    """
    Do not wait for connections of before that have ended.
    """
    if kind == socket.SOCK_STREAM:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def _requireFree(family: int, kind: int, wanted: tuple[Any, ...]) -> None:
    """
    Sockets that share a port let in any other of our user that does so too.  A second program like
    this one must not get a part of what is for the first.

    @raise OSError: when somebody has the port.
    """
    with socket.socket(family, kind) as probe:
        _reuseAddress(probe, kind)
        probe.bind(wanted)
        if kind == socket.SOCK_STREAM:
            probe.listen(1)
