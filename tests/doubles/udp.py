"""
A network of UDP ports in memory, and a protocol on one of them.
"""

from __future__ import annotations

import errno
from collections import deque
from functools import partial
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import InvalidAddressError, MessageLengthError
from twisted.internet.interfaces import IListeningPort, IUDPTransport
from zope.interface import implementer

from uotp.boundaries import Address, DatagramPort, DatagramPortOpener, DatagramReceiver
from uotp.telemetry.drops import Drop, Drops
from uotp.train import MAX_TRAIN_BYTES, TakeTrains, Train, countOf, cut, gather
from uotp.udp import TrainProtocol

DATAGRAMS_PER_TURN = 64
"""What a port delivers in one turn, as the real one."""

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing listens
"""Which address a port that is bound to any address sends from."""


def localTo(destination: Address) -> Address:
    """
    @return: the address that leads to another one: here that is loopback.
    """
    return ("::1", 0, 0, 0) if ":" in destination[0] else ("127.0.0.1", 0)


def addressOf(port: DatagramPort | IListeningPort) -> Address:
    """
    @return: where a port is bound, as the socket module has it.
    """
    host: Any = port.getHost()
    if isinstance(host, IPv6Address):
        return host.host, host.port, int(host.flowInfo), int(host.scopeID)
    return host.host, host.port


class Receiver(TrainProtocol):
    """
    Keeps what comes to the UDP port whose protocol it is.

    @ivar calls: what each call has brought.
    @ivar trains: the same, train by train.
    @ivar lost: why the port was lost.
    @ivar refusals: what was told of datagrams that have not arrived.
    @ivar address: where its port is bound, or was.
    """

    def __init__(self, drops: Drops | None = None) -> None:
        super().__init__(drops or Drops())
        self.address: Address = ()
        self.calls: list[tuple[list[Train], Address]] = []
        self.trains: list[tuple[Train, Address]] = []
        self.lost: list[str] = []
        self.refusals: list[tuple[Address, int]] = []

    def startProtocol(self) -> None:
        port: Any = self.transport
        self.address = addressOf(port)

    def trainsReceived(self, trains: list[Train], source: Address) -> None:
        self.calls.append((trains, source))
        self.trains.extend((train, source) for train in trains)

    def refused(self, destination: Address, number: int) -> None:
        self.refusals.append((destination, number))

    def portLost(self, reason: str) -> None:
        self.lost.append(reason)

    def datagrams(self) -> list[bytes]:
        return [datagram for train, _ in self.trains for datagram in cut(train)]

    def count(self) -> int:
        return countOf([train for train, _ in self.trains])

    def datagramsFrom(self, source: Address) -> list[bytes]:
        """
        @return: what came from one source, datagram by datagram.
        """
        return [datagram for train, each in self.trains if each == source for datagram in cut(train)]


class MemoryUdp:
    """
    Joins UDP ports as a network on one machine does.

    @ivar drops: where what cannot be sent is counted.
    @ivar ports: the open ports, by the address that they send from.
    @ivar tells: whether a sender is told that nobody listens.
    @ivar silent: addresses at which nobody tells it.
    @ivar refusal: raised instead of opening a port, if it is set.
    @ivar hasIPv6: whether this machine has it.
    """

    def __init__(self, drops: Drops | None = None) -> None:
        self.drops = drops or Drops()
        self.ports: dict[Address, MemoryDatagramPort] = {}
        self.refusal: OSError | None = None
        self.hasIPv6 = True
        self.tells = False
        self.silent: set[Address] = set()
        self._unused = 50000

    def open(self, bindAddress: Address, receiver: DatagramReceiver) -> MemoryDatagramPort:
        """
        Open a port; port 0 is another one each time.
        """
        if self.refusal is not None:
            raise self.refusal
        host, number = bindAddress[:2]
        if ":" in host and not self.hasIPv6:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        if number == 0:
            self._unused += 1
            number = self._unused
        rest = (0, 0) if ":" in host else ()
        name = (LOOPBACK.get(host, host), number, *rest)
        if name in self.ports:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        port = MemoryDatagramPort(self, name, (host, number, *rest), receiver)
        port.startListening()
        return port

    def carry(self, datagram: bytes, source: Address, destination: Address) -> None:
        """
        Bring a datagram to whoever listens; nobody may.
        """
        port = self.ports.get(destination)
        if port is not None and port.hears(source):
            port.waiting.append((datagram, source))
        elif port is None and self.tells and destination not in self.silent and source in self.ports:
            self.ports[source].refused(destination)

    def turn(self) -> None:
        """
        Let every port deliver what has come, as much as it may in one turn.
        """
        for port in list(self.ports.values()):
            port.turn()

    def settle(self) -> None:
        while any(port.waiting and not port.paused for port in self.ports.values()):
            self.turn()


