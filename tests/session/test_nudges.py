"""
Empty frames for links that repair a loss.
"""

from __future__ import annotations

from tests.doubles.contracts import TimerTestCase
from tests.doubles.sessions import MemoryLink, RecordingSession
from uotp.path import TROUBLED
from uotp.process.turns import Unlimited
from uotp.session.recovery.nudges import (
    MOST_NUDGES,
    MOST_WATCHED_SECONDS,
    NUDGE_SECONDS,
    TROUBLE_LOOK_SECONDS,
    WATCHED_ROUND_TRIPS,
    WATCHED_SECONDS,
    Nudges,
)
from uotp.session.scheduling.scheduler import Scheduler

LONG = 0.4
"""A round trip, in seconds, half of which is longer than the least pause."""


class NudgesTests(TimerTestCase):
    """
    Watch links, some of which are in trouble.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock.advance(1000.0)
        scheduler: Scheduler[MemoryLink] = Scheduler(lambda link: link.costs)
        self.links = [MemoryLink() for _ in range(3)]
        for link in self.links:
            link.carryFor(RecordingSession())
            scheduler.offer(link)
        self.scheduler = scheduler
        self.nudges = Nudges(scheduler, self.clock, Unlimited())  # type: ignore[arg-type]
        self.addCleanup(self.nudges.finish)

    def passTime(self, seconds: float) -> None:
        """
        Let time pass in small steps.
        """
        for _ in range(round(seconds / 0.001)):
            self.clock.advance(0.001)

    def counts(self) -> list[int]:
        """
        @return: how often each link was nudged.
        """
        return [link.nudges for link in self.links]

    def watch(self, roundTrip: float = 0.0) -> None:
        self.nudges.watch(roundTrip, self.clock.seconds())

    def test_onlyThoseInTroubleAreNudged(self) -> None:
        """
        What has something unsent needs it not: that follows by itself.
        """
        self.links[0].costs = TROUBLED
        self.links[1].costs = TROUBLED + 1
        self.watch()
        self.passTime(2 * TROUBLE_LOOK_SECONDS)
        self.assertEqual(self.counts(), [1, 0, 0])

    def test_whoeverIsNotWatchedIsNotNudged(self) -> None:
        self.links[0].costs = TROUBLED
        self.passTime(1.0)
        self.assertEqual(self.counts(), [0, 0, 0])

    def test_thereIsAPauseBetweenTwo(self) -> None:
        for roundTrip, pause in ((0.0, NUDGE_SECONDS), (LONG, LONG / 2)):
            self.links[0].costs, self.links[0].nudges = TROUBLED, 0
            self.watch(roundTrip)
            self.passTime(1.5 * TROUBLE_LOOK_SECONDS)
            self.assertEqual(self.links[0].nudges, 1)
            self.passTime(pause - 1.5 * TROUBLE_LOOK_SECONDS)
            self.assertEqual(self.links[0].nudges, 1)
            self.passTime(3 * TROUBLE_LOOK_SECONDS)
            self.assertEqual(self.links[0].nudges, 2)
            self.links[0].costs = 0
            self.passTime(2 * TROUBLE_LOOK_SECONDS)

    def test_aLinkGetsFewUntilItIsWell(self) -> None:
        """
        Then it may get as many again.
        """
        self.links[0].costs = TROUBLED
        for _ in range(10):
            self.watch()
            self.passTime(WATCHED_SECONDS / 2)
        self.assertEqual(self.links[0].nudges, MOST_NUDGES)
        self.links[0].costs = 0
        self.watch()
        self.passTime(2 * TROUBLE_LOOK_SECONDS)
        self.links[0].costs = TROUBLED
        self.passTime(2 * TROUBLE_LOOK_SECONDS)
        self.assertEqual(self.links[0].nudges, MOST_NUDGES + 1)

    def test_aNudgeThatWaitsIsOneToo(self) -> None:
        """
        In a link whose window is full: when it has left, the next one does not follow at once.
        """
        [link, *_] = self.links
        waits = 0.0

        def nudge() -> None:
            nonlocal waits
            link.nudges += 1
            link.costs, waits = TROUBLED + 9, 1.5 * TROUBLE_LOOK_SECONDS

        self.patch(link, "nudge", nudge)
        link.costs = TROUBLED
        for _ in range(2000):
            self.watch(LONG)
            self.clock.advance(0.001)
            waits -= 0.001
            if waits <= 0:
                link.costs = TROUBLED
        self.assertEqual(link.nudges, MOST_NUDGES)

    def test_whenTheyAreWatchedAnewAllBeginAnew(self) -> None:
        self.links[0].costs = TROUBLED
        for times in (1, 2):
            self.watch(0.2)
            self.passTime(MOST_WATCHED_SECONDS)
            self.assertNoTimer()
            self.assertEqual(self.links[0].nudges, times * MOST_NUDGES)

    def test_aSessionMayEndByANudge(self) -> None:
        for link in self.links:
            link.costs = TROUBLED
        self.patch(self.links[0], "nudge", self.nudges.finish)
        self.watch()
        self.passTime(3 * TROUBLE_LOOK_SECONDS)
        self.assertNoTimer()

    def test_aLinkThatCarriesNeedsNone(self) -> None:
        self.links[0].costs = TROUBLED
        self.watch()
        for _ in range(50):
            self.links[0].sentAt = self.clock.seconds()
            self.passTime(0.005)
        self.assertEqual(self.links[0].nudges, 0)
        self.passTime(2 * TROUBLE_LOOK_SECONDS)
        self.assertEqual(self.links[0].nudges, 1)

    def test_afterAWhileNobodyIsWatchedAnyMore(self) -> None:
        """
        Longer on a longer path, but the other end can make it only so long.
        """
        for roundTrip, seconds in (
            (0.0, WATCHED_SECONDS),
            (LONG, WATCHED_ROUND_TRIPS * LONG),
            (30.0, MOST_WATCHED_SECONDS),
        ):
            self.watch(roundTrip)
            self.passTime(seconds - TROUBLE_LOOK_SECONDS)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            self.passTime(2 * TROUBLE_LOOK_SECONDS)
            self.assertNoTimer()

    def test_whoeverIsWatchedTwiceHasOneTimer(self) -> None:
        self.watch()
        self.watch()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_aLinkThatIsGoneIsForgotten(self) -> None:
        """
        Also when it goes because of the nudge.
        """
        [link, *_] = self.links
        link.costs = self.links[1].costs = TROUBLED

        def nudge() -> None:
            link.nudges += 1
            self.scheduler.remove(link)
            self.nudges.forget(link)

        self.patch(link, "nudge", nudge)
        self.watch()
        self.passTime(10 * NUDGE_SECONDS)
        self.assertEqual(link.nudges, 1)
        self.assertGreater(self.links[1].nudges, 1)
        self.assertNotIn(link, self.nudges._nudged)

    def test_afterTheEndNobodyIsWatched(self) -> None:
        self.links[0].costs = TROUBLED
        self.watch()
        self.nudges.finish()
        self.assertNoTimer()
        self.nudges.finish()
