"""
Datagrams at a given rate, each of which carries the time when it was sent: how late
they come, in what order, and how many do not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.contenders import BARE, Contender
from bench.figures import percent
from bench.pairs import Flow, flowing
from bench.places import Place
from bench.stage import Stage

PREPARATION_SECONDS = 0.2
"""From the word to begin to the beginning, at both ends."""

QUIET_SECONDS = 0.8
LONGEST_WAIT_SECONDS = 12.0
"""What is late is waited for until nothing has come for the first, or for the second in all."""

MEGABIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Given:
    """
    What came of datagrams at a given rate.

    @ivar seconds: how long the part that counts was.
    @ivar sent: how many of each stream.
    @ivar streams: see L{bench.load.stamped.Record}.
    @ivar bytes: that arrived in the time.
    @ivar processorSeconds: that both programs used in the time.
    """

    seconds: float
    sent: Sequence[int]
    streams: Sequence[dict[str, Any]]
    bytes: int
    processorSeconds: float

    def loss(self, stream: int = 0) -> float:
        """
        @return: what did not come at all, in percent.
        """
        return percent(self.sent[stream] - self.streams[stream]["received"], self.sent[stream])

    def figures(self) -> dict[str, float]:
        """
        @return: those of the first stream, by their names.
        """
        first = self.streams[0]
        return {
            "delayMedian": first["median"],
            "delayP99": first["p99"],
            "loss": self.loss(),
            "disorder": percent(first["late"], first["received"]),
        }


def send(flow: Flow, streams: Sequence[tuple[int, int, float]], seconds: float, warmUp: float) -> Given:
    """
    Send, and see what arrives.

    @param streams: least bytes, most bytes, datagrams each second.
    @param warmUp: seconds before those that count.
    """
    begin = time.monotonic() + PREPARATION_SECONDS + warmUp
    end = begin + seconds
    flow.target.begin("record", streams=len(streams), begin=begin, end=end)
    flow.application.begin("pace", streams=streams, begin=begin, end=end)
    time.sleep(max(0.0, begin - time.monotonic()))
    spent = -flow.pair.processorSeconds()
    time.sleep(max(0.0, end - time.monotonic()))
    spent += flow.pair.processorSeconds()
    sent = flow.application.finish()["sent"]
    latest = time.monotonic() + LONGEST_WAIT_SECONDS
    while time.monotonic() < latest and flow.target.sample()["quiet"] < QUIET_SECONDS:
        time.sleep(QUIET_SECONDS / 4)
    came = flow.target.finish()
    return Given(seconds, sent, came["streams"], came["bytes"], spent)


def perSecond(megabits: float, size: int) -> float:
    """
    @return: how many datagrams of a size make so many Mbit/s.
    """
    return megabits * MEGABIT / 8 / size


@dataclass(frozen=True, slots=True)
class GivenRate:
    """
    A rate on loopback that all can carry.
    """

    name: str
    description: str
    size: int
    rate: float
    without = (BARE,)
    mostRounds = 99

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
            given = send(flow, [(self.size, self.size, self.rate)], stage.seconds, stage.seconds / 4)
        received = max(given.streams[0]["received"], 1)
        return {"processor": given.processorSeconds / received * 1e6, **given.figures()}
