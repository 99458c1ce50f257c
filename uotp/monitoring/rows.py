"""
Reports as rows of plain values, for messages between processes: a value with names becomes a tuple without.

Whoever reads them does not trust who has written them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from uotp.errors import PeerError
from uotp.monitoring.report import Report, SessionReport

SESSIONS_EACH = 4
"""So many sessions are in one part: with 16 tunnels each it is written and read in less than a millisecond."""

MOST_WORD_LETTERS = 1024
"""No word of a report is longer than that: a path, the names of a certificate."""

MOST_COUNTS = 64
"""So many reasons, kinds or results there may be, each with its count."""

MOST_ROWS = 4096
"""More than there are sessions, tunnels or certificates in a report."""

Fit = Callable[[object], Any]


def asRow(value: Any) -> object:
    """
    @return: the value, or its parts one after the other.
    """
    if is_dataclass(value):
        return tuple([asRow(getattr(value, name)) for name in namesOfFields(value.__class__)])
    if isinstance(value, tuple):
        return tuple(map(asRow, value))
    return dict(value) if isinstance(value, Mapping) else value


@cache
def namesOfFields(kind: Any) -> tuple[str, ...]:
    """
    @return: those of a dataclass, in order.
    """
    return tuple(field.name for field in fields(kind))


def reportParts(report: Report, most: int) -> Iterator[tuple[object, ...]]:
    """
    @param most: so many sessions are told.
    @return: the report without sessions, and then some sessions at a time.
    """
    told = report.sessions[:most]
    yield (asRow(replace(report, sessions=())),)
    for start in range(0, len(told), SESSIONS_EACH):
        yield tuple(map(asRow, told[start : start + SESSIONS_EACH]))


def fromParts(parts: Sequence[Sequence[object]], found: list[Report]) -> Iterator[None]:
    """
    Read a report, a part at a time.

    @param parts: as L{reportParts} has made them.
    @param found: gets the report at the end.
    @raise PeerError: when they are no such parts.
    """
    if not parts or len(parts[0]) != 1:
        raise NO_REPORT
    report: Report = reading(Report)(parts[0][0])
    read = reading(SessionReport)
    sessions: list[SessionReport] = []
    for part in parts[1:]:
        sessions += [read(row) for row in part]
        yield
    found.append(replace(report, sessions=tuple(sessions)))


NO_REPORT = PeerError("it tells a report that is none")


def _word(value: object) -> str:
    if type(value) is not str or len(value) > MOST_WORD_LETTERS:
        raise NO_REPORT
    return value


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise NO_REPORT
    return value


def _truth(value: object) -> bool:
    if type(value) is not bool:
        raise NO_REPORT
    return value


def _number(value: object) -> float:
    if type(value) not in {int, float} or not math.isfinite(value):  # type: ignore[arg-type]
        raise NO_REPORT
    return value  # type: ignore[return-value]


def _counts(value: object) -> dict[str, int]:
    if type(value) is not dict or len(value) > MOST_COUNTS:
        raise NO_REPORT
    return {_word(name): _whole(number) for name, number in value.items()}


SIMPLE_FITS: dict[object, Fit] = {str: _word, int: _whole, bool: _truth, float: _number, Mapping[str, int]: _counts}
"""How values are read that have no parts."""


@cache
def reading(kind: Any) -> Fit:
    """
    @param kind: of a value of a report.
    @return: makes it of its row; raises PeerError for what is no such row.
    """
    simple = SIMPLE_FITS.get(kind)
    if simple is not None:
        return simple
    if get_origin(kind) is tuple:
        each = reading(get_args(kind)[0])

        def readAll(row: object) -> tuple[Any, ...]:
            if type(row) is not tuple or len(row) > MOST_ROWS:
                raise NO_REPORT
            return tuple(map(each, row))

        return readAll
    hints = get_type_hints(kind)
    parts = [reading(hints[name]) for name in namesOfFields(kind)]

    def readOne(row: object) -> Any:
        if type(row) is not tuple or len(row) != len(parts):
            raise NO_REPORT
        return kind(*[part(value) for part, value in zip(parts, row, strict=True)])

    return readOne
