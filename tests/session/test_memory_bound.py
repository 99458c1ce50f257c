"""
With a peer that stops to read, memory stays flat: whatever is pushed into a session,
what is held has a bound, and the rest is dropped, oldest first, and counted.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from twisted.test.iosim import IOPump, connect

from tests.doubles.contracts import TimerTestCase
from tests.doubles.dialling import neverLookUp
from tests.doubles.sessions import RecordingSession
from tests.doubles.streams import TRANSPORT_BYTES, MemoryStream, wrapInTls
from tests.doubles.targets import targetMaker
from tests.doubles.tlspairs import TlsTestCase
from tests.doubles.tunnels import RecordingOwner
from tests.doubles.udp import MemoryUdp, Receiver, localTo
from uotp.net.resolver import SharedResolver
from uotp.process.turns import Unlimited
from uotp.session.backlog import MAX_BACKLOG_BYTES
from uotp.session.load.loadcontrol import MAX_PORTION_BYTES
from uotp.session.session import Session
from uotp.telemetry.drops import Drop, Drops
from uotp.train import MAX_TRAIN_BYTES, Train
from uotp.tunnel.accepted import AcceptedTunnel
from uotp.tunnel.dialled import DialledTunnel
from uotp.tunnel.tunnel import Tunnel
from uotp.wire.format1 import LENGTH_BYTES

PUSHED_BYTES = 64 * 1024 * 1024
TUNNELS = 8
SEGMENT = 1400
DATAGRAMS = 45
"""In a train: as many as fit into one."""

TRAIN_BYTES = SEGMENT * DATAGRAMS
HELD_BY_TUNNEL = TRANSPORT_BYTES + MAX_PORTION_BYTES + LENGTH_BYTES * DATAGRAMS
"""What the kernel takes, and the portion that goes beyond it."""

BOUND = MAX_BACKLOG_BYTES + TUNNELS * HELD_BY_TUNNEL
"""Of a session with all its tunnels: 1 MB, of the 64 MB that are pushed."""


def trains(total: int) -> Iterator[Train]:
    """
    @return: numbered trains, so many bytes of them.
    """
    for number in range(total // TRAIN_BYTES):
        yield Train(SEGMENT, number.to_bytes(4, "big") * (TRAIN_BYTES // 4))


class MemoryBoundTests(TimerTestCase):
    """
    Push trains into a session whose tunnels' peers do not read, over plain TCP.
    """

    overhead = 1.0
    """What stands on the wire for each byte of a frame."""

    def setUp(self) -> None:
        super().setUp()
        self.drops = Drops()
        self.session = Session(lambda _: None, self.drops, self.clock, Unlimited())
        self.addCleanup(lambda: self.session.finish(lambda: None))
        self.there = RecordingSession()
        self.ends: list[tuple[Tunnel, MemoryStream, IOPump]] = []
        for _ in range(TUNNELS):
            self.open()
        for _, transport, _ in self.ends:
            self.assertEqual(transport.held, 0)
            transport.stalled = True

    def open(self) -> None:
        """
        Open one more tunnel, which is lost in the end.
        """
        dialled = DialledTunnel(self.clock, RecordingOwner(self.session), uuid.uuid4().bytes)
        accepted = AcceptedTunnel(self.clock, RecordingOwner(self.there))
        inner, outer = self.wrapped(dialled, accepted)
        transport = MemoryStream(inner)
        pump = connect(outer, MemoryStream(outer, isServer=True), inner, transport, clock=self.clock, greet=False)
        self.ends.append((dialled, transport, pump))
        while pump.flush():
            pass
        self.addCleanup(self.lose, dialled, accepted, pump)

    def lose(self, dialled: Tunnel, accepted: Tunnel, pump: IOPump) -> None:
        dialled.abort()
        accepted.abort()
        while pump.flush():
            pass

    def wrapped(self, dialled: Tunnel, accepted: Tunnel) -> tuple[Any, Any]:
        """
        @return: the two ends with what is around them.
        """
        return dialled, accepted

    def held(self) -> int:
        return self.session.outbound._backlog.bytes + sum(transport.held for _, transport, _ in self.ends)

    def push(self, each: Train) -> None:
        """
        Let a train come from UDP, a moment after the one before.
        """
        self.session.outbound.send([each])
        self.clock.advance(0.01)

    def test_whatIsHeldHasABound(self) -> None:
        pushed = 0
        for each in trains(PUSHED_BYTES):
            self.push(each)
            pushed += 1
            self.assertLessEqual(self.held(), BOUND * self.overhead)
        self.assertTrue(all(tunnel.fullSince is not None for tunnel, _, _ in self.ends))
        dropped = self.drops.totals.total()
        self.assertLessEqual(set(self.drops.totals), {Drop.BACKLOG_FULL, Drop.BACKLOG_STALE})
        kept = pushed * DATAGRAMS - dropped
        self.assertGreater(dropped * SEGMENT, PUSHED_BYTES * 0.95)
        self.assertLessEqual(kept * SEGMENT, BOUND)

    def test_oneLongTurnHoldsNoMore(self) -> None:
        """
        A transport says within it that it is full.
        """
        for each in trains(PUSHED_BYTES // 4):
            self.session.outbound.send([each])
        self.clock.advance(0)
        self.assertLessEqual(self.held(), BOUND * self.overhead)

    def test_oldestOfWhatWaitsIsDropped(self) -> None:
        """
        When the peers read again they get what they had been sent, and the newest.
        """
        pushed = PUSHED_BYTES // 8 // TRAIN_BYTES
        for each in trains(PUSHED_BYTES // 8):
            self.push(each)
        for _, transport, _ in self.ends:
            transport.stalled = False
        while sum(pump.flush() for _, _, pump in self.ends):
            pass
        arrived = self.there.datagrams()
        self.assertEqual(len(arrived) + self.drops.totals.total(), pushed * DATAGRAMS)
        numbers = sorted({int.from_bytes(datagram[:4], "big") for datagram in arrived})
        gaps = [later - earlier for earlier, later in pairwise(numbers) if later - earlier > 1]
        self.assertIn(len(gaps), (1, 2))  # two when all tunnels are tried after a standstill of the first few
        self.assertEqual(numbers[-1], pushed - 1)
        self.assertEqual(numbers[0], 0)

    def test_emptyDatagramsAreBoundedToo(self) -> None:
        """
        They have no bytes, and cost memory all the same.
        """
        for tunnel, _, _ in self.ends:
            tunnel.pauseProducing()
        for _ in range(10000):
            self.session.outbound.send([Train(0, b"")])
        self.assertLess(len(self.session.outbound._backlog), 5000)
        self.assertEqual(self.drops.totals[Drop.BACKLOG_FULL], 10000 - len(self.session.outbound._backlog))

    def test_smallestDatagramsInLongTrainsAreBoundedToo(self) -> None:
        """
        A header for each of them makes three bytes of one.
        """
        for _ in range(60):
            self.push(Train(1, bytes(MAX_TRAIN_BYTES)))
        bound = MAX_BACKLOG_BYTES + TUNNELS * (TRANSPORT_BYTES + (1 + LENGTH_BYTES) * MAX_PORTION_BYTES)
        self.assertLessEqual(self.held(), bound * self.overhead)


class TlsMemoryBoundTests(MemoryBoundTests, TlsTestCase):
    """
    Do the same over TLS.
    """

    overhead = 1.05
    """A record of 16 KiB has some 22 bytes besides, a short one more."""

    def setUp(self) -> None:
        self.credentials = self.server(), self.client()
        super().setUp()

    def wrapped(self, dialled: Tunnel, accepted: Tunnel) -> tuple[Any, Any]:
        server, client = self.credentials
        return wrapInTls(client, dialled, self.clock, isClient=True), wrapInTls(server, accepted, self.clock)


class TargetMemoryBoundTests(TimerTestCase):
    """
    Push trains at a server whose target's name is not found.
    """

    def test_whatWaitsForTheTargetHasABound(self) -> None:
        drops = Drops()
        network = MemoryUdp(drops)
        network.open(("127.0.0.1", 9), Receiver())
        resolver = SharedResolver(neverLookUp)
        protocol = targetMaker(("target.test", 9), network.open, resolver, self.clock, drops, localTo)()
        protocol.open(lambda _: None, lambda _: None)
        for each in trains(PUSHED_BYTES):
            protocol.send([each])
            self.assertLessEqual(protocol._waiting.bytes, MAX_BACKLOG_BYTES)
        self.assertGreater(drops.totals[Drop.BACKLOG_FULL] * SEGMENT, PUSHED_BYTES * 0.95)
