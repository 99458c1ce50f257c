"""
How long the programs take to end when they are told to.
"""

from __future__ import annotations

import math
import os
import select
import signal
import time
from dataclasses import dataclass

from bench.contenders import BARE, Contender
from bench.pairs import Flow, flowing
from bench.places import Place
from bench.rig.programs import Program
from bench.scenarios.given import beginSending
from bench.stage import Stage

SIZE, RATE = 1400, 5000
FLOW_SECONDS = 1.0
"""That the datagrams flow before."""

PATIENCE_SECONDS = 15.0


def secondsToEnd(program: Program) -> float:
    """
    Tell a program to end.

    @return: how long that took; not a number when it did not in time.
    """
    descriptor = os.pidfd_open(program.process.pid)  # Popen.wait looks every 50 ms only
    try:
        told = time.monotonic()
        program.process.send_signal(signal.SIGTERM)
        ended, _, _ = select.select([descriptor], [], [], PATIENCE_SECONDS)
        return time.monotonic() - told if ended else math.nan
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Stop:
    """
    C{SIGTERM} to one of the two under load, and in another flow to the other.
    """

    name = "hand-over/stop"
    description = f"SIGTERM to client or server while {RATE} datagrams a second of {SIZE} bytes flow, on loopback."
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

        def seconds(end: str) -> float:
            with flowing(stage, Place(), contender) as flow:
                beginSending(flow, [(SIZE, SIZE, RATE)], FLOW_SECONDS + PATIENCE_SECONDS, 0.0)
                time.sleep(FLOW_SECONDS)
                return secondsToEnd(_endOf(flow, end))

        return {f"{end}StopSeconds": seconds(end) for end in ("client", "server")}


def _endOf(flow: Flow, end: str) -> Program:
    return flow.pair.client if end == "client" else flow.pair.server
