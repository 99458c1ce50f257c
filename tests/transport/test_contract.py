"""
The contract of a stream, held by the twin in memory, and by the stream over a pipe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.test.iosim import IOPump, connect
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.contracts import StreamContract
from tests.doubles.pipes import PipeReactor, relayedStream
from tests.doubles.sockets import Diarist
from tests.doubles.streams import MemoryStream, wrapInTls
from tests.doubles.tlspairs import GOOD, TRUSTED, TlsTestCase
from uotp.boundaries import Security
from uotp.tls.pins import publicKeyPin
from uotp.transport.pipe import newPipe


class MemoryStreamTests(StreamContract, SynchronousTestCase):
    """
    Hold the twin to the contract without TLS.
    """

    secured = False
    pump: IOPump

    def connect(self) -> None:
        self.here, self.there = Diarist(), Diarist()
        here = MemoryStream(self.here, secured=self.secured)
        there = MemoryStream(self.there, isServer=True, secured=self.secured)
        self.pump = connect(self.there, there, self.here, here, clock=Clock(), greet=False)

    def stall(self, *, stalled: bool) -> None:
        """
        The stream knows whether its peer reads.
        """
        self.here.transport.stalled = stalled

    def settleUntil(self, condition: Callable[[], object]) -> None:
        """
        Everything that can happen has happened then.
        """
        self.pump.flush()


class SecuredMemoryStreamTests(MemoryStreamTests):
    """
    Hold the twin to it with TLS, as the test says.
    """

    secured = True

    def test_whatTlsHasFoundOutIsKnown(self) -> None:
        self.connect()
        self.assertEqual(self.here.transport.security, Security())


class MemoryTlsStreamTests(MemoryStreamTests, TlsTestCase):
    """
    Hold the twin to it with real TLS in memory.
    """

    def connect(self) -> None:
        """
        With a server that the client trusts.
        """
        clock = Clock()
        self.here, self.there = Diarist(), Diarist()
        inner = wrapInTls(self.client(), self.here, clock, isClient=True)
        outer = wrapInTls(self.server(), self.there, clock)
        self.under = MemoryStream(inner)
        self.pump = connect(outer, MemoryStream(outer, isServer=True), inner, self.under, clock=clock, greet=False)
        self.pump.flush()
        self.assertEqual((self.here.says, self.there.says), (["made", "secured"], ["made", "secured"]))

    def stall(self, *, stalled: bool) -> None:
        """
        The stream under TLS knows whether its peer reads.
        """
        self.under.stalled = stalled

    def test_whatTlsHasFoundOutIsKnown(self) -> None:
        """
        The client knows the server's key, and both what they speak.
        """
        self.connect()
        self.assertEqual(
            self.here.transport.security,
            Security(b"http/1.1", publicKeyPin(GOOD.certificate), peerChain=GOOD.known(TRUSTED.certificate)),
        )
        self.assertEqual(self.there.transport.security, Security(b"http/1.1"))


class RelayedStreamTests(StreamContract, SynchronousTestCase):
    """
    Hold a stream to it that goes through a pipe, of which the other end reads what is written.
    """

    security = Security(b"uotp/2", b"the peer's", peerName="somebody", peerChain=((b"issuer", b"key", 7),))

    def connect(self) -> None:
        """
        Both ends of the pipe are such streams.
        """
        self.reactor = PipeReactor()
        self.here, self.there = Diarist(), Diarist()
        self.stalled = False
        self.streams = [
            relayedStream(self.reactor, end, pipe, security=self.security)
            for end, pipe in zip((self.here, self.there), newPipe(), strict=True)
        ]
        self.addCleanup(self.end, self.reactor, self.streams)
        self.reactor.advance(0)
        self.begin()

    def begin(self) -> None:
        """
        Both streams are open.
        """

    def end(self, reactor: PipeReactor, streams: list[Any]) -> None:
        """
        Whatever a test does, nothing is left of either.
        """
        for stream in streams:
            stream.abort()
        reactor.advance(0)
        self.assertEqual((reactor.readers, reactor.writers, reactor.getDelayedCalls()), (set(), set(), []))
        self.assertEqual([stream.fileno() for stream in streams], [-1, -1])

    def stall(self, *, stalled: bool) -> None:
        """
        The reactor is told so.
        """
        if stalled:
            self.there.transport.pauseProducing()
        else:
            self.there.transport.resumeProducing()

    def settleUntil(self, condition: Callable[[], object]) -> None:
        """
        What happens in a pipe happens at once.
        """
        self.reactor.lookUntil(condition, *self.streams)

    def test_whatTlsHasFoundOutIsKnown(self) -> None:
        """
        The other process has, and so the handshake is done as soon as there is a turn.
        """
        self.connect()
        self.assertEqual((self.here.says, self.here.transport.security), (["made", "secured"], self.security))


class WebSocketStreamTests(RelayedStreamTests):
    """
    Hold a stream to it that carries WebSocket, and writes as a client does.
    """

    masks = True

    def begin(self) -> None:
        """
        Both ends have agreed to it.
        """
        self.here.transport.becomeWebSocket(masks=self.masks)
        self.there.transport.becomeWebSocket(masks=not self.masks)


class ServerWebSocketStreamTests(WebSocketStreamTests):
    """
    Hold a stream to it that carries WebSocket, and writes as a server does.
    """

    masks = False
