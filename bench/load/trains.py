"""
Many datagrams with one system call, so that the load costs next to nothing itself:
the program's own datagram port does that.  No other module of a load knows the program.
"""

from __future__ import annotations

import random
import select
import socket
from collections.abc import Iterator
from typing import Any, cast

from twisted.internet.interfaces import IReactorFDSet
from zope.interface import implementer

from uotp.boundaries import Address
from uotp.net import enlargeUdpBuffers
from uotp.telemetry import Drops
from uotp.train import Train, bytesOf, countOf
from uotp.udp import TrainProtocol, datagramPortOpener

MOST_BYTES = 64000
MOST_SEGMENTS = 64
"""What one send may hold, in bytes and in datagrams (UDP_MAX_SEGMENTS in older kernels)."""

BUFFER_BYTES = 8 * 1024 * 1024
"""So that nothing is lost at the ends of what is measured."""

DATA_BYTES = 1452
ACKNOWLEDGEMENT_BYTES = 96
HANDSHAKE_BYTES = 148
LONGEST_RUN = 8
MIX_RUNS = 2048
"""A mix is so many runs of data long, and then begins again."""

HANDSHAKE_EVERY = 512
"""Runs of data."""


def enlargeBuffers(udp: socket.socket) -> None:
    """
    Give a socket as much buffer as the program's own port has here.
    """
    enlargeUdpBuffers(udp, BUFFER_BYTES)


@implementer(IReactorFDSet)
class Unwatched:
    """
    Stands where a datagram port expects a reactor: its owner waits, and reads.
    """

    def addReader(self, _: Any) -> None:
        """
        It is read without that.
        """

    removeReader = addWriter = removeWriter = addReader

    def removeAll(self) -> list[Any]:
        """
        @return: what is watched.
        """
        return []

    getReaders = getWriters = removeAll


class TrainPort(TrainProtocol):
    """
    The program's own datagram port, in the place of a socket.

    @ivar datagrams: how many have come.
    @ivar bytes: how many they have.
    """

    def __init__(self, udp: socket.socket) -> None:
        """
        @param udp: a connected socket; it is closed.
        """
        address, self._peer = udp.getsockname(), udp.getpeername()
        udp.close()
        self.datagrams = 0
        self.bytes = 0
        drops = Drops()
        super().__init__(drops)
        self._port = cast("Any", datagramPortOpener(Unwatched(), drops, BUFFER_BYTES)(address, self))
        self._poll = select.poll()
        self._poll.register(self._port.fileno(), select.POLLIN)

    def send(self, trains: list[Train]) -> None:
        """
        Send trains, if the kernel takes them.
        """
        self.sendTrains(trains, self._peer)

    def receive(self, milliseconds: int) -> None:
        """
        Read what has come, or wait until something does.
        """
        if self._poll.poll(milliseconds):
            self._port.doRead()

    def trainsReceived(self, trains: list[Train], source: Address) -> None:
        """
        Count what came.
        """
        self.datagrams += countOf(trains)
        self.bytes += bytesOf(trains)

    def portLost(self, reason: str) -> None:
        """
        @raise ConnectionError: always, since nothing can be measured without it.
        """
        raise ConnectionError(reason)


def uniformTrains(size: int) -> list[Train]:
    """
    @return: one train, as long as may be, of datagrams of one size.
    """
    return [Train(size, bytes(size) * min(MOST_SEGMENTS, MOST_BYTES // size))]


def mixedTrains() -> list[Train]:
    """
    What a WireGuard carries that downloads and uploads at once: runs of 1 to 8 full
    datagrams of data (1452 bytes: an MTU of 1420 and 32 of WireGuard), and after each
    run one acknowledgement or two of a flow the other way (96 bytes); now and then a
    handshake (148 bytes).  Three quarters of the datagrams are data, and 98 % of the
    bytes.

    @return: the runs, the same each time.
    """
    return list(_mixedRuns(random.Random(1)))  # noqa: S311 - the same dice for all


def _mixedRuns(dice: random.Random) -> Iterator[Train]:
    for number in range(MIX_RUNS):
        yield Train(DATA_BYTES, bytes(DATA_BYTES) * dice.randint(1, LONGEST_RUN))
        yield Train(ACKNOWLEDGEMENT_BYTES, bytes(ACKNOWLEDGEMENT_BYTES) * dice.randint(1, 2))
        if number % HANDSHAKE_EVERY == 0:
            yield Train(HANDSHAKE_BYTES, bytes(HANDSHAKE_BYTES))