@implementer(IUDPTransport, IListeningPort)
class MemoryDatagramPort:
    """
    Sends and receives on a L{MemoryUdp}.

    @ivar name: the address that others know it by.
    @ivar waiting: what has come and was not delivered yet.
    """

    def __init__(self, network: MemoryUdp, name: Address, bound: Address, receiver: DatagramReceiver) -> None:
        """
        @param bound: what L{getHost} tells.
        """
        self._network = network
        self.name = name
        self._host = (IPv6Address if ":" in bound[0] else IPv4Address)("UDP", *bound)
        self._receiver = receiver
        self._peer: Address | None = None
        self._broadcast = False
        self.paused = self.keepsLittle = False
        self.closed = True
        self.waiting: deque[tuple[bytes, Address]] = deque()

    def startListening(self) -> None:
        self.closed = False
        self._network.ports[self.name] = self
        self._receiver.makeConnection(self)

    def write(self, packet: bytes, addr: Address | None = None) -> None:
        destination = (*addr[:2], *self.name[2:]) if addr else self._peer
        assert destination is not None
        if len(packet) > MAX_TRAIN_BYTES:
            raise MessageLengthError(packet)
        self._network.carry(packet, self.name, destination)

    def connect(self, host: str, port: int) -> None:
        if self._peer is not None:
            reason = "already connected"
            raise RuntimeError(reason)
        if not (isIPAddress(host) or isIPv6Address(host)):
            raise InvalidAddressError(host, "not an address")
        self._peer = (host, port, *self.name[2:])

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def keepLittle(self, *, little: bool) -> None:
        self.keepsLittle = little

    def connectTo(self, destination: Address) -> TakeTrains:
        self._peer = destination
        return partial(self.sendTrains, destination=destination)

    def hears(self, source: Address) -> bool:
        """
        @return: whether somebody can send to this port.
        """
        return self._peer is None or self._peer == source

    def refused(self, destination: Address) -> None:
        """
        Nobody listens where something was sent.
        """
        self._receiver.refused(destination, errno.ECONNREFUSED)

    def setBroadcastAllowed(self, enabled: bool) -> None:  # noqa: FBT001 - Twisted's signature
        self._broadcast = enabled

    def getBroadcastAllowed(self) -> bool:
        return self._broadcast

    def sendTrains(self, trains: list[Train], destination: Address) -> None:
        if self.closed:
            return
        for datagram in [datagram for train in trains for datagram in cut(train)]:
            if len(datagram) > MAX_TRAIN_BYTES:
                self._network.drops.count(Drop.TOO_LONG)
            elif len(destination) != len(self.name):
                self._network.drops.count(Drop.SEND_REFUSED)  # of the other family
            else:
                self._network.carry(datagram, self.name, destination)

    def getHost(self) -> IPv4Address | IPv6Address:
        return self._host

    def stopListening(self) -> None:
        if not self.closed:
            self._close()
            self._receiver.doStop()

    def lose(self, reason: str) -> None:
        self._close()
        self._receiver.transportFailed(reason)

    def _close(self) -> None:
        self.closed = True
        del self._network.ports[self.name]

    def turn(self) -> None:
        if self.paused:
            return
        batch = [self.waiting.popleft() for _ in range(min(DATAGRAMS_PER_TURN, len(self.waiting)))]
        while batch and not self.closed:
            source = batch[0][1]
            run = 0
            while run < len(batch) and batch[run][1] == source:
                run += 1
            self._receiver.trainsReceived(gather(datagram for datagram, _ in batch[:run]), source)
            del batch[:run]


# Each twin fits its seam.
_receiver: type[DatagramReceiver] = Receiver
_port: type[DatagramPort] = MemoryDatagramPort
_opener: DatagramPortOpener = MemoryUdp().open
