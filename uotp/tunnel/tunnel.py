"""
One TLS or TCP connection, from either end: bytes on one side, trains on the
other.

The life of a tunnel is a table, L{uotp.tunnel.states.NEXT_STATE}.  It carries trains in one state
only, OPEN: after the handshake of TLS and the hello.  What is spoken then is
L{uotp.tunnel.link}'s.  Who dials or accepts follows that life through L{uotp.tunnel.states.TunnelOwner}; the
session sees trains, and whether the tunnel is free, and nothing else.

Back-pressure: a tunnel is full while its transport says so, which it does as soon
as it holds anything that the kernel did not take.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.boundaries import TrainsOfTunnel
from uotp.errors import PeerError
from uotp.net import unsentBytes
from uotp.path import PathStats
from uotp.train import Arrival, Train
from uotp.tunnel.heartbeat import GIVE_UP_SECONDS
from uotp.tunnel.link import Link
from uotp.tunnel.links import makeLink
from uotp.tunnel.readiness import Readiness
from uotp.tunnel.states import NEXT_STATE, TALKING, Event, State, TunnelOwner
from uotp.wire import WireFormat

CLOSE_SECONDS = 1.0
"""
How long a close in good order may take.  TLS would wait for the peer's answer
for ever, and a program has 5 s to stop.
"""

DRAIN_SECONDS = 3.0
"""
How long what is under way may take to arrive before the tunnel is closed: with
L{CLOSE_SECONDS}, a program still stops within 5 s.
"""


@implementer(IHandshakeListener, IPushProducer)
class Tunnel(TwistedProtocol):
    """
    What both ends of a tunnel have in common.

    @cvar giveUpSeconds: how long an answer may be overdue.
    @ivar state: where in its life it is.
    @ivar wireFormat: what is spoken, from the hello on.
    @ivar heard: whether a byte has come from the other end.
    @ivar carried: bytes of trains, and what frames them, both ways.
    @ivar fullSince: since when the transport takes nothing, or L{None}.
    @ivar fault: what the peer did that it may not do, in words, or L{None}.
    """

    giveUpSeconds = GIVE_UP_SECONDS
    transport: Any  # of many interfaces: a consumer, and TLS or TCP

    def __init__(self, clock: Any, owner: TunnelOwner[Any]) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        self._clock = clock
        self._owner = owner
        self._conversation: Link | None = None
        self.state = State.NEW
        self.wireFormat = WireFormat.ONE
        self._deadline: IDelayedCall | None = None
        self.heard = False
        self.carried = 0
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
        readiness = Readiness(self, session, full=self.isFull())
        self._conversation = makeLink(self.wireFormat, self._clock, self, session, readiness)
        self._conversation.start()

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

    def drain(self) -> None:
        """
        Carry no more, and let what is under way arrive, both ways, for a while.  What
        cannot be drained is closed.
        """
        if self.state in TALKING and self._conversation is not None and self._conversation.drain():
            if self._advance(Event.DRAIN):
                self._waitForTheEnd()
        else:
            self.close()

    def peerDrained(self) -> None:
        """
        The other end sends no more trains: neither do we, then.
        """
        wasOpen = self.state is State.OPEN
        if self._conversation is None or not self._advance(Event.PEER_DRAINS):
            return
        if wasOpen:
            self._conversation.drain()
        self._waitForTheEnd()
        self._owner.tunnelDrained(self)

    def _waitForTheEnd(self) -> None:
        self._setDeadline(DRAIN_SECONDS, self._drainedTooLong)

    def _drainedTooLong(self) -> None:
        """
        The other end does not answer, or does not close.
        """
        if self.state is State.DRAINING:
            self._owner.tunnelDrained(self)
        self.close()

    def bye(self) -> None:
        """
        Say, as far as that can be said, that the session is over, and close.
        """
        if self.state in TALKING and self._conversation is not None:
            self._conversation.bye()
        self.close()

    def peerLeft(self) -> None:
        """
        The other end leaves, and its session with it.

        @raise PeerError: when it may not say so.
        """
        raise NotImplementedError

    def close(self) -> None:
        """
        Send what is written and close; abort when that takes too long.
        """
        if not self._advance(Event.CLOSED):
            return
        self._leaveSession()
        self._setDeadline(CLOSE_SECONDS, self.transport.abortConnection)
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
        self._cancelDeadline()
        self._owner.tunnelLost(self, reason)

    def _setDeadline(self, seconds: float, act: Any) -> None:
        self._cancelDeadline()
        self._deadline = self._clock.callLater(seconds, act)

    def _cancelDeadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()

    def _leaveSession(self) -> None:
        if self._conversation is not None:
            self._conversation.stop()
        self._conversation = None

    # Trains.

    def dataReceived(self, data: bytes) -> None:
        """
        Bytes of the stream came.
        """
        self.heard = True
        if self._conversation is None:
            return
        self.carried += len(data)
        try:
            self._conversation.received(data)
        except PeerError as error:
            self.misbehaved(error)

    def misbehaved(self, error: PeerError) -> None:
        """
        The other end did what it may not do: that costs this tunnel.
        """
        self.fault = str(error)
        self.abort()

    def send(self, trains: list[Train]) -> None:
        """
        Send trains with one write; what is not open sends nothing.
        """
        if self.state is not State.OPEN or self._conversation is None:
            return
        frames = self._conversation.encode(trains)
        self.carried += len(frames)
        self.transport.write(frames)

    def sendAgain(self, arrivals: list[Arrival]) -> None:
        """
        See L{uotp.boundaries.Carrier.sendAgain}.
        """
        if self.state is State.OPEN and self._conversation is not None:
            frames = self._conversation.encodeAgain(arrivals)
            self.carried += len(frames)
            if frames:
                self.transport.write(frames)

    def holdsUnconfirmed(self) -> bool:
        """
        See L{uotp.boundaries.Carrier.holdsUnconfirmed}.
        """
        return self._conversation is not None and self._conversation.holdsUnconfirmed()

    def unconfirmed(self) -> list[Arrival]:
        """
        See L{uotp.boundaries.Carrier.unconfirmed}.
        """
        if self._conversation is None or self.state not in (State.OPEN, State.LOST):
            return []
        return self._conversation.unconfirmed()

    def unacknowledged(self) -> int | None:
        """
        See L{uotp.tunnel.link.Speaker}.
        """
        unacknowledged: int | None = self.transport.unacknowledged()
        return unacknowledged

    def say(self, frames: bytes) -> None:
        """
        Write frames that are no trains.
        """
        if self.state in TALKING:
            self.transport.write(frames)

    def cost(self) -> int:
        """
        See L{uotp.boundaries.Carrier.cost}.
        """
        return int(self.transport.cost())

    def standing(self) -> PathStats | None:
        """
        See L{uotp.boundaries.Carrier.standing}.
        """
        standing: PathStats | None = self.transport.standing()
        return standing

    @property
    def roundTrip(self) -> float:
        """
        See L{uotp.boundaries.Carrier.roundTrip}.
        """
        return 0.0 if self._conversation is None else self._conversation.roundTrip

    # Whether the other end answers.

    def prove(self) -> bool:
        """
        Find out soon whether the other end is still there; if it is not, the owner is
        told that it is silent.

        @return: whether that can be found out.
        """
        return self._conversation is not None and self._conversation.prove()

    def pathRoundTrip(self) -> float:
        """
        See L{uotp.tunnel.link.Speaker}.
        """
        standing = self.standing()
        return 0.0 if standing is None else standing.roundTrip

    def pongGivenUp(self) -> None:
        """
        See L{uotp.tunnel.link.Speaker}.
        """
        self._owner.pongGivenUp(self)

    # Back-pressure.

    def isFull(self) -> bool:
        """
        @return: whether the connection holds as much as it wants to.
        """
        return self.fullSince is not None

    def pauseProducing(self) -> None:
        """
        The transport holds as much as it wants to.
        """
        if self.fullSince is not None:
            return
        self.fullSince = self._clock.seconds()
        if self._conversation is not None:
            self._conversation.full()

    def resumeProducing(self) -> None:
        """
        The transport has sent what it held.
        """
        self.fullSince = None
        if self._conversation is not None:
            self._conversation.free()

    def stopProducing(self) -> None:
        """
        The transport is gone; C{connectionLost} says so too.
        """
