"""
The rows of visitors: whoever shows no hello finds a web site at the port, and may ask it for as much as he
likes.
"""

from __future__ import annotations

from bench.contenders import Contender
from bench.hostile.houses import built, starter
from bench.hostile.rows import ATTACKER, Figures, Measurement, Row, beside, worstOf
from bench.rig.ports import LOOPBACK
from bench.stage import Stage
from tests.hostile.orders import Spoken
from tests.hostile.visiting import ASKED

MEGABYTE = 1e6


def downloading(number: int, *, isFetched: bool = True) -> Measurement:
    """
    @param number: how many visitors there are.
    @param isFetched: whether they ask for anything; otherwise this is the same bystander for as long without them, to
        compare with.
    @return: what measures visitors that download from the web server behind ours.
    """

    def figures(stage: Stage, contender: Contender, share: float) -> Figures:
        seconds = max(2.0, 20 * share)
        with starter(stage.folder) as start:
            site = Spoken(start, "tests.hostile.visiting")
            fallback = ("--fallback", f"{LOOPBACK}:{site.first['port']}")
            with built(stage, contender, server=fallback, knowsClients=False) as house:
                kind = "download" if isFetched else "nothing"
                options = {"kind": kind, "number": number, "seconds": seconds}
                attacker = house.attack("visit", door=house.door(""), source=ATTACKER, **options)
                [report], found = beside(house, attacker)
                return {**found, "megabytesPerSecond": report["bytes"] / MEGABYTE / report["seconds"]}

    return figures


def asking(stage: Stage, contender: Contender, share: float) -> Figures:
    """
    Measure visitors that ask for pages there are not, in each way that costs; the worst of each figure.
    """
    found = []
    for kind in ASKED:
        with built(stage, contender, knowsClients=False) as house:
            options = {"kind": kind, "number": 4, "seconds": max(2.0, 5 * share)}
            attacker = house.attack("visit", door=house.door(""), source=ATTACKER, **options)
            [report], one = beside(house, attacker)
            found.append(one)
            told = ", ".join(f"{name} {value:.1f}" for name, value in one.items())
            print(f"    {kind}: {report['answers'] / report['seconds']:.0f} answers/s, {told}", flush=True)
    return worstOf(found)


def visits(share: float) -> list[Row]:
    """
    @param share: of the full length.
    @return: all rows of visitors.
    """
    rows = [
        (
            "visitors/none",
            "A web server behind ours, and visitors that ask for nothing.",
            downloading(1, isFetched=False),
        ),
        ("visitors/download", "A greedy visitor: one downloads an endless page from it.", downloading(1)),
        ("visitors/downloads", "Eight of them.", downloading(8)),
        ("visitors/asking", "Four visitors ask for pages that there are not, in each way that costs.", asking),
    ]
    return [Row(name, description, figures, share) for name, description, figures in rows]
