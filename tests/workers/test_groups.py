"""
What both ends say and count of their workers' sockets.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.udpsockets import FakeUdpSocket
from uotp.net import SocketGroup
from uotp.telemetry.drops import Drop, Drops
from uotp.workers.groups import ListeningGroup
from uotp.workers.sums import countDropped


class ListeningGroupTests(SynchronousTestCase):
    """
    Have sockets of two workers.
    """

    def test_eachWorkerHasItsOwn(self) -> None:
        sockets: list[Any] = [FakeUdpSocket(), FakeUdpSocket()]
        sockets[0].closed = True  # whose descriptor is -1 then
        closed: list[ListeningGroup] = []
        group = ListeningGroup(3, SocketGroup(sockets), "UDP", closed.append)
        self.assertEqual((group.descriptorFor(1), group.descriptorFor(2)), (-1, 99))
        self.assertEqual(group.getHost(), IPv4Address("UDP", "192.0.2.7", 4711))
        group.stopListening()
        self.assertTrue(sockets[1].closed)
        self.assertEqual(closed, [group])

    def test_addressOfEitherFamily(self) -> None:
        six: Any = FakeUdpSocket()
        six.getsockname = lambda: ("::1", 8443, 0, 0)
        group = ListeningGroup(1, SocketGroup([six]), "TCP", lambda _: None)
        self.assertEqual(group.getHost(), IPv6Address("TCP", "::1", 8443))


class DroppedTests(SynchronousTestCase):
    """
    Have a worker tell its numbers.
    """

    def test_whatItHasDroppedIsCounted(self) -> None:
        """
        And nothing else, whatever it says.
        """
        drops = Drops()
        grown = {"drops.TOO_LONG": 3, "drops.CUT_OFF": -1, "drops.NO_SUCH": 4, "TOO_LONG": 5, "sessions.sessions": 1}
        countDropped(drops, grown)
        self.assertEqual(drops.totals, {Drop.TOO_LONG: 3})
