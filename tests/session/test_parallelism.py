"""
How many tunnels carry: few where they fill a link, all where they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import pairwise
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from uotp.path import PathStats
from uotp.session.parallelism import (
    BRIEF_SECONDS,
    FIRST_PARALLELISM,
    FIRST_PAUSE_SECONDS,
    GAIN,
    HALVING_SECONDS,
    LEAST_REPEATED_SHARE,
    LEAST_SEGMENTS,
    LONG_ROUND_TRIP,
    LONG_ROUND_TRIP_SECONDS,
    LONGEST_PAUSE_SECONDS,
    LONGEST_SETTLING_SECONDS,
    MAX_PARALLELISM,
    NO_LOAD_SECONDS,
    PAUSE_GROWTH,
    QUEUE_SECONDS,
    REPEATED_SHARE,
    SETTLING_ROUND_TRIPS,
    SETTLING_SECONDS,
    STEADY_SECONDS,
    Acknowledged,
    Parallelism,
    Pause,
)

TUNNELS = 8

LEAST = 0.04
"""Seconds of a round trip on an empty link."""

LONG = LEAST * LONG_ROUND_TRIP + LONG_ROUND_TRIP_SECONDS + 0.001
SHORT = LEAST * LONG_ROUND_TRIP + LONG_ROUND_TRIP_SECONDS - 0.001

STEP = 0.2
"""Seconds between two judgements."""

RATE = 6_000_000.0
"""What is acknowledged, in bytes a second."""

TRIAL_SECONDS = SETTLING_SECONDS + STEADY_SECONDS + 2 * STEP
"""A trial is over after that, on a path as short as this one."""


class ParallelismTests(SynchronousTestCase):
    """
    Look at the connections of a session again and again.
    """

    def setUp(self) -> None:
        self.now = 1000.0
        self.parallelism = Parallelism(self.now)
        self.counts = [(0, 0)] * TUNNELS
        self.acknowledged = 0

    def judge(
        self,
        seconds: float = STEP,
        *,
        roundTrip: float = LEAST,
        sent: int = 1000,
        share: float = 0.0,
        rate: float = RATE,
        tunnels: int = TUNNELS,
    ) -> int:
        """
        Let every tunnel send some more, and judge.

        @param seconds: that pass before.
        @param sent: segments of each tunnel.
        @param share: of them that had been sent before.
        @param rate: what is acknowledged of all together, in bytes a second.
        @return: how many may carry.
        """
        self.now += seconds
        self.acknowledged += int(rate * seconds / tunnels)
        self.counts = [(before + sent, repeated + int(sent * share)) for before, repeated in self.counts]
        parallelism = self.parallelism.judge(self.paths(roundTrip, tunnels), self.now)
        self.assertEqual(parallelism, min(self.parallelism.most, tunnels))
        self.assertGreaterEqual(parallelism, 1)
        return parallelism

    def paths(self, roundTrip: float, tunnels: int = TUNNELS) -> dict[Hashable, PathStats]:
        """
        @return: what the kernel tells of each tunnel.
        """
        return {
            number: PathStats(
                before & 0xFFFFFFFF, repeated & 0xFFFFFFFF, roundTrip, LEAST, acknowledged=self.acknowledged
            )
            for number, (before, repeated) in enumerate(self.counts[:tunnels])
        }

    def during(self, seconds: float, **given: Any) -> list[int]:
        """
        Judge again and again, for so long.

        @return: each number that comes, once.
        """
        seen: list[int] = []
        for _ in range(round(seconds / STEP)):
            number = self.judge(**given)
            if seen[-1:] != [number]:
                seen.append(number)
        return seen

    def untilTrial(self, **given: Any) -> float:
        """
        Judge until another number is tried.

        @return: after how many seconds.
        """
        return self.until(lambda: self.parallelism._trial is not None, **given)

    def untilDecided(self, **given: Any) -> float:
        """
        Judge until the trial is over.
        """
        return self.until(lambda: self.parallelism._trial is None, **given)

    def until(self, isSo: Callable[[], bool], **given: Any) -> float:
        began = self.now
        while not isSo():
            self.assertLess(self.now, began + 1000)
            self.judge(**given)
        return self.now - began

    def single(self) -> None:
        """
        Let one link carry, without a trial of more for a while.
        """
        self.widen()
        while self.parallelism.most > 1:
            self.judge(HALVING_SECONDS, roundTrip=LONG, share=2 * REPEATED_SHARE)

    def widen(self) -> None:
        self.parallelism.reset()
        self.assertEqual(self.judge(sent=0), TUNNELS)

    def test_whatHappensWhileSomebodyElseDecidesDoesNotCount(self) -> None:
        """
        Neither what was lost meanwhile nor for how long the round trip was short.
        """
        self.judge()
        most = self.parallelism.most
        self.now += STEADY_SECONDS
        self.counts = [(before + 1000, repeated + 500) for before, repeated in self.counts]
        self.parallelism.rest(self.paths(SHORT), self.now)
        self.judge(STEADY_SECONDS / 2, share=1.0)
        self.assertEqual(self.parallelism.most, most)
        self.judge(0.01, roundTrip=LONG)
        self.assertEqual(self.parallelism.most, most)

    def test_heavyLoadBeginsWithFew(self) -> None:
        """
        The first look has nothing to compare with.
        """
        self.assertEqual(self.parallelism.most, FIRST_PARALLELISM)
        self.assertEqual(self.judge(), FIRST_PARALLELISM)

    def test_pathThatLosesByItselfLetsMoreCarry(self) -> None:
        """
        Twice as many each time, when the round trip has been short for a while; at the first look at once.
        """
        share = 2 * LEAST_REPEATED_SHARE
        self.judge()
        self.now += STEADY_SECONDS
        self.assertEqual(self.judge(roundTrip=SHORT, share=share), 2 * FIRST_PARALLELISM)
        self.assertEqual(self.judge(STEADY_SECONDS / 2, roundTrip=SHORT, share=share), 2 * FIRST_PARALLELISM)
        self.assertEqual(self.judge(STEADY_SECONDS, roundTrip=SHORT, share=share), 4 * FIRST_PARALLELISM)
        for _ in range(TUNNELS):
            self.judge(STEADY_SECONDS, roundTrip=SHORT, share=share)
        self.assertEqual(self.parallelism.most, MAX_PARALLELISM)

    def test_lossWithoutAQueueIsNoReasonForFewer(self) -> None:
        self.widen()
        self.assertEqual(self.during(10, roundTrip=SHORT, share=10 * REPEATED_SHARE), [TUNNELS])

    def test_overflowingQueueHalvesTheNumber(self) -> None:
        """
        The round trip is long and much is repeated: half, after a while half of that, and one at least.
        """
        self.widen()
        self.assertEqual(self.judge(roundTrip=LONG, share=2 * REPEATED_SHARE), TUNNELS // 2)
        self.assertEqual(self.judge(HALVING_SECONDS / 2, roundTrip=LONG, share=2 * REPEATED_SHARE), TUNNELS // 2)
        self.assertEqual(self.judge(HALVING_SECONDS, roundTrip=LONG, share=2 * REPEATED_SHARE), TUNNELS // 4)
        for _ in range(TUNNELS):
            self.judge(HALVING_SECONDS, roundTrip=LONG, share=2 * REPEATED_SHARE)
        self.assertEqual(self.parallelism.most, 1)

    def test_fewerThatBringAsMuchStay(self) -> None:
        """
        While the round trip is long, half is tried.  It stays until that is tried again, since nothing shows that
        more would bring more.
        """
        self.assertEqual(self.during(STEADY_SECONDS + 2 * STEP, roundTrip=LONG), [2, 1])
        self.assertEqual(self.during(FIRST_PAUSE_SECONDS, roundTrip=LONG), [1])

    def test_fewerThatBringAsMuchAreEnoughWhereSomeIsLost(self) -> None:
        """
        What is lost by itself is no reason for more then.  Later it is.
        """
        self.during(FIRST_PAUSE_SECONDS / 2, roundTrip=LONG)
        share = 2 * LEAST_REPEATED_SHARE
        self.assertEqual(self.during(FIRST_PAUSE_SECONDS / 2, share=share), [1])
        self.assertEqual(self.during(STEADY_SECONDS + TRIAL_SECONDS, share=share)[:2], [1, 2])

    def test_fewerThatBringLessDoNotStay(self) -> None:
        """
        They are tried less and less often.
        """
        self.widen()
        for pause in (0.0, FIRST_PAUSE_SECONDS, PAUSE_GROWTH * FIRST_PAUSE_SECONDS):
            seconds = self.untilTrial(roundTrip=LONG)
            self.assertGreaterEqual(seconds, pause - 0.001)
            self.assertLess(seconds, pause + TRIAL_SECONDS)
            self.assertEqual(self.parallelism.most, TUNNELS // 2)
            self.untilDecided(roundTrip=LONG, rate=RATE * (1 - 2 * GAIN))
            self.assertGreaterEqual(self.parallelism.most, TUNNELS)

    def test_moreThatBringMoreStay(self) -> None:
        """
        The round trip is short, and nothing is lost: it may be that one link is not fast enough.  That shows at once.
        """
        self.single()
        more = RATE
        for number in (2, 4, 8):
            self.untilTrial(rate=more)
            self.assertEqual(self.parallelism.most, number)
            more *= 1 + 2 * GAIN
            before = self.now
            while self.parallelism._trial is not None and self.parallelism.most == number:
                self.judge(rate=more)
            self.assertLessEqual(self.now - before, 2 * STEP + 0.001)
            self.assertGreaterEqual(self.parallelism.most, number)

    def test_heavyLoadHasAllSoon(self) -> None:
        """
        On a fast path, where more bring more.
        """
        self.now += STEADY_SECONDS
        began = self.now
        rate = RATE
        while self.parallelism.most < TUNNELS:
            self.judge(rate=rate)
            rate *= 1 + 2 * GAIN
        self.assertLess(self.now - began, 1.5)

    def test_moreThatMakeNoQueueStay(self) -> None:
        """
        They bring as much, and delay nothing.
        """
        self.assertEqual(self.during(3 * (STEADY_SECONDS + TRIAL_SECONDS)), [2, 4, 8])
        self.assertEqual(self.during(100), [8])

    def test_moreThatBringLessDoNotStay(self) -> None:
        self.untilTrial()
        self.assertEqual(self.parallelism.most, 4)
        self.untilDecided(rate=RATE * (1 - 2 * GAIN))
        self.assertEqual(self.parallelism.most, 2)

    def test_moreThatMakeAQueueDoNotStay(self) -> None:
        """
        With BBR one link fills the path, and the round trip is short all the same.  Two bring no more, and keep
        a queue.  They are tried less and less often.
        """
        self.single()
        tried, number = [], 1
        for _ in range(round(300 / STEP)):
            before, number = number, self.judge(roundTrip=LEAST if number == 1 else LONG)
            self.assertLessEqual(number, 2)
            if number > before:
                tried.append(self.now)
        pauses = [later - earlier for earlier, later in pairwise(tried)]
        self.assertGreater(len(pauses), 2)
        for pause in pauses:
            self.assertGreater(pause, LONGEST_PAUSE_SECONDS)
            self.assertLess(pause, LONGEST_PAUSE_SECONDS + 2 * TRIAL_SECONDS)

    def test_moreThatBringMoreStayThoughTheyMakeAQueue(self) -> None:
        """
        Somebody else fills it.  Fewer are not tried soon then.
        """
        self.single()
        self.untilTrial()
        self.untilDecided(roundTrip=LONG, rate=RATE * (1 + 2 * GAIN))
        self.assertEqual(min(self.during(FIRST_PAUSE_SECONDS / 2, roundTrip=LONG)), 2)

    def test_moreWithoutAQueueDelayNoTrialOfFewer(self) -> None:
        """
        A connection that begins is faster and faster, whatever their number.
        """
        rate = RATE
        while self.parallelism.most < TUNNELS or self.parallelism._trial is not None:
            self.judge(rate=rate)
            rate *= 1 + 2 * GAIN
        self.assertLess(self.untilTrial(roundTrip=LONG), TRIAL_SECONDS)
        self.assertEqual(self.parallelism.most, 4)

    def test_ofAShortQueueNothingIsTried(self) -> None:
        """
        On a short path the computers make it, and fewer links may be slower.
        """
        self.widen()
        roundTrip = LEAST * LONG_ROUND_TRIP + QUEUE_SECONDS
        self.counts = [(0, 0)] * TUNNELS
        for least in (0.0, 0.001):
            for _ in range(round(20 / STEP)):
                self.now += STEP
                self.counts = [(before + 1000, repeated) for before, repeated in self.counts]
                paths = {
                    number: path._replace(roundTrip=least + QUEUE_SECONDS, leastRoundTrip=least)
                    for number, path in self.paths(roundTrip).items()
                }
                self.assertEqual(self.parallelism.judge(paths, self.now), TUNNELS)

    def test_oneMoreIsTriedWhileTheQueueIsLong(self) -> None:
        """
        A connection of somebody else may fill it.
        """
        self.single()
        self.assertEqual(self.during(FIRST_PAUSE_SECONDS * PAUSE_GROWTH**2 + TRIAL_SECONDS, roundTrip=LONG)[:2], [1, 2])

    def test_trialEndsWhereAQueueOverflows(self) -> None:
        """
        More were tried, and that is what came of it: back, but not to half of what was before.
        """
        self.untilTrial()
        self.assertEqual(self.parallelism.most, 2 * FIRST_PARALLELISM)
        for _ in range(2):
            self.judge(roundTrip=LONG, share=2 * REPEATED_SHARE)
            self.assertEqual(self.parallelism.most, FIRST_PARALLELISM)
        self.assertGreater(self.untilTrial(), FIRST_PAUSE_SECONDS - 2 * STEP)

    def test_queueThatOverflowsWithFewerIsForFewer(self) -> None:
        self.widen()
        self.untilTrial(roundTrip=LONG)
        self.assertEqual(self.judge(roundTrip=LONG, share=2 * REPEATED_SHARE), TUNNELS // 2)
        self.assertIsNone(self.parallelism._trial)

    def test_lossesEndATrialOfMore(self) -> None:
        """
        They tell by themselves that more are better.
        """
        self.assertEqual(self.during(STEADY_SECONDS + 2 * STEP), [2, 4])
        self.judge(share=2 * LEAST_REPEATED_SHARE)
        self.assertEqual(self.parallelism.most, 8)
        self.assertEqual(self.during(TRIAL_SECONDS, rate=RATE / 2), [8])

    def test_moreThanThereAreIsNotTried(self) -> None:
        self.assertEqual(self.during(60, tunnels=2), [2])
        self.assertEqual(self.parallelism.most, 2)

    def test_newLoadIsNotComparedWithTheOneBefore(self) -> None:
        """
        A trial that a pause of the load has interrupted tells nothing, and costs no pause.
        """
        self.assertEqual(self.during(STEADY_SECONDS + 2 * STEP), [2, 4])
        self.assertEqual(self.judge(NO_LOAD_SECONDS + STEP), 2)
        self.assertLess(self.untilTrial(), TRIAL_SECONDS)

    def test_longRoundTripLetsATrialTakeLonger(self) -> None:
        """
        But no more than is useful, whatever it seems to be.
        """
        for roundTrip, settling in (
            (LONG, SETTLING_ROUND_TRIPS * LONG),
            (0.2, SETTLING_ROUND_TRIPS * 0.2),
            (30.0, LONGEST_SETTLING_SECONDS),
        ):
            self.setUp()
            self.untilTrial(roundTrip=roundTrip)
            began, number = self.now, self.parallelism.most
            while self.parallelism._trial is not None and self.parallelism.most == number:
                self.judge(roundTrip=roundTrip)
            self.assertGreater(self.now - began, settling + STEADY_SECONDS - 0.001)
            self.assertLess(self.now - began, settling + STEADY_SECONDS + 2 * STEP)

    def test_fewSegmentsSayNothing(self) -> None:
        self.widen()
        few = (LEAST_SEGMENTS - 1) // TUNNELS
        self.assertEqual(self.judge(sent=few, roundTrip=LONG, share=1.0), TUNNELS)

    def test_kernelsCountsMayBeginAgainAtZero(self) -> None:
        self.widen()
        self.counts = [((1 << 32) - 10, (1 << 32) - 10)] * TUNNELS
        self.judge(sent=0)
        self.assertEqual(self.judge(roundTrip=LONG, share=2 * REPEATED_SHARE), TUNNELS // 2)

    def test_systemThatTellsNothingChangesNothing(self) -> None:
        self.assertEqual(Parallelism(0.0).judge({}, 10.0), MAX_PARALLELISM)

    def test_poolThatIsNotOpenYetDoesNotNarrowWhatComes(self) -> None:
        """
        Of one tunnel one carries; of those that are opened later, as many as ever.
        """
        parallelism = Parallelism(0.0)
        one = PathStats(0, 0, LONG, LEAST)
        self.assertEqual(parallelism.judge({"one": one}, 10.0), 1)
        self.assertEqual(parallelism.judge({"one": one, "two": one, "three": one}, 20.0), FIRST_PARALLELISM)

    def test_lostTunnelIsNotRemembered(self) -> None:
        parallelism = Parallelism(0.0)
        parallelism.judge({"one": PathStats(0, 0, LONG, LEAST)}, 10.0)
        parallelism.forget("one")
        parallelism.forget("never there")
        self.assertEqual(parallelism._before, {})

    def test_standstillLetsAllCarry(self) -> None:
        """
        Those that did are not the ones to wait for.  A trial is over.
        """
        self.during(STEADY_SECONDS + 2 * STEP)
        self.assertEqual(self.parallelism.reset(), MAX_PARALLELISM)
        self.assertEqual(self.during(TRIAL_SECONDS, rate=RATE / 2), [TUNNELS])


class AcknowledgedTests(SynchronousTestCase):
    """
    Measure what is acknowledged.
    """

    def test_ofTheLastWhile(self) -> None:
        acknowledged = Acknowledged()
        self.assertIsNone(acknowledged.rate(BRIEF_SECONDS))
        acknowledged.count(1_000_000, 0.0)
        self.assertIsNone(acknowledged.rate(BRIEF_SECONDS))
        acknowledged.count(100, STEADY_SECONDS / 2)
        self.assertIsNone(acknowledged.rate(STEADY_SECONDS))
        self.assertAlmostEqual(acknowledged.rate(BRIEF_SECONDS) or 0, 100 / STEADY_SECONDS * 2)
        acknowledged.count(300, STEADY_SECONDS)
        self.assertAlmostEqual(acknowledged.rate(STEADY_SECONDS) or 0, 400 / STEADY_SECONDS)
        self.assertAlmostEqual(acknowledged.rate(BRIEF_SECONDS) or 0, 300 / STEADY_SECONDS * 2)
        acknowledged.count(500, 2 * STEADY_SECONDS)
        self.assertAlmostEqual(acknowledged.rate(STEADY_SECONDS) or 0, 500 / STEADY_SECONDS)
        self.assertEqual(len(acknowledged._sums), 2)
        acknowledged.begin()
        self.assertIsNone(acknowledged.rate(BRIEF_SECONDS))

    def test_longTimeWithoutALookIsCounted(self) -> None:
        acknowledged = Acknowledged()
        acknowledged.count(0, 10.0)
        acknowledged.count(1000, 20.0)
        self.assertAlmostEqual(acknowledged.rate(STEADY_SECONDS) or 0, 100.0)


class PauseTests(SynchronousTestCase):
    """
    The time until something is tried again.
    """

    def test_itGrows(self) -> None:
        pause = Pause(10.0)
        self.assertEqual(pause.endsAt, 10.0)
        seconds = []
        for _ in range(4):
            pause.begin(100.0)
            seconds.append(pause.endsAt - 100)
        self.assertEqual(
            seconds, [FIRST_PAUSE_SECONDS, PAUSE_GROWTH * FIRST_PAUSE_SECONDS] + 2 * [LONGEST_PAUSE_SECONDS]
        )
