"""
Medians and ratios as text: tables as reStructuredText has them, for the terminal and
for README alike.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from bench.contenders import BARE, FORMAT_ONE, ORIGINAL, OURS, TWO_WORKERS, WSTUNNEL
from bench.figures import FIGURES
from bench.results import Outcome, inOrder, ratios, rounds
from bench.ways import WAYS, nameThrough

FAMILIES = {
    "throughput": "As fast as can be sent, on loopback",
    "rate": "At a given rate, on loopback",
    "order": "Order",
    "roundtrip": "Round trip, on loopback",
    "light": "One light source, over a link",
    "many": "Many sources, on loopback",
    "workers": "Workers of a server, on loopback",
    "idle": "Idle tunnels",
    "link": "Over a link",
    "mixed": "Bulk and small datagrams, over a link",
    "wireguard": "One TCP flow inside WireGuard, over a link",
    "hand-over": "Connections and programs that go",
    "turns": "A bystander beside nonsense",
    "handshakes": "A bystander beside handshakes",
    "stalled": "A bystander beside who says nothing more",
    "sources": "A bystander beside sources of datagrams",
    "shares": "A bystander beside who takes all",
}
"""By what the names of their scenarios begin with, in the order of the report."""

AGAINST_BARE = {"throughput", "rate", "wireguard"}
"""Families in which a ratio to the way without a tunnel says something, too."""

LINE = 88

MANY_TIMES, HARDLY = 10, 0.01
"""A ratio from the first on is told with fewer decimals, and one below the second with more."""


def report(results: Mapping[str, Outcome]) -> str:
    """
    @return: a table for each family.
    """
    parts = []
    for family, title in FAMILIES.items():
        members = [
            (name, one) for name, one in inOrder(results) if name.partition("/")[0] == family and _figuresOf(one)
        ]
        for _, group in groupby(members, key=lambda member: _figuresOf(member[1])):
            tabled = list(group)
            parts.append(f"{title}, medians of {rounds([outcome for _, outcome in tabled])}:")
            parts.append("\n".join(_item(f"``{name}``: {outcome.description}") for name, outcome in tabled))
            parts.append(_table(tabled, family))
    return "\n\n".join(parts)


def conditions(results: Mapping[str, Outcome]) -> str:
    """
    @return: one line for each set of conditions, with the scenarios measured so.
    """
    stories: dict[str, list[str]] = {}
    for name, outcome in inOrder(results):
        story = "; ".join(f"{key} {_plain(value)}" for key, value in outcome.conditions.items())
        stories.setdefault(story, []).append(name)
    return "\n".join(_item(f"{', '.join(names)}: {story}") for story, names in stories.items())


def _item(words: str) -> str:
    return textwrap.fill(words, LINE, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)


def _plain(value: object) -> str:
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, Mapping) else str(value)


def _figuresOf(outcome: Outcome) -> list[str]:
    present = {name for run in outcome.runs for name in run.figures}
    return [name for name in FIGURES if name in present]


def _table(members: Sequence[tuple[str, Outcome]], family: str) -> str:
    figures = _figuresOf(members[0][1])
    rows = [["scenario", "contender", *(FIGURES[figure].title for figure in figures)]]
    for name, outcome in members:
        medians = {contender: outcome.medians(contender) for contender in outcome.contenders()}
        for contender, numbers in medians.items():
            rows.append([name, contender, *(_number(figure, numbers.get(figure)) for figure in figures)])
        for contender, reference in comparisons(list(medians), againstBare=family in AGAINST_BARE):
            times = ratios(medians[contender], medians[reference])
            told = [_ratio(figure, times.get(figure)) for figure in figures]
            if times:
                rows.append([name, f"{contender} : {reference}", *told])
    return _simpleTable(rows)


def comparisons(contenders: Sequence[str], *, againstBare: bool) -> list[tuple[str, str]]:
    """
    @param contenders: who took part.
    @param againstBare: whether a ratio to the way without a tunnel says something.
    @return: who is compared with whom.
    """
    tunnels = [name for name in contenders if name != BARE]
    pairs = [(name, ORIGINAL) for name in tunnels if name != ORIGINAL]
    pairs += [(OURS, FORMAT_ONE), (OURS, WSTUNNEL), (TWO_WORKERS, OURS)]
    pairs += [(nameThrough(way), OURS) for way in WAYS]
    if againstBare:
        pairs += [(name, BARE) for name in tunnels]
    return [pair for pair in pairs if set(pair) <= set(contenders)]


def _number(figure: str, value: float | None) -> str:
    return "--" if value is None else f"{value:,.{FIGURES[figure].decimals}f}".replace(",", " ")


def _ratio(figure: str, value: float | None) -> str:
    if value is None or not FIGURES[figure].compared:
        return "--"
    if value >= MANY_TIMES:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= HARDLY else f"{value:.4f}"


def _simpleTable(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    lines = [_line(row, widths) for row in rows]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def _line(row: Iterable[str], widths: Sequence[int]) -> str:
    cells = [
        cell.ljust(width) if column < 2 else cell.rjust(width)  # noqa: PLR2004 - two columns are words
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
