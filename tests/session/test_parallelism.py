"""
How many tunnels carry: few where they fill a link, all where they do not.
"""

from __future__ import annotations

from collections.abc import Hashable

from twisted.trial.unittest import SynchronousTestCase

from uotp.path import PathStats
from uotp.session.parallelism import (
    ADDING_SECONDS,
    FIRST_PARALLELISM,
    HALVING_SECONDS,
    LEAST_SEGMENTS,
    LONG_ROUND_TRIP,
    LONG_ROUND_TRIP_SECONDS,
    MAX_PARALLELISM,
    REPEATED_SHARE,
    SHORT_SECONDS,
    Parallelism,
)

TUNNELS = 8

LEAST = 0.04
"""Seconds of a round trip on an empty link."""

LONG = LEAST * LONG_ROUND_TRIP + LONG_ROUND_TRIP_SECONDS + 0.001
SHORT = LEAST * LONG_ROUND_TRIP + LONG_ROUND_TRIP_SECONDS - 0.001

LATER = max(HALVING_SECONDS, ADDING_SECONDS, SHORT_SECONDS)
"""Seconds after which anything may be done again."""


class ParallelismTests(SynchronousTestCase):
    """
    Look at the connections of a session again and again.
    """

    def setUp(self) -> None:
        self.now = 1000.0
        self.parallelism = Parallelism(self.now)
        self.counts = [(0, 0)] * TUNNELS

    def judge(self, seconds: float = LATER, *, roundTrip: float = LEAST, sent: int = 1000, share: float = 0.0) -> int:
        """
        Let every tunnel send some more, and judge.

        @param seconds: that pass before.
        @param sent: segments of each tunnel.
        @param share: of them that had been sent before.
        @return: how many may carry.
        """
        self.now += seconds
        self.counts = [(before + sent, repeated + int(sent * share)) for before, repeated in self.counts]
        paths: dict[Hashable, PathStats] = {
            number: PathStats(before & 0xFFFFFFFF, repeated & 0xFFFFFFFF, roundTrip, LEAST)
            for number, (before, repeated) in enumerate(self.counts)
        }
        parallelism = self.parallelism.judge(paths, self.now)
        self.assertEqual(parallelism, min(self.parallelism.most, TUNNELS))
        self.assertGreaterEqual(parallelism, 1)
        return parallelism

    def widen(self) -> None:
        self.parallelism.reset()
        self.assertEqual(self.judge(sent=0), TUNNELS)

    def test_whatHappensWhileSomebodyElseDecidesDoesNotCount(self) -> None:
        """
        Neither what was lost meanwhile nor for how long the round trip was short.
        """
        self.judge()
        most = self.parallelism.most
        self.now += LATER
        self.counts = [(before + 1000, repeated + 500) for before, repeated in self.counts]
        self.parallelism.rest(
            {number: PathStats(*counts, SHORT, LEAST) for number, counts in enumerate(self.counts)}, self.now
        )
        self.judge(SHORT_SECONDS / 2, roundTrip=SHORT)
        self.assertEqual(self.parallelism.most, most)
        self.judge(0.01, roundTrip=LONG)
        self.assertGreaterEqual(self.parallelism.most, most)

    def test_heavyLoadBeginsWithFew(self) -> None:
        """
        The first look has nothing to compare with.
        """
        self.assertEqual(self.parallelism.most, FIRST_PARALLELISM)
        self.assertEqual(self.judge(), FIRST_PARALLELISM)

    def test_shortRoundTripLetsMoreCarry(self) -> None:
        self.judge()
        self.assertEqual(self.judge(roundTrip=SHORT), 2 * FIRST_PARALLELISM)
        self.assertEqual(self.judge(SHORT_SECONDS / 2, roundTrip=SHORT), 2 * FIRST_PARALLELISM)
        for _ in range(TUNNELS):
            self.assertLessEqual(self.judge(roundTrip=SHORT), TUNNELS)
        self.assertEqual(self.judge(), TUNNELS)

    def test_lossWithoutAQueueIsNoReasonForFewer(self) -> None:
        self.widen()
        for _ in range(5):
            self.assertEqual(self.judge(roundTrip=SHORT, share=10 * REPEATED_SHARE), TUNNELS)

    def test_overflowingQueueHalvesTheNumber(self) -> None:
        """
        The round trip is long and much is repeated: half, after a while half of that, and one at least.
        """
        self.widen()
        self.assertEqual(self.judge(roundTrip=LONG, share=2 * REPEATED_SHARE), TUNNELS // 2)
        self.assertEqual(self.judge(HALVING_SECONDS / 2, roundTrip=LONG, share=2 * REPEATED_SHARE), TUNNELS // 2)
        self.assertEqual(self.judge(HALVING_SECONDS, roundTrip=LONG, share=2 * REPEATED_SHARE), TUNNELS // 4)
        for _ in range(TUNNELS):
            self.judge(roundTrip=LONG, share=2 * REPEATED_SHARE)
        self.assertEqual(self.parallelism.most, 1)

    def test_fullQueueThatDoesNotOverflowIsLeftAlone(self) -> None:
        self.judge()
        self.assertEqual(self.judge(roundTrip=LONG), FIRST_PARALLELISM + 1)
        self.assertEqual(self.judge(ADDING_SECONDS / 2, roundTrip=LONG), FIRST_PARALLELISM + 1)
        self.assertEqual(self.judge(ADDING_SECONDS / 2, roundTrip=LONG), FIRST_PARALLELISM + 2)

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
        self.assertEqual(Parallelism(0.0).judge({}, LATER), MAX_PARALLELISM)

    def test_poolThatIsNotOpenYetDoesNotNarrowWhatComes(self) -> None:
        """
        Of one tunnel one carries; of those that are opened later, as many as ever.
        """
        parallelism = Parallelism(0.0)
        one = PathStats(0, 0, LONG, LEAST)
        self.assertEqual(parallelism.judge({"one": one}, LATER), 1)
        self.assertEqual(parallelism.judge({"one": one, "two": one, "three": one}, LATER), FIRST_PARALLELISM)

    def test_lostTunnelIsNotRemembered(self) -> None:
        parallelism = Parallelism(0.0)
        parallelism.judge({"one": PathStats(0, 0, LONG, LEAST)}, LATER)
        parallelism.forget("one")
        parallelism.forget("never there")
        self.assertEqual(parallelism._before, {})

    def test_standstillLetsAllCarry(self) -> None:
        """
        Those that did are not the ones to wait for.
        """
        self.assertEqual(self.parallelism.reset(), MAX_PARALLELISM)
