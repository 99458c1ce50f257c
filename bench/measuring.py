"""
Rounds: in each, every scenario, and in every scenario each contender in turn.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

from bench.contenders import Contender
from bench.figures import FIGURES
from bench.places import SERVER_ADDRESS, buildEmulator
from bench.results import Outcome, Results, Run, rounded
from bench.rig.ports import LOOPBACK
from bench.rig.programs import RigError
from bench.scenarios.scenario import Scenario
from bench.stage import Stage
from uotp.pki import makePki


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is to be done.

    @ivar seconds: how long a load lasts.
    @ivar emulator: of links, as source or program.
    @ivar conditions: to be written down with the numbers.
    """

    scenarios: Sequence[Scenario]
    contenders: Sequence[Contender]
    rounds: int
    seconds: float
    emulator: Path | None
    conditions: Mapping[str, Any]


def say(line: str) -> None:
    """
    Tell whoever waits how it goes.
    """
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def measureAll(plan: Plan, keep: Callable[[Results], None]) -> Results:
    """
    @param keep: gets the results at the end of each round.
    @return: what was measured.  What failed is told, and missing.
    """
    with tempfile.TemporaryDirectory(prefix="uotp-bench-") as name:
        folder = Path(name)
        emulator = None
        if plan.emulator is not None:
            try:
                emulator = buildEmulator(plan.emulator, folder)
            except (OSError, SubprocessError) as error:
                say(f"the link emulator cannot be built: {error}")
        pki = makePki(str(folder / "pki"), [LOOPBACK, SERVER_ADDRESS])
        stage = Stage(folder, pki, emulator, plan.seconds)
        scenarios = _possible(plan.scenarios, stage)
        results = {one.name: Outcome(one.description, plan.conditions) for one in scenarios}
        for turn in range(1, plan.rounds + 1):
            for scenario in scenarios:
                if turn <= scenario.mostRounds:
                    _measureEach(scenario, plan, replace(stage, turn=turn), results[scenario.name].runs)
            keep(results)
    return results


def _possible(scenarios: Sequence[Scenario], stage: Stage) -> list[Scenario]:
    lacking: dict[str, list[str]] = {}
    for one in scenarios:
        if missing := one.missing(stage):
            lacking.setdefault(missing, []).append(one.name)
    for missing, names in lacking.items():
        say(f"left out for want of {missing}: {', '.join(names)}")
    return [one for one in scenarios if not any(one.name in names for names in lacking.values())]


def _measureEach(scenario: Scenario, plan: Plan, stage: Stage, runs: list[Run]) -> None:
    for contender in plan.contenders:
        if contender.name in scenario.without or not contender.takesPart(scenario.name):
            continue
        where = f"round {stage.turn}/{plan.rounds}  {scenario.name}  {contender.name}"
        try:
            figures = rounded(scenario.measure(stage, contender))
        except (RigError, SubprocessError, OSError) as error:
            say(f"{where}  failed: {error}")
            continue
        runs.append(Run(contender.name, stage.turn, figures))
        told = (f"{value:.{FIGURES[name].decimals}f} {FIGURES[name].title}" for name, value in figures.items())
        say(f"{where}  {', '.join(told) or 'cannot do that'}")
