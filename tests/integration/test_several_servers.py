"""
Several servers: behind a balancer that sends connections to them by turns, and named one after another.
"""

from __future__ import annotations

import socket
from pathlib import Path

from bench.rig.ports import LOOPBACK, freePort
from bench.rig.programs import environmentFor, until
from tests.integration.loads import LoadTestCase, waitForAll
from tests.integration.rig import serverWords
from tests.integration.test_terminator import accepts, haproxyProgram
from tests.integration.udpends import Flow

TUNNELS = 8

CONFIGURATION = """\
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend door
    bind {door[0]}:{door[1]}
    default_backend uotp
backend uotp
    balance roundrobin
"""


class ByTurnsTests(LoadTestCase):
    """
    Two servers stand behind a HAProxy without affinity: the tunnels of one session come to both.
    """

    def setUp(self) -> None:
        super().setUp()
        program = haproxyProgram()
        pki = self.newPki()
        self.udpTarget = self.udpEnd()
        self.servers = [self.startServer(self.udpTarget.address, *serverWords(pki)) for _ in range(2)]
        self.door = (LOOPBACK, freePort(socket.SOCK_STREAM))
        places = [self.listening(server) for server in self.servers]
        lines = [f"    server s{port} {host}:{port}\n" for host, port in places]
        configuration = Path(self.mktemp()).resolve()
        configuration.write_text(CONFIGURATION.format(door=self.door) + "".join(lines), encoding="utf-8")
        self.start("haproxy", [program, "-db", "-f", str(configuration)], environmentFor())
        until(lambda: accepts(self.door), "HAProxy accepts connections")
        words = ["-C", pki.caCertificate, "-c", pki.clientCertificate, "-k", pki.clientKey]
        self.client = self.startClient(self.door, *words, "-n", str(TUNNELS), "--min-pool", str(TUNNELS))
        self.byTurns = Flow(self.udpEnd(), self.listening(self.client), self.udpTarget)

    def test_theTargetSeesOneSource(self) -> None:
        """
        Each datagram comes once and in order, both ways.  One server keeps the session, and the other has forgotten
        what came to it.
        """
        self.byTurns.openPool()
        loads = [self.forth(self.byTurns), self.back(self.byTurns)]
        for load in loads:
            load.start()
        waitForAll(loads, 2000)
        for load in loads:
            load.stop()
        self.assertWhole(*loads)
        self.assertEqual(len(loads[0].sources), 1)
        self.client.waitForLine("leads to several servers")
        self.assertStops(self.client)
        for server in self.servers:
            server.waitForLine("ended: the client has left")
            self.assertStops(server)
