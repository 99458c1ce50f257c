"""
A client that has woken up, or has changed its network: its server still believes in the old connections, of
which nothing arrives any more.  In a network namespace, as root.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import signal

from bench.rig.namespaces import command
from bench.rig.ports import Address
from bench.rig.programs import until
from tests.integration.hosts import needTwoHosts, newNamespace
from tests.integration.loads import LoadTestCase, settle, waitForAll

TUNNELS = 8
"""A server that tries them one after the other needs seconds."""

RATE = 50
"""Datagrams a second that the target sends."""

FLOWS = 40
"""Datagrams that show that a load flows."""

MOST_LOST_SECONDS = 1.5
"""What the target sends meanwhile is lost; a new tunnel is there in a part of that."""

TIMES = 6
"""So often it is tried until no more is lost: a busy machine may let a program wait, but hardly each time."""


def portsTo(server: Address) -> list[str]:
    """
    @return: from where a client is connected.
    """
    lines = command("ss", "-tnHO", "state", "established", "dport", "=", f":{server[1]}")
    return [line.split()[2].rpartition(":")[2] for line in lines.splitlines()]


class WakeUpTests(LoadTestCase):
    """
    SIGHUP at a client whose connections are all dead.
    """

    def setUp(self) -> None:
        needTwoHosts("nft", "ss")
        super().setUp()
        life = contextlib.ExitStack()
        life.enter_context(newNamespace(self, "woken").inside())
        self.addCleanup(life.close)

    def assertFlowsAgain(self, wire: str) -> None:
        """
        What the target sends arrives again, as soon as there is a new tunnel.
        """
        lost: list[int] = []
        while not lost or lost[-1] >= MOST_LOST_SECONDS * RATE:
            self.assertLess(len(lost), TIMES, lost)
            lost.append(self.lostOnce(wire))

    def lostOnce(self, wire: str) -> int:
        """
        @return: how many datagrams are lost.
        """
        target = self.udpEnd()
        options = ("-n", str(TUNNELS), "--min-pool", str(TUNNELS), "--wire", wire)
        pair = self.pair(target.address, self.newPki(), client=options)
        flow = self.flow(pair, target)
        flow.openPool()
        load = self.back(flow, RATE)
        load.start()
        waitForAll([load], FLOWS)
        until(lambda: len(portsTo(pair.serverAddress)) == TUNNELS, "the pool is open")
        ports = portsTo(pair.serverAddress)
        old = f"{{ {', '.join(ports)} }}"
        rules = f"tcp sport {old} drop; tcp dport {old} drop;"
        for hook in ("input", "output"):
            command("nft", f"table inet {hook} {{ chain c {{ type filter hook {hook} priority 0; {rules} }}; }}")
        pair.client.process.send_signal(signal.SIGHUP)
        waitForAll([load], FLOWS)
        load.stop()
        settle(load)
        load.close()
        for program in (pair.client, pair.server):
            program.kill()
        return len(load.missing())

    def test_serverUsesTheNewTunnelAtOnce(self) -> None:
        self.assertFlowsAgain("2")

    def test_serverUsesTheNewTunnelAtOnceInFormat1(self) -> None:
        self.assertFlowsAgain("1")
