"""
The stream under a tunnel, at either end.  It is Twisted's own TCP connection, with one
difference: what is written goes to the kernel at once, as far as the kernel takes it, and
only the rest waits for the reactor.  So a lone datagram leaves without another turn.  A
stream holds something only when the kernel takes no more, and C{pauseProducing} comes with
the first byte that has to wait.

What a stream does when the reactor calls it depends on its phase
(L{uotp.transport.phases.STREAM_PHASES}).  The methods of the class are those of an open
stream, which so has nothing to ask.  In any other phase, other methods stand in their place.

What a stranger can make us do is done in its turn (L{uotp.transport.handshakes}): the
handshake of TLS at either end, and what is read of a peer that has not shown who it is.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from typing import Any

from twisted.internet import main, tcp
from twisted.python.failure import Failure

from uotp.boundaries import Allowance, Security, StreamFacts
from uotp.errors import PeerError
from uotp.net import (
    BACKOFF_AT,
    TCP_INFO,
    Host,
    allowSilence,
    boundSendBuffer,
    boundSendRate,
    isWritable,
    shownHost,
    tcpCost,
    tcpFlight,
    tcpPathStats,
    unacknowledgedBytes,
)
from uotp.path import TROUBLED, Flight, PathStats
from uotp.process import Unlimited
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.phases import CARRYING, EARLY, STREAM_PHASES, StreamEvent, StreamPhase
from uotp.transport.preamble import AnyExchange, Preamble, PreambleExchange
from uotp.transport.websocket.carrier import WebSocketCarrier

TCP_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


READ_BYTES = 64 * 1024
"""A stream reads about so much before others get their turn, and decodes it at one go."""

TROUBLE_BYTES = BACKOFF_AT + 1
"""
Enough of C{struct tcp_info}: its second byte is the state of congestion control, 0 when nothing is amiss;
its last one tells whether a timer has run out.
"""

END_UNITS = 16
"""
To end a connection, with all that follows for its session, takes as long as to hand on so many
lone datagrams: some 200 microseconds.
"""

OPEN = StreamPhase.OPEN


class TcpStream(tcp.Connection):
    """
    Carries bytes over TCP, at either end, without TLS.  A subclass says which end it is.

    @cvar makePreamble: makes the preamble of each stream; L{None} for none.
    @cvar READING: the phases in which it reads what the peer sends.
    @cvar WAYS: the methods that read and write in a phase, where they are not those of an
        open stream.
    @ivar phase: where in its life it is.
    @ivar allowance: of whom the stream carries for.
    @ivar handshakes: gives it its turns.
    @ivar party: whose turns these are.
    @ivar isPaused: whether nothing that comes is to be handed on.
    @ivar halfCloses: whether the protocol is told by C{readConnectionLost} that the other end has said that nothing
        more comes, and may go on writing.  Otherwise that is the end.
    """

    handshakes: HandshakeQueue
    party: Hashable = None
    bufferSize = 0  # so that a producer is paused as soon as anything waits
    protocol: Any
    makePreamble: Callable[[], Preamble] | None = None
    READING: frozenset[StreamPhase] = frozenset({StreamPhase.OPEN})
    WAYS: Mapping[StreamPhase, tuple[str, str]] = {StreamPhase.PREAMBLE: ("_exchangePreamble", "_exchangePreamble")}
    phase = StreamPhase.PREAMBLE
    allowance: Allowance = Unlimited()
    _exchange: AnyExchange | None = None
    _carrier: WebSocketCarrier | None = None
    _failure: Failure | None = None
    isPaused = False
    halfCloses = False
    _awaitsTurn = False
    _hadTurn = False
    _isSizeBounded = False
    _isUnsentBounded = False
    _isBounded = False  # in one or the other
    _retransmissions = 0  # as far as they are known

    @property
    def security(self) -> Security | None:
        """
        L{None}, since there is no TLS.
        """
        return None

    @property
    def isBare(self) -> bool:
        """
        See L{uotp.boundaries.Stream.isBare}.
        """
        return self.security is None and self._carrier is None

    @property
    def isCarrying(self) -> bool:
        """
        Whether the stream is open, and neither end has begun to close it.
        """
        return self.phase in CARRYING

    # The life of the stream.

    def _advance(self, event: StreamEvent) -> bool:
        """
        @return: whether the event changed the phase.
        """
        after = STREAM_PHASES.get((self.phase, event))
        if after is None:
            return False
        self.phase = after
        self._bind()
        if self._awaitsTurn:
            self._awaitsTurn = False
            self.handshakes.leave(self.party, self)
            if after is not StreamPhase.ENDED:
                self.startReading()
        return True

    def _bind(self) -> None:
        own = vars(self)
        ways = self.WAYS.get(self.phase)
        if ways is not None:
            own["doRead"], own["doWrite"] = (getattr(self, name) for name in ways)
        else:
            own.pop("doRead", None)
            own.pop("doWrite", None)

    def _begin(self) -> None:
        """
        TCP is connected.
        """
        make = type(self).makePreamble
        if make is None:
            self._beginHandshake()
        else:
            self._exchange = PreambleExchange(make(), self.socket)
            self._bind()
            self.startWriting()

    def _beginHandshake(self) -> None:
        """
        The preamble is over, or there is none.
        """
        self._advance(StreamEvent.PREAMBLE_OVER)
        self._secured()

    def _secured(self) -> None:
        """
        The stream is open: begin to send what was written meanwhile.
        """
        self._advance(StreamEvent.SECURED)
        # The reactor asks for it with each event; from now on that passes no Python function.
        self.logPrefix = self.logPrefix().__str__  # type: ignore[method-assign]
        if self.dataBuffer or self._tempDataLen:
            self.startWriting()

    def _exchangePreamble(self) -> Any:
        """
        Go on with the preamble.
        """
        exchange = self._exchange
        assert exchange is not None
        try:
            exchange.goOn()
        except EOFError:
            return main.CONNECTION_DONE
        except PeerError as error:
            self._failure = cleaned(error)
            return main.CONNECTION_LOST
        except OSError:
            return main.CONNECTION_LOST
        if exchange.hasSaidAll:
            self.stopWriting()
        else:
            self.startWriting()
        if not exchange.hasHeardAll:
            return None
        if not exchange.hasSaidAll:
            self.stopReading()  # what has come is for the stream
            return None
        self._exchange = None
        self.startReading()
        self._preambleOver(exchange)
        return None

    def _preambleOver(self, exchange: AnyExchange) -> None:
        """
        The other end has agreed.

        @param exchange: what has carried the preamble out.
        """
        self._beginHandshake()

    # Turns.

    def admit(self) -> None:
        """
        See L{uotp.boundaries.Stream.admit}.  Whoever we have dialled is no stranger.
        """

    def _awaitTurn(self) -> None:
        """
        Something can be done: do it when it is our turn, and do not let the reactor call for it again.
        """
        self.stopReading()
        if self.phase is StreamPhase.HANDSHAKE:
            self.stopWriting()
        self._awaitsTurn = True
        self.handshakes.join(self.party, self, begun=self._hadTurn)

    def goOn(self) -> None:
        """
        See L{uotp.transport.handshakes.Step}.  What ends the connection is handled as the
        reactor does.
        """
        self._awaitsTurn = False
        self._hadTurn = True
        end = self._takeTurn()
        if end:
            self._meet(end)

    def _meet(self, end: Exception) -> None:
        """
        Handle what has ended the connection, as the reactor does.
        """
        if end is main.CONNECTION_DONE:
            self.stopReading()
            self.readConnectionLost(Failure(end))
        else:
            self.connectionLost(Failure(end))

    def _takeTurn(self) -> Any:
        self.startReading()
        return self._exchangePreamble() if self.phase is StreamPhase.PREAMBLE else type(self).doRead(self)

    # The data.

    def pauseProducing(self) -> None:
        """
        See L{uotp.boundaries.Stream.pauseProducing}.
        """
        self.isPaused = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """
        See L{uotp.boundaries.Stream.resumeProducing}.
        """
        self.isPaused = False
        super().resumeProducing()
        if self._carrier is not None:
            self._carrier.resume()

    def write(self, data: bytes) -> None:
        """
        Send at once what can be sent, and the rest later.
        """
        if self.phase is OPEN and not self._tempDataLen and not self.dataBuffer:
            try:
                sent = self.socket.send(data)
            except OSError:  # the reactor will meet the error again, and can end the connection
                sent = 0
            if sent == len(data):
                if self._isBounded:
                    self._pauseIfFull()
                return
            data = data[sent:]
        self._hold(data)

    def _hold(self, data: bytes) -> None:
        """
        Keep data to send it later, unless the stream has been closed.
        """
        if not self.disconnecting and (self.phase in CARRYING or self.phase in EARLY):
            super().write(data)

    def doRead(self) -> Any:
        """
        Read what has come, no more than a bound.
        """
        allowance = self.allowance
        if allowance.isSpent or allowance.owner.isExhausted:
            return self._readLater()
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return self._ended(main.CONNECTION_LOST)
        if not data:
            return self._ended(main.CONNECTION_DONE)
        self.protocol.dataReceived(data)
        return None

    def _readLater(self) -> None:
        """
        Read no more before the session has had its turn.  Until then the reactor need not tell
        that something has come.
        """
        self.stopReading()
        self.allowance.readLater(self._readAgain)

    def _readAgain(self) -> None:
        if self.connected and self.phase in self.READING:
            self.startReading()

    def _ended(self, end: Exception) -> Exception:
        """
        The peer has ended the connection.  A client may end thousands at the same moment; what
        that costs is counted, so that only some of them are ended in one turn.

        @param end: what has ended it.
        @return: the same.
        """
        self.allowance.spend(END_UNITS)
        return end

    # Who gets what comes, and how it is carried.

    def handTo(self, protocol: Any) -> None:
        """
        Have another protocol get what comes from now on, and hear of the end.
        """
        if self._carrier is None:
            self.protocol = protocol
        else:
            self._carrier.protocol = protocol

    def becomeWebSocket(self, rest: bytes = b"", *, masks: bool) -> None:
        """
        See L{uotp.boundaries.Stream.becomeWebSocket}.
        """
        assert self.phase in CARRYING
        assert self._carrier is None
        self._carrier = carrier = WebSocketCarrier(self, self.write, self.protocol, masks=masks)
        own = vars(self)
        own["protocol"], own["write"] = carrier, carrier.write
        if rest:
            carrier.dataReceived(rest)

    def fail(self, error: PeerError) -> None:
        """
        The other end did what it may not do on the level of the stream, which ends the stream.
        """
        self._failure = cleaned(error)
        self.abort()

    # What there is to tell.

    def facts(self) -> StreamFacts:
        """
        See L{uotp.boundaries.Stream.facts}.
        """
        return StreamFacts(addressWords(self.socket.getsockname), addressWords(self.socket.getpeername))

    def queuedBytes(self) -> int:
        """
        See L{uotp.boundaries.Stream.queuedBytes}.
        """
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def isTroubled(self) -> bool:
        """
        See L{uotp.boundaries.Stream.isTroubled}.
        """
        if TCP_INFO is None:
            return False
        try:
            info = self.socket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, TROUBLE_BYTES)
            return info[1] != 0 or info[BACKOFF_AT] != 0
        except (OSError, AttributeError):  # a connection of Twisted's that is gone has no socket
            return True

    def cost(self) -> int:
        """
        See L{uotp.boundaries.Stream.cost}.
        """
        return tcpCost(self.socket) + self.queuedBytes() if self.connected else TROUBLED

    def pathStats(self) -> PathStats | None:
        """
        See L{uotp.boundaries.Stream.pathStats}.
        """
        return tcpPathStats(self.socket) if self.connected else None

    def retransmissions(self, *, isAsked: bool = True) -> int:
        """
        See L{uotp.boundaries.Stream.retransmissions}.
        """
        path = self.pathStats() if isAsked else None
        if path is not None and path.repeated > self._retransmissions:
            self._retransmissions = path.repeated
        return self._retransmissions

    def flight(self) -> Flight | None:
        """
        See L{uotp.boundaries.Stream.flight}.
        """
        return tcpFlight(self.socket) if self.connected else None

    def acknowledge(self) -> None:
        """
        See L{uotp.boundaries.Stream.acknowledge}.
        """
        if TCP_QUICKACK is not None and self.connected:
            with suppress(OSError):
                self.socket.setsockopt(socket.IPPROTO_TCP, TCP_QUICKACK, 1)

    def unacknowledged(self) -> int | None:
        """
        See L{uotp.boundaries.Stream.unacknowledged}.
        """
        inKernel = unacknowledgedBytes(self.socket) if self.connected else None
        return None if inKernel is None else inKernel + self.queuedBytes()

    # What suits a path.

    def boundInFlight(self, size: int | None) -> None:
        """
        See L{uotp.boundaries.Stream.boundInFlight}.
        """
        if self.connected:
            self._boundInKernel(size)
            self._isSizeBounded = size is not None
            self._isBounded = self._isSizeBounded or self._isUnsentBounded

    def _boundInKernel(self, size: int | None) -> None:
        boundSendBuffer(self.socket, size)

    def boundRate(self, rate: int | None) -> None:
        """
        See L{uotp.boundaries.Stream.boundRate}.
        """
        if self.connected:
            boundSendRate(self.socket, rate)

    def boundUnsent(self, *, isBounded: bool) -> None:
        """
        See L{uotp.boundaries.Stream.boundUnsent}.
        """
        self._isUnsentBounded = isBounded
        self._isBounded = self._isSizeBounded or isBounded

    def _pauseIfFull(self) -> None:
        """
        The kernel has taken all.  It does so even beyond its bound, as long as that fits behind what
        it has not sent yet.  So ask whether it wants more, and wait if not.
        """
        producer: Any = self.producer
        if producer is not None and not self.producerPaused and not isWritable(self.socket):
            self.producerPaused = True
            producer.pauseProducing()
            self.startWriting()

    def allowSilence(self, roundTrip: float) -> None:
        """
        See L{uotp.boundaries.Stream.allowSilence}.
        """
        if self.connected:
            allowSilence(self.socket, roundTrip)

    # The end.

    def close(self) -> None:
        """
        Send what is written, then close.  A stream that is not open yet is aborted.
        """
        if not self.connected or self.disconnecting:
            return
        if self.phase in CARRYING:
            self.unregisterProducer()
            if self._carrier is not None:
                self._carrier.sayGoodbye()
            self._leave()
        elif self.phase is not StreamPhase.CLOSING:
            self.abort()

    def readConnectionLost(self, reason: Failure) -> None:
        """
        The other end has said that nothing more comes.
        """
        if self.halfCloses:
            self.protocol.readConnectionLost()
        else:
            self.connectionLost(reason)

    def finish(self) -> None:
        """
        Say behind what is written that nothing more comes, and go on reading.
        """
        self.unregisterProducer()
        self.loseWriteConnection()

    def depart(self) -> None:
        """
        Close now, as who has nothing more to say or to hear.
        """
        if self.connected:
            self.stopReading()
            self.stopWriting()
            self.connectionLost(Failure(main.CONNECTION_DONE))

    def _leave(self) -> None:
        super().loseConnection()
        self._advance(StreamEvent.GOODBYE)

    def abort(self) -> None:
        """
        Close now, and drop what is written.
        """
        self._advance(StreamEvent.END)
        super().abortConnection()

    def loseConnection(self) -> None:
        """
        See C{ITransport}.  Twisted calls this for L{close}.
        """
        self.close()

    def abortConnection(self) -> None:
        """
        See C{ITCPTransport}.  Twisted calls this for L{abort}.
        """
        self.abort()

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        self.retransmissions()  # nobody can be asked later
        self._advance(StreamEvent.END)
        if self._carrier is not None:
            self._carrier = None
            del vars(self)["write"]  # which knows its stream
        failure, self._failure = self._failure or reason, None
        super().connectionLost(failure)


def addressWords(ask: Callable[[], Any]) -> str:
    """
    @param ask: gives an address as the socket module has it, or raises OSError.
    @return: address and port in words.
    """
    try:
        host, port, *_ = ask()
    except OSError:  # the peer is gone already
        return "nowhere"
    return f"{Host.parse(shownHost(host)).besidePort}:{port}"


def cleaned(error: Exception) -> Failure:
    """
    @return: a failure that keeps none of the Python frames that it came through.
    """
    failure = Failure(error)
    failure.cleanFailure()
    return failure
