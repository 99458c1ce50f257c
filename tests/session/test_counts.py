"""
What a session counts of what it carries.
"""

from __future__ import annotations

from tests.doubles.contracts import TimerTestCase
from tests.doubles.sessions import MemoryLink
from uotp.order import Order
from uotp.process.turns import Unlimited
from uotp.session.closing import ClosingSessions
from uotp.session.counts import SessionCounts
from uotp.session.session import Session
from uotp.telemetry.drops import Drop, Drops
from uotp.train import Train

LONE = Train(100, bytes(100))
LONG = Train(100, bytes(250))
"""Three datagrams."""

EMPTY = Train(0, b"")
"""One."""


class CountsTests(TimerTestCase):
    """
    Let trains pass, in all the ways that they may come.
    """

    def setUp(self) -> None:
        super().setUp()
        self.drops = Drops()
        self.session = Session(lambda _: None, self.drops, self.clock, Unlimited(), order=Order.within(1.0))
        self.addCleanup(self.session.finish, lambda: None)

    def counts(self) -> SessionCounts:
        return self.session.counts()

    def test_whatUdpBrings(self) -> None:
        MemoryLink().carryFor(self.session)
        for trains, expected in (
            ([LONE], (1, 1, 100)),
            ([LONG], (2, 4, 350)),
            ([EMPTY], (3, 5, 350)),
            ([LONE, LONG, EMPTY], (6, 10, 700)),
        ):
            self.session.outbound.send(trains)
            self.assertEqual(self.counts()[:3], expected)

    def test_whatLinksBring(self) -> None:
        inbound, now = self.session.inbound, self.clock.seconds()
        inbound.lone(0, LONE, now)
        self.assertEqual(self.counts()[3:6], (1, 1, 100))
        inbound.lone(1, LONG, now)
        self.assertEqual(self.counts()[3:6], (2, 4, 350))
        inbound.numbered([(4, LONE), (5, LONG), (8, EMPTY)], now)
        self.assertEqual(self.counts()[3:6], (5, 9, 700))
        inbound.again([(4, LONE)], now)
        self.assertEqual(self.counts()[3:6], (5, 9, 700))
        inbound.unnumbered([LONE, LONG], now)
        self.assertEqual(self.counts()[3:6], (7, 13, 1050))

    def test_howLongDatagramsWait(self) -> None:
        """
        Three wait for a second before the one that is missing comes, and one for half of it.
        """
        self.session.inbound.lone(0, LONE, self.clock.seconds())
        self.session.inbound.lone(2, LONG, self.clock.seconds())
        self.clock.advance(0.5)
        self.assertEqual((self.counts().heldDatagrams, self.counts().heldSeconds), (3, 1.5))
        self.session.inbound.lone(5, LONE, self.clock.seconds())
        self.clock.advance(0.4)
        self.session.inbound.lone(1, LONE, self.clock.seconds())
        self.clock.advance(10)
        counts = self.counts()
        self.assertEqual(counts.heldDatagrams, 4)
        self.assertAlmostEqual(counts.heldSeconds, 3 * 0.9 + 0.4)

    def test_whatIsDroppedIsCountedForBoth(self) -> None:
        other = Session(lambda _: None, self.drops, self.clock, Unlimited())
        self.addCleanup(other.finish, lambda: None)
        self.assertEqual(self.session.statistics().drops, {})
        for _ in range(2):
            self.session.outbound.send([Train(1400, bytes(1400 * 200))])
        dropped = self.drops.totals[Drop.BACKLOG_FULL]
        self.assertGreater(dropped, 0)
        self.assertEqual(self.session.statistics().drops, {"BACKLOG_FULL": dropped})
        self.assertEqual(other.statistics().drops, {})

    def test_whatHasEndedIsSummed(self) -> None:
        closing = ClosingSessions()
        self.session.inbound.lone(0, LONG, self.clock.seconds())
        counts = self.counts()
        for _ in range(2):
            closing.begin(self.session, lambda: None)
        self.assertEqual((closing.counts, closing.ended), (counts.plus(counts), 2))
