"""
Datagrams at a given rate, each of which carries the time when it was sent: how late
they come, in what order, and how many do not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.contenders import Contender
from bench.ends import LoadEnd
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

    def lost(self, stream: int = 0) -> int:
        """
        @return: how many did not come at all.
        """
        return self.sent[stream] - int(self.streams[stream]["received"])

    def loss(self, stream: int = 0) -> float:
        """
        @return: the same, in percent.
        """
        return percent(self.lost(stream), self.sent[stream])

    def figures(self, *, tail: bool = False) -> dict[str, float]:
        """
        @param tail: whether to tell more of how late the latest are.
        @return: those of the first stream, by their names.
        """
        first = self.streams[0]
        return {
            "delayMedian": first["median"],
            **({"delayP90": first["p90"]} if tail else {}),
            "delayP99": first["p99"],
            **({"delayP999": first["p999"]} if tail else {}),
            "loss": self.loss(),
            "disorder": percent(first["late"], first["received"]),
        }


Streams = Sequence[tuple[int, int, float]]
"""Of each the least bytes, the most bytes and the datagrams each second."""


@dataclass(frozen=True, slots=True)
class Sending:
    """
    Streams that flow, or will in a moment.

    @ivar begin: on the monotonic clock; what is sent before does not count.
    @ivar end: of what is sent, unless it is told to stop before.
    @ivar others: further applications that send.
    """

    flow: Flow
    begin: float
    end: float
    others: Sequence[LoadEnd] = ()

    def result(self, processorSeconds: float = 0.0) -> Given:
        """
        Stop it or await its end, and wait for what is late.

        @param processorSeconds: to be told with the rest.
        """
        sent = []
        for application in (self.flow.application, *self.others):
            sent += application.finish(max(0.0, self.end - time.monotonic()))["sent"]
        latest = time.monotonic() + LONGEST_WAIT_SECONDS
        while time.monotonic() < latest and self.flow.target.sample()["quiet"] < QUIET_SECONDS:
            time.sleep(QUIET_SECONDS / 4)
        came = self.flow.target.finish()
        return Given(self.end - self.begin, sent, came["streams"], came["bytes"], processorSeconds)


def beginSending(
    flow: Flow,
    streams: Streams,
    seconds: float,
    warmUp: float,
    deed: str = "pace",
    *,
    others: Sequence[LoadEnd] = (),
) -> Sending:
    """
    Begin to send, and to see what arrives.

    @param warmUp: seconds before those that count.
    @param deed: C{steady} for one that can be told to stop before its end.
    @param others: applications that send one stream each, the last of the streams.
    """
    begin = time.monotonic() + PREPARATION_SECONDS + warmUp
    end = begin + seconds
    flow.target.begin("record", streams=len(streams), begin=begin, end=end)
    first = len(streams) - len(others)
    flow.application.begin(deed, streams=streams[:first], begin=begin, end=end)
    for number, other in enumerate(others, first):
        other.begin(deed, streams=[streams[number]], begin=begin, end=end, first=number)
    return Sending(flow, begin, end, others)


def send(flow: Flow, streams: Streams, seconds: float, warmUp: float) -> Given:
    """
    Send, and see what arrives.

    @param warmUp: seconds before those that count.
    """
    sending = beginSending(flow, streams, seconds, warmUp)
    return sending.result(flow.pair.spentBetween(sending.begin, sending.end))


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
    without: Sequence[str] = ()
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
        received = given.streams[0]["received"]
        figures = {"rate": received / given.seconds, **given.figures()}
        if contender.command:
            figures["processor"] = given.processorSeconds / max(received, 1) * 1e6
        return figures
