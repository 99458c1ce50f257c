"""
A bad day: peers that stop reading, tunnels that stall, and more datagrams than
there is a way for.  Memory stays flat, what is too much is dropped and counted,
and those who have nothing to do with it notice nothing.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable

from bench.rig.ports import LOOPBACK, Address
from bench.rig.procfs import highestMemoryBytes, memoryBytes, overflowed, unreadBytes
from bench.rig.programs import HANG_SECONDS, Program, until
from tests.integration.harness import needed, requireProcfs
from tests.integration.loads import LoadTestCase, settle
from tests.integration.pairs import numbered
from tests.integration.rawpeers import ONE_ID, RawServer, frame, rawClient
from tests.integration.relay import BUFFER_BYTES, CHUNK_BYTES, Relay, Relayed
from tests.integration.rig import PLAIN, Pair, RigTestCase, said, serverWords
from tests.integration.udpends import Flow, UdpEnd
from uotp.net.sockopts import UNSENT_LIMIT_BYTES
from uotp.session.load.loadcontrol import MAX_PORTION_BYTES
from uotp.session.scheduling.stickiness import STAY_SECONDS
from uotp.wire.format1 import LENGTH_BYTES

LOADED_RATE = 4000
LOADED = 4000
"""Datagrams a second of a load, and how many of it come after one tunnel has stopped."""

FLOOD_BYTES = 200_000_000

FLOOD_DATAGRAM = bytes(8000)

FLOOD_RUN = 16
HELD_BYTES = 100_000
"""
Datagrams sent without a look at how much the reader has yet to read, and what that is at
most before the next: so its buffer holds them.
"""

LOOK_SECONDS = 0.001
"""Between two of those looks."""

GROWTH_BYTES = 20_000_000
"""What a program may need for a peer that does not read, whatever it is sent."""

LEAST_ROUND_TRIPS = 10
"""Of a session that has nothing to do with the trouble, meanwhile."""

BURST = 50

SWALLOWED_SENT = 3000
SWALLOWED_SIZE = 1000
"""Datagrams, and bytes of each, that are sent to a tunnel that has stopped."""

SMALL_BUFFER_BYTES = 8192

SEGMENT_BYTES = 65536
"""What the kernel fills up before it asks for the limit: one segment, before it is cut for the network."""


def flood(source: UdpEnd, address: Address, size: int) -> None:
    """
    Send many bytes, as fast as they are read.
    """
    for number in range(size // len(FLOOD_DATAGRAM)):
        if number % FLOOD_RUN == 0:
            awaitRoom(address)
        source.send(FLOOD_DATAGRAM, address)


def pour(source: UdpEnd, address: Address, size: int) -> None:
    """
    Send many bytes, whether they are read or not.
    """
    for number in range(size // len(FLOOD_DATAGRAM)):
        source.send(FLOOD_DATAGRAM, address)
        if number % FLOOD_RUN == 0:
            time.sleep(LOOK_SECONDS)


def awaitRoom(address: Address) -> None:
    """
    Wait until who listens there has read most of what has come; where the system does not
    tell, it has.
    """
    until(lambda: unreadBytes(address[1]) < HELD_BYTES, "what was sent is read", look=LOOK_SECONDS)


def droppedBy(program: Program) -> int:
    """
    @return: how many datagrams a program has said that it dropped, once it has stopped.
    """
    return sum(int(line.partition("dropped: ")[2].split()[0]) for line in said(program, "datagrams dropped: "))


class DeafPeerTests(RigTestCase):
    """
    The other end of a tunnel accepts it and never reads.
    """

    def assertStaysFlat(
        self, program: Program, flooding: Callable[[], object], roundTrip: Callable[[bytes], None]
    ) -> int:
        """
        While a session is flooded the memory of a program does not grow, and another
        session is answered; at its end the program says what it dropped.

        @param flooding: floods, and returns when it is done; it floods again until the other session was answered
            often enough.
        @param roundTrip: sends a datagram through another session and back.
        @return: how many datagrams were dropped of each flood.
        """
        pid = program.process.pid
        before = memoryBytes(pid)
        isEnough = threading.Event()
        floods = 0

        def floodOn() -> None:
            nonlocal floods
            while not (floods and isEnough.is_set()):
                flooding()
                floods += 1

        thread = threading.Thread(target=floodOn)
        thread.start()
        try:
            number = 0
            while thread.is_alive():
                number += 1
                roundTrip(b"%d" % number)
                if number > LEAST_ROUND_TRIPS:
                    isEnough.set()
                time.sleep(0.01)
        finally:
            isEnough.set()
            thread.join()
        self.assertLess(highestMemoryBytes(pid) - before, GROWTH_BYTES)
        self.assertStops(program)
        dropped = droppedBy(program)
        self.assertGreater(dropped, 0)
        return dropped // floods

    def test_serverStaysSmallWhenAClientDoesNotRead(self) -> None:
        """
        A client joins and never reads, and the target sends it 200 MB, of which most is not even read: the
        kernel drops it.
        """
        requireProcfs()
        target = self.udpEnd()
        pair = self.pair(target.address)
        other = self.flow(pair, target)
        other.open(b"hello")
        otherSource = other.source
        deaf = rawClient(pair.serverAddress, ONE_ID)
        self.addCleanup(deaf.close)
        deaf.send(b"let it come")
        source = target.expect(b"let it come")

        def roundTrip(datagram: bytes) -> None:
            other.application.send(datagram, pair.clientAddress)
            self.assertEqual(target.expect(datagram), otherSource)
            target.send(datagram, otherSource)
            other.application.expect(datagram)

        dropped = self.assertStaysFlat(pair.server, lambda: pour(target, source, FLOOD_BYTES), roundTrip)
        self.assertLess(dropped, FLOOD_BYTES // len(FLOOD_DATAGRAM) // 2, "most were not read")

    def test_clientStaysSmallWhenTheServerDoesNotRead(self) -> None:
        """
        A server accepts the tunnel of a source and never reads, and the source sends
        200 MB; another source's tunnel is served.
        """
        requireProcfs()
        server = RawServer()
        self.addCleanup(server.close)
        client = self.startClient(server.address, *PLAIN, "-n", "1")
        address = self.listening(client)
        heavy, light = self.udpEnd(), self.udpEnd()
        light.send(b"hello", address)
        served, _ = server.mustAccept()
        self.assertEqual(served.receive(), b"hello")
        served.send(b"welcome")
        light.expect(b"welcome")
        heavy.send(b"let it go", address)
        server.mustAccept()

        def roundTrip(datagram: bytes) -> None:
            light.send(datagram, address)
            self.assertEqual(served.receive(), datagram)
            served.send(datagram)
            light.expect(datagram)

        dropped = self.assertStaysFlat(client, lambda: flood(heavy, address, FLOOD_BYTES), roundTrip)
        self.assertGreater(dropped, FLOOD_BYTES // len(FLOOD_DATAGRAM) // 2, "most were read, and dropped")


class SwallowedTests(RigTestCase):
    """
    How much a connection takes that leads nowhere any more.
    """

    def swallowed(self, unsentLimit: int) -> int:
        """
        A server stops to read a client's only tunnel, which is under load, and reads
        again at last.

        @return: how many datagrams it had swallowed before the first was dropped.
        """
        server = RawServer(receiveBuffer=SMALL_BUFFER_BYTES)
        self.addCleanup(server.close)
        client = self.startClient(server.address, *PLAIN, "-n", "1", "--unsent-limit", str(unsentLimit))
        address = self.listening(client)
        source = self.udpEnd()
        source.send(b"hello", address)
        tunnel, _ = server.mustAccept()
        self.assertEqual(tunnel.receive(), b"hello")
        tunnel.send(b"welcome")
        source.expect(b"welcome")
        for number in range(SWALLOWED_SENT):
            if number % FLOOD_RUN == 0:
                awaitRoom(address)
            source.send(numbered(number, SWALLOWED_SIZE), address)
        for number in range(SWALLOWED_SENT):
            if tunnel.receive() != numbered(number, SWALLOWED_SIZE):
                return number
        return SWALLOWED_SENT

    def test_unsentLimitBoundsWhatAStalledConnectionSwallows(self) -> None:
        """
        What it holds is late for everybody, and lost if it never goes on.
        """
        if not hasattr(socket, "TCP_NOTSENT_LOWAT"):
            needed("TCP_NOTSENT_LOWAT is missing: without it the kernel has no such limit")
        tight, wide = self.swallowed(4096), self.swallowed(4 * 1024 * 1024)
        frameBytes = SWALLOWED_SIZE + LENGTH_BYTES
        self.assertLess(tight * frameBytes, 4096 + SEGMENT_BYTES + 4 * SMALL_BUFFER_BYTES + MAX_PORTION_BYTES)
        self.assertGreater(wide, 3 * tight)


class LateReaderTests(RigTestCase):
    """
    A peer closes TLS while the server still has much to send to it.
    """

    def test_tunnelClosedWhileItIsFullIsGoneAtBothEnds(self) -> None:
        """
        A client joins, does not read until the server's buffers are full, says
        goodbye, and reads at last.  The connection ends, and with it the session's
        tunnel; it would otherwise stay for ever, and nothing would come through it.
        """
        target = self.udpEnd()
        pki = self.newPki()
        server = self.startServer(target.address, *serverWords(pki))
        context = ssl.create_default_context(cafile=pki.caCertificate)
        context.load_cert_chain(pki.clientCertificate, pki.clientKey)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname=LOOPBACK)
        with socket.create_connection(self.listening(server), HANG_SECONDS) as connection:
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    incoming.write(connection.recv(65536))
            tls.write(ONE_ID + frame(b"here I am"))
            connection.sendall(outgoing.read())
            source = target.expect(b"here I am")
            pour(target, source, 40_000_000)
            with contextlib.suppress(ssl.SSLError):  # the answer has not been read
                tls.unwrap()
            with contextlib.suppress(ConnectionError):  # whoever has not read for 10 s is gone before
                connection.sendall(outgoing.read())
                time.sleep(0.2)  # the goodbye arrives while nothing is read
                while connection.recv(65536):
                    pass
        server.waitForLine("session 00010203 .*has no tunnel left")


class StalledTunnelTests(LoadTestCase):
    """
    One tunnel of a pool stalls.
    """

    def relayedFlow(self) -> tuple[Relay, Pair, Flow]:
        """
        @return: a relay for the tunnels of a pool of 4, which is open, the pair that
            it stands between, and a flow over one of them.
        """
        relay, pair, flow = self.relayed(4, wire=1)
        flow.both(b"which way?")
        return relay, pair, flow

    def test_stalledTunnelDoesNotHoldTheOthersUp(self) -> None:
        """
        When one connection takes nothing any more, a burst goes by the others, in
        either direction, whole.
        """
        relay, pair, flow = self.relayedFlow()
        self.mostUsed(relay, lambda one: one.carried).freeze()
        self.mostUsed(relay, lambda one: one.brought).freeze()
        self.fill(flow)
        burst = [numbered(number, 500) for number in range(BURST)]
        for datagram in burst:
            flow.application.send(datagram, pair.clientAddress)
        self.assertCome(flow.target, burst)
        for datagram in burst:
            flow.target.send(datagram, flow.source)
        self.assertCome(flow.application, burst)

    def test_stalledTunnelTakesLittleWithIt(self) -> None:
        """
        One that stops under load costs what was on its way, and no more; but for what a busy machine has had no time
        for, which the kernel, or our client, drops and counts before it has a tunnel.
        """
        relay, pair, flow = self.relayedFlow()
        load = self.forth(flow, LOADED_RATE, SWALLOWED_SIZE)
        load.start()
        load.waitFor(LOADED // 4)
        self.inUse(load, relay, lambda one: one.carried).freeze()
        load.waitFor(LOADED)
        load.stop()
        settle(load)
        unread = overflowed(flow.client[1]) + overflowed(flow.target.address[1])
        self.assertStops(pair.client)
        lost = (len(load.missing()) - unread - droppedBy(pair.client)) * SWALLOWED_SIZE
        relayed = 2 * BUFFER_BYTES + CHUNK_BYTES  # the kernel doubles what is asked for
        self.assertLess(lost, relayed + UNSENT_LIMIT_BYTES + SEGMENT_BYTES + 2 * MAX_PORTION_BYTES)

    def test_stalledTunnelDoesNotSilenceALightFlow(self) -> None:
        """
        A flow too small to fill the tunnel that has stalled goes on by the others.
        """
        relay, pair, flow = self.relayedFlow()
        self.mostUsed(relay, lambda one: one.carried).freeze()
        came: list[bytes] = []

        def oneCame() -> bool:
            flow.application.send(b"%d" % len(came), pair.clientAddress)
            received = flow.target.receive(0.05)
            came.extend([received[0]] if received is not None else [])
            return len(came) > STAY_SECONDS / 0.05

        until(oneCame, "a light flow goes on")

    def assertCome(self, end: UdpEnd, datagrams: list[bytes]) -> None:
        """
        These come, in whatever order, without delay; what is left of a flood may come
        among them.
        """
        came: list[bytes] = []
        while len(came) < len(datagrams) and (one := end.receive(HANG_SECONDS)) is not None:
            came += [] if one[0] == FLOOD_DATAGRAM or one[0].startswith(b"behind") else [one[0]]
        self.assertEqual(sorted(came), sorted(datagrams))

    def mostUsed(self, relay: Relay, count: Callable[[Relayed], int]) -> Relayed:
        """
        @return: the connection that has relayed the most, one way.
        """
        return max(relay.connections, key=count)

    def fill(self, flow: Flow) -> None:
        """
        Send both ways until what has stalled is full for certain, and all that can
        come has come.
        """
        threads = [
            threading.Thread(target=flood, args=(flow.application, flow.client, 20_000_000)),
            threading.Thread(target=flood, args=(flow.target, flow.source, 20_000_000)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.passBehind(flow.application, flow.client, flow.target)
        self.passBehind(flow.target, flow.source, flow.application)

    def passBehind(self, sender: UdpEnd, address: Address, receiver: UdpEnd) -> None:
        """
        Send and read until what is sent comes at once, behind all that was sent before.
        """
        numbers = itertools.count()

        def comes() -> bool:
            mark = b"behind %d" % next(numbers)
            sender.send(mark, address)
            return mark in receiver.drain(0.3)

        until(comes, "what was sent before has come")
