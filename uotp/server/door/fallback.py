"""
A web server behind us that answers our visitors, byte for byte: what he says goes there, what it says
goes to him, and so does the end of either.

What either side does not take is not read of the other.  What is read costs units of an allowance that
all visitors have together, so that they take no more of a turn than one client does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import ClientFactory, connectionDone
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.boundaries import Allowance
from uotp.net import Host, NameLookup
from uotp.server.door.seams import Guest
from uotp.telemetry import Logger, RateLimit, logCounted, orLog
from uotp.transport import UNIT_BYTES

FALLBACK_SECONDS = 5.0
"""So long it may take to connect to the web server, which is near."""

ADDRESSES_SECONDS = 30.0
"""So long the addresses of its name are used that were found."""

QUIET_VISIT_SECONDS = 900.0
"""So long neither side need say anything.  Web servers give up much sooner, and decide themselves."""

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
    idleSeconds = QUIET_VISIT_SECONDS
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
        self.activeAt = self._fallback.now()
        if self._isOver or self._hasEnded:
            return
        if self._isOpen:
            self.transport.write(data)
            return
        self._unsent.append(data)
        self._unsentBytes += len(data)
        if self._unsentBytes >= MOST_UNSENT_BYTES:
            self._guest.pauseReading()

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
        self.transport.registerProducer(self, True)
        wasFull = self._unsentBytes >= MOST_UNSENT_BYTES
        unsent, self._unsent = self._unsent, []
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
        self.activeAt = self._fallback.now()
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
        if self._isOpen and not self._isOver:
            self.transport.pauseProducing()

    def resume(self) -> None:
        """
        He does again.
        """
        self._isPaused = False
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
            dial, self.dial = self.dial, None
            if dial is not None:  # or visitors who come and go leave descriptors behind
                dial.disconnect()
            return
        self.transport.unregisterProducer()
        if self._hasEnded and self._hasSiteEnded:
            self.transport.loseConnection()
        else:
            self.transport.abortConnection()


class FallbackDial(ClientFactory):
    """
    Tries one address after the other.
    """

    noisy = False

    def __init__(self, site: FallbackSite, addresses: list[Any], fallback: Fallback) -> None:
        """
        @param addresses: those that are left.
        """
        self._site: FallbackSite | None = site
        self._addresses = addresses
        self._fallback = fallback

    def _release(self) -> FallbackSite:
        """
        Let go of the site: who has dialled is known to the connection, so all is freed without the garbage collector.

        @return: the site.
        """
        site, self._site = self._site, None
        assert site is not None
        return site

    def buildProtocol(self, _: Any) -> FallbackSite:
        """
        @return: who gets the connection.
        """
        return self._release()

    def clientConnectionFailed(self, _: Any, reason: Failure) -> None:
        """
        Try the next address, if there is one.
        """
        self._fallback.failed(self._release(), self._addresses, reason)

    def clientConnectionLost(self, connector: Any, _: Failure) -> None:
        """
        Nobody dials once more: connector and connection know each other.
        """
        connector.transport = None


class Fallback:
    """
    Knows where the web server is, and dials it.

    @ivar now: the reactor's clock.
    """

    _log = Logger()

    def __init__(self, place: tuple[str, int], lookup: NameLookup, reactor: Any, rateLimit: RateLimit) -> None:
        """
        @param place: its host and port.
        @param lookup: finds the addresses of its name.
        @param reactor: C{IReactorTCP} and C{IReactorTime}.
        @param rateLimit: keeps the log short.
        """
        self._place = place
        self._lookup = lookup
        self._reactor = reactor
        self._rateLimit = rateLimit
        self.now: Callable[[], float] = reactor.seconds
        self._known: list[Any] = []
        self._knownUntil = float("-inf")
        self._open: set[tuple[str, int]] = set()

    def isOurs(self, address: tuple[str, int]) -> bool:
        """
        @param address: where a connection comes from that was accepted.
        @return: whether the other end of it is one of these connections, so that the web server is this very server.
        """
        return address in self._open

    def opened(self, site: FallbackSite) -> None:
        """
        A connection is there.
        """
        if site.localAddress is not None:
            self._open.add(site.localAddress)

    def closed(self, site: FallbackSite) -> None:
        """
        A connection is gone.
        """
        if site.localAddress is not None:
            self._open.discard(site.localAddress)

    def dial(self, site: FallbackSite) -> None:
        """
        Connect to the web server.

        @param site: told what became of that.
        """
        if self._known and self.now() < self._knownUntil:
            self._try(site, list(self._known))
            return
        found = self._lookup.lookUp(*self._place, "TCP")
        tried = found.addCallbacks(self._found, lambda failure: self._down(site, str(failure.value)), (site,))
        orLog(tried, self._log, "a visitor could not be brought to the fallback")

    def _found(self, addresses: list[Any], site: FallbackSite) -> None:
        self._known, self._knownUntil = addresses, self.now() + ADDRESSES_SECONDS
        self._try(site, list(addresses))

    def _try(self, site: FallbackSite, addresses: list[Any]) -> None:
        if not site.isWanted:
            return
        first, *others = addresses
        dial = FallbackDial(site, others, self)
        site.dial = self._reactor.connectTCP(first.host, first.port, dial, timeout=FALLBACK_SECONDS)

    def failed(self, site: FallbackSite, addresses: list[Any], reason: Failure) -> None:
        """
        One address could not be reached.

        @param addresses: those that are left.
        """
        if addresses:
            self._try(site, addresses)
        else:
            self._down(site, reason.getErrorMessage())

    def _down(self, site: FallbackSite, reason: str) -> None:
        if not site.isWanted:
            return
        self._knownUntil = float("-inf")
        host, port = self._place
        logCounted(
            self._log,
            LogLevel.warn,
            self._rateLimit.suppressedBefore("fallback"),
            "the fallback at {host} port {port} cannot be reached, so visitors are told that (502): {reason}",
            host=Host.parse(host).besidePort,
            port=port,
            reason=reason,
        )
        self._reactor.callLater(0, site.notConnected)
