"""
A host with several addresses answers from the one that was asked, and listens where it is told.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import sys
from functools import partial
from unittest import skipUnless

from twisted.internet import reactor

from bench.rig.namespaces import Namespace, command
from bench.rig.ports import freePort
from tests.doubles.contracts import numbered
from tests.doubles.udp import Receiver
from tests.integration.harness import LISTENING, ourCommand
from tests.integration.hosts import needTwoHosts, newNamespace
from tests.integration.rig import PLAIN, RigTestCase
from tests.integration.test_datagram_port import SocketPortTestCase
from tests.integration.test_udp_paths import PathTestCase
from tests.integration.udpends import UdpEnd
from uotp.boundaries import Address, DatagramPortOpener
from uotp.telemetry.drops import Drop
from uotp.train import Train
from uotp.udp import datagramPortOpener
from uotp.udp.base import PortContext
from uotp.udp.openers import openPort
from uotp.udp.portable import PortableDatagramPort

ANY, ANY6 = "0.0.0.0", "::"  # noqa: S104 - in a namespace of its own, or for a moment

UDP_SEGMENT = 103
"""Number of Linux (linux/udp.h)."""

LONE_DATAGRAMS = 20
"""So many are read one by one, and some of them in a batch."""


class Echo(Receiver):
    """
    Sends back what comes.
    """

    def trainsReceived(self, trains: list[Train], source: Address) -> None:
        super().trainsReceived(trains, source)
        self.sendTrains(trains, source)


def askingSocket(case: SocketPortTestCase, namespace: Namespace, host: str) -> socket.socket:
    """
    @param host: where it is bound.
    @return: a plain socket.
    """
    with namespace.inside():
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        case.addCleanup(made.close)
        scope = socket.if_nametoindex("left") if host.startswith("fe80") else 0
        made.bind((host, 0, 0, scope) if ":" in host else (host, 0))
    made.setblocking(False)
    return made


class OwnAddressTests(PathTestCase):
    """
    Give one of two hosts several addresses, and have a port there that is bound to none.
    """

    OWN = ("10.9.0.2", "10.9.0.22", "192.0.2.2")
    OWN6 = ("fd09::2", "fd09::22")

    def setUp(self) -> None:
        super().setUp()
        there = self.there.name
        for address in ("10.9.0.22/24", "192.0.2.2/32"):
            command(*f"ip -n {there} address add {address} dev right".split())
        command(*f"ip -n {there} address add fd09::22/64 dev right nodad".split())
        command(*f"ip -n {self.here.name} route add 192.0.2.2 via 10.9.0.2".split())

    def makeOpener(self) -> DatagramPortOpener:
        """
        As a client has it.
        """
        return datagramPortOpener(reactor, self.drops, shared=True)

    def openEcho(self, host: str) -> Echo:
        """
        @return: the protocol of a port in the namespace with several addresses.
        """
        echo = Echo(self.drops)
        with self.there.inside():
            self.openPort(echo, (host, 0, 0, 0) if ":" in host else (host, 0))
        return echo

    def answers(self, asking: socket.socket, count: int) -> list[tuple[str, bytes]]:
        """
        @return: so many answers: from where, and what.
        """
        came: list[tuple[str, bytes]] = []

        def enough() -> bool:
            with contextlib.suppress(BlockingIOError):
                while True:
                    datagram, source = asking.recvfrom(65535)
                    came.append((source[0], datagram))
            return len(came) >= count

        self.settleUntil(enough)
        return came

    def assertAnsweredFromWhereItAsked(self, bound: str, asking: socket.socket, hosts: tuple[str, ...]) -> None:
        """
        Lone datagrams, trains, and a mixture of all in which our address changes, as one socket sends them.
        """
        echo = self.openEcho(bound)
        number = echo.address[1]
        for _ in range(LONE_DATAGRAMS):
            for host in hosts:
                asking.sendto(b"lone", (host, number))
                self.assertEqual(self.answers(asking, 1), [(host, b"lone")])
        train = numbered(1000 * 30)
        for host in hosts:
            asking.sendmsg([train], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", 1000))], 0, (host, number))
            came = self.answers(asking, 30)
            self.assertEqual({source for source, _ in came}, {host})
            self.assertEqual(sorted(one for _, one in came), sorted(train[k : k + 1000] for k in range(0, 30000, 1000)))
        for turn in range(60):
            asking.sendto(b"%02d" % turn, (hosts[turn // 2 % len(hosts)], number))
        came = self.answers(asking, 60)
        self.assertEqual(
            sorted(came, key=lambda each: each[1]),
            [(hosts[turn // 2 % len(hosts)], b"%02d" % turn) for turn in range(60)],
        )
        self.assertEqual(len({source for _, source in echo.trains}), len(hosts))
        self.assertEqual(dict(self.drops.totals), {})

    def test_eachAddressAnswersForItself(self) -> None:
        asking = askingSocket(self, self.here, "10.9.0.1")
        for bound in (ANY, ANY6):
            self.assertAnsweredFromWhereItAsked(bound, asking, self.OWN)
        self.assertAnsweredFromWhereItAsked(ANY6, askingSocket(self, self.here, "fd09::1"), self.OWN6)

    def test_linkLocalAddressAnswersForItself(self) -> None:
        """
        On its link, whoever asks it.
        """
        echo = self.openEcho(ANY6)
        with self.here.inside():
            scope = socket.if_nametoindex("left")
        for host in ("fe80::1", "fd09::1"):
            asking = askingSocket(self, self.here, host)
            for own in ("fe80::2", "fd09::2") if host == "fd09::1" else ("fe80::2",):
                for _ in range(LONE_DATAGRAMS):
                    asking.sendto(b"lone", (own, echo.address[1], 0, scope if own.startswith("fe80") else 0))
                    ((source, _),) = self.answers(asking, 1)
                    self.assertEqual(source.partition("%")[0], own)
        self.assertEqual(dict(self.drops.totals), {})

    def test_whatIsSentToEverybodyIsAnswered(self) -> None:
        """
        From an address of ours, since nobody sends from one that is everybody's.
        """
        asking = askingSocket(self, self.here, "10.9.0.1")
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        for bound in (ANY, ANY6):
            echo = self.openEcho(bound)
            for _ in range(LONE_DATAGRAMS):
                asking.sendto(b"anybody", ("10.9.0.255", echo.address[1]))
                self.assertEqual(self.answers(asking, 1), [("10.9.0.2", b"anybody")])
        asking = askingSocket(self, self.here, "fe80::1")
        with self.here.inside():
            scope = socket.if_nametoindex("left")
        for _ in range(LONE_DATAGRAMS):
            asking.sendto(b"anybody", ("ff02::1", echo.address[1], 0, scope))
            ((source, _),) = self.answers(asking, 1)
            self.assertEqual(source.partition("%")[0], "fe80::2")
        self.assertEqual(dict(self.drops.totals), {})

    def test_addressThatHasGoneCostsItsAnswers(self) -> None:
        """
        They are counted, and the others go on; when it is back, so are they.
        """
        for bound, host, remain, own in ((ANY, "10.9.0.1", *self.OWN[:2]), (ANY6, "fd09::1", *self.OWN6)):
            echo, asking = self.openEcho(bound), askingSocket(self, self.here, host)
            length = 64 if ":" in own else 24
            for each in (remain, own):
                asking.sendto(b"hello", (each, echo.address[1]))
                self.answers(asking, 1)
            sources = [source for _, source in echo.trains]
            command(*f"ip -n {self.there.name} address del {own}/{length} dev right".split())
            for source in sources:
                echo.sendTrains([Train(4, b"lone"), Train(100, bytes(500))], source)
            self.assertEqual({source for source, _ in self.answers(asking, 6)}, {remain})
            self.assertEqual(dict(self.drops.totals), {Drop.SEND_REFUSED: 6})
            self.drops.totals.clear()
            command(*f"ip -n {self.there.name} address add {own}/{length} dev right{' nodad' * (':' in own)}".split())
            for _ in range(LONE_DATAGRAMS):
                echo.sendTrains([Train(4, b"back")], sources[1])
                if self.answers(asking, 1):
                    break
            else:
                self.fail("it never came back")
            self.assertEqual((echo.lost, dict(self.drops.totals)), ([], {}))
            self.drops.totals.clear()

    def test_portForAllSystemsStaysAsItWas(self) -> None:
        """
        It knows nothing of our addresses: the kernel chooses one.
        """
        self.opener = partial(openPort, PortableDatagramPort, PortContext(reactor, self.drops, shared=True))
        asking = askingSocket(self, self.here, "10.9.0.1")
        echo = self.openEcho(ANY)
        asking.sendto(b"hello", ("10.9.0.22", echo.address[1]))
        self.assertEqual(self.answers(asking, 1), [("10.9.0.2", b"hello")])


@skipUnless(sys.platform == "linux", "only there all of 127.0.0.0/8 is ours")
class ListeningTests(RigTestCase):
    """
    Let programs ask a client at all addresses where it listens.
    """

    def serverFor(self, target: UdpEnd) -> Address:
        """
        @return: where a server listens.
        """
        return self.listening(self.startServer(target.address, *PLAIN))

    def assertAnswers(self, target: UdpEnd, application: UdpEnd, *addresses: Address) -> None:
        """
        What is sent to each of them is answered from there.
        """
        for number, address in enumerate(addresses):
            words = b"hello %d" % number
            application.send(words, address)
            target.send(words, target.expect(words))
            self.assertEqual(application.expect(words), address)

    def test_clientAnswersFromTheAddressThatWasAsked(self) -> None:
        """
        Each is a session of its own.
        """
        target, application = self.udpEnd(), self.udpEnd("127.0.0.9")
        client = self.startClient(self.serverFor(target), *PLAIN, listen=(ANY, 0))
        port = self.listening(client)[1]
        addresses = [(f"127.0.0.{number}", port) for number in (1, 2, 3)]
        self.assertAnswers(target, application, *addresses, *addresses)
        client.waitForLine("opened, 3 in all")
        self.assertNotIn("4 in all", "\n".join(client.lines))

    def test_clientHearsLocalhostWhicheverItIs(self) -> None:
        """
        Without a word about where to listen.
        """
        target = self.udpEnd()
        port = freePort(socket.SOCK_DGRAM)
        words = ourCommand("client", "-p", str(port), *PLAIN, *map(str, self.serverFor(target)))
        client = self.start("our client", words)
        client.waitForLine(re.escape(f"listening on 127.0.0.1:{port} (UDP)"))
        client.waitForLine(re.escape(f"listening on [::1]:{port} (UDP)"))
        for host in ("127.0.0.1", "::1"):
            self.assertAnswers(target, self.udpEnd(host), (host, port))

    def test_severalAddressesHaveOneNumber(self) -> None:
        """
        At both ends, also where the system chooses it.
        """
        target = self.udpEnd()
        server = self.start(
            "our server",
            ourCommand("server", "-a", "127.0.0.2", "-a", "::1", "-p", "0", *PLAIN, *map(str, target.address)),
        )
        server.waitForLine(re.escape("listening on [::1]"))
        (_, first), (_, second) = re.findall(LISTENING, "\n".join(server.lines))
        self.assertEqual(first, second)
        for dialled in ("127.0.0.2", "::1"):
            client = self.start(
                "our client",
                ourCommand("client", "-a", "127.0.0.2", "-a", "127.0.0.3", "-p", "0", *PLAIN, dialled, first),
            )
            client.waitForLine(re.escape("listening on 127.0.0.3"))
            (_, one), (_, other) = re.findall(LISTENING, "\n".join(client.lines))
            self.assertEqual(one, other)
            addresses = [(host, int(one)) for host in ("127.0.0.2", "127.0.0.3")]
            self.assertAnswers(target, self.udpEnd("127.0.0.9"), *addresses)

    def test_addressThatCannotBeHadIsAnErrorAtTheStart(self) -> None:
        """
        Of one line; and nothing is left of the other one.
        """
        for end in ("client", "server"):
            words = ourCommand(end, "-a", "127.0.0.1", "-a", "192.0.2.99", "-p", "0", *PLAIN, "127.0.0.1", "9")
            program = self.start(f"our {end}", words)
            self.assertEqual(program.waitForExit(), 1)
            self.assertRegex("\n".join(program.lines), "cannot listen on 192.0.2.99 port [1-9][0-9]* .*: Cannot assign")


class WithoutIPv6Tests(RigTestCase):
    """
    Take IPv6 away from a host.
    """

    def test_clientGoesOnWithIPv4(self) -> None:
        """
        It says nothing of it to whoever does not ask for details, and an address of IPv6 that was asked for is an
        error.
        """
        needTwoHosts()
        namespace = newNamespace(self, "four")
        command(*namespace.words, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
        client = self.start("our client", [*namespace.words, *ourCommand("client", *PLAIN, "127.0.0.1", "9")])
        client.waitForLine(re.escape("listening on 127.0.0.1:8911 (UDP)"))
        words = ourCommand("client", "-a", "127.0.0.1", "-a", "::1", "-p", "0", *PLAIN, "127.0.0.1", "9")
        refused = self.start("our client", [*namespace.words, *words])
        self.assertEqual(refused.waitForExit(), 1)
        self.assertIn("cannot listen on ::1", "\n".join(refused.lines))
        self.assertNotIn("::1", "\n".join(client.lines))
