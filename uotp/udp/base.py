"""
What all UDP ports on real sockets have in common: how they open, how they close, and what
errors of the network mean to them.

They are transports of Twisted, and besides send and hand on whole trains.  Twisted's own
port checks the text of the address for each datagram that is sent, and does not tell where
the datagrams of one turn end.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import twisted.logger
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import CannotListenError, ConnectionDone, InvalidAddressError, MessageLengthError
from twisted.internet.interfaces import IListeningPort, IReadDescriptor, IUDPTransport
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.boundaries import Address, DatagramReceiver
from uotp.net import MOST_UDP_BUFFER_BYTES, UDP_BUFFER_BYTES, bindable, enlargeUdpBuffers, hostOf
from uotp.telemetry import Drop, Drops, Logger, spelled
from uotp.train import TakeTrains, Train
from uotp.udp.crowd import MAX_INTAKE_BYTES, Intake
from uotp.udp.statistics import PortStatistics, portStatistics

MAX_USELESS_TURNS = 100
"""A port is given up when reading did nothing but fail in so many turns; otherwise it would spin."""

LITTLE_BYTES = 32 * 1024
"""
So large a buffer is asked for where what is received is of little use.  Linux gives twice as
much, which holds some 28 full datagrams.
"""

ERRORS_OF_DATAGRAMS = {
    errno.ECONNREFUSED,
    errno.ECONNRESET,  # what Windows says for an ICMP port unreachable
    errno.ENETRESET,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    getattr(errno, "WSAECONNRESET", errno.ECONNRESET),
    getattr(errno, "WSAENETRESET", errno.ENETRESET),
}
"""Errors of reading that tell, once each, what became of a datagram sent before.  The port itself is fine."""

ERRORS_OF_ROUTES = {
    errno.EINVAL,  # what Linux says when the address that a socket is bound to is not ours any more
    errno.EADDRNOTAVAIL,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENODEV,
}
"""Errors of sending that tell that nothing leads from here to the destination."""

ERRORS_OF_RULES = {errno.EPERM, errno.EACCES}
"""Errors of sending that tell that a rule of this host forbids it: a firewall, or a security module."""

SEND_DROPS = {
    errno.EMSGSIZE: Drop.TOO_LONG,
    errno.EAGAIN: Drop.SEND_BUFFER_FULL,
    errno.EWOULDBLOCK: Drop.SEND_BUFFER_FULL,
    errno.ENOBUFS: Drop.SEND_BUFFER_FULL,
    getattr(errno, "WSAEMSGSIZE", errno.EMSGSIZE): Drop.TOO_LONG,
}
"""Errors of sending that have a counter of their own; the others count as refused."""

TOO_LONG = "message too long"
"""The words of Twisted's own port for a datagram that is too long."""

SYSCTL = (
    "; sysctl -w net.core.rmem_max={wanted} net.core.wmem_max={wanted} allows it" if sys.platform == "linux" else ""
)


