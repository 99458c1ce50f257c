"""
Many sources at one client: honest ones with a question each, forged ones whose target
answers, and a heavy one beside light ones.  The verdict is what the honest ones lose, and
what the forged ones cost, and no time.
"""

from __future__ import annotations

import ctypes
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import chain, repeat

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import HANG_SECONDS
from bench.rig.starvation import Starvation
from tests.integration.harness import needed
from tests.integration.rig import Pair, RigTestCase
from tests.integration.udpends import UdpEnd

BURST = 90
STEADY = 120
STEADY_GAP_SECONDS = 0.04
"""Questions at once, as of a browser that starts, and then 25 a second, each from a port of its own."""

ANSWER_SECONDS = 60.0
"""An answer that has not come after so long does not come, also on a busy machine."""

FORGED = 2000
FORGED_SECONDS = 2.5
FORGED_BYTES = 64
"""Forged sources, and what each sends, once."""

HEADER_BYTES = 28
"""Of IPv4 and UDP."""

MOST_TIMES = 10
"""Forging multiplies no bytes by more."""

NEWCOMERS = 12
TRIES = (1.0, 2.0)
"""Programs that come meanwhile, and how long each waits for an answer before it asks again."""

LAST_SECONDS = 10.0
"""What has not come back when nothing has come for so long is lost."""

FLOW_RATE = 200
FLOW_SHARE = 0.95
"""Datagrams a second of a flow that runs meanwhile, and the share of it that has to come back."""

LIGHT_FLOWS = 6
LIGHT_RATE = 50
HEAVY_SECONDS = 3.0
HEAVY_BYTES = 1400
HEAVY_RATE = 170_000
"""Light flows, and a heavy one that sends several times what the client can carry, in datagrams a second."""

NO_LOAD_LOST = 0.1
"""What the heavy one loses is taken to be as much, where the machine is fast enough to carry nearly all of it."""

LIGHT_OF_HEAVY = 1 / 3
"""Of the share that the heavy one loses, a light one loses no more than this."""

TIMES = 5
"""So often it is tried."""

HEAVY_PROGRAM = """
import socket, sys, time
address, size, rate, seconds = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
udp.connect(address)
datagram, sent, begun = bytes(size), 0, time.monotonic()
while (now := time.monotonic()) < begun + seconds:
    for _ in range(int((now - begun) * rate) - sent):
        try:
            udp.send(datagram)
        except OSError:
            pass
        sent += 1
print(sent)
"""

SO_ATTACH_FILTER = 26
QUESTION = ord("q")
ONLY_QUESTIONS = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in ((0x30, 0, 0, 8), (0x15, 0, 1, QUESTION), (6, 0, 0, 0xFFFFFFFF), (6, 0, 0, 0))
)
"""A filter of the kernel: load the first byte behind the header of UDP, and take only what it says."""


class Echo(threading.Thread):
    """
    A target that answers everything.
    """

    def __init__(self, end: UdpEnd) -> None:
        super().__init__(daemon=True)
        self._end = end
        self._stopping = False

    def run(self) -> None:
        """
        Answer.
        """
        while not self._stopping:
            came = self._end.receive(0.1)
            if came is not None:
                self._end.send(*came)

    def stop(self) -> None:
        """
        Answer no more.
        """
        self._stopping = True
        self.join()


class Steady(threading.Thread):
    """
    A flow at a steady rate, whose target answers.

    @ivar sent: how many datagrams it has sent.
    @ivar came: the numbers of those that have come back.
    """

    def __init__(self, address: Address, rate: int) -> None:
        super().__init__(daemon=True)
        self._end = UdpEnd()
        self._address = address
        self._rate = rate
        self._stopping = False
        self.sent = 0
        self.came: set[bytes] = set()

    def run(self) -> None:
        """
        Send, and take what comes back, until a while after the stop.
        """
        begun = time.monotonic()
        while not self._stopping:
            if time.monotonic() >= begun + self.sent / self._rate:
                self._end.send(b"q%d" % self.sent, self._address)
                self.sent += 1
            self._take(0.002)
        while len(self.came) < self.sent and self._take(LAST_SECONDS):
            pass

    def _take(self, seconds: float) -> bool:
        came = self._end.receive(seconds)
        if came is not None:
            self.came.add(came[0])
        return came is not None

    def pause(self) -> None:
        """
        Send no more.
        """
        self._stopping = True

    def stop(self) -> None:
        """
        Send no more, and wait for what is under way.
        """
        self.pause()
        self.join()
        self._end.close()

    @property
    def lostShare(self) -> float:
        """
        The share of it that has not come back.
        """
        return 1 - len(self.came) / self.sent


