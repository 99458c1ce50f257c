"""
The seams between packages, as types.  There is no logic here, and nothing here knows who
stands on either side of a seam.  Each seam has a real side and, in the tests, a twin in
memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from twisted.internet.interfaces import IListeningPort

from uotp.errors import PeerError, Refusal
from uotp.path import Flight, PathStats
from uotp.train import Arrival, Missing, Numbering, TakeTrains, Train

Address = tuple[Any, ...]
"""
A UDP address as the socket module has it: (host, port), and for IPv6 flow and
scope besides.  It is compared and handed back, never taken apart on the data path.
"""


AGAIN_SECONDS = 1.0
"""
What was sent longer ago than this is not sent again through another link: the program that
needs it has asked for it again by then.
"""


class QueueRoom(Protocol):
    """
    Says how much one queue may hold of what waits.

    @ivar granted: bytes that it may hold without asking.
    """

    granted: int

    def reaches(self, needed: int) -> bool:
        """
        Get more room if need be, as far as that is to be had.

        @param needed: bytes that the queue holds.
        @return: whether it may.  If not, it has to give something up.
        """

    def shrink(self, needed: int) -> None:
        """
        Give back what is not needed.

        @param needed: bytes that the queue holds.
        """


class StreamRoom(Protocol):
    """
    Counts what one stream holds of what waits.
    """

    def hold(self, size: int, giveUp: Callable[[], None]) -> None:
        """
        The stream holds so many bytes from now on.

        @param giveUp: closes the stream; called in a later turn of the reactor when its owner
            holds more than it may, and this stream has held something for longest.
        """

    def release(self) -> None:
        """
        The stream holds nothing any more.
        """


class AllowanceOwner(Protocol):
    """
    Counts what is done for all sessions of one owner in one turn of the reactor.

    @ivar isExhausted: whether that is enough for this turn.
    """

    @property
    def isExhausted(self) -> bool:
        """
        See above.
        """


class Allowance(Protocol):
    """
    Counts what is done for one session in one turn of the reactor, in units; see
    L{uotp.train.unitsOf}.  Whoever works for the session spends units, and leaves what is too
    much to the next turn.  Before he reads more, he asks whether L{isSpent}, or its owner is
    exhausted; then he leaves the reading to the next turn too.

    @ivar left: the units that are left.  Whoever is short of time may subtract from them, and
        call L{overdraw} when there are none left, in place of a call of L{spend}.
    @ivar isSpent: whether nothing more of this session is to be read for now.
    """

    left: int
    isSpent: bool

    @property
    def owner(self) -> AllowanceOwner:
        """
        Whose session it is.
        """

    def spend(self, units: int) -> None:
        """
        So much was done.
        """

    def overdraw(self) -> None:
        """
        All units are spent: get more of the owner's.  When it has none, or others of its sessions
        wait, nothing more of this one is read before its next turn.
        """

    def readLater(self, resume: Callable[[], None]) -> None:
        """
        Somebody has stopped to read of the session, since that is enough for this turn.

        @param resume: begins to read again.
        """

    def room(self, most: int) -> QueueRoom:
        """
        @param most: bytes that a queue may hold at the most.
        @return: the queue's room in the memory that the owner may fill.
        """

    def streamRoom(self) -> StreamRoom:
        """
        @return: counts what one stream holds in the memory that the owner may fill.
        """

    def later(self, work: Callable[[], None]) -> None:
        """
        Do something in the owner's next turn, before more of it is read.

        @param work: spends what it costs.
        """


class Upgrade(Protocol):
    """
    Asks a web server to go on with WebSocket, and judges its answer.
    """

    def request(self) -> bytes:
        """
        @return: what is said first.
        """

    def received(self, data: bytes) -> bytes | None:
        """
        Hear what the server answers.

        @return: what has come behind the answer, once that is complete; L{None} before.
        @raise PeerError: when it does not go on with WebSocket; in words.
        """


class DatagramReceiver(Protocol):
    """
    Takes the whole trains that a UDP port receives; L{uotp.udp.TrainProtocol} is such a
    protocol.

    @ivar allowance: of whom the port is for.  While it is spent, the port reads nothing.
    @ivar unsentBytes: payload that could not be sent.
    """

    allowance: Allowance
    unsentBytes: int

    def makeConnection(self, transport: Any) -> None:
        """
        The port is bound: it may be sent through, and what comes will be handed on.
        """

    def trainsReceived(self, trains: list[Train], source: Address) -> None:
        """
        Datagrams came from one source.  These are all that came from it in a row.
        """

    def routeFailed(self) -> None:
        """
        A datagram could not be sent, since nothing leads to its destination, or the address
        that the port is bound to is not ours any more.
        """

    def refused(self, destination: Address, number: int) -> None:
        """
        The network has told, or a rule of this host says, that what is sent to an address does
        not arrive there.  This may be called while something is sent.

        @param number: of the error, see C{errno}: ECONNREFUSED when nothing listens there.
        """

    def transportFailed(self, reason: str) -> None:
        """
        The port is of no use any more and has been closed.  This is called in place of
        C{doStop}.
        """

    def doStop(self) -> None:
        """
        The port has been closed because somebody asked it to.  Whether that was the protocol
        itself, the protocol knows.
        """


class DatagramPort(Protocol):
    """
    Sends and receives whole trains on one UDP socket.  It is an C{IUDPTransport} and an
    C{IListeningPort} besides.
    """

    def sendTrains(self, trains: list[Train], destination: Address) -> None:
        """
        Send each datagram of some trains, in order.  What cannot be sent is counted;
        nothing is raised, and a closed port does nothing.
        """

    def connectTo(self, destination: Address) -> TakeTrains:
        """
        Receive from one address alone from now on.  What others send costs nothing any more.
        When nobody listens there, the port stays as it is.

        @return: what sends trains there.
        @raise OSError: when nothing leads there.
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


