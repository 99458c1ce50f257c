"""
The contract of a UDP port, held by the real ones on loopback.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import skipUnless

from twisted.internet import reactor
from twisted.internet.interfaces import IListeningPort
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from bench.rig.procfs import descriptors
from bench.rig.programs import HANG_SECONDS
from tests.doubles.contracts import DatagramPortContract, numbered, summary
from tests.doubles.udp import Receiver
from uotp.boundaries import Address, DatagramPortOpener, DatagramReceiver
from uotp.net.sockopts import UDP_BUFFER_BYTES
from uotp.telemetry.drops import Drops
from uotp.train import MAX_TRAIN_BYTES, Train, cut
from uotp.udp import datagramPortOpener
from uotp.udp.base import PortContext
from uotp.udp.openers import openPort, openTwistedPort
from uotp.udp.portable import PortableDatagramPort
from uotp.udp.statistics import PortStatistics

if sys.platform == "linux":
    from uotp.udp import sideport

TURN_SECONDS = 0.002
"""How long a turn waits for something to read."""

SILENCE_SECONDS = 0.1
"""How long nothing must be heard to be believed: loopback takes microseconds."""

TURNS = 20
"""A port that has something to read and does not read it in so many turns never does."""

UDP_SEGMENT = 103
NO_CHECK6_TX = 101
NO_CHECK6_RX = 102
SO_NO_CHECK = 11
"""Numbers of Linux (linux/udp.h, asm-generic/socket.h)."""


class SocketPortTestCase(SynchronousTestCase):
    """
    Ports on loopback.
    """

    host = "127.0.0.1"
    drops: Drops

    def setUp(self) -> None:
        self.drops = Drops()
        self.opener = self.makeOpener()

    def makeOpener(self) -> DatagramPortOpener:
        """
        @return: opens the ports that are to be tried.
        """
        raise NotImplementedError

    def openPort(self, receiver: DatagramReceiver, address: Address | None = None) -> IListeningPort:
        """
        On loopback.
        """
        port = self.opener(address or (self.host, 0), receiver)
        self.addCleanup(port.stopListening)
        return port

    def turn(self) -> None:
        """
        Read once what is there.
        """
        self.turnWithin(TURN_SECONDS)

    def turnWithin(self, patience: float) -> bool:
        """
        Let Twisted's reactor do what there is to do.

        @param patience: seconds to wait for a descriptor.
        @return: whether any could be read.
        """
        untyped: Any = reactor
        readable = select.select(untyped.getReaders(), [], [], patience)[0]
        untyped.iterate(0)
        return bool(readable)

    def settleUntil(self, arrived: Callable[[], bool]) -> None:
        """
        Read until it is there, or until nothing comes.
        """
        deadline = time.monotonic() + HANG_SECONDS
        while not arrived() and time.monotonic() < deadline and self.turnWithin(SILENCE_SECONDS):
            pass


class _OwnPortContract(DatagramPortContract):
    """
    What Twisted's own port cannot do.
    """

    def test_connectedPortOutlivesItsPeer(self) -> None:
        """
        Nobody listens there for a while, and every datagram is answered with an error; the first one after that
        arrives, and so does the answer.
        """
        here, gone = Receiver(self.drops), self.open()
        port: Any = self.openPort(here)
        send = port.connectTo(gone.address)
        self.close(gone)
        for train in [Train(4, b"lost"), Train(100, bytes(1000))] * 50:
            send([train])
            self.turn()
        self.assertEqual((here.lost, port.connected), ([], True))
        peer = Receiver(self.drops)
        self.openPort(peer, gone.address)
        send([Train(4, b"back")])
        self.settleUntil(lambda: bool(peer.trains))
        self.assertEqual(peer.datagrams(), [b"back"])
        peer.sendTrains([Train(4, b"here")], here.address)
        self.settleUntil(lambda: bool(here.trains))
        self.assertEqual((here.datagrams(), here.lost), ([b"here"], []))


class PortableDatagramPortTests(SocketPortTestCase, _OwnPortContract):
    """
    The one for all systems.
    """

    def makeOpener(self) -> DatagramPortOpener:
        """
        Of this kind, wherever we are.
        """
        return partial(openPort, PortableDatagramPort, PortContext(reactor, self.drops))


class PortableDatagramPortIPv6Tests(PortableDatagramPortTests):
    """
    The same over IPv6.
    """

    host = "::1"


class TwistedPortTests(SocketPortTestCase, DatagramPortContract):
    """
    Twisted's own port drives our protocols datagram by datagram.  What it cannot hold of
    the contract is told by the tests here that take the place of the contract's.
    """

    def makeOpener(self) -> DatagramPortOpener:
        """
        By C{listenUDP}.
        """
        self.addCleanup(self.turn)  # a port is closed in the turn after it was told to stop
        return partial(openTwistedPort, PortContext(reactor, self.drops))

    def test_whatComesTogetherIsHandedOnInTrains(self) -> None:
        """
        Twisted knows no trains: each datagram is handed on alone, with a call of its own.
        """
        receiver, source = self.correspond([Train(4, b"aaaabbbbcc"), Train(0, b""), Train(3, b"dddeee")])
        alone = [b"aaaa", b"bbbb", b"cc", b"", b"ddd", b"eee"]
        self.assertEqual(receiver.calls, [([Train(len(each), each)], source) for each in alone])

    def test_oneTurnDeliversNoMoreThanItsShare(self) -> None:
        """
        Twisted bounds a turn in bytes alone, at a quarter of a megabyte and one datagram.
        """
        receiver, here = self.open(), self.open()
        here.sendTrains([Train(9000, bytes(9000))] * 90, receiver.address)
        found = [0]
        while found[-1] < 90:
            self.turn()
            found.append(len(receiver.datagrams()))
            self.assertLessEqual((found[-1] - found[-2]) * 9000, 256 * 1024 + 9000)
        self.assertGreater(len(found), 3)

    def test_portMayListenAgain(self) -> None:
        """
        Twisted's binds again and then reads nothing, so our ends open another in its place.
        """
        receiver, here = Receiver(self.drops), self.open()
        port = self.openPort(receiver)
        self.close(receiver)
        port.startListening()
        here.sendTrains([Train(5, b"again")], receiver.address)
        for _ in range(TURNS):
            self.turnWithin(SILENCE_SECONDS)
        self.assertEqual(receiver.trains, [])
        self.openPort(receiver := Receiver(self.drops))
        here.sendTrains([Train(7, b"another")], receiver.address)
        self.settleUntil(lambda: bool(receiver.trains))
        self.assertEqual(receiver.datagrams(), [b"another"])

    def test_connectedPortHearsOneAlone(self) -> None:
        """
        Twisted's cannot be connected with flow and scope, and would be lost as the next test shows: so it never is.
        """
        self.assertFalse(hasattr(self.openPort(Receiver(self.drops)), "connectTo"))

    @skipUnless(sys.platform == "linux", "other reactors say that the connection was refused")
    def test_connectedPortIsLostWithOneDatagramThatNobodyTakes(self) -> None:
        """
        So no end of ours connects it, and each tells by the source whom it hears; and
        a protocol of ours would hear of the loss.
        """
        receiver, gone = Receiver(self.drops), self.open()
        port: Any = self.openPort(receiver)
        self.close(gone)
        port.connect(*gone.address[:2])
        port.write(b"lost", None)
        self.settleUntil(lambda: bool(receiver.lost))
        self.assertEqual(receiver.lost, ["its transport has stopped"])


class TwistedPortIPv6Tests(TwistedPortTests):
    """
    The same over IPv6.
    """

    host = "::1"


class ChosenDatagramPortTests(SocketPortTestCase, _OwnPortContract):
    """
    What this system is given.
    """

    def makeOpener(self) -> DatagramPortOpener:
        """
        As the services get it.
        """
        return datagramPortOpener(reactor, self.drops)

    @skipUnless(sys.platform == "linux", "others have no such port")
    def test_onLinuxItIsThePortForLinux(self) -> None:
        """
        Which needs nothing that is not installed with us.
        """
        self.assertEqual(type(self.openPort(Receiver())).__name__, "LinuxDatagramPort")

    @skipUnless(sys.platform == "linux", "other systems count differently")
    def test_statisticsAreTheKernels(self) -> None:
        """
        What waits, and what was dropped since there was no room; nothing is left of them
        when the port is closed.
        """
        receiver, here = Receiver(), self.open()
        port: Any = self.openPort(receiver)
        port._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        before = port.statistics()
        self.assertEqual(before, PortStatistics(port.getHost(), 16384, 0, before.sendBuffer, 0, 0))
        self.assertGreaterEqual(before.sendBuffer, UDP_BUFFER_BYTES)
        here.sendTrains([Train(1400, bytes(1400))] * 100, receiver.address)
        after = port.statistics()
        self.settleUntil(lambda: False)
        self.assertGreater(after.receiveHeld, 8192)
        self.assertGreater(after.kernelDrops, 0)
        self.assertEqual(after.kernelDrops, 100 - len(receiver.datagrams()))
        port.stopListening()
        self.assertEqual(port.statistics(), PortStatistics(port.getHost()))

    @skipUnless(sys.platform == "linux", "other systems count differently")
    def test_portAsksForLargeBuffers(self) -> None:
        """
        More than the system's default, which is less than one burst.
        """
        port: Any = self.openPort(Receiver())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                default = plain.getsockopt(socket.SOL_SOCKET, option)
                plain.setsockopt(socket.SOL_SOCKET, option, UDP_BUFFER_BYTES)
                allowed = plain.getsockopt(socket.SOL_SOCKET, option)
                found = port._socket.getsockopt(socket.SOL_SOCKET, option)
                self.assertGreaterEqual(found, max(default, allowed))


class ChosenDatagramPortIPv6Tests(ChosenDatagramPortTests):
    """
    The same over IPv6.
    """

    host = "::1"


@skipUnless(sys.platform == "linux", "needs UDP_SEGMENT and UDP_GRO")
class CoalescedTests(SocketPortTestCase):
    """
    What the kernel hands on as one message, from a sender that lets it cut.
    """

    def setUp(self) -> None:
        super().setUp()
        self.receiver = Receiver()
        self.port: Any = self.openPort(self.receiver)
        self.one, self.two = self.sender(), self.sender()
        self.sent: dict[socket.socket, list[bytes]] = {self.one: [], self.two: []}

    def makeOpener(self) -> DatagramPortOpener:
        """
        For Linux.
        """
        return datagramPortOpener(reactor, self.drops)

    def sender(self) -> socket.socket:
        """
        @return: a plain socket.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        made = socket.socket(family, socket.SOCK_DGRAM)
        self.addCleanup(made.close)
        made.bind((self.host, 0))
        return made

    def send(self, sender: socket.socket, segment: int, size: int) -> None:
        """
        Send datagrams with one call.
        """
        payload = numbered(size, len(self.sent[sender]))
        if size > segment:
            control = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", segment))]
            sender.sendmsg([payload], control, 0, self.receiver.address)
        else:
            sender.sendto(payload, self.receiver.address)
        self.sent[sender] += cut(Train(segment, payload))

    def assertArrived(self) -> None:
        """
        Everything has, in the order of each sender.
        """
        expected = sum(map(len, self.sent.values()))
        self.settleUntil(lambda: len(self.receiver.datagrams()) >= expected)
        for sender, datagrams in self.sent.items():
            found = self.receiver.datagramsFrom(sender.getsockname())
            self.assertEqual(summary(found), summary(datagrams))
        self.assertEqual(len(self.receiver.datagrams()), expected)

    def test_anyLengthIsCutAsItWas(self) -> None:
        """
        Whether the last datagram is shorter, or not.
        """
        for segment in (1, 2, 100, 200, 1000, 1400, 1472, 9000, 30000):
            most = min(64, MAX_TRAIN_BYTES // segment) * segment
            for size in {most, most - 1, segment + 1, segment * 2 - 1, segment}:
                self.send(self.one, segment, size)
            self.assertArrived()

    def test_kernelDoesCoalesce(self) -> None:
        """
        A train of 64 datagrams comes with one call, and in one piece.
        """
        self.send(self.one, 1000, 64000)
        self.settleUntil(lambda: bool(self.receiver.calls))
        self.assertEqual([[len(train.payload) for train in trains] for trains, _ in self.receiver.calls], [[64000]])

    def test_coalescedAndLoneOnesMix(self) -> None:
        for _ in range(5):
            for sender, segment, size in (
                (self.one, 1400, 14000),
                (self.one, 1400, 1400),
                (self.two, 1400, 14000),
                (self.one, 1400, 2000),
                (self.one, 100, 100),
                (self.two, 200, 12800),
                (self.two, 0, 0),
                (self.two, 200, 200),
                (self.two, 200, 12799),
                (self.one, 65507, 65507),
                (self.one, 1400, 64400),
            ):
                self.send(sender, segment, size)
            self.assertArrived()

    def test_quietPortIsReadyForThem(self) -> None:
        for number in range(50):
            self.send(self.one, 100, 100 if number % 3 else 6400)
            self.assertArrived()

    def test_oneTurnIsBoundedInBytes(self) -> None:
        for _ in range(30):
            self.send(self.one, 1400, 64400)
        turns = 0
        while len(self.receiver.datagrams()) < 30 * 46:
            before = sum(len(train.payload) for train, _ in self.receiver.trains)
            self.turn()
            turns += 1
            taken = sum(len(train.payload) for train, _ in self.receiver.trains) - before
            self.assertLessEqual(taken, 256 * 1024 if turns > 1 else 512 * 1024)

    def test_socketThatMayNotCutSendsOneByOne(self) -> None:
        """
        The kernel does not cut for a socket without checksums; everything arrives,
        and trains are tried once.
        """
        sending = Receiver()
        sender: Any = self.openPort(sending)
        if ":" in self.host:
            sender._socket.setsockopt(socket.IPPROTO_UDP, NO_CHECK6_TX, 1)
            self.port._socket.setsockopt(socket.IPPROTO_UDP, NO_CHECK6_RX, 1)
        else:
            sender._socket.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        train = Train(100, numbered(950))
        with capturedLogs() as events:
            for _ in range(3):
                sending.sendTrains([train], self.receiver.address)
        self.settleUntil(lambda: len(self.receiver.datagrams()) >= 30)
        self.assertEqual(self.receiver.datagrams(), cut(train) * 3)
        self.assertEqual(len([event for event in events if event["log_level"] >= LogLevel.info]), 1)
        self.assertEqual(dict(self.drops.totals), {})


class CoalescedIPv6Tests(CoalescedTests):
    """
    The same over IPv6.
    """

    host = "::1"


@skipUnless(sys.platform == "linux", "only Linux gives one source a socket of its own")
class SidePortTests(SocketPortTestCase):
    """
    Let one source fill a port that it shares with others.

    @cvar bound: where the port is bound.
    """

    bound = "127.0.0.1"

    def setUp(self) -> None:
        super().setUp()
        self.patch(sideport, "QUIET_LOOK_SECONDS", 0.02)
        self.patch(sideport, "MAX_QUIET_LOOKS", sys.maxsize)  # however slow the test is
        self.receiver = Receiver()
        self.sides: set[Any] = set()
        self.port: Any = self.openPort(self.receiver, (self.bound, 0))
        self.heavy, self.light = self.sender(), self.sender()
        self.readers = len(self.allReaders())
        self.descriptors = descriptors(os.getpid())
        self.crowd()

    def makeOpener(self) -> DatagramPortOpener:
        """
        As a client has it.
        """
        return datagramPortOpener(reactor, self.drops, shared=True)

    def sender(self) -> socket.socket:
        """
        @return: a plain socket, that knows the way to the port.
        """
        made = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(made.close)
        made.settimeout(HANG_SECONDS)
        made.connect((self.host, self.port.getHost().port))
        return made

    def allReaders(self) -> list[Any]:
        """
        @return: what the reactor watches.
        """
        untyped: Any = reactor
        return list(untyped.getReaders())

    def crowd(self) -> None:
        """
        Fill the port until the heavy source has a socket of its own.
        """
        for _ in range(100):
            self.light.send(b"light")
            for _ in range(250):
                self.heavy.send(bytes(1400))
            self.turn()
            if len(self.allReaders()) > self.readers:
                break
        sides = {one.fileno(): one for one in self.allReaders() if type(one).__name__ == "SidePort"}
        (self.side,) = set(sides.values()) - self.sides
        self.sides.add(self.side)
        self.settleUntil(lambda: False)

    def whatWaits(self, one: socket.socket) -> list[bytes]:
        """
        @return: what the kernel has for a socket, which is taken.
        """
        came: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while True:
                came.append(one.recv(2000))
        return came

    def test_secondHeavySourceGetsOneToo(self) -> None:
        """
        And then nobody else may bind the port either.
        """
        first, second = self.side, self.sender()
        self.heavy = second
        self.readers += 1
        self.crowd()
        self.assertIsNot(self.side, first)
        second.send(b"second")
        self.assertEqual(self.whatWaits(self.side.socket), [b"second"])
        self.assertEqual(self.whatWaits(self.port._socket), [])
        self.test_nobodyElseMayBindThePort()

    def test_eachHasASocketOfItsOwn(self) -> None:
        """
        What the heavy source sends comes apart from what others send, old ones and new ones.
        """
        newcomer = self.sender()
        for _ in range(3):
            for sender, words in ((self.heavy, b"heavy"), (self.light, b"light"), (newcomer, b"newcomer")):
                sender.send(words)
        self.assertEqual(self.whatWaits(self.side.socket), [b"heavy"] * 3)
        self.assertEqual(self.whatWaits(self.port._socket), [b"light", b"newcomer"] * 3)

    def hasCome(self, words: bytes) -> bool:
        return bool(self.cameWith(words))

    def cameWith(self, words: bytes) -> list[tuple[Train, Address]]:
        """
        @return: the trains that are nothing but these words.
        """
        return [(train, source) for train, source in self.receiver.trains if train.payload == words]

    def test_whatComesIsHandedOnAsBefore(self) -> None:
        """
        And answers come from where the question went to, which a connected socket checks.
        """
        for sender, words in ((self.heavy, b"the heavy one"), (self.light, b"the light one")):
            sender.send(words)
            self.settleUntil(partial(self.hasCome, words))  # on a busy machine some of the crowd come as late
            ((train, source),) = self.cameWith(words)
            self.receiver.sendTrains([train], source)
            self.assertEqual(sender.recv(100), words)

    def test_nobodyElseMayBindThePort(self) -> None:
        """
        Whatever he allows.
        """
        for option in (None, socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            with socket.socket(self.port._socket.family, socket.SOCK_DGRAM) as other:
                if option is not None:
                    other.setsockopt(socket.SOL_SOCKET, option, 1)
                self.assertRaises(OSError, other.bind, self.port._socket.getsockname())

    def test_sourceThatIsGoneCostsNothing(self) -> None:
        """
        The kernel tells the side socket that nobody takes the answer.
        """
        self.heavy.send(b"last")
        gone = self.heavy.getsockname()
        self.heavy.close()
        for _ in range(TURNS):
            self.receiver.sendTrains([Train(6, b"answer")], gone)
            self.turn()
        self.light.send(b"then")
        self.settleUntil(lambda: b"then" in self.receiver.datagrams())
        self.assertIn(b"last", self.receiver.datagrams())
        self.assertEqual((self.receiver.lost, self.port.connected), ([], True))

    def test_quietSourceGivesItBack(self) -> None:
        """
        The descriptor, too; and what it sends then comes as before.
        """
        self.patch(sideport, "MAX_QUIET_LOOKS", 5)
        deadline = time.monotonic() + HANG_SECONDS
        while len(self.allReaders()) > self.readers and time.monotonic() < deadline:
            self.turnWithin(TURN_SECONDS)
        self.assertEqual((len(self.allReaders()), descriptors(os.getpid())), (self.readers, self.descriptors))
        self.heavy.send(b"again")
        self.assertEqual(self.whatWaits(self.port._socket), [b"again"])

    def test_closedPortGivesItBack(self) -> None:
        self.port.stopListening()
        self.assertEqual((len(self.allReaders()), descriptors(os.getpid())), (self.readers - 1, self.descriptors - 1))


class SidePortOfAnyAddressTests(SidePortTests):
    """
    The same where the port is bound to no address.
    """

    bound = "0.0.0.0"  # noqa: S104 - to be tried


class SidePortOfOneOfSeveralAddressesTests(SidePortOfAnyAddressTests):
    """
    The same where what is sent to is not the address that the kernel would choose.
    """

    host = "127.0.0.2"


class SidePortOfOneOfBothFamiliesTests(SidePortOfOneOfSeveralAddressesTests):
    """
    The same where a port for IPv6 takes what IPv4 sends.
    """

    bound = "::"


class SidePortIPv6Tests(SidePortTests):
    """
    The same over IPv6.
    """

    host = bound = "::1"


class SidePortOfAnyIPv6AddressTests(SidePortTests):
    """
    The same over IPv6, where the port is bound to no address.
    """

    host, bound = "::1", "::"
