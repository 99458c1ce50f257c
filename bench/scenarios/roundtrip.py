"""
How long an answer takes, and how much work.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.contenders import Contender
from bench.figures import percent
from bench.pairs import flowing
from bench.places import Place
from bench.scenarios.given import PREPARATION_SECONDS
from bench.stage import Stage

SIZE = 200


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """
    Datagrams that are answered at once, at a pace.

    @ivar rate: how many each second.
    """

    rate: int
    without = ()
    mostRounds = 99

    @property
    def name(self) -> str:
        """
        See L{Scenario}.
        """
        return f"roundtrip/{self.rate}"

    @property
    def description(self) -> str:
        """
        See L{Scenario}.
        """
        return f"{self.rate} datagrams a second of {SIZE} bytes, and the same back."

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return ""

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        with flowing(stage, Place(), contender) as flow:
            flow.target.begin("echo")
            begin = time.monotonic() + PREPARATION_SECONDS + stage.seconds / 4
            end = begin + stage.seconds
            flow.application.begin("ask", streams=[(SIZE, SIZE, self.rate)], begin=begin, end=end)
            spent = flow.pair.spentBetween(begin, end)
            report = flow.application.finish()
        figures = {
            "roundTripMedian": report["median"],
            "roundTripP99": report["p99"],
            "loss": percent(report["sent"] - report["answered"], report["sent"]),
        }
        if contender.command:
            figures["roundTripProcessor"] = spent / max(report["answered"], 1) * 1e6
        return figures
