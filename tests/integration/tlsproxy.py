"""
An HTTP proxy with TLS of its own, in this process, in the reactor that takes a turn when it is told to.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from bench.rig.ports import LOOPBACK, Address
from tests.doubles.streams import InMemory
from tests.integration.steppedtcp import steppedReactor, stepUntil
from uotp.tls.credentials import ServerCredentials

HEAD_END = b"\r\n\r\n"

AGREES = b"HTTP/1.1 200 Connection established" + HEAD_END


class _End(Protocol):
    """
    Is one end of what goes through the proxy.

    @ivar other: the other end; L{None} while it is not there, or when it has gone.
    """

    transport: Any
    other: Any = None

    def meet(self, other: Any) -> None:
        """
        Hand on to another end from now on, and read no faster than it takes it.
        """
        self.other = other
        other.transport.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        """
        Hand it on.
        """
        self.other.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        End the other end behind what it has still to send.
        """
        other, self.other = self.other, None
        if other is not None:
            other.other = None
            other.transport.unregisterProducer()
            other.transport.loseConnection()


class _Visit(_End):
    """
    Is the client's end, which asks for a server first.
    """

    def __init__(self, proxy: TlsProxy) -> None:
        self._proxy = proxy
        self._head = b""

    def connectionMade(self) -> None:
        self._proxy.visits.append(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{_End}.
        """
        super().connectionLost(reason)
        self._proxy.visits.remove(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Nothing may come behind the head before it is answered.
        """
        if self.other is not None:
            super().dataReceived(data)
            return
        self._head += data
        if self._head.endswith(HEAD_END):
            target = self._head.split()[1].decode("ascii")
            self._proxy.asked.append(target)
            host, _, port = target.rpartition(":")
            factory: Any = ClientFactory.forProtocol(lambda: _Way(self))
            factory.noisy = False
            steppedReactor().connectTCP(host, int(port), factory)


class _Way(_End):
    """
    Is the server's end.
    """

    def __init__(self, visit: _Visit) -> None:
        self._visit = visit

    def connectionMade(self) -> None:
        """
        Agree.
        """
        visit = self._visit
        visit.transport.write(AGREES)
        self.meet(visit)
        visit.meet(self)


class TlsProxy:
    """
    Connects clients to where they want.

    @ivar address: where it listens.
    @ivar asked: where clients wanted to.
    @ivar visits: those who are there.
    """

    def __init__(self, credentials: ServerCredentials) -> None:
        """
        @param credentials: its own.
        """
        self.asked: list[str] = []
        self.visits: list[_Visit] = []
        factory: Any = Factory.forProtocol(lambda: _Visit(self))
        factory.noisy = False
        secured: Any = TLSMemoryBIOFactory(InMemory(credentials), False, factory, steppedReactor())
        secured.noisy = False
        self._port = steppedReactor().listenTCP(0, secured, interface=LOOPBACK)
        self.address: Address = (LOOPBACK, self._port.getHost().port)

    def close(self) -> None:
        """
        End all.
        """
        self._port.stopListening()
        for visit in list(self.visits):
            visit.transport.abortConnection()
        stepUntil(lambda: not self.visits, "all visitors are gone")
