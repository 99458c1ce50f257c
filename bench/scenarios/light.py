"""
One source that says little over a link that loses: how long its answers take.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.contenders import Contender
from bench.figures import percent
from bench.pairs import flowing
from bench.places import Place, linkedPlace
from bench.rig.namespaces import command
from bench.scenarios.given import PREPARATION_SECONDS
from bench.scenarios.link import DELAY_MILLISECONDS, LOSSY_LINK_MEGABITS, linkMissing
from bench.stage import Stage

SIZE, RATE = 200, 100

LONGER = 4
"""A load lasts so many times as long as one on loopback: of 2000 round trips two are above the 99.9th percentile."""

WARM_UP_SECONDS = 3.0
"""In which a program finds out what it deals with: nothing of them counts."""

PATIENCE_SECONDS = 3.0
"""For the last answers: a packet that is lost again and again is sent again later and later."""

BURST_PACKETS = 5
BETWEEN_BURSTS = 31
"""From where one burst begins to where that of the next round does, so that no two rounds lose the same."""


def burstRule(loss: float, turn: int) -> str:
    """
    @param loss: in percent.
    @param turn: the round.
    @return: C{nft}'s rule that loses so much of what comes over the link, some packets in a
        row each time, and nothing of what stays at a side.
    """
    every = round(BURST_PACKETS * 100 / loss)
    first = turn * BETWEEN_BURSTS % (every - BURST_PACKETS)
    last = first + BURST_PACKETS - 1
    return f'iifname != "lo" meta l4proto {{ tcp, udp }} numgen inc mod {every} {first}-{last} drop'


def loseInBursts(place: Place, loss: float, turn: int) -> None:
    """
    Lose packets at both sides.  They are dropped where they arrive, so that neither sender
    is told.

    @param loss: in percent, of what comes to each side.
    @param turn: the round.
    """
    chain = f"chain bursts {{ type filter hook input priority 0; {burstRule(loss, turn)}; }}"
    for side in (place.serverSide, place.clientSide):
        command(*side, "nft", f"table inet uotp_bench {{ {chain}; }}")


@dataclass(frozen=True, slots=True)
class LightFlow:
    """
    Small datagrams at an easy pace, each answered at once.

    @ivar loss: in percent, each way.
    @ivar inBursts: whether packets are lost some in a row.
    """

    loss: float
    inBursts: bool = False
    without = ()
    mostRounds = 99

    @property
    def name(self) -> str:
        """
        See L{Scenario}.
        """
        return f"light/{'bursts' if self.inBursts else 'loss'}-{self.loss:g}"

    @property
    def description(self) -> str:
        """
        See L{Scenario}.
        """
        bursts = f" in bursts of {BURST_PACKETS} packets" if self.inBursts else ""
        return (
            f"{RATE} datagrams a second of {SIZE} bytes, and the same back, over {LOSSY_LINK_MEGABITS} Mbit/s, "
            f"{DELAY_MILLISECONDS} ms one way, {self.loss:g} % loss each way{bursts}."
        )

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return linkMissing(stage, *(["nft"] if self.inBursts else []))

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        assert stage.emulator is not None
        words = [f"delay={DELAY_MILLISECONDS}", f"rate={LOSSY_LINK_MEGABITS}", f"seed={stage.turn}"]
        if not self.inBursts:
            words.append(f"loss={self.loss / 100:g}")
        with (
            linkedPlace(stage.emulator, stage.folder, words) as place,
            flowing(stage, place, contender) as flow,
        ):
            if self.inBursts:
                loseInBursts(place, self.loss, stage.turn)
            flow.target.begin("echo")
            begin = time.monotonic() + PREPARATION_SECONDS + WARM_UP_SECONDS
            end = begin + LONGER * stage.seconds
            flow.application.begin("ask", streams=[(SIZE, SIZE, RATE)], begin=begin, end=end, patience=PATIENCE_SECONDS)
            spent = flow.pair.spentBetween(begin, end)
            report = flow.application.finish(PATIENCE_SECONDS)
        figures = {
            "roundTripMedian": report["median"],
            "roundTripP90": report["p90"],
            "roundTripP99": report["p99"],
            "roundTripP999": report["p999"],
            "roundTripMax": report["max"],
            "loss": percent(report["sent"] - report["answered"], report["sent"]),
        }
        if contender.command:
            figures["roundTripProcessor"] = spent / max(report["answered"], 1) * 1e6
        return figures
