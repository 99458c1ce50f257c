"""
One TLS or TCP connection, from either end: bytes on one side, trains on the
other.

The life of a tunnel is a table, L{uotp.tunnellife.NEXT_STATE}.  It carries trains in one state
only, OPEN: after the handshake of TLS, and on the accepting end after the
session id.  Who dials or accepts follows that life through L{TunnelOwner}; the
session sees trains, and whether the tunnel is free, and nothing else.

Back-pressure: a tunnel is full while its transport says so, and besides when it
was given more in one turn of the reactor than a transport can be trusted to have
noticed, since TLS writes are gathered until the turn ends.
"""

from __future__ import annotations

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
from uotp.tunnellife import NEXT_STATE, Event, State

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

    @ivar state: where in its life it is.
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
        self.state = State.NEW
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
        after = NEXT_STATE.get((self.state, event))
        if after is None:
            return False
        self.state = after
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
        if self.state in (State.NEW, State.LOST):
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
        if self.state is State.OPEN:
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
        if self.state is not State.OPEN:
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
