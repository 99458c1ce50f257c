"""
One connection at the door, in each of its states, and the web server behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from tests.doubles.contracts import TimerTestCase
from tests.doubles.newcomers import BareNewcomer
from tests.server.door.test_request import PATH, REQUEST
from tests.server.test_acceptor import BAD_REQUEST, HELLO, AcceptorTestCase, CheckedAcceptor
from tests.wire.vectors import SESSION_ID
from uotp.net.resolver import SharedResolver
from uotp.process.turns import Turns
from uotp.server.door.fallback import ADDRESSES_SECONDS, Fallback
from uotp.server.door.fallbacksite import (
    MOST_UNSENT_BYTES,
    OWED_ANSWER_SECONDS,
    QUIET_VISIT_SECONDS,
    SITE_READ_BYTES,
)
from uotp.server.door.lingering import LINGER_SECONDS
from uotp.server.door.patience import DOOR_LOOK_SECONDS, HESITATION_LOOKS, SILENCE_LIMIT_SECONDS
from uotp.server.door.rounds import MOST_ALIKE
from uotp.server.door.visitor import VISIT_LOOK_SECONDS
from uotp.server.door.visitors import Door, Fate
from uotp.server.door.visitstates import VISIT_STATES, VisitEvent, VisitState
from uotp.server.limits import ConnectionLimits
from uotp.server.strangers import HELLO_SECONDS
from uotp.telemetry.ratelimit import RateLimit
from uotp.tls.tokens import Tokens
from uotp.tunnel.tunnel import Tunnel
from uotp.wire.hello import (
    ClientHello,
    ServerHello,
    Token,
    WireFormat,
    crossedOut,
    encodeClientHello,
    encodeServerHello,
)

HELLO2 = b"uotp\2\0\0\0" + HELLO
SEEN_PATH = b"/" + b"x" * (len(PATH) - 1)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PLACE = ("192.0.2.9", 8080)
LIMITS = ConnectionLimits(silent=6, begun=6, known=20, owned=20, visitors=3, visitorsOwned=2)


class VisitStatesTests(TimerTestCase):
    """
    Hold the table to what is said of it.
    """

    def test_everyPairIsDecided(self) -> None:
        """
        What is not in the table changes nothing; nobody comes back from the site to the door, and nothing comes after
        the end.
        """
        for state in VisitState:
            for event in VisitEvent:
                after = VISIT_STATES.get((state, event))
                if state is VisitState.GONE:
                    self.assertIsNone(after)
                if event is VisitEvent.LOST and state is not VisitState.GONE:
                    self.assertIs(after, VisitState.GONE)
                if state in (VisitState.VISITING, VisitState.LEAVING):
                    self.assertNotIn(after, (VisitState.LOOKING, VisitState.ASKING))
        leads = {event for (_, event) in VISIT_STATES}
        self.assertEqual(leads, set(VisitEvent))


class Backend:
    """
    Is a connection to the web server, as far as a visitor's site sees it.

    @ivar bufferSize: how much is read at one go.
    """

    bufferSize = 0

    def __init__(self) -> None:
        self.heard = b""
        self.ended = self.aborted = self.closed = False
        self.isRead = True
        self.producer: Any = None

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.8", 40000 + id(self) % 1000)

    def setTcpNoDelay(self, _: bool) -> None:  # noqa: FBT001 - Twisted's signature
        """
        It makes no difference here.
        """

    def registerProducer(self, producer: Any, _: bool) -> None:  # noqa: FBT001 - Twisted's signature
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        assert not self.ended
        self.heard += data

    def loseWriteConnection(self) -> None:
        self.ended = True

    def loseConnection(self) -> None:
        self.closed = True

    def abortConnection(self) -> None:
        self.aborted = True

    def pauseProducing(self) -> None:
        self.isRead = False

    def resumeProducing(self) -> None:
        self.isRead = True


class Dial:
    """
    Tries to connect to the web server.
    """

    isOver = False

    def disconnect(self) -> None:
        self.isOver = True


class DialledReactor:
    """
    Keeps what is dialled.
    """

    def __init__(self, clock: Any) -> None:
        self.seconds: Callable[[], float] = clock.seconds
        self.callLater = clock.callLater
        self.dialled: list[tuple[str, int, Any]] = []
        self.dials: list[Dial] = []

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float) -> Dial:
        assert timeout > 0
        self.dialled.append((host, port, factory))
        self.dials.append(Dial())
        return self.dials[-1]

    def connect(self, at: int = -1) -> tuple[Any, Backend]:
        """
        The web server accepts the connection.
        """
        site, backend = self.dialled[at][2].buildProtocol(None), Backend()
        site.makeConnection(backend)
        return site, backend

    def refuse(self, at: int = -1) -> None:
        """
        It does not.
        """
        self.dialled[at][2].clientConnectionFailed(None, Failure(error.ConnectionRefusedError()))


class VisitorTestCase(AcceptorTestCase):
    """
    Puts a web server behind an acceptor.
    """

    path: bytes | None = None
    needsPath = False
    place = PLACE

    def setUp(self) -> None:
        super().setUp()
        self.reactor = DialledReactor(self.clock)
        self.turns = Turns(self.clock)
        self.found: list[Any] = []
        lookup = SharedResolver(lambda call, done: done(call()), lookup=lambda *_: list(self.found))
        self.fallback = Fallback(self.place, lookup, self.reactor, RateLimit(self.clock.seconds))
        self.acceptor = self.newAcceptor(fallback=self.fallback)

    def newAcceptor(
        self, limits: ConnectionLimits = LIMITS, *, isPlain: bool = False, fallback: Fallback | None = None
    ) -> CheckedAcceptor:
        """
        @return: one where nobody has come in yet.
        """
        return CheckedAcceptor(
            self.registry,
            self.liveTunnels,
            self.clock,
            self.rateLimit,
            lambda *_: None,
            limits,
            tokens=lambda: None if self.path else Tokens("FILE", [Token(b"correct horse battery")]),
            door=Door(self.path, self.needsPath, fallback, isPlain),
            visitorAllowance=lambda: self.turns.allowanceOf("visitors"),
        )

    def brought(self) -> list[str]:
        """
        @return: of each visitor of the web site that the log names, why he is one.
        """
        words = "brought a visitor from {peer} to the web site: {reason}{certificateWords}"
        return [event["reason"] for event in self.events if event["log_format"] == words]

    def fates(self) -> dict[str, int]:
        return {name: number for name, number in self.acceptor.statistics().visitors.fates.items() if number}


class VisitorTests(VisitorTestCase):
    """
    Come with no token that is known.
    """

    def test_allThatWasSaidGoesOnOnce(self) -> None:
        """
        What came before it was known who he is, what came until the web server was there, and what comes then.
        """
        tunnel = self.accept()
        stream = self.transports[0]
        tunnel.dataReceived(HELLO2[:10])
        tunnel.dataReceived(HELLO2[10:] + b"more")
        stream.protocol.dataReceived(b" and more")
        site, backend = self.reactor.connect()
        stream.protocol.dataReceived(b", and this")
        self.assertEqual(backend.heard, crossedOut(HELLO2)[0] + b"more and more, and this")
        site.dataReceived(b"HTTP/1.1 400 Bad\r\n\r\n")
        self.assertEqual(stream.getOutBuffer(), b"HTTP/1.1 400 Bad\r\n\r\n")
        self.assertEqual((self.fates(), len(self.acceptor._strangers)), ({"FALLBACK": 1}, 0))
        self.assertEqual(len(self.liveTunnels), 0)

    def test_tokensAndIdsOfSessionsAreCrossedOut(self) -> None:
        """
        The web server may write them down.  Also when a part of them comes once he is a visitor.
        """
        token = b"a token of another server"
        hello = encodeClientHello(ClientHello(WireFormat.TWO, SESSION_ID, token=Token(token)))
        for cut in (9, 24, 30, len(hello)):
            self.accept().dataReceived(hello[:cut])
            self.clock.advance(0)
            for _ in range(HESITATION_LOOKS):
                self.clock.advance(DOOR_LOOK_SECONDS)
            for octet in hello[cut:] + b"more":
                self.transports[-1].protocol.dataReceived(bytes([octet]))
            _, backend = self.reactor.connect()
            self.assertEqual(backend.heard, hello[:8] + b"x" * (len(hello) - 8) + b"more")
            self.transports[-1].lose()
            self.settle()

    def test_endsArePassedOnEitherWay(self) -> None:
        """
        Who has said all is answered, and when both have said all the connection ends.
        """
        self.accept().dataReceived(GET)
        stream = self.transports[0]
        site, backend = self.reactor.connect()
        stream.protocol.readConnectionLost()
        self.assertTrue(backend.ended)
        site.dataReceived(b"answer")
        site.readConnectionLost()
        self.assertTrue(stream.finished)
        stream.getOutBuffer()
        self.clock.advance(0)
        self.assertTrue(stream.departed and backend.closed)
        self.assertFalse(backend.aborted)

    def test_whoDoesNotEndIsWaitedForAMoment(self) -> None:
        self.accept().dataReceived(GET)
        stream = self.transports[0]
        site, backend = self.reactor.connect()
        site.readConnectionLost()
        self.assertTrue(stream.finished)
        stream.protocol.dataReceived(b"late")
        self.assertEqual(backend.heard, GET + b"late")
        self.clock.advance(LINGER_SECONDS)
        self.clock.advance(0)
        self.assertTrue(stream.departed and backend.aborted)

    def test_resetsArePassedOn(self) -> None:
        for isOurs in (True, False):
            self.accept().dataReceived(GET)
            stream = self.transports[-1]
            site, backend = self.reactor.connect()
            if isOurs:
                site.connectionLost(Failure(ConnectionLost()))
                self.assertTrue(stream.aborted)
            else:
                stream.lose(ConnectionLost())
                self.assertTrue(backend.aborted)
                site.connectionLost(Failure(ConnectionLost()))
            self.settle()
        self.assertEqual(self.acceptor.statistics().visitors.present, 0)

    def test_whatIsNotTakenIsNotRead(self) -> None:
        """
        Neither of the visitor nor of the web server.
        """
        self.accept().dataReceived(GET)
        stream = self.transports[0]
        stream.protocol.dataReceived(bytes(MOST_UNSENT_BYTES))
        self.assertFalse(stream.isRead)
        site, backend = self.reactor.connect()
        self.assertTrue(stream.isRead)
        backend.producer.pauseProducing()
        self.assertFalse(stream.isRead)
        backend.producer.resumeProducing()
        self.assertTrue(stream.isRead)
        for _ in range(4):
            site.dataReceived(bytes(MOST_UNSENT_BYTES))
            self.clock.advance(0)
        self.assertFalse(backend.isRead)
        stream.getOutBuffer()
        for _ in range(9):
            self.clock.advance(0)
        self.assertTrue(backend.isRead)

    def test_whatWaitsForTheWebServerIsCounted(self) -> None:
        """
        There may be a thousand visitors while it does not answer.
        """
        memory = self.turns.memory
        for outcome in ("it is there", "it is down", "he goes"):
            self.accept().dataReceived(GET)
            stream = self.transports[-1]
            stream.protocol.dataReceived(bytes(20_000))
            self.assertGreater(memory.used, 20_000, outcome)
            if outcome == "it is there":
                self.reactor.connect()
            elif outcome == "it is down":
                self.reactor.refuse()
                self.clock.advance(0)
            else:
                stream.lose()
            self.assertEqual(memory.used, 0, outcome)
            stream.lose()
            self.settle()
            self.clock.advance(0)

    def test_whoKeepsTooMuchWaitingIsGivenUp(self) -> None:
        self.turns.memory.bytes = 1000
        self.accept().dataReceived(GET)
        stream = self.transports[0]
        stream.protocol.dataReceived(bytes(20_000))
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertTrue(stream.aborted)
        self.assertTrue(self.reactor.dials[0].isOver)

    def test_aGreedyVisitorHasNoMoreThanItsTurn(self) -> None:
        self.accept().dataReceived(GET)
        site, backend = self.reactor.connect()
        for _ in range(3):
            site.dataReceived(bytes(60_000))
            self.transports[0].getOutBuffer()
        self.assertFalse(backend.isRead)
        for _ in range(20):
            self.clock.advance(0)
        self.assertTrue(backend.isRead)

    def test_littleIsReadOfTheWebServerAtOneGo(self) -> None:
        """
        Others have their turn between.
        """
        self.accept().dataReceived(GET)
        _, backend = self.reactor.connect()
        self.assertEqual(backend.bufferSize, SITE_READ_BYTES)

    def test_whoSaysNothingIsAnsweredAsTheWebServerLikes(self) -> None:
        """
        It is called, told nothing, and may close when it likes.
        """
        self.accept()
        stream = self.transports[0]
        self.clock.advance(DOOR_LOOK_SECONDS)
        site, backend = self.reactor.connect()
        self.assertEqual((backend.heard, self.fates()), (b"", {}))
        site.readConnectionLost()
        self.assertTrue(stream.finished)
        self.assertEqual(self.fates(), {"FALLBACK": 1})

    def test_aSlowClientIsStillLetIn(self) -> None:
        """
        The web server has heard nothing of it.
        """
        self.path = None
        extension = b"\4\0\x15correct horse battery"
        hello = b"uotp\2\0\0" + bytes([len(extension)]) + HELLO + extension
        tunnel = self.accept()
        self.clock.advance(DOOR_LOOK_SECONDS)
        _, backend = self.reactor.connect()
        tunnel.dataReceived(hello[:30])
        self.clock.advance(DOOR_LOOK_SECONDS)
        tunnel.dataReceived(hello[30:])
        self.assertEqual((backend.heard, backend.aborted), (b"", True))
        self.assertTrue(self.transports[0].stream[0].startswith(encodeServerHello(ServerHello(True))[:6]))
        self.assertEqual(self.acceptor.statistics().visitors.present, 0)

    def test_whoStopsWithinAHelloIsAVisitor(self) -> None:
        self.accept().dataReceived(HELLO2[:12])
        for _ in range(HESITATION_LOOKS):
            self.clock.advance(DOOR_LOOK_SECONDS)
        _, backend = self.reactor.connect()
        self.assertEqual(backend.heard, HELLO2[:8] + b"xxxx")

    def test_whoNeverSaysAnythingIsAVisitorBeforeHeIsTooSlow(self) -> None:
        self.accept()
        for _ in range(int(SILENCE_LIMIT_SECONDS)):
            self.clock.advance(DOOR_LOOK_SECONDS)
        self.assertEqual((self.fates(), len(self.acceptor._strangers)), ({"FALLBACK": 1}, 0))

    def test_aWebServerThatIsDownIsSaidToBe(self) -> None:
        """
        In a request's answer, and in one line of the log.
        """
        for _ in range(2):
            self.accept().dataReceived(GET)
            self.reactor.refuse()
            self.clock.advance(0)
            self.assertTrue(self.transports[-1].stream[0].startswith(b"HTTP/1.1 502 "))
            self.settle()
        self.assertEqual(self.fates(), {"FALLBACK": 2, "UNREACHABLE": 2})
        self.assertEqual(len([line for line in self.warnings() if "cannot be reached" in line]), 1)

    def test_whereThereIsNoRoomTheServerIsBusy(self) -> None:
        """
        One address has no more than its share, and of all whoever has most gives one up.
        """
        for host in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"):
            self.accept(host).dataReceived(GET)
        self.assertTrue(self.transports[2].stream[0].startswith(b"HTTP/1.1 503 "))
        self.assertEqual(self.fates(), {Fate.FALLBACK.name: 3, Fate.BUSY.name: 1})
        self.accept("192.0.2.3").dataReceived(GET)
        self.assertTrue(self.transports[1].aborted)
        self.assertEqual(self.acceptor.statistics().visitors.evicted, 1)

    def test_aFallbackThatIsThisVeryServerIsSeen(self) -> None:
        self.accept().dataReceived(GET)
        _, backend = self.reactor.connect()
        here = backend.getHost()
        self.patch(type(self.transports[0]), "peer", here)
        self.accept()
        self.assertTrue(self.transports[-1].aborted)
        self.settle()
        self.assertIn("names this very server", self.warnings()[-1])

    def test_whoeverIsLostIsToldOnce(self) -> None:
        """
        Whether it was decided before who he is, or not.
        """
        told: list[str] = []
        self.patch(self.liveTunnels.log, "strangerLost", lambda peer, _: told.append(peer))
        for number, said in enumerate((b"", GET), 1):
            self.accept(f"192.0.2.{number}").dataReceived(said)
            self.transports[-1].lose()
        self.assertEqual(told, ["192.0.2.1", "192.0.2.2"])

    def test_aServerThatStopsEndsItsVisitors(self) -> None:
        self.accept().dataReceived(GET)
        _, backend = self.reactor.connect()
        self.acceptor.close()
        self.assertTrue(self.transports[0].aborted)
        self.settle()
        self.assertTrue(backend.aborted)

    def test_whoHasGoneIsDialledForNoMore(self) -> None:
        """
        A web server that stands still accepts nothing for seconds, and visitors come and go in less.
        """
        self.accept().dataReceived(GET)
        self.assertFalse(self.reactor.dials[0].isOver)
        self.transports[0].lose()
        self.assertTrue(self.reactor.dials[0].isOver)
        self.reactor.refuse()
        self.assertEqual(len(self.reactor.dialled), 1)

    def pass_(self, seconds: float) -> bool:
        """
        Let time pass.

        @return: whether the visit has been ended.
        """
        for _ in range(int(seconds)):
            self.clock.advance(1)
        return bool(self.transports[-1].finished)

    def test_aWebServerThatIsDeafIsGivenUp(self) -> None:
        """
        And with it both descriptors, soon after the time is over.
        """
        for isAsked in (True, False):
            tunnel = self.accept()
            if isAsked:
                tunnel.dataReceived(GET)
            else:
                self.pass_(SILENCE_LIMIT_SECONDS)
            _, backend = self.reactor.connect()
            began = self.clock.seconds() - (0 if isAsked else SILENCE_LIMIT_SECONDS - DOOR_LOOK_SECONDS)
            self.assertFalse(self.pass_(began + OWED_ANSWER_SECONDS - self.clock.seconds() - 1))
            self.assertTrue(self.pass_(VISIT_LOOK_SECONDS + 1))
            self.pass_(LINGER_SECONDS + 1)
            self.assertTrue(self.transports[-1].departed and backend.aborted)

    def test_aWebServerThatOwesNothingIsWaitedFor(self) -> None:
        """
        It decides itself how long a visitor may say nothing; but when he has asked again, it is its turn.
        """
        self.accept().dataReceived(GET)
        site, _ = self.reactor.connect()
        site.dataReceived(b"HTTP/1.1 200 OK")
        self.assertFalse(self.pass_(QUIET_VISIT_SECONDS - 1))
        self.transports[0].protocol.dataReceived(GET)
        self.assertFalse(self.pass_(OWED_ANSWER_SECONDS - 1))
        self.assertTrue(self.pass_(VISIT_LOOK_SECONDS + 1))

    def test_aVisitorWhoNeverSaysMoreIsEnded(self) -> None:
        self.accept().dataReceived(GET)
        site, _ = self.reactor.connect()
        site.dataReceived(b"HTTP/1.1 200 OK")
        self.assertFalse(self.pass_(QUIET_VISIT_SECONDS - 1))
        self.assertTrue(self.pass_(VISIT_LOOK_SECONDS + 1))

    def test_aWebServerThatReadsSlowlyIsNotGivenUp(self) -> None:
        """
        Nor is one that may not say more, since the visitor does not take what it has said.
        """
        self.accept().dataReceived(GET)
        site, backend = self.reactor.connect()
        backend.producer.pauseProducing()
        for _ in range(3):
            self.assertFalse(self.pass_(OWED_ANSWER_SECONDS - 1))
            backend.producer.resumeProducing()
            backend.producer.pauseProducing()
        backend.producer.resumeProducing()
        site.pause()
        self.assertFalse(self.pass_(QUIET_VISIT_SECONDS - 1))
        site.resume()
        self.assertFalse(self.pass_(OWED_ANSWER_SECONDS - 1))
        self.assertTrue(self.pass_(VISIT_LOOK_SECONDS + 1))

    def test_whoSaysNothingAndGoesIsNotRefused(self) -> None:
        """
        Browsers connect ahead, and balancers look whether we are there: no line of the log for that.
        """
        self.accept()
        self.pass_(2 * DOOR_LOOK_SECONDS)
        _, backend = self.reactor.connect()
        self.transports[0].protocol.readConnectionLost()
        self.assertTrue(backend.ended)
        self.accept().dataReceived(HELLO2[:5])
        self.transports[1].protocol.readConnectionLost()
        self.assertEqual(self.brought(), ["it ends before it has shown a hello"])

    def test_aVisitThatComesBackEndsSoon(self) -> None:
        """
        The web server is another server of ours, which names this one: each round comes from its address.
        """
        self.acceptor = self.newAcceptor(
            ConnectionLimits(silent=6, begun=6, known=6, owned=6, visitors=99, visitorsOwned=99), fallback=self.fallback
        )
        self.accept("192.0.2.3").dataReceived(GET)
        for _ in range(MOST_ALIKE + 1):
            self.accept(PLACE[0]).dataReceived(GET)
        self.assertEqual(self.fates(), {"FALLBACK": MOST_ALIKE + 1, "BUSY": 1})
        self.assertTrue(self.transports[-1].stream[0].startswith(b"HTTP/1.1 503 "))
        self.assertIn("Does it bring its visitors back to this server?", "".join(self.warnings()))
        self.accept(PLACE[0]).dataReceived(GET.replace(b"/", b"/other"))
        self.accept("192.0.2.3").dataReceived(GET)
        self.assertEqual(self.fates()["BUSY"], 1)
        site, _ = self.reactor.connect(MOST_ALIKE)
        site.dataReceived(b"answer")
        self.accept(PLACE[0]).dataReceived(GET)
        self.assertEqual(self.fates()["BUSY"], 1)
        self.acceptor.checkInvariant()
        self.clock.advance(0)

    def test_visitsThatComeBackAndSayNothingEndToo(self) -> None:
        self.acceptor = self.newAcceptor(
            ConnectionLimits(silent=6, begun=99, known=6, owned=6, visitors=99, visitorsOwned=99),
            fallback=self.fallback,
        )
        self.accept("192.0.2.3")
        self.pass_(DOOR_LOOK_SECONDS)
        for _ in range(MOST_ALIKE + 1):
            self.accept(PLACE[0])
        self.pass_(DOOR_LOOK_SECONDS)
        self.assertEqual(len(self.reactor.dialled), MOST_ALIKE + 1)


class PlainDoorTests(VisitorTestCase):
    """
    Come without TLS, and say nothing before the first turn.
    """

    def setUp(self) -> None:
        super().setUp()
        self.acceptor = self.newAcceptor(isPlain=True, fallback=self.fallback)

    def callIn(self, host: str = "192.0.2.1") -> Tunnel:
        """
        @return: the tunnel of somebody who has been silent for a moment.
        """
        newcomer: Any = self.arrive(host)
        self.clock.advance(DOOR_LOOK_SECONDS)
        self.assertTrue(newcomer.hasWaited)
        self.acceptor.begin(newcomer)
        self.transports.append(newcomer.stream)
        tunnel: Tunnel = newcomer.protocol
        return tunnel

    def test_whoIsSilentIsBroughtToTheWebServer(self) -> None:
        """
        As soon as after the handshake of TLS, and when he has said nothing for long he is its visitor.
        """
        self.callIn()
        self.clock.advance(0)
        _, backend = self.reactor.connect()
        self.assertEqual((backend.heard, self.fates()), (b"", {}))
        for _ in range(int(SILENCE_LIMIT_SECONDS)):
            self.clock.advance(DOOR_LOOK_SECONDS)
        self.assertEqual((self.fates(), len(self.acceptor._strangers)), ({"FALLBACK": 1}, 0))
        self.assertFalse(self.transports[0].aborted)

    def test_aClientThatIsSlowIsStillLetIn(self) -> None:
        tunnel = self.callIn()
        self.clock.advance(0)
        _, backend = self.reactor.connect()
        self.clock.advance(SILENCE_LIMIT_SECONDS - 2 * DOOR_LOOK_SECONDS)
        extension = b"\4\0\x15correct horse battery"
        tunnel.dataReceived(b"uotp\2\0\0" + bytes([len(extension)]) + HELLO + extension)
        self.assertEqual((len(self.registry), backend.heard, backend.aborted), (1, b"", True))

    def test_whoLooksWhetherWeAreThereCostsNothing(self) -> None:
        """
        No stream, no connection to the web server, no line of the log, no timer.
        """
        newcomer = self.arrive()
        self.acceptor.left(newcomer)
        self.assertNoTimer()
        self.assertEqual((self.reactor.dialled, self.warnings(), newcomer.stream), ([], [], None))

    def test_whoSaysForWhomHeComesIsSilentFromThenOn(self) -> None:
        """
        Before that nobody knows where he belongs.
        """
        newcomer: Any = BareNewcomer("198.51.100.7", self.clock.seconds(), awaitsHeader=True)
        self.acceptor.arrived(newcomer)
        self.clock.advance(2 * DOOR_LOOK_SECONDS)
        self.assertFalse(newcomer.hasWaited)
        before, newcomer.host, newcomer.owner, newcomer.awaitsHeader = newcomer.owner, *["203.0.113.1"] * 2, False
        self.acceptor.announced(newcomer, before)
        self.clock.advance(DOOR_LOOK_SECONDS)
        self.assertTrue(newcomer.hasWaited)
        self.acceptor.left(newcomer)

    def test_theSilentMakeNobodyElseGo(self) -> None:
        """
        They come in while half of the room is free; the others have to go as before.
        """
        newcomers = [self.arrive(f"192.0.2.{number}") for number in range(LIMITS.silent)]
        for _ in range(2):
            self.clock.advance(DOOR_LOOK_SECONDS)
            for newcomer in newcomers:
                if newcomer.hasWaited and newcomer.stream is None:
                    self.acceptor.begin(newcomer)
                    assert newcomer.stream is not None
                    self.transports.append(newcomer.stream)
        self.assertEqual(sum(newcomer.stream is not None for newcomer in newcomers), LIMITS.begun // 2)
        self.assertFalse(any(newcomer.aborted for newcomer in newcomers))
        self.clock.advance(HELLO_SECONDS)
        self.assertEqual(sum(newcomer.aborted for newcomer in newcomers), LIMITS.silent - LIMITS.begun // 2)

    def test_whereThereIsNoWebServerNobodyIsCalledIn(self) -> None:
        """
        Nor where there is TLS: who does not speak it is no visitor.
        """
        for isPlain, fallback in ((True, None), (False, self.fallback)):
            self.acceptor = self.newAcceptor(isPlain=isPlain, fallback=fallback)
            newcomer = self.arrive()
            self.clock.advance(2 * DOOR_LOOK_SECONDS)
            self.assertFalse(newcomer.hasWaited)
            self.acceptor.left(newcomer)


class NamedFallbackTests(VisitorTestCase):
    """
    Look the web server up.
    """

    place = ("web.example.com", 80)

    def test_oneAddressAfterTheOtherIsTried(self) -> None:
        """
        They are asked for once in a while.
        """
        self.found = [IPv4Address("TCP", f"192.0.2.{number}", 80) for number in (5, 6)]
        self.accept().dataReceived(GET)
        self.reactor.refuse()
        self.assertEqual([host for host, _, _ in self.reactor.dialled], ["192.0.2.5", "192.0.2.6"])
        _, backend = self.reactor.connect()
        self.assertEqual(backend.heard, GET)
        self.found = [IPv4Address("TCP", "192.0.2.7", 80)]
        self.accept().dataReceived(GET)
        self.assertEqual(self.reactor.dialled[-1][0], "192.0.2.5")
        self.transports[0].lose()
        self.clock.advance(ADDRESSES_SECONDS)
        self.accept().dataReceived(GET)
        self.assertEqual(self.reactor.dialled[-1][0], "192.0.2.7")


class PathTests(VisitorTestCase):
    """
    Come where the path is the only way in.
    """

    path = PATH
    needsPath = True

    def test_whoAsksForThePathIsATunnel(self) -> None:
        """
        Its hello comes inside.  Format 1 would do as well.
        """
        for inside in (HELLO2, HELLO):
            tunnel = self.accept(secured=True)
            tunnel.handshakeCompleted()
            for at in range(0, len(REQUEST), 7):
                self.transports[-1].protocol.dataReceived(REQUEST[at : at + 7])
            stream = self.transports[-1]
            self.assertIs(stream.webSocketMasks, False)
            self.assertTrue(stream.stream[0].startswith(b"HTTP/1.1 101 "))
            stream.protocol.dataReceived(inside)
            self.assertEqual(len(self.registry), 1)
        self.assertEqual((self.fates(), self.warnings()), ({}, []))
        self.assertEqual(self.acceptor.statistics().handshakes["DONE"], 2)

    def test_whatIsGluedToTheRequestIsTheHello(self) -> None:
        self.accept().dataReceived(REQUEST + HELLO2)
        self.assertEqual(len(self.registry), 1)

    def test_aBareHelloIsNoWayIn(self) -> None:
        for hello in (HELLO2, HELLO):
            self.accept(f"192.0.2.{len(hello)}").dataReceived(hello)
            _, backend = self.reactor.connect()
            self.assertEqual(backend.heard, crossedOut(hello)[0])
        self.assertEqual(len(self.registry), 0)

    def test_whatIsNoHelloAtThePathEndsTheTunnel(self) -> None:
        self.accept().dataReceived(REQUEST)
        self.transports[0].protocol.dataReceived(GET)
        self.assertTrue(self.transports[0].aborted)

    def test_aRequestThatHesitatesIsHeardByTheWebServerToo(self) -> None:
        """
        And may still be for us, until that has answered.
        """
        for isAnswered in (True, False):
            tunnel = self.accept()
            tunnel.dataReceived(REQUEST[:40])
            self.clock.advance(DOOR_LOOK_SECONDS)
            site, backend = self.reactor.connect()
            heard = REQUEST.replace(PATH, SEEN_PATH)
            self.assertEqual(backend.heard, heard[:40])
            if isAnswered:
                site.dataReceived(b"HTTP/1.1 408 Too slow\r\n\r\n")
            self.transports[-1].protocol.dataReceived(REQUEST[40:])
            self.assertEqual(self.transports[-1].webSocketMasks, None if isAnswered else False)
            self.assertEqual(backend.heard, heard if isAnswered else heard[:40])
            self.assertEqual(backend.aborted, not isAnswered)

    def test_whoAsksForThePathInAWrongWayIsHeardWithoutIt(self) -> None:
        """
        The web server may write it down.  However it is cut.
        """
        request = REQUEST.replace(b"websocket", b"nothing")
        for cut in (2, 9, len(PATH) + 4, 40, len(request)):
            self.accept().dataReceived(request[:cut])
            self.transports[-1].protocol.dataReceived(request[cut:])
            _, backend = self.reactor.connect()
            self.assertEqual(backend.heard, request.replace(PATH, SEEN_PATH))
            self.transports[-1].lose()
            self.settle()

    def test_whoAsksForThePathLaterIsHeardWithoutItToo(self) -> None:
        """
        A browser asks for more on a connection that it has, and says where it comes from.
        """
        icon = b"GET /favicon.ico HTTP/1.1\r\nHost: a\r\nReferer: https://a" + PATH + b"\r\n\r\n"
        again = REQUEST.replace(b"websocket", b"nothing")
        self.accept().dataReceived(GET)
        _, backend = self.reactor.connect()
        for data in (icon, again, REQUEST[:-2]):
            self.transports[-1].protocol.dataReceived(data)
        self.assertEqual(backend.heard, GET + (icon + again + REQUEST[:-2]).replace(PATH, SEEN_PATH))
        self.assertEqual((self.transports[-1].finished, len(self.liveTunnels)), (False, 0))

    def test_whereAVisitorWasAClientIsSentToANewConnection(self) -> None:
        """
        A web server before us keeps a connection for whoever comes next.
        """
        other = REQUEST.replace(PATH, b"/another")
        for door in (self.acceptor._entrance.visitors._door, Door(PATH, needsPath=True)):
            self.acceptor._entrance.visitors._door = door
            self.accept().dataReceived(GET)
            stream = self.transports[-1]
            if door.fallback is not None:
                site, backend = self.reactor.connect()
                site.dataReceived(b"HTTP/1.1 200 OK\r\n\r\n")
            stream.protocol.dataReceived(other)
            self.assertFalse(stream.finished)
            said = list(stream.stream)
            for _ in range(2):
                stream.protocol.dataReceived(REQUEST)
                self.assertTrue(stream.finished)
            self.assertEqual(stream.stream, said)
            stream.lose()
            self.assertNothingLeft()
        self.assertEqual(backend.heard, GET + other)

    def test_whoAsksForAnotherPathIsHeardWhole(self) -> None:
        request = REQUEST.replace(PATH, b"/another")
        self.accept().dataReceived(request[:9])
        self.transports[0].protocol.dataReceived(request[9:])
        _, backend = self.reactor.connect()
        self.assertEqual(backend.heard, request)
        self.assertEqual((self.brought(), self.warnings()), (["it speaks HTTP"], []))

    def test_whoLeavesWithinARequestLeavesNothing(self) -> None:
        self.accept().dataReceived(REQUEST[:30])
        self.transports[0].lose(ConnectionDone())
        self.assertNothingLeft()

    def test_whoIsTooSlowToAskIsEnded(self) -> None:
        """
        Without a web server behind us he finds the page that is not found.
        """
        self.acceptor._entrance.visitors._door = Door(PATH, needsPath=True)
        self.accept().dataReceived(b"GET")
        self.transports[0].protocol.dataReceived(b" /")
        for _ in range(HESITATION_LOOKS):
            self.clock.advance(DOOR_LOOK_SECONDS)
        self.assertEqual(self.fates(), {"PAGE": 1})
        self.transports[0].protocol.dataReceived(b" \0")
        self.assertTrue(self.transports[0].stream[0].startswith(BAD_REQUEST))
