"""
What a tunnel that stands still was given goes through another.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.twins import MemoryTunnel
from uotp.rescue import LOOK_SECONDS, MAX_WAITING_BYTES, Rescue
from uotp.train import Train
from uotp.wire.format2 import Arrival

NOW = 1000.0


def arrival(number: int, size: int = 8) -> Arrival:
    """
    @return: a train of one datagram.
    """
    return number, Train(size, bytes(size))


class RescueTests(SynchronousTestCase):
    """
    One session's.
    """

    def setUp(self) -> None:
        """
        Begin with nothing to rescue.
        """
        self.rescue = Rescue(NOW)
        self.tunnels = [MemoryTunnel() for _ in range(3)]

    def test_onlyWhatStandsStillIsTakenFrom(self) -> None:
        """
        And what it holds, once.
        """
        for number, tunnel in enumerate(self.tunnels):
            tunnel.kept = [arrival(number)]
        self.tunnels[1].still = True
        self.rescue.look(self.tunnels, NOW)
        self.assertFalse(self.rescue)
        self.rescue.look(self.tunnels, NOW + LOOK_SECONDS)
        self.assertTrue(self.rescue)
        self.assertEqual(self.rescue.next(100), [arrival(1)])
        self.assertFalse(self.rescue)
        self.rescue.look(self.tunnels, NOW + 2 * LOOK_SECONDS)
        self.assertFalse(self.rescue)

    def test_whatMovesInBetweenDoesNotStandStill(self) -> None:
        """
        One that has repaired a loss, and has had another.
        """
        tunnel = self.tunnels[0]
        tunnel.kept = [arrival(0)]
        for look, still in enumerate((True, False, True, False, True, True)):
            self.assertFalse(self.rescue)
            tunnel.still = still
            self.rescue.look(self.tunnels, NOW + look * 1.01 * LOOK_SECONDS)
        self.assertTrue(self.rescue)

    def test_looksAreFew(self) -> None:
        """
        However often somebody asks for one.
        """
        self.tunnels[0].still = True
        self.tunnels[0].kept = [arrival(0)]
        self.rescue.look(self.tunnels, NOW)
        for part in range(1, 10):
            self.rescue.look(self.tunnels, NOW + LOOK_SECONDS * part / 10)
        self.assertFalse(self.rescue)
        self.rescue.look(self.tunnels, NOW + LOOK_SECONDS)
        self.assertTrue(self.rescue)

    def test_itIsSentInPortions(self) -> None:
        """
        In order; a train is not divided.
        """
        self.tunnels[0].kept = [arrival(0, 40), arrival(1, 60), arrival(2, 1), arrival(3, 500), arrival(4)]
        self.rescue.take(self.tunnels[0])
        portions = []
        while self.rescue:
            portions.append([number for number, _ in self.rescue.next(100)])
        self.assertEqual(portions, [[0, 1], [2], [3], [4]])

    def test_whatWaitsIsBounded(self) -> None:
        """
        The oldest goes.
        """
        for start in (0, 20):
            self.tunnels[0].kept = [arrival(start + number, 60_000) for number in range(20)]
            self.rescue.take(self.tunnels[0])
        waiting = [number for number, _ in self.rescue.next(1 << 30)]
        self.assertEqual(waiting, list(range(40 - MAX_WAITING_BYTES // 60_000, 40)))
        self.tunnels[0].kept = [arrival(0, 60_000)]
        self.rescue.take(self.tunnels[0])
        self.assertTrue(self.rescue, "the account is right")

    def test_itCanBeForgotten(self) -> None:
        """
        When no tunnel is left.
        """
        self.tunnels[0].kept = [arrival(0, 60_000)] * 9
        self.rescue.take(self.tunnels[0])
        self.rescue.forget()
        self.assertFalse(self.rescue)
        self.tunnels[0].kept = [arrival(number, 60_000) for number in range(MAX_WAITING_BYTES // 60_000)]
        kept = list(self.tunnels[0].kept)
        self.rescue.take(self.tunnels[0])
        self.assertEqual(self.rescue.next(1 << 30), kept)
