"""
C{python -m bench.beside}: what a round trip costs at servers that are all up at once, and are asked in
turn for a moment each.  So what else the machine does costs all of them alike, where runs one after the
other differ by a fifth.

The servers are this checkout's with one worker and with two, and those of other checkouts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.contenders import Contender, namedContender, ourContender, twoWorkersContender
from bench.machine import conditionsNow
from bench.measuring import say
from bench.report import conditions, report
from bench.results import Outcome, Results, Run, merged, readResults, rounded, writeResults
from bench.rig.ports import LOOPBACK
from bench.rig.programs import RigError, endOnSignals
from bench.scenarios.workers import Means, asking, lacking
from bench.stage import Stage
from uotp.pki import makePki

RATES = (2000, 6000)
"""Round trips a second: a fifth of what one worker carries with short trips, and a half."""


def parser() -> argparse.ArgumentParser:
    """
    @return: of C{python -m bench.beside}.
    """
    one = argparse.ArgumentParser(prog="python -m bench.beside", description="Ask servers in turn that are all up.")
    add = one.add_argument
    add(
        "--contender",
        action="append",
        default=[],
        metavar="NAME=@FOLDER",
        help="another checkout, as `python -m bench`",
    )
    add("--sources", type=int, default=100, help="that ask each server (100)")
    add("--rates", type=_numbers, default=RATES, metavar="2000,6000", help="round trips a second")
    add("--turns", type=int, default=10, help="of all servers with all rates (10)")
    add("--seconds", type=float, default=2.0, help="of a turn that count (2)")
    add("--free", action="store_true", help="leave it to the system which processors are used")
    add("--evenly", action="store_true", help="ask each question when it is due, and not what is due each millisecond")
    add("--json", type=Path, metavar="FILE", help="for the raw numbers; what it holds of other scenarios stays in it")
    return one


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def measureBeside(
    stage: Stage, contenders: list[Contender], options: argparse.Namespace, keep: Callable[[Results], None]
) -> Results:
    """
    Ask all in turn.

    @param keep: gets the results at the end of each turn.
    @return: an outcome for each rate.
    """
    about = conditionsNow(options.seconds, None, None)
    means = Means.FREE if options.free else Means.WHOLE
    kind = ("free" if options.free else "beside") + ("/evenly" if options.evenly else "")
    outcomes = {
        rate: Outcome(
            f"{options.sources} sources with {rate} round trips a second together, of servers that are asked in turn; "
            f"{means.value}{'; one by one' if options.evenly else ''}.",
            about,
        )
        for rate in options.rates
    }
    results = {f"workers/{kind}/{options.sources}/{rate}": outcome for rate, outcome in outcomes.items()}
    with ExitStack() as life:
        servers = [
            (one.name, life.enter_context(asking(stage, one, options.sources, means, evenly=options.evenly)))
            for one in contenders
        ]
        for _, asked in servers:
            asked.neighbours = [other for _, other in servers if other is not asked]
            asked.load.offer(0.0)
        for turn in range(1, options.turns + 1):
            for rate, outcome in outcomes.items():
                # Each is first as often as any other.
                for name, asked in servers[turn % len(servers) :] + servers[: turn % len(servers)]:
                    asked.awaitCalm()
                    try:
                        figures = rounded(asked.figuresAt(rate, options.seconds) | asked.held())
                    except RigError as error:
                        say(f"{turn}/{options.turns}  {rate}  {name}  {error}")
                        continue
                    finally:
                        asked.load.offer(0.0)
                    outcome.runs.append(Run(name, turn, figures))
                    say(f"{turn}/{options.turns}  {rate}  {name}  {figures['serverRoundTripProcessor']} us")
            keep(results)
    return results


def main() -> None:
    """
    Measure, and tell.

    @raise SystemExit: with a line that says why not.
    """
    options = parser().parse_args()
    missing = lacking(3 * options.sources, parts=False)
    two = twoWorkersContender()
    if missing or two is None:
        sys.exit(f"python -m bench.beside: for want of {missing or 'workers'}")
    try:
        others = [namedContender(text) for text in options.contender]
        known = readResults(options.json) if options.json else {}
    except (OSError, ValueError) as error:
        sys.exit(f"python -m bench.beside: {error}")

    def keep(results: Results) -> None:
        if options.json:
            writeResults(options.json, merged(known, results))

    endOnSignals()
    with tempfile.TemporaryDirectory(prefix="uotp-bench-") as name:
        stage = Stage(Path(name), makePki(str(Path(name) / "pki"), [LOOPBACK]), None, options.seconds)
        results = measureBeside(stage, [ourContender(), two, *others], options, keep)
    print(report(results))
    print(f"\nMeasured with:\n\n{conditions(results)}")


if __name__ == "__main__":
    main()
