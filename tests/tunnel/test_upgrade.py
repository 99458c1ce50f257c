"""
A client's tunnel that begins with an upgrade to WebSocket.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from tests.doubles.contracts import TimerTestCase
from tests.doubles.sessions import RecordingSession
from tests.doubles.streams import MemoryStream
from tests.doubles.tunnels import RecordingOwner
from uotp.boundaries import Security, Upgrade
from uotp.errors import PeerError
from uotp.tunnel.dialled import HTTP_2, NO_ANSWER, NO_UPGRADE, DialledTunnel
from uotp.tunnel.states import TunnelState
from uotp.wire.hello import ClientHello, ServerHello, WireFormat, encodeClientHello, encodeServerHello, newSessionId
from uotp.wire.negotiation import WireChoice

REQUEST = b"may I?"
YES = b"you may."
WELCOME = encodeServerHello(ServerHello(welcome=True))


class MemoryUpgrade:
    """
    Asks, and takes one answer for a yes and any other for a no.
    """

    def __init__(self) -> None:
        self._heard = b""

    def request(self) -> bytes:
        return REQUEST

    def received(self, data: bytes) -> bytes | None:
        """
        @return: what stands behind the yes.
        """
        self._heard += data
        if YES.startswith(self._heard[: len(YES)]):
            return self._heard[len(YES) :] if len(self._heard) >= len(YES) else None
        reason = "the path is not known there"
        raise PeerError(reason)


class UpgradeTests(TimerTestCase):
    """
    Go through the life of such a tunnel.
    """

    def setUp(self) -> None:
        super().setUp()
        self.owner = RecordingOwner()
        self.sessionId = newSessionId()

    def connect(
        self, wire: WireChoice = WireChoice.AUTO, *, protocol: bytes | None = None, secured: bool = True
    ) -> tuple[DialledTunnel, MemoryStream]:
        """
        @return: a tunnel that has asked, and its stream.
        """
        tunnel = DialledTunnel(self.clock, self.owner, self.sessionId, wire, upgrade=MemoryUpgrade())
        stream = MemoryStream(tunnel, secured=secured)
        self.addCleanup(stream.lose)
        tunnel.makeConnection(stream)
        if secured:
            self.assertEqual(stream.stream, [])
            stream.security = Security(protocol)
            tunnel.handshakeCompleted()
        return tunnel, stream

    def hello(self, wireFormat: WireFormat) -> bytes:
        """
        @return: what the client says then.
        """
        return encodeClientHello(ClientHello(wireFormat, self.sessionId))

    def test_requestComesFirstAndTheHelloBehindTheAnswer(self) -> None:
        """
        With TLS and without, whatever ALPN says, and in format 2.
        """
        for secured, protocol in ((False, None), (True, None), (True, b"http/1.1"), (True, b"uotp/1")):
            tunnel, stream = self.connect(secured=secured, protocol=protocol)
            self.assertEqual((stream.stream, tunnel.state), ([REQUEST], TunnelState.UPGRADING))
            self.assertIsNone(stream.webSocketMasks)
            tunnel.dataReceived(YES[:3])
            self.assertEqual(stream.stream, [REQUEST])
            tunnel.dataReceived(YES[3:])
            self.assertEqual((stream.stream[1:], stream.webSocketMasks), ([self.hello(WireFormat.TWO)], True))
            self.assertIs(tunnel.state, TunnelState.HELLO)
            self.owner.session = RecordingSession()
            tunnel.dataReceived(WELCOME)
            self.assertEqual((self.owner.opened[-1], tunnel.state), (tunnel, TunnelState.OPEN))

    def test_ownerHearsOfEachStep(self) -> None:
        seen: list[TunnelState] = []
        self.patch(self.owner, "tunnelAdvanced", lambda tunnel: seen.append(tunnel.state))
        tunnel, _ = self.connect()
        tunnel.dataReceived(YES)
        self.assertEqual(seen, [TunnelState.HANDSHAKE, TunnelState.UPGRADING, TunnelState.HELLO])

    def test_format1IsSpokenByWhoInsistsOnIt(self) -> None:
        tunnel, stream = self.connect(WireChoice.ONE)
        tunnel.dataReceived(YES)
        self.assertEqual((stream.stream[1:], self.owner.opened), ([self.hello(WireFormat.ONE)], [tunnel]))

    def test_whatComesBeforeTheHelloIsNoAnswerToIt(self) -> None:
        tunnel, stream = self.connect()
        tunnel.dataReceived(YES + WELCOME)
        self.assertEqual((self.owner.opened, tunnel.state), ([], TunnelState.HELLO))
        self.assertEqual(stream.stream[1:], [self.hello(WireFormat.TWO)])

    def test_noEndsIt(self) -> None:
        """
        In the words of whoever has judged the answer; and what comes later is not heard.
        """
        tunnel, stream = self.connect()
        tunnel.dataReceived(b"no")
        tunnel.dataReceived(YES)
        self.assertEqual((tunnel.fault, tunnel.wasTurnedAway), ("the path is not known there", True))
        self.assertEqual((stream.aborted, tunnel.answer), (True, None))

    def test_http2IsRefusedInWords(self) -> None:
        tunnel, stream = self.connect(protocol=b"h2")
        self.assertEqual((tunnel.fault, stream.aborted, stream.webSocketMasks), (HTTP_2, True, None))

    def test_endWithoutAnAnswerIsExplained(self) -> None:
        for reason, how in ((ConnectionDone(), "closed by the other end"), (ConnectionLost(), "connection lost")):
            tunnel, _ = self.connect()
            tunnel.connectionLost(Failure(reason))
            self.assertEqual(tunnel.fault, f"{how} {NO_UPGRADE}")
            tunnel, _ = self.connect()
            tunnel.dataReceived(YES)
            tunnel.connectionLost(Failure(reason))
            self.assertEqual(tunnel.fault, f"{how} {NO_ANSWER}")

    def test_closedTunnelSaysNoHello(self) -> None:
        """
        The answer comes too late.
        """
        tunnel, stream = self.connect()
        tunnel.close()
        tunnel.dataReceived(YES)
        self.assertEqual((stream.stream, stream.webSocketMasks), ([REQUEST], None))


# It fits its seam.
_upgrade: type[Upgrade] = MemoryUpgrade
