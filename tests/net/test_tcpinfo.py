"""
What the kernel tells of a connection.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.sockets import FakeSocket
from uotp.net import tcpinfo
from uotp.net.tcpinfo import ALL_INFO_BYTES, LOSS, NEEDLESS_END, TCP_INFO_BYTES, tcpFlight, tcpPathStats
from uotp.path import LONGEST_ROUND_TRIP_SECONDS, Flight


def told(state: int, repeats: int, size: int = ALL_INFO_BYTES) -> bytes:
    """
    @param state: of congestion control.
    @param repeats: of the oldest segment.
    @param size: how much this kernel tells.
    @return: C{struct tcp_info} of Linux.
    """
    info = bytearray(ALL_INFO_BYTES)
    info[1], info[2] = state, repeats
    for at, value, width in ((16, 1448, 4), (128, 5 << 32, 8), (144, 300, 4), (224, 7, 4)):
        info[at : at + width] = value.to_bytes(width, sys.byteorder)
    return bytes(info[:size])


class FlightTests(SynchronousTestCase):
    """
    Ask what is under way.
    """

    def flight(self, info: bytes | None, unacknowledged: int | None) -> Flight | None:
        """
        @return: what is made of that.
        """
        made: Any = FakeSocket()
        made.info = info
        self.patch(tcpinfo, "TCP_INFO", 11)
        self.patch(tcpinfo, "unacknowledgedBytes", lambda _: unacknowledged)
        return tcpFlight(made)

    def test_allIsRead(self) -> None:
        """
        What was not sent yet is not outstanding.
        """
        self.assertEqual(self.flight(told(LOSS, 4), 1000), Flight(1448, 700, 4, 7, 5 << 32))
        self.assertEqual(self.flight(told(LOSS, 4), 100), Flight(1448, 0, 4, 7, 5 << 32))

    def test_segmentThatWasOnlyLateIsNoRepeat(self) -> None:
        self.assertEqual(self.flight(told(0, 4), 1000), Flight(1448, 700, 0, 7, 5 << 32))

    def test_olderKernelTellsLess(self) -> None:
        self.assertEqual(self.flight(told(LOSS, 4, TCP_INFO_BYTES), 1000), Flight(1448, 700, 4, 0, 5 << 32))

    def test_connectionThatIsGoneTellsNothing(self) -> None:
        self.assertIsNone(self.flight(None, 1000))
        self.assertIsNone(self.flight(told(0, 0), None))


class PathTests(SynchronousTestCase):
    """
    Ask how a path is.
    """

    def roundTrips(self, *microseconds: int) -> tuple[float, float]:
        """
        @param microseconds: the round trip and the shortest one, as the kernel tells them.
        @return: what is made of them.
        """
        info = bytearray(TCP_INFO_BYTES)
        for at, value in zip((68, 148), microseconds, strict=True):
            info[at : at + 4] = value.to_bytes(4, sys.byteorder)
        made: Any = FakeSocket()
        made.info = bytes(info)
        self.patch(tcpinfo, "TCP_INFO", 11)
        path = tcpPathStats(made)
        assert path is not None
        return path.roundTrip, path.leastRoundTrip

    def test_roundTripsAreInSeconds(self) -> None:
        self.assertEqual(self.roundTrips(2_500_000, 250_000), (2.5, 0.25))

    def test_windowIsInSegmentsAndTheRateInBytes(self) -> None:
        info = bytearray(TCP_INFO_BYTES)
        info[80:84] = (4).to_bytes(4, sys.byteorder)
        info[104:112] = (5 << 32).to_bytes(8, sys.byteorder)
        made: Any = FakeSocket()
        made.info = bytes(info)
        self.patch(tcpinfo, "TCP_INFO", 11)
        path = tcpPathStats(made)
        assert path is not None
        self.assertEqual((path.window, path.pacingRate), (4, 5 << 32))

    def test_whatWasRepeatedNeedlesslyIsTold(self) -> None:
        """
        But by an older kernel.
        """
        info = bytearray(NEEDLESS_END)
        info[100:104] = (7).to_bytes(4, sys.byteorder)
        info[216:220] = (3).to_bytes(4, sys.byteorder)
        self.patch(tcpinfo, "TCP_INFO", 11)
        made: Any = FakeSocket()
        for told, expected in ((bytes(info), (7, 3)), (bytes(info[:TCP_INFO_BYTES]), (7, 0))):
            made.info = told
            path = tcpPathStats(made)
            assert path is not None
            self.assertEqual((path.repeated, path.needless), expected)

    def test_forgedRoundTripIsNotWaitedFor(self) -> None:
        """
        Time stamps that a peer makes up let the kernel measure half an hour.
        """
        self.assertEqual(self.roundTrips(2_000_000_000, 1_000_000_000), (LONGEST_ROUND_TRIP_SECONDS,) * 2)
