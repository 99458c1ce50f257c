"""
One TLS or TCP connection, from either end: bytes on one side, trains on the
other.

The life of a tunnel is a table, L{uotp.tunnellife.NEXT_STATE}.  It carries trains in one state
only, OPEN: after the handshake of TLS, and on the accepting end after the
session id.  Who dials or accepts follows that life through L{TunnelOwner}; the
session sees trains, and whether the tunnel is free, and nothing else.

Back-pressure: a tunnel is full while its transport says so, which it does as soon
as it holds anything that the kernel did not take.
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
from uotp.sockets import unsentBytes
from uotp.train import Train
from uotp.tunnellife import NEXT_STATE, Event, State
from uotp.width import Standing

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
        self._saidFree = False
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
        if self.fullSince is None:
            self._sayFree()

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
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        self._owner.tunnelLost(self, reason)

    def _leaveSession(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.tunnelGone(self)

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
        if trains and self._session is not None:
            self._session.trainsFromTunnel(trains)

    def send(self, trains: list[Train]) -> None:
        """
        Send trains with one write; what is not open sends nothing.
        """
        if self.state is not State.OPEN:
            return
        self.transport.write(self._codec.encode(trains))

    def cost(self) -> int:
        """
        See L{uotp.boundaries.Carrier.cost}.
        """
        return int(self.transport.cost())

    def standing(self) -> Standing | None:
        """
        See L{uotp.boundaries.Carrier.standing}.
        """
        standing: Standing | None = self.transport.standing()
        return standing

    # Back-pressure.

    def _sayFree(self) -> None:
        if self._session is not None and not self._saidFree:
            self._saidFree = True
            self._session.tunnelFree(self)

    def pauseProducing(self) -> None:
        """
        The transport holds as much as it wants to.
        """
        if self.fullSince is not None:
            return
        self.fullSince = self._clock.seconds()
        if self._session is not None and self._saidFree:
            self._saidFree = False
            self._session.tunnelFull(self)

    def resumeProducing(self) -> None:
        """
        The transport has sent what it held.
        """
        self.fullSince = None
        self._sayFree()

    def stopProducing(self) -> None:
        """
        The transport is gone; C{connectionLost} says so too.
        """
