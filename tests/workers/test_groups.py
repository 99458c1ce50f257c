"""
What both ends say and count of their workers' sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.udpsockets import FakeUdpSocket
from uotp.net import SocketGroup
from uotp.telemetry.drops import Drop, Drops
from uotp.workers.groups import ListeningGroup, ListeningGroups, ListenNoMore, ListenOn
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


class ListeningGroupsTests(SynchronousTestCase):
    """
    Have two workers, which are sent what a list shows.
    """

    def setUp(self) -> None:
        self.sent: list[tuple[object, ...]] = []
        self.refusal: OSError | None = None
        self.groups = ListeningGroups(self.send, (1, 2))

    def send(self, worker: int, message: object, descriptors: Sequence[int]) -> None:
        if self.refusal is not None and worker == 2 and descriptors:
            raise self.refusal
        self.sent.append((worker, message, *descriptors))

    def test_eachIsToldOfItsSockets(self) -> None:
        """
        At once, and again when it begins; and of all when they are closed.
        """
        sockets: list[Any] = [FakeUdpSocket(), FakeUdpSocket()]
        group = self.groups.add(5, SocketGroup(sockets), "UDP")
        expected = [(worker, ListenOn(5), group.descriptorFor(worker)) for worker in (1, 2)]
        self.assertEqual(self.sent, expected)
        self.sent.clear()
        self.groups.began(2)
        self.assertEqual((self.sent, len(self.groups)), (expected[1:], 1))
        self.sent.clear()
        group.stopListening()
        self.assertEqual(self.sent, [(1, ListenNoMore(5)), (2, ListenNoMore(5))])
        self.groups.began(1)
        self.assertEqual((len(self.sent), len(self.groups)), (2, 0))

    def test_whatCannotBeSentIsClosed(self) -> None:
        """
        In all workers: there may be no descriptors left for copies.
        """
        self.refusal = OSError(24, "Too many open files")
        sockets: list[Any] = [FakeUdpSocket(), FakeUdpSocket()]
        self.assertRaises(OSError, self.groups.add, 5, SocketGroup(sockets), "TCP")
        self.assertEqual(([each.closed for each in sockets], len(self.groups)), ([True, True], 0))
        self.assertEqual(self.sent[-2:], [(1, ListenNoMore(5)), (2, ListenNoMore(5))])


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
