"""
Raw numbers, as they are kept in a file, and what they come to.  Pure but for
reading and writing that file.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Run:
    """
    One contender, once.

    @ivar turn: the round.
    @ivar figures: by the names that L{bench.figures.FIGURES} has.
    """

    contender: str
    turn: int
    figures: Mapping[str, float]


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """
    @return: the figures, with as many digits as mean something.
    """
    return {name: float(f"{value:.6g}") for name, value in figures.items()}


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    All runs of a scenario, from one occasion.

    @ivar description: what was measured.
    @ivar conditions: where, when and with what.
    """

    description: str
    conditions: Mapping[str, Any]
    runs: list[Run] = field(default_factory=list)

    def contenders(self) -> list[str]:
        """
        @return: who took part, in the order of their first turns.
        """
        return list(dict.fromkeys(run.contender for run in self.runs))

    def medians(self, contender: str) -> dict[str, float]:
        """
        @return: over the rounds, of each figure; numbers that are none are left out.
        """
        runs = [run.figures for run in self.runs if run.contender == contender]
        names = dict.fromkeys(name for figures in runs for name in figures)
        values = {name: [run[name] for run in runs if not math.isnan(run.get(name, math.nan))] for name in names}
        return {name: statistics.median(numbers) for name, numbers in values.items() if numbers}


Results = dict[str, Outcome]
"""By the name of the scenario."""


def ratios(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, float]:
    """
    @return: how many times theirs ours is, figure by figure, where both have it.
    """
    return {name: value / theirs[name] for name, value in ours.items() if theirs.get(name)}


def inOrder(results: Mapping[str, Outcome]) -> list[tuple[str, Outcome]]:
    """
    @return: the outcomes by name, with numbers in names as numbers.
    """
    return sorted(results.items(), key=lambda one: _sortKey(one[0]))


def _sortKey(name: str) -> list[list[tuple[int, float, str]]]:
    return [
        [(0, float(word), "") if word[:1].isdigit() else (1, 0.0, word) for word in re.findall(r"\d[\d.]*|\D+", part)]
        for part in name.split("/")
    ]


def merged(old: Mapping[str, Outcome], new: Mapping[str, Outcome]) -> Results:
    """
    @return: the new outcomes, and those old ones that are of other scenarios.
    """
    return dict(inOrder({**old, **{name: outcome for name, outcome in new.items() if outcome.runs}}))


def toJson(results: Mapping[str, Outcome]) -> str:
    """
    @return: the text of a file.
    """
    plain = {"scenarios": {name: asdict(outcome) for name, outcome in results.items()}}
    for outcome in plain["scenarios"].values():
        for run in outcome["runs"]:
            run["figures"] = {
                name: value if math.isfinite(value) else None  # JSON has no word for what is no number
                for name, value in run["figures"].items()
            }
    return json.dumps(plain, indent=1) + "\n"


def fromJson(text: str) -> Results:
    """
    @param text: of L{toJson}.
    @raise ValueError: when it is another one.
    """
    try:
        return {
            name: Outcome(plain["description"], plain["conditions"], [_run(**run) for run in plain["runs"]])
            for name, plain in json.loads(text)["scenarios"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        reason = "not a file of measurements"
        raise ValueError(reason) from error


def _run(contender: str, turn: int, figures: Mapping[str, float | None]) -> Run:
    return Run(contender, turn, {name: math.nan if value is None else value for name, value in figures.items()})


def readResults(path: Path) -> Results:
    """
    @return: what a file holds; nothing when there is none.
    @raise ValueError: when it is no file of ours.
    """
    return fromJson(path.read_text(encoding="utf-8")) if path.exists() else {}


def writeResults(path: Path, results: Mapping[str, Outcome]) -> None:
    """
    Write a file, whole or not at all.
    """
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(toJson(results), encoding="utf-8")
    fresh.replace(path)


def rounds(outcomes: Sequence[Outcome]) -> str:
    """
    @return: how many rounds there were, of scenarios that may differ in that, in words.
    """
    counts = [max((run.turn for run in outcome.runs), default=0) for outcome in outcomes]
    least, most = min(counts, default=0), max(counts, default=0)
    if least == most == 1:
        return "1 round"
    return f"{most} rounds" if least == most else f"{least} to {most} rounds"
