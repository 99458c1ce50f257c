"""
How fast bulk may be sent while small datagrams go beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from uotp.path import PathStats
from uotp.session.load.shortqueue import (
    BESIDE_TIMES,
    BESIDE_WITHIN_SECONDS,
    FELT_SECONDS,
    GIVEN_UP_SECONDS,
    LEFT_SECONDS,
    LEFT_SHARE,
    MIN_RATE,
    MOST_WANTED_SECONDS,
    NOTHING_WAITS_SECONDS,
    SHORTENING_ROUND_TRIPS,
    SHORTENING_SECONDS,
    STALLS_SECONDS,
    STEP_SECONDS,
    UNUSED_SECONDS,
    ShortQueue,
)
from uotp.session.scheduling.stalled import STALLED_SEGMENTS

LEAST = 0.04
"""Seconds of a round trip on the empty path."""

RATE = 6_000_000
"""Bytes a second that the path carries."""

SMALL_EVERY = 0.02
"""Seconds between two small datagrams."""


@dataclass
class Path:
    """
    Is a path with a queue, and TCP that sends into it as much as it may.

    @ivar most: seconds of what TCP keeps in the queue of its own accord.
    @ivar others: seconds that others keep in it, whatever we do.
    @ivar share: of the path that others leave to us.
    @ivar reach: bytes a second that our TCP can send.
    """

    rate: float = RATE
    most: float = 0.04
    others: float = 0.0
    share: float = 1.0
    reach: float = math.inf
    queue: float = 0.04
    acknowledged: float = 0.0

    def pass_(self, seconds: float, bound: int | None) -> None:
        """
        Let some time pass.

        @param bound: bytes a second that may be sent.
        """
        ours = self.rate * self.share
        sent = min(math.inf if bound is None else bound, self.reach)
        carried = ours if self.queue > 0 or sent > ours else sent
        self.acknowledged += carried * seconds
        self.queue = min(max(self.queue + (min(sent, 2 * ours) - ours) / ours * seconds, 0.0), self.most)

    def stats(self) -> PathStats:
        """
        @return: what the kernel tells.
        """
        roundTrip = LEAST + self.queue + self.others
        return PathStats(0, 0, roundTrip, LEAST, acknowledged=int(self.acknowledged), window=300)


class ShortQueueTests(SynchronousTestCase):
    """
    Load a path, with small datagrams beside.
    """

    def setUp(self) -> None:
        self.now = 1000.0
        self.path = Path()
        self.queue = ShortQueue(self.now)
        self.judged = 0

    def load(self, seconds: float, *, small: bool = True, waits: bool = True) -> None:
        """
        Let bulk wait for some time.
        """
        for _ in range(round(seconds / SMALL_EVERY)):
            self.now += SMALL_EVERY
            self.path.pass_(SMALL_EVERY, self.queue.rate)
            if waits:
                self.queue.waits(self.now, small=small)
            if self.now >= self.queue.judgeAt:
                self.judged += 1
                self.queue.judge({"link": self.path.stats()}, self.now)

    def test_queueBecomesShortAndThePathStaysFull(self) -> None:
        self.load(3)
        before = self.path.acknowledged
        longest = 0.0
        for _ in range(100):
            self.load(0.1)
            longest = max(longest, self.path.queue)
        self.assertLess(longest, 2 * MOST_WANTED_SECONDS)
        self.assertGreater(self.path.acknowledged - before, 0.98 * RATE * 10)

    def test_bulkAloneIsLeftToTcp(self) -> None:
        self.load(5, small=False)
        self.assertIsNone(self.queue.rate)
        self.assertEqual((self.path.queue, self.judged), (self.path.most, 0))

    def test_loneQuestionBesideBulkChangesNothing(self) -> None:
        for _ in range(10):
            self.queue.waits(self.now, small=True)
            self.load(BESIDE_WITHIN_SECONDS / (BESIDE_TIMES - 1) + 0.1, small=False)
        self.assertEqual((self.queue.rate, self.judged), (None, 0))

    def test_smallDatagramsWithoutAQueueChangeNothing(self) -> None:
        self.path.most = self.path.queue = FELT_SECONDS / 2
        self.load(5)
        self.assertIsNone(self.queue.rate)
        self.assertGreater(self.judged, 0)

    def test_slowPathIsLeftToOthers(self) -> None:
        self.path.rate = MIN_RATE * 0.9
        self.load(5)
        self.assertIsNone(self.queue.rate)

    def test_itEndsWithTheSmallDatagrams(self) -> None:
        self.load(2)
        self.assertIsNotNone(self.queue.rate)
        self.load(BESIDE_WITHIN_SECONDS + 0.2, small=False)
        self.assertEqual((self.queue.rate, self.queue.judgeAt), (None, math.inf))
        self.load(2)
        self.assertIsNotNone(self.queue.rate)

    def test_itEndsWithTheBulk(self) -> None:
        self.load(2)
        self.load(NOTHING_WAITS_SECONDS + 0.2, waits=False)
        self.assertEqual((self.queue.rate, self.queue.judgeAt), (None, math.inf))

    def test_pathThatBecomesFasterIsFoundOut(self) -> None:
        self.load(2)
        self.path.rate = 3 * RATE
        self.load(3)
        assert self.queue.rate is not None
        self.assertGreater(self.queue.rate, 0.95 * self.path.rate)

    def test_pathThatBecomesSlowerIsFoundOut(self) -> None:
        self.load(2)
        self.path.rate = RATE * 0.6
        self.load(2)
        assert self.queue.rate is not None
        self.assertLess(self.queue.rate, 1.1 * self.path.rate)
        self.assertLess(self.path.queue, 2 * MOST_WANTED_SECONDS)

    def test_whereOthersFillTheQueueItIsGivenUp(self) -> None:
        """
        For a while, and for a longer one the next time.
        """
        self.path.others = 0.05
        began: list[float] = []
        ended: list[float] = []
        for _ in range(round(4.5 * GIVEN_UP_SECONDS / 0.1)):
            before = self.queue.rate
            self.load(0.1)
            if (before is None) != (self.queue.rate is None):
                (began if before is None else ended).append(self.now)
        self.assertEqual((len(began), len(ended)), (3, 3))
        for begin, end in zip(began, ended, strict=True):
            self.assertLess(end - begin, SHORTENING_SECONDS + SHORTENING_ROUND_TRIPS * 0.13 + 2 * STEP_SECONDS)
        for end, begin, factor in zip(ended, began[1:], (1, 2), strict=False):
            self.assertLess(abs(begin - end - factor * GIVEN_UP_SECONDS), 0.5)

    def test_whatLooksLikeAQueueAndIsNoneIsGivenUp(self) -> None:
        """
        Though most of the path is ours all the time.
        """
        self.path.others = FELT_SECONDS + 0.003
        self.load(SHORTENING_SECONDS)
        assert self.queue.rate is not None
        self.assertGreater(self.queue.rate, LEFT_SHARE * RATE)
        self.load(SHORTENING_ROUND_TRIPS * 0.06 + 4 * STEP_SECONDS)
        self.assertIsNone(self.queue.rate)

    def test_whoeverGetsLittleOfThePathGivesUpSoon(self) -> None:
        self.load(2)
        self.path.others, self.path.share = 0.03, 0.2
        self.load(LEFT_SECONDS + 0.4)
        self.assertLess(LEFT_SECONDS + 0.4, SHORTENING_SECONDS)
        self.assertIsNone(self.queue.rate)

    def test_linkThatCannotUseItIsLeftToItself(self) -> None:
        """
        It repairs losses, say; then more links had better carry.
        """
        self.load(2)
        self.path.reach = 0.4 * RATE
        self.load(UNUSED_SECONDS + 1)
        self.assertIsNone(self.queue.rate)

    def test_linkThatIsUsedLittleForAMomentKeepsItsRate(self) -> None:
        self.load(2)
        self.path.reach = 0.4 * RATE
        self.load(UNUSED_SECONDS / 2)
        assert self.queue.rate is not None
        self.assertGreater(self.queue.rate, 0.8 * RATE)

    def test_whatIsRepairedIsNotTakenForASlowPath(self) -> None:
        """
        While a hole is filled, hardly anything is acknowledged.
        """
        self.load(0.3)
        assert self.queue.rate is not None
        before = self.queue.rate
        self.queue.judge(
            {"link": self.path.stats()._replace(acknowledged=int(self.path.acknowledged + 1))}, self.now + 0.1
        )
        assert self.queue.rate is not None
        self.assertGreater(self.queue.rate, before * 0.6)
        self.load(0.4)
        self.assertIsNotNone(self.queue.rate)

    def test_nothingThatWasAcknowledgedSaysNothing(self) -> None:
        self.load(2)
        before = self.queue.rate
        for _ in range(3):
            self.now += 0.1
            self.queue.waits(self.now, small=True)
            self.queue.judge({"link": self.path.stats()}, self.now)
        self.queue.judge({}, self.now)
        self.assertEqual(self.queue.rate, before)

    def test_linkThatIsGoneIsForgotten(self) -> None:
        self.load(2)
        self.queue.forget("link")
        self.assertEqual(self.queue._acknowledged, {})
        self.queue.forget("link")

    def test_stopAsksForNothing(self) -> None:
        self.load(2)
        self.queue.stop()
        self.assertEqual((self.queue.rate, self.queue.judgeAt), (None, math.inf))

    def test_linkThatSendsNothingIsSeenOnce(self) -> None:
        """
        In a while, and only where it is bounded.
        """
        stalled = self.path.stats()._replace(window=STALLED_SEGMENTS, isWaiting=True)
        self.assertFalse(self.queue.isStalled(stalled, self.now))
        self.load(2)
        for path in (None, self.path.stats(), stalled._replace(window=0), stalled._replace(isWaiting=False)):
            self.assertFalse(self.queue.isStalled(path, self.now))
        self.assertTrue(self.queue.isStalled(stalled, self.now))
        self.assertFalse(self.queue.isStalled(stalled, self.now + STALLS_SECONDS / 2))
        self.assertTrue(self.queue.isStalled(stalled, self.now + STALLS_SECONDS))
