"""
One connection at the door.  While its tunnel waits for a hello, it only looks on.  Whoever shows none
may ask for the secret path by HTTP, and is brought back as a tunnel then.  Everybody else is a visitor:
all that he has said and will say goes to the web site, once, and what that says goes to him.

Whoever says nothing, or only a beginning that may be anything, is not kept from what the web server
behind us does meanwhile: after a moment there is a connection to it, on which nothing is said as long
as a hello may still come.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.boundaries import Allowance
from uotp.errors import PeerError, Refusal
from uotp.process import StateMachine
from uotp.server.door.request import METHOD, PathUpgrade, judgeRequest
from uotp.server.door.seams import Site, VisitedStream
from uotp.server.door.visitstates import AT_SITE, UNDECIDED, VISIT_STATES, VisitEvent, VisitState
from uotp.server.strangers import Stranger
from uotp.transport import UNIT_BYTES
from uotp.tunnel import AcceptedTunnel

DOOR_LOOK_SECONDS = 1.0
"""So often we look at who has not decided yet what he is; the first time, the web server behind us is called."""

HESITATION_LOOKS = 3
"""
After so many looks, whoever has said something and not gone on is a visitor.  A client says its hello at one go;
when a part of that is lost, it is sent again within this time.
"""

SILENCE_LIMIT_SECONDS = 9.0
"""Whoever has said nothing for so long since he came is a visitor: no client may take much longer."""

LINGER_SECONDS = 5.0
"""So long a visitor may go on when the site has said all, as with other web servers."""

MOST_IDLE_LINGERS = 12
"""After so many times L{LINGER_SECONDS} in which he has taken nothing of what is left, a visitor is given up."""

SILENT = f"said nothing in {SILENCE_LIMIT_SECONDS:.0f} s"

HESITATES = "it stops within what may be a hello or a request"

ENDS_EARLY = "it ends before it has shown a hello"


class VisitReception(Protocol):
    """
    Decides about those at the door.

    @ivar path: the secret path, if there is one.
    """

    path: bytes | None

    def openSite(self, visitor: Visitor) -> Site | None:
        """
        @return: the web server behind us, if there is one, and if there is room for one more visitor.
        """

    def takenOver(self, visitor: Visitor) -> None:
        """
        His tunnel is told nothing any more.
        """

    def received(self, visitor: Visitor, reason: PeerError | None) -> None:
        """
        He is a visitor.

        @param reason: why he is no client of ours; L{None} when the web server behind us has ended that question.
        """

    def siteOf(self, visitor: Visitor) -> Site:
        """
        @return: what answers a visitor.
        """

    def siteInstead(self, visitor: Visitor) -> Site:
        """
        @return: what answers a visitor while the web server behind us cannot be reached.
        """

    def upgraded(self, visitor: Visitor, upgrade: PathUpgrade) -> None:
        """
        He is no visitor: he has asked for the path.
        """

    def left(self, visitor: Visitor, reason: Failure | None) -> None:
        """
        He is no visitor, or is gone.

        @param reason: why his connection is gone, if it is.
        """


@implementer(IPushProducer)
class Visitor(StateMachine[VisitState, VisitEvent], TwistedProtocol):
    """
    Leads one connection through the door.

    @ivar tunnel: who waits for a hello on it.
    @ivar newcomer: how it came in.
    @ivar stream: the connection.
    @ivar allowance: what is done for a visitor costs units of it.
    """

    def __init__(
        self, clock: Any, reception: VisitReception, tunnel: AcceptedTunnel, newcomer: Stranger, allowance: Allowance
    ) -> None:
        """
        @param clock: C{IReactorTime}.
        """
        super().__init__(clock, VISIT_STATES, VisitState.LOOKING)
        stream: Any = tunnel.transport
        self.tunnel = tunnel
        self.newcomer = newcomer
        self.stream: VisitedStream = stream
        self.allowance = allowance
        self._room = allowance.streamRoom()
        self._reception = reception
        self._shown = b""
        self._passed = 0  # so much of it the site knows
        self._looks = 0
        self._site: Site | None = None
        self._hasPeerEnded = False
        self._idleLingers, self._queued = 0, 0
        stream.halfCloses = True
        self._setTimer(DOOR_LOOK_SECONDS, self._look)

    # Before it is decided.

    def _look(self) -> None:
        """
        Nothing has been decided for a while.
        """
        self._timer = None
        if self.state is VisitState.LOOKING:
            self._shown = self.tunnel.shown
        self._looks += bool(self._shown)
        if self._site is None:
            self._site = self._reception.openSite(self)
        isOver = self._clock.seconds() >= self.newcomer.since + SILENCE_LIMIT_SECONDS
        if self._looks >= HESITATION_LOOKS or (isOver and self._shown):
            self._decide(PeerError(HESITATES))
            return
        if isOver:
            if self._site is not None:  # otherwise he is sent away soon, as anybody who says nothing
                self._decide(PeerError(SILENT, Refusal.TOO_SLOW))
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
        self._shown = b""
        self._stopSite()
        self._reception.left(self, None)

    def noHello(self, shown: bytes, reason: PeerError) -> None:
        """
        What it has said is no hello.  It may be a request.
        """
        if self._reception.path is None or not shown.startswith(METHOD):
            self.noClient(shown, reason)
        elif self._advance(VisitEvent.NO_HELLO):
            self._shown = shown
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
        self._shown = shown
        self._decide(reason)

    def peerEnded(self, shown: bytes) -> None:
        """
        The other end has said all, while the tunnel waited for a hello.
        """
        self._shown = shown
        self.readConnectionLost()

    def _judge(self) -> None:
        assert self._reception.path is not None
        try:
            upgrade = judgeRequest(self._shown, self._reception.path)
        except PeerError as error:
            self._decide(error)
            return
        if upgrade is None:
            if self._looks:
                self._passOn()
        elif self._advance(VisitEvent.IS_OURS):
            self._leaveDoor()
            self._reception.upgraded(self, upgrade)

    def _passOn(self) -> None:
        """
        The web server behind us hears what has come of a request, though it may still be for us.
        """
        rest = self._shown[self._passed :]
        if self._site is not None and rest:
            self._passed = len(self._shown)
            self._site.feed(rest)

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
        rest, self._shown = self._shown[self._passed :], b""
        if rest:
            self._tell(rest)
        if self._hasPeerEnded and self._site is not None:
            self._site.end()

    # What the visitor says.

    def dataReceived(self, data: bytes) -> None:
        """
        Something has come.
        """
        if self.state is VisitState.ASKING:
            self._shown += data
            self._judge()
        elif self.state in AT_SITE:
            self._tell(data)

    def _tell(self, data: bytes) -> None:
        self.allowance.spend(-(-len(data) // UNIT_BYTES))
        if self._site is not None:
            self._site.feed(data)

    def readConnectionLost(self) -> None:
        """
        The other end has said all.
        """
        if self._hasPeerEnded:
            return
        self._hasPeerEnded = True
        if self.state in UNDECIDED:
            if not self._shown and self._site is None:
                self.stream.depart()
                return
            self._decide(PeerError(ENDS_EARLY))
        elif self.state is VisitState.VISITING:
            if self._site is not None:
                self._site.end()
        else:
            self._endSoon()

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
            self._endSoon()
        else:
            self._setTimer(LINGER_SECONDS, self._endSoon)

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
            self._setTimer(left, self._watchOver)
        else:
            self.siteEnded()

    def _endSoon(self) -> None:
        """
        Both have said all, or the visitor takes too long: close when he has been sent what is written.
        """
        if self.state is not VisitState.LEAVING:
            return
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        queued = self.stream.queuedBytes()
        if not queued:
            self._setTimer(0, self.stream.depart)
            return
        self._idleLingers = 0 if queued != self._queued else self._idleLingers + 1
        self._queued = queued
        if self._idleLingers == MOST_IDLE_LINGERS:
            self._setTimer(0, self.stream.abort)
        else:
            self._setTimer(LINGER_SECONDS, self._endSoon)

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
            self._shown = b""
            self._room.release()
            self._stopSite()
            self._reception.left(self, reason)

    def _stopSite(self) -> None:
        site, self._site = self._site, None
        if site is not None:
            site.stop()
