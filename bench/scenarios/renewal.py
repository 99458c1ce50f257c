"""
Connections that reach an age are replaced by others.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.connections import gone
from bench.contenders import BARE, Contender
from bench.pairs import flowing
from bench.places import linkedPlace
from bench.rig.programs import RigError
from bench.scenarios.given import beginSending
from bench.scenarios.handover import LOAD, LOAD_DESCRIPTION, linkWords
from bench.scenarios.link import WARM_UP_SECONDS, linkMissing
from bench.stage import Stage
from bench.watching import ReachabilityObserver

AGE_OPTION = "--max-age"
MOST_AGES = 4
"""A load ends when each of the connections that it began with is gone, but after so
many times their age in any case."""

AFTER_SECONDS = 1.0
"""That the load goes on for when the last of them is gone."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """
    Each connection is replaced under a steady load.
    """

    name = "hand-over/renewal"
    description = f"{LOAD_DESCRIPTION}, until all connections have reached {AGE_OPTION} and are replaced."
    without = (BARE,)
    mostRounds = 99

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return linkMissing(stage, "ss")

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        assert stage.emulator is not None
        if contender.formatOne or not contender.knows(AGE_OPTION):
            return {}
        age = max(1, round(stage.seconds))
        with (
            linkedPlace(stage.emulator, stage.folder, linkWords(stage)) as place,
            flowing(stage, place, contender, clientOptions=(AGE_OPTION, str(age))) as flow,
        ):
            watch = ReachabilityObserver(place, flow)
            longest = MOST_AGES * age
            sending = beginSending(flow, LOAD, longest, WARM_UP_SECONDS, "steady")
            watch.untilMoment(sending.begin)
            first = watch.looks[-1].written.keys()
            if not watch.until(lambda look: not first & look.written.keys(), sending.end - AFTER_SECONDS):
                reason = f"not all connections are replaced after {longest} s, with {AGE_OPTION} {age}"
                raise RigError(reason)
            watch.untilMoment(time.monotonic() + AFTER_SECONDS)
            given = sending.result()
            return {"replaced": gone(watch.since(sending.begin)), "sent": given.sent[0], "lost": given.lost()}