Chain = tuple[tuple[bytes, bytes, int], ...]
"""
Certificates, each by what stands for the name of its issuer, by the pin of the issuer's key, which is empty where
nobody has shown it, and by its serial number; the peer's own is the first.
"""


class Security(NamedTuple):
    """
    Tells what TLS has found out about a stream.

    @ivar protocol: what both ends have agreed on by ALPN, or L{None}.
    @ivar peerKey: the SHA-256 of the peer's public key, which stays the same when its
        certificate is renewed; L{None} when it has shown no certificate.
    @ivar refusal: why one end refuses the other, in words, or L{None}.
    @ivar peerName: what the log calls the certificate that a client has shown, also where it was
        refused; L{None} without one, and for a server's.
    @ivar peerChain: the peer's certificate and those above it, by which their CAs may revoke them; empty
        when it has shown none.
    @ivar kind: what kind of reason the refusal is; L{None} without one.
    """

    protocol: bytes | None = None
    peerKey: bytes | None = None
    refusal: str | None = None
    peerName: str | None = None
    peerChain: Chain = ()
    kind: Refusal | None = None


class StreamFacts(NamedTuple):
    """
    Says of a stream what only a log needs.

    @ivar local: our address and port, in words.
    @ivar peer: the peer's.
    @ivar tls: the version of TLS and the cipher, or L{None} without TLS.
    """

    local: str
    peer: str
    tls: str | None = None


