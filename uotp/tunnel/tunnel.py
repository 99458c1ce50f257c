"""
The life of one TLS or TCP connection, at either end, from when it is made until it is lost.

That life is a table, L{uotp.tunnel.states.TUNNEL_STATES}.  A tunnel sends trains in one
state only, OPEN, which comes after the handshake of TLS and the hello.  From then on its link
speaks on it (L{uotp.tunnel.link}): session and stream call the link, and the tunnel is not on
the way of a train.  Whoever dials or accepts follows the life of the tunnel as its
L{uotp.tunnel.states.TunnelOwner}.

Back-pressure: a tunnel is full while its stream says so.  A stream says so as soon as it
holds anything that the kernel did not take.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.boundaries import CarriedSession, Security, Stream, StreamRoom
from uotp.errors import PeerError, Refusal
from uotp.process import StateMachine
from uotp.tunnel.heartbeat import GIVE_UP_SECONDS, IDLE_SECONDS
from uotp.tunnel.link import TunnelLink
from uotp.tunnel.link1 import Format1Link
from uotp.tunnel.link2 import Format2Link
from uotp.tunnel.states import TALKING, TUNNEL_STATES, TunnelEvent, TunnelOwner, TunnelState
from uotp.tunnel.told import Told
from uotp.wire import ServerStatus, WireFormat, foreignSpeech

CLOSE_SECONDS = 1.0
"""
A close in good order may take so long.  TLS alone would wait for the peer's answer for ever,
and a program has 5 s to stop.
"""

DRAIN_SECONDS = 3.0
"""
Trains that are on their way may take so long to arrive before the tunnel is closed.  With
L{CLOSE_SECONDS} besides, a program still stops within 5 s.
"""


@implementer(IHandshakeListener, IPushProducer)
class Tunnel(StateMachine[TunnelState, TunnelEvent], TwistedProtocol):
    """
    Leads one connection through its life, whichever end has begun it.

    @cvar giveUpSeconds: how long a pong may be overdue.
    @cvar idleSeconds: how long the tunnel may be silent.
    @ivar state: where in its life it is.
    @ivar wireFormat: the format that is spoken, known from the hello on.
    @ivar link: the link, from when the tunnel is open, also after its end; L{None} before.
    @ivar fullSince: since when the stream takes nothing, or L{None} while it does.
    @ivar number: tells it apart from the others of its service; 0 while nobody keeps it.
    @ivar openedAt: when it began to carry, in monotonic seconds.
    @ivar token: what identifies the token that the peer has shown; L{None} without one.
    @ivar told: what the log has been told of it; L{None} when nothing has.
    @ivar fault: what the peer did that it may not do, in words, or L{None}.
    @ivar faultKind: what kind of reason that is, if there is one.
    """

    giveUpSeconds = GIVE_UP_SECONDS
    idleSeconds = IDLE_SECONDS
    number = 0
    openedAt = 0.0
    transport: Stream  # type: ignore[assignment]  # of all transports of Twisted, ours only

    def __init__(self, clock: Any, owner: TunnelOwner[Any], *, pads: bool = False) -> None:
        """
        @param clock: C{IReactorTime}.
        @param owner: is told of the tunnel's life.
        @param pads: whether its hello and its first writes are padded, in format 2.
        """
        super().__init__(clock, TUNNEL_STATES, TunnelState.NEW)
        self._owner = owner
        self._pads = pads
        self._quickAcks = False  # whether what comes is acknowledged at once
        self._heardHello = False
        self.wireFormat = WireFormat.ONE
        self.link: TunnelLink | None = None
        self._room: StreamRoom | None = None  # in the memory of whom the tunnel carries for
        self.fullSince: float | None = None
        self.fault: str | None = None
        self.faultKind = Refusal.MALFORMED
        self.told: Told | None = None
        self.token: bytes | None = None

    # The life of the tunnel.

    def connectionMade(self) -> None:
        """
        TCP is connected.  With TLS the handshake comes next.
        """
        self._advance(TunnelEvent.CONNECTED)
        self.transport.registerProducer(self, True)
        if self.transport.security is None:
            self.handshakeCompleted()

    def handshakeCompleted(self) -> None:
        """
        The peer has been verified, or there is no TLS.
        """
        if self._advance(TunnelEvent.SECURED):
            self._secured()

    def _secured(self) -> None:
        raise NotImplementedError

    def carryFor(self, session: CarriedSession, *, isHeld: bool = False) -> None:
        """
        Open the tunnel for a session.

        @param isHeld: whether it only stands by, see L{TunnelLink.hold}.
        """
        if not self._advance(TunnelEvent.GREETED):
            return
        link: Format1Link | Format2Link
        if self.wireFormat is WireFormat.ONE:
            link = Format1Link(self.transport, self, session, self._clock.seconds)
        else:
            link = Format2Link(self.transport, self, session, self._clock, pads=self._pads, quickAcks=self._quickAcks)
        self.link = link
        self.openedAt = self._clock.seconds()
        self.transport.allowance = session.allowance
        self._room = session.allowance.streamRoom()
        # From now on the stream calls the link.
        self.dataReceived = link.received  # type: ignore[method-assign]
        if isHeld:
            link.hold()
        link.start()

    @property
    def security(self) -> Security | None:
        """
        What TLS has found out so far; L{None} when there is no TLS.
        """
        return self.transport.security

    @property
    def refusal(self) -> str | None:
        """
        Why one end refuses the other, in the words of TLS, or L{None}.
        """
        security = self.security
        return None if security is None else security.refusal

    @property
    def kind(self) -> Refusal:
        """
        What kind of reason there was to refuse the other end, if there was any.
        """
        security = self.security
        refused = None if self.fault is not None or security is None else security.kind
        return self.faultKind if refused is None else refused

    @property
    def peerName(self) -> str | None:
        """
        What the log calls the certificate of a client, or L{None} without one.
        """
        security = self.security
        return None if security is None else security.peerName

    @property
    def carried(self) -> int:
        """
        Bytes of frames, both ways.
        """
        return 0 if self.link is None else self.link.carried

    @property
    def heard(self) -> bool:
        """
        Whether a byte has come from the other end.
        """
        return self._heardHello or (isinstance(self.link, Format1Link) and self.link.heard)

    @property
    def speech(self) -> str | None:
        """
        Which other protocol the peer speaks in place of format 1, in words, or L{None}.
        """
        return foreignSpeech(self.link.shown) if isinstance(self.link, Format1Link) and self.link.shown else None

    def drain(self) -> None:
        """
        Carry nothing any more, and let what is on its way arrive, both ways, for a while.  A
        tunnel that cannot be drained is closed.
        """
        if self.state in TALKING and self.link is not None and self.link.drain():
            if self._advance(TunnelEvent.DRAIN):
                self._waitForTheEnd()
        else:
            self.close()

    def peerDrained(self) -> None:
        """
        The other end sends no more trains, so we send none either.
        """
        wasOpen = self.state is TunnelState.OPEN
        if self.link is None or not self._advance(TunnelEvent.PEER_DRAINED):
            return
        if wasOpen:
            self.link.drain()
        self._waitForTheEnd()
        self._owner.tunnelDrained(self)

    def _waitForTheEnd(self) -> None:
        self._setTimer(DRAIN_SECONDS, self._drainedTooLong)

    def _drainedTooLong(self) -> None:
        """
        The other end has not answered, or has not closed.
        """
        if self.state is TunnelState.DRAINING:
            self._owner.tunnelDrained(self)
        self.close()

    def bye(self) -> None:
        """
        Close, and in format 2 say before that the session is over.
        """
        if self.state in TALKING and self.link is not None:
            self.link.bye()
        self.close()

    def peerLeft(self) -> None:
        """
        The other end has said bye: its session is over.

        @raise PeerError: when it may not say so.
        """
        raise NotImplementedError

    def status(self) -> ServerStatus | None:
        """
        See L{uotp.tunnel.link.LinkOwner}.  Whoever dialled has nothing to tell.
        """
        return None

    def close(self) -> None:
        """
        Send what is written, then close; abort when that takes too long.
        """
        if not self._advance(TunnelEvent.CLOSED):
            return
        self._endLink(isLost=False)
        self._setTimer(CLOSE_SECONDS, self.transport.abort)
        self.transport.unregisterProducer()
        self.transport.close()

    def abort(self) -> None:
        """
        Close now, and drop what is written.
        """
        if self.state in (TunnelState.NEW, TunnelState.LOST):
            return
        self._advance(TunnelEvent.CLOSED)
        self._endLink(isLost=False)
        self.transport.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        isFirst = self._advance(TunnelEvent.DISCONNECTED)
        self._endLink(isLost=True)
        if self._room is not None:
            self._room.release()
        self._owner.tunnelLost(self, reason)
        if isFirst and self.link is not None:
            self.link.release()

    def _endLink(self, *, isLost: bool) -> None:
        if self.link is not None:
            self.link.end(isLost=isLost)

    def dataReceived(self, data: bytes) -> None:
        """
        Ignore bytes that come before there is a link.
        """

    def misbehaved(self, error: PeerError) -> None:
        """
        The other end did what it may not do, which ends this tunnel.
        """
        self.fault, self.faultKind = str(error), error.kind
        self.abort()

    # Whether the other end answers.

    def prove(self) -> bool:
        """
        Find out soon whether the other end is still there.  If it is not, the owner is told
        that the pong is given up.

        @return: whether this tunnel can find that out.
        """
        return self.state in TALKING and self.link is not None and self.link.prove()

    @property
    def isInDoubt(self) -> bool:
        """
        Whether the other end has been asked to L{prove} that it is there, and has not yet.
        """
        return self.link is not None and self.link.isInDoubt

    def pongOverdue(self) -> None:
        """
        See L{uotp.tunnel.link.LinkOwner}.  Who accepted the tunnel need not know.
        """

    def pongCame(self) -> None:
        """
        See L{uotp.tunnel.link.LinkOwner}.
        """

    def pongGivenUp(self) -> None:
        """
        See L{uotp.tunnel.link.LinkOwner}.
        """
        self._owner.pongGivenUp(self)

    # Back-pressure.

    def isFull(self) -> bool:
        """
        @return: whether the stream holds something that the kernel did not take.
        """
        return self.fullSince is not None

    def pauseProducing(self) -> None:
        """
        The stream holds something, and takes no more for now.
        """
        if self.fullSince is not None:
            return
        self.fullSince = self._clock.seconds()
        if self._room is not None:
            self._room.hold(self.transport.queuedBytes(), self._giveUp)
        if self.link is not None:
            self.link.full()

    def resumeProducing(self) -> None:
        """
        The stream has sent what it held.
        """
        self.fullSince = None
        if self._room is not None:
            self._room.release()
        if self.link is not None:
            self.link.free()

    def _giveUp(self) -> None:
        """
        The stream holds something for longest, of all streams of an owner that has no memory left.
        """
        self.misbehaved(PeerError("it does not take what is sent to it, and no memory is left for that"))

    def stopProducing(self) -> None:
        """
        The stream is gone; C{connectionLost} says so too.
        """
