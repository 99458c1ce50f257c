"""
How large TCP segments may be, and how a client finds that out.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.streams import MemoryStream, streamOf
from tests.doubles.tunnels import RecordingOwner
from uotp.client.dial.segmentsize import FRESH_SECONDS, SMALL_SIZES, SegmentSizes, SizeState
from uotp.client.dial.segmentwatch import STALLED_REPEATS, WATCHED_AT_ONCE, SegmentWatch, lostSegments
from uotp.path import Flight, PathStats
from uotp.tunnel.dialled import DialledTunnel

SMALL, SMALLER = SMALL_SIZES


class _SizesTestCase(SynchronousTestCase):
    """
    Keeps what is found out.
    """

    def setUp(self) -> None:
        self.found: list[int] = []
        self.sizes = SegmentSizes(None, self.found.append)

    def assertKnown(self, size: int | None, *found: int) -> None:
        self.assertEqual((self.sizes.forDial(), self.found), (size, list(found)))


class HandshakeTests(_SizesTestCase):
    """
    Let handshakes stall, and smaller ones be done.
    """

    def test_segmentsAreLargeAtFirst(self) -> None:
        self.assertKnown(None)
        self.assertEqual([self.sizes.smallerThan(size) for size in (None, SMALL, SMALLER)], [SMALL, SMALLER, None])

    def test_smallHandshakeBesideALossIsProof(self) -> None:
        self.sizes.smallerPassed(SMALL, 0.0, 3.0, sawLoss=True)
        self.assertKnown(SMALL, SMALL)
        self.assertEqual([self.sizes.isTooLarge(size) for size in (None, SMALL, SMALLER)], [True, False, False])

    def test_smallHandshakeWithoutALossIsNone(self) -> None:
        """
        A server that stood still answers one or the other first.
        """
        self.sizes.smallerPassed(SMALL, 0.0, 3.0, sawLoss=False)
        self.assertKnown(None)
        self.sizes.handshakeDone(SMALL)
        self.sizes.handshakeDone(None)
        self.sizes.smallerPassed(SMALL, 4.0, 7.0, sawLoss=False)
        self.assertKnown(None)

    def test_smallHandshakeTwiceIsProof(self) -> None:
        for begun in (0.0, 4.0):
            self.sizes.smallerPassed(SMALL, begun, begun + 3, sawLoss=False)
        self.assertKnown(SMALL, SMALL)

    def test_manyThatStalledTogetherAreOneSign(self) -> None:
        """
        A server that stood still goes on, and all that waited for it are answered.
        """
        for begun in (0.0, 0.1, 3.0):
            self.sizes.smallerPassed(SMALL, begun, 3.1, sawLoss=False)
        self.assertKnown(None)
        self.sizes.smallerPassed(SMALL, 3.2, 6.2, sawLoss=False)
        self.assertKnown(SMALL, SMALL)

    def test_pathThatSwallowsSmallOnesTooNeedsTheSmallest(self) -> None:
        self.sizes.smallerPassed(SMALL, 0.0, 3.0, sawLoss=True)
        self.sizes.smallerPassed(SMALLER, 3.0, 6.0, sawLoss=True)
        self.assertKnown(SMALLER, SMALL, SMALLER)

    def test_sameIsFoundOutOnce(self) -> None:
        """
        Eight tunnels are dialled at the same moment.
        """
        for _ in range(8):
            self.sizes.smallerPassed(SMALL, 0.0, 3.0, sawLoss=True)
        self.assertKnown(SMALL, SMALL)

    def test_whatTheUserSaysIsNeverChanged(self) -> None:
        self.sizes = SegmentSizes(1000, self.found.append)
        self.assertIsNone(self.sizes.smallerThan(1000))
        self.sizes.smallerPassed(SMALLER, 0.0, 3.0, sawLoss=False)
        for opened in (0.0, 2.0, 4.0):
            self.sizes.tunnelStalled(1000, opened, opened + 1)
        self.assertFalse(self.sizes.isTooLarge(1000))
        self.assertKnown(1000)

    def test_changeOfTheNetworkBeginsAnew(self) -> None:
        self.sizes.smallerPassed(SMALL, 0.0, 3.0, sawLoss=True)
        self.sizes.forget()
        self.assertKnown(None, SMALL)
        self.assertIs(self.sizes.state, SizeState.FULL)


class StallTests(_SizesTestCase):
    """
    Let open tunnels stall.
    """

    def test_tunnelsThatStallOneAfterAnotherAreProof(self) -> None:
        self.sizes.tunnelStalled(None, 0.0, 10.0)
        self.sizes.tunnelStalled(None, 12.0, 14.0)
        self.assertKnown(SMALL, SMALL)

    def test_tunnelsThatStallTogetherAreNone(self) -> None:
        """
        Their path was broken for a while.
        """
        for opened in range(8):
            self.sizes.tunnelStalled(None, opened / 10, 10.0)
        self.sizes.tunnelStalled(None, 0.5, 20.0)
        self.assertKnown(None)

    def test_tunnelThatWasGoodForLongIsNone(self) -> None:
        self.sizes.tunnelStalled(None, 0.0, 10.0)
        self.sizes.tunnelStalled(None, 12.0, 12.0 + FRESH_SECONDS + 1)
        self.assertKnown(None)

    def test_breaksThatAreFarApartAreNone(self) -> None:
        for start in (0.0, 1000.0, 2000.0):
            self.sizes.tunnelStalled(None, start, start + 1)
        self.assertKnown(None)

    def test_oldTunnelsThatStallLaterChangeNothing(self) -> None:
        self.sizes.tunnelStalled(None, 0.0, 10.0)
        self.sizes.tunnelStalled(None, 11.0, 12.0)
        self.sizes.tunnelStalled(None, 11.5, 13.0)
        self.sizes.tunnelStalled(None, 11.5, 14.0)
        self.assertKnown(SMALL, SMALL)

    def test_smallTunnelsThatStallNeedTheSmallest(self) -> None:
        self.sizes.tunnelStalled(None, 0.0, 10.0)
        self.sizes.tunnelStalled(None, 11.0, 12.0)
        self.sizes.tunnelStalled(SMALL, 13.0, 15.0)
        self.sizes.tunnelStalled(SMALL, 16.0, 18.0)
        self.assertKnown(SMALLER, SMALL, SMALLER)
        self.sizes.tunnelStalled(SMALLER, 19.0, 20.0)
        self.sizes.tunnelStalled(SMALLER, 21.0, 22.0)
        self.assertKnown(SMALLER, SMALL, SMALLER)


class WatchTests(_SizesTestCase):
    """
    Look at tunnels.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.watch = SegmentWatch(self.sizes, self.clock.seconds)
        self.renewed: list[Any] = []

    def tunnel(self, flight: Flight | None) -> DialledTunnel:
        """
        @return: a tunnel that is watched.
        """
        tunnel = DialledTunnel(self.clock, RecordingOwner(), b"a session's id !")
        stream = MemoryStream(tunnel)
        stream.underWay = flight
        tunnel.makeConnection(stream)
        self.watch.opened(tunnel, self.sizes.forDial(), lambda: self.renewed.append(tunnel))
        return tunnel

    def look(self) -> None:
        self.clock.advance(0.5)
        self.watch.look()

    def stallTwice(self, flight: Flight | None) -> list[Any]:
        """
        @return: the tunnels of both times.
        """
        tunnels = [self.tunnel(flight)]
        self.look()
        self.clock.advance(1)
        tunnels.append(self.tunnel(flight))
        self.look()
        return tunnels

    def test_tunnelsThatStallAreReplaced(self) -> None:
        tunnels = self.stallTwice(Flight(1448, 2000, STALLED_REPEATS, 0))
        self.assertKnown(SMALL, SMALL)
        self.look()
        self.assertEqual(set(self.renewed), set(tunnels))

    def test_tunnelsWhoseSegmentsAreSmallStay(self) -> None:
        tunnels = self.stallTwice(Flight(1448, 2000, STALLED_REPEATS, 0))
        for tunnel in tunnels:
            self.watch.forget(tunnel)
        self.renewed.clear()
        self.tunnel(Flight(1188, 2000, 0, 0))
        self.look()
        self.assertEqual((self.renewed, len(self.watch)), ([], 1))

    def test_whatMayHaveOtherReasonsIsNoStall(self) -> None:
        """
        A segment was lost twice; what is under way is small; segments are small anyway; the
        system does not tell.
        """
        for flight in (
            Flight(1448, 2000, STALLED_REPEATS - 1, 0),
            Flight(1448, SMALL, STALLED_REPEATS + 5, 0),
            Flight(SMALL, 9000, STALLED_REPEATS + 5, 0),
            None,
        ):
            self.stallTwice(flight)
        self.assertKnown(None)
        self.assertEqual(self.renewed, [])

    def test_gapThatStaysIsAStall(self) -> None:
        """
        What comes does not arrive, and we have nothing to send.
        """
        for _ in range(2):
            tunnel = self.tunnel(Flight(1448, 0, 0, 5, received=900))
            self.look()
            streamOf(tunnel).underWay = Flight(1448, 0, 0, 7, received=900)
            for _ in range(4):
                self.assertEqual(self.found, [])
                self.look()
            self.clock.advance(1)
        self.assertKnown(SMALL, SMALL)

    def test_onALongPathAGapTakesLongerToBeClosed(self) -> None:
        """
        What was lost once comes after a round trip at the soonest.
        """
        for _ in range(2):
            tunnel = self.tunnel(Flight(1448, 0, 0, 5, received=900))
            streamOf(tunnel).path = PathStats(9, 0, 2.4, 2.4)
            self.look()
            streamOf(tunnel).underWay = Flight(1448, 0, 0, 7, received=900)
            for _ in range(int(2.5 * 2.4 / 0.5)):
                self.look()
            streamOf(tunnel).underWay = Flight(1448, 0, 0, 7, received=5000)
            self.look()
        self.assertKnown(None)
        self.assertIsNone(self.sizes._stalledAt)

    def test_gapThatIsClosedIsNone(self) -> None:
        tunnel = self.tunnel(None)
        for count in range(100):
            streamOf(tunnel).underWay = Flight(1448, 0, 0, count, received=900 + count // 2)
            self.look()
        streamOf(tunnel).underWay = Flight(1448, 0, 0, 100, received=5000)
        self.clock.advance(100)
        self.look()
        self.assertIsNone(self.sizes._stalledAt)

    def test_ofManyTunnelsAllHaveTheirTurn(self) -> None:
        for _ in range(2 * WATCHED_AT_ONCE):
            self.tunnel(None)
        last = self.tunnel(Flight(1448, 2000, STALLED_REPEATS, 0))
        asked: list[Any] = []
        self.patch(MemoryStream, "flight", lambda stream: asked.append(stream.protocol))
        for looks in (1, 2, 3):
            self.look()
            self.assertEqual(len(asked), looks * WATCHED_AT_ONCE)
        self.assertIn(last, asked)

    def test_segmentsThatDoNotArriveAreSeen(self) -> None:
        for flight, isLost in (
            (Flight(1448, 0, 0, 0), False),
            (Flight(1448, 500, 1, 0), False),
            (Flight(1448, 500, 2, 0), True),
            (Flight(1448, 0, 0, 1), True),
            (None, False),
        ):
            self.assertEqual((flight, lostSegments(self.tunnel(flight))), (flight, isLost))
