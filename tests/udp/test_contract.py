"""
The contract of a UDP port, held by its twin in memory; and what the real one does
about errors that loopback does not have.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from twisted.internet.interfaces import IListeningPort
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.contracts import DatagramPortContract
from tests.doubles.udp import MemoryUdp, Receiver
from tests.doubles.udpsockets import THERE, FakeUdpSocket, trouble
from uotp.boundaries import Address, DatagramReceiver
from uotp.telemetry.drops import Drop, Drops
from uotp.train import Train
from uotp.udp.base import PortContext
from uotp.udp.openers import openPort
from uotp.udp.portable import PortableDatagramPort


class MemoryDatagramPortTests(DatagramPortContract, SynchronousTestCase):
    """
    The twin holds what the real port holds.
    """

    def setUp(self) -> None:
        self.network = MemoryUdp()
        self.drops = self.network.drops

    def openPort(self, receiver: DatagramReceiver, address: Address | None = None) -> IListeningPort:
        return self.network.open(address or (self.host, 0), receiver)

    def turn(self) -> None:
        self.network.turn()

    def settleUntil(self, arrived: Callable[[], bool]) -> None:
        """
        Nothing is under way for long in memory.
        """
        self.network.settle()


class MemoryDatagramPortIPv6Tests(MemoryDatagramPortTests):
    """
    Hold it to the same with the longer addresses of IPv6.
    """

    host = "::1"


class PortableDatagramPortTroubleTests(SynchronousTestCase):
    """
    Errors of the network cost the datagram that they are about.
    """

    def setUp(self) -> None:
        self.socket = FakeUdpSocket()
        self.patch(PortContext, "openSocket", lambda *_: self.socket)
        self.drops = Drops()
        self.receiver = Receiver()
        self.reactor = MemoryReactorClock()
        context = PortContext(self.reactor, self.drops)
        self.port = openPort(PortableDatagramPort, context, ("192.0.2.7", 0), self.receiver)

    def test_sourcesShareACrowdedPort(self) -> None:
        """
        The socket is read empty, and each source has its turn.
        """
        context = PortContext(self.reactor, self.drops, shared=True)
        self.port.stopListening()
        self.socket = FakeUdpSocket()
        openPort(PortableDatagramPort, context, ("192.0.2.7", 0), self.receiver)
        other = ("192.0.2.9", 9)
        self.socket.toReceive.extend((bytes(1400), THERE) for _ in range(150))
        self.socket.toReceive[1] = (b"light", other)
        self.turn()
        self.assertEqual(self.socket.toReceive, [])
        self.assertEqual([source for _, source in self.receiver.trains[:2]], [THERE, other])
        self.reactor.advance(0)
        self.assertEqual(sum(train.datagrams for train, _ in self.receiver.trains), 150)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def turn(self) -> None:
        """
        Let every reader of the reactor read.
        """
        for reader in self.reactor.getReaders():
            reader.doRead()

    def test_errorsOfSendingAreCountedByTheirKind(self) -> None:
        """
        Nothing is raised, and the rest of the train goes.
        """
        for number, drop in (
            (errno.EPERM, Drop.SEND_REFUSED),
            (errno.EACCES, Drop.SEND_REFUSED),
            (errno.ENETUNREACH, Drop.SEND_REFUSED),
            (errno.EHOSTUNREACH, Drop.SEND_REFUSED),
            (errno.ECONNREFUSED, Drop.SEND_REFUSED),
            (errno.EINVAL, Drop.SEND_REFUSED),
            (errno.EMSGSIZE, Drop.TOO_LONG),
            (errno.EAGAIN, Drop.SEND_BUFFER_FULL),
            (errno.ENOBUFS, Drop.SEND_BUFFER_FULL),
        ):
            self.drops.totals.clear()
            self.socket.sent.clear()
            self.socket.toSend = [None, trouble(number), None]
            self.port.sendTrains([Train(3, b"onetwosix")], THERE)
            self.assertEqual((number, dict(self.drops.totals)), (number, {drop: 1}))
            self.assertEqual(self.socket.sent, [b"one", b"six"])

    def test_errorOfReceivingIsPassedOver(self) -> None:
        """
        It was about a datagram sent before; what comes behind it is delivered.
        """
        self.socket.toReceive = [trouble(errno.ECONNREFUSED), (b"fine", THERE), trouble(errno.EHOSTUNREACH)]
        self.turn()
        self.assertEqual(self.receiver.trains, [(Train(4, b"fine"), THERE)])

    def test_portThatDoesNothingButFailIsGivenUp(self) -> None:
        for turn in range(100):
            self.assertEqual((turn, self.receiver.lost), (turn, []))
            self.socket.toReceive = [trouble(errno.ENOTCONN)] * 64
            self.turn()
        self.assertEqual(len(self.receiver.lost), 1)
        self.assertTrue(self.socket.closed)
        self.assertEqual(self.reactor.getReaders(), [])

    def test_failuresAreForgivenWhenSomethingComes(self) -> None:
        """
        Only failures in a row mean that the port is of no use.
        """
        for _ in range(5):
            for _ in range(99):
                self.socket.toReceive = [trouble(errno.ENOTCONN)] * 64
                self.turn()
            self.socket.toReceive = [(b"fine", THERE)]
            self.turn()
        self.assertEqual(self.receiver.lost, [])

    def test_targetThatIsDownForLongCostsNoPort(self) -> None:
        """
        Where the system reports each unreachable datagram to the next receive, a
        port that has such a report and nothing else to read does not spin.
        """
        for _ in range(1000):
            self.socket.toReceive = [trouble(errno.ECONNRESET)]
            self.turn()
        self.assertEqual(self.receiver.lost, [])
        self.assertFalse(self.socket.closed)

    def test_reactorThatGivesUpIsSaidOnce(self) -> None:
        """
        So that whoever owns the port can open another.
        """
        (reader,) = self.reactor.getReaders()
        reader.connectionLost(None)
        reader.connectionLost(None)
        self.assertEqual(len(self.receiver.lost), 1)
        self.assertTrue(self.socket.closed)

    def test_portThatItsOwnerClosedIsNotLost(self) -> None:
        (reader,) = self.reactor.getReaders()
        self.receiver.stopListening()
        reader.connectionLost(None)
        self.assertEqual(self.receiver.lost, [])
