"""
A load of numbered datagrams, so that it can be told what is missing and what came out
of order, while a test does something to the tunnels.  Threads of its own send and
receive; every wait has a deadline.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence

from tests.integration.correspondence import LOOPBACK, Address, freePort
from tests.integration.relay import Relay
from tests.integration.rig import Pair, RigTestCase
from tests.integration.udpends import WAIT_SECONDS, Flow, UdpEnd, until
from uotp.pki.directory import Pki

MARK = b"numbered"
"""How a datagram of a load begins; others are passed over."""

HEAD_BYTES = len(MARK) + 4

RATE = 1000
"""Datagrams a second: a light load, and steady."""

SIZE = 300
"""Bytes of each: more than what goes before longer ones that wait."""

TICK_SECONDS = 0.002
"""Between two looks how many are due."""

LOST_SECONDS = 2.0
"""With nothing coming for so long, what has not come is lost."""

LAST_SECONDS = 0.3
"""The same when the last that was sent has come."""

QUIET_SECONDS = 0.3
"""A relay is quiet when nothing goes through it for so long."""


class Load:
    """
    Datagrams from one end to another, at a steady rate.

    @ivar sent: how many have been sent; they are numbered from 0.
    @ivar came: the numbers of those that have come, in the order in which they came.
    @ivar sources: whom they came from.
    """

    def __init__(self, sender: UdpEnd, to: Address, receiver: UdpEnd, rate: int = RATE, size: int = SIZE) -> None:
        """
        @param sender: who sends.
        @param to: where to.
        @param receiver: where they come out; nobody else may read there meanwhile.
        @param rate: datagrams a second.
        @param size: bytes of each.
        """
        self._sender = sender
        self._to = to
        self._receiver = receiver
        self._rate = rate
        self._size = size
        self._sending = threading.Event()
        self._over = threading.Event()
        self.sent = 0
        self.came: list[int] = []
        self.sources: set[Address] = set()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        while not self._over.is_set():
            if not self._sending.wait(0.1):
                continue
            began, before = time.monotonic(), self.sent
            while self._sending.is_set() and not self._over.is_set():
                while self._sending.is_set() and self.sent - before < (time.monotonic() - began) * self._rate:
                    self.sendOne()
                time.sleep(TICK_SECONDS)

    def sendOne(self) -> None:
        """
        Send the next one.
        """
        head = MARK + self.sent.to_bytes(4, "big")
        self.sent += 1
        self._sender.send(head.ljust(self._size, b"."), self._to)

    def _receive(self) -> None:
        while not self._over.is_set():
            one = self._receiver.receive(0.1)
            if one is not None and one[0].startswith(MARK) and len(one[0]) == self._size:
                self.came.append(int.from_bytes(one[0][len(MARK) : HEAD_BYTES], "big"))
                self.sources.add(one[1])

    def start(self) -> None:
        """
        Send, until told to stop.
        """
        self._sending.set()

    def stop(self) -> None:
        """
        Send no more, from this moment on.
        """
        self._sending.clear()
        time.sleep(2 * TICK_SECONDS)  # the one that is just being sent

    def close(self) -> None:
        """
        End, and do not listen any more.
        """
        self._over.set()
        for thread in self._threads:
            thread.join()

    def waitFor(self, more: int, seconds: float = WAIT_SECONDS) -> None:
        """
        Wait until so many more have come.
        """
        enough = len(self.came) + more
        until(lambda: len(self.came) >= enough, f"{more} more have come", seconds)

    def quietSeconds(self) -> float:
        """
        @return: how long it has to be quiet until nothing more will come.
        """
        if len(self.came) == self.sent:
            return 0
        return LAST_SECONDS if self.came and self.came[-1] == self.sent - 1 else LOST_SECONDS

    def missing(self) -> list[int]:
        """
        @return: the numbers of those that have not come.
        """
        return sorted(set(range(self.sent)) - set(self.came))

    def disorder(self) -> list[int]:
        """
        @return: the numbers that came after a higher one, or twice.
        """
        highest, late = -1, []
        for number in self.came:
            if number <= highest:
                late.append(number)
            highest = max(highest, number)
        return late


def settle(*loads: Load) -> None:
    """
    Wait until all of some loads that have stopped has come; or for longer than
    anything may be on its way, after the last that came.
    """
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < max(load.quietSeconds() for load in loads):
        came = sum(len(load.came) for load in loads)
        if came != seen:
            seen, since = came, time.monotonic()
        time.sleep(0.01)


class LoadTestCase(RigTestCase):
    """
    A test with a relay between client and server, and numbered loads.
    """

    def relayed(
        self,
        tunnels: int,
        pki: Pki | None = None,
        *,
        server: Sequence[str] = (),
        client: Sequence[str] = (),
        wire: int = 2,
        segment: int | None = None,
    ) -> tuple[Relay, Pair, Flow]:
        """
        Start a pair that speaks through a relay, and open its pool.

        @param tunnels: how many it has.
        @param wire: the format.
        @param pki: L{None} for plain TCP.
        @param segment: see L{Relay}.
        @return: the relay, the pair, and a flow that has gone both ways.
        """
        target = self.udpEnd()
        port = freePort(socket.SOCK_STREAM)
        relay = self.relay((LOOPBACK, port), segment)
        options = ("--wire", str(wire), "-n", str(tunnels), *client)
        pair = self.pair(target.address, pki, server=server, client=options, dial=relay.address, serverPort=port)
        flow = self.flow(pair, target)
        flow.both(b"hello")
        until(lambda: len(relay.connections) == tunnels, "the pool is open")
        self.settleRelay(relay)
        pair.client.waitForLine("which speaks format 2" if wire == 2 else "connected to")
        return relay, pair, flow

    def settleRelay(self, relay: Relay, seconds: float = QUIET_SECONDS) -> None:
        """
        Wait until nothing has gone to and fro for so long, so all tunnels are open.
        """
        seen, since = -1, time.monotonic()

        def isQuiet() -> bool:
            nonlocal seen, since
            carried = sum(one.carried + one.brought for one in relay.connections)
            if carried != seen:
                seen, since = carried, time.monotonic()
            return time.monotonic() - since >= seconds

        until(isQuiet, "nothing goes through the relay any more")

    def forth(self, flow: Flow, rate: int = RATE, size: int = SIZE) -> Load:
        """
        @return: a load from a flow's application to its target.
        """
        return self.load(Load(flow.application, flow.client, flow.target, rate, size))

    def back(self, flow: Flow, rate: int = RATE, size: int = SIZE) -> Load:
        """
        @return: a load from a flow's target to its application.
        """
        return self.load(Load(flow.target, flow.source, flow.application, rate, size))

    def load(self, load: Load) -> Load:
        """
        @return: the same, which ends with the test.
        """
        self.addCleanup(load.close)
        return load

    def assertWhole(self, *loads: Load) -> None:
        """
        All that was sent has come, once, in order.
        """
        settle(*loads)
        for load in loads:
            self.assertEqual((load.missing(), load.disorder()), ([], []), f"of {load.sent}")
