"""
How a worker lets a connection in, or hands it over, as its parent decides.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from tests.doubles.newcomers import BareNewcomer, HandedNewcomer
from tests.doubles.streams import MemoryStream
from tests.server.test_acceptor import HELLO, LIMITS, TARGET, AcceptorTestCase, CheckedAcceptor, makeNoStream
from uotp.boundaries import Security
from uotp.errors import PeerError, Refusal
from uotp.server.joining import Announced, Coordinator, Decision, JoinAnswer, JoinQuestion
from uotp.server.limits import ConnectionLimits
from uotp.server.strangers import HELLO_SECONDS, PARENT_SILENT, Stranger
from uotp.tls.tokens import Tokens
from uotp.tunnel.accepted import AcceptedTunnel
from uotp.tunnel.states import TunnelState
from uotp.wire.hello import ClientHello, ServerHello, WireFormat, encodeClientHello, encodeServerHello
from uotp.wire.negotiation import WireChoice

OTHER = uuid.UUID(bytes=bytes(range(0x60, 0x70)), version=4).bytes
HERE = JoinAnswer(Decision.HERE)
PING = b"\0\4ping"


class ScriptedCoordinator:
    """
    Is asked, and answers when the test says so.

    @ivar asked: the questions, each with whom to answer.
    @ivar told: what became of connections and sessions.
    @ivar handed: the connections that were handed over.
    @ivar passed: those that were passed on when it was known for whom they come.
    @ivar isAnothers: whether the next of them are for another worker.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[JoinQuestion, Callable[[JoinAnswer], None]]] = []
        self.told: list[tuple[str, object]] = []
        self.handed: list[tuple[AcceptedTunnel, Stranger, JoinQuestion, int]] = []
        self.passed: list[Announced] = []
        self.isAnothers = False

    def passOn(self, newcomer: Announced) -> bool:
        self.passed.append(newcomer)
        return self.isAnothers

    def ask(self, question: JoinQuestion, answered: Callable[[JoinAnswer], None]) -> None:
        self.asked.append((question, answered))

    def answer(self, answer: JoinAnswer) -> JoinQuestion:
        question, answered = self.asked.pop(0)
        answered(answer)
        return question

    def abandoned(self, sessionId: bytes) -> None:
        self.told.append(("abandoned", sessionId))

    def gone(self, connection: int) -> None:
        self.told.append(("gone", connection))

    def handOver(self, tunnel: AcceptedTunnel, newcomer: Stranger, question: JoinQuestion, worker: int) -> None:
        self.handed.append((tunnel, newcomer, question, worker))


_coordinator: type[Coordinator] = ScriptedCoordinator


