"""
What an examination needs of the machine, as types: there is a real one, and a twin in memory for tests.
All of it blocks, since one thing is done after another and nobody else waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from uotp.net import Addresses, Listen, placesOf
from uotp.path import PathStats


class TcpLine(Protocol):
    """
    Is one TCP connection.
    """

    def send(self, data: bytes, seconds: float) -> None:
        """
        Send all of some bytes.

        @param seconds: how long that may take.
        @raise OSError: when the connection is gone; C{TimeoutError} when it took too long.
        """

    def receive(self, seconds: float) -> bytes:
        """
        Wait for bytes.

        @return: some, or none when the other end has closed.
        @raise OSError: when the connection is gone; C{TimeoutError} when nothing came in time.
        """

    def pathStats(self) -> PathStats | None:
        """
        See L{uotp.boundaries.Stream.pathStats}.
        """

    def close(self) -> None:
        """
        Close at once.
        """


@dataclass(frozen=True, slots=True)
class Way:
    """
    Says which way a packet leaves this machine.

    @ivar interface: by which network interface.
    @ivar isTunnel: whether that is one of a VPN: what is sent there comes to a program, or is packed again.
    @ivar vpn: the addresses and ports to which a WireGuard there sends; L{None} when nobody tells.
    """

    interface: str
    isTunnel: bool = False
    vpn: tuple[tuple[str, int], ...] | None = None


@dataclass(frozen=True, slots=True)
class Buffer:
    """
    Says how large a UDP buffer the kernel grants.

    @ivar given: in bytes.
    @ivar limit: what the kernel gives to those without privileges; L{None} where it does not tell.
    """

    given: int
    limit: int | None = None


class Machine(Protocol):
    """
    Is the machine on which an examination runs.
    """

    def seconds(self) -> float:
        """
        @return: monotonic seconds.
        """

    def now(self) -> datetime:
        """
        @return: what the clock says.
        """

    def isSynchronized(self) -> bool | None:
        """
        @return: whether the kernel's clock is kept right by somebody; L{None} where the system does not tell.
        """

    def addressesOf(self, host: str, port: int, seconds: float) -> Addresses:
        """
        Look a host up.

        @return: one address or more.
        @raise LookupFailed: when there is none; C{TimeoutError} when no answer came in time.
        """

    def nameServers(self) -> list[str]:
        """
        @return: the name servers that the system asks, as far as its files tell.
        """

    def connect(self, address: Any, mark: int | None, mss: int | None, seconds: float) -> TcpLine:
        """
        Open a TCP connection.

        @param address: one that L{addressesOf} has found.
        @raise OSError: when that fails; C{TimeoutError} when it took too long.
        """

    def markTrouble(self, mark: int) -> str | None:
        """
        @return: why we cannot set a firewall mark, or L{None} when we can.
        """

    def hasRuleFor(self, mark: int) -> bool | None:
        """
        @return: whether a rule of policy routing names a mark; L{None} where the system does not tell.
        """

    def udpBuffer(self, wanted: int) -> Buffer:
        """
        Ask for a UDP buffer.
        """

    def wayTo(self, address: Any, mark: int | None) -> Way | None:
        """
        @return: the way to an address, or L{None} where nothing leads there, or the system does not tell.
        """


def portsOf(listen: Listen) -> set[int]:
    """
    @return: the ports where a client listens.
    """
    return {place.port for place in placesOf(listen)}
