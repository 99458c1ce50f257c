"""
The UDP port for Linux on paths that loopback is not: with a small MTU, devices
that leave checksums to us, routes that refuse, link-local addresses; and a
system that gives little buffer.  In network namespaces, as root.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import shutil
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from bench.rig.namespaces import Namespace, command
from bench.rig.programs import HANG_SECONDS
from tests.doubles.contracts import numbered, summary
from tests.doubles.targets import targetMaker
from tests.doubles.udp import Receiver
from tests.integration.harness import needed, runToEnd
from tests.integration.hosts import needTwoHosts, newNamespace
from tests.integration.test_datagram_port import SocketPortTestCase
from uotp.boundaries import Address, DatagramPortOpener
from uotp.net.resolver import SharedResolver
from uotp.net.routes import Routes
from uotp.server.target import Target
from uotp.telemetry.drops import Drop
from uotp.train import TakeTrains, Train, countOf, cut
from uotp.udp import datagramPortOpener

SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM = 0x17
"""Numbers of Linux (linux/sockios.h, linux/ethtool.h)."""

TURN_SECONDS = 0.02
"""How long a turn may wait for something to happen."""

KNOCK_SECONDS = 0.05
KNOCKS = 6000
"""Five minutes for a link to be up: its carrier, and the addresses of the neighbours."""

OPEN_LARGE = """
import sys
from twisted.internet.selectreactor import SelectReactor
from twisted.logger import globalLogBeginner, textFileLogObserver
from uotp.udp import TrainProtocol, datagramPortOpener
from uotp.telemetry.drops import Drops
globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
openPort = datagramPortOpener(SelectReactor(), Drops(), int(sys.argv[1]))
for _ in range(3):
    openPort(("127.0.0.1", 0), TrainProtocol(Drops()))