class JoiningTests(AcceptorTestCase):
    """
    The parent decides.
    """

    def makeAcceptor(
        self, wire: WireChoice = WireChoice.AUTO, limits: ConnectionLimits = LIMITS, tokens: Tokens | None = None
    ) -> CheckedAcceptor:
        self.coordinator = ScriptedCoordinator()
        self.objections: dict[bytes | None, PeerError] = {}
        return CheckedAcceptor(
            self.registry,
            self.liveTunnels,
            self.clock,
            self.rateLimit,
            makeNoStream,
            limits,
            wire,
            self.coordinator,
            objection=lambda security: self.objections.get(security.peerKey),
        )

    def shown(self, data: bytes = HELLO, host: str = "192.0.2.1") -> AcceptedTunnel:
        tunnel = self.accept(host)
        tunnel.dataReceived(data)
        assert isinstance(tunnel, AcceptedTunnel)
        return tunnel

    def test_nothingIsReadUntilTheParentHasAnswered(self) -> None:
        """
        What comes next may be for another worker.
        """
        tunnel = self.shown()
        stream = self.transports[0]
        self.assertEqual((stream.isRead, stream.admitted, len(self.registry)), (False, False, 0))
        self.coordinator.answer(HERE)
        self.assertEqual((stream.isRead, stream.admitted, len(self.registry)), (True, True, 1))
        self.assertEqual(tunnel.state, TunnelState.OPEN)

    def test_aParentThatDoesNotAnswerIsSaidToBeTheReason(self) -> None:
        """
        The client has shown its id; whoever has not is told apart, and so is who was answered.
        """
        self.shown()
        self.clock.advance(HELLO_SECONDS)
        self.settle()
        self.assertEqual(self.warnings(), [f"refused a connection from 192.0.2.1: {PARENT_SILENT}"])
        self.shown(host="192.0.2.2")
        newcomer = next(iter(self.acceptor._strangers._all))
        self.assertTrue(newcomer.isAskedFor)
        self.coordinator.asked.clear()
        self.shown(host="192.0.2.3")
        other = list(self.acceptor._strangers._all)[-1]
        self.coordinator.answer(JoinAnswer(Decision.REFUSED, reason="there is no room"))
        self.assertEqual((newcomer.isAskedFor, other.isAskedFor), (True, False))

    def test_whatCameBehindTheHelloReachesTheTarget(self) -> None:
        """
        Datagrams may come in the same read.
        """
        self.shown(HELLO + PING)
        self.network.settle()
        self.assertEqual(self.target.datagrams(), [])
        self.coordinator.answer(HERE)
        self.network.settle()
        self.assertEqual(self.target.datagrams(), [b"ping"])

    def test_theParentIsToldWhatItHasToKnow(self) -> None:
        """
        Without TLS a client is its address, and its connection can be handed over for nothing.
        """
        self.shown(host="2001:db8::1")
        question, _ = self.coordinator.asked[0]
        self.assertEqual(question, JoinQuestion(1, HELLO, None, "2001:db8::/64", False, True, 0))
        self.assertNotIn(repr(HELLO), repr(question))  # whoever knows an id can join

    def test_eachConnectionHasItsNumber(self) -> None:
        """
        By it the parent says which has to go.
        """
        first, second = self.shown(), self.shown()
        for _ in range(2):
            self.coordinator.answer(HERE)
        self.acceptor.closeForRoom(2, "no room")
        self.assertEqual((first.state, second.state), (TunnelState.OPEN, TunnelState.CLOSING))
        self.assertEqual(self.warnings(), ["refused a connection from 192.0.2.1: no room"])
        self.acceptor.closeForRoom(7, "there is none with this number")
        self.settle()
        self.assertEqual(self.coordinator.told, [("gone", 2)])

    def test_theParentMayRefuse(self) -> None:
        """
        As one process alone does.
        """
        tunnel = self.shown(encodeClientHello(ClientHello(WireFormat.TWO, OTHER)))
        self.coordinator.answer(JoinAnswer(Decision.REFUSED, reason="there is no room"))
        self.assertEqual(self.transports[0].getOutBuffer(), encodeServerHello(ServerHello(welcome=False)))
        self.assertEqual(tunnel.state, TunnelState.CLOSING)
        self.assertEqual(self.warnings(), ["refused a connection from 192.0.2.1: there is no room"])
        self.settle()
        self.assertEqual(self.coordinator.told, [])

    def test_aConnectionOfAnotherWorkersSessionIsHandedOver(self) -> None:
        """
        With all that has come on it.  It is no business of this worker any more.
        """
        tunnel = self.shown(HELLO[:3])
        tunnel.dataReceived(HELLO[3:] + PING)
        self.coordinator.answer(JoinAnswer(Decision.ELSEWHERE, 3))
        ((handed, newcomer, question, worker),) = self.coordinator.handed
        self.assertEqual((handed, handed.shown, worker, question.connection), (tunnel, HELLO + PING, 3, 1))
        self.assertEqual(newcomer.host, "192.0.2.1")
        self.assertNothingLeft()
        self.transports.clear()
        self.assertEqual(self.coordinator.told, [])

    def test_aConnectionThatIsHandedToUsJoins(self) -> None:
        """
        The parent is asked again, since the session may have ended meanwhile.
        """
        newcomer = HandedNewcomer(HELLO + PING, isRelayed=True)
        self.acceptor.adopt(newcomer)
        assert newcomer.stream is not None
        self.transports.append(newcomer.stream)
        question = self.coordinator.answer(HERE)
        self.assertEqual((question.hops, question.isRelayed), (1, True))
        self.network.settle()
        self.assertEqual(self.target.datagrams(), [b"ping"])

    def test_whoWasShutOutWhileHeWaitedForHisTurnDoesNotJoin(self) -> None:
        """
        Another worker has done the handshake, before files were read again.
        """
        for isOut in (False, True):
            newcomer = HandedNewcomer(b"", isRelayed=True, secured=True)
            self.acceptor.adopt(newcomer)
            assert newcomer.stream is not None
            self.transports.append(newcomer.stream)
            newcomer.stream.security = Security(peerKey=b"key")
            if isOut:
                self.objections[b"key"] = PeerError("its key was taken away", Refusal.NOT_LISTED)
            newcomer.protocol.handshakeCompleted()
            newcomer.protocol.dataReceived(HELLO)
            self.assertEqual(len(self.coordinator.asked), 1)
        self.assertEqual(self.warnings(), ["refused a connection from 192.0.2.1: its key was taken away"])

    def test_nothingIsAdoptedWhenTheServerStops(self) -> None:
        """
        It would never end.
        """
        self.acceptor.close()
        newcomer = HandedNewcomer(HELLO)
        self.acceptor.adopt(newcomer)
        self.assertTrue(newcomer.aborted)

    def test_whoDoesNotWaitForTheAnswerIsGivenBack(self) -> None:
        """
        Otherwise the parent would count a connection and a session that there are not.
        """
        self.shown()
        self.transports[0].lose()
        self.coordinator.answer(HERE)
        self.assertEqual(self.coordinator.told, [("gone", 1), ("abandoned", HELLO)])
        self.shown()
        self.transports[1].lose()
        self.coordinator.answer(JoinAnswer(Decision.ELSEWHERE, 2))
        self.assertEqual(self.coordinator.told[2:], [("gone", 2), ("abandoned", HELLO)])
        self.shown()
        self.transports[2].lose()
        self.coordinator.answer(JoinAnswer(Decision.REFUSED, reason="no room"))
        self.assertEqual((self.coordinator.told[4:], self.warnings(), self.coordinator.handed), ([], [], []))

    def test_aSessionThatThereIsIsNotGivenBack(self) -> None:
        """
        Other tunnels carry for it.
        """
        self.shown()
        self.coordinator.answer(HERE)
        self.shown()
        self.transports[1].lose()
        self.coordinator.answer(HERE)
        self.assertEqual(self.coordinator.told, [("gone", 2)])

    def test_whoeverIsRefusedHereAfterAllIsGivenBack(self) -> None:
        """
        A session has no more than three tunnels here.
        """
        for _ in range(4):
            self.shown()
            self.coordinator.answer(HERE)
        self.assertEqual(self.coordinator.told, [("gone", 4)])
        self.assertEqual(self.warnings(), ["refused a connection from 192.0.2.1: the session has 3 tunnels already"])

    def test_nobodyIsLetInWhoseAnswerComesWhenTheServerStops(self) -> None:
        """
        Wherever its session is.
        """
        for answer in (HERE, JoinAnswer(Decision.ELSEWHERE, 2)):
            self.acceptor.open()
            self.shown()
            self.acceptor._closed = self.acceptor._admission.isClosed = True
            self.coordinator.answer(answer)
        self.assertEqual((len(self.registry), self.coordinator.handed), (0, []))
        self.assertEqual(self.coordinator.told, [("gone", 1), ("abandoned", HELLO), ("gone", 2), ("abandoned", HELLO)])

    def test_whoIsEndedWhileTheParentIsAskedDoesNotJoin(self) -> None:
        """
        Its certificate was revoked, and its connection is about to be closed.
        """
        for number, answer in enumerate((HERE, JoinAnswer(Decision.ELSEWHERE, 2)), 1):
            self.shown().misbehaved(PeerError("revoked"))
            self.coordinator.answer(answer)
            self.assertEqual(self.coordinator.told.pop(0), ("gone", number))
            self.assertEqual(self.coordinator.told.pop(0), ("abandoned", HELLO))
            self.assertEqual((len(self.registry), self.coordinator.handed), (0, []))
        self.settle()
        self.assertEqual(self.coordinator.told, [])

    def test_nobodyJoinsWhenTheServerStops(self) -> None:
        """
        Also when there are so many strangers that they are sent away by turns.
        """
        self.acceptor = self.makeAcceptor(limits=ConnectionLimits(silent=200, begun=200, known=200, owned=200))
        for _ in range(100):
            self.shown()
        self.acceptor.close()
        answers = [HERE, JoinAnswer(Decision.ELSEWHERE, 2), JoinAnswer(Decision.REFUSED, reason="no room")]
        for number in range(99, -1, -1):
            _, answered = self.coordinator.asked[number]
            answered(answers[number % 3])
        self.assertEqual((len(self.registry), self.coordinator.handed), (0, []))
        self.assertEqual(len([each for each in self.coordinator.told if each[0] == "gone"]), 67)
        self.assertEqual(len([each for each in self.coordinator.told if each[0] == "abandoned"]), 67)
        self.settle()
        self.clock.advance(0)

    def test_aConnectionThatCouldNotBeHandedOverIsLostInPeace(self) -> None:
        """
        It is closed, and nobody counts it any more.
        """
        self.shown()
        self.coordinator.answer(JoinAnswer(Decision.ELSEWHERE, 3))
        self.transports[0].abort()
        self.settle()
        self.assertEqual((self.coordinator.told, self.warnings()), ([], []))

    def test_aConnectionThatCannotBeTakenOverLeavesNothing(self) -> None:
        """
        Otherwise the server would wait for its end when it stops.
        """

        def fail(_: object) -> None:
            raise OSError

        newcomer = HandedNewcomer(HELLO)
        newcomer.become = fail  # type: ignore[assignment,method-assign]
        self.assertRaises(OSError, self.acceptor.adopt, newcomer)
        self.acceptor.checkInvariant()
        self.assertEqual((len(self.liveTunnels), self.acceptor.statistics().strangers.begun), (0, 0))
        self.assertNoTimer()

    def test_aTunnelThatFailsWhenItHasAStreamEndsWithIt(self) -> None:
        """
        The stream tells when it is gone.
        """
        newcomer = HandedNewcomer(HELLO)

        def fail(tunnel: AcceptedTunnel) -> None:
            stream = MemoryStream(tunnel, isServer=True)
            tunnel.makeConnection(stream)
            self.transports.append(stream)
            raise OSError

        newcomer.become = fail  # type: ignore[method-assign]
        self.assertRaises(OSError, self.acceptor.adopt, newcomer)
        self.assertEqual(len(self.liveTunnels), 1)
        self.transports[0].lose()
        self.assertEqual((len(self.liveTunnels), self.acceptor.statistics().strangers.begun), (0, 0))

    def test_aParentThatDoesNotAnswerCostsATimeout(self) -> None:
        """
        A connection waits for it as long as for a hello.
        """
        self.shown()
        self.clock.advance(HELLO_SECONDS + 1)
        self.assertTrue(self.transports[0].aborted)
        self.settle()
        self.coordinator.answer(HERE)
        self.assertEqual(self.coordinator.told, [("gone", 1), ("abandoned", HELLO)])

    def test_nobodyIsAskedAboutWhatIsNotSpokenHere(self) -> None:
        """
        That costs the parent nothing.
        """
        self.acceptor = self.makeAcceptor(WireChoice.TWO)
        self.shown()
        self.assertEqual((self.coordinator.asked, len(self.warnings())), ([], 1))

    def test_theTargetHearsOfTheSessionOnlyHere(self) -> None:
        """
        One UDP source for one session: a worker that hands a connection over opens none.
        """
        self.shown(HELLO + PING)
        self.coordinator.answer(JoinAnswer(Decision.ELSEWHERE, 2))
        self.transports.clear()
        self.network.settle()
        self.assertEqual((self.target.datagrams(), list(self.network.ports)), ([], [TARGET]))

    def balanced(self, host: str) -> Any:
        """
        @return: a connection of a balancer, which has just said that it comes from a host.
        """
        newcomer: Any = BareNewcomer("198.51.100.7", awaitsHeader=True)
        self.acceptor.arrived(newcomer)
        before, newcomer.host, newcomer.owner, newcomer.awaitsHeader = newcomer.owner, host, host, False
        self.acceptor.announced(newcomer, before)
        self.acceptor.checkInvariant()
        return newcomer

    def test_whatABalancerAnnouncesMayBeForAnotherWorker(self) -> None:
        """
        Then it is none of ours any more.
        """
        for isAnothers in (True, False):
            self.coordinator.isAnothers = isAnothers
            newcomer = self.balanced("203.0.113.1")
            self.assertIs(self.coordinator.passed.pop(), newcomer)
            self.assertEqual(self.acceptor.statistics().strangers.silent, int(not isAnothers))
        self.acceptor.left(newcomer)

    def test_whoComesForNobodyStaysHere(self) -> None:
        """
        As health checks of a balancer do.
        """
        newcomer = self.balanced("198.51.100.7")
        self.assertEqual(self.coordinator.passed, [])
        self.acceptor.left(newcomer)
