"""
A client on its way to its server: several addresses, slow paths, firewalls that reject, and a
path that swallows large packets.
"""

from __future__ import annotations

import socket
from pathlib import Path

from bench.rig.namespaces import Namespace, command
from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import Program, until
from tests.integration.harness import ourCommand
from tests.integration.hosts import namespaceName, needTwoHosts, newNamespace
from tests.integration.rig import HOSTS, RigTestCase, clientWords, said, serverWords
from tests.integration.udpends import Flow, UdpEnd
from uotp.pki.directory import Pki, makePki

PORT = 8443

REJECTIONS = (
    ("ip", "tcp reset", "connection refused"),
    ("ip", "icmp type port-unreachable", "connection refused"),
    ("ip", "icmp type admin-prohibited", "no route to host"),
    ("ip", "icmp type net-unreachable", "network unreachable"),
    ("ip", "icmp type prot-unreachable", "the connection is forbidden"),
    ("ip6", "icmpv6 type admin-prohibited", "the connection is forbidden"),
    ("ip6", "icmpv6 type addr-unreachable", "no route to host"),
)
"""How a firewall rejects, and how the log says so."""

ONE_WAY_SECONDS = 0.8
TIMEOUT = "1"
"""A round trip takes longer than a step may at first."""

FULL = bytes(1400)
"""A datagram that does not pass where packets are smaller than on most paths."""

SMALL_MTU = "1280"

MANY = 10
ARRIVAL_SECONDS = 0.2
"""So many datagrams are to arrive one after another, each in about so long; whoever is slow tries again."""


class SlowPathTests(RigTestCase):
    """
    Every answer takes long.
    """

    def test_pathThatIsSlowerThanTheTimeOutIsFoundOut(self) -> None:
        target = self.udpEnd()
        server: Address = (LOOPBACK, freePort(socket.SOCK_STREAM))
        relay = self.relay(server, delay=ONE_WAY_SECONDS)
        pki = self.newPki()
        pair = self.pair(target.address, pki, client=["-w", TIMEOUT], dial=relay.address, serverPort=server[1])
        self.flow(pair, target).resume()
        self.assertTrue(said(pair.client, "by TCP, but no TLS handshake after 1 s"), pair.client.lines)


class _NamespaceTestCase(RigTestCase):
    """
    Has namespaces in which our programs run.
    """

    def setUp(self) -> None:
        needTwoHosts("nft")
        super().setUp()

    def namespace(self, name: str, hosts: str = "") -> Namespace:
        """
        @param hosts: lines for its file of hosts.
        @return: a namespace of its own.
        """
        settings = Path("/etc/netns") / namespaceName(name)
        settings.mkdir(parents=True, exist_ok=True)
        file = settings / "hosts"
        file.write_text(f"127.0.0.1 localhost\n{hosts}")
        self.addCleanup(settings.rmdir)
        self.addCleanup(file.unlink)
        return newNamespace(self, name)

    def link(self, left: Namespace, right: Namespace, name: str, left4: str, right4: str) -> None:
        """
        Lay a link with an address of IPv4 at each end.
        """
        near, far = f"{name}0", f"{name}1"
        command(*f"ip link add {near} netns {left.name} type veth peer name {far} netns {right.name}".split())
        for namespace, device, address in ((left, near, left4), (right, far, right4)):
            command(*f"ip -n {namespace.name} address add {address}/24 dev {device}".split())
            command(*f"ip -n {namespace.name} link set {device} up".split())

    def end(self, namespace: Namespace) -> UdpEnd:
        """
        @return: a UDP socket in a namespace.
        """
        with namespace.inside():
            return self.udpEnd()

    def serverIn(self, namespace: Namespace, target: UdpEnd, pki: Pki, host: str) -> Program:
        """
        @return: a server that listens there.
        """
        words = ["-a", host, "-p", str(PORT), *serverWords(pki), *map(str, target.address)]
        server = self.start(f"server on {host}", [*namespace.words, *ourCommand("server", *words)])
        self.listening(server)
        return server

    def clientIn(
        self, namespace: Namespace, host: str, pki: Pki, *options: str, name: str = "client"
    ) -> tuple[Program, Address]:
        """
        @return: a client that listens there, and where.
        """
        words = ["-p", "0", *clientWords(pki), *options, host, str(PORT)]
        client = self.start(name, [*namespace.words, *ourCommand("client", *words)])
        return client, self.listening(client)


class SeveralAddressesTests(_NamespaceTestCase):
    """
    A server's name has two addresses.
    """

    def test_addressOnWhichOnlyTheKernelAnswersIsLeft(self) -> None:
        here = self.namespace("here", "127.0.0.2 vpn.test\n127.0.0.3 vpn.test\n")
        with here.inside():
            silent = socket.create_server(("127.0.0.2", PORT))
        self.addCleanup(silent.close)
        pki = makePki(self.mktemp(), ("vpn.test",))
        target = self.end(here)
        self.serverIn(here, target, pki, "127.0.0.3")
        client, address = self.clientIn(here, "vpn.test", pki)
        Flow(self.end(here), address, target).resume()
        silent.settimeout(0)
        came, _ = silent.accept()  # the first address of the file was tried
        came.close()
        self.assertEqual(said(client, " failed: "), [])

    def test_linkLocalAddressIsDialledOnItsInterface(self) -> None:
        here, there = self.namespace("here"), self.namespace("there")
        self.link(here, there, "v", "10.9.0.1", "10.9.0.2")
        command(*f"ip -n {there.name} address add fe80::2/64 dev v1 nodad".split())
        pki = makePki(self.mktemp(), ("fe80::2",))
        target = self.end(there)
        self.serverIn(there, target, pki, "::")
        _, address = self.clientIn(here, "fe80::2%v0", pki)
        Flow(self.end(here), address, target).resume()


