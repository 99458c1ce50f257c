"""
Real connections in layers: what holds for every kind of stream holds for TLS within the TLS of a proxy, for WebSocket
within both, and for WebSocket that one process carries to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import ClientFactory

from tests.doubles.contracts import StreamContract
from tests.doubles.tlspairs import GOOD, TRUSTED, TlsTestCase
from tests.integration import test_connections as connections
from tests.integration import test_handed_over as handed
from tests.integration import test_websocket_streams as websockets
from tests.integration.steppedtcp import AnyTalker, Listener, RecordingTalker, Talker, steppedReactor, stepUntil
from tests.integration.tlsproxy import TlsProxy
from uotp.net import ProxyKind, ProxyPlace
from uotp.net.sockopts import TunnelSocketOptions
from uotp.net.tcpinfo import TCP_INFO
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerCredentials, ServerTls
from uotp.transport.dialer import connectTunnel
from uotp.transport.dialled import DialledTlsStream
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.phases import CARRYING
from uotp.transport.proxies.preambles import preambleFor
from uotp.transport.proxies.streams import BareInTlsStream, NestedTlsStream

AMOUNT = 3_000_000
"""What each end says, in bytes."""

# A contract is no test case before it has a subject.
if TYPE_CHECKING:
    _TlsCase = TlsTestCase
    _WebSocketCase = websockets._WebSocketContract
else:
    _TlsCase = object
    _WebSocketCase = websockets._WebSocketContract


class _ProxiedContract(StreamContract, _TlsCase):
    """
    The client's end leads through a proxy with TLS.
    """

    kind: type[DialledTlsStream]
    hasTls = True
    tellsTrouble = TCP_INFO is not None

    def connect(self) -> None:
        """
        The client's stream is asked.
        """
        here, there = self.here, self.there = RecordingTalker(), RecordingTalker()
        self.connectThese(here, there)

    def stall(self, *, stalled: bool) -> None:
        """
        Its kernel takes on what it can, and so does the proxy.
        """
        if stalled:
            self.there.transport.pauseProducing()
        else:
            self.there.transport.resumeProducing()

    def settleUntil(self, condition: Any) -> None:
        """
        Which may take a while.
        """
        stepUntil(condition, "it has settled")

    def credentials(self) -> ServerCredentials:
        """
        @return: those of the proxy, and of the server.
        """
        return ServerCredentials(ServerTls(self.path(GOOD.certificatePem() + GOOD.keyPem())))

    def connectThese(self, here: AnyTalker, there: AnyTalker, tuning: TunnelSocketOptions | None = None) -> None:
        """
        Connect two that are to talk; all is gone after the test.
        """
        tuning = tuning or TunnelSocketOptions(connections.UNSENT_LIMIT)
        listener = Listener(self.credentials() if self.hasTls else None, tuning, lambda: there)
        self.addCleanup(listener.close)
        proxy = TlsProxy(self.credentials())
        self.addCleanup(proxy.close)
        trust = ClientCredentials(ClientTls(self.cafile(TRUSTED)))
        place = ProxyPlace(ProxyKind.HTTPS, *proxy.address)
        choices: dict[str, Any] = {
            "tuning": tuning,
            "handshakes": HandshakeQueue(steppedReactor()),
            "creator": staticmethod(trust.creatorFor(listener.address[0])),
            "proxyCreator": staticmethod(trust.creatorFor(proxy.address[0])),
            "makePreamble": staticmethod(lambda: preambleFor(place, listener.address)),
        }
        factory: Any = ClientFactory.forProtocol(lambda: here)
        factory.noisy = False
        factory.reached = lambda: None
        kind = type("Proxied", (self.kind,), choices)
        connectTunnel(kind, steppedReactor(), *proxy.address, factory)
        isOpen = lambda: here.transport is not None and here.transport.phase in CARRYING  # noqa: E731
        stepUntil(lambda: isOpen() and here.ready and there.ready, "both are connected")
        self.assertEqual(proxy.asked, [f"{listener.address[0]}:{listener.address[1]}"])


class NestedTlsTests(_ProxiedContract, TlsTestCase):
    """
    TLS to the server.  The proxy ends both connections when one of them has ended.
    """

    kind = NestedTlsStream
    hearsGoodbye = False

    def test_bytesArriveWholeBothWaysAtOnce(self) -> None:
        ends = Talker(1, AMOUNT), Talker(2, AMOUNT)
        self.connectThese(*ends)
        stepUntil(lambda: all(end.heard == AMOUNT for end in ends), "all is heard")
        for one, other in (ends, ends[::-1]):
            self.assertEqual(one.heardDigest.digest(), other.saidDigest.digest())


class BareInTlsTests(_ProxiedContract, TlsTestCase):
    """
    No TLS to the server.
    """

    kind = BareInTlsStream
    hasTls = False


class WebSocketInNestedTlsTests(_WebSocketCase, NestedTlsTests):
    """
    WebSocket within both.
    """


class WebSocketInTlsOfProxyTests(BareInTlsTests):
    """
    WebSocket to the server, within the TLS of the proxy alone.
    """

    def connectThese(self, here: AnyTalker, there: AnyTalker, tuning: TunnelSocketOptions | None = None) -> None:
        """
        Both ends upgrade when they are connected, and before they speak.
        """
        super().connectThese(here, there, tuning)
        for end, masks in ((here, True), (there, False)):
            end.transport.becomeWebSocket(masks=masks)


class _CarriedContract(handed._RelayedContract):
    """
    One process has the client's WebSocket, and another one what is in it.
    """

    def connectThese(self, client: AnyTalker, owner: AnyTalker, *, shows: bool = False) -> handed.Accepting:
        """
        Both ends of the connection upgrade as soon as the handshake is done.
        """
        websockets.upgradeAtOnce(client, "handshakeCompleted", masks=True)
        return super().connectThese(client, owner, shows=shows)

    def newAccepting(self, owner: AnyTalker) -> handed.Accepting:
        """
        See L{handed._RelayedCase}.
        """
        accepting = super().newAccepting(owner)
        websockets.upgradeAtOnce(accepting, "handshakeCompleted", masks=False)
        return accepting


class OwnersCarriedTests(_CarriedContract, TlsTestCase):
    """
    The owner's stream.
    """

    def connect(self) -> None:
        """
        The client hears.
        """
        here, there = self.here, self.there = RecordingTalker(), RecordingTalker()
        self.connectThese(there, here)


class ClientsCarriedTests(_CarriedContract, TlsTestCase):
    """
    The client's stream.
    """

    def connect(self) -> None:
        """
        The owner hears.
        """
        here, there = self.here, self.there = RecordingTalker(), RecordingTalker()
        self.connectThese(here, there)
