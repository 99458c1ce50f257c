"""
What a tunnel that stands still was given goes through another.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.sessions import MemoryLink
from uotp.boundaries import AGAIN_SECONDS
from uotp.process.memory import FixedRoom
from uotp.session.recovery.reinjection import AGAIN_WAIT_SECONDS, MAX_AGAIN_BYTES, STILL_LOOK_SECONDS, Reinjection
from uotp.train import TRAIN_OVERHEAD_BYTES, Arrival, Train

NOW = 1000.0
STEP = 1.01 * STILL_LOOK_SECONDS
"""From one look to the next."""


def arrival(number: int, size: int = 8) -> Arrival:
    """
    @return: a train of one datagram.
    """
    return number, Train(size, bytes(size))


class ReinjectionTests(SynchronousTestCase):
    """
    Find tunnels that stand still, and take back what they hold.
    """

    def setUp(self) -> None:
        self.now = NOW
        self.reinjection = Reinjection(self.now, FixedRoom(MAX_AGAIN_BYTES))
        self.tunnels = [MemoryLink() for _ in range(3)]
        for tunnel in self.tunnels:
            tunnel.sentAt = self.now

    def look(self, *expected: MemoryLink, after: float = STEP) -> None:
        """
        The next look finds these to stand still.
        """
        self.now += after
        self.assertEqual(self.reinjection.findStill(self.tunnels, self.now), list(expected))

    def test_whatWasGivenNothingOfLateIsNotLookedAt(self) -> None:
        """
        What it holds is too old to be sent again.
        """
        link = self.tunnels[0]
        link.kept, link.still = [arrival(1)], True
        link.sentAt = self.now - AGAIN_SECONDS
        self.look()
        self.look()
        link.sentAt = self.now
        self.look()
        self.look(link)

    def take(self, *kept: Arrival) -> None:
        """
        Take these from a tunnel.
        """
        self.tunnels[0].kept = list(kept)
        self.reinjection.take(self.tunnels[0], self.now)

    def numbers(self, most: int = 1 << 30) -> list[int]:
        """
        @return: of what is to be sent next.
        """
        self.reinjection.dropStale(self.now)
        return [number for number, _ in self.reinjection.next(most)]

    def test_onlyWhatStandsStillIsFound(self) -> None:
        _, still, empty = self.tunnels
        for number, tunnel in enumerate(self.tunnels[:2]):
            tunnel.kept = [arrival(number)]
        still.still = empty.still = True
        self.look()
        self.look(still)
        self.look(still)
        self.reinjection.take(still, self.now)
        self.assertEqual(self.numbers(), [1])
        self.look()

    def test_whatMovesInBetweenDoesNotStandStill(self) -> None:
        tunnel = self.tunnels[0]
        tunnel.kept = [arrival(0)]
        for still in (True, False, True, False, True):
            tunnel.still = still
            self.look()
        self.look(tunnel)

    def test_roundTripIsWaitedFor(self) -> None:
        """
        What is repeated cannot be acknowledged sooner.
        """
        tunnel = self.tunnels[0]
        tunnel.kept, tunnel.still, tunnel.roundTrip = [arrival(0)], True, 2.5 * STEP
        self.look()
        self.look()
        self.look()
        self.look(tunnel)

    def test_looksThatAreFarApartSayNothing(self) -> None:
        """
        In a flow that pauses: there may have been two losses.
        """
        tunnel = self.tunnels[0]
        tunnel.kept, tunnel.still = [arrival(0)], True
        self.look()
        tunnel.sentAt += 5.0
        self.look(after=5.0)
        self.look(tunnel)

    def test_lostTunnelIsForgotten(self) -> None:
        tunnel = self.tunnels[0]
        tunnel.kept, tunnel.still = [arrival(0)], True
        self.look()
        self.reinjection.take(tunnel, self.now)
        self.assertEqual(self.reinjection._stillSince, {})

    def test_looksAreFew(self) -> None:
        self.assertTrue(self.reinjection.isTimeToLook(NOW))
        self.look(after=0)
        self.assertFalse(self.reinjection.isTimeToLook(NOW + 0.9 * STILL_LOOK_SECONDS))
        self.assertTrue(self.reinjection.isTimeToLook(NOW + STEP))

    def test_itIsSentInPortions(self) -> None:
        self.take(arrival(0, 40), arrival(1, 60), arrival(2, 1), arrival(3, 500), arrival(4))
        portions = []
        while self.reinjection:
            portions.append(self.numbers(100))
        self.assertEqual(portions, [[0, 1], [2], [3], [4]])

    def test_whatIsOldIsNotSent(self) -> None:
        """
        It would only stand before what is fresh.
        """
        self.take(arrival(0))
        self.now += AGAIN_WAIT_SECONDS / 2
        self.take(arrival(1))
        self.now += AGAIN_WAIT_SECONDS / 2 + 0.01
        self.assertEqual(self.numbers(), [1])
        self.take(arrival(2))
        self.now += AGAIN_WAIT_SECONDS + 0.01
        self.assertEqual(self.numbers(), [])
        self.assertFalse(self.reinjection)

    def test_whatWaitsIsBounded(self) -> None:
        """
        The oldest goes; and empty datagrams take room, too.
        """
        for size in (60_000, 0):
            self.setUp()
            room = MAX_AGAIN_BYTES // (size + TRAIN_OVERHEAD_BYTES)
            self.take(*(arrival(number, size) for number in range(room)))
            self.take(*(arrival(number, size) for number in range(room, room + 9)))
            self.assertEqual(self.numbers(), list(range(9, room + 9)))
            self.take(*(arrival(number, size) for number in range(room)))
            self.assertEqual(self.numbers(), list(range(room)), "the account is right")

    def test_itCanBeForgotten(self) -> None:
        room = MAX_AGAIN_BYTES // (60_000 + TRAIN_OVERHEAD_BYTES)
        self.take(*(arrival(number, 60_000) for number in range(room)))
        self.reinjection.forget()
        self.assertFalse(self.reinjection)
        self.take(*(arrival(number, 60_000) for number in range(room)))
        self.assertEqual(self.numbers(), list(range(room)))
