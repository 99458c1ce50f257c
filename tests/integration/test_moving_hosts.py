"""
Several servers as networks show them: two addresses of one name, packets that vanish, and a WireGuard behind.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
from pathlib import Path

from bench.places import Place
from bench.rig.namespaces import command
from bench.rig.ports import LOOPBACK
from bench.rig.programs import HANG_SECONDS, Program, Programs
from bench.scenarios.wireguard import LISTEN_PORT, wireGuards
from bench.scenarios.wireguard import SERVER_ADDRESS as INNER_ADDRESS
from tests.integration.harness import ProgramTestCase, ourCommand, runToEnd
from tests.integration.hosts import SERVER_ADDRESS, SERVER_NAME, Host, needTwoHosts, twoHosts
from tests.integration.questions import Questions, whoHas
from tests.integration.test_lookups import NAME_SERVER
from tests.integration.udpends import UdpEnd

SECOND_ADDRESS, THIRD_ADDRESS = "203.0.113.11", "203.0.113.12"

PORT, ENTRANCE = 8443, 8911

LISTENING = "listening on"

PINGS = 5
"""So many of WireGuard's answers show that it goes on."""


class _MovingTestCase(ProgramTestCase):
    """
    Has a client's host, and one with several servers at addresses of their own.
    """

    def setUp(self) -> None:
        super().setUp()
        needTwoHosts("nft", "ss", "wg", "wireguard-go", "ping")
        self.home, self.there = twoHosts(self)
        self.there.run(f"ip address add {SECOND_ADDRESS}/32 dev lo; ip address add {THIRD_ADDRESS}/32 dev lo")
        hosts = [SERVER_ADDRESS, SECOND_ADDRESS, THIRD_ADDRESS, SERVER_NAME]
        words = [word for host in hosts for word in ("--host", host)]
        made = runToEnd(ourCommand("cert", str(self.there.folder / "pki"), *words))
        self.assertEqual(made.returncode, 0, made.stderr)

    def serverAt(self, address: str, port: int) -> Program:
        """
        Start a server.

        @param port: of the target, on its loopback.
        """
        pki = f"{self.there.folder}/pki"
        words = f"-a {address} -c {pki}/server.pem -k {pki}/server.key -C {pki}/ca.pem {LOOPBACK} {port}"
        return self.there.start(f"server at {address}", f"exec uotp-server {words}", LISTENING)

    def clientOf(self, *named: str) -> Program:
        """
        Start a client.
        """
        pki = f"{self.there.folder}/pki"
        words = f"-c {pki}/client.pem -k {pki}/client.key -C {pki}/ca.pem {shlex.join(named)}"
        self.client = self.home.start("client", f"exec uotp-client {words}", LISTENING)
        return self.client

    def udpEndAt(self, host: Host) -> UdpEnd:
        """
        @return: a UDP socket on the loopback of a host.
        """
        with host.namespace.inside():
            end = UdpEnd(LOOPBACK)
        self.addCleanup(end.close)
        return end

    def blackHole(self, address: str) -> None:
        """
        Let all that comes from or to a server vanish where it arrives, so that nobody is told.
        """
        for host, whose in ((self.there, "daddr"), (self.home, "saddr")):
            chain = f"chain deaf {{ type filter hook input priority 0; ip {whose} {address} drop; }}"
            command(*host.namespace.words, "nft", f"table inet deaf {{ {chain}; }}")

    def hear(self) -> None:
        """
        Let everything pass again.
        """
        for host in (self.there, self.home):
            command(*host.namespace.words, "nft", "delete", "table", "inet", "deaf")