class PortContext:
    """
    Holds what the ports of one opener share.

    @ivar reactor: C{IReactorFDSet}.
    @ivar drops: where what cannot be sent or received is counted.
    @ivar shared: whether many sources send to a port, which then share it.
    @ivar intakeBytes: payload and overhead that may wait at such a port while it is crowded.
    @ivar grouped: whether each port is one of several at its address, which other processes read.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        drops: Drops,
        udpBuffer: int = UDP_BUFFER_BYTES,
        *,
        shared: bool = False,
        intakeBytes: int = MAX_INTAKE_BYTES,
        grouped: bool = False,
    ) -> None:
        """
        @param udpBuffer: bytes of buffer to ask for, each way and for each port.
        """
        self.shared = shared
        self.intakeBytes = intakeBytes
        self.grouped = grouped
        self.reactor = reactor
        self.drops = drops
        self._udpBuffer = min(udpBuffer, MOST_UDP_BUFFER_BYTES)
        self._said: set[Hashable] = set()

    def sayOnce(self, level: Any, words: str, **fields: object) -> None:
        """
        Log something that may be so for thousands of ports, for the first of them only.
        """
        if words not in self._said:
            self._said.add(words)
            self._log.emit(level, words, **fields)

    def openSocket(self, bindAddress: Address, beforeBind: Callable[[socket.socket], None]) -> socket.socket:
        """
        @param beforeBind: sets what has to be set before anything comes.
        @return: a UDP socket, not blocking, with large buffers.
        @raise OSError: when the address cannot be bound.
        """
        family = socket.AF_INET6 if ":" in bindAddress[0] else socket.AF_INET
        udpSocket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            udpSocket.setblocking(False)
            self.enlarge(udpSocket)
            beforeBind(udpSocket)
            udpSocket.bind(bindable(bindAddress))
        except OSError:
            udpSocket.close()
            raise
        return udpSocket

    def enlarge(self, udpSocket: socket.socket) -> None:
        """
        Ask for large buffers, and warn when the system gives less.  Of a group, who has opened that warns.
        """
        given = enlargeUdpBuffers(udpSocket, self._udpBuffer)
        if given < self._udpBuffer and not self.grouped:
            self.sayOnce(
                LogLevel.warn,
                "the system gives UDP sockets {given} bytes of buffer instead of {wanted}, so bursts may lose"
                " datagrams" + SYSCTL + "; {setting} {given} asks for no more",
                setting=spelled("udpBuffer"),
                given=given,
                wanted=self._udpBuffer,
            )


def countNotSent(drops: Drops, log: twisted.logger.Logger, error: OSError) -> None:
    """
    Count a datagram that could not be sent.
    """
    drops.count(SEND_DROPS.get(error.errno or 0, Drop.SEND_REFUSED))
    log.debug("a datagram could not be sent: {reason}", reason=error.strerror)


@implementer(IReadDescriptor, IUDPTransport, IListeningPort)
class SocketPort:
    """
    Keeps a UDP socket in a reactor, as the transport of a protocol that takes trains.  A
    subclass says how trains are read and sent.

    @ivar connected: whether the port is bound.
    @ivar fileno: returns the descriptor that the reactor watches, or -1 when the port is
        closed.  The reactor calls it and L{logPrefix} for each read, so both are functions
        in C and not methods of ours.
    @ivar logPrefix: returns the port's name in Twisted's log.
    """

    _log = Logger()
    _socket: socket.socket
    _host: IPv4Address | IPv6Address
    _sendto: Callable[[bytes, Address], object]
    _send: Callable[[bytes], object]

    def __init__(self, context: PortContext, bindAddress: Address, protocol: DatagramReceiver) -> None:
        """
        @param bindAddress: a numeric address and a port, 0 for any.
        @param protocol: takes the trains.
        """
        self.connected = False
        self.fileno: Callable[[], int] = notOpen
        self.logPrefix: Callable[[], str] = partial(str, "uotp UDP")
        self._context = context
        self._drops = context.drops
        self._bindAddress = bindAddress
        self._protocol = protocol
        self._connectedTo: Address | None = None
        self._uselessTurns = 0
        self._isPaused = False
        self._intake = Intake(context.reactor, context.drops, self, context.intakeBytes) if context.shared else None

    def startListening(self) -> None:
        """
        Bind, and read from now on.  A port that was closed binds the same address again.

        @raise CannotListenError: when the address cannot be bound.
        """
        host, number = self._bindAddress[:2]
        try:
            udpSocket = self._context.openSocket(self._bindAddress, self.beforeBind)
        except OSError as error:
            raise CannotListenError(host, number, error) from error
        self.listenOn(udpSocket)

    def listenOn(self, udpSocket: socket.socket) -> None:
        """
        Read a socket from now on that is bound already, and was prepared as this kind of port does it.

        @param udpSocket: it is ours from now on.
        """
        self._socket = udpSocket
        self._bindAddress = address = udpSocket.getsockname()
        self._host = (IPv6Address if ":" in address[0] else IPv4Address)("UDP", hostOf(address), *address[1:])
        self._sendto = self._socket.sendto
        self._send = self._socket.send
        self._uselessTurns = 0
        self._isPaused = False
        self._prepare()
        self.fileno = self._socket.fileno
        self.connected = True
        self._protocol.makeConnection(self)
        self._context.reactor.addReader(self)

    @staticmethod
    def beforeBind(udpSocket: socket.socket) -> None:
        """
        Set what has to be set before anything comes.
        """

    def _prepare(self) -> None:
        """
        Make what belongs to the socket, before anything is read.
        """

    def sendTrains(self, trains: list[Train], destination: Address) -> None:
        """
        See L{uotp.boundaries.DatagramPort}.
        """
        raise NotImplementedError

    def doRead(self) -> None:
        """
        Read what has come, no more than a bound, and hand it on in trains.
        """
        raise NotImplementedError

    def readMore(self) -> bool:
        """
        See L{uotp.udp.crowd.CrowdedPort}.
        """
        raise NotImplementedError

    def handOn(self, source: Any, trains: list[Train]) -> None:
        """
        See L{uotp.udp.crowd.CrowdedPort}.
        """
        raise NotImplementedError

    def tooMuchOf(self, source: Any) -> None:
        """
        See L{uotp.udp.crowd.CrowdedPort}.  Most systems have no way to read a source apart.
        """

    def getHost(self) -> IPv4Address | IPv6Address:
        """
        @return: where the port is bound, or was.
        """
        return self._host

    def write(self, packet: bytes, addr: Address | None = None) -> None:
        """
        Send a datagram.

        @param addr: where to; L{None} only after L{connect}.
        @raise MessageLengthError: when it is too long.
        @raise OSError: when it cannot be sent for another reason.
        """
        try:
            if addr is None:
                self._socket.send(packet)
            else:
                self._sendto(packet, addr)
        except OSError as error:
            if SEND_DROPS.get(error.errno or 0) is Drop.TOO_LONG:
                raise MessageLengthError(TOO_LONG) from error
            raise

    def connect(self, host: str, port: int) -> None:
        """
        Send to one address from now on, and receive from it alone.

        @raise RuntimeError: when it is connected already.
        @raise InvalidAddressError: for a host name.
        """
        if self._connectedTo is not None:
            reason = "already connected, reconnecting is not currently supported"
            raise RuntimeError(reason)
        if not (isIPAddress(host) or isIPv6Address(host)):
            raise InvalidAddressError(host, "not an IPv4 or IPv6 address.")
        self._connectedTo = (host, port)
        self._socket.connect((host, port))

    def connectTo(self, destination: Address) -> TakeTrains:
        """
        See L{uotp.boundaries.DatagramPort}.
        """
        self._socket.connect(destination)
        self._connectedTo = destination
        self._sendto = self._sendConnected
        return partial(self.sendTrains, destination=destination)

    def _sendConnected(self, datagram: bytes, destination: Address) -> None:
        """
        Send a datagram to the address that the socket is connected to.  An error may have told
        of a datagram before, that nobody has taken; then this one was not sent yet.
        """
        try:
            self._send(datagram)
        except OSError as error:
            if error.errno not in ERRORS_OF_DATAGRAMS:
                raise
            self._send(datagram)

    def pauseProducing(self) -> None:
        """
        Read nothing, until L{resumeProducing}.
        """
        self._isPaused = True
        if self.connected:
            self._context.reactor.removeReader(self)

    def resumeProducing(self) -> None:
        """
        Read what comes again.
        """
        self._isPaused = False
        if self.connected:
            self._context.reactor.addReader(self)

    def _readLater(self) -> None:
        """
        Read no more before the session has had its turn.
        """
        if self.connected:
            self._context.reactor.removeReader(self)
            self._protocol.allowance.readLater(self._readAgain)

    def _readAgain(self) -> None:
        if self.connected and not self._isPaused:
            self._context.reactor.addReader(self)

    def keepLittle(self, *, little: bool) -> None:
        """
        Let the kernel drop what is more than a little, or keep as much as before.

        @param little: whether what comes is of little use for now.
        """
        if not self.connected:
            return
        if little:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE_BYTES)
        else:
            self._context.enlarge(self._socket)

    def setBroadcastAllowed(self, enabled: bool) -> None:  # noqa: FBT001 - Twisted's signature
        """
        Say whether the port may send to everybody.
        """
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, enabled)

    def getBroadcastAllowed(self) -> bool:
        """
        @return: whether the port may send to everybody.
        """
        return bool(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST))

    def statistics(self) -> PortStatistics:
        """
        @return: what the kernel tells of the port.
        """
        return portStatistics(self._socket, self._host)

    def _notSent(self, error: OSError, datagram: bytes, destination: Address) -> None:
        countNotSent(self._drops, self._log, error)
        tellNotSent(self._protocol, error, datagram, destination)

    def _trySending(self, error: OSError, datagram: bytes, destination: Address) -> bool:
        """
        Sending has failed.  On some systems the error may be of a datagram before; then send
        this one.

        @return: whether it was sent.
        """
        self._notSent(error, datagram, destination)
        return False

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
                anySent = self._trySending(error, datagram, destination) or anySent
        return anySent

    def _countUselessTurn(self) -> None:
        self._uselessTurns += 1
        if self._uselessTurns >= MAX_USELESS_TURNS:
            self._fail("reading from it does nothing but fail")

    def connectionLost(self, reason: Any) -> None:
        """
        The reactor has given the socket up, or stops.  It gives up a connected one too that
        has nothing but an error to be read: the answer to a datagram that nobody has taken.
        """
        if self.connected and isFailureOf(reason, ConnectionDone) and self._takeErrors():
            if not self._isPaused:
                self._context.reactor.addReader(self)
            return
        self._fail("the reactor has closed it")

    def _takeErrors(self) -> bool:
        """
        Take the errors that wait, and tell the protocol of them.

        @return: whether this socket may have such errors, which are of datagrams sent before.
        """
        if self._connectedTo is None:
            return False
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # which takes the error
        if number:
            self._protocol.refused(self._connectedTo, number)
        return True

    def _fail(self, reason: str) -> None:
        if self.connected:
            self._close()
            self._protocol.transportFailed(reason)

    def stopListening(self) -> None:
        """
        Close at once.
        """
        if self.connected:
            self._close()
            self._protocol.doStop()

    def _close(self) -> None:
        self.connected = False
        self._connectedTo = None
        if self._intake is not None:
            self._intake.stop()
        self._context.reactor.removeReader(self)
        self._sendto = self._socket.sendto  # in place of a method of ours
        self._socket.close()


def tellNotSent(protocol: DatagramReceiver, error: OSError, datagram: bytes, destination: Address) -> None:
    """
    Let a protocol know that a datagram could not be sent, and why, if that concerns the others too.
    """
    protocol.unsentBytes += len(datagram)
    if error.errno in ERRORS_OF_ROUTES:
        protocol.routeFailed()
    elif error.errno in ERRORS_OF_RULES:
        protocol.refused(destination, error.errno)


def isFailureOf(reason: Any, kind: type[Exception]) -> bool:
    """
    @return: whether the reactor gives this reason for the end of a connection.
    """
    return isinstance(reason, Failure) and reason.check(kind) is not None


def notOpen() -> int:
    """
    @return: -1, which stands for no descriptor.
    """
    return -1
