"""
Sockets that a parent has bound to one address and port, one for each worker, and how workers get theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


class ListeningGroups:
    """
    Has all ports of the parent, and gives workers their sockets.
    """

    def __init__(self, send: Callable[[int, object, Sequence[int]], object], workers: Sequence[int]) -> None:
        """
        @param send: sends a worker a message with descriptors, if it runs.
        @param workers: the numbers of all.
        """
        self._send = send
        self._workers = workers
        self._groups: dict[int, ListeningGroup] = {}

    def __len__(self) -> int:
        """
        @return: how many ports there are.
        """
        return len(self._groups)

    def add(self, number: int, sockets: SocketGroup, transport: Literal["TCP", "UDP"]) -> ListeningGroup:
        """
        Let all workers take what comes to a port, until it is closed.

        @param number: by which they are to know it; one that no other port has.
        @param sockets: one for each worker; they are ours, and closed when they cannot be sent.
        @raise OSError: then.
        """
        group = self._groups[number] = ListeningGroup(number, sockets, transport, self._closed)
        try:
            for worker in self._workers:
                self._tell(worker, group)
        except OSError:
            group.stopListening()
            raise
        return group

    def _tell(self, worker: int, group: ListeningGroup) -> None:
        self._send(worker, ListenOn(group.number), [group.descriptorFor(worker)])

    def began(self, worker: int) -> None:
        """
        A worker has begun, and gets its sockets.
        """
        for group in self._groups.values():
            self._tell(worker, group)

    def _closed(self, group: ListeningGroup) -> None:
        del self._groups[group.number]
        for worker in self._workers:
            self._send(worker, ListenNoMore(group.number), [])
