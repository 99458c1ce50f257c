"""
A path that is slow and whose queue is deep: it takes seconds through what the programs themselves have sent.
In network namespaces, as root.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from bench.rig.namespaces import command
from bench.rig.ports import LOOPBACK
from bench.rig.programs import HANG_SECONDS, until
from tests.integration.harness import needed
from tests.integration.hosts import needTwoHosts, newNamespace
from tests.integration.rig import PLAIN, RigTestCase, said
from tests.integration.udpends import Flow

NEAR_ADDRESS, FAR_ADDRESS = "198.51.100.1", "198.51.100.2"
PORT = 8443

SLOW_KILOBITS, QUEUE_BYTES = 200, 150_000
"""A modem, and six seconds of what it carries."""

BULK_BYTES, BULK_SECONDS = 1200, 0.016
"""Three times as much is offered, in datagrams of such a size."""

BULK_TO_SMALL = 15
"""After so many there is a small one."""

RECENT_SMALL, ARRIVING_SHARE = 20, 0.5
"""
Of the last so many small datagrams more than this share comes in the end.  Until it is known how slow the
path is, more are lost; how long that takes, 5 s or 15, hangs on what TCP repeats.
"""

TUNNELS = 6

ATTEMPTS = 3
"""
A program that has no processor for half a second hears an answer too late that a slow path has brought in time, and
takes a tunnel for dead.  Where that is not the machine's fault it happens each time.
"""


class SlowPathTests(RigTestCase):
    """
    Offer a slow path more than it carries.
    """

    def setUp(self) -> None:
        needTwoHosts("tc", "ss")
        super().setUp()

    def connectHosts(self, attempt: int) -> None:
        """
        Make two hosts with a modem between them.
        """
        self.near, self.far = newNamespace(self, f"near{attempt}"), newNamespace(self, f"far{attempt}")
        near, far = self.near.name, self.far.name
        command("ip", "link", "add", "modem", "netns", near, "type", "veth", "peer", "name", "line", "netns", far)
        for name, device, address in ((near, "modem", NEAR_ADDRESS), (far, "line", FAR_ADDRESS)):
            command("ip", "-n", name, "address", "add", f"{address}/24", "dev", device)
            command("ip", "-n", name, "link", "set", device, "up")

    def slowDown(self) -> None:
        """
        Let the modem send slowly.
        """
        words = f"root tbf rate {SLOW_KILOBITS}kbit burst 3000 limit {QUEUE_BYTES}"
        try:
            command(*("ip", "netns", "exec", self.near.name, "tc", "qdisc", "add", "dev", "modem"), *words.split())
        except AssertionError:
            needed("the kernel cannot slow a link down (sch_tbf)")

    def clientPorts(self) -> set[str]:
        """
        @return: from where the client is connected.
        """
        words = ("ip", "netns", "exec", self.near.name, "ss", "-tnHO", "state", "established")
        return set(re.findall(rf":(\d+)\s+\S+:{PORT}\b", command(*words)))

    def connected(self, wire: Sequence[str]) -> Flow:
        """
        @return: a flow whose client and application are near, and whose server and target are far.
        """
        with self.far.inside():
            target = self.udpEnd()
            server = self.startServer(target.address, *PLAIN, *wire, listen=("0.0.0.0", PORT))  # noqa: S104
            self.listening(server)
        with self.near.inside():
            pool = ("-n", str(TUNNELS), "--min-pool", str(TUNNELS))
            self.client = self.startClient((FAR_ADDRESS, PORT), *PLAIN, *wire, *pool)
            flow = Flow(self.udpEnd(LOOPBACK), self.listening(self.client), target)
        flow.openPool()
        return flow

    def smallThatCome(self, flow: Flow) -> list[bytes]:
        """
        Offer bulk with small datagrams between it, until the latest of these come.

        @return: the small ones that have come, in order.
        @raise AssertionError: when the latest still do not come after a long time.
        """
        sent: list[bytes] = []
        came: list[bytes] = []
        giveUp = time.monotonic() + HANG_SECONDS
        while time.monotonic() < giveUp:
            small = b"small %d" % len(sent)
            flow.application.send(small, flow.client)
            sent.append(small)
            for _ in range(BULK_TO_SMALL):
                flow.application.send(bytes(BULK_BYTES), flow.client)
                came += self.smallWithin(BULK_SECONDS, flow)
            recent = set(sent[RECENT_SMALL:][-RECENT_SMALL:])
            if len(recent & set(came)) > ARRIVING_SHARE * RECENT_SMALL:
                return came
        reason = f"of {len(sent)} small datagrams these have come: {came}"
        raise AssertionError(reason)

    def smallWithin(self, seconds: float, flow: Flow) -> list[bytes]:
        """
        @return: the small datagrams that come within some seconds.
        """
        came = []
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            one = flow.target.receive(left)
            if one is not None and len(one[0]) < BULK_BYTES:
                came.append(one[0])
        return came

    def isKept(self, attempt: int, wire: Sequence[str]) -> bool:
        """
        See whether small datagrams pass the others.

        @return: whether no tunnel is taken for dead meanwhile.
        """
        self.connectHosts(attempt)
        flow = self.connected(wire)
        until(lambda: len(self.clientPorts()) == TUNNELS, "the pool is open")
        ports = self.clientPorts()
        self.slowDown()
        came = self.smallThatCome(flow)
        self.assertEqual(len(came), len(set(came)))
        return self.clientPorts() == ports and not said(self.client, "failed")

    def assertStaysUsable(self, *wire: str) -> None:
        """
        No tunnel is taken for dead and replaced; and small datagrams pass the others.
        """
        self.assertTrue(any(self.isKept(attempt, wire) for attempt in range(ATTEMPTS)), "each time one was replaced")

    def test_tunnelsOfASlowPathAreKept(self) -> None:
        self.assertStaysUsable("--wire", "2")

    def test_tunnelsOfASlowPathAreKeptInFormat1(self) -> None:
        self.assertStaysUsable("--wire", "1")
