"""
One of the connections goes dead, as behind a router that has forgotten it: nobody is
told, and nothing comes through.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.connections import avoidedAfter, busiest, replacedAfter
from bench.contenders import BARE, Contender
from bench.pairs import flowing
from bench.places import Place, linkedPlace
from bench.rig.namespaces import command
from bench.scenarios.given import beginSending
from bench.scenarios.handover import LOAD, LOAD_DESCRIPTION, linkWords
from bench.scenarios.link import LONGER, SIZE, WARM_UP_SECONDS, linkMissing
from bench.stage import Stage
from bench.watching import ReachabilityObserver

BEFORE_SHARE = 0.3
"""Of a load, before the connection goes dead."""

BUSY_SECONDS = 0.5
"""The connection that carried most in so long is the one that goes dead."""

PATIENCE_SECONDS = 20.0
"""Until the connection is replaced."""


def cutOff(place: Place, port: int) -> None:
    """
    Drop what comes of a connection, at both sides.  It is dropped where it arrives:
    what is dropped where it is sent is an error that the sender hears of.

    @param port: the client's.
    """
    for side, whose in ((place.serverSide, "sport"), (place.clientSide, "dport")):
        chain = f"chain deaf {{ type filter hook input priority 0; tcp {whose} {port} drop; }}"
        command(*side, "nft", f"table inet uotp_bench {{ {chain}; }}")


@dataclass(frozen=True, slots=True)
class BlackHole:
    """
    The busiest of the connections goes dead under a steady load.
    """

    name = "hand-over/black-hole"
    description = f"{LOAD_DESCRIPTION}; the busiest of the connections goes dead."
    without = (BARE,)
    mostRounds = 99

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return linkMissing(stage, "nft", "ss")

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        assert stage.emulator is not None
        with (
            linkedPlace(stage.emulator, stage.folder, linkWords(stage)) as place,
            flowing(stage, place, contender) as flow,
        ):
            watch = ReachabilityObserver(place, flow)
            sending = beginSending(flow, LOAD, LONGER * stage.seconds, WARM_UP_SECONDS)
            watch.untilMoment(sending.begin + BEFORE_SHARE * (sending.end - sending.begin))
            count = len(watch.looks[-1].written)
            port = busiest(watch.since(watch.looks[-1].moment - BUSY_SECONDS))
            dead = time.monotonic()
            cutOff(place, port)
            watch.untilMoment(sending.end)
            watch.until(lambda look: len(look.written.keys() - {port}) >= count, dead + PATIENCE_SECONDS)
            given = sending.result()
        return {
            "avoidedSeconds": avoidedAfter(watch.since(0, sending.end), port, dead, SIZE),
            "replacedSeconds": replacedAfter(watch.looks, port, dead, count),
            "sent": given.sent[0],
            "lost": given.lost(),
        }
