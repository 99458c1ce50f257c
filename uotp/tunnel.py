"""
One TLS or TCP connection, from either end: bytes on one side, trains on the
other.

The life of a tunnel is a table, L{NEXT_STATE}.  It carries trains in one state
only, OPEN: after the handshake of TLS, and on the accepting end after the
session id.  Who dials or accepts follows that life through L{TunnelOwner}; the
session sees trains, and whether the tunnel is free, and nothing else.

Back-pressure: a tunnel is full while its transport says so, and besides when it
was given more in one turn of the reactor than a transport can be trusted to have
noticed, since TLS writes are gathered until the turn ends.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.boundaries import FrameCodec, TrainsOfTunnel
from uotp.errors import PeerError
from uotp.sockets import connectionUnder, tuneTunnelSocket, unsentBytes
from uotp.train import Train
from uotp.wire import HelloDecoder

TURN_BYTES = 64 * 1024
"""
How much may be written before we ask to be called at the end of the reactor's
turn, and again how much until that call.  It is the size of a transport's own
buffer in Twisted, so a transport that takes this much is not slowed down.
"""

CLOSE_SECONDS = 1.0
"""
How long a close in good order may take.  TLS would wait for the peer's answer
for ever, and a program has 5 s to stop.
"""


class State(Enum):
    """
    Where in its life a tunnel is.
    """

    NEW = auto()
    HANDSHAKE = auto()
    HELLO = auto()
    OPEN = auto()
    CLOSING = auto()
    LOST = auto()


class Event(Enum):
    """
    What can happen to a tunnel.
    """

    CONNECTED = auto()
    SECURED = auto()
    GREETED = auto()
    CLOSED = auto()
    DISCONNECTED = auto()


NEXT_STATE: dict[tuple[State, Event], State] = {
    (State.NEW, Event.CONNECTED): State.HANDSHAKE,
    (State.NEW, Event.DISCONNECTED): State.LOST,
    (State.HANDSHAKE, Event.SECURED): State.HELLO,
    (State.HANDSHAKE, Event.CLOSED): State.CLOSING,
    (State.HANDSHAKE, Event.DISCONNECTED): State.LOST,
    (State.HELLO, Event.GREETED): State.OPEN,
    (State.HELLO, Event.CLOSED): State.CLOSING,
    (State.HELLO, Event.DISCONNECTED): State.LOST,
    (State.OPEN, Event.CLOSED): State.CLOSING,
    (State.OPEN, Event.DISCONNECTED): State.LOST,
    (State.CLOSING, Event.DISCONNECTED): State.LOST,
}
"""
What each event leads to.  A pair that is not here changes nothing: a peer can
make a handshake end or bytes arrive after we have begun to close.
"""


class TunnelOwner(Protocol):
    """
    Who dialled or accepted a tunnel.
    """

    def tunnelOpened(self, tunnel: Tunnel) -> None:
        """
        A dialled tunnel is open and has sent its hello; C{tunnel.carryFor} is
        called next.
        """

    def helloReceived(self, tunnel: Tunnel, sessionId: bytes) -> None:
        """
        An accepted tunnel has shown its session id.  Call C{tunnel.carryFor}, or
        abort the tunnel.
        """

    def tunnelLost(self, tunnel: Tunnel, reason: Failure) -> None:
        """
        The tunnel is gone, whatever its state was.
        """


@implementer(IHandshakeListener, IPushProducer)
class Tunnel(TwistedProtocol):
    """
    What both ends of a tunnel have in common.

    @ivar heard: whether a byte has come from the other end.
    @ivar fullSince: since when the transport takes nothing, or L{None}.
    @ivar fault: what the peer did that it may not do, in words, or L{None}.
    """

    transport: Any  # of many interfaces: a consumer, and TLS or TCP

    def __init__(self, clock: Any, codec: FrameCodec, owner: TunnelOwner) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        self._clock = clock
        self._codec = codec
        self._owner = owner
        self._session: TrainsOfTunnel | None = None
        self._state = State.NEW
        self._transportFull = False
        self._saidFree = False
        self._givenThisTurn = 0
        self._turnEnd: IDelayedCall | None = None
        self._closing: IDelayedCall | None = None
        self.heard = False
        self.fullSince: float | None = None
        self.fault: str | None = None

    # The life of the tunnel.

    def _advance(self, event: Event) -> bool:
        """
        @return: whether the event changed the state.
        """
        after = NEXT_STATE.get((self._state, event))
        if after is None:
            return False
        self._state = after
        return True

    def connectionMade(self) -> None:
        """
        TCP is connected; over TLS the handshake comes next.
        """
        self._advance(Event.CONNECTED)
        tuneTunnelSocket(self.transport)
        self.transport.registerProducer(self, True)
        if not self._overTls():
            self.handshakeCompleted()

    def _overTls(self) -> bool:
        return bool(ISSLTransport.providedBy(self.transport))

    def handshakeCompleted(self) -> None:
        """
        The peer has been verified, or there is no TLS.
        """
        if self._advance(Event.SECURED):
            self._secured()

    def _secured(self) -> None:
        raise NotImplementedError

    def carryFor(self, session: TrainsOfTunnel) -> None:
        """
        Open the tunnel for a session.
        """
        if not self._advance(Event.GREETED):
            return
        self._session = session
        self._tellSession()

    def tlsConnection(self) -> Any:
        """
        @return: OpenSSL's connection, or L{None} when there is no TLS.
        """
        return self.transport.getHandle() if self._overTls() else None

    def unsentBytes(self) -> int:
        """
        @return: what the connection holds and has not given to the kernel.
        """
        return unsentBytes(self.transport)

    def close(self) -> None:
        """
        Send what is written and close; abort when that takes too long.
        """
        if not self._advance(Event.CLOSED):
            return
        self._leaveSession()
        self._closing = self._clock.callLater(CLOSE_SECONDS, self.transport.abortConnection)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self) -> None:
        """
        Close now, and drop what is written.
        """
        if self._state in (State.NEW, State.LOST):
            return
        self._advance(Event.CLOSED)
        self._leaveSession()
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        self._advance(Event.DISCONNECTED)
        self._leaveSession()
        for call in (self._turnEnd, self._closing):
            if call is not None and call.active():
                call.cancel()
        self._owner.tunnelLost(self, reason)

    def _leaveSession(self) -> None:
        session, self._session = self._session, None
        if session is not None and self._saidFree:
            session.tunnelFull(self)

    # Trains.

    def dataReceived(self, data: bytes) -> None:
        """
        Bytes of the stream came.
        """
        self.heard = True
        if self._state is State.OPEN:
            self._decode(data)

    def _decode(self, data: bytes) -> None:
        try:
            trains = self._codec.decode(data)
        except PeerError as error:
            self.fault = str(error)
            self.abort()
            return
        for train in trains:
            if self._session is None:  # a train before may have ended it
                return
            self._session.trainFromTunnel(train)

    def send(self, train: Train) -> None:
        """
        Send a train; what is not open sends nothing.
        """
        if self._state is not State.OPEN:
            return
        frames = self._codec.encode(train)
        self._givenThisTurn += len(frames)
        self.transport.write(frames)
        if self._givenThisTurn >= TURN_BYTES:
            if self._turnEnd is None:
                self._turnEnd = self._clock.callLater(0, self._turnEnded)
            self._tellSession()

    # Back-pressure.

    def _tellSession(self) -> None:
        """
        Say whether we are free, if that is not what we said last.
        """
        free = not self._transportFull and self._givenThisTurn < 2 * TURN_BYTES
        if self._session is None or free == self._saidFree:
            return
        self._saidFree = free
        if free:
            self._session.tunnelFree(self)
        else:
            self._session.tunnelFull(self)

    def _turnEnded(self) -> None:
        self._turnEnd = None
        self._givenThisTurn = 0
        self._tellSession()

    def pauseProducing(self) -> None:
        """
        The transport holds as much as it wants to.
        """
        if self._transportFull:
            return
        self._transportFull = True
        self.fullSince = self._clock.seconds()
        self._tellSession()

    def resumeProducing(self) -> None:
        """
        The transport has sent what it held.
        """
        self._transportFull = False
        self.fullSince = None
        if getattr(connectionUnder(self.transport), "disconnecting", False):
            # The other end has closed TLS while we were full.  Twisted then reads no
            # more, and closes the connection when what it held is sent: but only if
            # no producer is in the way.
            self._leaveSession()
            self.transport.unregisterProducer()
        else:
            self._tellSession()

    def stopProducing(self) -> None:
        """
        The transport is gone; C{connectionLost} says so too.
        """


class DialledTunnel(Tunnel):
    """
    The client's end: says the session id, and is open.
    """

    def __init__(self, clock: Any, codec: FrameCodec, owner: TunnelOwner, hello: bytes) -> None:
        """
        @param hello: what to send first.
        """
        super().__init__(clock, codec, owner)
        self._hello = hello

    def _secured(self) -> None:
        self.transport.write(self._hello)
        self._owner.tunnelOpened(self)


class AcceptedTunnel(Tunnel):
    """
    The server's end: waits for the session id, and opens when it has been told
    whom to carry for.
    """

    def __init__(self, clock: Any, codec: FrameCodec, owner: TunnelOwner) -> None:
        """
        See L{Tunnel}.
        """
        super().__init__(clock, codec, owner)
        self._helloDecoder = HelloDecoder()

    def _secured(self) -> None:
        """
        Nothing to do: the peer speaks first.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        The session id comes first, and frames may come in the same breath.
        """
        if self._state is not State.HELLO:
            super().dataReceived(data)
            return
        self.heard = True
        hello = self._helloDecoder.feed(data)
        if hello is None:
            return
        sessionId, rest = hello
        self._owner.helloReceived(self, sessionId)
        super().dataReceived(rest)
