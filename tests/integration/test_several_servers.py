"""
Several servers: behind a balancer that sends connections to them by turns, and named one after another.
"""

from __future__ import annotations

import itertools
import signal
import time

from bench.rig.ports import LOOPBACK
from bench.rig.programs import HANG_SECONDS
from tests.integration.byturns import startByTurns
from tests.integration.correspondence import Address
from tests.integration.harness import ourCommand
from tests.integration.loads import LoadTestCase, waitForAll
from tests.integration.rig import RigTestCase, serverWords
from tests.integration.udpends import Flow

TUNNELS = 8


class ByTurnsTests(LoadTestCase):
    """
    Two servers stand behind a HAProxy without affinity: the tunnels of one session come to both.
    """

    def setUp(self) -> None:
        super().setUp()
        pki = self.newPki()
        self.udpTarget = self.udpEnd()
        self.servers = [self.startServer(self.udpTarget.address, *serverWords(pki)) for _ in range(2)]
        places = [self.listening(server) for server in self.servers]
        self.door = startByTurns(self, (f"s{port} {host}:{port}" for host, port in places))
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


class OneAfterTheOtherTests(RigTestCase):
    """
    A client knows several servers.  Whatever becomes of the first, the flow goes on at the next one.
    """

    def begin(self, servers: int) -> None:
        """
        Start them, and have a tunnel stand by at the second one.
        """
        pki = self.newPki()
        self.behind, self.source, self.numbers = self.udpEnd(), self.udpEnd(), itertools.count()
        self.servers = [self.startServer(self.behind.address, *serverWords(pki)) for _ in range(servers)]
        self.places = [self.listening(server) for server in self.servers]
        self.pki = pki
        words = ["-C", pki.caCertificate, "-c", pki.clientCertificate, "-k", pki.clientKey]
        named = [f"{host}:{port}" for host, port in self.places]
        self.client = self.start(
            "our client", ourCommand("client", "-a", LOOPBACK, "-p", "0", *words, *named, module=self.module)
        )
        self.door = self.listening(self.client)
        self.first = self.correspond()
        self.correspond()
        self.waitForStandby(1)

    def waitForStandby(self, server: int) -> None:
        """
        Go on until a tunnel stands by at a server.
        """
        self.goOnUntil(f"{self.shown(server)} stands by")

    def shown(self, server: int) -> str:
        host, port = self.places[server]
        return f"{host}:{port}"

    def goOnUntil(self, words: str) -> None:
        """
        Go on until the client's log has some words.
        """
        deadline = time.monotonic() + HANG_SECONDS
        while words not in "\n".join(self.client.lines):
            self.assertLess(time.monotonic(), deadline, words)
            self.correspond()
            time.sleep(0.1)

    def correspond(self) -> Address:
        """
        Have one datagram of the source answered, and ask again for as long as none is.

        @return: where it came from, as the target sees it.
        """
        deadline = time.monotonic() + HANG_SECONDS
        while time.monotonic() < deadline:
            text = b"%d" % next(self.numbers)
            self.source.send(text, self.door)
            came = self.behind.receive(0.3)
            while came is not None and came[0] != text:
                came = self.behind.receive(0.3)
            if came is not None:
                self.behind.send(came[0], came[1])
                back = self.source.receive(1)
                while back is not None and back[0] != text:
                    back = self.source.receive(1)
                if back is not None:
                    return came[1]
        reason = "nothing is answered"
        raise AssertionError(reason)

    def moved(self, before: int, after: int) -> str:
        return f"moves from {self.shown(before)} to {self.shown(after)}"

    def test_killedAndBack(self) -> None:
        """
        The target sees one peer that roams.  When the first server is back, a tunnel stands by there.
        """
        self.begin(2)
        self.servers[0].process.kill()
        second = self.correspond()
        self.assertNotEqual(second, self.first)
        self.client.waitForLine(self.moved(0, 1))
        self.startServer(self.behind.address, *serverWords(self.pki), listen=self.places[0])
        self.waitForStandby(0)
        self.assertEqual(self.correspond(), second)
        self.servers[1].process.kill()
        self.goOnUntil(self.moved(1, 0))
        self.assertNotEqual(self.correspond(), second)
        self.assertStops(self.client)

    def test_standsStill(self) -> None:
        """
        Its connections stay open, and nobody answers.
        """
        self.begin(2)
        self.servers[0].process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.servers[0].process.send_signal, signal.SIGCONT)
        self.goOnUntil(self.moved(0, 1))
        self.assertNotEqual(self.correspond(), self.first)
        self.assertStops(self.client)

    def test_stopsInGoodOrder(self) -> None:
        self.begin(2)
        self.assertStops(self.servers[0])
        self.goOnUntil(self.moved(0, 1))
        self.correspond()
        self.assertStops(self.client)
        self.servers[1].waitForLine("ended: the client has left")

    def test_twoOfThreeFail(self) -> None:
        """
        A tunnel stands by at the third one when the flow has come to the second.
        """
        self.begin(3)
        self.servers[0].process.kill()
        self.goOnUntil(self.moved(0, 1))
        self.waitForStandby(2)
        self.servers[1].process.kill()
        self.goOnUntil(self.moved(1, 2))
        self.correspond()
        self.assertStops(self.client)

    def test_firstIsAwayAtTheStart(self) -> None:
        """
        A source that is not proved is served by the second one.
        """
        self.begin(2)
        self.assertStops(self.client)
        self.assertStops(self.servers[0])
        words = ["-C", self.pki.caCertificate, "-c", self.pki.clientCertificate, "-k", self.pki.clientKey]
        named = [self.shown(0), self.shown(1)]
        self.client = self.start(
            "our client", ourCommand("client", "-a", LOOPBACK, "-p", "0", *words, *named, module=self.module)
        )
        self.door = self.listening(self.client)
        self.correspond()
        self.client.waitForLine(self.moved(0, 1))
