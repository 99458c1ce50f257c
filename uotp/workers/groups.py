"""
Sockets that a parent has bound to one address and port, one for each worker, and how workers get theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import LogLevel

from uotp.net import SocketGroup
from uotp.telemetry import Logger, RateLimit, logCounted
from uotp.workers.reasons import oneLine

MISSING_SECONDS = 1.0
"""A worker that has not got a socket gets it so long after that, again and again: until then its clients wait."""


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


@dataclass(frozen=True, slots=True)
class SocketMissing:
    """
    Tells that a worker cannot use a socket which it was to have.

    @ivar group: the number of all sockets at that address and port.
    @ivar reason: in words.
    """

    group: int
    reason: str


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

    _log = Logger()

    def __init__(
        self, send: Callable[[int, object, Sequence[int]], object], workers: Sequence[int], clock: Any
    ) -> None:
        """
        @param send: sends a worker a message with descriptors, if it runs.
        @param workers: the numbers of all.
        @param clock: C{IReactorTime}.
        """
        self._send = send
        self._workers = workers
        self._clock = clock
        self._groups: dict[int, ListeningGroup] = {}
        self._missing: set[tuple[int, int]] = set()  # workers, each with the number of a group
        self._again: IDelayedCall | None = None
        self._rateLimit = RateLimit(clock.seconds)

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
            self._tellSoon(worker, group)

    def missing(self, worker: int, message: SocketMissing) -> None:
        """
        A worker cannot use one of its sockets: it gets it again, since it may be able to soon.
        """
        group = self._groups.get(message.group)
        if group is not None:  # or it was closed meanwhile
            self._waitFor(worker, group, oneLine(message.reason))

    def lost(self, worker: int) -> None:
        """
        A worker is gone.  The next one gets its sockets when it begins.
        """
        self._missing = {each for each in self._missing if each[0] != worker}
        self._cancelIfIdle()

    def _tellSoon(self, worker: int, group: ListeningGroup) -> None:
        try:
            self._tell(worker, group)
        except OSError as error:
            self._waitFor(worker, group, error.strerror or str(error))

    def _waitFor(self, worker: int, group: ListeningGroup, reason: str) -> None:
        self._missing.add((worker, group.number))
        if self._again is None:
            self._again = self._clock.callLater(MISSING_SECONDS, self._tellAgain)
        suppressed = self._rateLimit.suppressedBefore((worker, group.number, reason))
        host = group.getHost()
        words = "worker {worker} takes nothing at {host} port {port} yet, and tries it again: {reason}"
        logCounted(
            self._log, LogLevel.error, suppressed, words, worker=worker, host=host.host, port=host.port, reason=reason
        )

    def _tellAgain(self) -> None:
        self._again = None
        missing, self._missing = self._missing, set()
        for worker, number in sorted(missing):
            self._tellSoon(worker, self._groups[number])

    def _cancelIfIdle(self) -> None:
        if not self._missing and self._again is not None:
            self._again.cancel()
            self._again = None

    def _closed(self, group: ListeningGroup) -> None:
        del self._groups[group.number]
        self._missing = {each for each in self._missing if each[1] != group.number}
        self._cancelIfIdle()
        for worker in self._workers:
            self._send(worker, ListenNoMore(group.number), [])
