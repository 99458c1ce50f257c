"""
What the network says of datagrams that did not arrive, read from a socket's error queue.

Linux keeps such errors for a socket that asks for them, each with the address that the
datagram was sent to, so they are known also on a socket that is not connected.  A socket that
has errors waiting is ready for reading, and its next call fails with the newest of them.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

from uotp.boundaries import Address

RECEIVE_ERRORS = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
"""IP_RECVERR and IPV6_RECVERR (linux/in.h, linux/in6.h): the options, and the control messages."""

ERROR_QUEUE = 0x2000
"""MSG_ERRQUEUE (linux/socket.h), which not every Python names."""

EXTENDED_ERROR = struct.Struct("=IBBBBII")
"""The struct sock_extended_err (linux/errqueue.h): the error's number, its origin, and what is not needed here."""

ERROR_CONTROL_BYTES = 512
"""Room for the control messages of one error: this one is shorter than 50 bytes."""

MAX_ERRORS = 64
"""So many errors are taken in one turn.  A target that is down causes one for each datagram that it is sent."""


class ErrorQueue:
    """
    Takes the errors of one socket.
    """

    def __init__(self, udpSocket: socket.socket) -> None:
        """
        Ask the kernel to keep errors.  Where it does not, there are none.
        """
        self._receive = udpSocket.recvmsg
        self._level, self._kind = RECEIVE_ERRORS[udpSocket.family]
        with suppress(OSError):
            udpSocket.setsockopt(self._level, self._kind, 1)

    def take(self) -> dict[Address, int]:
        """
        Take what waits, up to L{MAX_ERRORS}.

        @return: the number of the newest error for each address that something was sent to.
        """
        found: dict[Address, int] = {}
        for _ in range(MAX_ERRORS):
            try:
                _, control, _, destination = self._receive(0, ERROR_CONTROL_BYTES, ERROR_QUEUE)
            except OSError:  # none is left, or this kernel has no such queue
                break
            for level, kind, data in control:
                if (level, kind) == (self._level, self._kind) and len(data) >= EXTENDED_ERROR.size and destination:
                    found[destination] = EXTENDED_ERROR.unpack_from(data)[0]
        return found
