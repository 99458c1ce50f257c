"""
What C{python -m bench} measures, as far as that can be told without measuring.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from bench.report import FAMILIES

if TYPE_CHECKING or sys.platform == "linux":
    from bench.scenarios import catalogue, chosen
    from bench.scenarios.light import BURST_PACKETS, burstRule


CLOSE_PERCENT = 0.02
"""A share of losses is as near to what was asked for as whole packets allow."""


@skipUnless(sys.platform == "linux", "the measurements need Linux")
class CatalogueTests(SynchronousTestCase):
    """
    Look through the scenarios.
    """

    def names(self, *patterns: str) -> list[str]:
        """
        @return: of the scenarios that fit.
        """
        return [one.name for one in chosen(catalogue([1, 32], reverse=True), patterns)]

    def test_noTwoHaveTheSameName(self) -> None:
        """
        Results are kept by name.
        """
        names = self.names()
        self.assertEqual(sorted(set(names)), sorted(names))

    def test_eachIsToldInTheReport(self) -> None:
        """
        One whose family has no title would be measured and not shown; and each says in a
        sentence what it is.
        """
        for one in catalogue([1], reverse=True):
            self.assertIn(one.name.partition("/")[0], FAMILIES)
            self.assertRegex(one.description, r"^[A-Z0-9].*\.$", one.name)

    def test_aFamilyIsMeasuredByItsName(self) -> None:
        losses = ["light/loss-0", "light/loss-1", "light/loss-3", "light/bursts-3"]
        self.assertEqual(self.names("light"), [*losses, "light/bulk-10", "light/bulk-20"])
        self.assertEqual(self.names("many"), ["many/light", "many/idle", "many/idle-question"])
        mixed = ["mixed/overload", "mixed/overload/apart", "mixed/room", "mixed/room/apart"]
        self.assertEqual(self.names("mixed"), mixed)

    def test_whatNothingFitsIsRefused(self) -> None:
        self.assertRaises(ValueError, self.names, "light/loss-99")


@skipUnless(sys.platform == "linux", "the measurements need Linux")
class BurstTests(SynchronousTestCase):
    """
    Read the rules that lose packets in bursts.
    """

    def numbers(self, loss: float, turn: int) -> Sequence[int]:
        """
        @return: after how many packets all begins again, and the first and last of them
            that are lost.
        """
        found = re.search(r"numgen inc mod (\d+) (\d+)-(\d+) drop$", burstRule(loss, turn))
        assert found is not None
        return [int(number) for number in found.groups()]

    def test_asManyAreLostAsTheNameSays(self) -> None:
        """
        In any round, and never across the end, where a burst would be cut in two.
        """
        for loss in (1, 3, 10):
            for turn in range(1, 100):
                every, first, last = self.numbers(loss, turn)
                self.assertEqual(last - first + 1, BURST_PACKETS)
                self.assertTrue(abs(100 * BURST_PACKETS / every - loss) < CLOSE_PERCENT, (loss, every))
                self.assertTrue(0 <= first <= last < every, (loss, turn))

    def test_eachRoundLosesOthers(self) -> None:
        self.assertEqual(len({self.numbers(3, turn)[1] for turn in range(1, 6)}), 5)

    def test_whatStaysAtASideIsNotLost(self) -> None:
        """
        The application's datagrams to the client beside it are on no link.
        """
        self.assertTrue(burstRule(3, 1).startswith('iifname != "lo" meta l4proto { tcp, udp } '))
