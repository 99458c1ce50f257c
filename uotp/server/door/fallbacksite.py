"""
A connection to the web server behind us that answers one visitor, byte for byte: what he says goes there,
what it says goes to him, and so does the end of either.

What either side does not take is not read of the other.  What is read costs units of an allowance that
all visitors have together, so that they take no more of a turn than one client does.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.boundaries import Allowance
from uotp.server.door.fallback import DialledSite, Fallback
from uotp.server.door.seams import Guest
from uotp.transport import UNIT_BYTES

OWED_ANSWER_SECONDS = 90.0
"""
So long the web server may say nothing when it is its turn: at the beginning, and after the visitor has said
something.  One that waits for the visitor gives up after 60 s at the latest, as web servers are set up, and so before
us; a proxy gives a web server up that does nothing after 50 or 60 s (HAProxy as Debian has it, nginx).
"""

QUIET_VISIT_SECONDS = 900.0
"""
So long neither side need say anything when it is the visitor's turn.  Web servers give up much sooner, and decide
themselves.
"""

SITE_READ_BYTES = 16 * 1024
"""
So much is read of the web server at one go, which fills a record of TLS.  With the 64 KiB that Twisted reads, others
wait longer while a visitor downloads, above all where other programs want the processor too (see C{bench/README.rst}).
To offer it to them behind each read, as handshakes do, makes that worse.
"""

MOST_UNSENT_BYTES = 64 * 1024
"""So much of what a visitor says is kept until the web server can be told, before nothing more is read of him."""


@implementer(IHalfCloseableProtocol, IPushProducer)
class FallbackSite(TwistedProtocol):
    """
    Is a connection to the web server for one visitor.

    @ivar localAddress: host and port of our end, while it is connected.
    @ivar dial: what tries to connect, by Twisted's C{IConnector}.
    """

    transport: Any
    dial: Any = None
    localAddress: tuple[str, int] | None = None

    def __init__(self, guest: Guest, allowance: Allowance, fallback: Fallback) -> None:
        """
        @param allowance: of all visitors.
        @param fallback: dials.
        """
        self._guest = guest
        self._allowance = allowance
        self._fallback = fallback
        self._room = allowance.streamRoom()
        self._unsent: list[bytes] = []  # until there is a connection
        self._unsentBytes = 0
        self._isOpen = self._isOver = self._isPaused = self._waits = False
        self._hasEnded = self._hasSiteEnded = False
        self._owesAnswer = True
        self.idleSeconds = OWED_ANSWER_SECONDS
        self.activeAt = fallback.now()
        fallback.dial(self)

    @property
    def isWanted(self) -> bool:
        """
        Whether the visitor is still there.
        """
        return not self._isOver

    # What the visitor says.

    def feed(self, data: bytes) -> None:
        """
        Hand on what the visitor has said.
        """
        self._owesAnswer = True
        self._noteActivity()
        if self._isOver or self._hasEnded:
            return
        if self._isOpen:
            self.transport.write(data)
            return
        self._unsent.append(data)
        self._unsentBytes += len(data)
        self._room.hold(self._unsentBytes, self._giveUp)
        if self._unsentBytes >= MOST_UNSENT_BYTES:
            self._guest.pauseReading()

    def _noteActivity(self) -> None:
        """
        Something was done.  Whose silence comes next is told by whose turn it is; while the visitor does not take what
        is said, the web server cannot say more.
        """
        self.activeAt = self._fallback.now()
        isServersTurn = self._owesAnswer and not self._isPaused
        self.idleSeconds = OWED_ANSWER_SECONDS if isServersTurn else QUIET_VISIT_SECONDS

    def end(self) -> None:
        """
        Hand on that the visitor has said all.
        """
        self._hasEnded = True
        if self._isOpen and not self._isOver:
            self.transport.unregisterProducer()
            self.transport.loseWriteConnection()

    def pauseProducing(self) -> None:
        """
        The web server takes no more.
        """
        self._room.hold(MOST_UNSENT_BYTES, self._giveUp)
        self._guest.pauseReading()

    def _giveUp(self) -> None:
        """
        No memory is left for what is to be sent.
        """
        self._guest.siteLost()
        self.stop()

    def resumeProducing(self) -> None:
        """
        It takes more.
        """
        self._room.release()
        self._noteActivity()
        if not self._isOver:
            self._guest.resumeReading()

    def stopProducing(self) -> None:
        """
        The connection is gone; C{connectionLost} says so too.
        """

    # What the web server says.

    def connectionMade(self) -> None:
        """
        It is there: tell it what has come so far.
        """
        if self._isOver:
            self.transport.abortConnection()
            return
        self._isOpen = True
        self.dial = None
        here = self.transport.getHost()
        self.localAddress = (here.host, here.port)
        self._fallback.opened(self)
        self.transport.setTcpNoDelay(True)
        self.transport.bufferSize = SITE_READ_BYTES
        self.transport.registerProducer(self, True)
        wasFull = self._unsentBytes >= MOST_UNSENT_BYTES
        unsent, self._unsent = self._unsent, []
        self._room.release()
        for each in unsent:
            self.transport.write(each)
        if self._hasEnded:
            self.transport.unregisterProducer()
            self.transport.loseWriteConnection()
        elif wasFull:
            self._guest.resumeReading()
        if self._isPaused:
            self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        """
        Hand on what it has said.
        """
        self._owesAnswer = False
        self._noteActivity()
        allowance = self._allowance
        allowance.spend(-(-len(data) // UNIT_BYTES))
        self._guest.say(data)
        if (allowance.isSpent or allowance.owner.isExhausted) and not self._waits and not self._isOver:
            self._waits = True
            self.transport.pauseProducing()
            allowance.readLater(self._readOn)

    def _readOn(self) -> None:
        self._waits = False
        self._readIfWanted()

    def _readIfWanted(self) -> None:
        if self._isOpen and not (self._isOver or self._isPaused or self._waits or self._hasSiteEnded):
            self.transport.resumeProducing()

    def pause(self) -> None:
        """
        The visitor does not take what is said.
        """
        self._isPaused = True
        self._noteActivity()
        if self._isOpen and not self._isOver:
            self.transport.pauseProducing()

    def resume(self) -> None:
        """
        He does again.
        """
        self._isPaused = False
        self._noteActivity()
        self._readIfWanted()

    # The end.

    def readConnectionLost(self) -> None:
        """
        It has said all.
        """
        if not self._hasSiteEnded:
            self._hasSiteEnded = True
            self._guest.siteEnded()

    def writeConnectionLost(self) -> None:
        """
        It knows that the visitor has said all.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        self._fallback.closed(self)
        self._room.release()
        wasOver, self._isOver = self._isOver, True
        if wasOver:
            return
        if reason.check(ConnectionDone) is None:
            self._guest.siteLost()
        elif not self._hasSiteEnded:
            self._hasSiteEnded = True
            self._guest.siteEnded()

    def notConnected(self) -> None:
        """
        It cannot be reached.
        """
        self.dial = None
        if self._isOver:
            return
        self._isOver = True
        self._room.release()
        unsent, self._unsent = b"".join(self._unsent), []
        self._guest.siteDown(unsent)

    def stop(self) -> None:
        """
        End the connection: in good order if both have said all.
        """
        if self._isOver:
            return
        self._isOver = True
        self._unsent = []
        if not self._isOpen:
            self._room.release()
            dial, self.dial = self.dial, None
            if dial is not None:  # or visitors who come and go leave descriptors behind
                dial.disconnect()
            return
        self.transport.unregisterProducer()
        if self._hasEnded and self._hasSiteEnded:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()


# It fits its seam.
_dialled: type[DialledSite] = FallbackSite