"""
"""A program that opens three ports with such buffers."""


class PathTestCase(SocketPortTestCase):
    """
    Two namespaces with a link between them.
    """

    def setUp(self) -> None:
        needTwoHosts()
        super().setUp()
        self.here, self.there = (newNamespace(self, name) for name in ("here", "there"))
        command(*f"ip link add left netns {self.here.name} type veth peer name right netns {self.there.name}".split())
        for namespace, device, number in ((self.here, "left", 1), (self.there, "right", 2)):
            command(*f"ip -n {namespace.name} address add 10.9.0.{number}/24 dev {device}".split())
            command(*f"ip -n {namespace.name} address add fd09::{number}/64 dev {device} nodad".split())
            command(*f"ip -n {namespace.name} address add fe80::{number}/64 dev {device} nodad".split())
            command(*f"ip -n {namespace.name} link set {device} up".split())
        for host in ("10.9.0.2", "fd09::2"):
            self.waitForWay(host)

    def waitForWay(self, host: str) -> None:
        """
        Knock at an address on the other side until somebody answers that nobody listens.
        """
        with self.here.inside():
            knocker = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(knocker.close)
        knocker.settimeout(KNOCK_SECONDS)
        knocker.connect((host, 9))
        for _ in range(KNOCKS):
            try:
                knocker.send(b"")
                knocker.recv(1)
            except ConnectionRefusedError:
                return
            except OSError as error:  # a time-out is one too
                self.assertIn(error.errno, {None, errno.EAGAIN, errno.EHOSTUNREACH, errno.ENETUNREACH})
        self.fail(f"no way to {host}")

    def makeOpener(self) -> DatagramPortOpener:
        """
        For Linux.
        """
        return datagramPortOpener(reactor, self.drops)

    def openIn(self, namespace: Namespace, host: str) -> Receiver:
        """
        @return: a protocol on a port of a namespace.
        """
        receiver = Receiver(self.drops)
        with namespace.inside():
            self.openPort(receiver, (host, 0, 0, 0) if ":" in host else (host, 0))
        return receiver

    def linesOf(self, sender: Receiver, trains: list[Train], destination: Address) -> list[str]:
        """
        Send trains.

        @return: what a user reads of it.
        """
        with capturedLogs() as events:
            sender.sendTrains(trains, destination)
        return [formatEvent(event) for event in events if event["log_level"] >= LogLevel.info]

    def assertArrive(
        self, source: tuple[Namespace, str], target: tuple[Namespace, str], trains: list[Train]
    ) -> list[str]:
        """
        Send trains twice, each datagram of which arrives.

        @param source: a namespace, and an address there.
        @return: what a user reads of it.
        """
        receiver, sender = self.openIn(*target), self.openIn(*source)
        lines: list[str] = []
        for times in (1, 2):
            lines += self.linesOf(sender, trains, receiver.address)
            expected = times * countOf(trains)
            self.settleUntil(lambda expected=expected: len(receiver.datagrams()) >= expected)  # type: ignore[misc]
        sent = [datagram for train in trains for datagram in cut(train)]
        self.assertEqual(summary(receiver.datagrams()), summary(sent * 2))
        self.assertEqual(dict(self.drops.totals), {})
        return lines


class SmallMtuTests(PathTestCase):
    """
    A datagram that does not fit is fragmented, and C{UDP_SEGMENT} does not do that.
    """

    def test_whatDoesNotFitGoesOneByOne(self) -> None:
        command(*f"ip -n {self.here.name} link set lo mtu 1400".split())
        for host in ("127.0.0.1", "::1"):
            lines = self.assertArrive(
                (self.here, host),
                (self.here, host),
                [Train(1400, numbered(14000)), Train(1300, numbered(13000)), Train(1401, numbered(7000))],
            )
            self.assertEqual(len(lines), host == "127.0.0.1")
            for line in lines:
                self.assertIn("1400 bytes are longer than the path to 127.0.0.1", line)

    def test_mtuThatShrinksOnTheWay(self) -> None:
        """
        Trains go on while they fit, and one by one from then on.
        """
        receiver, sender = self.openIn(self.there, "10.9.0.2"), self.openIn(self.here, "10.9.0.1")
        train = Train(1400, numbered(14000))
        self.assertEqual(self.linesOf(sender, [train], receiver.address), [])
        command(*f"ip -n {self.here.name} link set left mtu 1200".split())
        self.assertEqual(len(self.linesOf(sender, [train], receiver.address)), 1)
        self.assertEqual(self.linesOf(sender, [train], receiver.address), [])
        self.settleUntil(lambda: len(receiver.datagrams()) >= 30)
        self.assertEqual(summary(receiver.datagrams()), summary(cut(train) * 3))


class LinkTests(PathTestCase):
    """
    Between two hosts.
    """

    TRAINS = [Train(1400, numbered(64000)), Train(200, numbered(30000)), Train(5, b"short")]

    def test_trainsCrossALink(self) -> None:
        for left, right in (("10.9.0.1", "10.9.0.2"), ("fd09::1", "fd09::2")):
            self.assertEqual(self.assertArrive((self.here, left), (self.there, right), self.TRAINS), [])

    def test_deviceWithoutChecksums(self) -> None:
        """
        Leaves them to the kernel, which may then refuse to cut: everything arrives.
        """
        with self.here.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_:
            off = array.array("I", [ETHTOOL_STXCSUM, 0])
            fcntl.ioctl(any_, SIOCETHTOOL, struct.pack("16sP16x", b"left", off.buffer_info()[0]))
        for left, right in (("10.9.0.1", "10.9.0.2"), ("fd09::1", "fd09::2")):
            lines = self.assertArrive((self.here, left), (self.there, right), self.TRAINS)
            self.assertLessEqual(len(lines), 1)

    def test_sourcesAreNamedAsTheSocketModuleNamesThem(self) -> None:
        """
        A link-local one with its scope, alone or in a batch.
        """
        with self.there.inside():
            scope = socket.if_nametoindex("right")
            receiver = Receiver()
            self.openPort(receiver, ("fe80::2", 0, 0, scope))
            plain = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.addCleanup(plain.close)
            plain.bind(("fe80::2", 0, 0, scope))
            plain.settimeout(HANG_SECONDS)
        with self.here.inside():
            sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.addCleanup(sender.close)
            there = socket.if_nametoindex("left")
            sender.bind(("fe80::1", 0, 0, there))
        for number in range(20):
            sender.sendto(b"hello", ("fe80::2", receiver.address[1], 0, there))
            self.settleUntil(lambda number=number: len(receiver.trains) > number)  # type: ignore[misc]
        sender.sendto(b"hello", (*plain.getsockname()[:2], 0, there))
        expected = plain.recvfrom(9)[1]
        self.assertEqual(expected[3], scope)
        self.assertEqual([source for _, source in receiver.trains], [expected] * 20)

    def test_routeThatRefusesCostsTheDatagrams(self) -> None:
        """
        Each is counted, and when there is a way again, trains take it.
        """
        receiver = self.openIn(self.there, "10.9.0.2")
        sender: Any = self.openIn(self.here, "0.0.0.0")  # noqa: S104 - in a namespace of its own
        train = Train(1000, numbered(9500))
        for kind in ("prohibit", "unreachable", "blackhole"):
            route = f"{kind} 10.9.0.2/32"
            command(*f"ip -n {self.here.name} route add {route}".split())
            self.assertEqual(self.linesOf(sender, [train], receiver.address), [])
            self.assertEqual((kind, dict(self.drops.totals)), (kind, {Drop.SEND_REFUSED: 10}))
            self.drops.totals.clear()
            command(*f"ip -n {self.here.name} route del {route}".split())
        sender.transport._sendto = None  # no datagram goes alone
        self.assertEqual(self.linesOf(sender, [train], receiver.address), [])
        self.settleUntil(lambda: len(receiver.datagrams()) >= 10)
        self.assertEqual(summary(receiver.datagrams()), summary(cut(train)))


class BufferTests(SynchronousTestCase):
    """
    How much buffer a program gets that may not take more than its share.
    """

    def test_withoutThePrivilegeThereIsOneWarning(self) -> None:
        """
        For all ports, with the limit that the system has.
        """
        setpriv = shutil.which("setpriv")
        if sys.platform != "linux" or os.geteuid() != 0 or setpriv is None:
            needed("giving up CAP_NET_ADMIN needs root, on Linux, and setpriv")
        most = int(Path("/proc/sys/net/core/rmem_max").read_text(encoding="ascii"))
        for wanted, warnings in ((2 * most, 1), (most, 0)):
            program = [sys.executable, "-c", OPEN_LARGE, str(wanted)]
            done = runToEnd([setpriv, "--bounding-set", "-net_admin", *program])
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(len(done.stdout.splitlines()), warnings, done.stdout)
            if warnings:
                self.assertIn(f"{most} bytes of buffer instead of {wanted}", done.stdout)


class RouteTests(PathTestCase):
    """
    A session's socket, bound to the address that leads to the target.
    """

    def setUp(self) -> None:
        super().setUp()
        self.received: list[Train] = []
        self.ways: list[TakeTrains] = []
        self.routes = Routes(reactor.seconds)

    def session(self, target: Address) -> Target:
        """
        @return: what talks with a target on the other side, from here.
        """
        resolver = SharedResolver(lambda find, done: done(find()))
        protocol = targetMaker(target[:2], self.makeOpener(), resolver, reactor, self.drops, self.routes.to)()
        self.addCleanup(protocol.close)
        with self.here.inside():
            protocol.open(self.received.extend, self.ways.append)
        return protocol

    def ask(self, protocol: Target, target: Receiver, *, answered: bool = True) -> Address:
        """
        Send until something comes from an address that was not seen before, as programs do.

        @param answered: whether the target answers.
        @return: that address.
        """
        seen = {source for _, source in target.trains}

        def came() -> bool:
            self.ways[-1]([Train(4, b"ping")])
            if protocol._search.main is not None and ":" in target.address[0] and self.routes.refresh():
                protocol.checkRoute()  # as the server does; over IPv4 an error of sending is enough
            return bool(new())

        def new() -> set[Address]:
            return {source for _, source in target.trains} - seen

        self.keepAsking(came)
        (source,) = new()
        if answered:
            self.received.clear()
            target.sendTrains([Train(4, b"pong")], source)
            self.settleUntil(lambda: bool(self.received))
            self.assertEqual(self.received, [Train(4, b"pong")])
        return source

    def keepAsking(self, came: Callable[[], bool]) -> None:
        """
        Let turns pass on this side until something has come.

        @param came: sends something, and tells whether anything has come.
        """
        deadline = time.monotonic() + HANG_SECONDS
        with self.here.inside():
            while not came() and time.monotonic() < deadline:
                reactor.iterate(TURN_SECONDS)

    def test_socketMovesWithTheAddressThatLeadsToTheTarget(self) -> None:
        """
        It keeps its port, whether it was connected before or not.
        """
        for there, prefix, length in (("10.9.0.2", "10.9.0.", 24), ("fd09::2", "fd09::", 64)):
            for answered, old, new in ((False, 1, 3), (True, 3, 4)):
                target = self.openIn(self.there, there)
                protocol = self.session(target.address)
                before = self.ask(protocol, target, answered=answered)
                self.assertEqual(before[0], f"{prefix}{old}")
                command(*f"ip -n {self.here.name} address del {prefix}{old}/{length} dev left".split())
                nodad = "nodad" if ":" in prefix else ""
                command(*f"ip -n {self.here.name} address add {prefix}{new}/{length} dev left {nodad}".split())
                after = self.ask(protocol, target)
                self.assertEqual(after[:2], (f"{prefix}{new}", before[1]))

    def test_flowGoesOnWhenTheWayComesBack(self) -> None:
        """
        With the same socket.
        """
        target = self.openIn(self.there, "10.9.0.2")
        before = self.ask(self.session(target.address), target)
        command(*f"ip -n {self.here.name} link set left down".split())
        with self.here.inside():
            self.ways[-1]([Train(4, b"lost")])
            self.turn()
        command(*f"ip -n {self.here.name} link set left up".split())
        count = target.count()

        def came() -> bool:
            self.ways[-1]([Train(4, b"ping")])
            return target.count() > count

        self.keepAsking(came)
        self.assertEqual({source for _, source in target.trains}, {before})

    def test_linkLocalTargetIsReachedThroughItsLink(self) -> None:
        """
        From an address of that link: the kernel has given it one of its own, too, and takes either.
        """
        target = self.openIn(self.there, "fd09::2")
        target.stopListening()
        with self.there.inside():
            self.openPort(target, ("fe80::2", 0, 0, socket.if_nametoindex("right")))
        with self.here.inside():
            scope = socket.if_nametoindex("left")
        protocol = self.session((f"fe80::2%{scope}", target.address[1]))
        self.assertTrue(self.ask(protocol, target)[0].startswith("fe80::"))

    def test_strangersDoNotReachItByOtherAddresses(self) -> None:
        command(*f"ip -n {self.here.name} address add 10.9.0.5/24 dev left".split())
        target, stranger = self.openIn(self.there, "10.9.0.2"), self.openIn(self.there, "10.9.0.2")
        source = self.ask(self.session(target.address), target, answered=False)
        stranger.sendTrains([Train(4, b"what")], ("10.9.0.5", source[1]))
        stranger.sendTrains([Train(4, b"what")], source)
        self.settleUntil(lambda: bool(self.drops.totals))
        self.assertEqual(dict(self.drops.totals), {Drop.SOURCE_UNKNOWN: 1})
