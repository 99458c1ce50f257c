"""
Several servers: behind a balancer that sends connections to them by turns, and named one after another.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from bench.rig.ports import LOOPBACK
from bench.rig.programs import until
from tests.integration import impatient
from tests.integration.byturns import startByTurns
from tests.integration.harness import ourCommand, runToEnd
from tests.integration.loads import LoadTestCase, settle, waitForAll
from tests.integration.questions import Questions, whoHas
from tests.integration.rig import RigTestCase, said, serverWords
from tests.integration.udpends import Flow
from uotp.client.slot import QUICK_STRAYS

TUNNELS = 8

MORE_STRAYS = 6
"""Of each tunnel, after those that are tried at once: the waits between them grow, and a test takes no minutes."""

SECRET_PATH = "/5a1dd0f5b7c6e9aa"  # noqa: S105 - of a server that runs for some seconds

FAR_SECONDS = 0.2
"""One way: far worse than what is on loopback."""


class ByTurnsTests(LoadTestCase):
    """
    Several servers stand behind a HAProxy without affinity: the tunnels of one session come to all.
    """

    def begin(self, count: int, balance: str = "roundrobin") -> None:
        """
        Start servers, HAProxy before them, and a client, and open its pool.
        """
        self.pki = self.newPki()
        self.udpTarget = self.udpEnd()
        self.servers = [self.startServer(self.udpTarget.address, *serverWords(self.pki)) for _ in range(count)]
        self.places = [self.listening(server) for server in self.servers]
        checked = (f"s{port} {host}:{port} check inter 200 fall 1 rise 1" for host, port in self.places)
        self.door = startByTurns(self, checked, balance)
        words = ["-C", self.pki.caCertificate, "-c", self.pki.clientCertificate, "-k", self.pki.clientKey]
        words += ["-n", str(TUNNELS), "--min-pool", str(TUNNELS)]
        self.client = self.startClient(self.door, *words)
        self.byTurns = Flow(self.udpEnd(), self.listening(self.client), self.udpTarget)
        self.byTurns.openPool()

    def report(self) -> dict[str, Any]:
        """
        @return: what the client tells of itself.
        """
        found: list[dict[str, Any]] = []

        def hasTold() -> bool:
            told = map(json.loads, runToEnd(ourCommand("status", "--json")).stdout.splitlines())
            found.extend(each for each in told if each["pid"] == self.client.process.pid)
            return bool(found)

        until(hasTold, "the client tells of itself")
        return found[0]

    def carry(self) -> None:
        """
        Each datagram comes once and in order, both ways, and the target sees one source.
        """
        loads = [self.forth(self.byTurns, whole=True), self.back(self.byTurns, whole=True)]
        for load in loads:
            load.start()
        waitForAll(loads, 2000)
        for load in loads:
            load.stop()
        self.assertWhole(*loads)
        self.assertEqual(len(loads[0].sources), 1)

    def test_theTargetSeesOneSource(self) -> None:
        """
        One server keeps the session, and the other has forgotten what came to it.
        """
        self.begin(2)
        self.carry()
        self.client.waitForLine("leads to several servers")
        self.assertStops(self.client)
        for server in self.servers:
            server.waitForLine("ended: the client has left")
            self.assertStops(server)

    def test_whoeverHasFewestConnections(self) -> None:
        """
        What is dialled would go to the server that the session is not at, again and again.
        """
        self.begin(2, "leastconn")
        self.carry()
        self.assertStops(self.client)

    def test_threeServersByChance(self) -> None:
        """
        The dials for one more tunnel are bounded.
        """
        self.begin(3, "random")
        self.carry()
        strays = self.report()["handshakes"].get("elsewhere", 0)
        self.assertLessEqual(strays, TUNNELS * (QUICK_STRAYS + MORE_STRAYS))
        self.assertStops(self.client)

    def test_oneIsKilledAndBack(self) -> None:
        """
        The session goes on at the other one, and stays there.
        """
        self.begin(2)
        used = self.servers.index(whoHas(self.byTurns.source, self.servers))
        load = self.forth(self.byTurns)
        load.start()
        load.waitFor(300)
        self.servers[used].kill()
        until(lambda: len(load.sources) > 1, "the other server carries")
        self.startServer(self.udpTarget.address, *serverWords(self.pki), listen=self.places[used])
        for _ in range(4):
            load.waitFor(300)
        load.stop()
        settle(load)
        self.assertEqual(len(load.sources), 2)
        self.assertStops(self.client)


class _OneAfterTheOtherTestCase(RigTestCase):
    """
    A client knows several servers.
    """

    def startServers(self, count: int) -> None:
        """
        Start servers with one target, and wait until they listen.
        """
        self.pki = self.newPki()
        self.behind, self.source = self.udpEnd(), self.udpEnd()
        self.servers = [self.startServer(self.behind.address, *serverWords(self.pki)) for _ in range(count)]
        self.places = [self.listening(server) for server in self.servers]
        self.named = [f"{host}:{port}" for host, port in self.places]

    def startClientOf(self, *words: str) -> None:
        """
        Start a client, and wait until it listens.

        @param words: what it is told besides certificates and where it listens.
        """
        shows = ["-c", self.pki.clientCertificate, "-k", self.pki.clientKey, "-C", self.pki.caCertificate]
        command = ourCommand("client", "-a", LOOPBACK, "-p", "0", *shows, *words, module=self.module)
        self.client = self.start("our client", command)
        self.questions = Questions(self.source, self.listening(self.client), self.behind)

    def standBy(self) -> None:
        """
        Have a tunnel stand by at the second server.
        """
        self.first = self.questions.ask()
        self.questions.ask()
        self.waitForStandby(1)

    def begin(self, servers: int) -> None:
        """
        Start all, and have a tunnel stand by.
        """
        self.startServers(servers)
        self.startClientOf(*self.named)
        self.standBy()

    def waitForStandby(self, server: int) -> None:
        """
        Go on until a tunnel stands by at a server.
        """
        self.goOnUntil(f"{self.named[server]} stands by")

    def goOnUntil(self, words: str) -> None:
        """
        Go on until the client's log has some words.
        """
        self.questions.goOnUntil(self.client, words)

    def moved(self, before: int, after: int) -> str:
        return f"moves from {self.named[before]} to {self.named[after]}"


class OneAfterTheOtherTests(_OneAfterTheOtherTestCase):
    """
    Whatever becomes of the first server, the flow goes on at the next one.
    """

    def test_killedAndBack(self) -> None:
        """
        The target sees one peer that roams.  When the first server is back, a tunnel stands by there.
        """
        self.begin(2)
        self.servers[0].process.kill()
        second = self.questions.ask()
        self.assertNotEqual(second, self.first)
        self.client.waitForLine(self.moved(0, 1))
        self.startServer(self.behind.address, *serverWords(self.pki), listen=self.places[0])
        self.waitForStandby(0)
        self.assertEqual(self.questions.ask(), second)
        self.servers[1].process.kill()
        self.goOnUntil(self.moved(1, 0))
        self.assertNotEqual(self.questions.ask(), second)
        self.assertStops(self.client)

    def test_standsStill(self) -> None:
        """
        Its connections stay open, and nobody answers.  When it goes on, it finds a goodbye, and ends the session.
        """
        self.begin(2)
        self.servers[0].process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.servers[0].process.send_signal, signal.SIGCONT)
        self.goOnUntil(self.moved(0, 1))
        self.assertNotEqual(self.questions.ask(), self.first)
        self.servers[0].process.send_signal(signal.SIGCONT)
        self.servers[0].waitForLine("ended: the client has left")
        self.assertStops(self.client)

    def test_stopsInGoodOrder(self) -> None:
        self.begin(2)
        self.assertStops(self.servers[0])
        self.goOnUntil(self.moved(0, 1))
        self.questions.ask()
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
        self.questions.ask()
        self.assertStops(self.client)

    def test_firstIsAwayAtTheStart(self) -> None:
        """
        A source that is not proved is served by the second one.
        """
        self.startServers(2)
        self.assertStops(self.servers[0])
        self.startClientOf(*self.named)
        self.questions.ask()
        self.client.waitForLine(self.moved(0, 1))

    def test_fileNamesAWebSocketAndABareServer(self) -> None:
        """
        With the WebSocket first.  Its path stands in no line, also when it fails.
        """
        self.startServers(2)
        self.servers[0] = self.startServer(self.behind.address, *serverWords(self.pki), "--http-path", SECRET_PATH)
        host, port = self.listening(self.servers[0])
        file = Path(self.mktemp()).resolve()
        file.touch(mode=0o600)
        file.write_text(f'server = ["wss://{host}:{port}{SECRET_PATH}", "{self.named[1]}"]\n')
        self.named[0] = f"wss://{host}:{port}/..."
        self.startClientOf(str(file))
        self.standBy()
        self.servers[0].process.kill()
        self.goOnUntil(self.moved(0, 1))
        self.assertNotEqual(self.questions.ask(), self.first)
        self.assertStops(self.client)
        self.assertEqual(said(self.client, SECRET_PATH[1:]), [])


class FarAndBackTests(_OneAfterTheOtherTestCase):
    """
    What takes a minute and more takes some seconds here.
    """

    module = impatient.__name__

    def test_leavesWhatIsFarWorseAndComesBack(self) -> None:
        """
        Both times in good order: the server that is left ends the session soon, with its socket at the target.  A
        second tunnel that carries little counts as well.
        """
        self.startServers(2)
        relay = self.relay(self.places[0])
        self.named[0] = f"{relay.address[0]}:{relay.address[1]}"
        self.startClientOf("-n", "2", "--min-pool", "2", *self.named)
        self.standBy()
        relay.slow(FAR_SECONDS)
        self.goOnUntil(self.moved(0, 1))
        self.assertTrue(said(self.client, "its round trip was far worse"))
        self.assertNotEqual(self.questions.ask(), self.first)
        self.servers[0].waitForLine("ended: the client has left")
        relay.slow(0.0)
        self.goOnUntil(self.moved(1, 0))
        self.assertTrue(said(self.client, "has been well for some minutes"))
        self.questions.ask()
        self.servers[1].waitForLine("ended: the client has left")
        self.assertStops(self.client)
