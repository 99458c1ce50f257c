"""
A load of numbered datagrams, so that it can be told what is missing and what came out
of order, while a test does something to the tunnels.  Every wait has a deadline.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable, Sequence
from itertools import accumulate

from bench.load.stamped import STAMP, Record, Steady
from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.procfs import unreadBytes
from bench.rig.programs import HANG_SECONDS, until
from tests.integration.relay import Relay, Relayed
from tests.integration.rig import Pair, RigTestCase
from tests.integration.udpends import Flow, UdpEnd
from uotp.pki.directory import Pki

RATE = 1000
"""Datagrams a second: a light load, and steady."""

SIZE = 300
"""Bytes of each: more than what goes before longer ones that wait."""

IN_ORDER = ("--reorder", "1000")
"""All that comes is put in order, however busy the machine is, and though some is sent again."""

LOOK_SECONDS = 0.1
"""Who receives looks so often whether it is to end."""

LOST_SECONDS = 30.0
"""With nothing coming for so long, what has not come is lost, also on a busy machine."""

LAST_SECONDS = 2.0
"""The same when the last that was sent has come: what others carry is hardly later than that."""

WINDOW = 200
WINDOW_SECONDS = 0.25
"""
As many datagrams of a load, or those of so many seconds, may be on their way: more than
there are on any path here, unless the machine is too slow to carry the rate.
"""

COMING_SECONDS = 0.1
"""
A load arrives as long as its last datagram has not come longer ago, or as long as the first program on its way
does not read.
"""

KERNEL_BYTES = 1304
"""What the kernel counts for a datagram of some hundred bytes or more, besides these, at the most."""

IN_USE = 100
"""Datagrams of a load that show which connection carries it."""

RESTRAINED_SECONDS = 0.002
"""Who may not send yet looks so often."""

QUIET_SECONDS = 0.3
"""A relay is quiet when nothing goes through it for so long."""


class Arrivals(Record):
    """
    Writes down what comes of a load, and from whom.

    @ivar sources: whom it came from.
    @ivar highest: the highest number that has come.
    @ivar moment: when the last came, on the monotonic clock.
    """

    def __init__(self, end: UdpEnd, size: int) -> None:
        """
        @param size: bytes of each; datagrams of other sizes are passed over.
        """
        super().__init__(end.socket, 1, sizes=(size, size))
        self._size = size
        self.sources: set[Address] = set()
        self.highest = -1
        self.moment = -math.inf

    def receiving(self) -> Callable[[bytearray], int]:
        """
        See L{Record}.
        """

        def receive(buffer: bytearray) -> int:
            size, source = self.socket.recvfrom_into(buffer)
            if size == self._size:
                self.sources.add((source[0], source[1]))
                self.highest = max(self.highest, STAMP.unpack_from(buffer)[1])
                self.moment = time.monotonic()
            return size

        return receive


class RestrainedSocket(socket.socket):
    """
    Sends a load no faster than it arrives, as long as it arrives: a machine that is too slow
    for the rate is given less to carry, and loses nothing by it.

    @ivar patience: seconds without an arrival after which more than may be on their way are sent.
    """

    def __init__(self, end: UdpEnd, window: int, arrivals: Arrivals, patience: float) -> None:
        """
        @param end: whose socket it is, too.
        @param window: how many datagrams may be on their way.
        @param arrivals: what has come.
        """
        super().__init__(fileno=os.dup(end.socket.fileno()))
        self.settimeout(LOOK_SECONDS)
        self._next = 0
        self._window = window
        self._arrivals = arrivals
        self.patience = patience

    def sendto(self, datagram: bytes, address: Address) -> int:  # type: ignore[override]
        """
        Send the next datagram, when it may go.
        """
        arrivals = self._arrivals
        while self._next - arrivals.highest > self._window and self._mayCome(arrivals.moment, address):
            time.sleep(RESTRAINED_SECONDS)
        self._next += 1
        return super().sendto(datagram, address)

    def _mayCome(self, last: float, address: Address) -> bool:
        """
        @param last: when the last has come.
        @return: whether more will come without anything being sent.
        """
        if time.monotonic() - last < self.patience:
            return True
        return self.patience > 0 and unreadBytes(address[1]) > 0


class Load:
    """
    Datagrams from one end to another, at a steady rate, unless they arrive more slowly: what
    sends and receives them is that of the measurements.
    """

    def __init__(
        self,
        sender: UdpEnd,
        to: Address,
        receiver: UdpEnd,
        rate: int = RATE,
        size: int = SIZE,
        *,
        whole: bool = False,
    ) -> None:
        """
        @param sender: who sends.
        @param to: where to.
        @param receiver: where they come out; nobody else may read there meanwhile.
        @param rate: datagrams a second.
        @param size: bytes of each.
        @param whole: whether nothing is broken meanwhile, so that whoever has all that may be on its way hands it on,
            however long that takes.
        """
        receiver.socket.settimeout(LOOK_SECONDS)
        self._arrivals = Arrivals(receiver, size)
        window = max(WINDOW, int(rate * WINDOW_SECONDS))
        if whole:
            held = receiver.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            window = min(window, held // (size + KERNEL_BYTES))
        patience = HANG_SECONDS if whole else COMING_SECONDS
        self._socket = RestrainedSocket(sender, window, self._arrivals, patience)
        self._sending = Steady(self._socket, [(size, size, rate)], to=to)
        self._arrivals.start()

    @property
    def sent(self) -> int:
        """
        How many have been sent; they are numbered from 0.
        """
        return int(self._sending.report()["sent"][0])

    @property
    def came(self) -> list[int]:
        """
        The numbers of those that have come, in the order in which they came.
        """
        return self._arrivals.numbers()

    @property
    def moment(self) -> float:
        """
        When the last came, on the monotonic clock.
        """
        return self._arrivals.moment

    @property
    def sources(self) -> set[Address]:
        """
        Whom they came from.
        """
        return self._arrivals.sources

    def start(self) -> None:
        """
        Send, until told to stop.
        """
        self._sending.start()

    def restrain(self) -> None:
        """
        Nothing is broken any more, and it arrives again: from now on send nothing while as much as may be on its way
        has not come, however long that takes.
        """
        self._socket.patience = HANG_SECONDS

    def stop(self) -> None:
        """
        Send no more, from this moment on.
        """
        self._socket.patience = 0
        self._sending.finish()

    def close(self) -> None:
        """
        End, and do not listen any more.
        """
        self.stop()
        self._socket.close()
        self._arrivals.finish()

    def waitFor(self, more: int) -> None:
        """
        Wait until so many more have come.
        """
        waitForAll([self], more)

    @property
    def quietSeconds(self) -> float:
        """
        How long it has to be quiet until nothing more will come.
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
        came = self.came
        return [number for number, highest in zip(came[1:], accumulate(came, max), strict=False) if number <= highest]


