"""
What stands in for the socket under a UDP port, and for the transport under a protocol.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IUDPTransport
from zope.interface import implementer

from uotp.boundaries import Address

THERE = ("192.0.2.1", 9)


class FakeUdpSocket:
    """
    Does what it was told with each call, or fails.

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

    def send(self, datagram: bytes) -> None:
        self.sendto(datagram, THERE)

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        """
        Tell nothing of the kernel's memory.
        """
        raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))

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


@implementer(IUDPTransport)
class DatagramTransport:
    """
    Sends datagram by datagram, and closes when the test says so.

    @ivar toWrite: what the next calls of L{write} raise; L{None} sends.
    @ivar written: what was sent.
    @ivar stopped: fires when it is closed, once it was told to close.
    """

    def __init__(self) -> None:
        self.toWrite: list[Exception | None] = []
        self.written: list[tuple[bytes, Address | None]] = []
        self.stopped: Deferred[None] | None = None

    def write(self, packet: bytes, addr: Address | None) -> None:
        wrong = self.toWrite.pop(0) if self.toWrite else None
        if wrong is not None:
            raise wrong
        self.written.append((packet, addr))

    def connect(self, host: str, port: int) -> None:
        raise NotImplementedError

    def getHost(self) -> IPv4Address:
        return IPv4Address("UDP", "192.0.2.7", 4711)

    def stopListening(self) -> Deferred[None]:
        assert self.stopped is None
        self.stopped = Deferred()
        return self.stopped

    def setBroadcastAllowed(self, enabled: bool) -> None:  # noqa: FBT001 - Twisted's signature
        raise NotImplementedError

    def getBroadcastAllowed(self) -> bool:
        raise NotImplementedError
