"""
The reactor's twins: one for all tests that need more than a clock, and one for other threads.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from threading import Event
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from tests.doubles.clocks import TurnClock

FIRST_PORT = 60000
"""What somebody gets first who asks for any port."""


class ListeningPort:
    """
    Stops as a port does, later if it is told to.

    @ivar handshakes: who gives the connections of a TCP port their turns.
    @ivar segmentSize: the largest segment of these connections.
    """

    handshakes: Any = None
    segmentSize: int | None = None

    def __init__(self, address: IPv4Address | IPv6Address, stop: Callable[[], Deferred[None] | None]) -> None:
        self._address = address
        self._stop = stop

    def getHost(self) -> IPv4Address | IPv6Address:
        return self._address

    def stopListening(self) -> Deferred[None] | None:
        return self._stop()


class MemoryReactor(TurnClock, MemoryReactorClock):
    """
    Writes down what a reactor is asked for, without a network: it gives out ports, is told of signals, and knows
    what is watched.

    @ivar journal: what was opened and closed, in words.
    @ivar refusal: why no port can be had, if that is so.
    @ivar listening: the TCP ports that listen, or have listened.
    @ivar stopped: what TCP ports fire when they have stopped; L{None} is at once.
    @ivar udpPorts: for each UDP port the number that was asked for, the interface, and the longest datagram.
    @ivar fromThread: how often it was asked to call something from outside.
    """

    stopped: Deferred[None] | None = None

    def __init__(self, journal: list[str] | None = None) -> None:
        super().__init__()
        self.journal = [] if journal is None else journal
        self.refusal: OSError | None = None
        self.listening: list[ListeningPort] = []
        self.udpPorts: list[tuple[int, str, int]] = []
        self.fromThread = 0
        self._free = count(FIRST_PORT)

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kwargs: object) -> IDelayedCall:  # noqa: A002
        """
        See L{IReactorTime.callLater}.

        @raise ValueError: for a time that has passed, as with an assertion of a reactor.
        """
        if delay < 0:
            reason = f"{delay} s from now"
            raise ValueError(reason)
        return super().callLater(delay, callable, *args, **kwargs)

    def callFromThread(self, call: Callable[[], object]) -> None:
        self.fromThread += 1
        call()

    def _address(self, kind: str, interface: str, port: int) -> Any:
        if self.refusal is not None:
            raise error.CannotListenError(interface, port, self.refusal)
        family: Any = IPv6Address if ":" in interface else IPv4Address
        return family(kind, interface, port or next(self._free))

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> ListeningPort:
        address = self._address("TCP", interface, port)
        self.tcpServers.append((port, factory, backlog, interface))
        self.listening.append(ListeningPort(address, lambda: self.stopped))
        return self.listening[-1]

    def listenUDP(self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192) -> ListeningPort:
        address = self._address("UDP", interface, port)
        self.udpPorts.append((port, interface, maxPacketSize))
        name = type(protocol).__name__
        self.journal.append(f"open {name}")
        return ListeningPort(address, lambda: self.journal.append(f"close {name}"))

    def happen(self, connection: Any, *, read: bool = False, write: bool = False) -> bool:
        """
        A connection can be read, or written, or both: one turn, in which it is treated as the reactors of Twisted do,
        and what it wants to do in the next turn is done too.

        @return: whether anybody was waiting for that.
        """
        read, write = read and connection in self.readers, write and connection in self.writers
        end = connection.doRead() if read else None
        byReading = end is not None
        if write and not end:
            end = connection.doWrite()
        if end:
            self.readers.discard(connection)
            self.writers.discard(connection)
            lost = connection.readConnectionLost if byReading else connection.connectionLost
            lost(Failure(error.ConnectionDone() if isinstance(end, error.ConnectionDone) else end))
        self.advance(0)
        return read or write


class ThreadReactor:
    """
    Takes calls from other threads, and leaves it to the test to make them.

    @ivar calls: each, with its arguments.
    @ivar came: set when there is one.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.came = Event()

    def callFromThread(self, call: Callable[..., None], *arguments: Any) -> None:
        self.calls.append((call, arguments))
        self.came.set()
