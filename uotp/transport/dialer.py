"""
The client's way to the server: its addresses, and a connection to one of them.  Each call
makes one try; whoever wants another calls again, and whoever has several addresses decides
in which order, and when (L{uotp.client.dial.race}).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import ClientFactory
from twisted.python.failure import Failure

from uotp.boundaries import Upgrade
from uotp.net import Addresses, NameLookup, ProxyPlace, TunnelSocketOptions
from uotp.transport.dialled import DialledTcpStream, DialledTlsStream
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.proxies.preambles import preambleFor
from uotp.transport.proxies.streams import BareInTlsStream, NestedTlsStream
from uotp.transport.tls import Creator


class TunnelConnector(tcp.Connector):
    """
    Makes a stream of the kind that it was given when it connects.

    @ivar segmentSize: the largest TCP segment that the stream may have, in bytes, or L{None}
        for as large as the system likes.
    """

    streamClass: type[DialledTcpStream] = DialledTcpStream
    segmentSize: int | None = None

    def _makeTransport(self) -> DialledTcpStream:
        return self.streamClass(self.host, self.port, self.bindAddress, self, self.reactor)

    def reached(self) -> None:
        """
        TCP is connected to a proxy, with which the way to the server is to be agreed now.
        """
        factory: Any = self.factory
        factory.reached()

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
    kind: type[DialledTcpStream], reactor: Any, host: str, port: int, factory: Any, segmentSize: int | None = None
) -> TunnelConnector:
    """
    Begin to connect, as C{IReactorTCP.connectTCP}, but without a time-out.

    @param kind: the kind of stream that is made.
    @param host: a numeric address.
    @param segmentSize: see L{TunnelConnector}.
    @return: the connector.
    @raise OSError: for an address that this system cannot have.
    """
    noLimit: Any = None
    connector = TunnelConnector(host, port, factory, noLimit, None, reactor)
    connector.streamClass = kind
    connector.segmentSize = segmentSize
    connector.connect()
    return connector


def makeNothing() -> None:
    """
    For a connection whose tunnel was made, or that nobody wants.
    """


class DialFactory(ClientFactory):
    """
    Makes the tunnel of one connection.

    @ivar done: fires with the tunnel when TCP is connected, just before the tunnel is told;
        fails when it cannot be connected.
    """

    noisy = False

    def __init__(self, makeTunnel: Callable[[], Any], reached: Callable[[], object] = makeNothing) -> None:
        """
        @param makeTunnel: makes the tunnel for a connection that is made.
        @param reached: called when TCP is connected to a proxy, if there is one.
        """
        self._makeTunnel: Callable[[], Any] = makeTunnel
        self._reached: Callable[[], object] = reached
        self._connector: Any = None
        self.done: Deferred[Any] = Deferred(self._cancel)

    def startedConnecting(self, connector: Any) -> None:
        """
        See C{ClientFactory}.
        """
        self._connector = connector

    def reached(self) -> None:
        """
        TCP is connected to a proxy.
        """
        self._reached()

    def buildProtocol(self, addr: Any) -> Any:
        """
        TCP is connected, through a proxy if there is one.

        @return: the tunnel.
        """
        tunnel = self._makeTunnel()
        self._release()
        self.done.callback(tunnel)
        return tunnel

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """
        TCP could not be connected.
        """
        self._release()
        if not self.done.called:  # or it was cancelled
            self.done.errback(reason)

    def _release(self) -> None:
        """
        Let go of whoever dials, who may be over long before the connection is.
        """
        self._connector = None
        self._makeTunnel = self._reached = makeNothing

    def _cancel(self, _: object) -> None:
        connector = self._connector
        self._release()
        if connector is not None:
            connector.stopConnecting()


class Dialer:
    """
    Makes connections to one server.

    @ivar proxy: through which proxy they go, or L{None}.
    """

    def __init__(
        self,
        reactor: Any,
        server: tuple[str, int],
        creator: Creator | None,
        resolver: NameLookup,
        mark: int | None = None,
        tuning: TunnelSocketOptions | None = None,
        newUpgrade: Callable[[], Upgrade] | None = None,
        proxyNow: Callable[[], ProxyPlace] | None = None,
        proxyCreator: Creator | None = None,
    ) -> None:
        """
        @param server: host name or address, and port.
        @param creator: makes OpenSSL's connection for a socket; L{None} for plain TCP.
        @param resolver: finds the addresses of a host name.
        @param mark: a firewall mark for the connections, or L{None}.
        @param tuning: how their sockets are set up.
        @param newUpgrade: begins to ask the web server there to go on with WebSocket; L{None} to go on without.
        @param proxyNow: tells through which proxy they go, always the same, and who we are to it now; L{None} for no
            proxy.  Its addresses are then looked up and dialled, and the server's name is told to the proxy.
        @param proxyCreator: makes OpenSSL's connection to a proxy with TLS, for a socket.
        """
        self._reactor = reactor
        self.proxy = proxy = None if proxyNow is None else proxyNow()
        self._dialled = server if proxy is None else proxy.address
        self._resolver = resolver
        self._newUpgrade = newUpgrade
        choices: dict[str, Any] = {"mark": mark, "tuning": tuning or TunnelSocketOptions()}
        base: type[DialledTcpStream] = DialledTcpStream if creator is None else DialledTlsStream
        if proxyNow is not None:
            choices["makePreamble"] = staticmethod(lambda: preambleFor(proxyNow(), server))
            if proxyCreator is not None:
                base = BareInTlsStream if creator is None else NestedTlsStream
                choices["proxyCreator"] = staticmethod(proxyCreator)
        if creator is not None:
            choices["creator"] = staticmethod(creator)
        if issubclass(base, DialledTlsStream):
            choices["handshakes"] = HandshakeQueue(reactor)
        self._kind: type[DialledTcpStream] = type(
            "OurTcpStream" if creator is None else "OurTlsStream", (base,), choices
        )

    def lookUp(self) -> Deferred[Addresses]:
        """
        Find the server's addresses, or its proxy's.

        @return: fires with one or more; fails with L{uotp.errors.LookupFailed}.  It may be cancelled.
        """
        host, port = self._dialled
        return self._resolver.lookUp(host, port, "TCP")

    def upgrade(self) -> Upgrade | None:
        """
        @return: what asks the web server there, on one connection, to go on with WebSocket; L{None} to go on without.
        """
        return None if self._newUpgrade is None else self._newUpgrade()

    def connect(
        self,
        address: Any,
        makeTunnel: Callable[[], Any],
        segmentSize: int | None = None,
        reached: Callable[[], object] = makeNothing,
    ) -> Deferred[Any]:
        """
        Try to connect to one address.  How long that may take is the business of the caller.

        @param address: one of those that L{lookUp} has found.
        @param makeTunnel: makes the tunnel for a TCP connection that is made.
        @param segmentSize: the largest TCP segment of the connection, both ways; L{None} for as
            large as the system likes.
        @param reached: called when TCP is connected to a proxy, if there is one.
        @return: fires with the tunnel when TCP is connected, through a proxy if there is one, just before the tunnel
            is told and before the handshake; fails when it cannot be.  It may be cancelled.
        """
        factory = DialFactory(makeTunnel, reached)
        try:
            connectTunnel(self._kind, self._reactor, address.host, address.port, factory, segmentSize)
        except OSError as error:
            return fail(Failure(error))
        return factory.done
