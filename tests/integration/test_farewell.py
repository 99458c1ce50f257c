"""
How programs end with format 2: nothing is lost that they had received, and who leaves
says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.rig.procfs import udpPorts, unreadBytes
from bench.rig.programs import Program, until
from tests.integration.harness import requireProcfs
from tests.integration.loads import IN_ORDER, Load, LoadTestCase, settle, waitForAll
from tests.integration.rig import Pair, said
from tests.integration.udpends import PROOF_BYTES, PROOF_DATAGRAMS, Flow
from uotp.tunnel.tunnel import DRAIN_SECONDS

TUNNELS = 3

DELAY = 0.1
"""Of the path, in seconds: so that there is something on its way when a program is told to stop."""

SLOW_RATE = 400
"""Datagrams a second: less than one tunnel of such a path carries."""

FLOWING = 150
"""Datagrams of a load that show that it flows."""

HELD_SECONDS = 1.1
"""Longer than anything is held for what is missing before it, see L{IN_ORDER}."""

PATIENT_SECONDS = DRAIN_SECONDS - 0.5
"""A program that takes longer to end may not have waited for all that was on its way: the machine has stood still."""

TRIES = 5
"""Of what a machine may be too slow for."""

IDLE = "5"
"""Seconds that a source is silent until its session ends: longer than a busy machine takes to open its pool."""


POOL_BYTES = len(b"hello") + PROOF_DATAGRAMS * PROOF_BYTES
"""What a source sends until its pool is open."""


class FarewellTests(LoadTestCase):
    """
    A client that leaves.
    """

    def test_clientThatStopsEndsItsSessionAtOnce(self) -> None:
        """
        The server closes the session's socket, and keeps nothing for anybody.
        """
        requireProcfs()
        _, pair, flow = self.relayed(TUNNELS, self.newPki())
        self.assertEqual(udpPorts(pair.server.process.pid), {flow.source[1]})
        self.assertStops(pair.client)
        line = pair.server.waitForLine("ended: the client has left; ([0-9]+) bytes to the target, 5 back$")
        self.assertGreaterEqual(int(line[1]), POOL_BYTES)  # before that, something was sent until it arrived
        until(lambda: not udpPorts(pair.server.process.pid), "its socket is closed")
        self.assertEqual(said(pair.server, "has no tunnel left"), [])

    def test_sessionThatWasIdleEndsAtOnce(self) -> None:
        """
        With C{--expire}; the next datagram opens another.
        """
        _, pair, flow = self.relayed(TUNNELS, self.newPki(), client=("--expire", IDLE))
        before = flow.source
        pair.server.waitForLine("ended: the client has left")
        pair.client.waitForLine("ended: idle")
        self.assertEqual(said(pair.server, "has no tunnel left"), [])
        flow.both(b"another")
        self.assertNotEqual(flow.source, before)


class StopTests(LoadTestCase):
    """
    Either program is told to stop, while much is on its way.
    """

    def underway(self) -> tuple[Pair, Flow, list[Load]]:
        """
        @return: a pair on a slow path, a flow, and a load each way.
        """
        relay, pair, flow = self.relayed(TUNNELS, self.newPki(), client=IN_ORDER)
        loads = [self.forth(flow, SLOW_RATE, whole=True), self.back(flow, SLOW_RATE, whole=True)]
        for connection in relay.connections:
            connection.delay = DELAY
        for load in loads:
            load.start()
        waitForAll(loads, FLOWING)
        return pair, flow, loads

    def assertNothingIsLost(self, stops: str) -> None:
        """
        Nobody sends any more, a program has read all that was sent to it, and is told
        to stop: all arrives.

        @param stops: C{client} or C{server}.
        """
        requireProcfs()
        self.tried(lambda: self.losesNothing(stops))

    def losesNothing(self, stops: str) -> bool:
        """
        @return: whether it could be judged: what is missing after a stop that took too long is no fault.
        """
        pair, flow, loads = self.underway()
        for load in loads:
            load.stop()
        until(lambda: not unreadBytes(flow.client[1]) + unreadBytes(flow.source[1]), "both have read all")
        isInTime = self.stopsInTime(self.program(pair, stops))
        came = [len(load.came) for load in loads]
        settle(*loads)
        if not isInTime and any(load.missing() for load in loads):
            return False
        self.assertWhole(*loads)
        self.assertGreaterEqual(min(came), FLOWING)
        return True

    def tried(self, attempt: Callable[[], bool]) -> None:
        """
        Try until the machine is fast enough for once.

        @param attempt: says whether it was.
        """
        if not any(attempt() for _ in range(TRIES)):
            self.fail(f"it could not be judged, in {TRIES} tries")

    def stopsInTime(self, program: Program) -> bool:
        """
        Tell a program to stop, and see it end.

        @return: whether it can have waited for all.
        """
        began = time.monotonic()
        self.assertStops(program)
        return time.monotonic() - began < PATIENT_SECONDS

    def assertNoGaps(self, stops: str) -> None:
        """
        Others go on sending when a program is told to stop: what arrives has no gap,
        and goes on to the moment in which it was told.

        @param stops: C{client} or C{server}.
        """
        requireProcfs()
        self.tried(lambda: self.leavesNoGaps(stops))

    def leavesNoGaps(self, stops: str) -> bool:
        """
        @return: whether it could be judged.
        """
        pair, flow, loads = self.underway()
        told = [load.sent for load in loads]
        until(lambda: not unreadBytes(flow.client[1]) + unreadBytes(flow.source[1]), "both have read all")
        isInTime = self.stopsInTime(self.program(pair, stops))
        until(lambda: time.monotonic() - max(load.moment for load in loads) > HELD_SECONDS, "no more comes")
        for load in loads:
            load.stop()
        areWhole = all(load.came == list(range(len(load.came))) for load in loads)
        if not isInTime and not areWhole:
            return False
        for load, number in zip(loads, told, strict=True):
            until(lambda: len(load.came) >= number, "what it had received has come")  # noqa: B023
            self.assertEqual(load.came, list(range(len(load.came))))
        return True

    def program(self, pair: Pair, which: str) -> Program:
        """
        @return: one of a pair.
        """
        return pair.client if which == "client" else pair.server

    def test_clientThatStopsLosesNothing(self) -> None:
        self.assertNothingIsLost("client")

    def test_serverThatStopsLosesNothing(self) -> None:
        self.assertNothingIsLost("server")

    def test_clientThatStopsUnderLoadLeavesNoGap(self) -> None:
        self.assertNoGaps("client")

    def test_serverThatStopsUnderLoadLeavesNoGap(self) -> None:
        self.assertNoGaps("server")
