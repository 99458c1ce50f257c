"""
A TLS terminator between client and server: a real HAProxy, which speaks TLS with the
client and plain TCP with the server.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
from pathlib import Path

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import environmentFor, until
from tests.integration.harness import needed
from tests.integration.loads import LoadTestCase, waitForAll
from tests.integration.pairs import numbered
from tests.integration.rig import PLAIN, warned
from tests.integration.udpends import Flow
from uotp.pki.directory import Pki

CONFIGURATION = """\
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend knows2
    bind {knows2[0]}:{knows2[1]} ssl crt {certificate} alpn http/1.1
    default_backend uotp
frontend knowsNothing
    bind {knowsNothing[0]}:{knowsNothing[1]} ssl crt {certificate}
    default_backend uotp
backend uotp
    server uotp {server[0]}:{server[1]}
"""
"""Two doors to one server: C{alpn http/1.1} says on its behalf that it knows format 2."""

SIZES = (0, 1, 2, 16, 255, 300, 1200, 1400, 1472, 4095, 8192, 9000, 16383, 16385, 32768, 65000, 65507)

REPLACED = 6
"""Tunnels that are replaced before we look."""


def haproxyProgram() -> str:
    """
    @return: the path of HAProxy.
    """
    path = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        needed("haproxy is missing: install the package of that name")
    return path


def accepts(address: Address) -> bool:
    """
    @return: whether somebody listens there.
    """
    try:
        socket.create_connection(address, 1).close()
    except OSError:
        return False
    return True


class TerminatorTests(LoadTestCase):
    """
    Clients, HAProxy, and C{uotp-server --no-tls}.

    @cvar workers: how many the server has.
    """

    workers = 1

    def setUp(self) -> None:
        super().setUp()
        program = haproxyProgram()
        self.pki = self.newPki()
        self.udpTarget = self.udpEnd()
        self.server = self.startServer(self.udpTarget.address, *PLAIN, "--workers", str(self.workers))
        self.knows2, self.knowsNothing = ((LOOPBACK, freePort(socket.SOCK_STREAM)) for _ in range(2))
        configuration = Path(self.mktemp()).resolve()
        configuration.write_text(
            CONFIGURATION.format(
                knows2=self.knows2,
                knowsNothing=self.knowsNothing,
                certificate=self.certificateAndKey(self.pki),
                server=self.listening(self.server),
            ),
            encoding="utf-8",
        )
        self.terminator = self.start("haproxy", [program, "-db", "-f", str(configuration)], environmentFor())
        for address in (self.knows2, self.knowsNothing):
            until(lambda: accepts(address), "HAProxy accepts connections")  # noqa: B023

    def certificateAndKey(self, pki: Pki) -> Path:
        """
        @return: the server's certificate and its key in one file, as HAProxy wants them.
        """
        path = Path(self.mktemp()).resolve()
        path.write_bytes(Path(pki.serverCertificate).read_bytes() + Path(pki.serverKey).read_bytes())
        path.chmod(0o600)
        return path

    def clientFlow(self, door: Address, *options: str) -> Flow:
        """
        @return: a flow through a new client, which has found the server.
        """
        self.client = self.startClient(door, "-C", self.pki.caCertificate, "-n", "4", "--min-pool", "4", *options)
        flow = Flow(self.udpEnd(), self.listening(self.client), self.udpTarget)
        flow.openPool()
        return flow

    def assertAllSizesPass(self, flow: Flow) -> None:
        """
        Each size passes both ways, with different bytes.
        """
        for number, size in enumerate(SIZES):
            flow.forth(numbered(number, size))
            flow.back(numbered(number + 100, size))

    def test_format2IsSpokenThroughATerminatorThatOffersIt(self) -> None:
        """
        Without an option at the client; datagrams of all sizes pass, a load in order
        both ways, and who leaves is heard to.
        """
        flow = self.clientFlow(self.knows2)
        self.client.waitForLine("which speaks format 2")
        self.assertAllSizesPass(flow)
        loads = [self.forth(flow, whole=True), self.back(flow, whole=True)]
        for load in loads:
            load.start()
        waitForAll(loads, 500)
        for load in loads:
            load.stop()
        self.assertWhole(*loads)
        self.assertStops(self.client)
        self.server.waitForLine("ended: the client has left")

    def test_tunnelsAreReplacedThroughATerminator(self) -> None:
        """
        With nothing lost: HAProxy passes the end of a connection on when all that came
        before it has gone.
        """
        relay = self.relay(self.knows2)
        flow = self.clientFlow(relay.address, "--max-bytes", "64K")
        load = self.forth(flow, whole=True)
        load.start()
        until(lambda: len(relay.connections) >= 4 + REPLACED, "tunnels have been replaced")
        load.stop()
        self.assertWhole(load)
        self.assertEqual(warned(self.client), [])
        self.assertEqual(len(load.sources), 1)

    def test_format1IsSpokenThroughATerminatorThatOffersNothing(self) -> None:
        """
        By a client that is not told; one that is speaks format 2 all the same, and both
        are served at once.
        """
        flow = self.clientFlow(self.knowsNothing)
        self.client.waitForLine(r"connected to \S+ port \d+$")
        other = self.clientFlow(self.knowsNothing, "--wire", "2")
        self.client.waitForLine("which speaks format 2")
        for each in (flow, other):
            self.assertAllSizesPass(each)

    def test_terminatorThatGoesAndComesBack(self) -> None:
        """
        Costs the tunnels; the session goes on, with the same port towards the target.
        """
        flow = self.clientFlow(self.knows2)
        source = flow.source
        self.terminator.process.send_signal(signal.SIGTERM)
        self.terminator.waitForExit()
        self.client.waitForLine("no tunnel to .* is left")
        command = self.terminator.process.args
        assert isinstance(command, list)
        self.start("haproxy again", list(map(str, command)), environmentFor())
        flow.resume()
        self.assertEqual(flow.source, source)
        self.server.waitForLine("has tunnels again")


class TerminatorBeforeWorkersTests(TerminatorTests):
    """
    The same, and the server has two workers: to both of them all connections come from one address.
    """

    workers = 2
