"""
What every implementation of a seam must hold, the real one and its twin in
memory; and what every test of something with timers must leave behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.twins import DATAGRAMS_PER_TURN, Receiver, RecordingSession
from uotp.boundaries import Address, DatagramPort, DatagramReceiver
from uotp.drops import Drop, Drops
from uotp.train import Train, cut

# A contract is no test case before it has a subject.
if TYPE_CHECKING:
    _Case = SynchronousTestCase
else:
    _Case = object


class TimerTestCase(SynchronousTestCase):
    """
    A test with a clock of its own, on which no timer may be left.
    """

    clock: Clock

    def setUp(self) -> None:
        """
        Make the clock.
        """
        self.clock = Clock()
        self.addCleanup(self.assertNoTimer)

    def assertNoTimer(self) -> None:
        """
        Whoever set a timer has also cancelled it, or it has gone off.
        """
        self.assertEqual([str(call) for call in self.clock.getDelayedCalls()], [])


class DatagramPortContract(_Case):
    """
    What holds for every UDP port.

    @ivar drops: where the ports of a test count what they cannot send.
    @ivar host: the loopback address to try.
    """

    drops: Drops
    host = "127.0.0.1"

    def openPort(self, receiver: DatagramReceiver, address: Address | None = None) -> DatagramPort:
        """
        @param address: L{host} and any port, if it is left out.
        @return: a port, which the test need not close.
        """
        raise NotImplementedError

    def turn(self) -> None:
        """
        Let one turn of the reactor pass.
        """
        raise NotImplementedError

    def settleUntil(self, arrived: Callable[[], bool]) -> None:
        """
        Let turns pass until something has arrived, or there is no hope.
        """
        raise NotImplementedError

    def correspond(self, trains: list[Train]) -> tuple[Receiver, Address]:
        """
        Send trains from one port to another.

        @return: who received them, and the address of the port that sent.
        """
        receiver = Receiver()
        there = self.openPort(receiver)
        here = self.openPort(Receiver())
        expected = sum(train.datagrams for train in trains)
        for train in trains:
            here.send(train, there.address())
        self.settleUntil(lambda: len(receiver.datagrams()) >= expected)
        return receiver, here.address()

    def test_datagramsOfEverySizeArriveUnchanged(self) -> None:
        """
        From an empty one to the largest that UDP over IPv4 can carry.
        """
        for size in (0, 1, 2, 1400, 1500, 8192, 8193, 9000, 65506, 65507):
            datagram = bytes(number % 251 for number in range(size))
            receiver, source = self.correspond([Train(size, datagram)])
            self.assertEqual(receiver.trains, [(Train(size, datagram), source)])

    def test_trainArrivesAsItsDatagramsInOrder(self) -> None:
        """
        Each is a datagram of its own on the way, the shorter last one too.
        """
        datagrams = [bytes([number]) * 1000 for number in range(20)] + [b"short"]
        receiver, _ = self.correspond([Train(1000, b"".join(datagrams))])
        self.assertEqual(receiver.datagrams(), datagrams)

    def test_whatComesTogetherIsHandedOnInTrains(self) -> None:
        """
        Neighbours of one length are one train, and an empty datagram is alone.
        """
        receiver, source = self.correspond([Train(4, b"aaaabbbbcc"), Train(0, b""), Train(3, b"dddeee")])
        self.assertEqual(
            receiver.trains,
            [(Train(4, b"aaaabbbbcc"), source), (Train(0, b""), source), (Train(3, b"dddeee"), source)],
        )

    def test_datagramThatIsTooLongCostsItselfOnly(self) -> None:
        """
        It is counted, and the next still goes.
        """
        receiver, _ = self.correspond([Train(65535, bytes(65535)), Train(4, b"next")])
        self.settleUntil(lambda: bool(receiver.trains))
        self.assertEqual(receiver.datagrams(), [b"next"])
        self.assertEqual(self.drops.totals[Drop.TOO_LONG], 1)

    def test_closedPortSendsNothing(self) -> None:
        """
        Whoever still holds a port that was closed does no harm with it.
        """
        receiver = Receiver()
        there, here = self.openPort(receiver), self.openPort(Receiver())
        here.close()
        here.send(Train(4, b"late"), there.address())
        self.settleUntil(lambda: bool(receiver.trains))
        self.assertEqual(receiver.trains, [])
        self.assertEqual(sum(self.drops.totals.values()), 0)

    def test_closedPortReceivesNothing(self) -> None:
        """
        Not even what had come before.
        """
        receiver = Receiver()
        there, here = self.openPort(receiver), self.openPort(Receiver())
        here.send(Train(5, b"early"), there.address())
        there.close()
        self.settleUntil(lambda: bool(receiver.trains))
        self.assertEqual(receiver.trains, [])
        self.assertEqual(receiver.lost, [])

    def test_portClosedByItsReceiverDeliversNoMore(self) -> None:
        """
        The rest of what came in the same turn is not handed on.
        """
        closes: list[DatagramPort] = []

        class Closer(Receiver):
            def trainReceived(self, train: Train, source: Address) -> None:
                super().trainReceived(train, source)
                closes[0].close()

        receiver = Closer()
        closes.append(self.openPort(receiver))
        here = self.openPort(Receiver())
        for text in (b"a", b"bb", b"ccc"):
            here.send(Train(len(text), text), closes[0].address())
        self.settleUntil(lambda: len(receiver.trains) > 1)
        self.assertEqual(receiver.datagrams(), [b"a"])

    def test_closingTwiceIsAllowed(self) -> None:
        """
        And its address can be bound again.
        """
        port = self.openPort(Receiver())
        address = port.address()
        port.close()
        port.close()
        self.assertEqual(self.openPort(Receiver(), address).address(), address)

    def test_addressInUseIsAnOSError(self) -> None:
        """
        Which says what it is.
        """
        port = self.openPort(Receiver())
        error = self.assertRaises(OSError, self.openPort, Receiver(), port.address())
        self.assertIn("in use", str(error))

    def test_nobodyListeningCostsNothing(self) -> None:
        """
        What the target's machine says to that concerns the datagrams that are
        lost; as soon as somebody listens, the flow goes on.
        """
        first = self.openPort(Receiver())
        address = first.address()
        first.close()
        sender = Receiver()
        here = self.openPort(sender)
        for _ in range(120):
            here.send(Train(4, b"lost"), address)
            self.turn()
        self.assertEqual(sender.lost, [])
        receiver = Receiver()
        self.openPort(receiver, address)
        here.send(Train(5, b"found"), address)
        self.settleUntil(lambda: bool(receiver.trains))
        self.assertEqual(receiver.trains, [(Train(5, b"found"), here.address())])

    def test_eachSenderIsReportedAsItself(self) -> None:
        """
        Trains never mix datagrams of two sources, so that a stranger's can be told.
        """
        receiver = Receiver()
        there, one, two = (self.openPort(each) for each in (receiver, Receiver(), Receiver()))
        for sender, text in ((one, b"1a"), (one, b"1b"), (two, b"2a"), (one, b"1c")):
            sender.send(Train(2, text), there.address())
        self.settleUntil(lambda: len(receiver.datagrams()) >= 4)
        self.assertEqual(
            receiver.trains,
            [
                (Train(2, b"1a1b"), one.address()),
                (Train(2, b"2a"), two.address()),
                (Train(2, b"1c"), one.address()),
            ],
        )

    def test_oneTurnDeliversNoMoreThanItsShare(self) -> None:
        """
        A busy port lets others have their turn.
        """
        receiver = Receiver()
        there, here = self.openPort(receiver), self.openPort(Receiver())
        here.send(Train(10, bytes(10 * 3 * DATAGRAMS_PER_TURN)), there.address())
        self.turn()
        self.assertEqual(len(receiver.datagrams()), DATAGRAMS_PER_TURN)
        self.settleUntil(lambda: len(receiver.datagrams()) >= 3 * DATAGRAMS_PER_TURN)
        self.assertEqual(len(receiver.datagrams()), 3 * DATAGRAMS_PER_TURN)


class CarrierContract(_Case):
    """
    What a session may expect of every tunnel.
    """

    def makeCarrier(self) -> Any:
        """
        @return: a tunnel that has C{carryFor}.
        """
        raise NotImplementedError

    def sentBy(self, carrier: Any) -> list[bytes]:
        """
        @return: the datagrams that a tunnel of L{makeCarrier} has sent.
        """
        raise NotImplementedError

    def test_readyTunnelIsFreeOnce(self) -> None:
        """
        Its session hears so as soon as the tunnel carries for it.
        """
        session = RecordingSession()
        self.makeCarrier().carryFor(session)
        self.assertEqual(session.says, ["free"])

    def test_trainsAreSentInOrder(self) -> None:
        """
        Whole, and one behind the other.
        """
        carrier = self.makeCarrier()
        carrier.carryFor(RecordingSession())
        trains = [Train(3, b"aaabbb"), Train(0, b""), Train(5, b"later")]
        for train in trains:
            carrier.send(train)
        self.assertEqual(self.sentBy(carrier), [datagram for train in trains for datagram in cut(train)])

    def test_endOfATunnelIsSaidAndNothingIsSentAfterwards(self) -> None:
        """
        However it ends, and ending it again is allowed.
        """
        for end in ("close", "abort"):
            carrier: Any = self.makeCarrier()
            session = RecordingSession()
            carrier.carryFor(session)
            getattr(carrier, end)()
            getattr(carrier, end)()
            carrier.send(Train(4, b"late"))
            self.assertEqual(session.says, ["free", "full"])
            self.assertEqual(self.sentBy(carrier), [])
