"""
Where the server's connections come in: what a stranger costs, and for how long.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.test.iosim import IOPump, connect

from tests.doubles.certificates import CLIENT, DAY, NOW, Authority
from tests.doubles.contracts import TimerTestCase
from tests.doubles.dialling import neverLookUp
from tests.doubles.newcomers import BareNewcomer, MemoryNewcomer
from tests.doubles.sessions import RecordingSession
from tests.doubles.streams import MemoryStream, streamOf, wrapInTls
from tests.doubles.targets import targetMaker
from tests.doubles.tlspairs import STRANGER, TRUSTED, TlsTestCase
from tests.doubles.tunnels import RecordingOwner
from tests.doubles.udp import MemoryUdp, Receiver, localTo
from uotp.errors import PeerError, Refusal
from uotp.net.resolver import SharedResolver
from uotp.order import Order
from uotp.process.turns import Turns
from uotp.server.acceptor import Acceptor
from uotp.server.limits import ConnectionLimits
from uotp.server.registry import Registry
from uotp.server.strangers import HELLO_SECONDS
from uotp.session.reordering.hold import FIRST_HOLD_SECONDS
from uotp.telemetry.drops import Drops
from uotp.telemetry.ratelimit import RateLimit
from uotp.tls.tokens import Tokens
from uotp.train import Train
from uotp.tunnel.accepted import AcceptedTunnel
from uotp.tunnel.dialled import DialledTunnel
from uotp.tunnel.heartbeat import ACCEPTED_GIVE_UP_SECONDS, FIRST_PATIENCE_SECONDS
from uotp.tunnel.live import LiveTunnels
from uotp.tunnel.tunnel import Tunnel
from uotp.wire.format2 import Kind, controlFrame
from uotp.wire.hello import ClientHello, ServerHello, Token, WireFormat, encodeClientHello, encodeServerHello
from uotp.wire.negotiation import WireChoice
from uotp.wire.status import ServerStatus, encodeStatus

HELLO = uuid.UUID(bytes=bytes(range(0x40, 0x50)), version=4).bytes
TARGET = ("127.0.0.1", 51820)
LINGER = 150.0
LIMITS = ConnectionLimits(silent=6, begun=4, known=20, owned=20, visitors=10, visitorsOwned=10)
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\n"


TOO_MANY = "too many connections without a session id, and it has most: its oldest goes"


NO_DESCRIPTOR = "the system has no descriptor left, and it has most: its oldest goes"


def makeNoStream(*_: Any) -> Any:
    """
    Never called: the arrivals here make their streams in memory.
    """


class CheckedAcceptor(Acceptor):
    """
    Checks its invariant after each change.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name in ("helloReceived", "pongGivenUp", "peerLeft", "tunnelLost"):
            setattr(self._events, name, self.checked(getattr(self._events, name)))

    def checked(self, act: Callable[..., None]) -> Callable[..., None]:
        """
        @return: the same, and the invariant is checked behind it.
        """

        def checked(*args: Any) -> None:
            act(*args)
            self.checkInvariant()

        return checked

    def arrived(self, newcomer: Any) -> None:
        super().arrived(newcomer)
        self.checkInvariant()

    def begin(self, newcomer: Any) -> None:
        super().begin(newcomer)
        self.checkInvariant()

    def left(self, newcomer: Any) -> None:
        super().left(newcomer)
        self.checkInvariant()


class AcceptorTestCase(TimerTestCase):
    """
    Puts an acceptor, a registry and a target in memory.
    """

    def setUp(self) -> None:
        super().setUp()
        self.drops = Drops()
        self.network = MemoryUdp(self.drops)
        self.target = Receiver()
        self.network.open(TARGET, self.target)
        self.rateLimit = RateLimit(self.clock.seconds)
        self.registry = self.makeRegistry()
        self.liveTunnels = LiveTunnels(self.clock)
        self.acceptor = self.makeAcceptor()
        self.transports: list[MemoryStream] = []
        capture = capturedLogs()
        self.events: Sequence[dict[str, Any]] = capture.__enter__()
        self.addCleanup(capture.__exit__, None, None, None)
        self.addCleanup(self.end)

    def makeRegistry(self, reorder: Order | None = None) -> Registry:
        """
        @param reorder: what its user has chosen.
        @return: one without sessions.
        """
        makeTarget = targetMaker(
            TARGET, self.network.open, SharedResolver(neverLookUp), self.clock, self.drops, localTo
        )
        return Registry(makeTarget, self.clock, Turns(self.clock), self.drops, LINGER, 5, 3, reorder, ownerShare=100)

    def makeAcceptor(
        self, wire: WireChoice = WireChoice.AUTO, limits: ConnectionLimits = LIMITS, tokens: Tokens | None = None
    ) -> CheckedAcceptor:
        """
        @return: one where nobody has come in yet.
        """
        return CheckedAcceptor(
            self.registry,
            self.liveTunnels,
            self.clock,
            self.rateLimit,
            makeNoStream,
            limits,
            wire,
            tokens=lambda: tokens,
        )

    def end(self) -> None:
        """
        Let every connection be gone, and every session end; nothing is left then.
        """
        for transport in self.transports:
            transport.lose()
        self.registry.checkInvariant()
        self.registry.endAll()
        self.assertNothingLeft()

    def assertNothingLeft(self) -> None:
        """
        Nobody has come in, and nobody is known.
        """
        here = self.acceptor
        counts = (len(here._accepted), len(self.liveTunnels), len(here._strangers), len(here._admission.known))
        self.assertEqual(counts, (0, 0, 0, 0))
        self.assertEqual((len(self.registry), list(self.network.ports)), (0, [TARGET]))

    def accept(self, host: str = "192.0.2.1", *, secured: bool = False) -> AcceptedTunnel:
        """
        @return: the tunnel of a new connection.
        """
        newcomer = self.arrive(host, secured=secured)
        self.acceptor.begin(newcomer)
        assert newcomer.stream is not None
        self.transports.append(newcomer.stream)
        tunnel: AcceptedTunnel = newcomer.protocol
        return tunnel

    def arrive(self, host: str = "192.0.2.1", *, secured: bool = False) -> MemoryNewcomer:
        """
        @return: a new connection that has said nothing.
        """
        newcomer = MemoryNewcomer(host, self.clock.seconds(), secured=secured)
        self.acceptor.arrived(newcomer)
        return newcomer

    def settle(self) -> None:
        """
        Let the connections that we have closed be gone.
        """
        for transport in self.transports:
            if transport.finished:  # and the visitor does the same
                transport.lose()
            transport.settle()

    def warnings(self) -> list[str]:
        return [formatEvent(event) for event in self.events if event["log_level"] >= LogLevel.warn]


