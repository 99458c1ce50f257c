"""
The client's way to the server: name, addresses, TCP, TLS.  Each call makes one attempt;
whoever wants another calls again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import alsoProvides, directlyProvides, providedBy

from uotp.net import TunnelSocketOptions
from uotp.transport.dialled import DialledTcpStream, DialledTlsStream
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.tls import Creator


class TunnelConnector(tcp.Connector):
    """
    Makes a stream of the kind that it was given when it connects.
    """

    streamClass: type[DialledTcpStream] = DialledTcpStream

    def _makeTransport(self) -> DialledTcpStream:
        return self.streamClass(self.host, self.port, self.bindAddress, self, self.reactor)

    def connectionFailed(self, reason: Failure) -> None:
        """
        There is no connection, and this connector makes no other.
        """
        super().connectionFailed(reason)
        del self.factory  # which knows its connector: all is freed without the garbage collector

    def connectionLost(self, reason: Failure) -> None:
        """
        The connection is gone, and this connector makes no other.
        """
        super().connectionLost(reason)
        del self.factory


def connectTunnel(
    kind: type[DialledTcpStream],
    reactor: Any,
    host: str,
    port: int,
    factory: Any,
    timeout: float = 30,
    bindAddress: Any = None,
) -> TunnelConnector:
    """
    Begin to connect, as C{IReactorTCP.connectTCP}.

    @param kind: the kind of stream that is made.
    @return: the connector.
    """
    connector = TunnelConnector(host, port, factory, timeout, bindAddress, reactor)
    connector.streamClass = kind
    connector.connect()
    return connector


class DiallingReactor:
    """
    Stands for the reactor towards an endpoint of Twisted, with a resolver and a way to
    connect of our choice.
    """

    def __init__(self, reactor: Any, resolver: IHostnameResolver, connect: Callable[..., Any]) -> None:
        """
        @param reactor: the real reactor.
        @param resolver: finds addresses of host names.
        @param connect: is called for C{connectTCP}, with the reactor as first argument.
        """
        self._reactor = reactor
        self._connect = connect
        self.nameResolver = resolver
        directlyProvides(self, providedBy(reactor))
        alsoProvides(self, IReactorPluggableNameResolver)

    def __getattr__(self, name: str) -> Any:
        """
        Take everything else from the real reactor.
        """
        return getattr(self._reactor, name)

    def connectTCP(self, *args: Any, **kwargs: Any) -> Any:
        """
        See C{IReactorTCP}.
        """
        return self._connect(self._reactor, *args, **kwargs)


class Dialer:
    """
    Makes connections to one server.
    """

    def __init__(
        self,
        reactor: Any,
        server: tuple[str, int],
        creator: Creator | None,
        resolver: IHostnameResolver,
        timeout: float,
        mark: int | None = None,
        tuning: TunnelSocketOptions | None = None,
    ) -> None:
        """
        @param server: host name or address, and port.
        @param creator: makes OpenSSL's connection for a socket; L{None} for plain TCP.
        @param timeout: seconds for an attempt to connect, without the handshake.
        @param mark: a firewall mark for the connections, or L{None}.
        @param tuning: how their sockets are set up.
        """
        host, port = server
        choices: dict[str, Any] = {"mark": mark, "tuning": tuning or TunnelSocketOptions()}
        kind: type[DialledTcpStream]
        if creator is None:
            kind = type("OurTcpStream", (DialledTcpStream,), choices)
        else:
            choices["creator"] = staticmethod(creator)
            choices["handshakes"] = HandshakeQueue(reactor)
            kind = type("OurTlsStream", (DialledTlsStream,), choices)
        connect = partial(connectTunnel, kind)
        self._endpoint = HostnameEndpoint(DiallingReactor(reactor, resolver, connect), host, port, timeout)

    def dial(self, makeTunnel: Callable[[], Any]) -> Deferred[Any]:
        """
        Make one attempt: try all addresses of the server, one a little after the other.

        @param makeTunnel: makes the tunnel for a TCP connection that is made.
        @return: fires when TCP is connected, before the handshake; fails when it
            cannot be.  It may be cancelled.
        """
        factory: Any = Factory.forProtocol(makeTunnel)
        factory.noisy = False
        return self._endpoint.connect(factory).addCallback(deliverDirectly)


def deliverDirectly(tunnel: Any) -> Any:
    """
    Let a stream call its tunnel itself.  Until now the endpoint stood between them, and
    from here on it would only hand on what comes.

    @return: the tunnel.
    """
    tunnel.transport.protocol = tunnel
    return tunnel
