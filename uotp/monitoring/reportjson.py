"""
A report as JSON, for whoever reads it by a program.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from uotp.monitoring.report import Report


def piecesOfReport(report: Report, encode: Callable[[Any], str]) -> Iterator[bytes]:
    """
    Write a report part by part, so that none of them takes long.

    @param encode: L{compactJson} or L{spacedJson}.
    @return: an object of JSON without the end of a line: first the program, then one session after the other.
    """
    head = {field.name: getattr(report, field.name) for field in fields(report) if field.name != "sessions"}
    yield f'{encode(head)[:-1]},"sessions":['.encode("ascii")
    between = ""
    for session in report.sessions:
        yield f"{between}{encode(session)}".encode("ascii")
        between = ","
    yield b"]}"


def _plain(value: Any) -> object:
    """
    @return: what JSON has for a value that it does not know.
    @raise TypeError: when there is nothing.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {name: getattr(value, name) for name in _namesOf(type(value))}
    if isinstance(value, Mapping):
        return dict(value)
    reason = f"a report holds no {type(value).__name__}"
    raise TypeError(reason)


_NAMES: dict[type, tuple[str, ...]] = {}


def _namesOf(kind: Any) -> tuple[str, ...]:
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = tuple(field.name for field in fields(kind))
    return names


compactJson = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_plain).encode
"""Writes a value, with the names of fields as keys; raises TypeError and ValueError for what JSON has not."""

spacedJson = json.JSONEncoder(allow_nan=False, default=_plain).encode
"""The same, with spaces for whoever looks at it."""