class SourcesTestCase(RigTestCase):
    """
    A pair whose target answers.
    """

    def echo(self) -> UdpEnd:
        """
        @return: a target that answers everything.
        """
        target = self.udpEnd()
        echo = Echo(target)
        echo.start()
        self.addCleanup(echo.stop)
        return target

    def steady(self, address: Address, rate: int) -> Steady:
        """
        @return: a flow that has begun.
        """
        flow = Steady(address, rate)
        flow.start()
        self.addCleanup(flow.stop)
        return flow


class HonestManyTests(SourcesTestCase):
    """
    Sources with one question each, as those of DNS are.
    """

    def ask(self, address: Address, count: int, gap: float) -> int:
        """
        Ask from so many ports, once from each.

        @param gap: seconds between two of them.
        @return: how many are answered.
        """
        waiting: dict[socket.socket, int] = {}
        answered = sent = 0
        begun = time.monotonic()
        last = begun
        while time.monotonic() < last + ANSWER_SECONDS and (waiting or sent < count):
            while sent < count and time.monotonic() >= begun + sent * gap:
                one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                one.connect(address)
                one.send(b"q%d" % sent)
                waiting[one] = sent
                sent += 1
                last = time.monotonic()
            for one in select.select(list(waiting), [], [], 0.01)[0]:
                answered += one.recv(100) == b"q%d" % waiting.pop(one)
                one.close()
                last = time.monotonic()
        for one in waiting:
            one.close()
        return answered

    def test_allOfThemAreServed(self) -> None:
        """
        A burst, and then a steady stream, each at its first try.
        """
        pair = self.pair(self.echo().address)
        self.assertEqual(self.ask(pair.clientAddress, BURST, 0.0), BURST)
        self.assertEqual(self.ask(pair.clientAddress, STEADY, STEADY_GAP_SECONDS), STEADY)


class ForgedSourcesTests(SourcesTestCase):
    """
    Sources that are forged, and whose target answers.
    """

    def forge(self, address: Address, isEnough: Callable[[], bool]) -> None:
        """
        Send one datagram from each of many addresses.

        @param isEnough: tells whether there need not be more of them.
        """
        begun = time.monotonic()
        while self.forged < FORGED or not isEnough():
            time.sleep(max(0.0, begun + self.forged * FORGED_SECONDS / FORGED - time.monotonic()))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.bind((f"127.7.{self.forged // 250 % 250}.{self.forged % 250 + 1}", 0))
                one.sendto(b"f" * FORGED_BYTES, address)
            self.forged += 1

    def newcomer(self, address: Address, served: list[int]) -> None:
        """
        Ask, and ask again as programs do: for long, since a busy client may read several questions at once.
        """
        deadline = time.monotonic() + HANG_SECONDS
        end = UdpEnd()
        try:
            for wait in chain(TRIES, repeat(TRIES[-1])):
                end.send(b"new", address)
                if end.receive(wait) is not None:
                    served.append(1)
                    return
                if time.monotonic() > deadline:
                    return
        finally:
            end.close()

    def test_theyCostLittleAndTakeNothingFromOthers(self) -> None:
        """
        The bytes that they cause between client and server are a few times their own; a flow
        goes on, and newcomers who ask again are served while they come.
        """
        if sys.platform != "linux":
            needed("only Linux has all addresses of 127.0.0.0/8")
        port = freePort(socket.SOCK_STREAM)
        relay = self.relay((LOOPBACK, port))
        pair = self.pair(self.echo().address, self.newPki(), dial=relay.address, serverPort=port)
        flow = self.steady(pair.clientAddress, FLOW_RATE)
        newcomers: list[threading.Thread] = []
        isEnough = lambda: len(newcomers) == NEWCOMERS and not any(each.is_alive() for each in newcomers)  # noqa: E731
        self.forged = 0
        forging = threading.Thread(target=self.forge, args=(pair.clientAddress, isEnough))
        starvation = Starvation(lambda: [pair.client.process.pid])
        self.addCleanup(starvation.end)
        starvation.begin()
        began = time.monotonic()
        forging.start()
        served: list[int] = []
        for _ in range(NEWCOMERS):
            newcomer = threading.Thread(target=self.newcomer, args=(pair.clientAddress, served))
            newcomer.start()
            newcomers.append(newcomer)
            time.sleep(FORGED_SECONDS / NEWCOMERS)
        forging.join()
        slowness = max(1.0, (time.monotonic() - began) / FORGED_SECONDS * FORGED / self.forged)
        flow.stop()
        starved = starvation.end()
        self.assertEqual(len(served), NEWCOMERS)
        # What comes while others have all processors may be lost.
        self.assertLess(flow.lostShare * flow.sent, (1 - FLOW_SHARE) * flow.sent + starved * FLOW_RATE)
        forged = relay.connections[1:]  # the first is the flow's
        cost = sum(one.carried + one.brought for one in forged)
        # Some of them are served in each second, so more where a busy machine takes longer to send the same.
        self.assertLess(cost, slowness * MOST_TIMES * self.forged * (FORGED_BYTES + HEADER_BYTES))
        self.assertLess(len(forged), slowness * self.forged / 10)


