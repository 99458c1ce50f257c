"""
A link that delays, loses, and is too narrow.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from bench.contenders import BARE, Contender
from bench.pairs import flowing
from bench.places import linkedPlace
from bench.scenarios.given import MEGABIT, perSecond, send
from bench.stage import Stage

SIZE = 1400
DELAY_MILLISECONDS = 20
LOSSY_LINK_MEGABITS, LOSSY_OFFERED_MEGABITS = 100, 20
LIGHT_MEGABITS, HEAVY_MEGABITS = 5, 80
NARROW_LINK_MEGABITS, NARROW_OFFERED_MEGABITS = 50, 80
QUEUE_PACKETS = 200
SMALL_SIZE, SMALL_RATE = 100, 50

LONGER = 2
"""A load over a link lasts so many times as long as one on loopback: its losses are few."""

WARM_UP_SECONDS = 2.0
"""In which TCP finds out what the link carries."""


def linkMissing(stage: Stage, *programs: str) -> str:
    """
    @param programs: that are needed besides.
    @return: what this machine lacks for a link, or nothing.
    """
    if os.geteuid() != 0:
        return "root, for network namespaces"
    if stage.emulator is None:
        return "the link emulator (--linkemu)"
    return ", ".join(program for program in ("ip", *programs) if shutil.which(program) is None)


@dataclass(frozen=True, slots=True)
class LossyLink:
    """
    A link that loses, with room to spare.

    @ivar name: what it is called.
    @ivar loss: in percent.
    @ivar megabits: that are offered.
    @ivar tail: whether to tell more of how late the latest are.
    """

    name: str
    loss: float
    megabits: float = LOSSY_OFFERED_MEGABITS
    without: Sequence[str] = ()
    tail: bool = False
    mostRounds = 99

    @property
    def description(self) -> str:
        """
        See L{Scenario}.
        """
        return (
            f"{self.megabits:g} Mbit/s of {SIZE} bytes over {LOSSY_LINK_MEGABITS} Mbit/s, "
            f"{DELAY_MILLISECONDS} ms one way, {self.loss:g} % loss."
        )

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return linkMissing(stage)

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        assert stage.emulator is not None
        words = [
            *(f"delay={DELAY_MILLISECONDS}", f"rate={LOSSY_LINK_MEGABITS}", f"loss={self.loss / 100:g}"),
            f"seed={stage.turn}",
        ]
        rate = perSecond(self.megabits, SIZE)
        with (
            linkedPlace(stage.emulator, stage.folder, words) as place,
            flowing(stage, place, contender) as flow,
        ):
            return send(flow, [(SIZE, SIZE, rate)], LONGER * stage.seconds, WARM_UP_SECONDS).figures(tail=self.tail)


def disorders(losses: Sequence[float]) -> list[LossyLink]:
    """
    @param losses: in percent.
    @return: the scenarios that show what comes out of order, at a light load and a
        heavy one.
    """
    loads = {"light": LIGHT_MEGABITS, "heavy": HEAVY_MEGABITS}
    return [
        LossyLink(f"order/{load}/loss-{loss:g}", loss, megabits, (BARE,))
        for load, megabits in loads.items()
        for loss in losses
    ]


@dataclass(frozen=True, slots=True)
class Overload:
    """
    More than the link carries.

    @ivar small: whether the application sends small datagrams besides.
    """

    small: bool = False
    without = ()
    mostRounds = 99

    @property
    def name(self) -> str:
        """
        See L{Scenario}.
        """
        return "link/overload-small" if self.small else "link/overload"

    @property
    def description(self) -> str:
        """
        See L{Scenario}.
        """
        beside = f", and {SMALL_RATE} datagrams a second of {SMALL_SIZE} bytes besides" if self.small else ""
        return (
            f"{NARROW_OFFERED_MEGABITS} Mbit/s of {SIZE} bytes offered to {NARROW_LINK_MEGABITS} Mbit/s, "
            f"{DELAY_MILLISECONDS} ms one way, a queue of {QUEUE_PACKETS} packets{beside}."
        )

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return linkMissing(stage)

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        assert stage.emulator is not None
        words = [f"delay={DELAY_MILLISECONDS}", f"rate={NARROW_LINK_MEGABITS}", f"queue={QUEUE_PACKETS}"]
        streams: list[tuple[int, int, float]] = [(SIZE, SIZE, perSecond(NARROW_OFFERED_MEGABITS, SIZE))]
        if self.small:
            streams.append((SMALL_SIZE, SMALL_SIZE, SMALL_RATE))
        with (
            linkedPlace(stage.emulator, stage.folder, words) as place,
            flowing(stage, place, contender) as flow,
        ):
            given = send(flow, streams, LONGER * stage.seconds, WARM_UP_SECONDS)
        figures = {"megabits": given.bytes * 8 / given.seconds / MEGABIT, **given.figures()}
        if self.small:
            figures["smallDelayMedian"] = given.streams[1]["median"]
            figures["smallDelayP99"] = given.streams[1]["p99"]
            figures["smallLoss"] = given.loss(1)
        return figures
