"""
One connection at the door.  While its tunnel waits for a hello, it only looks on.  Whoever shows none
may ask for the secret path by HTTP, and is brought back as a tunnel then.  Everybody else is a visitor:
all that he has said and will say goes to the web site, once, and what that says goes to him.

Whoever says nothing, or only a beginning that may be anything, is not kept from what the web server
behind us does meanwhile: after a moment there is a connection to it, on which nothing is said as long
as a hello may still come.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.boundaries import Allowance
from uotp.errors import PeerError
from uotp.process import StateMachine
from uotp.server.door.lingering import LingeringClose
from uotp.server.door.patience import DOOR_LOOK_SECONDS, DoorPatience
from uotp.server.door.request import METHOD, asksWhole, judgeRequest, pathCrossedOut
from uotp.server.door.seams import Site, VisitedStream, VisitReception
from uotp.server.door.visitstates import AT_SITE, UNDECIDED, VISIT_STATES, VisitEvent, VisitState
from uotp.server.strangers import Stranger
from uotp.transport import UNIT_BYTES
from uotp.tunnel import AcceptedTunnel
from uotp.wire import CROSSED_OUT, crossedOut

VISIT_LOOK_SECONDS = 10.0
"""So often we look at the latest whether a visitor has been answered: how long that may take changes meanwhile."""

ENDS_EARLY = "it ends before it has shown a hello"


@implementer(IPushProducer)
class Visitor(StateMachine[VisitState, VisitEvent], TwistedProtocol):
    """
    Leads one connection through the door.

    @ivar tunnel: who waits for a hello on it.
    @ivar newcomer: how it came in.
    @ivar stream: the connection.
    @ivar allowance: what is done for a visitor costs units of it.
    @ivar shown: what it has said, until it is decided what it is.
    """

    def __init__(
        self,
        clock: Any,
        reception: VisitReception[Visitor],
        tunnel: AcceptedTunnel,
        newcomer: Stranger,
        allowance: Allowance,
        looksIn: float = DOOR_LOOK_SECONDS,
    ) -> None:
        """
        @param clock: C{IReactorTime}.
        @param looksIn: seconds until the first look.
        """
        super().__init__(clock, VISIT_STATES, VisitState.LOOKING)
        stream: Any = tunnel.transport
        self.tunnel = tunnel
        self.newcomer = newcomer
        self.stream: VisitedStream = stream
        self.allowance = allowance
        self._room = allowance.streamRoom()
        self._reception = reception
        self.shown = b""
        self._passed = 0  # so much of it the site knows
        self._secretBytes = 0  # of what comes next, and the site may not see
        self._patience = DoorPatience(newcomer.since)
        self._closing = LingeringClose(clock, stream)
        self._site: Site | None = None
        self._hasPeerEnded = self._isAnswered = False
        stream.halfCloses = True
        self._setTimer(looksIn, self._look)

    # Before it is decided.

    def _look(self) -> None:
        """
        Nothing has been decided for a while.
        """
        self._timer = None
        if self.state is VisitState.LOOKING:
            self.shown = self.tunnel.shown
        if self._site is None:
            self._site = self._reception.openSite(self)
        reason = self._patience.look(self._clock.seconds(), hasSpoken=bool(self.shown))
        if reason is not None:
            if self.shown or self._site is not None:  # otherwise he is sent away soon, as anybody who says nothing
                self._decide(reason)
            return
        if self.state is VisitState.ASKING:
            self._passOn()
        if self.state in UNDECIDED:
            self._setTimer(DOOR_LOOK_SECONDS, self._look)

    def isClient(self) -> None:
        """
        It has shown a hello that is good enough.
        """
        if self._advance(VisitEvent.IS_OURS):
            self._leaveDoor()

    def _leaveDoor(self) -> None:
        self.stream.halfCloses = False
        self.shown = b""
        self._stopSite()
        self._reception.left(self, None)

    def noHello(self, shown: bytes, reason: PeerError) -> None:
        """
        What it has said is no hello.  It may be a request.
        """
        if self._reception.path is None or not shown.startswith(METHOD):
            self.noClient(shown, reason)
        elif self._advance(VisitEvent.NO_HELLO):
            self.shown = shown
            self._takeOver()
            self._setTimer(DOOR_LOOK_SECONDS, self._look)
            self._judge()

    def _takeOver(self) -> None:
        """
        Hear from now on what the tunnel has heard so far.
        """
        self.stream.unregisterProducer()
        self.stream.handTo(self)
        self._reception.takenOver(self)

    def noClient(self, shown: bytes, reason: PeerError | None) -> None:
        """
        It has shown that it is no client of ours, or too little.
        """
        self.shown = shown
        self._decide(reason)

    def peerEnded(self, shown: bytes) -> None:
        """
        The other end has said all, while the tunnel waited for a hello.
        """
        self.shown = shown
        self.readConnectionLost()

    def _judge(self) -> None:
        assert self._reception.path is not None
        try:
            upgrade = judgeRequest(self.shown, self._reception.path)
        except PeerError as error:
            self._decide(error)
            return
        if upgrade is None:
            if self._patience.hasHesitated:
                self._passOn()
        elif self._advance(VisitEvent.IS_OURS):
            self._leaveDoor()
            self._reception.upgraded(self, upgrade)

    def _passOn(self) -> None:
        """
        The web server behind us hears what has come of a request, though it may still be for us.
        """
        rest = self._withoutPath(self.shown)[self._passed :]
        if self._site is not None and rest:
            self._passed = len(self.shown)
            self._site.feed(rest)

    def _withoutPath(self, said: bytes) -> bytes:
        path = self._reception.path
        return said if path is None else pathCrossedOut(said, path)

    def _decide(self, reason: PeerError | None) -> None:
        """
        It is a visitor.
        """
        if not self._advance(VisitEvent.DECIDED):
            return
        self._takeOver()
        self._reception.received(self, reason)
        stream = self.stream
        stream.allowance = self.allowance
        stream.admit()
        stream.registerProducer(self, True)
        if self._site is None:
            self._site = self._reception.siteOf(self)
        self._watchOver()
        shown, self._secretBytes = crossedOut(self._withoutPath(self.shown))
        self.shown = b""
        self._tell(shown[self._passed :])
        if self._hasPeerEnded and self._site is not None:
            self._site.end()

    # What the visitor says.

    def dataReceived(self, data: bytes) -> None:
        """
        Something has come.
        """
        if self.state is VisitState.ASKING:
            self.shown += data
            self._judge()
        elif self.state in AT_SITE:
            if self._asksForTunnel(data):
                self.siteEnded()
                return
            secret = min(self._secretBytes, len(data))
            self._secretBytes -= secret
            self._tell(CROSSED_OUT * secret + data[secret:] if secret else self._withoutPath(data))

    def _asksForTunnel(self, data: bytes) -> bool:
        """
        @return: whether a client asks for the path on a connection on which a visitor was before: a web server before
            us may send the requests of all through one.  Where such a connection ends, it asks again on a new one.
        """
        path = self._reception.path
        return path is not None and not self._secretBytes and asksWhole(data, path)

    def _tell(self, data: bytes) -> None:
        self.allowance.spend(-(-len(data) // UNIT_BYTES))
        if self._site is not None and data:
            self._site.feed(data)

    def readConnectionLost(self) -> None:
        """
        The other end has said all.
        """
        if self._hasPeerEnded:
            return
        self._hasPeerEnded = True
        if self.state in UNDECIDED:
            if not self.shown and self._site is None:
                self.stream.depart()
                return
            self._decide(PeerError(ENDS_EARLY) if self.shown else None)  # who has said nothing is not refused
        elif self.state is VisitState.VISITING:
            if self._site is not None:
                self._site.end()
        elif self.state is VisitState.LEAVING:
            self._closing.closeSoon()

    def pauseReading(self) -> None:
        """
        See L{uotp.server.door.seams.Guest}.
        """
        self.stream.pauseProducing()

    def resumeReading(self) -> None:
        """
        See L{uotp.server.door.seams.Guest}.
        """
        if self.state in AT_SITE and not self._hasPeerEnded:
            self.stream.resumeProducing()

    # What the site says.

    def say(self, data: bytes) -> None:
        """
        See L{uotp.server.door.seams.Guest}.
        """
        self._decide(None)
        if not self._isAnswered:
            self._isAnswered = True
            self._reception.answered(self)
        if self.state is VisitState.VISITING:
            self.stream.write(data)

    def pauseProducing(self) -> None:
        """
        The visitor does not take what is said to him.
        """
        self._room.hold(self.stream.queuedBytes(), self.abort)
        if self._site is not None:
            self._site.pause()

    def resumeProducing(self) -> None:
        """
        He does again.
        """
        self._room.release()
        if self._site is not None:
            self._site.resume()

    def stopProducing(self) -> None:
        """
        The stream is gone; C{connectionLost} says so too.
        """

    def siteEnded(self) -> None:
        """
        See L{uotp.server.door.seams.Guest}.
        """
        self._decide(None)
        if not self._advance(VisitEvent.SITE_ENDED):
            return
        self.stream.unregisterProducer()
        self.stream.finish()
        if self._hasPeerEnded:
            self._closing.closeSoon()
        else:
            self._closing.begin()

    def siteLost(self) -> None:
        """
        See L{uotp.server.door.seams.Guest}.
        """
        self._site = None
        self.stream.abort()

    def siteDown(self, unsent: bytes) -> None:
        """
        See L{uotp.server.door.seams.Guest}.
        """
        self._site = None
        if self.state in UNDECIDED:
            self._passed = 0
            return
        if self.state is not VisitState.VISITING:
            return
        site = self._site = self._reception.siteInstead(self)
        self.resumeReading()
        if unsent:
            site.feed(unsent)
        if self._hasPeerEnded:
            site.end()

    # The end.

    def _watchOver(self) -> None:
        """
        End the visit of who has not been answered for long.
        """
        site = self._site
        if site is None or self.state is not VisitState.VISITING:
            return
        left = site.activeAt + site.idleSeconds - self._clock.seconds()
        if left > 0:
            self._setTimer(min(left, VISIT_LOOK_SECONDS), self._watchOver)
        else:
            self.siteEnded()

    def abort(self) -> None:
        """
        End the visit now.
        """
        self.stream.abort()

    def lost(self, reason: Failure) -> None:
        """
        The connection is gone, while its tunnel waited for a hello.
        """
        self.connectionLost(reason)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        if self._advance(VisitEvent.LOST):
            self.shown = b""
            self._closing.stop()
            self._room.release()
            self._stopSite()
            self._reception.left(self, reason)

    def _stopSite(self) -> None:
        site, self._site = self._site, None
        if site is not None:
            site.stop()
