"""
What the kernel tells of a UDP port when it is asked.  Nothing is counted for this on the
data path.
"""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass

from twisted.internet.address import IPv4Address, IPv6Address

SO_MEMINFO = 55
"""An option of Linux (asm-generic/socket.h) that tells of a socket's memory."""

MEMORY = struct.Struct("=9I")
"""
The numbers that it tells (linux/sock_diag.h): bytes received and not read, the most of
these, bytes written and not sent, the most of these, four others, and datagrams dropped.
"""


@dataclass(frozen=True, slots=True)
class PortStatistics:
    """
    Says how a UDP port is at one moment.  A number that the system does not tell is
    L{None}.  The kernel counts its own bookkeeping among the bytes; for full datagrams that
    is about half of them.

    @ivar host: where the port is bound, or was.
    @ivar receiveBuffer: bytes that may wait to be read.
    @ivar receiveHeld: bytes that wait to be read.
    @ivar sendBuffer: bytes that may wait to be sent.
    @ivar sendHeld: bytes that wait to be sent.
    @ivar kernelDrops: datagrams that have reached the port and were dropped by the kernel,
        most of them because too many waited.
    """

    host: IPv4Address | IPv6Address
    receiveBuffer: int | None = None
    receiveHeld: int | None = None
    sendBuffer: int | None = None
    sendHeld: int | None = None
    kernelDrops: int | None = None


def portStatistics(udpSocket: socket.socket, host: IPv4Address | IPv6Address) -> PortStatistics:
    """
    @param host: where the socket is bound.
    @return: how a socket is now.  Of a closed socket, and on a system that tells nothing,
        that is only where it is.
    """
    with suppress(OSError):
        if sys.platform == "linux":
            told = udpSocket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMORY.size)
            held, buffer, sending, sendBuffer, *_, drops = MEMORY.unpack(told)
            return PortStatistics(host, buffer, held, sendBuffer, sending, drops)
        buffers = [udpSocket.getsockopt(socket.SOL_SOCKET, each) for each in (socket.SO_RCVBUF, socket.SO_SNDBUF)]
        return PortStatistics(host, receiveBuffer=buffers[0], sendBuffer=buffers[1])
    return PortStatistics(host)