class QuestionTests(_MovingTestCase):
    """
    Ask through a client while something happens to its servers.
    """

    def setUp(self) -> None:
        super().setUp()
        self.behind = self.udpEndAt(self.there)
        self.servers = {each: self.serverAt(each, self.behind.address[1]) for each in (SERVER_ADDRESS, SECOND_ADDRESS)}

    def begin(self, *named: str) -> None:
        """
        Start a client, and have a tunnel stand by.
        """
        self.clientOf(*named)
        self.questions = Questions(self.udpEndAt(self.home), (LOOPBACK, ENTRANCE), self.behind)
        self.first = self.questions.ask()
        self.goOnUntil("stands by")

    def goOnUntil(self, words: str) -> None:
        self.questions.goOnUntil(self.client, words)

    def startNameServer(self, *addresses: str) -> None:
        """
        Let the client's host ask a name server about all names.
        """
        self.namesAre(*addresses)
        self.home.write("hosts", "127.0.0.1 localhost\n")
        self.home.write("resolv.conf", f"nameserver {SERVER_ADDRESS}\n")
        (self.there.folder / "names.py").write_text(NAME_SERVER.replace("{addresses}", repr([SERVER_ADDRESS])))
        self.there.start("name server", shlex.join([sys.executable, "names.py"]), LISTENING)

    def namesAre(self, *addresses: str) -> None:
        (self.there.folder / "address").write_text(" ".join(addresses))

    def test_twoAddressesOfOneName(self) -> None:
        """
        One of two servers in DNS is killed, and the flow goes on at the other one.  When the name has a third address
        in place of the dead one, a tunnel stands by there.
        """
        self.startNameServer(SERVER_ADDRESS, SECOND_ADDRESS)
        self.begin(f"{SERVER_NAME}:{PORT}")
        self.client.waitForLine(f"another server of {SERVER_NAME}:{PORT} stands by")
        used = whoHas(self.first, self.servers.values(), *self.there.namespace.words)
        (dead,) = [each for each, server in self.servers.items() if server is used]
        (left,) = {SERVER_ADDRESS, SECOND_ADDRESS} - {dead}
        third = self.servers[THIRD_ADDRESS] = self.serverAt(THIRD_ADDRESS, self.behind.address[1])
        self.namesAre(left, THIRD_ADDRESS)
        self.servers[dead].process.kill()
        self.goOnUntil(f"moves from {SERVER_NAME}:{PORT} to another server there")
        second = self.questions.ask()
        self.assertNotEqual(second, self.first)
        deadline = time.monotonic() + HANG_SECONDS
        while not any(" opened from" in line for line in third.lines):
            self.assertEqual(self.questions.ask(), second)
            self.assertLess(time.monotonic(), deadline, "no tunnel stands by at the third address")
        self.servers[left].process.kill()
        self.assertNotIn(self.questions.ask(), (self.first, second))

    def test_firstVanishes(self) -> None:
        """
        Nobody says that it is gone.  The flow goes on at the second one, and a tunnel stands by at the first when it
        is back.
        """
        self.begin(f"{SERVER_ADDRESS}:{PORT}", f"{SECOND_ADDRESS}:{PORT}")
        self.blackHole(SERVER_ADDRESS)
        self.goOnUntil(f"moves from {SERVER_ADDRESS}:{PORT} to {SECOND_ADDRESS}:{PORT}")
        second = self.questions.ask()
        self.assertNotEqual(second, self.first)
        self.hear()
        self.goOnUntil(f"{SERVER_ADDRESS}:{PORT} stands by")
        self.assertEqual(self.questions.ask(), second)

    def test_secondVanishesWhileItStandsBy(self) -> None:
        """
        The flow does not notice, and the third one stands by.
        """
        self.servers[THIRD_ADDRESS] = self.serverAt(THIRD_ADDRESS, self.behind.address[1])
        self.begin(*(f"{each}:{PORT}" for each in self.servers))
        self.client.waitForLine(f"{SECOND_ADDRESS}:{PORT} stands by")
        self.blackHole(SECOND_ADDRESS)
        self.goOnUntil(f"{SECOND_ADDRESS}:{PORT} does not stand by any more")
        self.goOnUntil(f"{THIRD_ADDRESS}:{PORT} stands by")
        self.assertEqual(self.questions.ask(), self.first)


class WireGuardTests(_MovingTestCase):
    """
    Two servers have the same WireGuard behind them.
    """

    def test_onePeerRoams(self) -> None:
        """
        Its endpoint is another one when the first server is killed, and all goes on.
        """
        servers = [self.serverAt(each, LISTEN_PORT) for each in (SERVER_ADDRESS, SECOND_ADDRESS)]
        self.clientOf(f"{SERVER_ADDRESS}:{PORT}", f"{SECOND_ADDRESS}:{PORT}")
        place = Place(SERVER_ADDRESS, self.there.namespace.words, self.home.namespace.words)
        with (
            tempfile.TemporaryDirectory() as folder,
            Programs(Path(folder)) as running,
            wireGuards(place, running, (LOOPBACK, ENTRANCE)),
        ):
            ping = ["ping", "-c", str(PINGS), "-i", "0.2", "-W", "60", INNER_ADDRESS]
            command(*place.clientSide, *ping)
            self.client.waitForLine(f"{SECOND_ADDRESS}:{PORT} stands by")
            (before,) = self.endpoints(place)
            servers[0].process.kill()
            self.client.waitForLine("moves from")
            command(*place.clientSide, *ping)
            (after,) = self.endpoints(place)
            self.assertNotEqual(before, after)

    def endpoints(self, place: Place) -> list[str]:
        """
        @return: where the peers of the server's WireGuard are; the programs of both hosts can be asked from everywhere.
        """
        return [
            line
            for line in command(*place.serverSide, "wg", "show", "all", "endpoints").splitlines()
            if line.partition("\t")[0] == f"wg{os.getpid()}s"
        ]
