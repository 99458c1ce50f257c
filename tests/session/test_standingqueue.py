"""
How much may be in flight where a path is slow and its queue deep.
"""

from __future__ import annotations

from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from uotp.path import PathStats
from uotp.session.load.standingqueue import (
    ANOTHER_LINK_BYTES,
    LONG_FOR_SECONDS,
    LONG_QUEUE_SECONDS,
    MAX_BOUND_BYTES,
    MIN_BOUND_BYTES,
    OTHERS_SECONDS,
    SETTLE_ROUND_TRIPS,
    SETTLE_SECONDS,
    SHORT_QUEUE_SECONDS,
    TARGET_SECONDS,
    UNLOADED_SECONDS,
    StandingQueue,
    hasQueue,
)

STEP = 0.2
"""Seconds between two judgements."""

SUBSTEPS = 50
"""In which the path carries meanwhile."""

LEAST = 0.1
"""Seconds of a round trip on the empty path."""

SLOW = 25_000
"""Bytes a second: a modem."""


@dataclass
class Path:
    """
    Is a path with a queue without an end, and what one session sends into it.

    @ivar rate: bytes a second that it carries.
    @ivar offered: bytes a second that are offered to it.
    @ivar others: seconds that others keep in the queue, whatever we do.
    @ivar inFlight: bytes that we have in flight.
    """

    rate: float = SLOW
    offered: float = 1.5 * SLOW
    others: float = 0.0
    least: float = LEAST
    inFlight: float = 0.0
    acknowledged: float = 0.0

    def step(self, bound: int | None) -> PathStats:
        """
        Let some time pass.

        @param bound: bytes that may be in flight.
        @return: what the kernel tells then.
        """
        most = float("inf") if bound is None else bound
        for _ in range(SUBSTEPS):
            time = STEP / SUBSTEPS
            self.inFlight += max(min(self.offered * time, most - self.inFlight), 0)
            roundTrip = max(self.inFlight / self.rate, self.least) + self.others
            carried = min(self.inFlight / roundTrip * time, self.inFlight)
            self.inFlight -= carried
            self.acknowledged += carried
        return PathStats(int(self.acknowledged / 1448), 0, roundTrip, self.least, acknowledged=int(self.acknowledged))