class Stream(Protocol):
    """
    Carries bytes both ways over one TCP connection, with TLS or without.  It calls a
    Twisted protocol: C{connectionMade}, C{handshakeCompleted} when there is TLS,
    C{dataReceived}, and C{connectionLost}.  L{security} can be asked also after that.  The
    stream pauses its producer as soon as it holds anything that the kernel did not take.

    @ivar allowance: of whom it carries for, once that is known.  While it is spent, nothing
        is read.
    """

    allowance: Allowance

    @property
    def security(self) -> Security | None:
        """
        What TLS has found out so far; L{None} when there is no TLS.
        """

    @property
    def isBare(self) -> bool:
        """
        Whether the connection itself is all there is of the stream, so that another process could go on with it.  What
        OpenSSL knows of it cannot be given away, nor what has come of a frame of WebSocket.
        """

    def getPeer(self) -> Any:
        """
        @return: Twisted's C{IPv4Address} or C{IPv6Address} of the other end.
        """

    def facts(self) -> StreamFacts:
        """
        @return: what a log may say of an open stream.
        """

    def admit(self) -> None:
        """
        The peer has shown who it is: what it sends is read at once from now on.  Before that,
        a stream that was accepted reads only when it is its turn.
        """

    def pauseProducing(self) -> None:
        """
        Hand on nothing that comes, until L{resumeProducing}.
        """

    def resumeProducing(self) -> None:
        """
        Hand on what comes again.
        """

    def write(self, data: bytes) -> None:
        """
        Send bytes: now as far as the kernel takes them, and the rest later.  Before the
        stream is open, all of them are sent later.  A stream that has been closed or aborted
        drops them.
        """

    def becomeWebSocket(self, rest: bytes = b"", *, masks: bool) -> None:
        """
        Carry messages of WebSocket from now on: each write is one, and of what comes the protocol gets
        what is in them.  Call this once, on an open stream.

        @param rest: what has come already, which is handed on before this returns, unless it is very much.
        @param masks: whether we are the client.
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
        Send what is written, then close.  Nobody is paused meanwhile.  A stream that is not
        open yet is aborted.  The caller limits how long this may take.
        """

    def abort(self) -> None:
        """
        Close now, and drop what is written.
        """

    def queuedBytes(self) -> int:
        """
        @return: what the stream holds and has not given to the kernel.
        """

    def acknowledge(self) -> None:
        """
        Have the kernel acknowledge at once what was read, and what comes soon, where it can.
        """

    def unacknowledged(self) -> int | None:
        """
        @return: how many of the bytes that were written the other kernel has not
            acknowledged, counted as they are on the wire; L{None} where the system does not
            tell.
        """

    def pathStats(self) -> PathStats | None:
        """
        @return: how the path is, or L{None} where the system does not tell.
        """

    def retransmissions(self, *, isAsked: bool = True) -> int:
        """
        @param isAsked: whether the kernel is asked anew; otherwise this is what it has said last.
        @return: how many segments the kernel has sent again since the connection was opened, also when that is
            gone; 0 where the system does not tell.
        """

    def flight(self) -> Flight | None:
        """
        @return: what is under way, or L{None} where the system does not tell, or when the
            connection is gone.
        """

    def isTroubled(self) -> bool:
        """
        @return: whether the kernel is repairing a loss on this connection, or the connection
            is broken or gone; L{False} where the system does not tell.
        """

    def cost(self) -> int:
        """
        @return: how many bytes have to leave before the next one that is written: 0 at rest,
            L{uotp.path.TROUBLED} or more while the connection retransmits.
        """

    def boundInFlight(self, size: int | None) -> None:
        """
        Say how much the kernel may hold of what is written.

        @param size: in bytes, about; L{None} for as much as the system thinks right.
        """

    def boundRate(self, rate: int | None) -> None:
        """
        Say how fast the kernel may send what is written.  Where it can be told no such thing,
        nothing changes.

        @param rate: in bytes a second; L{None} for as fast as the system thinks right.
        """

    def boundUnsent(self, *, isBounded: bool) -> None:
        """
        Say whether what is written has to wait as soon as the kernel has as much unsent as it is to have.
        Otherwise it takes the rest of a long segment before that, 64 KiB in all.
        """

    def allowSilence(self, roundTrip: float) -> None:
        """
        Say how long a round trip takes at present, in seconds: the kernel is not to give the
        connection up sooner than such a path needs.
        """


