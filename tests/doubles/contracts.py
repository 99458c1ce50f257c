"""
What every implementation of a seam must hold, the real one and its twin in
memory; and what every test of something with timers must leave behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    InvalidAddressError,
    MessageLengthError,
)
from twisted.internet.interfaces import IListeningPort, IUDPTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.doubles.clocks import TurnClock
from tests.doubles.sessions import RecordingSession
from tests.doubles.sockets import Diarist
from tests.doubles.udp import DATAGRAMS_PER_TURN, Receiver
from uotp.boundaries import Address, DatagramReceiver, Link
from uotp.errors import ConfigurationError
from uotp.path import TROUBLED
from uotp.telemetry.drops import Drop, Drops
from uotp.train import MAX_TRAIN_BYTES, Train, countOf, cut, gather

# A contract is no test case before it has a subject.
if TYPE_CHECKING:
    _Case = SynchronousTestCase
else:
    _Case = object


class TimerTestCase(SynchronousTestCase):
    """
    Has a clock of its own, on which no timer may be left.
    """

    clock: TurnClock

    def setUp(self) -> None:
        self.clock = TurnClock()
        self.addCleanup(self.assertNoTimer)

    def assertNoTimer(self) -> None:
        """
        Whoever set a timer has also cancelled it, or it has gone off.
        """
        self.assertEqual([str(call) for call in self.clock.getDelayedCalls()], [])


class SettingsTestCase(SynchronousTestCase):
    """
    Tries values of settings that check themselves.
    """

    def settings(self, **chosen: Any) -> Any:
        """
        @return: settings of the kind that is tested, with these.
        """
        raise NotImplementedError

    def assertUsable(self, name: str, *values: object) -> None:
        """
        @param values: what a setting may be.
        """
        for value in values:
            self.assertEqual(getattr(self.settings(**{name: value}), name), value)

    def assertUnusable(self, name: str, *values: object) -> None:
        """
        @param values: what is refused, in one line that names the setting.
        """
        for value in values:
            error = self.assertRaises(ConfigurationError, self.settings, **{name: value})
            self.assertIn(f"{name} is {value}, and not ", str(error))
            self.assertNotIn("\n", str(error))


class DatagramPortContract(_Case):
    """
    Tries what holds for every UDP port.

    @ivar drops: where the ports of a test count what they cannot send.
    @ivar host: the loopback address to try.
    """

    drops: Drops
    host = "127.0.0.1"

    def openPort(self, receiver: DatagramReceiver, address: Address | None = None) -> IListeningPort:
        """
        @param address: L{host} and any port, if it is left out.
        @return: a port, which the test need not close.
        """
        raise NotImplementedError

    def open(self, address: Address | None = None) -> Receiver:
        """
        @return: a protocol on a port of its own.
        """
        receiver = Receiver(self.drops)
        self.openPort(receiver, address)
        return receiver

    def close(self, receiver: Receiver) -> None:
        """
        Have a protocol close its port, and wait until that is done.
        """
        done = receiver.stopListening()
        if done is not None:
            closed: list[object] = []
            done.addCallback(closed.append)
            while not closed:
                self.turn()

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
        receiver, here = self.open(), self.open()
        expected = countOf(trains)
        here.sendTrains(trains, receiver.address)
        self.settleUntil(lambda: receiver.count() >= expected)
        return receiver, here.address

    def deliver(self, datagrams: list[bytes], here: Receiver, receiver: Receiver) -> None:
        """
        Send datagrams in as few trains as may be, until all have arrived.
        """
        expected = receiver.count() + len(datagrams)
        here.sendTrains(gather(datagrams), receiver.address)
        self.settleUntil(lambda: receiver.count() >= expected)

    def assertArrive(self, datagrams: list[bytes]) -> None:
        """
        Send datagrams in as few trains as may be; each arrives, in order, and the
        same way once more when each is a train of its own.
        """
        for trains in (gather(datagrams), [Train(len(datagram), datagram) for datagram in datagrams]):
            receiver, source = self.correspond(trains)
            self.assertEqual(summary(receiver.datagrams()), summary(datagrams))
            self.assertEqual({each for _, each in receiver.trains}, {source})
            for train, _ in receiver.trains:
                self.assertTrue(train.datagrams == 1 or len(train.payload) <= MAX_TRAIN_BYTES)

    def test_datagramsOfEverySizeArriveUnchanged(self) -> None:
        for size in (0, 1, 2, 1400, 1500, 8192, 8193, 9000, 65506, 65507):
            datagram = numbered(size)
            receiver, source = self.correspond([Train(size, datagram)])
            self.assertEqual(receiver.trains, [(Train(size, datagram), source)])

    def test_trainArrivesAsItsDatagramsInOrder(self) -> None:
        self.assertArrive([bytes([number]) * 1000 for number in range(20)] + [b"short"])

    def test_longTrainsArriveWhole(self) -> None:
        """
        Also those that no single system call takes: of too many datagrams, or of too many bytes.
        """
        for size, count in ((3, 65), (200, 201), (1400, 64), (1400, 130), (9000, 20), (40000, 3), (65507, 3)):
            for last in (size, size - 1):
                self.assertArrive([numbered(size, start) for start in range(count)] + [numbered(last)])

    def test_datagramsOfAllLengthsMayFollowEachOther(self) -> None:
        self.assertArrive([numbered(size, size) for size in [1400] * 20 + [9000, 100, 1400, 0, 1401, 1399] * 3])
        self.assertArrive([numbered(size) for size in [100, 1400] * 15 + [65507, 100, 65507, 1]])
        self.assertArrive([numbered(size) for size in range(40)])
        self.assertArrive([numbered(size) for size in range(40, 0, -1)])

    def test_emptyDatagramsArriveAmongOthers(self) -> None:
        self.assertArrive([b"", b"", b"a", b"", b"bb", b"cc", b"", b"", b"", b"dd"] * 3)
        self.assertArrive([b""] * 100)

    def test_portLearnsAnewWhatItsPeerSends(self) -> None:
        receiver, here = self.open(), self.open()
        sent: list[bytes] = []
        for sizes in (
            [1400] * 30,
            [200] * 30,
            [9000] * 9,
            [7],
            [1400] * 70,
            [0] * 9,
            [1400, 50] * 9,
            [300] * 99,
            [65507],
        ):
            datagrams = [numbered(size, len(sent)) for size in sizes]
            sent += datagrams
            self.deliver(datagrams, here, receiver)
        self.assertEqual(summary(receiver.datagrams()), summary(sent))

    def test_loneDatagramsAndBurstsTakeTurns(self) -> None:
        """
        A port that has been quiet for long still gets all of a burst.
        """
        receiver, here = self.open(), self.open()
        sent: list[bytes] = []
        for number in range(60):
            datagrams = [numbered(100, number)] * (1 if number % 20 else 50)
            sent += datagrams
            self.deliver(datagrams, here, receiver)
        self.assertEqual(summary(receiver.datagrams()), summary(sent))

    def test_whatComesTogetherIsHandedOnInTrains(self) -> None:
        trains = [Train(4, b"aaaabbbbcc"), Train(0, b""), Train(3, b"dddeee")]
        receiver, source = self.correspond(trains)
        self.assertEqual(receiver.calls, [(trains, source)])

    def test_datagramThatIsTooLongCostsItselfOnly(self) -> None:
        receiver, _ = self.correspond([Train(65535, bytes(65535)), Train(4, b"next")])
        self.settleUntil(lambda: bool(receiver.trains))
        self.assertEqual(receiver.datagrams(), [b"next"])
        self.assertEqual(self.drops.totals[Drop.TOO_LONG], 1)

    def test_closedPortSendsNothing(self) -> None:
        receiver, here = self.open(), self.open()
        held = here.sendTrains
        self.close(here)
        for send in (held, here.sendTrains):
            send([Train(4, b"late"), Train(2, b"latest")], receiver.address)
        self.settleUntil(lambda: bool(receiver.trains))
        self.assertEqual(receiver.trains, [])
        self.assertEqual(sum(self.drops.totals.values()), 0)

    def test_closedPortReceivesNothing(self) -> None:
        receiver, here = self.open(), self.open()
        here.sendTrains([Train(5, b"early")], receiver.address)
        self.close(receiver)
        self.settleUntil(lambda: bool(receiver.trains))
        self.assertEqual(receiver.trains, [])
        self.assertEqual(receiver.lost, [])

    def test_portClosedByItsReceiverDeliversNoMore(self) -> None:
        class Closer(Receiver):
            def trainsReceived(self, trains: list[Train], source: Address) -> None:
                super().trainsReceived(trains, source)
                self.stopListening()

        receiver = Closer()
        self.openPort(receiver)
        for text in (b"a", b"bb", b"ccc"):
            self.open().sendTrains([Train(len(text), text)], receiver.address)
        self.settleUntil(lambda: len(receiver.trains) > 1)
        self.assertEqual(receiver.datagrams(), [b"a"])

    def test_closingTwiceIsAllowed(self) -> None:
        receiver = self.open()
        address = receiver.address
        self.close(receiver)
        self.close(receiver)
        self.assertEqual(self.open(address).address, address)
        self.assertEqual(receiver.lost, [])

    def test_protocolOutlivesItsPort(self) -> None:
        receiver, here = self.open(), self.open()
        for number in range(3):
            self.close(receiver)
            self.openPort(receiver)
            here.sendTrains([Train(1, b"x")], receiver.address)
            self.settleUntil(lambda number=number: len(receiver.trains) > number)  # type: ignore[misc]
        self.assertEqual(receiver.datagrams(), [b"x"] * 3)
        self.assertEqual(receiver.lost, [])

    def test_portMayListenAgain(self) -> None:
        receiver, here = Receiver(self.drops), self.open()
        port = self.openPort(receiver)
        self.close(receiver)
        port.startListening()
        here.sendTrains([Train(5, b"again")], receiver.address)
        self.settleUntil(lambda: bool(receiver.trains))
        self.assertEqual(receiver.trains, [(Train(5, b"again"), here.address)])

    def test_portThatStopsUnaskedIsLost(self) -> None:
        receiver, here = Receiver(self.drops), self.open()
        port = self.openPort(receiver)
        held = receiver.sendTrains
        port.stopListening()
        self.settleUntil(lambda: bool(receiver.lost))
        self.assertEqual(len(receiver.lost), 1)
        for send in (held, receiver.sendTrains):
            send([Train(4, b"late")], here.address)
        self.settleUntil(lambda: bool(here.trains))
        self.assertEqual(here.trains, [])

    def test_portIsATransportOfTwisted(self) -> None:
        """
        Whoever knows no trains can do with it what C{IUDPTransport} says.
        """
        receiver, sender = self.open(), Receiver(self.drops)
        port: Any = self.openPort(sender)
        for interface in (IUDPTransport, IListeningPort):
            self.assertTrue(verifyObject(interface, port))
        self.assertIs(sender.transport, port)
        self.assertFalse(port.getBroadcastAllowed())
        port.setBroadcastAllowed(True)
        self.assertTrue(port.getBroadcastAllowed())
        port.write(b"written", receiver.address[:2])
        self.assertRaises(MessageLengthError, port.write, bytes(65536), receiver.address[:2])
        self.assertRaises(InvalidAddressError, port.connect, "localhost", 9)
        port.connect(*receiver.address[:2])
        self.assertRaises(RuntimeError, port.connect, *receiver.address[:2])
        port.write(b"connected", None)
        self.assertRaises(MessageLengthError, port.write, bytes(65536), None)
        self.settleUntil(lambda: len(receiver.trains) > 1)
        self.assertEqual(receiver.datagrams(), [b"written", b"connected"])
        self.assertEqual({source for _, source in receiver.trains}, {sender.address})
        self.assertEqual(dict(self.drops.totals), {})

    def test_connectedPortHearsOneAlone(self) -> None:
        """
        It sends and receives as before, datagrams of all kinds.
        """
        peer, here, stranger = self.open(), Receiver(self.drops), self.open()
        port: Any = self.openPort(here)
        send = port.connectTo(peer.address)
        trains = [Train(4, b"ping"), Train(0, b""), Train(1000, bytes(2500)), Train(9, b"nine")]
        stranger.sendTrains([Train(3, b"who")], here.address)
        send(trains)
        here.sendTrains([Train(5, b"again")], peer.address)
        peer.sendTrains(trains, here.address)
        self.settleUntil(lambda: peer.count() == 7 and here.count() == 6)
        each = [datagram for train in trains for datagram in cut(train)]
        self.assertEqual(peer.datagrams(), [*each, b"again"])
        self.assertEqual({source for _, source in peer.trains}, {here.address})
        self.assertEqual(here.datagrams(), each)
        self.assertEqual({source for _, source in here.trains}, {peer.address})
        self.assertEqual(dict(self.drops.totals), {})
        port.stopListening()
        send(trains)
        stranger.sendTrains([Train(4, b"last")], peer.address)
        self.settleUntil(lambda: peer.count() > 7)
        self.assertEqual(peer.datagrams()[7:], [b"last"])

    def test_addressInUseIsAnOSError(self) -> None:
        error = self.assertRaises(OSError, self.openPort, Receiver(), self.open().address)
        self.assertIn("in use", str(error))

    def test_nobodyListeningCostsNothing(self) -> None:
        """
        What the target's machine says to that concerns the datagrams that are
        lost; as soon as somebody listens, the flow goes on.
        """
        first, here = self.open(), self.open()
        address = first.address
        self.close(first)
        for _ in range(120):
            here.sendTrains([Train(4, b"lost"), Train(4, b"lostlostlost")], address)
            self.turn()
        self.assertEqual(here.lost, [])
        receiver = self.open(address)
        here.sendTrains([Train(5, b"found")], address)
        self.settleUntil(lambda: bool(receiver.trains))
        self.assertEqual(receiver.trains, [(Train(5, b"found"), here.address)])

    def test_eachSenderIsReportedAsItself(self) -> None:
        """
        No call mixes datagrams of two sources, so that a stranger's can be told, and those of each are in order.
        """
        receiver, one, two = self.open(), self.open(), self.open()
        for sender, text in (
            (one, b"1a"),
            (one, b"1b"),
            (two, b"2a"),
            (one, b"1c"),
            (two, b""),
            (two, b"2long"),
            (one, b"1"),
        ):
            sender.sendTrains([Train(len(text), text)], receiver.address)
        self.settleUntil(lambda: len(receiver.datagrams()) >= 7)
        self.assertEqual(
            [receiver.datagramsFrom(each.address) for each in (one, two)],
            [[b"1a", b"1b", b"1c", b"1"], [b"2a", b"", b"2long"]],
        )
        self.assertEqual(len(receiver.datagrams()), 7)

    def test_trainsOfTwoSourcesStayApart(self) -> None:
        receiver, one, two = self.open(), self.open(), self.open()
        for number in range(20):
            for sender in (one, two):
                sender.sendTrains([Train(200, numbered(200, number) * 9)], receiver.address)
        self.settleUntil(lambda: len(receiver.datagrams()) >= 360)
        expected = [numbered(200, number) for number in range(20) for _ in range(9)]
        for sender in (one, two):
            self.assertEqual(summary(receiver.datagramsFrom(sender.address)), summary(expected))

    def test_oneTurnDeliversNoMoreThanItsShare(self) -> None:
        """
        A busy port lets others have their turn.
        """
        receiver, here = self.open(), self.open()
        here.sendTrains([Train(10, bytes(10))] * (3 * DATAGRAMS_PER_TURN), receiver.address)
        for _ in range(20):
            before = len(receiver.datagrams())
            self.turn()
            self.assertLessEqual(len(receiver.datagrams()) - before, DATAGRAMS_PER_TURN)
        self.assertEqual(len(receiver.datagrams()), 3 * DATAGRAMS_PER_TURN)


def numbered(size: int, start: int = 0) -> bytes:
    """
    @return: so many bytes, of which each is told from its neighbours.
    """
    return (bytes(range(start % 251, 251)) + bytes(range(251)) * (size // 251 + 1))[:size]


def summary(datagrams: list[bytes]) -> list[tuple[int, bytes]]:
    """
    @return: what two lists can be compared by, and read when they differ.
    """
    return [(len(datagram), datagram[:4] + datagram[-4:]) for datagram in datagrams]


class LinkContract(_Case):
    """
    Tries what a session may expect of every link.
    """

    def makeTunnel(self) -> Any:
        """
        @return: something that has a link from C{carryFor} on.
        """
        raise NotImplementedError

    def linkOf(self, tunnel: Any) -> Link:
        """
        @return: the link of what L{makeTunnel} has made, once it carries.
        """
        raise NotImplementedError

    def sentBy(self, tunnel: Any) -> list[bytes]:
        """
        @return: the datagrams that were sent.
        """
        raise NotImplementedError

    def test_readyLinkIsFreeOnce(self) -> None:
        session = RecordingSession()
        self.makeTunnel().carryFor(session)
        self.assertEqual(session.says, ["free"])

    def test_trainsAreSentInOrder(self) -> None:
        tunnel = self.makeTunnel()
        tunnel.carryFor(RecordingSession())
        trains = [Train(3, b"aaabbb"), Train(0, b""), Train(5, b"later")]
        for train in trains:
            self.linkOf(tunnel).send([train], 0.0)
        self.assertEqual(self.sentBy(tunnel), [datagram for train in trains for datagram in cut(train)])

    def test_severalTrainsMayBeSentAtOneGo(self) -> None:
        tunnel = self.makeTunnel()
        tunnel.carryFor(RecordingSession())
        self.linkOf(tunnel).send([Train(3, b"aaabbb"), Train(0, b"")], 0.0)
        self.linkOf(tunnel).send([Train(5, b"later")], 0.0)
        self.assertEqual(self.sentBy(tunnel), [b"aaa", b"bbb", b"", b"later"])

    def test_linkTellsWhenItWasGivenSomething(self) -> None:
        tunnel = self.makeTunnel()
        tunnel.carryFor(RecordingSession())
        link = self.linkOf(tunnel)
        self.assertLess(link.sentAt, 0)
        link.send([Train(5, b"later")], 17.5)
        self.assertEqual(link.sentAt, 17.5)

    def test_atRestNothingStandsBeforeTheNextTrain(self) -> None:
        tunnel = self.makeTunnel()
        tunnel.carryFor(RecordingSession())
        self.assertEqual((self.linkOf(tunnel).cost(), self.linkOf(tunnel).isTroubled()), (0, False))

    def test_endOfATunnelIsSaidAndNothingIsSentAfterwards(self) -> None:
        for end in ("close", "abort"):
            tunnel = self.makeTunnel()
            session = RecordingSession()
            tunnel.carryFor(session)
            link = self.linkOf(tunnel)
            getattr(tunnel, end)()
            getattr(tunnel, end)()
            link.send([Train(4, b"late")], 0.0)
            self.assertEqual(session.says, ["free", "gone"])
            self.assertEqual(self.sentBy(tunnel), [])


class StreamContract(_Case):
    """
    Tries what a tunnel may expect of every stream.

    @ivar here: whose stream is asked.
    @ivar there: who is at the other end.
    @cvar tellsTrouble: whether the system tells how a connection is.
    @cvar hearsGoodbye: whether who has closed hears the goodbye of the other end, and not only that all is over.
    """

    tellsTrouble = True
    hearsGoodbye = True

    here: Diarist
    there: Diarist

    def connect(self) -> None:
        """
        Connect L{here} and L{there}, new ones each time; the test need not end them.
        """
        raise NotImplementedError

    def stall(self, *, stalled: bool) -> None:
        """
        Have the other end stop to read, or read on.
        """
        raise NotImplementedError

    def settleUntil(self, condition: Callable[[], object]) -> None:
        """
        Let turns pass until something is so, or there is no hope.
        """
        raise NotImplementedError

    def fillUp(self) -> bytes:
        """
        Write until the stream is full; the other end does not read.

        @return: what was written.
        """
        self.stall(stalled=True)
        written = bytearray()
        while self.here.says[-1] != "pause":
            self.assertLess(len(written), 1 << 26)
            written += numbered(5000, len(written))
            self.here.transport.write(bytes(written[-5000:]))
        return bytes(written)

    def hear(self, expected: bytes) -> None:
        """
        See that the other end hears this, and no more.
        """
        self.settleUntil(lambda: len(b"".join(self.there.heard)) >= len(expected))
        self.assertEqual(summary([b"".join(self.there.heard)]), summary([expected]))

    def partInGoodOrder(self) -> None:
        """
        See that both ends lose the connection, once.
        """
        self.settleUntil(lambda: self.here.reason and self.there.reason)
        for end in (self.here, self.there):
            self.assertEqual(end.says.count("lost"), 1)

    def test_bytesArriveInOrder(self) -> None:
        self.connect()
        written = [numbered(size, size) for size in (1, 0, 1400, 16384, 16385, 3, 60000, 0, 1)]
        for data in written:
            self.here.transport.write(data)
        self.hear(b"".join(written))

    def test_whatComesMayBeAcknowledgedAtOnce(self) -> None:
        """
        That changes nothing but when the other kernel knows it.
        """
        self.connect()
        for _ in range(2):
            self.here.transport.acknowledge()
            self.here.transport.write(b"some")
            self.there.transport.acknowledge()
        self.hear(b"somesome")

    def test_atRestNothingStandsBeforeTheNextByte(self) -> None:
        self.connect()
        stream = self.here.transport
        self.settleUntil(lambda: stream.unacknowledged() in (0, None))
        self.assertEqual((stream.queuedBytes(), stream.cost(), stream.isTroubled()), (0, 0, False))
        self.assertIn(stream.unacknowledged(), (0, None))
        self.assertNotIn("pause", self.here.says)

    def test_firstByteThatIsHeldPausesAndTheLastThatGoesResumes(self) -> None:
        self.connect()
        written = self.fillUp()
        stream = self.here.transport
        held = stream.queuedBytes()
        self.assertGreater(held, 0)
        self.assertGreaterEqual(stream.cost(), held)
        self.assertGreaterEqual(stream.unacknowledged() or held, held)
        stream.write(b"more")
        self.assertGreaterEqual(stream.queuedBytes(), held + 4)
        self.stall(stalled=False)
        self.hear(written + b"more")
        self.settleUntil(lambda: self.here.says[-1] == "resume")
        self.assertEqual((self.here.says[-1], stream.queuedBytes()), ("resume", 0))

    def test_closeSendsWhatIsHeldFirst(self) -> None:
        """
        Also when somebody is paused, who hears no more of it; what is written afterwards is
        dropped, and closing again changes nothing.
        """
        self.connect()
        written = self.fillUp()
        for _ in range(2):
            self.here.transport.close()
            self.here.transport.write(b"late")
        self.stall(stalled=False)
        self.hear(written)
        self.partInGoodOrder()
        self.assertEqual(summary([b"".join(self.there.heard)]), summary([written]))
        assert self.here.reason is not None
        assert self.there.reason is not None
        self.here.reason.trap(ConnectionDone, *(() if self.hearsGoodbye else (ConnectionLost,)))
        self.there.reason.trap(ConnectionDone)
        self.assertNotIn("resume", self.here.says)

    def test_closingWhatIsAtRestEndsIt(self) -> None:
        self.connect()
        self.here.transport.close()
        self.partInGoodOrder()

    def test_abortDropsWhatIsHeld(self) -> None:
        self.connect()
        self.fillUp()
        for _ in range(2):
            self.here.transport.abort()
            self.here.transport.write(b"late")
        self.stall(stalled=False)
        self.partInGoodOrder()
        self.assertNotIn(b"late", b"".join(self.there.heard))
        assert self.here.reason is not None
        self.here.reason.trap(ConnectionAborted)

    def test_endedStreamIsLeftAlone(self) -> None:
        """
        Whoever still holds it does no harm with it, can ask what TLS has found out, and is told to go elsewhere.
        """
        for end in ("close", "abort"):
            self.connect()
            stream, known = self.here.transport, self.here.transport.security
            getattr(stream, end)()
            self.partInGoodOrder()
            stream.write(b"late")
            stream.acknowledge()
            stream.close()
            stream.abort()
            self.assertEqual((stream.security, stream.isTroubled()), (known, self.tellsTrouble))
            self.assertGreaterEqual(stream.cost(), TROUBLED)
            self.assertEqual((stream.pathStats(), stream.unacknowledged()), (None, None))
            self.partInGoodOrder()
