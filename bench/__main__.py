"""
C{python -m bench}.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.chart import chart
from bench.contenders import bareContender, formatOneContender, ourContender, twoWorkersContender
from bench.options import parsed
from bench.report import conditions, report
from bench.results import Outcome, Results, merged, readResults, writeResults


def main() -> None:
    """
    Measure, or tell what was measured.

    @raise SystemExit: with a line that says why not.
    """
    options = parsed()
    try:
        known = readResults(options.source or options.json) if options.source or options.json else {}
    except (OSError, ValueError) as error:
        sys.exit(f"{options.source or options.json}: {error}")
    if options.source:
        results = known
    elif sys.platform == "linux":
        results = _measure(options, known)
    else:
        sys.exit("the measurements need Linux; --from tells what was measured")
    if not any(outcome.runs for outcome in results.values()):
        sys.exit("nothing was measured")
    print(report(results))
    print(f"\nMeasured with:\n\n{conditions(results)}")
    if options.chart:
        options.chart.write_text(chart(merged(known, results)), encoding="utf-8")


def _measure(options: argparse.Namespace, known: Results) -> Results:
    from bench.machine import conditionsNow  # noqa: PLC0415 - what follows exists on Linux only
    from bench.measuring import Plan, measureAll  # noqa: PLC0415
    from bench.rig.programs import endOnSignals  # noqa: PLC0415
    from bench.scenarios import catalogue, chosen  # noqa: PLC0415

    scenarios = catalogue(options.pools, reverse=options.reverse)
    if options.list:
        for one in scenarios:
            print(f"{one.name:22}  {one.description}")
        sys.exit()
    try:
        scenarios = chosen(scenarios, options.only)
    except ValueError as error:
        sys.exit(f"python -m bench: {error}")
    path: Path | None = options.json
    plan = Plan(
        scenarios,
        [
            ourContender(),
            *filter(None, [twoWorkersContender(), formatOneContender()]),
            *options.contenders,
            bareContender(),
        ],
        options.rounds,
        options.seconds,
        options.linkemu,
        conditionsNow(options.seconds, options.original, options.wstunnel),
    )

    def keep(results: dict[str, Outcome]) -> None:
        if path is not None:
            writeResults(path, merged(known, results))

    endOnSignals()
    try:
        return measureAll(plan, keep)
    except KeyboardInterrupt:
        sys.exit("interrupted; what --json names has the rounds that were finished")


if __name__ == "__main__":
    main()