class HeavySourceTests(SourcesTestCase):
    """
    A source that sends more than can be carried, beside light ones at the same port.
    """

    def startHeavy(self, address: Address) -> Callable[[], int]:
        """
        Start the heavy one, in a process of its own.

        @return: waits for its end, and returns how many datagrams it has sent.
        """
        words = [str(word) for word in (*address, HEAVY_BYTES, HEAVY_RATE, HEAVY_SECONDS)]
        heavy = subprocess.Popen([sys.executable, "-c", HEAVY_PROGRAM, *words], stdout=subprocess.PIPE, text=True)
        self.addCleanup(heavy.wait)
        self.addCleanup(heavy.kill)
        return lambda: int(heavy.communicate(timeout=HANG_SECONDS)[0])

    def carriedBytes(self, pair: Pair) -> int:
        """
        Stop the client.

        @return: what the server has handed on of the session that has carried most.
        """
        self.assertStops(pair.client)
        pair.server.waitForLine("ended: the client has left|has no tunnel left")
        self.assertStops(pair.server)
        return max(int(count) for count in re.findall(r"(\d+) bytes to the target", pair.server.story()))

    def test_itTakesNothingFromTheLightOnes(self) -> None:
        """
        It loses what is too much, and they lose a small part of that share at the most; but for what comes while the
        client stands still, since a machine is busy, so a larger part has to be lost each time.
        """
        lost: list[tuple[float, float]] = []
        while not lost or lost[-1][0] >= max(lost[-1][1], NO_LOAD_LOST) * LIGHT_OF_HEAVY:
            self.assertLess(len(lost), TIMES, lost)
            lost.append(self.lostShares())

    def lostShares(self) -> tuple[float, float]:
        """
        @return: the share that the light ones lose, and that of the heavy one.
        """
        if sys.platform != "linux" or (os.cpu_count() or 1) < 2:
            needed("Linux and two processors: the load would be none")
        target = self.echo()
        code = ctypes.create_string_buffer(ONLY_QUESTIONS)
        program = struct.pack("HL", len(ONLY_QUESTIONS) // 8, ctypes.addressof(code))
        target.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        pair = self.pair(target.address, self.newPki())
        light = [self.steady(pair.clientAddress, LIGHT_RATE) for _ in range(LIGHT_FLOWS)]
        time.sleep(1.0)
        sentByHeavy = self.startHeavy(pair.clientAddress)()
        for flow in light:
            flow.pause()
        for flow in light:
            flow.stop()
        carried = self.carriedBytes(pair) / HEAVY_BYTES
        return sum(flow.lostShare for flow in light) / LIGHT_FLOWS, 1 - carried / sentByHeavy
