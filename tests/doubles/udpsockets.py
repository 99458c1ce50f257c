"""
What stands in for the socket under a UDP port.
"""

from __future__ import annotations

import errno
import os

from uotp.boundaries import Address

THERE = ("192.0.2.1", 9)


class FakeUdpSocket:
    """
    A socket of which each call goes wrong, or right, as it was told.

    @ivar toSend: what the next calls of C{sendto} raise; L{None} sends.
    @ivar toReceive: what the next calls of C{recvfrom} raise or return; then there is nothing more.
    """

    def __init__(self) -> None:
        self.toSend: list[OSError | None] = []
        self.toReceive: list[OSError | tuple[bytes, Address]] = []
        self.sent: list[bytes] = []
        self.closed = False

    def sendto(self, datagram: bytes, destination: Address) -> None:
        trouble = self.toSend.pop(0) if self.toSend else None
        if trouble is not None:
            raise trouble
        self.sent.append(datagram)

    def recvfrom(self, size: int) -> tuple[bytes, Address]:
        got = self.toReceive.pop(0) if self.toReceive else trouble(errno.EAGAIN)
        if isinstance(got, OSError):
            raise got
        return got

    def getsockname(self) -> Address:
        return ("192.0.2.7", 4711)

    def fileno(self) -> int:
        return -1 if self.closed else 99

    def close(self) -> None:
        self.closed = True


def trouble(number: int) -> OSError:
    """
    @return: an error as the system would raise it.
    """
    return OSError(number, os.strerror(number))
