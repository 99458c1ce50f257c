"""
A session and the tunnels that carry for it: what waits, what goes where, and in
which order.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.twins import MemoryTunnel
from uotp.backlog import MAX_AGE_SECONDS, MAX_BYTES, TRAIN_OVERHEAD_BYTES
from uotp.drops import Drop, Drops
from uotp.schedule import STAY_SECONDS
from uotp.session import Session
from uotp.train import Train


def numbered(number: int, size: int = 8) -> Train:
    """
    @return: a train that one can tell from others.
    """
    return Train(size, number.to_bytes(size, "big"))


class SessionTests(SynchronousTestCase):
    """
    Both directions.
    """

    def setUp(self) -> None:
        """
        Make a session without a tunnel.
        """
        self.clock = Clock()
        self.drops = Drops()
        self.delivered: list[Train] = []
        self.answers = 0
        self.session = Session(self.delivered.append, self.drops, self.clock.seconds, self.answered)

    def answered(self) -> None:
        """
        The other end has sent something.
        """
        self.answers += 1

    def send(self, *numbers: int) -> None:
        """
        Send from the UDP side.
        """
        for number in numbers:
            self.session.trainFromUdp(numbered(number))

    def open(self, room: int = 1 << 30) -> MemoryTunnel:
        """
        @return: one more tunnel.
        """
        tunnel = MemoryTunnel(room)
        tunnel.carryFor(self.session)
        return tunnel

    def test_firstDatagramsOfAFlowWaitForATunnel(self) -> None:
        """
        And go, in order, as soon as one is ready.
        """
        self.send(1, 2, 3)
        tunnel = self.open()
        self.send(4)
        self.assertEqual(tunnel.sent, [numbered(number) for number in (1, 2, 3, 4)])
        self.assertEqual(self.drops.totals, {})

    def test_lightLoadStaysWithOneTunnel(self) -> None:
        """
        So that it arrives in order.
        """
        first, second = self.open(), self.open()
        self.send(*range(50))
        self.assertEqual((len(first.sent), len(second.sent)), (50, 0))

    def test_standstillCostsALightLoadASecondInTurnAndNotAll(self) -> None:
        """
        A tunnel that takes all and brings nothing to the other end is left for a while.
        """
        standing, going = self.open(), self.open()
        for number in range(32):
            self.send(number)
            self.clock.advance(STAY_SECONDS / 8)
        self.assertEqual((len(standing.sent), len(going.sent)), (16, 16))
        self.assertEqual(standing.sent[:8], [numbered(number) for number in range(8)])
        self.assertEqual(going.sent[:8], [numbered(number) for number in range(8, 16)])

    def test_heavyLoadUsesEveryTunnelThatIsFree(self) -> None:
        """
        A slow one holds nobody up, and gets no more until it is free again.
        """
        slow, fast = self.open(room=2), self.open()
        self.send(*range(6))
        self.assertEqual([len(tunnel.sent) for tunnel in (slow, fast)], [2, 4])
        slow.makeRoom(10)
        self.send(6)
        self.assertEqual([len(tunnel.sent) for tunnel in (slow, fast)], [2, 5])

    def test_trainsWaitWhileAllTunnelsAreFull(self) -> None:
        """
        Whichever is free first takes them, as many as it can, and nothing overtakes.
        """
        one, two = self.open(room=1), self.open(room=1)
        self.send(*range(6))
        two.makeRoom(3)
        one.makeRoom(9)
        self.send(6)
        self.assertEqual(one.sent, [numbered(number) for number in (0, 5, 6)])
        self.assertEqual(two.sent, [numbered(number) for number in (1, 2, 3, 4)])

    def test_lostTunnelIsUsedNoMore(self) -> None:
        """
        Those that are left carry on; with none left, trains wait.
        """
        one, two = self.open(), self.open()
        one.abort()
        self.send(1)
        two.close()
        self.send(2)
        three = self.open()
        self.assertEqual([tunnel.sent for tunnel in (one, two, three)], [[], [numbered(1)], [numbered(2)]])

    def test_whatWaitsTooLongIsDroppedAndCounted(self) -> None:
        """
        It would be of no use any more.
        """
        self.send(1, 2)
        self.clock.advance(MAX_AGE_SECONDS / 2)
        self.send(3)
        self.clock.advance(MAX_AGE_SECONDS / 2 + 0.1)
        self.assertEqual(self.open().sent, [numbered(3)])
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_STALE: 2})

    def test_whatWaitsIsAllStaleAndTheTunnelIsStillFree(self) -> None:
        """
        The next train goes at once.
        """
        self.send(1)
        self.clock.advance(MAX_AGE_SECONDS + 1)
        tunnel = self.open()
        self.send(2)
        self.assertEqual(tunnel.sent, [numbered(2)])

    def test_whatWaitsIsBoundedAndTheOldestGoesFirst(self) -> None:
        """
        With a short queue, the newest are what is left.
        """
        size = 1400
        fit = MAX_BYTES // (size + TRAIN_OVERHEAD_BYTES)
        for number in range(3 * fit):
            self.session.trainFromUdp(numbered(number, size))
        self.assertEqual(self.open().sent, [numbered(number, size) for number in range(2 * fit, 3 * fit)])
        self.assertEqual(self.drops.totals, {Drop.BACKLOG_FULL: 2 * fit})

    def test_trainsFromAnyTunnelAreDelivered(self) -> None:
        """
        At once, in the order in which they come.
        """
        trains = [numbered(1), Train(0, b""), Train(2, b"aabbc")]
        for train in trains:
            self.session.trainFromTunnel(train)
        self.assertEqual(self.delivered, trains)

    def test_firstAnswerIsSaidOnce(self) -> None:
        """
        An empty datagram is one too; what the source sends is none.
        """
        self.send(1)
        self.assertEqual((self.session.answered, self.answers), (False, 0))
        self.session.trainFromTunnel(Train(0, b""))
        self.session.trainFromTunnel(numbered(1))
        self.assertEqual((self.session.answered, self.answers), (True, 1))

    def test_nobodyNeedsToCareForTheAnswer(self) -> None:
        """
        A server does not.
        """
        session = Session(self.delivered.append, self.drops, self.clock.seconds)
        session.trainFromTunnel(numbered(1))
        self.assertEqual(self.delivered, [numbered(1)])

    def test_eitherSideKeepsTheSessionActive(self) -> None:
        """
        As does what has to wait.
        """
        self.assertEqual(self.session.lastActive, 0)
        self.clock.advance(5)
        self.send(1)
        self.assertEqual(self.session.lastActive, 5)
        self.clock.advance(5)
        self.session.trainFromTunnel(numbered(1))
        self.assertEqual(self.session.lastActive, 10)
        self.open()
        self.clock.advance(5)
        self.assertEqual(self.session.lastActive, 10)
        self.send(2)
        self.assertEqual(self.session.lastActive, 15)

    def test_bytesAreCountedBothWays(self) -> None:
        """
        Payload only.
        """
        self.send(1, 2, 3)
        self.session.trainFromTunnel(Train(2, b"aabbc"))
        self.assertEqual((self.session.bytesOut, self.session.bytesIn), (24, 5))
