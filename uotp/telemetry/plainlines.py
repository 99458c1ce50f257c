"""
Log events as plain values, in which one process hands them to another.  The values can be encoded
as JSON and have a bound, and they mean nothing but text, numbers and a format that can do no more
than put these together.  L{uotp.telemetry.workerlines} makes events of them again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from string import Formatter
from typing import Any

from twisted.logger import LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure
from twisted.python.reflect import safe_repr, safe_str

WORDS_BYTES = 4096
NAMESPACE_BYTES = 256
TRACEBACK_BYTES = 6144
FIELD_BYTES = 1024
FIELDS_BYTES = 4096
"""
So many bytes a line may have of words, of a traceback, in one field and in all fields with their names,
as JSON.
"""

NAME_LENGTH = 64
"""The name of a field has so many characters at the most."""

LINE_VALUES_BYTES = 16 * 1024
"""A line takes no more than this in all, as JSON."""

CUT = "[...]"
"""Stands where something was cut off."""

MOST_INTEGER = 2**63
"""Numbers from this on, either way, are text: not every reader of JSON knows them."""

LATEST = 2**33
"""No time after this, in the year 2242, is believed: some cannot be written as a date at all."""

PLAIN = (str, bool, int, float, type(None))

LEVELS = {level.name: level for level in LogLevel.iterconstants()}
"""The levels of Twisted's by their names."""

RESERVED_NAMES = frozenset({"worker", "traceback", "message", "time", "system", "format", "isError", "failure", "why"})
"""
Names that no field has: the receiver's own, and those that Twisted's observers of the old kind act by.
Nor has any a name that begins with C{log_}.
"""

_NAME = re.compile(rf"(?!log_)[A-Za-z_][A-Za-z0-9_]{{0,{NAME_LENGTH - 1}}}")

# alignment, sign, zeros, width, thousands, precision and type: "{took:.1f}", but no "{x:999999999}"
_SPECIFICATION = re.compile(r"[<>^]?[+ -]?0?\d{0,2}[,_]?(?:\.\d{1,2})?[bdeEfFgGosxX%]?")


def plainValues(event: LogEvent) -> dict[str, Any]:
    """
    Turn an event into plain values.  The format goes along where it gives the same words with plain
    fields; otherwise the words do.

    @param event: as it was logged; it is not changed.
    @return: what L{json.dumps} takes: C{level}, C{namespace}, C{time}, either C{format} or C{text},
        C{fields}, and C{traceback} where there is one.
    """
    level, when, failure = _levelOf(event), event.get("log_time"), event.get("log_failure")
    words = clean(formatEvent(event))
    fields = _plainFields(event)
    values: dict[str, Any] = {
        "level": level,
        "namespace": cutTo(clean(safe_str(event.get("log_namespace", "-"))), NAMESPACE_BYTES),
        "time": when if isTime(when) else None,
        "fields": fields,
    }
    said = event.get("log_format")
    pattern = clean(said) if isinstance(said, str) else None
    if pattern is not None and wordsOf(pattern, fields) == words:
        values["format"] = pattern
    else:
        values["text"] = cutTo(words, WORDS_BYTES)
    if failure is not None:
        values["traceback"] = cutTo(clean(_tracebackOf(failure)), TRACEBACK_BYTES, end=True)
    return values


def _levelOf(event: LogEvent) -> str:
    name = getattr(event.get("log_level"), "name", None)
    return name if isinstance(name, str) and name in LEVELS else LogLevel.info.name


def _tracebackOf(failure: object) -> str:
    return failure.getTraceback() if isinstance(failure, Failure) else safe_str(failure)


def isTime(value: object) -> bool:
    """
    @return: whether a value is a time that can be written in a log.
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LATEST


def isPlain(value: object) -> bool:
    """
    @return: whether a value may be one of a field: JSON has it, and it cannot do anything.
    """
    if type(value) is int:
        return abs(value) < MOST_INTEGER
    return type(value) in PLAIN and not (isinstance(value, float) and not math.isfinite(value))


def isFieldName(name: object) -> bool:
    """
    @return: whether a field may have this name.
    """
    return isinstance(name, str) and _NAME.fullmatch(name) is not None and name not in RESERVED_NAMES


def wordsOf(pattern: str, fields: Mapping[str, Any]) -> str | None:
    """
    Put fields into a format, as long as it is simple: it names fields, perhaps with how to write
    them, and nothing inside them.  In Twisted's formats C{{x.__class__}} is an attribute and
    C{{x()}} a call, and with plain values too one reaches all of the program by these.

    @param pattern: the format.
    @param fields: plain values.
    @return: the words, or L{None} when the format is not simple, or the words are too long.
    """
    if encodedBytes(pattern) > WORDS_BYTES:
        return None
    try:
        for _, name, specification, conversion in Formatter().parse(pattern):
            if name is None:
                continue
            if name not in fields or conversion not in {None, "r", "s"}:
                return None
            if not _SPECIFICATION.fullmatch(specification or ""):
                return None
        words = clean(Formatter().vformat(pattern, (), fields))
    except (ValueError, TypeError):  # a brace too many, a number's specification for a text or for nothing
        return None
    return words if encodedBytes(words) <= WORDS_BYTES else None


def _plainFields(event: LogEvent) -> dict[str, Any]:
    """
    @return: those fields of an event that may be handed on, as far as there is room.
    """
    fields: dict[str, Any] = {}
    left = FIELDS_BYTES - len("{}")
    for name, value in event.items():
        if isFieldName(name):
            plain = value if isPlain(value) else _textOf(value)
            if isinstance(plain, str):
                plain = cutTo(clean(plain), FIELD_BYTES)
            size = encodedBytes(name) + len('"": "", ') + encodedBytes(plain)
            if size <= left:
                fields[name] = plain
                left -= size
    return fields


def _textOf(value: object) -> str:
    """
    @return: what a format has for a value that it names and says no more about.
    """
    try:
        return format(value)
    except Exception:  # noqa: BLE001 - whatever is logged, it can be said that it was
        return str(safe_repr(value))


def clean(text: str) -> str:
    """
    @return: a text without what UTF-8 has no bytes for, as the log's files have it.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def encodedBytes(value: object) -> int:
    """
    @return: how many bytes a plain value takes as JSON at the most; of a text, without the quotes.
    """
    length = len(json.dumps(value))
    return length - len('""') if isinstance(value, str) else length


def cutTo(text: str, most: int, *, end: bool = False) -> str:
    """
    Cut a text that is too long, and show that it was.

    @param most: so many bytes it may take as JSON.
    @param end: whether to keep its end, and not its beginning.
    @return: the text, or as much of it as there is room for beside L{CUT}.
    """
    if encodedBytes(text) <= most:
        return text
    least, beyond = 0, most  # so many characters fit, and so many do not
    while beyond - least > 1:
        middle = (least + beyond) // 2
        if encodedBytes(text[-middle:] if end else text[:middle]) <= most - len(CUT):
            least = middle
        else:
            beyond = middle
    return CUT + text[len(text) - least :] if end else text[:least] + CUT
