"""
The seams between the rooms, as types; no logic.  Each has a real side and, in
the tests, a twin in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from uotp.path import PathStats
from uotp.train import Arrival, Numbering, Train

Address = tuple[Any, ...]
"""
A UDP address as the socket module has it: (host, port), and for IPv6 flow and
scope besides.  It is compared and handed back, never taken apart on the data path.
"""


class DatagramReceiver(Protocol):
    """
    Who owns a datagram port.
    """

    def trainsReceived(self, trains: list[Train], source: Address) -> None:
        """
        Datagrams came, all of them from one source, and all that came from it in a
        row.
        """

    def portLost(self, reason: str) -> None:
        """
        The port is of no use any more, and has been closed.
        """


class DatagramPort(Protocol):
    """
    A bound UDP socket.
    """

    def send(self, trains: list[Train], destination: Address) -> None:
        """
        Send each datagram of some trains, in order.  What cannot be sent is counted;
        nothing is raised.
        """

    def address(self) -> Address:
        """
        Where the port is bound.
        """

    def close(self) -> None:
        """
        Close at once.  Nothing is received afterwards, sending does nothing, and
        closing again is allowed.
        """


DatagramPortOpener = Callable[[Address, DatagramReceiver], DatagramPort]
"""Opens a port, bound to an address; raises OSError when that cannot be done."""


class Security(NamedTuple):
    """
    What TLS has found out about a stream.

    @ivar protocol: what both ends have agreed on by ALPN, or L{None}.
    @ivar peerKey: the SHA-256 of the peer's public key, which stays the same when its
        certificate is renewed; L{None} when it has shown no certificate.
    @ivar refusal: why one end refuses the other, in words, or L{None}.
    """

    protocol: bytes | None = None
    peerKey: bytes | None = None
    refusal: str | None = None


class Stream(Protocol):
    """
    A connection that carries bytes both ways, over TCP, with TLS or without.  It calls a
    Twisted protocol: C{connectionMade}, C{handshakeCompleted} when there is TLS,
    C{dataReceived}, and C{connectionLost}, after which L{security} still tells.  It
    pauses a producer as soon as it holds anything that the kernel did not take.
    """

    @property
    def security(self) -> Security | None:
        """
        What TLS has found out so far; L{None} when there is no TLS.
        """

    def write(self, data: bytes) -> None:
        """
        Send bytes, now as far as the kernel takes them, and the rest later.
        """

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: FBT001 - Twisted's signature
        """
        Say who is to be paused while the stream is full; see C{IConsumer}.
        """

    def unregisterProducer(self) -> None:
        """
        Pause nobody any more.
        """

    def close(self) -> None:
        """
        Send what is written, and close then.  Whoever calls this sets a time for it.
        """

    def abort(self) -> None:
        """
        Close now, and drop what is written.
        """

    def queuedBytes(self) -> int:
        """
        @return: what the stream holds and has not given to the kernel.
        """

    def unacknowledged(self) -> int | None:
        """
        @return: how much of what was written the other kernel has not acknowledged, as it
            is on the wire, in bytes; L{None} where the system does not tell.
        """

    def pathStats(self) -> PathStats | None:
        """
        @return: how the path is, or L{None} where the system does not tell.
        """

    def cost(self) -> int:
        """
        @return: what stands before the next byte that is written, in bytes: 0 at rest,
            L{uotp.path.TROUBLED} or more while the connection retransmits.
        """


class Carrier(Protocol):
    """
    A tunnel, as its session sees it.
    """

    @property
    def roundTrip(self) -> float:
        """
        The time to the other end's program and back, smoothed, in seconds; 0 while it
        is not known.
        """

    def send(self, trains: list[Train]) -> None:
        """
        Send some trains with one write.  To be called while the tunnel is free only.
        """

    def sendAgain(self, arrivals: list[Arrival]) -> None:
        """
        Send with one write what another tunnel was given and has not carried, with the
        numbers that it has.  To be called while the tunnel is free only.
        """

    def holdsUnconfirmed(self) -> bool:
        """
        @return: whether there is anything that L{unconfirmed} would give.
        """

    def unconfirmed(self) -> list[Arrival]:
        """
        @return: what the tunnel was given of late, and is not known to have arrived, with
            its numbers; once.  Nothing where it will arrive yet, since the tunnel ends in
            good order.
        """

    def cost(self) -> int:
        """
        @return: what stands before the next train, in bytes: 0 at rest,
            L{uotp.path.TROUBLED} or more while the connection retransmits.
        """

    def standing(self) -> PathStats | None:
        """
        @return: how the connection stands, or L{None} where the system does not tell.
        """

    def close(self) -> None:
        """
        Close in good order what is written, for a short time; then abort.
        """

    def abort(self) -> None:
        """
        Close now.
        """


class TrainsOfTunnel(Protocol):
    """
    A session, as a tunnel sees it.

    @ivar numbering: of what its tunnels send.
    """

    numbering: Numbering

    def trainsFromTunnel(self, trains: list[Train]) -> None:
        """
        The other end sent trains, in a format that does not number them.
        """

    def numberedFromTunnel(self, arrivals: list[Arrival]) -> None:
        """
        The other end sent trains, each with the number of its first datagram.
        """

    def againFromTunnel(self, arrivals: list[Arrival]) -> None:
        """
        The other end sent again, with their numbers, trains that another tunnel may have
        brought, or may bring yet.
        """

    def roundTripSeen(self) -> None:
        """
        A tunnel knows better how far the other end is.
        """

    def tunnelFree(self, tunnel: Carrier) -> None:
        """
        The tunnel takes trains: it has become ready, or its backlog is gone.
        """

    def tunnelFull(self, tunnel: Carrier) -> None:
        """
        The tunnel takes no more trains until it is free again.
        """

    def tunnelGone(self, tunnel: Carrier) -> None:
        """
        The tunnel carries no more, unless it says again that it is free.
        """


class Credentials(Protocol):
    """
    Who we are to the peer, and whom we trust, as files that can be read again.
    """

    def reload(self) -> None:
        """
        Read the files again, for the connections to come.

        @raise ConfigurationError: when they cannot be used; the old stay in use.
        """

    def warnOfDates(self) -> None:
        """
        Say so when the certificate that we show is out of date, or soon will be.
        """
