"""
What the scenarios share in which connections go under load: a link without losses, and
a load that fills two thirds of it, so that one connection less is felt.
"""

from __future__ import annotations

from bench.scenarios.given import Streams
from bench.scenarios.link import DELAY_MILLISECONDS, LOSSY_LINK_MEGABITS, SIZE
from bench.stage import Stage

RATE = 6000
"""Datagrams each second: 67 Mbit/s, and 60 000 in 10 seconds."""

LOAD: Streams = ((SIZE, SIZE, RATE),)
LOAD_DESCRIPTION = (
    f"{RATE} datagrams a second of {SIZE} bytes over {LOSSY_LINK_MEGABITS} Mbit/s, {DELAY_MILLISECONDS} ms one way"
)


def linkWords(stage: Stage) -> list[str]:
    """
    @return: settings of the link.
    """
    return [f"delay={DELAY_MILLISECONDS}", f"rate={LOSSY_LINK_MEGABITS}", f"seed={stage.turn}"]