class StandingQueueTests(SynchronousTestCase):
    """
    Load a path, and look at it a few times a second.
    """

    def setUp(self) -> None:
        self.now = 1000.0
        self.queue = StandingQueue(self.now)
        self.path = Path()
        self.stats = PathStats(0, 0, LEAST, LEAST)

    def load(self, seconds: float) -> None:
        """
        Let time pass under load.
        """
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            self.stats = self.path.step(self.queue.bound)
            self.queue.judge({"link": self.stats}, self.now)

    def test_whatASlowPathHoldsIsBounded(self) -> None:
        """
        To what it carries in a round trip and a little more.
        """
        self.load(20)
        self.assertApproximates(self.queue.bound, SLOW * (LEAST + TARGET_SECONDS), SLOW * 0.1)
        self.assertLess(self.stats.roundTrip, LEAST + LONG_QUEUE_SECONDS)
        self.assertApproximates(self.queue.rate, SLOW, SLOW / 5)
        self.assertEqual(self.queue.links, 1)

    def test_boundComesSoon(self) -> None:
        """
        As soon as the queue has been long for a moment.
        """
        while self.stats.roundTrip <= LEAST + LONG_QUEUE_SECONDS:
            self.assertIsNone(self.queue.bound)
            self.load(STEP)
        self.load(LONG_FOR_SECONDS + STEP)
        self.assertIsNotNone(self.queue.bound)

    def test_loadThatThePathCarriesIsNotBounded(self) -> None:
        self.path.offered = 0.8 * SLOW
        self.load(60)
        self.assertIsNone(self.queue.bound)

    def test_longPathWithoutAQueueIsNotBounded(self) -> None:
        self.path.least = 2.4
        self.path.offered = 0.8 * SLOW
        self.load(60)
        self.assertIsNone(self.queue.bound)

    def test_momentOfStandstillBoundsNothing(self) -> None:
        self.path.offered = 0.8 * SLOW
        self.load(5)
        self.path.others = 2 * LONG_QUEUE_SECONDS
        self.load(STEP)
        self.path.others = 0
        self.load(5)
        self.assertIsNone(self.queue.bound)

    def test_fastPathIsLeftToTcp(self) -> None:
        rate = 2 * MAX_BOUND_BYTES / (LEAST + TARGET_SECONDS)
        self.path = Path(rate=rate, offered=1.5 * rate)
        self.load(20)
        self.assertIsNone(self.queue.bound)

    def test_verySlowPathHoldsAFewSegments(self) -> None:
        self.path = Path(rate=1000, offered=10_000)
        self.load(60)
        self.assertEqual(self.queue.bound, MIN_BOUND_BYTES)

    def test_twoLinksCarryWhereEachMayHoldSeveralSegments(self) -> None:
        rate = 2 * ANOTHER_LINK_BYTES / (LEAST + TARGET_SECONDS)
        self.path = Path(rate=rate, offered=1.5 * rate)
        self.load(20)
        self.assertEqual(self.queue.links, 2)

    def test_boundFollowsAPathThatBecomesFaster(self) -> None:
        """
        Until there is no queue any more, and no bound.
        """
        self.load(20)
        self.path.rate = 100 * SLOW
        self.load(10)
        self.assertIsNone(self.queue.bound)
        self.assertGreater(self.stats.acknowledged, 0)

    def test_boundFollowsAPathThatBecomesSlower(self) -> None:
        self.load(20)
        self.path.rate = SLOW / 2
        self.load(30)
        self.assertApproximates(self.queue.bound, SLOW / 2 * (LEAST + TARGET_SECONDS), SLOW * 0.1)
        self.assertLess(self.stats.roundTrip, LEAST + LONG_QUEUE_SECONDS)

    def test_boundEndsWithTheQueue(self) -> None:
        self.load(20)
        self.path.offered = SLOW / 2
        self.load(10)
        self.assertIsNone(self.queue.bound)
        self.assertLess(self.stats.roundTrip, LEAST + SHORT_QUEUE_SECONDS)

    def test_timeWithoutLoadEndsIt(self) -> None:
        self.load(20)
        self.assertTrue(self.queue.isRecent(self.now))
        self.now += UNLOADED_SECONDS + STEP
        self.assertFalse(self.queue.isRecent(self.now))
        self.assertIsNone(self.queue.judge({"link": self.stats}, self.now))

    def test_queueOfOthersIsNotOursToShorten(self) -> None:
        """
        Who holds back there only leaves the path to them.  It is tried again later.
        """
        self.path = Path(rate=20 * SLOW, offered=4 * SLOW, others=2.0)
        self.path.acknowledged = 1
        bounded = 0
        for _ in range(round(3 * OTHERS_SECONDS / STEP)):
            self.load(STEP)
            bounded += self.queue.bound is not None
        self.assertGreater(bounded, 0)
        longest = SETTLE_SECONDS + (SETTLE_ROUND_TRIPS + 1) * 2.5
        self.assertLess(bounded * STEP, 3 * OTHERS_SECONDS * longest / (longest + OTHERS_SECONDS) + longest)

    def boundShare(self, seconds: float) -> float:
        """
        @return: for which share of a time there is a bound.
        """
        looks = round(seconds / STEP)
        bounded = 0
        for _ in range(looks):
            self.load(STEP)
            bounded += self.queue.bound is not None
        return bounded / looks

    def test_pathThatBecomesLongerIsNoQueue(self) -> None:
        """
        Another way through the world may be a hundred times as long.  A few datagrams, or a flow, on it
        are bounded now and then for a moment, though the kernel remembers the short way for minutes.
        """
        for offered in (3_000, SLOW, 10 * SLOW):
            self.path = Path(rate=100 * SLOW, offered=offered, least=0.02)
            self.queue = StandingQueue(self.now)
            self.load(20)
            self.path.others = 2.0
            self.boundShare(20)
            self.assertLess(self.boundShare(300), 0.15, offered)

    def test_lightLoadIsNeverBounded(self) -> None:
        """
        Neither on a path that has become longer, as by way of a satellite, nor behind the queue of others.
        """
        self.path.offered = 2000.0
        self.load(10)
        for self.path.others in (0.6, 2.0, 0.0):
            for _ in range(round(60 / STEP)):
                self.load(STEP)
                self.assertIsNone(self.queue.bound)

    def test_pathThatBecomesLongerLittleByLittleIsNoQueue(self) -> None:
        self.path = Path(rate=100 * SLOW, offered=2_500, least=0.02)
        for _ in range(50):
            self.path.others += 0.04
            self.load(1.2)
        self.boundShare(10)
        self.assertLess(self.boundShare(300), 0.15)

    def test_pathThatIsAsShortAgainIsTriedSoon(self) -> None:
        self.path = Path(rate=100 * SLOW, offered=SLOW)
        self.load(5)
        self.path.others = 2.0
        self.load(200)
        self.path.others = 0.0
        self.load(400)
        self.path.others = 2.0
        self.load(30)
        self.assertGreater(self.boundShare(2 * OTHERS_SECONDS), 0)

    def test_shareOfAnAlmostShortQueueIsNotGivenUp(self) -> None:
        """
        Others keep it so long that we would become slower and slower.
        """
        self.path = Path(rate=20 * SLOW, offered=4 * SLOW, others=LONG_QUEUE_SECONDS + 0.1)
        bounded = 0
        for _ in range(round(6 * OTHERS_SECONDS / STEP)):
            self.load(STEP)
            bounded += self.queue.bound is not None
        self.assertLess(bounded * STEP, 4 * OTHERS_SECONDS)

    def test_kernelThatForgetsTheEmptyPathIsNotBelieved(self) -> None:
        self.load(20)
        bound = self.queue.bound
        self.path.least = LEAST + TARGET_SECONDS
        for _ in range(100):
            self.now += STEP
            stats = self.path.step(self.queue.bound)
            self.queue.judge({"link": stats._replace(leastRoundTrip=LEAST + TARGET_SECONDS)}, self.now)
        self.assertIsNotNone(bound)
        assert bound is not None
        self.assertApproximates(self.queue.bound, bound, bound / 2)

    def test_linkThatIsSlowMoves(self) -> None:
        self.load(20)
        self.assertTrue(self.queue.moves(self.now))
        self.now += 10
        self.assertFalse(self.queue.moves(self.now))

    def test_linkWithoutAQueueStandsStillWhenItTakesNothing(self) -> None:
        self.path.offered = SLOW / 2
        self.load(2)
        self.assertFalse(self.queue.moves(self.now))

    def test_fastPathStandsStillWhenItsLinksTakeNothing(self) -> None:
        """
        Whatever is acknowledged meanwhile: others may do better.
        """
        rate = 2 * MAX_BOUND_BYTES / (LEAST + TARGET_SECONDS)
        self.path = Path(rate=rate, offered=1.2 * rate)
        self.load(2)
        self.assertGreater(self.stats.roundTrip, 2 * LEAST)
        self.assertFalse(self.queue.moves(self.now))

    def test_slowPathMovesFromTheBeginning(self) -> None:
        """
        Before its queue is long enough for a bound.
        """
        self.load(2 * STEP)
        self.assertIsNone(self.queue.bound)
        self.assertTrue(self.queue.moves(self.now))

    def test_linkThatComesLaterCountsFromThen(self) -> None:
        self.load(20)
        rate = self.queue.rate
        other = PathStats(0, 0, 1.0, LEAST, acknowledged=10_000_000)
        for _ in range(5):
            self.now += STEP
            self.stats = self.path.step(self.queue.bound)
            self.queue.judge({"link": self.stats, "other": other}, self.now)
        self.assertApproximates(self.queue.rate, rate, rate / 5)

    def test_linkThatIsGoneIsForgotten(self) -> None:
        self.load(5)
        self.queue.forget("link")
        self.queue.forget("another")
        self.assertEqual((self.queue._least, self.queue._acknowledged), ({}, {}))

    def test_systemThatTellsNothingBoundsNothing(self) -> None:
        for _ in range(100):
            self.now += STEP
            self.assertIsNone(self.queue.judge({}, self.now))
        self.assertFalse(self.queue.moves(self.now))

    def test_onlyAQueueIsWorthALook(self) -> None:
        self.assertFalse(hasQueue(None))
        self.assertFalse(hasQueue(PathStats(0, 0, 2.4 + SHORT_QUEUE_SECONDS / 2, 2.4)))
        self.assertTrue(hasQueue(PathStats(0, 0, LEAST + 2 * SHORT_QUEUE_SECONDS, LEAST)))
