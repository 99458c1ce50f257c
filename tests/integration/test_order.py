"""
The order of datagrams, with format 2: by hand, so that it is known what comes when, and
through a pool whose tunnels are not equally fast.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

from bench.rig.ports import Address
from bench.rig.programs import HANG_SECONDS, until
from tests.integration.loads import Load, LoadTestCase, settle, waitForAll
from tests.integration.rawformat2 import (
    HELLO_BYTES,
    TRAIN,
    WELCOME,
    RawFrame,
    RawTunnel2,
    clientHello,
    dialRaw2,
    extension,
    newId,
    opening,
    serverHello,
    train,
)
from tests.integration.rawpeers import RawServer
from tests.integration.relay import ETHERNET_SEGMENT_BYTES
from tests.integration.rig import PLAIN, RigTestCase, said
from tests.integration.udpends import UdpEnd

HOLD_SECONDS = 0.05
"""What C{--reorder 50} means."""

ORDER = 3
"""The extension with which a client asks for an order."""

OFF, BULK = b"\2", b"\3"
"""What it can ask for."""

SESSION_ID_BYTES = 16

LONG = ("--reorder", "5000")
"""The longest that can be asked for, so that it does not matter how busy the machine is."""

LATE_SECONDS = 4.0
"""What a busy machine may add, and less than L{LONG}.  When it has added more, nothing is shown..."""

TIMES = 8
"""...and it is tried again, so often."""

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


def again(number: int, datagram: bytes) -> bytes:
    """
    @return: the frame of a datagram that was sent before.
    """
    return RawFrame(TRAIN, datagram, number, len(datagram), flags=1).encode()


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

    def begin(self, *options: str, order: bytes = b"", number: int = 0) -> tuple[UdpEnd, RawTunnel2, RawTunnel2]:
        """
        @param options: of the server.
        @param order: what the client asks for; nothing for what it says without a choice.
        @param number: of the first datagram.
        @return: the target, and both tunnels; the first datagram has gone through the first.
        """
        target = self.udpEnd()
        server = self.startServer(target.address, *PLAIN, *options)
        address = self.listening(server)
        self.server, sessionId = server, newId()
        first, second = (self.join(address, sessionId, order) for _ in range(2))
        first.say(train(number, b"0"))
        target.expect(b"0")
        return target, first, second

    def assertHeld(
        self, begin: Callable[[], tuple[UdpEnd, RawTunnel2, RawTunnel2]], early: bytes, missing: bytes, *expected: bytes
    ) -> None:
        """
        What comes early by one tunnel waits for what comes by the other.  Where a machine takes longer than it is held
        for, it is tried again.

        @param begin: see L{begin}.
        @param expected: what comes of all, in order.
        """
        for _ in range(TIMES):
            target, first, second = begin()
            began = time.monotonic()
            second.say(early)
            came = [target.receive(0.1)]
            first.say(missing)
            came += [target.receive(HANG_SECONDS) for _ in expected[len(list(filter(None, came))) :]]
            if time.monotonic() - began < LATE_SECONDS:
                self.assertEqual([one[0] for one in came if one is not None], list(expected))
                return
        self.fail("each time it took longer than it was held for")

    def join(self, address: Address, sessionId: bytes, order: bytes = b"") -> RawTunnel2:
        """
        @param order: see L{begin}.
        @return: a tunnel that is welcome.
        """
        tunnel = dialRaw2(address, clientHello(sessionId, extension(ORDER, order) if order else b""))
        self.addCleanup(tunnel.close)
        self.assertEqual(tunnel.readHello()[0], WELCOME)
        return tunnel

    def test_whatComesEarlyWaitsForWhatIsMissing(self) -> None:
        early, missing = train(2, b"2", b"3") + train(4, b"4"), train(1, b"1") + train(5, b"5")
        self.assertHeld(lambda: self.begin(*LONG), early, missing, *(b"%d" % number for number in range(1, 6)))

    def test_numbersBeginAgainAfterTheLast(self) -> None:
        begin = partial(self.begin, *LONG, number=0xFFFFFFFE)
        self.assertHeld(begin, train(1, b"d"), train(0xFFFFFFFF, b"b", b"c"), b"b", b"c", b"d")

    def test_nobodyWaitsWhereOrderIsOff(self) -> None:
        """
        With C{--reorder off} what comes is handed on as it comes.
        """
        target, first, second = self.begin("--reorder", "off")
        second.say(train(2, b"2"))
        target.expect(b"2")
        first.say(train(1, b"1"))
        target.expect(b"1")

    def test_clientGetsTheOrderThatItAsksFor(self) -> None:
        """
        None at all here: what would be put in order is handed on as it comes, but for copies.
        """
        target, first, second = self.begin(order=OFF)
        second.say(train(3, b"3") + train(2, b"2") + again(3, b"3") + again(1, b"1"))
        for datagram in (b"3", b"2", b"1"):
            target.expect(datagram)
        first.say(train(1, b"1") + train(4, b"4"))
        target.expect(b"4")

    def test_serversOwnUserDecidesWhatTheServerDoes(self) -> None:
        begin = partial(self.begin, *LONG, order=OFF)
        self.assertHeld(begin, train(2, b"2"), train(1, b"1"), b"1", b"2")

    def test_smallDatagramsGoAheadOfBulk(self) -> None:
        """
        They come once, whatever comes twice; and what is large comes when it has waited.
        """
        bulk = bytes(300)
        target, first, second = self.begin(order=BULK)
        second.say(train(2, bulk) + train(3, b"voice") + again(3, b"voice"))
        target.expect(b"voice")
        target.expect(bulk)
        first.say(train(1, b"late") + train(4, b"next"))
        for datagram in (b"late", b"next"):
            target.expect(datagram)

    def test_clientAsksForTheOrderThatItsUserWants(self) -> None:
        """
        And puts what comes back in that order itself.
        """
        server, user = RawServer(), self.udpEnd()
        self.addCleanup(server.close)
        client = self.startClient(server.address, *PLAIN, "--wire", "2", "-n", "1", "--reorder", "bulk")
        user.send(b"question", self.listening(client))
        raw = server.accept()
        assert raw is not None
        asked = extension(ORDER, BULK)
        self.assertEqual(raw.read(HELLO_BYTES), opening(size=len(asked)))
        raw.read(SESSION_ID_BYTES)
        self.assertEqual(raw.read(len(asked)), asked)
        tunnel = RawTunnel2(raw)
        tunnel.say(serverHello())
        self.assertEqual(tunnel.expect(TRAIN).payload, b"question")
        bulk = bytes(300)
        tunnel.say(train(0, b"answer") + train(2, bulk) + train(3, b"voice"))
        for datagram in (b"answer", b"voice", bulk):
            user.expect(datagram)

    def test_waitIsAsLongAsTheUserSays(self) -> None:
        """
        With C{--reorder 50}, and no longer; what comes later is handed on at once, and
        counted.
        """
        for _ in range(TIMES):
            target, first, second = self.begin("--reorder", "50")
            began = time.monotonic()
            second.say(train(2, b"2"))
            target.expect(b"2")
            took = time.monotonic() - began
            self.assertGreaterEqual(took, HOLD_SECONDS)
            if took <= HOLD_SECONDS + LATE_SECONDS:
                break
        else:
            self.fail(f"it took {took} s")
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
        """
        Where each waits for longer than a busy machine lets a tunnel wait.
        """
        for load in self.carried(*LONG):
            self.assertLess(len(load.disorder()), len(load.came) * FEW)

    def test_loadArrivesOutOfOrderWhereOrderIsOff(self) -> None:
        for load in self.carried("--reorder", "off"):
            self.assertGreater(len(load.disorder()), len(load.came) * 5 * FEW)
