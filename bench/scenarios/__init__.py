"""
What is measured, by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from bench.contenders import BARE
from bench.pairs import POOL
from bench.scenarios.blackhole import BlackHole
from bench.scenarios.given import GivenRate, perSecond
from bench.scenarios.idle import IdleMemory, IdleProcessor
from bench.scenarios.light import LightFlow
from bench.scenarios.link import LossyLink, Overload, disorders
from bench.scenarios.many import ManyIdle, ManyLight
from bench.scenarios.mixed import mixtures
from bench.scenarios.renewal import Renewal
from bench.scenarios.restart import Restart
from bench.scenarios.roundtrip import RoundTrip
from bench.scenarios.scenario import Scenario
from bench.scenarios.stop import Stop
from bench.scenarios.throughput import Throughput
from bench.scenarios.wireguard import InnerFlow
from bench.scenarios.workerfaults import workerFaults
from bench.scenarios.workers import workersScenarios

SIZES = (64, 200, 512, 1024, 1400)
FULL = 1400
SINGLE_SIZES = (200, FULL)
ORDER_MEGABITS = 20
GIVEN_RATES = ((FULL, 5000), (200, 5000))
LOSSES = (0, 0.5, 1, 2)
ORDER_LOSSES = INNER_LOSSES = (0, 0.5, 2)
LIGHT_LOSSES = (0, 1, 3)
BULK_MEGABITS, BULK_LOSS = (10, 20), 1
WORKERS_SOURCES = (100, 500)
ROUND_TRIPS = (100, 200, 800, 2000)


def catalogue(pools: Sequence[int] = (), *, reverse: bool = False) -> list[Scenario]:
    """
    @param pools: sizes of pools to measure besides that of all.
    @param reverse: whether to measure the inner flow backwards, too.
    @return: all scenarios, in the order in which they are measured.
    """
    return [
        *(Throughput(size) for size in SIZES),
        Throughput(None),
        Throughput(FULL, back=True),
        *(Throughput(size, singly=True) for size in SINGLE_SIZES),
        *(Throughput(FULL, pool=pool) for pool in pools if pool != POOL),
        *(
            GivenRate(f"rate/{size}/{rate}", f"{rate} datagrams a second of {size} bytes, on loopback.", size, rate)
            for size, rate in GIVEN_RATES
        ),
        GivenRate(
            f"order/{ORDER_MEGABITS}",
            f"{ORDER_MEGABITS} Mbit/s of {FULL} bytes, on loopback: what comes out of order.",
            FULL,
            perSecond(ORDER_MEGABITS, FULL),
            (BARE,),
        ),
        *disorders(ORDER_LOSSES),
        *(RoundTrip(rate) for rate in ROUND_TRIPS),
        *(LightFlow(loss) for loss in LIGHT_LOSSES),
        LightFlow(max(LIGHT_LOSSES), inBursts=True),
        *(LossyLink(f"light/bulk-{megabits}", BULK_LOSS, megabits, tail=True) for megabits in BULK_MEGABITS),
        ManyLight(),
        ManyIdle(),
        ManyIdle(question=True),
        *workersScenarios(WORKERS_SOURCES),
        *workerFaults(),
        IdleMemory(),
        IdleProcessor(),
        *(LossyLink(f"link/loss-{loss:g}", loss) for loss in LOSSES),
        Overload(),
        Overload(small=True),
        *mixtures(),
        *(InnerFlow(loss) for loss in INNER_LOSSES),
        *(InnerFlow(loss, back=True) for loss in INNER_LOSSES if reverse),
        BlackHole(),
        Restart(),
        Renewal(),
        Stop(),
    ]


def chosen(scenarios: Sequence[Scenario], patterns: Sequence[str]) -> list[Scenario]:
    """
    @param patterns: names, names with wildcards, or families; all when there is none.
    @return: the scenarios that fit one of them.
    @raise ValueError: for a pattern that none fits.
    """
    for pattern in patterns:
        if not any(fits(scenario.name, pattern) for scenario in scenarios):
            reason = f"there is no scenario {pattern} (see --list)"
            raise ValueError(reason)
    return [one for one in scenarios if not patterns or any(fits(one.name, pattern) for pattern in patterns)]


def fits(name: str, pattern: str) -> bool:
    """
    @return: whether a scenario's name fits a pattern.
    """
    return fnmatchcase(name, pattern) or name.partition("/")[0] == pattern
