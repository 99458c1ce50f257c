"""
Small datagrams beside bulk, of the same source or of another one.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.contenders import Contender
from bench.ends import LoadEnd
from bench.pairs import flowing
from bench.places import linkedPlace
from bench.rig.programs import Programs
from bench.scenarios.given import MEGABIT, beginSending, perSecond
from bench.scenarios.link import (
    DELAY_MILLISECONDS,
    NARROW_LINK_MEGABITS,
    NARROW_OFFERED_MEGABITS,
    QUEUE_PACKETS,
    SIZE,
    SMALL_RATE,
    SMALL_SIZE,
    WARM_UP_SECONDS,
    linkMissing,
)
from bench.stage import Stage

EASY_OFFERED_MEGABITS = 20

LONGER = 4
"""A load lasts so many times as long as one on loopback: small datagrams are few."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """
    A small flow beside bulk.

    @ivar megabits: of bulk, that are offered.
    @ivar apart: whether the small flow has a source of its own.
    """

    megabits: float
    apart: bool = False
    without = ()
    mostRounds = 99

    @property
    def name(self) -> str:
        """
        See L{Scenario}.
        """
        load = "overload" if self.megabits > NARROW_LINK_MEGABITS else "room"
        return f"mixed/{load}/apart" if self.apart else f"mixed/{load}"

    @property
    def description(self) -> str:
        """
        See L{Scenario}.
        """
        source = "another source" if self.apart else "the same source"
        return (
            f"{self.megabits:g} Mbit/s of {SIZE} bytes offered to {NARROW_LINK_MEGABITS} Mbit/s, "
            f"{DELAY_MILLISECONDS} ms one way, a queue of {QUEUE_PACKETS} packets, and {SMALL_RATE} datagrams a second "
            f"of {SMALL_SIZE} bytes of {source}."
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
        streams = [(SIZE, SIZE, perSecond(self.megabits, SIZE)), (SMALL_SIZE, SMALL_SIZE, float(SMALL_RATE))]
        with (
            linkedPlace(stage.emulator, stage.folder, words) as place,
            flowing(stage, place, contender, oneServer=not self.apart) as flow,
            Programs(stage.folder) as programs,
        ):
            others = []
            if self.apart:
                others.append(LoadEnd(programs, place.clientSide, "0.0.0.0"))  # noqa: S104 - it is connected now
                flow.target.begin("answer", onePeer=False)
                others[0].connect(flow.pair.entrance)
                flow.target.finish()
            given = beginSending(flow, streams, LONGER * stage.seconds, WARM_UP_SECONDS, others=others).result()
        bulk, small = given.streams
        return {
            "megabits": given.bytes * 8 / given.seconds / MEGABIT,
            "delayMedian": bulk["median"],
            "delayP99": bulk["p99"],
            "loss": given.loss(),
            "smallDelayMedian": small["median"],
            "smallDelayP90": small["p90"],
            "smallDelayP99": small["p99"],
            "smallLoss": given.loss(1),
        }


def mixtures() -> list[Mixed]:
    """
    @return: with too much bulk and with little, from one source and from two.
    """
    loads = (NARROW_OFFERED_MEGABITS, EASY_OFFERED_MEGABITS)
    return [Mixed(megabits, apart) for megabits in loads for apart in (False, True)]