class AcceptorTests(AcceptorTestCase):
    """
    Come in without TLS.
    """

    def test_strangerGetsNoSessionAndNoSocket(self) -> None:
        """
        Fifteen bytes are no id; the sixteenth is what counts.
        """
        tunnel = self.accept()
        tunnel.dataReceived(HELLO[:15])
        self.assertEqual((len(self.registry), len(self.network.ports)), (0, 1))
        tunnel.dataReceived(HELLO[15:])
        self.assertEqual((len(self.registry), len(self.network.ports)), (1, 2))

    def test_clientMayAskHowTheServerStands(self) -> None:
        """
        It is told what time it is by the wall clock, and what its session has heard of the target.
        """
        self.patch(self.acceptor._events, "_wallClock", lambda: 1_795_780_800.25)
        tunnel = self.accept()
        tunnel.dataReceived(encodeClientHello(ClientHello(WireFormat.TWO, HELLO)))
        told = ServerStatus(1_795_780_800_250, hasWay=True)
        self.assertEqual(self.acceptor._events.status(tunnel), told)
        tunnel.dataReceived(controlFrame(Kind.QUERY))
        self.assertIn(controlFrame(Kind.STATUS, encodeStatus(told)), self.transports[0].getOutBuffer())
        stranger = self.accept()
        self.assertIsNone(self.acceptor._events.status(stranger), "who has no session is told nothing")

    def test_bannersOfOtherProgramsOpenNoSession(self) -> None:
        """
        One line each time says what they are, and two with the same banner share nothing.
        """
        for banner in (b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n", b"SSH-2.0-x\r\n", b"Welcome to nothing\r\n"):
            for _ in range(2):
                self.accept().dataReceived(banner)
                self.settle()
        self.assertEqual([transport.finished for transport in self.transports], [True] * 6)
        self.assertTrue(all(transport.stream[0].startswith(BAD_REQUEST) for transport in self.transports))
        self.assertEqual((len(self.registry), len(self.network.ports)), (0, 1))
        self.assertEqual(
            self.warnings(),
            [
                f"refused a connection from 192.0.2.1: {reason}"
                for reason in (
                    (
                        "it announces its client by the PROXY protocol, which is not understood from there: name it in "
                        "proxyProtocol, or turn that off in the balancer (send-proxy)"
                    ),
                    "it speaks SSH",
                    "its first 16 bytes are no session id",
                )
            ],
        )

    def test_whoHasToSayForWhomHeComes(self) -> None:
        self.assertFalse(self.acceptor.mustAnnounce("198.51.100.7"))
        self.acceptor._announcers = {"198.51.100.7"}.__contains__
        self.assertTrue(self.acceptor.mustAnnounce("198.51.100.7"))

    def test_whatABalancerAnnouncesIsSaidOfItsClient(self) -> None:
        newcomer: Any = BareNewcomer("198.51.100.7", awaitsHeader=True)
        self.acceptor.arrived(newcomer)
        before, newcomer.host, newcomer.owner, newcomer.awaitsHeader = newcomer.owner, *["203.0.113.1"] * 2, False
        self.acceptor.announced(newcomer, before)
        self.acceptor.checkInvariant()
        self.clock.advance(HELLO_SECONDS + 1)
        self.assertEqual(self.warnings(), ["refused a connection from 203.0.113.1: showed no session id in 10 s"])

    def test_whoAnnouncesNothingIsRefusedAndCounted(self) -> None:
        """
        With one line for as many as do that.
        """
        for _ in range(5):
            newcomer: Any = BareNewcomer("198.51.100.7", awaitsHeader=True)
            self.acceptor.arrived(newcomer)
            self.acceptor.refused(newcomer, PeerError("it is malformed"))
            self.acceptor.checkInvariant()
        self.assertEqual(self.warnings(), ["refused a connection from 198.51.100.7: it is malformed"])
        statistics = self.acceptor.statistics()
        self.assertEqual((statistics.strangers.silent, statistics.refusals["MALFORMED"]), (0, 5))

    def test_datagramsThatComeWithTheIdReachTheTarget(self) -> None:
        tunnel = self.accept()
        tunnel.dataReceived(HELLO + b"\0\4ping\0\0")
        self.network.settle()
        self.assertEqual(self.target.datagrams(), [b"ping", b""])
        self.network.ports[TARGET].sendTrains([Train(4, b"pong")], self.target.trains[0][1])
        self.network.settle()
        self.assertEqual(self.transports[0].getOutBuffer(), b"\0\4pong")

    def test_whoShowsNoIdInTenSecondsIsAborted(self) -> None:
        """
        The handshake counts.  Bytes that make no id do not help: who hesitates within them is a visitor before.
        """
        silent, shaking, dribbling = self.accept("192.0.2.1"), self.accept("192.0.2.2", secured=True), self.accept()
        self.assertEqual(HELLO_SECONDS, 10.0)
        for number in range(9):
            self.clock.advance(1)
            dribbling.dataReceived(HELLO[number : number + 1])
        self.clock.advance(0.9)
        self.assertEqual([transport.aborted for transport in self.transports], [False] * 3)
        self.clock.advance(0.2)
        self.assertEqual([transport.aborted for transport in self.transports], [True, True, False])
        self.assertTrue(self.transports[2].getOutBuffer().startswith(BAD_REQUEST))
        self.assertTrue(self.transports[2].finished)
        self.assertFalse(silent.heard or shaking.heard)
        self.settle()
        self.assertNothingLeft()
        self.assertNoTimer()

    def test_refusalsAreCountedByKind(self) -> None:
        """
        Also those that are not said again.
        """
        for _ in range(3):
            self.accept().dataReceived(b"SSH-2.0-x\r\n" * 3)
        self.settle()
        self.accept()
        self.clock.advance(HELLO_SECONDS + 1)
        for _ in range(4):
            self.accept().dataReceived(HELLO)
        self.settle()
        refusals = self.acceptor.statistics().refusals
        self.assertEqual(set(refusals), set(Refusal.__members__))
        self.assertEqual(
            {kind: number for kind, number in refusals.items() if number}, {"MALFORMED": 3, "TOO_SLOW": 1, "NO_ROOM": 1}
        )

    def test_sameCauseIsSaidOnceWhateverTheRemedy(self) -> None:
        """
        Which may tell the time.
        """
        for minute in range(3):
            tunnel = self.accept()
            tunnel.misbehaved(PeerError(f"certificate not yet valid; this machine's clock says 00:0{minute}"))
            self.settle()
        self.assertEqual(len(self.warnings()), 1)

    def test_slownessIsSaidOnceForEachPeer(self) -> None:
        for host in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
            self.accept(host)
        self.clock.advance(HELLO_SECONDS)
        self.settle()
        self.assertEqual(
            self.warnings(),
            [
                "refused a connection from 192.0.2.1: showed no session id in 10 s",
                "refused a connection from 192.0.2.2: showed no session id in 10 s",
            ],
        )

    def test_whoHasShownAnIdMayStay(self) -> None:
        self.accept().dataReceived(HELLO)
        self.clock.advance(10 * HELLO_SECONDS)
        self.assertFalse(self.transports[0].disconnecting)
        self.assertEqual(self.warnings(), [])

    def test_idThatComesTooLateOpensNothing(self) -> None:
        """
        The connection is aborted, but not gone yet.
        """
        tunnel = self.accept()
        self.clock.advance(HELLO_SECONDS)
        tunnel.dataReceived(HELLO)
        self.assertEqual((len(self.registry), len(self.network.ports)), (0, 1))

    def test_lostConnectionLeavesItsSessionForAWhile(self) -> None:
        self.accept().dataReceived(HELLO)
        self.transports[0].lose()
        self.assertEqual((len(self.registry), len(self.liveTunnels)), (1, 0))
        self.accept().dataReceived(HELLO)
        self.assertEqual((len(self.registry), len(self.network.ports)), (1, 2))
        self.transports[1].lose()
        self.clock.advance(LINGER)
        self.assertNothingLeft()
        self.assertEqual(self.warnings(), [])

    def test_strangerWhoGoesLeavesNothing(self) -> None:
        self.accept().dataReceived(HELLO[:5])
        self.transports[0].lose()
        self.assertNothingLeft()
        self.assertNoTimer()
        self.assertEqual(self.warnings(), [])

    def test_whenTooManyAreUnknownTheOldestGoes(self) -> None:
        """
        An honest client is soon through; and the log says it once.
        """
        self.accept().dataReceived(HELLO)
        for _ in range(7):
            self.accept()
        self.assertEqual([transport.aborted for transport in self.transports], [False] + [True] * 3 + [False] * 4)
        self.settle()
        self.assertEqual(len(self.liveTunnels), 5)
        self.assertEqual(
            self.warnings(),
            [f"refused a connection from 192.0.2.1: {TOO_MANY}"],
        )

    def test_oldestThatHasJustRunOutOfTimeMakesNoTrouble(self) -> None:
        """
        A new connection comes in the same moment, before the old ones are gone.
        """
        for _ in range(4):
            self.accept()
        self.clock.advance(HELLO_SECONDS)
        self.accept().dataReceived(HELLO)
        self.assertEqual(len(self.registry), 1)

    def test_whoTookUsForSomebodyElseOpensNoSession(self) -> None:
        """
        A client that speaks TLS to a server without, for example.
        """
        self.accept().dataReceived(b"\x16\x03\x01\x05\xc2\x01\x00\x05\xbe\x03\x03" + bytes(500))
        self.settle()
        self.assertEqual(len(self.registry), 0)
        self.assertEqual(
            self.warnings(),
            [
                (
                    "refused a connection from 192.0.2.1: it speaks TLS, and tls=None was said here: say that at both "
                    "ends or at none"
                )
            ],
        )

    def test_oldestThatWentOpensNothing(self) -> None:
        oldest = self.accept()
        for _ in range(4):
            self.accept()
        oldest.dataReceived(HELLO)
        self.acceptor._events.helloReceived(oldest, ClientHello(WireFormat.ONE, HELLO))
        self.assertEqual(len(self.registry), 0)
        self.clock.advance(HELLO_SECONDS)
        self.settle()
        self.assertNothingLeft()

    def test_tunnelsBeyondASessionsShareAreRefusedInWords(self) -> None:
        for _ in range(6):
            self.accept().dataReceived(HELLO + b"\0\4ping")
        self.assertEqual([transport.aborted for transport in self.transports], [False] * 3 + [True] * 3)
        self.assertEqual(self.warnings(), ["refused a connection from 192.0.2.1: the session has 3 tunnels already"])
        self.network.settle()
        self.assertEqual(len(self.target.datagrams()), 3)

    def test_sessionsBeyondTheServersShareAreRefusedInWords(self) -> None:
        """
        Here each address has one.
        """
        for number in range(7):
            self.accept(f"192.0.2.{number}").dataReceived(uuid.uuid4().bytes)
            self.transports[-1].settle()
        self.assertEqual((len(self.registry), len(self.liveTunnels)), (5, 5))
        self.assertEqual(
            self.warnings(),
            [
                f"refused a connection from 192.0.2.{number}: there are 5 sessions already (see maxSessions)"
                for number in (5, 6)
            ],
        )

    def enter(self, host: str, number: int) -> MemoryStream:
        """
        @return: the stream of a client that has shown its session id.
        """
        self.accept(host).dataReceived(UUID(int=number, version=4).bytes)
        return self.transports[-1]

    def limit(self, known: int, owned: int) -> None:
        """
        Let so many come in.
        """
        self.acceptor = self.makeAcceptor(limits=ConnectionLimits(silent=6, begun=4, known=known, owned=owned))

    def closed(self) -> list[bool]:
        return [bool(transport.disconnecting) for transport in self.transports]

    def test_oneOwnerHasNoMoreThanItsShare(self) -> None:
        """
        Though there is room; others come in.
        """
        self.limit(known=20, owned=2)
        for _ in range(3):
            self.enter("192.0.2.1", 1)
        self.enter("192.0.2.2", 2)
        self.assertEqual(self.closed(), [False, False, True, False])
        why = "its owner has 2 connections already, its share (see ownerShare)"
        self.assertEqual(self.warnings(), [f"refused a connection from 192.0.2.1: {why}"])

    def test_fullServerTakesFromWhoHasMost(self) -> None:
        """
        The newest, until both have about as many; the log says once whose.
        """
        self.limit(known=6, owned=6)
        for number in (1, 1, 1, 3, 3):
            self.enter("192.0.2.1", number)
        self.enter("192.0.2.2", 2)
        self.settle()
        for expected in ({4}, {3, 4}, {3, 4}, {3, 4}):
            self.enter("192.0.2.2", 2 if len(self.transports) < 9 else 4)
            self.settle()
            gone = {place for place in range(6) if self.transports[place].disconnecting}
            self.assertEqual(gone, expected)
        full = "there are 6 connections already (see maxConnections), and no owner has many more than this one"
        self.assertEqual(
            self.warnings(),
            [
                f"refused a connection from {who}: {why}"
                for who, why in (
                    ("192.0.2.1", "there are 6 already (see maxConnections), and its owner has most: the newest goes"),
                    ("192.0.2.2", full),
                )
            ],
        )
        self.assertEqual((self.acceptor.statistics().known, self.acceptor.statistics().knownEvicted), (6, 2))

    def test_fullServerRefusesWhoHasMost(self) -> None:
        """
        And nobody loses anything for him.
        """
        self.limit(known=3, owned=3)
        for host, number in (("192.0.2.1", 1), ("192.0.2.2", 2), ("192.0.2.2", 2), ("192.0.2.2", 2)):
            self.enter(host, number)
        self.assertEqual(self.closed(), [False, False, False, True])

    def test_placeOfWhoIsLostIsFree(self) -> None:
        self.limit(known=2, owned=2)
        for _ in range(5):
            self.enter("192.0.2.1", 1)
            self.transports[-1].lose()
        self.assertEqual(self.warnings(), [])

    def test_whoIsRefusedForAnotherReasonTakesNobodysPlace(self) -> None:
        """
        The session has too many tunnels, and the server is full.
        """
        self.limit(known=6, owned=6)
        for number in (1, 1, 1, 3, 3, 3):
            self.enter("192.0.2.1", number)
        self.enter("192.0.2.2", 1)
        self.assertEqual(self.closed(), [False] * 6 + [True])

    def test_whoIsKnownIsReadAtOnce(self) -> None:
        """
        And not before.
        """
        tunnel = self.accept()
        self.assertFalse(self.transports[0].admitted)
        tunnel.dataReceived(HELLO)
        self.assertTrue(self.transports[0].admitted)

    def test_whoLeavesBeforeItSaysAnythingIsForgotten(self) -> None:
        newcomer = self.arrive()
        self.acceptor.left(newcomer)
        self.assertEqual(self.acceptor.statistics().strangers.silent, 0)
        self.assertNoTimer()

    def test_whatCannotBeAcceptedIsOneLine(self) -> None:
        """
        However often, and whoever had to go.
        """
        self.arrive("192.0.2.7")
        for _ in range(100):
            self.acceptor.cannotAccept("Too many open files")
        self.assertEqual([self.acceptor.giveOneUp(), self.acceptor.giveOneUp()], [True, False])
        self.assertEqual(
            self.warnings(),
            [
                "no connection can be accepted for now: Too many open files",
                f"refused a connection from 192.0.2.7: {NO_DESCRIPTOR}",
            ],
        )

    def test_howManyThereMayBeIsSharedOut(self) -> None:
        """
        All parts together are no more than the whole, and nobody is left without any.
        """
        self.assertEqual(ConnectionLimits.of(32768, 25), ConnectionLimits(4096, 512, 27136, 8192, 1024, 256))
        self.assertEqual(ConnectionLimits.of(512, 100), ConnectionLimits(128, 64, 288, 288, 32, 32))
        for connections in range(1, 200):
            for share in (1, 25, 100):
                limits = ConnectionLimits.of(connections, share)
                parts = limits.silent + limits.begun + limits.known + limits.visitors
                self.assertLessEqual(parts, max(connections, 4))
                self.assertGreaterEqual(min(limits.silent, limits.begun, limits.known, limits.owned), 1)
                self.assertGreaterEqual(limits.visitorsOwned, 1)
                self.assertLessEqual(limits.owned, limits.known)

    def test_faultOfAPeerIsSaidInWords(self) -> None:
        """
        It costs the tunnel, and the session waits for a better one.
        """
        tunnel = self.accept()
        tunnel.dataReceived(HELLO)
        tunnel.fault = "a frame of a kind that there is not"
        tunnel.abort()
        self.settle()
        self.assertEqual(self.warnings(), ["refused a connection from 192.0.2.1: a frame of a kind that there is not"])

    def test_logNeverHoldsASessionId(self) -> None:
        for _ in range(5):
            self.accept().dataReceived(HELLO)
        for transport in self.transports:
            transport.lose()
        self.clock.advance(LINGER)
        self.assertTrue(self.events)
        for event in self.events:
            text = formatEvent(event) + "".join(f" {name}={value}" for name, value in event.items())
            for form in (HELLO.hex(), HELLO.decode("latin-1"), HELLO[:6].hex(), HELLO[:6].decode("ascii")):
                self.assertNotIn(form, text)


class Format2Tests(AcceptorTestCase):
    """
    Come in with a hello of format 2.
    """

    ORDER_OFF = b"uotp\2\0\0\4" + HELLO + b"\3\0\1\2"
    HELLO = b"uotp\2\0\0\0" + HELLO
    FRAME = b"\0\0\0\4\0\4\0\0\0\0ping"
    GAP = b"\0\0\0\5\0\5\0\0\0\0first" + b"\0\0\0\5\0\5\0\0\0\2third"
    REFUSAL = encodeServerHello(ServerHello(welcome=False))

    def knock(self, hello: bytes) -> tuple[Tunnel, bytes]:
        """
        @return: the tunnel of a client that says this, and the server's hello.
        """
        tunnel = self.accept()
        tunnel.dataReceived(hello)
        return tunnel, b"".join(self.transports[-1].stream[:1])

    def test_clientsOfBothFormatsComeIn(self) -> None:
        """
        On the same port, and into the same session if they have its id.
        """
        _, answer = self.knock(self.HELLO + self.FRAME)
        self.assertEqual(answer, encodeServerHello(ServerHello(True, True, int(LINGER))))
        _, answer = self.knock(self.HELLO)
        self.assertEqual(answer, encodeServerHello(ServerHello(True, False, int(LINGER))))
        _, answer = self.knock(HELLO + b"\0\4pong")
        self.assertEqual((answer, len(self.registry)), (b"", 1))
        self.network.settle()
        self.assertEqual(self.target.datagrams(), [b"ping", b"pong"])

    def test_sessionIsPutInOrderAsItsFirstTunnelAsks(self) -> None:
        self.knock(self.ORDER_OFF + self.GAP)
        self.network.settle()
        self.assertEqual(self.target.datagrams(), [b"first", b"third"])

    def test_whoAsksForNothingWaits(self) -> None:
        self.knock(self.HELLO + self.GAP)
        self.knock(self.ORDER_OFF)
        self.network.settle()
        self.assertEqual(self.target.datagrams(), [b"first"])
        self.assertGapGivenUp()

    def test_serversOwnChoiceHoldsForWhatItPutsInOrder(self) -> None:
        self.registry = self.makeRegistry(Order())
        self.acceptor = self.makeAcceptor()
        self.knock(self.ORDER_OFF + self.GAP)
        self.network.settle()
        self.assertEqual(self.target.datagrams(), [b"first"])
        self.assertGapGivenUp()

    def assertGapGivenUp(self) -> None:
        """
        After some time what has waited goes to the target.
        """
        self.clock.advance(FIRST_HOLD_SECONDS)
        self.clock.advance(0)
        self.network.settle()
        self.assertEqual(self.target.datagrams(), [b"first", b"third"])

    def test_onlyTheChosenFormatComesIn(self) -> None:
        for wire, hello, refusal in ((WireChoice.ONE, self.HELLO, self.REFUSAL), (WireChoice.TWO, HELLO, b"")):
            self.acceptor = self.makeAcceptor(wire=wire)
            tunnel, answer = self.knock(hello)
            self.assertEqual(answer[: len(refusal)], refusal)
            self.assertTrue(streamOf(tunnel).disconnecting or streamOf(tunnel).finished)
            self.settle()
        self.assertEqual(
            self.warnings(),
            [
                "refused a connection from 192.0.2.1: it speaks format 2, and wire 1 was said here",
                "refused a connection from 192.0.2.1: it speaks format 1, and wire 2 was said here",
            ],
        )
        self.assertEqual(len(self.registry), 0)

    TOKEN = b"correct horse battery"

    def withToken(self, token: bytes) -> bytes:
        """
        @return: a hello that shows it.
        """
        extension = b"\4" + len(token).to_bytes(2, "big") + token
        return b"uotp\2\0" + len(extension).to_bytes(2, "big") + HELLO + extension

    def test_onlyWhoShowsATokenComesIn(self) -> None:
        """
        The others find a web server, and the log does not tell what they have shown.
        """
        self.acceptor = self.makeAcceptor(tokens=Tokens("FILE", [Token(b"another one of 22 bytes"), Token(self.TOKEN)]))
        for hello, answer in (
            (self.HELLO, BAD_REQUEST),
            (self.withToken(b"a wrong token, and long"), BAD_REQUEST),
            (self.withToken(self.TOKEN[:-1]), BAD_REQUEST),
            (HELLO, BAD_REQUEST),
            (self.withToken(b""), BAD_REQUEST),
            (self.withToken(bytes(4000)), BAD_REQUEST),
            (self.withToken(self.TOKEN), encodeServerHello(ServerHello(True, True, int(LINGER)))),
        ):
            _, said = self.knock(hello)
            self.assertEqual(said[: len(answer)], answer, hello)
            self.settle()
        self.assertEqual(
            self.warnings(),
            [
                f"refused a connection from 192.0.2.1: {reason}"
                for reason in (
                    "no token was shown, and one is needed here",
                    "wrong token",
                    "it speaks format 1, in which there is no token, and a token is needed here",
                    "the token of its hello has 0 bytes",
                    "the token of its hello has 4000 bytes",
                )
            ],
        )
        refusals = self.acceptor.statistics().refusals
        counted = {name: refusals[name] for name in ("WRONG_TOKEN", "FORMAT", "MALFORMED")}
        self.assertEqual(counted, {"WRONG_TOKEN": 3, "FORMAT": 1, "MALFORMED": 2})
        self.assertNotIn("horse", repr([dict(event) for event in self.events]))

    def test_whereNoTokenIsNeededAnyIsTaken(self) -> None:
        """
        A client may have one already when its server is not told of tokens yet.
        """
        _, answer = self.knock(self.withToken(self.TOKEN))
        self.assertEqual(answer, encodeServerHello(ServerHello(True, True, int(LINGER))))

    def test_whoIsShutOutIsNotWaitedFor(self) -> None:
        """
        When the last tunnel of a session ends, since its client was revoked, the session ends too.  Whose token is
        known no more may come back with another one.
        """
        tokens = Tokens("FILE", [Token(self.TOKEN)])
        self.acceptor = self.makeAcceptor(tokens=tokens)
        tunnels = [self.knock(self.withToken(self.TOKEN))[0] for _ in range(2)]
        tunnels += [self.knock(self.withToken(self.TOKEN))[0]]
        for tunnel in tunnels:
            assert tunnel.token is not None
            self.assertTrue(tokens.has(tunnel.token))
            tunnel.misbehaved(PeerError("its token is known no more", Refusal.WRONG_TOKEN))
            self.settle()
            self.assertEqual(len(self.registry), 1)
        tunnels = [self.knock(self.withToken(self.TOKEN))[0] for _ in range(2)]
        for tunnel, sessions in zip(tunnels, (1, 0), strict=True):
            tunnel.misbehaved(PeerError("its certificate is revoked", Refusal.REVOKED))
            self.settle()
            self.registry.checkInvariant()
            self.assertEqual(len(self.registry), sessions)
        self.assertIn("ended: its client may not join any more", "".join(map(formatEvent, self.events)))

    def test_refusalDoesNotTellWhy(self) -> None:
        for _ in range(3):
            self.knock(self.HELLO)
        tunnel, answer = self.knock(self.HELLO)
        self.assertEqual((answer, streamOf(tunnel).disconnecting), (self.REFUSAL, True))
        self.assertEqual(self.warnings(), ["refused a connection from 192.0.2.1: the session has 3 tunnels already"])

    def test_malformedHelloIsSaidInWords(self) -> None:
        for hello, reason in (
            (b"uotp\3\0\0\0" + HELLO, "its hello is of format 3, which is not known here"),
            (b"uotp\2\1\0\0" + HELLO, "its hello has flags that there are not: 0x1"),
        ):
            tunnel, answer = self.knock(hello)
            self.assertEqual((answer[: len(BAD_REQUEST)], streamOf(tunnel).finished), (BAD_REQUEST, True))
            self.settle()
            self.assertEqual(self.warnings()[-1], f"refused a connection from 192.0.2.1: {reason}")

    def test_malformedFrameCostsItsTunnelAlone(self) -> None:
        bad, _ = self.knock(self.HELLO)
        good, _ = self.knock(self.HELLO)
        bad.dataReceived(b"\x50" + bytes(9))
        self.settle()
        good.dataReceived(self.FRAME)
        self.network.settle()
        self.assertEqual(
            self.warnings(), ["refused a connection from 192.0.2.1: a frame of kind 80, which there is not"]
        )
        self.assertEqual(self.target.datagrams(), [b"ping"])

    def test_byeEndsTheSessionAtOnce(self) -> None:
        first, _ = self.knock(self.HELLO)
        second, _ = self.knock(self.HELLO)
        first.dataReceived(b"\4" + bytes(9) + self.FRAME)
        self.assertEqual((len(self.registry), list(self.network.ports)), (0, [TARGET]))
        self.assertTrue(streamOf(second).disconnecting)
        self.assertIn("the client has left", "".join(map(formatEvent, self.events)))

    def test_tunnelThatDoesNotAnswerIsGivenUp(self) -> None:
        """
        The client opens another one, if it lives.
        """
        tunnels = [self.knock(self.HELLO)[0] for _ in range(3)]
        self.clock.advance(FIRST_PATIENCE_SECONDS)
        self.clock.advance(ACCEPTED_GIVE_UP_SECONDS)
        self.assertEqual([streamOf(tunnel).aborted for tunnel in tunnels], [True] * 3)
        said = [line for line in map(formatEvent, self.events) if "does not answer" in line]
        self.assertEqual(said, ["a tunnel from 192.0.2.1 does not answer and is given up"])

    def test_nobodyComesInWhileTheServerStops(self) -> None:
        """
        Whoever waits is sent away, and so is whoever comes then.
        """
        waiting, silent = self.accept(), self.arrive()
        self.acceptor.close()
        waiting.dataReceived(self.HELLO)
        self.assertEqual((self.transports[-1].stream, self.transports[-1].aborted, silent.aborted), ([], True, True))
        self.assertTrue(self.arrive().aborted)
        self.settle()
        self.assertNothingLeft()
        self.acceptor.open()
        self.knock(self.HELLO)
        self.assertEqual(len(self.registry), 1)


class AcceptorOverTlsTests(AcceptorTestCase, TlsTestCase):
    """
    Come in with TLS, where clients may have to show a certificate.
    """

    def comeBare(self) -> BareNewcomer:
        """
        @return: a connection that has had its turn, and to which the test gives a stream.
        """
        newcomer = BareNewcomer(since=self.clock.seconds())
        for what in (self.acceptor.arrived, self.acceptor.begin):
            what(newcomer)
        return newcomer

    def knock(self, server: Any, client: Any, hello: bytes = HELLO) -> tuple[DialledTunnel, IOPump]:
        """
        Let a client come in.

        @return: its tunnel, and what brings its bytes.
        """
        newcomer = self.comeBare()
        outer = wrapInTls(server, newcomer.protocol, self.clock)
        tunnel = DialledTunnel(self.clock, RecordingOwner(RecordingSession()), hello)
        inner = wrapInTls(client, tunnel, self.clock, isClient=True)
        mine, theirs = MemoryStream(outer, isServer=True), MemoryStream(inner)
        newcomer.stream = mine
        self.transports += [mine, theirs]
        pump = connect(outer, mine, inner, theirs, clock=self.clock, greet=False)
        while pump.flush():
            pass
        return tunnel, pump

    def test_clientWithACertificateComesIn(self) -> None:
        server = self.server(clientsFrom=TRUSTED)
        self.knock(server, self.client(shows=TRUSTED.issue(usages=CLIENT)))
        (served,) = self.registry._served.values()
        self.assertEqual(len(served.owner or b""), 32)
        self.assertRegex(served.client["clientWords"], r"^ \(leaf, sha256 [0-9a-f]{8}\)$")
        other = TRUSTED.issue(subject="laptop", usages=CLIENT)
        self.knock(server, self.client(shows=other))
        self.assertEqual(len(served.tunnels), 1)
        words = "refused a connection from 192.0.2.1: the session belongs to another client certificate"
        name = f"laptop, sha256 {other.certificate.fingerprint(SHA256()).hex()[:8]}"
        self.assertEqual(self.warnings(), [f"{words} (its certificate: {name})"])

    def test_handshakesAreCountedByHowTheyEnd(self) -> None:
        """
        And refusals by what is wrong with the certificate.
        """
        server = self.server(clientsFrom=TRUSTED)
        for shown in (
            TRUSTED.issue(usages=CLIENT),
            STRANGER.issue(usages=CLIENT),
            TRUSTED.issue(usages=CLIENT, ends=NOW - DAY),
            TRUSTED.issue(),
            None,
        ):
            self.knock(server, self.client(shows=shown))
        self.transports[-1].lose()
        half = self.comeBare()
        outer = wrapInTls(server, half.protocol, self.clock)
        half.stream = MemoryStream(outer, isServer=True)
        self.transports.append(half.stream)
        outer.makeConnection(half.stream)
        half.stream.lose()
        self.settle()
        statistics = self.acceptor.statistics()
        self.assertEqual(statistics.handshakes, {"DONE": 1, "REFUSED": 4, "LOST": 1})
        counted = {kind: number for kind, number in statistics.refusals.items() if number}
        self.assertEqual(counted, {"UNKNOWN_ISSUER": 1, "EXPIRED": 1, "CERTIFICATE": 1, "NO_CERTIFICATE": 1})

    def test_aCertificateThatIsRefusedIsNamed(self) -> None:
        """
        With TLS 1.3 that ends the connection before anything is said.
        """
        shown = Authority("Stranger CA").issue(subject="evil', x", usages=CLIENT)
        self.knock(self.server(clientsFrom=TRUSTED), self.client(shows=shown))
        (line,) = self.warnings()
        self.assertIn("unknown issuer 'CN=Stranger CA'", line)
        fingerprint = shown.certificate.fingerprint(SHA256()).hex()[:8]
        self.assertTrue(line.endswith(rf"(its certificate: 'evil\', x', sha256 {fingerprint})"), line)

    def test_renewedCertificateKeepsItsSessions(self) -> None:
        server = self.server(clientsFrom=TRUSTED)
        first = TRUSTED.issue(usages=CLIENT)
        self.knock(server, self.client(shows=first))
        self.knock(server, self.client(shows=TRUSTED.issue(usages=CLIENT, key=first.key)))
        (served,) = self.registry._served.values()
        self.assertEqual(len(served.tunnels), 2)
        self.assertEqual(self.warnings(), [])

    def test_refusalByTlsIsSaidOnceInWordsAndLeavesNothing(self) -> None:
        server = self.server(clientsFrom=TRUSTED)
        for _ in range(3):
            self.knock(server, self.client())
        self.assertEqual(self.warnings(), ["refused a connection from 192.0.2.1: no client certificate"])
        for _ in range(3):
            self.knock(server, self.client(shows=STRANGER.issue(usages=CLIENT)))
        self.assertEqual(len(self.warnings()), 2)
        self.assertIn("unknown issuer", self.warnings()[1])
        self.assertNothingLeft()
        self.assertNoTimer()

    def test_clientThatStopsBehindTheHandshakeIsSaidOnce(self) -> None:
        _, pump = self.knock(self.server(), self.client(), hello=b"short")
        self.clock.advance(HELLO_SECONDS)
        while pump.flush():
            pass
        words = "refused a connection from 192.0.2.1: it stops within what may be a hello or a request"
        self.assertEqual(self.warnings(), [words])
        self.assertNothingLeft()

    def test_clientThatNeverShakesHandsIsSaidOnce(self) -> None:
        newcomer = self.comeBare()
        outer = wrapInTls(self.server(), newcomer.protocol, self.clock)
        transport = newcomer.stream = MemoryStream(outer, isServer=True)
        outer.makeConnection(transport)
        self.clock.advance(HELLO_SECONDS)
        self.assertTrue(transport.aborted)
        transport.settle()
        self.assertEqual(self.warnings(), ["refused a connection from 192.0.2.1: showed no session id in 10 s"])
        self.assertNothingLeft()