class Link(Protocol):
    """
    Carries trains for one session on one open tunnel.  The session sees a tunnel as its
    link.

    @ivar roundTrip: to the other end's program and back, smoothed, in seconds; 0 while
        it is not known.
    @ivar sentAt: when the link was last given trains, by the session's clock.
    """

    roundTrip: float
    sentAt: float

    def send(self, trains: list[Train], now: float) -> None:
        """
        Send some trains with one write.  Call this only while the link is free.

        @param now: by the session's clock.
        """

    def sendAgain(self, arrivals: list[Arrival]) -> None:
        """
        Send with one write trains that another link was given and has not carried.  They
        keep their numbers.  Call this only while the link is free.
        """

    @property
    def unackedBytes(self) -> int:
        """
        Payload and overhead of the trains that L{takeUnacked} would give.
        """

    @property
    def numbers(self) -> bool:
        """
        Whether the format numbers datagrams, so that the other end drops what comes twice.
        """

    def unackedWithin(self, begin: int, count: int, most: int, by: float) -> list[Arrival]:
        """
        Look for datagrams that the link was given of late and that are not known to have arrived.  They
        are kept.

        @param begin: the number of the first that is wanted.
        @param count: how many are wanted, numbers one behind the other.
        @param most: bytes of them at most; a lone datagram may be longer.
        @param by: the link was given them by then, by the session's clock.
        @return: those that were found, in order.
        """

    def report(self, missing: list[Missing]) -> None:
        """
        Tell the other end what of its datagrams has not come, if the format can say that.
        """

    def holdsUnacked(self) -> bool:
        """
        @return: whether there is anything that L{takeUnacked} would give.
        """

    def ask(self) -> None:
        """
        Ask the other end whether it is there, if this format can do that and no question is on its
        way.  A link that gets no answer says that it is gone.
        """

    def nudge(self) -> None:
        """
        Write a few bytes that say nothing, if this format has such and the link is free.  The
        other kernel acknowledges them, and so tells ours what was lost before them.  Without
        anything behind it, our kernel would learn of the loss by its timer only.
        """

    def boundInFlight(self, size: int | None) -> None:
        """
        See L{Stream.boundInFlight}.
        """

    def boundRate(self, rate: int | None) -> None:
        """
        See L{Stream.boundRate}.
        """

    def boundUnsent(self, *, isBounded: bool) -> None:
        """
        See L{Stream.boundUnsent}.
        """

    def allowSilence(self, roundTrip: float) -> None:
        """
        See L{Stream.allowSilence}.
        """

    def takeUnacked(self) -> list[Arrival]:
        """
        @return: the trains that the link was given of late and that are not known to have
            arrived, with their numbers.  Each is returned once.  Where the tunnel ends in
            good order they will arrive, and nothing is returned.
        """

    def takeUnsent(self) -> list[Arrival]:
        """
        @return: the trains that the link was given last, and that its kernel has not sent or not
            even taken, with their numbers; maybe a few more.  L{takeUnacked} does not return them
            again.
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
    Takes what the links of a session bring.

    @ivar lastActive: when the links last brought something, by the session's clock.
    @ivar acknowledgesSoon: whether the kernel is to acknowledge at once what comes, since the other end
        finds that the path loses.
    """

    lastActive: float
    acknowledgesSoon: bool

    def lone(self, number: int, train: Train, now: float) -> None:
        """
        A read has brought one train and nothing else.

        @param number: of the train's first datagram.
        @param now: by the session's clock, as in the other methods.
        """

    def numbered(self, arrivals: list[Arrival], now: float) -> None:
        """
        The other end sent trains, each with the number of its first datagram.
        """

    def again(self, arrivals: list[Arrival], now: float) -> None:
        """
        The other end sent trains again, with their numbers.  Another link may have brought
        them, or may still bring them.
        """

    def unnumbered(self, trains: list[Train], now: float) -> None:
        """
        The other end sent trains, in a format that does not number them.
        """


