"""
Sockets that a parent has bound to one address and port, one for each worker, and how workers get theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from twisted.internet.address import IPv4Address, IPv6Address

from uotp.net import SocketGroup


@dataclass(frozen=True, slots=True)
class ListenOn:
    """
    Orders a worker to take what comes to a socket, whose descriptor comes with it.

    @ivar group: the number of all sockets at that address and port.
    """

    group: int


@dataclass(frozen=True, slots=True)
class ListenNoMore:
    """
    Orders a worker to close it.
    """

    group: int


class ListeningGroup:
    """
    Is one port of the parent's, with a socket for each worker.

    @ivar number: by which workers know it.
    """

    def __init__(
        self,
        number: int,
        group: SocketGroup,
        transport: Literal["TCP", "UDP"],
        closed: Callable[[ListeningGroup], None],
    ) -> None:
        """
        @param closed: called with this when it is closed.
        """
        self.number = number
        self._group = group
        self._transport = transport
        self._closed = closed

    def getHost(self) -> IPv4Address | IPv6Address:
        """
        @return: where it listens.
        """
        host, port = self._group.pair
        return (IPv6Address if ":" in host else IPv4Address)(self._transport, host, port)

    def descriptorFor(self, worker: int) -> int:
        """
        @return: that of a worker's socket.
        """
        return self._group.sockets[worker - 1].fileno()

    def stopListening(self) -> None:
        """
        Close it.
        """
        self._group.close()
        self._closed(self)
