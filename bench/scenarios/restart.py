"""
A server is killed, and started again.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from bench.contenders import BARE, Contender
from bench.ends import LoadEnd
from bench.pairs import flowing
from bench.places import Place
from bench.scenarios.given import beginSending
from bench.stage import Stage

SIZE, RATE = 200, 200
FLOW_SECONDS = 1.0
"""That the datagrams flow before the kill, and again at the end."""

DOWN_SECONDS = 0.5
"""From the kill to the start of the next server."""

PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.01
"""How exactly the time is known, besides the time from one datagram to the next."""


def flowsSince(target: LoadEnd, moment: float) -> float:
    """
    Wait for a datagram.

    @param moment: on the monotonic clock, after which it has to come.
    @return: when that was; not a number when it did not come in time.
    """
    while (now := time.monotonic()) < moment + PATIENCE_SECONDS:
        came = now - float(target.sample()["quiet"])
        if came > moment:
            return came
        time.sleep(LOOK_SECONDS)
    return math.nan


@dataclass(frozen=True, slots=True)
class Restart:
    """
    C{SIGKILL} to the server, and a new one on the same port a little later.
    """

    name = "hand-over/restart"
    description = (
        f"{RATE} datagrams a second of {SIZE} bytes, on loopback; the server is killed, and started again "
        f"{DOWN_SECONDS:g} s later."
    )
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
        with flowing(stage, Place(), contender, oneServer=False) as flow:
            assert flow.pair.startServer is not None
            longest = 2 * FLOW_SECONDS + DOWN_SECONDS + PATIENCE_SECONDS
            sending = beginSending(flow, [(SIZE, SIZE, RATE)], longest, 0.0, "steady")
            time.sleep(max(0.0, sending.begin + FLOW_SECONDS - time.monotonic()))
            killed = time.monotonic()
            flow.pair.server.kill()
            time.sleep(max(0.0, killed + DOWN_SECONDS - time.monotonic()))
            started = time.monotonic()
            flow.pair.startServer()
            flows = flowsSince(flow.target, started)
            time.sleep(FLOW_SECONDS)
            given = sending.result()
        return {
            "fromStartSeconds": flows - started,
            "fromKillSeconds": flows - killed,
            "sent": given.sent[0],
            "lost": given.lost(),
        }
