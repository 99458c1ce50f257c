"""
A source goes on under another id where the server refuses its session for good.
"""

from __future__ import annotations

from tests.client.slots import BYE, REFUSAL, WELCOME_NEW
from tests.doubles.contracts import TimerTestCase
from tests.doubles.dialling import Attempt, MemoryContext, serversOf
from uotp.client.sources.source import SourceSession
from uotp.client.succession import HANDOVER_SECONDS, LEAST_SECONDS
from uotp.duplicate import Duplicate
from uotp.order import Order, OrderMode
from uotp.telemetry.drops import Drops
from uotp.train import Train
from uotp.tunnel.dialled import DialledTunnel
from uotp.tunnel.tunnel import CLOSE_SECONDS, DRAIN_SECONDS
from uotp.wire.format2 import HEADER
from uotp.wire.negotiation import WireChoice

PING = Train(4, b"ping")


def numbered(number: int, datagram: bytes) -> bytes:
    """
    @return: a frame of format 2 with one datagram.
    """
    return HEADER.pack(0, 0, len(datagram), len(datagram), number) + datagram


class SuccessionTests(TimerTestCase):
    """
    Refuse a session whose source goes on to send.
    """

    def setUp(self) -> None:
        super().setUp()
        self.context = MemoryContext(self.clock)
        self.context.choose(poolSize=2)
        self.delivered: list[Train] = []
        self.addCleanup(self.end)

    def open(self, wire: WireChoice) -> None:
        """
        Begin the session of a source, whose first tunnel carries.
        """
        self.context.choose(wire=wire)
        self.source = SourceSession(serversOf(self.context), Drops(), self.delivered.extend)
        self.welcome()

    def end(self) -> None:
        """
        End it, and let what was closed be gone.
        """
        self.source.succession.leave()
        for seconds in (CLOSE_SECONDS, DRAIN_SECONDS):
            self.clock.advance(seconds)
            self.context.settle()
        self.source.session.finish(lambda: None)
        self.assertEqual(len(self.context.liveTunnels), 0)

    @property
    def last(self) -> Attempt:
        return self.context.attempts[-1]

    def welcome(self) -> Attempt:
        """
        Let the newest attempt succeed.
        """
        attempt = self.last
        attempt.open()
        if self.context.settings.wire is WireChoice.TWO:
            attempt.tunnel.dataReceived(WELCOME_NEW)
        return attempt

    def refuse(self, hello: bytes = REFUSAL) -> None:
        """
        Let the newest attempt be refused.
        """
        self.last.open().dataReceived(hello)
        self.context.settle()

    def idOf(self, attempt: Attempt) -> bytes:
        """
        @return: the id that a tunnel has shown.
        """
        assert isinstance(attempt.tunnel, DialledTunnel)
        return attempt.tunnel._sessionId

    def saidOn(self, attempt: Attempt) -> bytes:
        """
        @return: what was written on a tunnel.
        """
        return b"".join(attempt.transport.stream)

    def loseAndDial(self) -> None:
        """
        Lose the only tunnel, and wait until it is dialled again.
        """
        attempts = len(self.context.attempts)
        self.last.transport.lose()
        while len(self.context.attempts) == attempts:
            self.clock.advance(0.1)

    def test_refusedForGoodMeansANewSessionAtOnce(self) -> None:
        """
        The same turn dials with another id, and what has waited meanwhile goes with it.
        """
        self.open(WireChoice.TWO)
        first, name = self.last, self.source.name
        self.source.succession.keyChanged()
        self.loseAndDial()
        self.source.send([PING])
        now, attempts = self.clock.seconds(), len(self.context.attempts)
        self.refuse()
        self.assertEqual((len(self.context.attempts), self.clock.seconds()), (attempts + 1, now))
        second = self.welcome()
        self.assertNotEqual(self.idOf(first), self.idOf(second))
        self.assertIn(b"ping", self.saidOn(second))
        replaced = [(name, self.source.name, "our certificate has another key")]
        self.assertEqual((self.context.reachability.replaced, name == self.source.name), (replaced, False))
        self.loseAndDial()
        self.assertEqual(self.idOf(self.welcome()), self.idOf(second))

    def test_tunnelsThatAreThereCarryUntilTheNewSessionHasOne(self) -> None:
        """
        Then the old session is over, also for the server.
        """
        self.open(WireChoice.TWO)
        first = self.last
        self.source.succession.keyChanged()
        self.source.succession.widen(2)
        self.refuse()
        self.source.send([PING])
        self.assertIn(b"ping", self.saidOn(first))
        self.assertFalse(first.transport.disconnecting)
        second = self.welcome()
        self.assertIn(BYE, self.saidOn(first))
        self.assertTrue(first.transport.disconnecting)
        self.source.send([Train(4, b"pong")])
        self.assertIn(b"pong", self.saidOn(second))
        self.assertEqual(len(self.context.attempts), 4, "as many tunnels as the source was worth before")

    def test_numbersOfTheNewSessionBeginAnew(self) -> None:
        """
        What the server says first is handed on at once, though the old session was far ahead.
        """
        self.open(WireChoice.TWO)
        first = self.last
        for number in range(5):
            first.tunnel.dataReceived(numbered(number, b"old"))
        self.source.succession.keyChanged()
        self.source.succession.widen(2)
        self.refuse()
        self.welcome().tunnel.dataReceived(numbered(0, b"new") + numbered(1, b"next"))
        self.assertEqual([train.payload for train in self.delivered], [b"old"] * 5 + [b"new", b"next"])

    def test_serverThatTakesBackEachWelcomeIsDialledNoMoreOften(self) -> None:
        """
        A loop would be as fast as the server answers.
        """
        self.open(WireChoice.TWO)
        ids = {self.idOf(self.last)}
        self.last.transport.lose()
        began, attempts = self.clock.seconds(), len(self.context.attempts)
        while self.clock.seconds() < began + 60:
            attempt = self.last
            if not attempt.done.called:
                attempt.open()
                shown = self.idOf(attempt)
                attempt.tunnel.dataReceived(REFUSAL if shown in ids else WELCOME_NEW)
                if shown in ids:
                    self.context.settle()
                else:
                    attempt.transport.lose()
                ids.add(shown)
            self.clock.advance(0.05)
        self.assertLess(len(ids), 60 / LEAST_SECONDS + 2)
        self.assertLess(len(self.context.attempts) - attempts, 60)

    def test_sourceGetsItsDatagramsInTheOrderThatTheUserWants(self) -> None:
        """
        Whatever the server does.
        """
        for order, numbers in ((Order(), [0]), (Order(OrderMode.OFF), [0, 2])):
            self.context.choose(reorder=order)
            self.open(WireChoice.TWO)
            session = self.source.session
            session.inbound.numbered([(number, Train(1, b"%d" % number)) for number in (0, 2)], self.clock.seconds())
            self.assertEqual([int(train.payload) for train in self.delivered], numbers)
            if order == Order():
                self.end()
            self.delivered.clear()

    def test_datagramsGoTwiceAsTheUserWants(self) -> None:
        for choice in Duplicate:
            self.context.choose(duplicate=choice)
            self.open(WireChoice.TWO)
            self.assertIs(self.source.session.outbound._duplication._choice, choice)
            if choice is not Duplicate.ALWAYS:
                self.end()

    def test_refusalForNowKeepsTheSession(self) -> None:
        self.open(WireChoice.TWO)
        first = self.last
        self.clock.advance(LEAST_SECONDS)
        self.loseAndDial()
        self.refuse()
        attempts = len(self.context.attempts)
        while len(self.context.attempts) == attempts:
            self.clock.advance(0.1)
        self.assertEqual(self.idOf(self.welcome()), self.idOf(first))
        self.assertEqual(self.context.reachability.replaced, [])

    def test_anotherKeyBeginsTheSessionsOfFormat1Anew(self) -> None:
        """
        The server could only close, again and again.  The old tunnel stays until the new one has
        not been refused for a moment.
        """
        self.open(WireChoice.ONE)
        first = self.last
        self.source.succession.keyChanged()
        self.source.succession.keyChanged()  # the attempt that is under way may be with the key before
        self.assertEqual([attempt.cancelled for attempt in self.context.attempts], [False, True, False])
        second = self.welcome()
        self.assertNotEqual(self.idOf(first), self.idOf(second))
        self.assertFalse(first.transport.disconnecting)
        self.clock.advance(HANDOVER_SECONDS)
        self.assertTrue(first.transport.disconnecting)
        self.assertFalse(second.transport.disconnecting)
        self.assertEqual([why for _, _, why in self.context.reachability.replaced], ["our certificate has another key"])

    def test_keyThatTheServerDoesNotWantCostsNoTunnel(self) -> None:
        """
        With TLS 1.3 it says so when the tunnel seems to be open.
        """
        self.open(WireChoice.ONE)
        first = self.last
        self.source.succession.keyChanged()
        self.welcome()
        self.clock.advance(HANDOVER_SECONDS / 2)
        self.last.transport.lose()
        self.clock.advance(HANDOVER_SECONDS)
        self.assertFalse(first.transport.disconnecting)
        self.source.send([PING])
        self.assertIn(b"ping", self.saidOn(first))

    def test_tunnelThatIsLostMeanwhileIsNotDialledUnderTheOldId(self) -> None:
        self.open(WireChoice.ONE)
        first = self.last
        self.source.succession.keyChanged()
        first.transport.lose()
        attempts = len(self.context.attempts)
        self.clock.pump([0.1] * 30)
        self.assertEqual(len(self.context.attempts), attempts)
        self.assertNotEqual(self.idOf(self.welcome()), self.idOf(first))

    def test_format2WaitsForTheServersWord(self) -> None:
        """
        A server that asks for no certificate does not mind another key.
        """
        self.open(WireChoice.TWO)
        self.source.succession.keyChanged()
        self.assertEqual(len(self.context.attempts), 1)

    def test_endLeavesNothing(self) -> None:
        """
        Whether the new session has a tunnel, waits for one, or has just got it.
        """
        for wire, steps in ((WireChoice.ONE, 0), (WireChoice.ONE, 1)):
            self.open(wire)
            self.source.succession.keyChanged()
            if steps:
                self.welcome()
            self.end()
            self.assertEqual(self.clock.getDelayedCalls(), [])
        self.open(WireChoice.ONE)
        self.source.succession.keyChanged()
        self.source.succession.drain()