class RejectionTests(_NamespaceTestCase):
    """
    A firewall does not let the client through, and says so.
    """

    def test_everyRejectionIsSaidInWords(self) -> None:
        here, there = self.namespace("here"), self.namespace("there")
        self.link(here, there, "v", "10.9.0.1", "10.9.0.2")
        for namespace, device, host in ((here, "v0", "fd09::1"), (there, "v1", "fd09::2")):
            command(*f"ip -n {namespace.name} address add {host}/64 dev {device} nodad".split())
        pki = makePki(self.mktemp(), HOSTS)
        sources: dict[str, tuple[Program, UdpEnd, Address]] = {}
        for family, host in (("ip", "10.9.0.2"), ("ip6", "fd09::2")):
            client, address = self.clientIn(here, host, pki, "-B", "0.3", name=f"client of {host}")
            sources[family] = client, self.end(here), address
        for family, kind, words in REJECTIONS:
            client, source, address = sources[family]
            self.reject(there, family, kind)
            source.send(b"hello", address)
            client.waitForLine(f"failed: {words}")
            self.assertEqual([line for line in client.lines if "Failure" in line], [])

    def reject(self, namespace: Namespace, family: str, kind: str) -> None:
        rules = (
            f"add table {family} t; flush table {family} t; "
            f"add chain {family} t c {{ type filter hook input priority 0; }}; "
            f"add rule {family} t c tcp dport {PORT} reject with {kind}"
        )
        command(*namespace.words, "nft", rules)


class LargePacketsTests(_NamespaceTestCase):
    """
    A link in the middle carries smaller packets than the others, and nobody says so.
    """

    def setUp(self) -> None:
        super().setUp()
        here, left, right, there = (self.namespace(name) for name in ("here", "left", "right", "there"))
        self.here, self.there, self.routers = here, there, (left, right)
        self.link(here, left, "v", "10.9.1.2", "10.9.1.1")
        self.link(left, right, "m", "10.9.2.1", "10.9.2.2")
        self.link(right, there, "w", "10.9.3.1", "10.9.3.2")
        for namespace, way in (
            (here, "default via 10.9.1.1"),
            (there, "default via 10.9.3.1"),
            (left, "10.9.3.0/24 via 10.9.2.2"),
            (right, "10.9.1.0/24 via 10.9.2.1"),
        ):
            command(*f"ip -n {namespace.name} route add {way}".split())
        silence = "add table ip t; add chain ip t o { type filter hook output priority 0; }; "
        for router in self.routers:
            command(*router.words, "sysctl", "-qw", "net.ipv4.ip_forward=1")
            command(*router.words, "nft", f"{silence}add rule ip t o ip protocol icmp drop")
        self.pki = makePki(self.mktemp(), ("10.9.3.2",))
        self.targetEnd = self.end(there)
        self.serverIn(there, self.targetEnd, self.pki, "0.0.0.0")  # noqa: S104 - of a namespace

    def narrow(self) -> None:
        for router, device in zip(self.routers, ("m0", "m1"), strict=True):
            command(*f"ip -n {router.name} link set {device} mtu {SMALL_MTU}".split())

    def carries(self, address: Address) -> None:
        """
        See large datagrams arrive one after another, whatever is lost at first.
        """
        source = self.end(self.here)
        sent = 0

        def arrives() -> bool:
            nonlocal sent
            sent += 1
            source.send(b"%08d" % sent + FULL, address)
            while (came := self.targetEnd.receive(ARRIVAL_SECONDS)) is not None:  # also those that were late
                self.targetEnd.send(b"yes", came[1])
                if came[0][:8] == b"%08d" % sent:
                    return True
            return False

        until(lambda: all(arrives() for _ in range(MANY)), "large datagrams arrive one after another")

    def assertSaidOnce(self, client: Program) -> None:
        self.assertEqual(len(said(client, "large packets seem to be lost on the way")), 1, client.lines)

    def test_pathThatSwallowsThemFromTheBeginningIsFoundOut(self) -> None:
        self.narrow()
        client, address = self.clientIn(self.here, "10.9.3.2", self.pki)
        self.carries(address)
        self.assertSaidOnce(client)

    def test_pathThatBeginsToSwallowThemIsFoundOut(self) -> None:
        client, address = self.clientIn(self.here, "10.9.3.2", self.pki)
        self.carries(address)
        self.assertEqual(said(client, "large packets"), [])
        self.narrow()
        self.carries(address)
        self.assertSaidOnce(client)

    def test_sizeMayBeSetByHandAtEitherEnd(self) -> None:
        self.narrow()
        client, address = self.clientIn(self.here, "10.9.3.2", self.pki, "--mss", "1200")
        self.carries(address)
        self.assertEqual(said(client, "large packets"), [])
        self.assertEqual(said(client, " failed: "), [])
