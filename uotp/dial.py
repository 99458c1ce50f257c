"""
The client's way to the server: name, addresses, TCP, TLS.  One call is one
attempt; who wants another asks again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet import error, tcp
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import alsoProvides, directlyProvides, providedBy

from uotp.sockets import setMark
from uotp.tls import ClientCredentials, refusalReason
from uotp.tunnel import Tunnel


class MarkedClient(tcp.Client):
    """
    A connection with a firewall mark from before its first packet.

    @cvar mark: the mark; each L{Dialer} makes a subclass with its own.
    """

    mark = 0

    def createInternetSocket(self) -> Any:
        """
        @return: the socket, marked.
        @raise OSError: without the privilege.
        """
        made = super().createInternetSocket()
        try:
            setMark(made, self.mark)
        except OSError:
            made.close()
            raise
        return made


class MarkingConnector(tcp.Connector):
    """
    Connects with the kind of client that it was given.
    """

    clientClass: type[MarkedClient] = MarkedClient

    def _makeTransport(self) -> MarkedClient:
        return self.clientClass(self.host, self.port, self.bindAddress, self, self.reactor)


class DiallingReactor:
    """
    The reactor as an endpoint shall see it: with a resolver, and a way to connect,
    of our choice.
    """

    def __init__(self, reactor: Any, resolver: IHostnameResolver, mark: int | None) -> None:
        """
        @param reactor: the real one.
        @param mark: a firewall mark, or L{None}.
        """
        self._reactor = reactor
        self._mark = mark
        self.nameResolver = resolver
        directlyProvides(self, providedBy(reactor))
        alsoProvides(self, IReactorPluggableNameResolver)

    def __getattr__(self, name: str) -> Any:
        """
        Everything else is the real one's.
        """
        return getattr(self._reactor, name)

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None) -> Any:
        """
        See C{IReactorTCP}.
        """
        if self._mark is None:
            return self._reactor.connectTCP(host, port, factory, timeout, bindAddress)
        connector = MarkingConnector(host, port, factory, timeout, bindAddress, self._reactor)
        connector.clientClass = type("MarkedClient", (MarkedClient,), {"mark": self._mark})
        connector.connect()
        return connector


class Dialer:
    """
    Dials one server.
    """

    def __init__(
        self,
        reactor: Any,
        server: tuple[str, int],
        credentials: ClientCredentials | None,
        resolver: IHostnameResolver,
        timeout: float,
        mark: int | None = None,
    ) -> None:
        """
        @param server: host name or address, and port.
        @param credentials: L{None} for plain TCP.
        @param timeout: seconds for an attempt to connect, without the handshake.
        @param mark: a firewall mark for the connections, or L{None}.
        @raise ConfigurationError: for a host that no certificate could name.
        """
        host, port = server
        self._reactor = reactor
        self._creator = None if credentials is None else credentials.creatorFor(host)
        self._endpoint = HostnameEndpoint(DiallingReactor(reactor, resolver, mark), host, port, timeout)

    def dial(self, makeTunnel: Callable[[], Tunnel]) -> Deferred[Any]:
        """
        Make one attempt, at all addresses of the server, a little apart.

        @param makeTunnel: makes the tunnel for a TCP connection that is made.
        @return: fires when TCP is connected, before the handshake; fails when it
            cannot be.  It may be cancelled.
        """
        factory: Any = Factory.forProtocol(makeTunnel)
        factory.noisy = False
        if self._creator is not None:
            factory = TLSMemoryBIOFactory(self._creator, True, factory, clock=self._reactor)
        return self._endpoint.connect(factory)


def wordsForFailure(reason: Failure, connection: Any = None) -> str:
    """
    @param reason: why an attempt failed, or a tunnel was lost.
    @param connection: OpenSSL's connection, if there was one.
    @return: words for the log.
    """
    words = refusalReason(reason, connection)
    if words is not None:
        return words
    for kind, words in (
        (error.DNSLookupError, "host name not found"),
        (error.ConnectionRefusedError, "connection refused"),
        (error.TimeoutError, "no answer in time"),
        (error.TCPTimedOutError, "no answer in time"),
        (error.ConnectingCancelledError, "no answer in time"),
        (error.NoRouteError, "no route to host"),
        (error.ConnectionDone, "closed by the other end"),
        (error.ConnectionLost, "connection lost"),
    ):
        if reason.check(kind):
            return words
    cause = reason.value
    number = getattr(cause, "errno", None) or getattr(cause, "osError", None)
    return os.strerror(number) if isinstance(number, int) else reason.getErrorMessage()
