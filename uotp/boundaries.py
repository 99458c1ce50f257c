"""
The seams between the rooms, as types; no logic.  Each has a real side and, in
the tests, a twin in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from twisted.internet.interfaces import IListeningPort

from uotp.path import PathStats
from uotp.train import Arrival, Numbering, Train

Address = tuple[Any, ...]
"""
A UDP address as the socket module has it: (host, port), and for IPv6 flow and
scope besides.  It is compared and handed back, never taken apart on the data path.
"""


AGAIN_SECONDS = 1.0
"""
What was sent longer ago is not sent again through another link: a program would have
asked for it again.
"""


class DatagramReceiver(Protocol):
    """
    A protocol on a UDP port, which takes whole trains; see L{uotp.udp.TrainProtocol}.
    """

    def makeConnection(self, transport: Any) -> None:
        """
        The port is bound: it may be sent through, and what comes will be handed on.
        """

    def trainsReceived(self, trains: list[Train], source: Address) -> None:
        """
        Datagrams came, all of them from one source, and all that came from it in a
        row.
        """

    def transportFailed(self, reason: str) -> None:
        """
        The port is of no use any more, and has been closed; in place of C{doStop}.
        """

    def doStop(self) -> None:
        """
        The port has been closed as it was asked to be.
        """


class DatagramPort(Protocol):
    """
    A transport for UDP that takes whole trains; it is an C{IUDPTransport} and an
    C{IListeningPort} besides.
    """

    def sendTrains(self, trains: list[Train], destination: Address) -> None:
        """
        Send each datagram of some trains, in order.  What cannot be sent is counted;
        nothing is raised, and a closed port does nothing.
        """

    def getHost(self) -> Any:
        """
        @return: where the port is bound.
        """

    def stopListening(self) -> None:
        """
        Close at once.  Nothing is received afterwards, and closing again is allowed.
        """


DatagramPortOpener = Callable[[Address, DatagramReceiver], IListeningPort]
"""
Opens a port that drives a protocol, bound to an address; raises OSError when that cannot be
done.  The port may be Twisted's own, which takes no trains.
"""


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
        Send bytes, now as far as the kernel takes them, and the rest later; before the
        stream is open, all of them later.  A stream that has been closed or aborted drops
        them.
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
        Send what is written, and close then, which pauses nobody any more; a stream that is
        not open yet is aborted.  Whoever calls this sets a time for it.
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

    def isTroubled(self) -> bool:
        """
        @return: whether the kernel repairs a loss on this connection, or the connection is
            broken or gone; L{False} where the system does not tell.
        """

    def cost(self) -> int:
        """
        @return: what stands before the next byte that is written, in bytes: 0 at rest,
            L{uotp.path.TROUBLED} or more while the connection retransmits.
        """


class Link(Protocol):
    """
    What is spoken on an open tunnel, as the session that it carries for sees it.

    @ivar roundTrip: to the other end's program and back, smoothed, in seconds; 0 while
        it is not known.
    @ivar sentAt: when it was given trains last, by the session's clock.
    """

    roundTrip: float
    sentAt: float

    def send(self, trains: list[Train], now: float) -> None:
        """
        Send some trains with one write.  To be called while the link is free only.

        @param now: by the session's clock.
        """

    def sendAgain(self, arrivals: list[Arrival]) -> None:
        """
        Send with one write what another link was given and has not carried, with the
        numbers that it has.  To be called while the link is free only.
        """

    def holdsUnacked(self) -> bool:
        """
        @return: whether there is anything that L{takeUnacked} would give.
        """

    def takeUnacked(self) -> list[Arrival]:
        """
        @return: what the link was given of late, and is not known to have arrived, with
            its numbers; once.  Nothing where it will arrive yet, since the tunnel ends in
            good order.
        """

    def cost(self) -> int:
        """
        See L{Stream.cost}.
        """

    def isTroubled(self) -> bool:
        """
        See L{Stream.isTroubled}.
        """

    def pathStats(self) -> PathStats | None:
        """
        See L{Stream.pathStats}.
        """


class InboundTrains(Protocol):
    """
    Where a session takes what its links bring.
    """

    def lone(self, number: int, train: Train, now: float) -> None:
        """
        A read has brought one train and nothing else.

        @param number: of its first datagram.
        @param now: by the session's clock, as in the others.
        """

    def numbered(self, arrivals: list[Arrival], now: float) -> None:
        """
        The other end sent trains, each with the number of its first datagram.
        """

    def again(self, arrivals: list[Arrival], now: float) -> None:
        """
        The other end sent again, with their numbers, trains that another link may have
        brought, or may bring yet.
        """

    def unnumbered(self, trains: list[Train], now: float) -> None:
        """
        The other end sent trains, in a format that does not number them.
        """


class OutboundTrains(Protocol):
    """
    Where a session hands out what its links carry.

    @ivar numbering: of what it sends.
    """

    numbering: Numbering

    def linkFree(self, link: Link) -> None:
        """
        The link takes trains: it has become ready, or what it held is gone.
        """

    def linkFull(self, link: Link) -> None:
        """
        The link takes no more trains until it is free again.
        """

    def linkGone(self, link: Link) -> None:
        """
        The link carries no more, unless it says again that it is free.
        """

    def roundTripChanged(self) -> None:
        """
        A link knows better how far the other end is.
        """


class CarriedSession(Protocol):
    """
    A session, as its tunnels see it.
    """

    @property
    def inbound(self) -> InboundTrains:
        """
        Where what they bring goes.
        """

    @property
    def outbound(self) -> OutboundTrains:
        """
        Where what they carry comes from.
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
