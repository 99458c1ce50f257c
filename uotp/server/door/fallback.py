"""
Where the web server behind us is, and how it is dialled: one address after the other, and who waits for it
is told when none answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.protocol import ClientFactory
from twisted.logger import LogLevel
from twisted.python.failure import Failure

from uotp.net import Host, NameLookup
from uotp.telemetry import Logger, RateLimit, logCounted, orLog

FALLBACK_SECONDS = 5.0
"""So long it may take to connect to the web server, which is near."""

ADDRESSES_SECONDS = 30.0
"""So long the addresses of its name are used that were found."""


class DialledSite(Protocol):
    """
    Is dialled for one visitor, and is the protocol of the connection then.

    @ivar localAddress: host and port of our end, while it is connected.
    @ivar dial: what tries to connect, by Twisted's C{IConnector}.
    """

    localAddress: tuple[str, int] | None
    dial: Any

    @property
    def isWanted(self) -> bool:
        """
        Whether the visitor is still there.
        """

    def notConnected(self) -> None:
        """
        It cannot be reached.
        """


class FallbackDial(ClientFactory):
    """
    Tries one address after the other.
    """

    noisy = False

    def __init__(self, site: DialledSite, addresses: list[Any], fallback: Fallback) -> None:
        """
        @param addresses: those that are left.
        """
        self._site: DialledSite | None = site
        self._addresses = addresses
        self._fallback = fallback

    def _release(self) -> DialledSite:
        """
        Let go of the site: who has dialled is known to the connection, so all is freed without the garbage collector.

        @return: the site.
        """
        site, self._site = self._site, None
        assert site is not None
        return site

    def buildProtocol(self, _: Any) -> Any:
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

    def isAt(self, host: str) -> bool:
        """
        @param host: where a visitor comes from.
        @return: whether the web server is there, as far as is known.
        """
        return any(address.host == host for address in self._known)

    def sayReturns(self) -> None:
        """
        Say in the log that its visitors seem to come back to us.
        """
        host, port = self._place
        logCounted(
            self._log,
            LogLevel.warn,
            self._rateLimit.suppressedBefore("returns"),
            "many visitors who say the same come from the fallback at {host} port {port} and wait for an answer: more "
            "are told that the server is busy (503).  Does it bring its visitors back to this server?",
            host=Host.parse(host).besidePort,
            port=port,
        )

    def opened(self, site: DialledSite) -> None:
        """
        A connection is there.
        """
        if site.localAddress is not None:
            self._open.add(site.localAddress)

    def closed(self, site: DialledSite) -> None:
        """
        A connection is gone.
        """
        if site.localAddress is not None:
            self._open.discard(site.localAddress)

    def dial(self, site: DialledSite) -> None:
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

    def _found(self, addresses: list[Any], site: DialledSite) -> None:
        self._known, self._knownUntil = addresses, self.now() + ADDRESSES_SECONDS
        self._try(site, list(addresses))

    def _try(self, site: DialledSite, addresses: list[Any]) -> None:
        if not site.isWanted:
            return
        first, *others = addresses
        dial = FallbackDial(site, others, self)
        site.dial = self._reactor.connectTCP(first.host, first.port, dial, timeout=FALLBACK_SECONDS)

    def failed(self, site: DialledSite, addresses: list[Any], reason: Failure) -> None:
        """
        One address could not be reached.

        @param addresses: those that are left.
        """
        if addresses:
            self._try(site, addresses)
        else:
            self._down(site, reason.getErrorMessage())

    def _down(self, site: DialledSite, reason: str) -> None:
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
