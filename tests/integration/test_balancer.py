"""
A balancer that passes TCP on between a client and a server with two workers: a real HAProxy, whose
connections come from many addresses, as those of a carrier's network do.
"""

from __future__ import annotations

from tests.integration.byturns import startByTurns
from tests.integration.harness import needed
from tests.integration.loads import LoadTestCase, waitForAll
from tests.integration.rig import serverWords
from tests.integration.udpends import Flow
from uotp.net.steering import steeringTrouble

ADDRESSES = 8

TUNNELS = 8

SERVER = "from{number} {server[0]}:{server[1]} source 127.0.0.{number}"


class BalancerTests(LoadTestCase):
    """
    The tunnels of one session come from eight addresses.
    """

    def setUp(self) -> None:
        super().setUp()
        trouble = steeringTrouble()
        if trouble is not None:
            needed(trouble)
        pki = self.newPki()
        self.udpTarget = self.udpEnd()
        self.server = self.startServer(self.udpTarget.address, "--workers", "2", *serverWords(pki))
        server = self.listening(self.server)
        self.door = startByTurns(
            self, (SERVER.format(number=number, server=server) for number in range(1, ADDRESSES + 1))
        )
        words = ["-C", pki.caCertificate, "-c", pki.clientCertificate, "-k", pki.clientKey]
        self.client = self.startClient(self.door, *words, "-n", str(TUNNELS), "--min-pool", str(TUNNELS))
        self.throughDoor = Flow(self.udpEnd(), self.listening(self.client), self.udpTarget)

    def test_itIsOneSessionInOrderAndWhole(self) -> None:
        """
        Half of its tunnels are relayed from worker to worker; the target sees one source, and each
        datagram once and in order, both ways.
        """
        self.throughDoor.openPool()
        loads = [self.forth(self.throughDoor, whole=True), self.back(self.throughDoor, whole=True)]
        for load in loads:
            load.start()
        waitForAll(loads, 2000)
        for load in loads:
            load.stop()
        self.assertWhole(*loads)
        self.assertEqual(len(loads[0].sources), 1)
        self.assertStops(self.client)
        self.server.waitForLine("ended: the client has left")
        self.assertStops(self.server)
