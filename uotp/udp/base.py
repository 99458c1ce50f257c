"""
What all UDP ports on real sockets have in common: how they come to be, how they
end, and what errors of the network mean to them.

Twisted's own C{listenUDP} is not used: it cuts datagrams unless told otherwise,
checks the text of the address for each datagram that is sent, says nothing of
where one turn's datagrams end, and closes the port for an error that concerned
one datagram.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Hashable, Sequence
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.logger import LogLevel

from uotp.boundaries import Address, DatagramReceiver
from uotp.net import UDP_BUFFER_BYTES, enlargeUdpBuffers
from uotp.telemetry import Drop, Drops, Logger, spelled

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

SYSCTL = (
    "; sysctl -w net.core.rmem_max={wanted} net.core.wmem_max={wanted} allows it" if sys.platform == "linux" else ""
)


class PortContext:
    """
    What the ports of one opener share.

    @ivar reactor: C{IReactorFDSet}.
    @ivar drops: where what cannot be sent or received is counted.
    """

    _log = Logger()

    def __init__(self, reactor: Any, drops: Drops, udpBuffer: int = UDP_BUFFER_BYTES) -> None:
        """
        @param udpBuffer: bytes of buffer to ask for, each way and for each port.
        """
        self.reactor = reactor
        self.drops = drops
        self._udpBuffer = udpBuffer
        self._said: set[Hashable] = set()

    def sayOnce(self, level: Any, words: str, **fields: object) -> None:
        """
        Log what may hold for thousands of ports, for the first of them.
        """
        if words not in self._said:
            self._said.add(words)
            self._log.emit(level, words, **fields)

    def openSocket(self, bindAddress: Address) -> socket.socket:
        """
        @return: a UDP socket, not blocking, with large buffers.
        @raise OSError: when the address cannot be bound.
        """
        family = socket.AF_INET6 if ":" in bindAddress[0] else socket.AF_INET
        udpSocket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            udpSocket.setblocking(False)
            self._enlarge(udpSocket)
            udpSocket.bind(bindAddress)
        except OSError:
            udpSocket.close()
            raise
        return udpSocket

    def _enlarge(self, udpSocket: socket.socket) -> None:
        given = enlargeUdpBuffers(udpSocket, self._udpBuffer)
        if given < self._udpBuffer:
            self.sayOnce(
                LogLevel.warn,
                "the system gives UDP sockets {given} bytes of buffer instead of {wanted}, so bursts may lose"
                " datagrams" + SYSCTL + "; {setting} {given} asks for no more",
                setting=spelled("udpBuffer"),
                given=given,
                wanted=self._udpBuffer,
            )


class SocketPort(FileDescriptor):
    """
    A bound UDP socket in a reactor, reading from the moment it is made.  How it
    reads and sends is for those who inherit from it.
    """

    _log = Logger()

    def __init__(self, context: PortContext, bindAddress: Address, receiver: DatagramReceiver) -> None:
        """
        @param bindAddress: a numeric address and a port, 0 for any.
        @param receiver: who gets the trains.
        @raise OSError: when the address cannot be bound.
        """
        super().__init__(context.reactor)
        self._context = context
        self._drops = context.drops
        self._receiver = receiver
        self._uselessTurns = 0
        self._socket = context.openSocket(bindAddress)
        self._address: Address = self._socket.getsockname()
        self._sendto = self._socket.sendto
        self._prepare()
        self.connected = 1
        self.startReading()

    def _prepare(self) -> None:
        """
        Make what goes with the socket, before anything is read.
        """

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

    def _sendEach(self, datagrams: Sequence[bytes], destination: Address) -> bool:
        """
        Send datagrams one by one; those that cannot be sent are counted.

        @return: whether any was sent.
        """
        anySent = False
        for datagram in datagrams:
            try:
                self._sendto(datagram, destination)
                anySent = True
            except OSError as error:
                self._drops.count(SEND_DROPS.get(error.errno or 0, Drop.SEND_REFUSED))
                self._log.debug("a datagram could not be sent: {reason}", reason=error.strerror)
        return anySent

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
