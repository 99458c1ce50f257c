"""
A UDP port that needs nothing but Python's socket module and a Twisted reactor
that watches descriptors.

Twisted's own C{listenUDP} is not used: it cuts datagrams unless told otherwise,
checks the text of the address for each datagram that is sent, says nothing of
where one turn's datagrams end, and closes the port for an error that concerned
one datagram.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.abstract import FileDescriptor

from uotp.boundaries import Address, DatagramReceiver
from uotp.drops import Drop, Drops
from uotp.log import Logger
from uotp.sockets import enlargeUdpBuffers
from uotp.train import Train, cut, gather

MAX_DATAGRAM_BYTES = 65535
"""Longer than any UDP datagram, so that none is cut."""

DATAGRAMS_PER_TURN = 64
"""
What one port may read before others get their turn.  With 64 the work for each
turn has long been spread thin, and the longest turn stays around a millisecond.
"""

MAX_USELESS_TURNS = 100
"""Turns in which reading did nothing but fail before a port is given up, lest it spin."""

ERRORS_OF_DATAGRAMS = {
    errno.ECONNREFUSED,
    errno.ECONNRESET,  # what Windows says for an ICMP port unreachable
    errno.ENETRESET,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    getattr(errno, "WSAECONNRESET", errno.ECONNRESET),
    getattr(errno, "WSAENETRESET", errno.ENETRESET),
}
"""Errors of reading that tell of a datagram sent before, each once; the port is fine."""

SEND_DROPS = {
    errno.EMSGSIZE: Drop.TOO_LONG,
    errno.EAGAIN: Drop.SEND_BUFFER_FULL,
    errno.EWOULDBLOCK: Drop.SEND_BUFFER_FULL,
    errno.ENOBUFS: Drop.SEND_BUFFER_FULL,
    getattr(errno, "WSAEMSGSIZE", errno.EMSGSIZE): Drop.TOO_LONG,
}
"""Errors of sending that have a counter of their own; the others count as refused."""


class PortableDatagramPort(FileDescriptor):
    """
    A bound UDP socket in a reactor, reading from the moment it is made.
    """

    _log = Logger()

    def __init__(self, reactor: Any, drops: Drops, bindAddress: Address, receiver: DatagramReceiver) -> None:
        """
        @param reactor: C{IReactorFDSet}.
        @param drops: where what cannot be sent is counted.
        @param bindAddress: a numeric address and a port, 0 for any.
        @param receiver: who gets the trains.
        @raise OSError: when the address cannot be bound.
        """
        super().__init__(reactor)
        self._drops = drops
        self._receiver = receiver
        self._uselessTurns = 0
        self._socket = boundSocket(bindAddress)
        self._address: Address = self._socket.getsockname()
        self._send = self._socket.sendto
        self.connected = 1
        self.startReading()

    def fileno(self) -> int:
        """
        What the reactor watches; -1 when closed.
        """
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """
        Who it is that works, in Twisted's log.
        """
        return "uotp UDP"

    def address(self) -> Address:
        """
        Where the port is bound.
        """
        return self._address

    def send(self, train: Train, destination: Address) -> None:
        """
        Send each datagram of a train.  What cannot be sent is counted.
        """
        if not self.connected:
            return
        for datagram in cut(train):
            try:
                self._send(datagram, destination)
            except OSError as error:
                self._drops.count(SEND_DROPS.get(error.errno or 0, Drop.SEND_REFUSED))
                self._log.debug("a datagram could not be sent: {reason}", reason=error.strerror)

    def doRead(self) -> None:
        """
        Read what has come, bounded, and hand it on in trains.
        """
        receive = self._socket.recvfrom
        run: list[bytes] = []
        source: Address = ()
        failed = False
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                datagram, sender = receive(MAX_DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                failed = failed or error.errno not in ERRORS_OF_DATAGRAMS
                self._log.debug("the UDP port had an error: {reason}", reason=error.strerror)
                continue
            if sender != source:
                self._handOn(run, source)
                run = []
                source = sender
            run.append(datagram)
        if source:
            self._uselessTurns = 0
            self._handOn(run, source)
        elif failed:
            self._countUselessTurn()

    def _handOn(self, datagrams: list[bytes], source: Address) -> None:
        for train in gather(datagrams):
            if self.connected:  # whoever got the train before may have closed us
                self._receiver.trainReceived(train, source)

    def _countUselessTurn(self) -> None:
        self._uselessTurns += 1
        if self._uselessTurns >= MAX_USELESS_TURNS:
            self.close()
            self._receiver.portLost("reading from it does nothing but fail")

    def connectionLost(self, reason: Any) -> None:
        """
        The reactor has given up on the socket, or stops.
        """
        wasOpen = self.connected
        self.close()
        if wasOpen:
            self._receiver.portLost("the reactor has closed it")

    def close(self) -> None:
        """
        Close at once.
        """
        if self.connected:
            self.connected = 0
            self.disconnected = 1
            self.stopReading()
            self._socket.close()


def boundSocket(bindAddress: Address) -> socket.socket:
    """
    @return: a UDP socket, not blocking, with large buffers.
    @raise OSError: when the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in bindAddress[0] else socket.AF_INET
    udpSocket = socket.socket(family, socket.SOCK_DGRAM)
    try:
        udpSocket.setblocking(False)
        enlargeUdpBuffers(udpSocket)
        udpSocket.bind(bindAddress)
    except OSError:
        udpSocket.close()
        raise
    return udpSocket
