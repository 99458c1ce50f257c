"""
Statistics of several processes, added up.  They are frozen dataclasses of numbers, of mappings from
names to numbers, and of such dataclasses again; between processes they are numbers with names, as
C{registry.sessions}.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from uotp.errors import PeerError
from uotp.telemetry import Drop, Drops

Statistics = TypeVar("Statistics")

SEPARATOR = "."

DROPS = "drops."
"""How the names of statistics begin that count what was dropped, by the name of the reason."""


def flattened(statistics: Any) -> dict[str, int]:
    """
    @return: all numbers of some statistics by their names.
    """
    found: dict[str, int] = {}
    if isinstance(statistics, Mapping):
        return {str(name): int(value) for name, value in statistics.items()}
    for one in fields(statistics):
        value = getattr(statistics, one.name)
        if isinstance(value, int):
            found[one.name] = value
        else:
            found |= {f"{one.name}{SEPARATOR}{name}": number for name, number in flattened(value).items()}
    return found


def namesOf(kind: Any) -> set[str]:
    """
    @param kind: the dataclass.
    @return: the names of all its numbers, but for those in mappings.
    """
    hints = get_type_hints(kind)
    found: set[str] = set()
    for one in fields(kind):
        part = hints[one.name]
        if part is int:
            found.add(one.name)
        elif is_dataclass(part):
            found |= {f"{one.name}{SEPARATOR}{name}" for name in namesOf(part)}
    return found


def gathered(kind: type[Statistics], values: Mapping[str, int]) -> Statistics:
    """
    @param kind: the dataclass.
    @param values: as L{flattened} gives them.  What is missing is 0, and what is unknown is left out.
    @return: the statistics.
    """
    return _gathered(kind, values, "")  # type: ignore[no-any-return]


def _gathered(kind: Any, values: Mapping[str, int], prefix: str) -> Any:
    if not is_dataclass(kind):
        return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    hints = get_type_hints(kind)
    make: Any = kind
    return make(
        **{
            one.name: values.get(prefix + one.name, 0)
            if hints[one.name] is int
            else _gathered(hints[one.name], values, f"{prefix}{one.name}{SEPARATOR}")
            for one in fields(kind)
        }
    )


def countDropped(drops: Drops, grown: Mapping[str, int]) -> None:
    """
    Count what a worker has dropped among what its parent reports.

    @param grown: by how much some statistics of the worker have grown.
    """
    for name, number in grown.items():
        reason = name.removeprefix(DROPS)
        if number > 0 and reason != name and reason in Drop.__members__:
            drops.count(Drop[reason], number)


class Sums:
    """
    Adds up what workers tell.  What counts up since the beginning stays counted when a worker is gone;
    what tells how things are now is gone with it.
    """

    def __init__(self, kind: type, current: Iterable[str], counted: Iterable[str] = ()) -> None:
        """
        @param kind: the dataclass of what each worker tells.  One of its mappings counts what was dropped.
        @param current: the names of what tells how things are now.
        @param counted: the names of what its other mappings count.
        """
        self._known = namesOf(kind) | {DROPS + name for name in Drop.__members__} | set(counted)
        self._current = frozenset(current)
        self._told: dict[int, dict[str, int]] = {}
        self._past: Counter[str] = Counter()

    def tell(self, worker: int, values: Mapping[str, int]) -> dict[str, int]:
        """
        A worker tells all its numbers.

        @return: by how much each has grown since it has told it last.
        @raise PeerError: when there are no such numbers.
        """
        if not values.keys() <= self._known:
            reason = "it has statistics that there are not"
            raise PeerError(reason)
        before = self._told.get(worker, {})
        self._told[worker] = dict(values)
        return {name: value - before.get(name, 0) for name, value in values.items()}

    def gone(self, worker: int) -> None:
        """
        A worker has ended.
        """
        for name, value in self._told.pop(worker, {}).items():
            if name not in self._current:
                self._past[name] += value

    def total(self) -> dict[str, int]:
        """
        @return: the sum of all.
        """
        total = Counter(self._past)
        for told in self._told.values():
            total.update(told)
        return dict(total)
