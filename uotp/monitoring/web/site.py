"""
The HTTP side, bounded: who asks may ask one thing on each connection, in few bytes and soon.  Twisted parses it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource
from twisted.web.server import Site

from uotp.telemetry import Logger, RateLimit, logCounted

MOST_LOOKERS = 32
"""So many there may be at once; one more ends the oldest of them.  A browser opens six, a scraper one."""

DEADLINE_SECONDS = 10.0
"""So long a connection may take in all, from the first byte asked to the last byte answered."""

MOST_HEADERS = 64
MOST_HEAD_BYTES = 8192
"""A browser sends some 15 headers of 1 KB together."""

TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
"""What is answered to whoever sends more than a head."""


class BoundedChannel(HTTPChannel):
    """
    Takes one request on one connection.
    """

    maxHeaders = MOST_HEADERS
    totalHeadersSize = MOST_HEAD_BYTES
    factory: MonitoringSite
    _deadline: IDelayedCall | None = None
    _isRefused = False

    def connectionMade(self) -> None:
        """
        Somebody has come.
        """
        super().connectionMade()
        self.factory.came(self)
        self._deadline = self.factory.reactor.callLater(DEADLINE_SECONDS, self.giveUp)

    def giveUp(self) -> None:
        """
        End the connection, now.
        """
        transport: Any = self.transport
        transport.abortConnection()

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        """
        Let each connection end with its answer.
        """
        request.responseHeaders.setRawHeaders(b"connection", [b"close"])
        return False

    def allHeadersReceived(self) -> None:
        """
        Refuse what has a body: nothing is to be sent to us.
        """
        super().allHeadersReceived()
        if self.length != 0:
            self._isRefused = True
            assert self.transport is not None
            self.transport.write(TOO_LARGE)
            self.loseConnection()

    def rawDataReceived(self, data: bytes) -> None:
        """
        Read nothing of such a body.
        """
        if not self._isRefused:
            super().rawDataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is over.
        """
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        self.factory.left(self)
        super().connectionLost(reason)


class MonitoringSite(Site):
    """
    Makes a channel of each connection, and keeps no log of who asks: monitoring asks all day.
    """

    noisy = False
    displayTracebacks = False
    protocol = BoundedChannel  # type: ignore[assignment]  # the usual one can speak HTTP/2 besides
    _log = Logger()

    def __init__(self, resource: IResource, reactor: Any) -> None:
        """
        @param resource: answers everything.
        @param reactor: C{IReactorTime}.
        """
        super().__init__(resource, reactor=reactor, timeout=None)
        self._channels: dict[BoundedChannel, None] = {}  # the oldest first
        self._rateLimit = RateLimit(reactor.seconds)

    def startFactory(self) -> None:
        """
        Open no log.
        """

    def stopFactory(self) -> None:
        """
        Close none.
        """

    def log(self, request: Any) -> None:
        """
        Log nothing of a request.
        """

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """
        Somebody comes; make room for him if need be.
        """
        if len(self._channels) >= MOST_LOOKERS:
            oldest = next(iter(self._channels))
            self.left(oldest)
            oldest.giveUp()
            logCounted(
                self._log,
                LogLevel.warn,
                self._rateLimit.suppressedBefore("full"),
                "there are {connections} connections to the metrics, and the oldest goes for a new one",
                connections=MOST_LOOKERS,
            )
        return super().buildProtocol(addr)

    def came(self, channel: BoundedChannel) -> None:
        """
        A connection is there.
        """
        self._channels[channel] = None

    def left(self, channel: BoundedChannel) -> None:
        """
        A connection is gone.
        """
        self._channels.pop(channel, None)

    def endAll(self) -> None:
        """
        End every connection.
        """
        for channel in list(self._channels):
            channel.giveUp()
