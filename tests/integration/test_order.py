"""
The order of datagrams, with format 2: by hand, so that it is known what comes when, and
through a pool whose tunnels are not equally fast.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from bench.rig.programs import until
from tests.integration.correspondence import Address
from tests.integration.loads import Load, LoadTestCase, settle, waitForAll
from tests.integration.rawformat2 import WELCOME, RawTunnel2, clientHello, dialRaw2, newId, train
from tests.integration.relay import ETHERNET_SEGMENT_BYTES
from tests.integration.rig import PLAIN, RigTestCase, said
from tests.integration.udpends import UdpEnd

HOLD_SECONDS = 0.05
"""What C{--reorder 50} means."""

LONG = ("--reorder", "5000")
"""The longest that can be asked for, so that it does not matter how busy the machine is."""

LATE_SECONDS = 4.0
"""What a busy machine may add, and less than L{LONG}."""

DELAYS = (0.008, 0.02, 0.012, 0.01)
"""
Of the tunnels of a pool, in seconds; so that each carries but one or two megabytes a
second, and they are not equally fast.
"""

HEAVY_RATE = 3300
HEAVY_SIZE = 1200
"""More than two of them can carry, and less than all four."""

MUCH_BYTES = 500_000

FEW = 0.005
"""The share of datagrams that may be out of order: none, unless the machine is very busy."""


def several(carried: Iterable[int]) -> bool:
    """
    @param carried: bytes of each tunnel.
    @return: whether several have carried much.
    """
    return sum(one > MUCH_BYTES for one in carried) > 1


class ByHandTests(RigTestCase):
    """
    Two tunnels of one session at a real server, and what the target gets.
    """

    def begin(self, *options: str) -> tuple[UdpEnd, RawTunnel2, RawTunnel2]:
        """
        @param options: of the server.
        @return: the target, and both tunnels; number 0 has gone through the first.
        """
        target = self.udpEnd()
        server = self.startServer(target.address, *PLAIN, *options)
        address = self.listening(server)
        self.server, sessionId = server, newId()
        first, second = (self.join(address, sessionId) for _ in range(2))
        first.say(train(0, b"0"))
        target.expect(b"0")
        return target, first, second

    def join(self, address: Address, sessionId: bytes) -> RawTunnel2:
        """
        @return: a tunnel that is welcome.
        """
        tunnel = dialRaw2(address, clientHello(sessionId))
        self.addCleanup(tunnel.close)
        self.assertEqual(tunnel.readHello()[0], WELCOME)
        return tunnel

    def test_whatComesEarlyWaitsForWhatIsMissing(self) -> None:
        target, first, second = self.begin(*LONG)
        second.say(train(2, b"2", b"3") + train(4, b"4"))
        self.assertIsNone(target.receive(0.1))
        first.say(train(1, b"1") + train(5, b"5"))
        for number in range(1, 6):
            target.expect(b"%d" % number, LATE_SECONDS)

    def test_numbersBeginAgainAfterTheLast(self) -> None:
        target = self.udpEnd()
        address = self.listening(self.startServer(target.address, *PLAIN, *LONG))
        sessionId = newId()
        first, second = (self.join(address, sessionId) for _ in range(2))
        first.say(train(0xFFFFFFFE, b"a"))
        target.expect(b"a")
        second.say(train(1, b"d"))
        self.assertIsNone(target.receive(0.1))
        first.say(train(0xFFFFFFFF, b"b", b"c"))
        for datagram in (b"b", b"c", b"d"):
            target.expect(datagram, LATE_SECONDS)

    def test_nobodyWaitsWhereOrderIsOff(self) -> None:
        """
        With C{--reorder off} what comes is handed on as it comes.
        """
        target, first, second = self.begin("--reorder", "off")
        second.say(train(2, b"2"))
        target.expect(b"2")
        first.say(train(1, b"1"))
        target.expect(b"1")

    def test_waitIsAsLongAsTheUserSays(self) -> None:
        """
        With C{--reorder 50}, and no longer; what comes later is handed on at once, and
        counted.
        """
        target, first, second = self.begin("--reorder", "50")
        began = time.monotonic()
        second.say(train(2, b"2"))
        target.expect(b"2")
        took = time.monotonic() - began
        self.assertTrue(HOLD_SECONDS <= took <= HOLD_SECONDS + LATE_SECONDS, took)
        first.say(train(1, b"1"))
        target.expect(b"1")
        for tunnel in (first, second):
            tunnel.close()
        self.assertStops(self.server)
        (line,) = said(self.server, "ended: the server stops")
        self.assertTrue(line.endswith("; 1 came late"), line)


class PoolTests(LoadTestCase):
    """
    A load that takes several tunnels of a pool, which are not equally fast.
    """

    def carried(self, *options: str) -> list[Load]:
        """
        @param options: of both ends.
        @return: a load each way, all of which has come that will come.
        """
        relay, _, flow = self.relayed(len(DELAYS), server=options, client=options, segment=ETHERNET_SEGMENT_BYTES)
        for connection, delay in zip(relay.connections, DELAYS, strict=True):
            connection.delay = delay
        loads = [make(flow, HEAVY_RATE, HEAVY_SIZE) for make in (self.forth, self.back)]
        for load in loads:
            load.start()
        waitForAll(loads, HEAVY_RATE)
        until(lambda: several(one.carried for one in relay.connections), "several have carried forth")
        until(lambda: several(one.brought for one in relay.connections), "several have carried back")
        for load in loads:
            load.stop()
        settle(*loads)
        return loads

    def test_loadArrivesInOrder(self) -> None:
        for load in self.carried():
            self.assertLess(len(load.disorder()), len(load.came) * FEW)

    def test_loadArrivesOutOfOrderWhereOrderIsOff(self) -> None:
        for load in self.carried("--reorder", "off"):
            self.assertGreater(len(load.disorder()), len(load.came) * 5 * FEW)