def waitForAll(loads: Sequence[Load], more: int) -> None:
    """
    Wait until so many more of each have come.
    """
    enough = [len(load.came) + more for load in loads]
    until(
        lambda: all(len(load.came) >= number for load, number in zip(loads, enough, strict=True)),
        f"{more} more of each have come",
    )


def settle(*loads: Load) -> None:
    """
    Wait until all of some loads that have stopped has come; or for longer than
    anything may be on its way, after the last that came.
    """
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < max(load.quietSeconds for load in loads):
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
        options = ("--wire", str(wire), "-n", str(tunnels), "--min-pool", str(tunnels), *client)
        pair = self.pair(target.address, pki, server=server, client=options, dial=relay.address, serverPort=port)
        flow = self.flow(pair, target)
        flow.openPool()
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

    def forth(self, flow: Flow, rate: int = RATE, size: int = SIZE, *, whole: bool = False) -> Load:
        """
        @return: a load from a flow's application to its target, see L{Load}.
        """
        return self.load(Load(flow.application, flow.client, flow.target, rate, size, whole=whole))

    def back(self, flow: Flow, rate: int = RATE, size: int = SIZE, *, whole: bool = False) -> Load:
        """
        @return: a load from a flow's target to its application, see L{Load}.
        """
        return self.load(Load(flow.target, flow.source, flow.application, rate, size, whole=whole))

    def load(self, load: Load) -> Load:
        """
        @return: the same, which ends with the test.
        """
        self.addCleanup(load.close)
        return load

    def inUse(self, load: Load, relay: Relay, count: Callable[[Relayed], int]) -> Relayed:
        """
        @param load: a load that flows.
        @param count: what is counted of each connection.
        @return: the connection that carries the most of it just now.
        """
        before = {one: count(one) for one in list(relay.connections)}
        load.waitFor(IN_USE)
        return max(before, key=lambda one: count(one) - before[one])

    def assertWhole(self, *loads: Load) -> None:
        """
        All that was sent has come, once, in order.
        """
        settle(*loads)
        for load in loads:
            self.assertEqual((load.missing(), load.disorder()), ([], []), f"of {load.sent}")
