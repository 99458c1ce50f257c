"""
C{python -m bench.hostile}.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.contenders import namedContender, ourContender
from bench.hostile.houses import haproxyContender
from bench.hostile.rows import catalogue
from bench.hostile.visits import visits
from bench.machine import conditionsNow
from bench.measuring import Plan, measureAll
from bench.report import conditions, report
from bench.results import Outcome, merged, readResults, writeResults
from bench.rig.programs import endOnSignals
from bench.scenarios import chosen
from bench.scenarios.scenario import Scenario

RESULTS = Path(__file__).resolve().parents[1] / "hostile.json"


def main() -> None:
    """
    Attack, and tell what the bystander noticed.

    @raise SystemExit: with a line that says why not.
    """
    parser = argparse.ArgumentParser(prog="python -m bench.hostile", description="Attack uotp beside a bystander.")
    add = parser.add_argument
    add("--list", action="store_true", help="say what can be measured, and end")
    add("--only", default="", metavar="PATTERN,...", help="names, with wildcards, or families: see --list")
    add(
        "--contender",
        action="append",
        default=[],
        metavar="NAME=@FOLDER",
        help="another checkout, as `python -m bench`",
    )
    add("--rounds", type=int, default=1, help="of all (1)")
    add("--share", type=float, default=1.0, help="of the full length of each attack (1)")
    add("--json", type=Path, default=RESULTS, metavar="FILE", help=f"for the raw numbers ({RESULTS.name})")
    options = parser.parse_args()
    rows: list[Scenario] = [*catalogue(options.share), *visits(options.share)]
    if options.list:
        for one in rows:
            print(f"{one.name:32}  {one.description}")
        return
    try:
        rows = chosen(rows, [word for word in options.only.split(",") if word])
        others = [namedContender(text) for text in options.contender]
    except ValueError as error:
        parser.error(str(error))
    contenders = [ourContender(), *others, *filter(None, [haproxyContender()])]
    plan = Plan(rows, contenders, options.rounds, options.share, None, conditionsNow(options.share, None, None))
    known = readResults(options.json)

    def keep(results: dict[str, Outcome]) -> None:
        writeResults(options.json, merged(known, results))

    endOnSignals()
    try:
        results = measureAll(plan, keep)
    except KeyboardInterrupt:
        sys.exit("interrupted; --json has the rounds that were finished")
    print(report(results))
    print(f"\nMeasured with:\n\n{conditions(results)}")


if __name__ == "__main__":
    main()
