"""
How many tunnels carry: few where they fill a link, all where they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import pairwise
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from uotp.path import PathStats
from uotp.session.demand import MAX_LINKS
from uotp.session.load.parallelism import (
    FIRST_PARALLELISM,
    HALVING_SECONDS,
    LEAST_REPEATED_SHARE,
    LEAST_SEGMENTS,
    LONG_ROUND_TRIP,
    LONG_ROUND_TRIP_SECONDS,
    NO_LOAD_SECONDS,
    QUEUE_SECONDS,
    REPEATED_SHARE,
    UNDECIDED_SECONDS,
    Parallelism,
)
from uotp.session.load.trial import (
    BRIEF_SECONDS,
    FIRST_PAUSE_SECONDS,
    GAIN,
    LONGEST_PAUSE_SECONDS,
    LONGEST_SETTLING_SECONDS,
    PAUSE_GROWTH,
    SETTLING_ROUND_TRIPS,
    SETTLING_SECONDS,
    STEADY_SECONDS,
    Acknowledged,
    Pause,
    briefly,
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
        self.parallelism.rest(self.now)
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
        self.assertEqual(self.parallelism.most, TUNNELS)

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

    def test_moreThatBringMoreStayThoughTheyMakeAQueue(self) -> None:
        """
        Somebody else fills it.  Fewer are not tried soon then.
        """
        self.single()
        self.untilTrial()
        self.untilDecided(roundTrip=LONG, rate=RATE * (1 + 2 * GAIN))
        self.assertEqual(min(self.during(FIRST_PAUSE_SECONDS / 2, roundTrip=LONG)), 2)
        self.assertEqual(self.parallelism._pauseOfFewer._seconds, FIRST_PAUSE_SECONDS)

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
                self.acknowledged += 100_000
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
        self.assertEqual(Parallelism(0.0).judge({}, 10.0), MAX_LINKS)

    def test_poolThatIsNotOpenYetDoesNotNarrowWhatComes(self) -> None:
        """
        Of one tunnel one carries; of those that are opened later, as many as ever.
        """
        parallelism = Parallelism(0.0)
        one = PathStats(0, 0, LONG, LEAST)
        self.assertEqual(parallelism.judge({"one": one}, 0.2), 1)
        self.assertEqual(parallelism.judge({"one": one, "two": one, "three": one}, 0.4), FIRST_PARALLELISM)

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
        self.assertEqual(self.parallelism.reset(), MAX_LINKS)
        self.assertEqual(self.during(TRIAL_SECONDS, rate=RATE / 2), [TUNNELS])


class PathTests(SynchronousTestCase):
    """
    Follow paths on which what is acknowledged, the queue and the losses depend on how many links carry.

    @ivar rates: bytes a second that so many links bring.
    @ivar fill: so many links make a queue.
    @ivar loses: the share of segments that is repeated where there is no queue.
    @ivar overflows: the same where there is one.
    """

    def setUp(self) -> None:
        self.now = 1000.0
        self.links = TUNNELS
        self.parallelism = Parallelism(self.now)
        self.sent = [0] * TUNNELS
        self.repeated = [0.0] * TUNNELS
        self.acknowledged = [0.0] * TUNNELS
        self.rates: Callable[[int], float] = lambda _: RATE
        self.fill = TUNNELS + 1
        self.loses = self.overflows = 0.0

    def go(self, seconds: float, step: float = STEP) -> list[int]:
        """
        @return: how many carry, at each judgement.
        """
        return [self.step(step) for _ in range(round(seconds / step))]

    def step(self, seconds: float = STEP, *, gap: float = 0.0) -> int:
        """
        @param gap: how long no load comes before.
        """
        carrying = min(self.parallelism.most, self.links)
        hasQueue = carrying >= self.fill
        share = self.overflows if hasQueue else self.loses
        self.now += gap + seconds
        for link in range(carrying):
            segments = int(self.rates(carrying) / 1400 * seconds / carrying)
            self.sent[link] += segments
            self.repeated[link] += segments * share
            self.acknowledged[link] += self.rates(carrying) * seconds / carrying
        for link in range(carrying, self.links):
            self.sent[link] += 1  # a ping, which tells of the path as it was
        paths = {
            link: PathStats(
                self.sent[link],
                int(self.repeated[link]),
                LONG if hasQueue and link < carrying else LEAST,
                LEAST,
                acknowledged=int(self.acknowledged[link]),
            )
            for link in range(self.links)
        }
        return self.parallelism.judge(paths, self.now)

    def share(self, numbers: list[int], carrying: int) -> float:
        """
        @return: of the time in which so many carry.
        """
        return numbers.count(carrying) / len(numbers)

    def test_oneLinkThatFillsThePathCarriesAlone(self) -> None:
        """
        With BBR: two make a queue, and bring no more.  Two are tried less and less often.
        """
        self.fill = 2
        numbers = self.go(600)
        tried = [index * STEP for index in range(1, len(numbers)) if numbers[index] > numbers[index - 1]]
        pauses = [later - earlier for earlier, later in pairwise(tried)]
        self.assertEqual(set(numbers), {1, 2})
        wanted = [FIRST_PAUSE_SECONDS, PAUSE_GROWTH * FIRST_PAUSE_SECONDS, *[LONGEST_PAUSE_SECONDS] * 3]
        for pause, seconds in zip(pauses, wanted, strict=True):
            self.assertGreaterEqual(pause, seconds - 0.001)
            self.assertLess(pause, seconds + TRIAL_SECONDS)
        self.assertGreater(self.share(numbers, 1), 0.98)

    def test_soItDoesWhereTwoMakeAQueueOverflow(self) -> None:
        self.fill, self.overflows = 2, 2 * REPEATED_SHARE
        self.assertEqual(self.go(1)[-1], 1)
        self.assertEqual(set(self.go(FIRST_PAUSE_SECONDS - 1)), {1})
        self.assertGreater(self.share(self.go(600), 1), 0.98)

    def test_soItDoesWhereThePathLosesALittle(self) -> None:
        """
        That is no reason for more while fewer are tried, nor for a while when they were enough.
        """
        self.fill, self.loses = 2, 2 * LEAST_REPEATED_SHARE
        self.assertGreater(self.share(self.go(600), 1), 0.85)

    def test_eachLinkBringsItsPart(self) -> None:
        """
        All carry soon, also when few were enough before.
        """
        self.rates = lambda carrying: RATE * carrying
        self.assertIn(TUNNELS, self.go(3))
        self.assertEqual(set(self.go(100)), {TUNNELS})

    def test_pathThatWasFullIsFullNoMore(self) -> None:
        self.parallelism.reset()
        self.fill, self.overflows = 2, 2 * REPEATED_SHARE
        self.assertEqual(self.go(10)[-1], 1)
        self.fill, self.rates = TUNNELS + 1, lambda carrying: RATE * carrying
        self.assertEqual(self.go(FIRST_PAUSE_SECONDS + 3)[-1], TUNNELS)

    def test_pathThatWasFullLosesNow(self) -> None:
        self.parallelism.reset()
        self.fill = 2
        self.assertEqual(self.go(10)[-1], 1)
        self.fill, self.loses = TUNNELS + 1, 2 * REPEATED_SHARE
        self.assertEqual(self.go(FIRST_PAUSE_SECONDS + 3)[-1], TUNNELS)

    def test_loadsShorterThanATrial(self) -> None:
        """
        Where more bring more, all carry in the end.
        """
        self.single()
        self.rates = lambda carrying: RATE * carrying
        numbers: list[int] = []
        for _ in range(round(FIRST_PAUSE_SECONDS) + 20):
            numbers.append(self.step(gap=NO_LOAD_SECONDS + STEP))
            numbers += self.go(0.6)
        self.assertEqual(numbers[-1], TUNNELS)

    def test_loadsShorterThanATrialOnAPathThatIsFull(self) -> None:
        """
        What was in vain is not tried in each of them.
        """
        self.fill = 2
        numbers: list[int] = []
        for _ in range(100):
            numbers.append(self.step(gap=NO_LOAD_SECONDS + STEP))
            numbers += self.go(3)
        self.assertGreater(self.share(numbers, 1), 0.95)

    def test_fewerThatLoadInterruptsDoNotStay(self) -> None:
        """
        Nothing shows that they are enough.
        """
        self.parallelism.reset()
        self.fill = 2
        while self.parallelism._trial is None:
            self.step()
        self.assertEqual(self.step(gap=NO_LOAD_SECONDS + STEP), TUNNELS)
        self.assertIsNone(self.parallelism._trial)

    def test_moreThatMadeAQueueDoNotStayEither(self) -> None:
        self.single()
        self.fill = 2
        while self.parallelism._trial is None:
            self.step()
        self.step()
        self.assertEqual(self.step(gap=NO_LOAD_SECONDS + STEP), 1)

    def test_afterALongTimePausesAreShortAgain(self) -> None:
        self.fill = 2
        self.go(300)
        self.step(gap=LONGEST_PAUSE_SECONDS + 1)
        numbers = self.go(FIRST_PAUSE_SECONDS * 2)
        self.assertGreater(sum(later > earlier for earlier, later in pairwise([1, *numbers])), 1)

    def test_whatIsLostWithoutALoadDoesNotCount(self) -> None:
        self.go(1)
        most = self.parallelism.most
        self.fill = 1
        self.sent = [sent + 1000 for sent in self.sent]
        self.repeated = [repeated + 1000 for repeated in self.repeated]
        self.assertEqual(self.step(gap=NO_LOAD_SECONDS + STEP), 2 * most)

    def test_loadThatHasToWaitBeginsWithTwiceAsMany(self) -> None:
        """
        The link in use may be dead, and what it holds waits for a timer.  Not where more were in vain of late.
        """
        self.go(0.4)
        self.assertEqual(self.step(gap=NO_LOAD_SECONDS + STEP), 2 * FIRST_PARALLELISM)
        self.assertEqual(self.step(gap=NO_LOAD_SECONDS + STEP), 4 * FIRST_PARALLELISM)
        self.assertEqual(self.step(gap=NO_LOAD_SECONDS + STEP), TUNNELS)
        self.assertEqual(self.parallelism.most, TUNNELS)
        self.single()
        self.assertEqual(self.step(gap=NO_LOAD_SECONDS + STEP), 1)

    def test_queueThatComesAndGoes(self) -> None:
        """
        One link more is tried all the same.
        """
        self.single()
        self.rates = lambda carrying: RATE * carrying
        more = []
        for index in range(round(5 * FIRST_PAUSE_SECONDS / STEP)):
            self.fill = 1 if index % 2 else TUNNELS + 1
            before = self.parallelism.most
            if self.step() > before:
                more.append(self.now)
        self.assertGreater(self.parallelism.most, 3)
        self.assertGreater(min(later - earlier for earlier, later in pairwise(more)), UNDECIDED_SECONDS - 0.001)

    def test_trialOnAPathThatBecomesSlowEnds(self) -> None:
        """
        When there are enough segments to tell what is lost.
        """
        while self.parallelism._trial is None:
            self.step()
        self.rates = lambda _: 50_000.0
        self.go(5)
        self.assertIsNone(self.parallelism._trial)
        self.assertEqual(self.parallelism.most, FIRST_PARALLELISM)

    def test_slowPathIsJudgedToo(self) -> None:
        """
        Less often: when there are enough segments.
        """
        self.fill, self.rates = 2, lambda _: 200_000
        self.assertIn(1, self.go(30))

    def test_standstillIsNotMeasured(self) -> None:
        self.fill, brings = 2, lambda carrying: RATE * carrying
        self.parallelism.reset()
        self.rates = brings
        self.go(0.4)
        self.rates = lambda _: 0.0
        self.go(0.4)
        self.parallelism.reset()
        self.rates = brings
        while self.parallelism._trial is None:
            self.step()
        self.assertGreater(self.parallelism._trial.rate, 0.99 * brings(TUNNELS))

    def test_numberStaysWithinWhatThereIs(self) -> None:
        """
        Links go while more are tried.
        """
        self.rates = lambda carrying: RATE * carrying
        self.go(3)
        self.links = 3
        self.assertEqual(set(self.go(10)), {3})
        self.parallelism.most = 2
        self.loses = 2 * LEAST_REPEATED_SHARE
        self.go(3)
        self.assertEqual(self.parallelism.most, 3)
        self.parallelism.reset()
        self.go(3)
        self.assertEqual(self.parallelism.most, MAX_LINKS)
        self.links = TUNNELS
        self.assertEqual(self.go(3)[-1], TUNNELS)

    def test_queueOfOurOwnMakingEndsATrialSoon(self) -> None:
        """
        There was none before, and more make one: the path is full.  Where there was one, it may be somebody else's.
        """
        for fill, seconds in ((2, SETTLING_SECONDS), (1, SETTLING_ROUND_TRIPS * LONG + STEADY_SECONDS)):
            self.setUp()
            self.single()
            self.fill = fill
            while self.parallelism._trial is None:
                self.step()
            began = self.now
            while self.parallelism._trial is not None:
                self.step()
            self.assertGreater(self.now - began, seconds - 0.001)
            self.assertLess(self.now - began, seconds + 2 * STEP)

    def test_nothingThatArrivesIsNothingToCompareWith(self) -> None:
        """
        Segments are sent, and none is acknowledged.
        """
        self.rates = lambda _: 0.0
        for _ in range(20):
            self.sent = [sent + 1000 for sent in self.sent]
            self.step()
            self.assertIsNone(self.parallelism._trial)

    def single(self) -> None:
        """
        Let one carry, and try more no sooner than after the first pause.
        """
        fill, overflows = self.fill, self.overflows
        self.fill, self.overflows = 2, 2 * REPEATED_SHARE
        while self.parallelism.most > 1:
            self.step()
        self.fill, self.overflows = fill, overflows


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


class BrieflyTests(SynchronousTestCase):
    """
    For how long is measured what more links bring.
    """

    def test_twoRoundTrips(self) -> None:
        for roundTrip, seconds in ((0.001, BRIEF_SECONDS), (0.2, 0.4), (10.0, STEADY_SECONDS)):
            self.assertAlmostEqual(briefly(roundTrip), seconds)


class PauseTests(SynchronousTestCase):
    """
    The time until something is tried again.
    """

    def test_itDoesNotGrowWhereNothingWasTried(self) -> None:
        pause = Pause(10.0)
        for _ in range(2):
            pause.begin(100.0, wasInVain=False)
            self.assertEqual(pause.endsAt, 100.0 + FIRST_PAUSE_SECONDS)

    def test_itGrows(self) -> None:
        pause = Pause(10.0)
        self.assertEqual(pause.endsAt, 10.0)
        seconds = []
        for _ in range(4):
            pause.begin(100.0, wasInVain=True)
            seconds.append(pause.endsAt - 100)
        self.assertEqual(
            seconds, [FIRST_PAUSE_SECONDS, PAUSE_GROWTH * FIRST_PAUSE_SECONDS] + 2 * [LONGEST_PAUSE_SECONDS]
        )
