"""
The contract of a UDP port, held by the real one on loopback.
"""

from __future__ import annotations

import select
import socket
import sys
import time
from collections.abc import Callable
from typing import Any
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from tests.contracts import DatagramPortContract
from tests.twins import Receiver
from uotp.boundaries import Address, DatagramPort, DatagramReceiver
from uotp.datagram import datagramPortOpener
from uotp.drops import Drops
from uotp.sockets import UDP_BUFFER_BYTES

PATIENCE_SECONDS = 2.0
"""For what must arrive."""

TURN_SECONDS = 0.005
"""How long a turn waits for something to read."""

SILENCE_SECONDS = 0.05
"""How long nothing must be heard to be believed: loopback takes microseconds."""


class SteppedReactor:
    """
    Watches descriptors, one turn at a time.
    """

    def __init__(self) -> None:
        self._readers: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        """
        See C{IReactorFDSet}.
        """
        self._readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        """
        See C{IReactorFDSet}.
        """
        self._readers.discard(reader)

    def turn(self, patience: float) -> bool:
        """
        @param patience: seconds to wait for a descriptor.
        @return: whether any could be read.
        """
        readable = select.select(list(self._readers), [], [], patience)[0]
        for reader in readable:
            if reader in self._readers:
                reader.doRead()
        return bool(readable)


class PortableDatagramPortTests(DatagramPortContract, SynchronousTestCase):
    """
    Over IPv4.
    """

    def setUp(self) -> None:
        """
        Make a reactor.
        """
        self.drops = Drops()
        self.reactor = SteppedReactor()
        self.opener = datagramPortOpener(self.reactor, self.drops)

    def openPort(self, receiver: DatagramReceiver, address: Address | None = None) -> DatagramPort:
        """
        On loopback.
        """
        port = self.opener(address or (self.host, 0), receiver)
        self.addCleanup(port.close)
        return port

    def turn(self) -> None:
        """
        Read once what is there.
        """
        self.reactor.turn(TURN_SECONDS)

    def settleUntil(self, arrived: Callable[[], bool]) -> None:
        """
        Read until it is there, or until nothing comes.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not arrived() and time.monotonic() < deadline and self.reactor.turn(SILENCE_SECONDS):
            pass

    @skipUnless(sys.platform == "linux", "other systems count differently")
    def test_portAsksForLargeBuffers(self) -> None:
        """
        More than the system's default, which is less than one burst.
        """
        port: Any = self.openPort(Receiver())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                default = plain.getsockopt(socket.SOL_SOCKET, option)
                plain.setsockopt(socket.SOL_SOCKET, option, UDP_BUFFER_BYTES)
                allowed = plain.getsockopt(socket.SOL_SOCKET, option)
                found = port._socket.getsockopt(socket.SOL_SOCKET, option)
                self.assertGreaterEqual(found, max(default, allowed))


class PortableDatagramPortIPv6Tests(PortableDatagramPortTests):
    """
    Over IPv6.
    """

    host = "::1"
