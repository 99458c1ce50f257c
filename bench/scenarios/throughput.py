"""
How many datagrams arrive when they are sent as fast as can be.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.contenders import BARE, Contender
from bench.pairs import POOL, flowing
from bench.places import Place
from bench.stage import Stage

WARM_UP_SHARE = 0.2
"""Of the time of a load; that long it flows before the counting begins."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """
    A flood in one direction, counted in its midst: what comes before and after the
    time that counts is not counted, and neither is the processor time of then.

    @ivar size: of each datagram; L{None} for the mix.
    @ivar back: from the target to the application.
    @ivar singly: sent with a system call for each; otherwise in trains of up to 64,
        as the program's own port sends, and a WireGuard that knows C{UDP_SEGMENT}.
    @ivar pool: tunnels.
    """

    size: int | None
    back: bool = False
    singly: bool = False
    pool: int = POOL
    mostRounds = 99

    @property
    def without(self) -> tuple[str, ...]:
        """
        See L{Scenario}.
        """
        return () if self.pool == POOL else (BARE,)

    @property
    def name(self) -> str:
        """
        See L{Scenario}.
        """
        parts = ["throughput", "mix" if self.size is None else str(self.size)]
        if self.back:
            parts.append("back")
        if self.singly:
            parts.append("singly")
        if self.pool != POOL:
            parts.append(f"pool-{self.pool}")
        return "/".join(parts)

    @property
    def description(self) -> str:
        """
        See L{Scenario}.
        """
        what = f"{self.size} bytes" if self.size else "1452, 96 and 148 bytes in short runs, as of a WireGuard"
        way = "target to application" if self.back else "application to target"
        pool = f", a pool of {self.pool}" if self.pool != POOL else ""
        how = "as fast as can be sent one by one" if self.singly else "as fast as can be sent"
        return f"Datagrams of {what}, {how}, {way}{pool}."

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return ""

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        with flowing(stage, Place(), contender, self.pool) as flow:
            source, sink = flow.application, flow.target
            if self.back:
                source, sink = sink, source
            sink.begin("count")
            source.begin("flood-singly" if self.singly else "flood", size=self.size)
            time.sleep(WARM_UP_SHARE * stage.seconds)
            before, spent = sink.sample(), -flow.pair.processorSeconds()
            time.sleep(stage.seconds)
            after = sink.sample()
            spent += flow.pair.processorSeconds()
        seconds = after["moment"] - before["moment"]
        datagrams = after["datagrams"] - before["datagrams"]
        figures = {
            "rate": datagrams / seconds,
            "megabits": (after["bytes"] - before["bytes"]) * 8 / seconds / 1e6,
        }
        if contender.command:
            figures["processor"] = spent / max(datagrams, 1) * 1e6
        return figures
