"""
Two servers behind a real HAProxy that sends all tunnels of a session to one of them, configured as the page prints it.
"""

from __future__ import annotations

import shlex
import socket
from pathlib import Path

from bench.rig.ports import LOOPBACK, freePort
from bench.rig.programs import Program, environmentFor, until
from tests.integration.harness import ourCommand
from tests.integration.loads import WINDOW, LoadTestCase, settle
from tests.integration.rig import said
from tests.integration.test_pages import blocksHere
from tests.integration.test_terminator import accepts, haproxyProgram
from tests.integration.udpends import Flow

SERVERS = {
    "balancers-address": "balancers-address-server",
    "balancers-session": "balancers-session-server",
    "balancers-websocket": "balancers-websocket-server",
}
"""The blocks of the page: HAProxy's configuration, and what starts a server behind it."""

MORE = 300
"""So many datagrams of a load show that it flows."""

CLIENTS = 4

PATH = "/5a1dd0f5b7c6e9aa"
"""The one on the page."""


class BalancedServersTests(LoadTestCase):
    """
    One of the servers is killed, and comes back.
    """

    def setUp(self) -> None:
        super().setUp()
        self.program = haproxyProgram()
        self.blocks = blocksHere()
        self.pki = self.newPki()
        self.udpTarget = self.udpEnd()
        self.ports = {"10.0.0.11": freePort(socket.SOCK_STREAM), "10.0.0.12": freePort(socket.SOCK_STREAM)}
        self.door = (LOOPBACK, freePort(socket.SOCK_STREAM))
        both = Path(self.mktemp()).resolve()
        both.write_bytes(Path(self.pki.serverCertificate).read_bytes() + Path(self.pki.serverKey).read_bytes())
        self.files = {
            "/etc/uotp/server-with-key.pem": str(both),
            "/etc/uotp/ca.pem": self.pki.caCertificate,
            "pki/server.pem": self.pki.serverCertificate,
            "pki/server.key": self.pki.serverKey,
            "pki/ca.pem": self.pki.caCertificate,
            "pki/crl.pem": self.pki.revocationList,
        }

    def startAll(self, name: str) -> None:
        """
        @param name: of the block that the page has for HAProxy.
        """
        self.name = name
        self.servers = {address: self.startOne(address) for address in self.ports}
        text = self.blocks[name].replace("bind :8443", f"bind {self.door[0]}:{self.door[1]}")
        for address, port in self.ports.items():
            text = text.replace(f"{address}:8443", f"{LOOPBACK}:{port}")
        for printed, file in self.files.items():
            text = text.replace(printed, file)
        configuration = Path(self.mktemp()).resolve()
        configuration.write_text(text, encoding="utf-8")
        self.haproxy = self.start("haproxy", [self.program, "-db", "-f", str(configuration)], environmentFor())
        until(lambda: accepts(self.door), "HAProxy accepts connections")

    def startOne(self, address: str) -> Program:
        """
        @param address: of a server, as the page has it.
        @return: the server, which listens.
        """
        words = shlex.split(self.blocks[SERVERS[self.name]].replace("\\\n", " "))[1:-2]
        words = [{"10.0.0.10": LOOPBACK, "10.0.0.11": LOOPBACK}.get(word, self.files.get(word, word)) for word in words]
        words += ["-p", str(self.ports[address]), *map(str, self.udpTarget.address)]
        server = self.start(f"server at {address}", ourCommand("server", *words, module=self.module))
        self.listening(server)
        return server

    def newFlow(self, *options: str) -> Flow:
        """
        @return: a flow through a new client, whose pool is open.
        """
        words = ["-C", self.pki.caCertificate, "-c", self.pki.clientCertificate, "-k", self.pki.clientKey]
        words += ["-a", LOOPBACK, "-p", "0", "-n", "4", "--min-pool", "4", *options]
        where = f"{self.door[0]}:{self.door[1]}"
        named = f"wss://{where}{PATH}" if self.name == "balancers-websocket" else where
        client = self.start("our client", ourCommand("client", *words, named, module=self.module))
        flow = Flow(self.udpEnd(), self.listening(client), self.udpTarget)
        flow.openPool()
        return flow

    def having(self) -> list[str]:
        """
        @return: the servers that have opened a session.
        """
        return [address for address, server in self.servers.items() if said(server, " opened from 127.0.0.1")]

    def killOneAndBringItBack(self) -> None:
        """
        Nothing is lost but what was under way, and the target sees one source at a time, though tunnels are replaced
        again and again.

        What is under way when the server dies has been sent not long before, and until the other one carries.
        """
        load = self.forth(self.newFlow("--max-bytes", "64K"))
        (address,) = self.having()
        (other,) = set(self.servers) - {address}
        load.start()
        load.waitFor(MORE)
        self.assertEqual(len(load.sources), 1)
        came = load.came[-1]
        self.servers[address].kill()
        until(lambda: len(load.sources) > 1, "the other server carries")
        moved = load.sent
        load.restrain()
        load.waitFor(MORE)
        self.assertTrue(said(self.servers[other], " opened from 127.0.0.1"))
        self.haproxy.waitForLine(r"Server uotp/\w+ is DOWN")
        self.servers[address] = self.startOne(address)
        self.haproxy.waitForLine(r"Server uotp/\w+ is UP")
        for _ in range(4):
            load.waitFor(MORE)
        load.stop()
        settle(load)
        self.assertEqual(len(load.sources), 2)
        self.assertEqual([number for number in load.missing() if not came - WINDOW < number < moved], [])
        self.assertEqual(said(self.servers[address], " opened from"), [])

    def test_byTheAddressOfTheClient(self) -> None:
        self.startAll("balancers-address")
        self.killOneAndBringItBack()

    def test_byTheSession(self) -> None:
        self.startAll("balancers-session")
        self.killOneAndBringItBack()

    def test_byTheAddressOfTheClientInsideWebSocket(self) -> None:
        self.startAll("balancers-websocket")
        self.killOneAndBringItBack()

    def test_sessionsOfOneAddressAreSharedOut(self) -> None:
        """
        In both formats, and each has one source.
        """
        self.startAll("balancers-session")
        for number in range(CLIENTS):
            flow = self.newFlow(*(("--wire", "1") if number % 2 else ()))
            sources = {flow.forth(b"%d" % each) for each in range(50)}
            self.assertEqual(len(sources), 1)
        opened = [len(said(server, " opened from 127.0.0.1")) for server in self.servers.values()]
        self.assertEqual(sum(opened), CLIENTS, "a session was opened twice")
        self.assertTrue(all(opened), opened)
