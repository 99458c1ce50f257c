"""
What both ends say and count of their workers' sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.contracts import TimerTestCase
from tests.doubles.udpsockets import FakeUdpSocket
from uotp.net import SocketGroup
from uotp.telemetry.drops import Drop, Drops
from uotp.workers.groups import (
    MISSING_SECONDS,
    ListeningGroup,
    ListeningGroups,
    ListenNoMore,
    ListenOn,
    SocketMissing,
)
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


class ListeningGroupsTests(TimerTestCase):
    """
    Have two workers, which are sent what a list shows.
    """

    def setUp(self) -> None:
        super().setUp()
        self.sent: list[tuple[object, ...]] = []
        self.refusal: OSError | None = None
        self.groups = ListeningGroups(self.send, (1, 2), self.clock)

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

    def add(self) -> ListeningGroup:
        """
        @return: a group that both have, of which nothing was written down.
        """
        sockets: list[Any] = [FakeUdpSocket(), FakeUdpSocket()]
        group = self.groups.add(5, SocketGroup(sockets), "UDP")
        self.sent.clear()
        return group

    def assertSaysWhat(self, act: Callable[[], object], *reasons: str) -> None:
        """
        The log says why worker 2 does not listen.
        """
        with capturedLogs() as events:
            act()
        words = "worker 2 takes nothing at 192.0.2.7 port 4711 yet, and tries it again: "
        self.assertEqual([formatEvent(event) for event in events], [words + reason for reason in reasons])

    def test_whatCannotBeSentNowIsSentLater(self) -> None:
        """
        When there are descriptors again.  The same is not said each time.
        """
        group = self.add()
        self.refusal = OSError(24, "Too many open files")
        self.assertSaysWhat(lambda: self.groups.began(2), "Too many open files")
        for _ in range(3):
            self.assertSaysWhat(lambda: self.clock.advance(MISSING_SECONDS))
        self.assertEqual(self.sent, [])
        self.refusal = None
        self.clock.advance(MISSING_SECONDS)
        self.assertEqual(self.sent, [(2, ListenOn(5), group.descriptorFor(2))])
        self.assertNoTimer()

    def test_whatAWorkerCannotUseItGetsAgain(self) -> None:
        """
        Until it can.  What it says is cut, and clean.
        """
        group = self.add()
        message = SocketMissing(5, "no\nroom\x1b" + "x" * 9000)
        self.assertSaysWhat(lambda: self.groups.missing(2, message), "no?room?" + "x" * 492)
        self.groups.missing(2, message)
        self.assertEqual(self.sent, [])
        self.clock.advance(MISSING_SECONDS)
        self.assertEqual(self.sent, [(2, ListenOn(5), group.descriptorFor(2))])
        self.assertNoTimer()

    def test_nothingIsSentToWhoIsGoneOrOfWhatIsClosed(self) -> None:
        group = self.add()
        self.groups.missing(2, SocketMissing(5, "why"))
        self.groups.lost(2)
        self.assertNoTimer()
        self.groups.missing(2, SocketMissing(5, "why"))
        group.stopListening()
        self.assertNoTimer()
        self.sent.clear()
        self.assertSaysWhat(lambda: self.groups.missing(2, SocketMissing(5, "why")))
        self.assertNoTimer()
        self.assertEqual(self.sent, [])


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