class LinkDemand(Protocol):
    """
    Tells how many links a session wants.
    """

    def links(self, now: float) -> int:
        """
        @param now: by the session's clock.
        @return: how many are wanted, one at least; more than there can be for as many as may be.
        """


class OutboundTrains(Protocol):
    """
    Hands out what the links of a session carry.

    @ivar numbering: counts the datagrams that the session sends.
    @ivar sentAgain: datagrams that were sent a second time.
    @ivar retransmissions: TCP segments that were sent again, of the links that are gone for ever.
    """

    numbering: Numbering
    sentAgain: int
    retransmissions: int

    @property
    def demand(self) -> LinkDemand:
        """
        Tells how many links are wanted, for both ways.
        """

    @property
    def fillsPath(self) -> bool:
        """
        Whether what is sent keeps a long queue on the path at present, so that more links would
        only make it longer.
        """

    @property
    def loadedRoundTrip(self) -> float:
        """
        The round trip of the link that carries most, with the queue that the load keeps, in
        seconds; 0 without a load.  All links pass the same queue.
        """

    def linkFree(self, link: Link) -> None:
        """
        The link takes trains: it has become ready, or it has sent what it held.
        """

    def linkFull(self, link: Link) -> None:
        """
        The link takes no more trains until it is free again.
        """

    def linkGone(self, link: Link) -> None:
        """
        The link carries nothing any more, unless it says again that it is free.
        """

    def roundTripChanged(self) -> None:
        """
        A link has measured its round trip anew.
        """

    def missed(self, missing: list[Missing]) -> None:
        """
        The other end says which datagrams have not come, though later ones have.
        """


class CarriedSession(Protocol):
    """
    Stands for a session towards its tunnels.
    """

    @property
    def allowance(self) -> Allowance:
        """
        Of whoever the session is for.
        """

    @property
    def inbound(self) -> InboundTrains:
        """
        Takes what the tunnels bring.
        """

    @property
    def outbound(self) -> OutboundTrains:
        """
        Gives the tunnels what they carry.
        """


class Credentials(Protocol):
    """
    Knows who we are to the peer and whom we trust, from files that can be read again.
    """

    def reload(self) -> None:
        """
        Read the files again.  New connections use what they say.

        @raise ConfigurationError: when they cannot be used; the old ones stay in use.
        """

    def prepare(self, contents: Mapping[str, bytes] | None = None, pause: Callable[[], None] = ...) -> Any:
        """
        Read the files again, and do not use them yet.  Another thread may do this.

        @param contents: what they hold, by their paths, where another process has read them.
        @param pause: called again and again meanwhile.
        @return: what L{adopt} takes.
        @raise ConfigurationError: when they cannot be used.
        """

    def adopt(self, prepared: Any) -> None:
        """
        Use for new connections what was prepared.
        """

    def objection(self, key: bytes | None, chain: Chain, token: bytes | None) -> PeerError | None:
        """
        Judge a peer once more that was let in.

        @param key: see L{Security.peerKey}.
        @param chain: see L{Security.peerChain}.
        @param token: what identifies the token that it has shown.
        @return: why it may not go on, as the files say now, or L{None}.
        """

    @property
    def isPlain(self) -> bool:
        """
        Whether there is no TLS.
        """

    def stamp(self) -> object:
        """
        @return: what is another one, by C{==}, when a file has changed; L{None} when none can be looked at.
        """

    @property
    def stampRead(self) -> object:
        """
        The L{stamp} of what was read last, whether it could be used or not.
        """

    def expiring(self) -> Iterable[tuple[str, str, str, float]]:
        """
        @return: what ends some day: its kind, whose it is, its file, and when, in seconds since 1970.
        """

    def warnOfDates(self) -> None:
        """
        Log a warning when the certificate that we show is out of date, or soon will be.
        """
