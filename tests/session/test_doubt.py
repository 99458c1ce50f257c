"""
Which tunnels are asked before they are used, when the other end may know them no more.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.sessions import MemoryLink
from uotp.path import TROUBLED, PathStats
from uotp.process.turns import Unlimited
from uotp.session.scheduling.doubt import TRUST_LOOK_SECONDS, UNANSWERED_SECONDS, UNHEARD_ROUND_TRIPS, UNHEARD_SECONDS
from uotp.session.scheduling.stickiness import STAY_SECONDS
from uotp.session.session import Session
from uotp.telemetry.drops import Drops
from uotp.train import Train

ROUND_TRIP = 0.04
LONG_AGO = 60.0
STEP = 0.05
"""Seconds between two datagrams of a light flow."""


class DoubtTests(SynchronousTestCase):
    """
    Let the other end vanish from its connections, and dial anew.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.session = Session(lambda _: None, Drops(), self.clock, Unlimited())

    def open(self, heardAgo: float = 0.0) -> MemoryLink:
        """
        @param heardAgo: since when the kernel has heard nothing of the new tunnel, in seconds.
        @return: that.
        """
        link = MemoryLink()
        self.hear(link, heardAgo)
        link.carryFor(self.session)
        return link

    def hear(self, link: MemoryLink, ago: float = 0.0, *, still: bool = False, waits: bool = False) -> None:
        """
        The kernel of a tunnel has heard something, so long ago.
        """
        link.costs = TROUBLED if still else 0
        link.stands = PathStats(0, 0, ROUND_TRIP, ROUND_TRIP, still, heardAgo=ago, isWaiting=waits)

    def send(self, times: int = 1) -> None:
        """
        Let a light flow go on.
        """
        for _ in range(times):
            self.clock.advance(STEP)
            self.session.outbound.send([Train(4, b"word")])

    def count(self, *links: MemoryLink) -> list[int]:
        """
        @return: how many datagrams each was given.
        """
        return [len(link.sent) for link in links]

    def test_newTunnelIsUsedAtOnceWhereTheOthersAreSilent(self) -> None:
        """
        The other end has slept: what is sent into its old connections is lost.
        """
        old = [self.open() for _ in range(3)]
        self.send()
        for link in old:
            self.hear(link, LONG_AGO)
        new = self.open()
        self.send(5)
        self.assertEqual(self.count(*old, new), [1, 0, 0, 5])
        self.assertEqual([link.asked for link in (*old, new)], [0, 1, 1, 0])

    def test_newTunnelIsOneOfManyWhereTheOneInUseIsAnswered(self) -> None:
        old = self.open()
        self.send()
        self.hear(old, UNHEARD_SECONDS / 2)
        new = self.open()
        self.send()
        self.assertEqual(self.count(old, new), [2, 0])
        self.assertEqual((old.asked, new.asked), (0, 0))

    def test_silenceIsLongerThanAFewRoundTrips(self) -> None:
        old = self.open()
        self.send()
        old.stands = PathStats(0, 0, 2.4, 2.4, heardAgo=UNHEARD_ROUND_TRIPS * 2.4 - 0.1)
        new = self.open()
        self.send()
        self.assertEqual(self.count(old, new), [2, 0])

    def test_newTunnelIsUsedSoonerWhereTheOneInUseWaitsInVain(self) -> None:
        for ago, expected in ((UNANSWERED_SECONDS - 0.01, [2, 0]), (UNANSWERED_SECONDS, [1, 1])):
            self.setUp()
            old = self.open()
            self.send()
            self.hear(old, ago, waits=True)
            new = self.open()
            self.send()
            self.assertEqual(self.count(old, new), expected)

    def test_flowDoesNotMoveOnToATunnelThatIsOlderStill(self) -> None:
        """
        It moves on for another reason, before the kernel knows that its tunnel is dead.
        """
        dying, *resting = [self.open() for _ in range(4)]
        self.send(round(STAY_SECONDS / STEP) - 1)
        for link in resting:
            self.hear(link, 5.0)
        new = self.open()
        self.hear(new, 0.3)
        self.hear(dying, 0.4, waits=True)
        self.send(5)
        self.assertGreater(len(new.sent), 3)
        self.assertEqual(self.count(*resting), [0, 0, 0])

    def test_flowThatRestsAsksNobody(self) -> None:
        first, second = self.open(), self.open()
        for _ in range(5):
            self.clock.advance(5.0)
            self.hear(first, 5.0)
            self.hear(second, 5.0)
            self.send()
        self.assertEqual((first.asked, second.asked), (0, 0))

    def test_tunnelThatStandsStillIsLeftForANewOne(self) -> None:
        old = self.open()
        self.send()
        self.hear(old, 0.3, still=True)
        new = self.open()
        self.send()
        self.assertEqual(self.count(old, new), [1, 1])

    def test_tunnelInDoubtIsNoChoiceForALightFlow(self) -> None:
        """
        Which moves on now and then, until something is heard.
        """
        old = [self.open() for _ in range(3)]
        for link in old:
            self.hear(link, LONG_AGO)
        new = self.open()
        self.send(round(5 * STAY_SECONDS / STEP))
        self.assertEqual(sum(self.count(*old)), 0)
        self.hear(old[1], 0.0)
        self.send(round(5 * STAY_SECONDS / STEP))
        self.assertGreater(len(old[1].sent), 0)
        self.assertEqual(self.count(old[0], old[2]), [0, 0])
        self.assertGreater(len(new.sent), 0)

    def test_tunnelInDoubtIsBetterThanNone(self) -> None:
        """
        When all others are full.
        """
        old = self.open()
        self.send()
        self.hear(old, LONG_AGO)
        new = self.open()
        self.send()
        self.session.outbound.linkFull(new)
        self.send()
        self.assertEqual(self.count(old, new), [2, 1])

    def test_tunnelsOfWhichNothingWasHeardSinceAreNoBetter(self) -> None:
        """
        The one in use has died, and so have those that rest; the one that was opened since is well.
        """
        dying, *resting = [self.open() for _ in range(5)]
        self.send()
        for link in resting:
            self.hear(link, 3.0)
        self.hear(dying, 0.1)
        new = self.open()
        self.hear(new, 0.2)
        self.hear(dying, 0.4, still=True)
        self.send(2)
        self.assertEqual(self.count(*resting), [0, 0, 0, 0])
        self.assertEqual(len(new.sent), 2)
        self.assertEqual([link.asked for link in resting], [1, 1, 1, 1])

    def test_whereAllAreInDoubtTheyTakeTurns(self) -> None:
        first, second = self.open(), self.open()
        self.send()
        self.hear(second, 3.0)
        self.hear(first, 0.4, still=True)
        self.send(3)
        self.assertEqual(self.count(first, second), [1, 3])

    def test_heavyFlowAsksNobody(self) -> None:
        """
        It has many losses, and uses all tunnels.
        """
        first, second = self.open(), self.open()
        self.send()
        self.session.outbound._stickiness.loaded = True
        self.hear(second, 3.0)
        self.hear(first, 0.4, still=True)
        self.send()
        self.assertEqual((first.asked, second.asked), (0, 0))

    def test_mereLossPutsNothingInDoubt(self) -> None:
        first, second = self.open(), self.open()
        self.send()
        self.hear(second, 3.0)
        first.costs = TROUBLED
        self.send()
        self.assertEqual((second.asked, len(second.sent)), (0, 1))

    def test_answerEndsTheDoubt(self) -> None:
        old = self.open()
        self.send()
        self.hear(old, LONG_AGO)
        self.open()
        scheduler = self.session.outbound._scheduler
        self.assertEqual(scheduler.doubted, {old})
        self.send()
        self.assertEqual(scheduler.doubted, {old})
        self.hear(old, 0.0)
        self.send(round(TRUST_LOOK_SECONDS / STEP) + 1)
        self.assertEqual(scheduler.doubted, set())

    def test_doubtEndsWithItsTunnel(self) -> None:
        old = self.open()
        self.hear(old, LONG_AGO)
        self.open()
        old.close()
        self.assertEqual(self.session.outbound._scheduler.doubted, set())

    def test_systemThatTellsNothingDoubtsNothing(self) -> None:
        old = self.open()
        self.send()
        old.stands = None
        new = self.open()
        self.send()
        self.assertEqual((self.count(old, new), old.asked), ([2, 0], 0))

    def test_newTunnelIsUsedWhereAllOthersAreFullForLong(self) -> None:
        """
        The one in use has taken nothing for some time: it is dead as well.
        """
        old = self.open()
        self.send()
        self.session.outbound.linkFull(old)
        self.hear(old, LONG_AGO)
        self.send(10)
        new = self.open()
        self.send()
        self.assertGreater(len(new.sent), 1)
        self.assertIs(self.session.outbound._scheduler.current, new)
