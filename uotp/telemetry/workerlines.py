"""
Lines that a worker process has logged, in the log of its parent.  What came is looked at before
anything is made of it: a worker deals with strangers, and the parent may be somebody whom they must
not reach.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from twisted.logger import LogEvent, globalLogPublisher

from uotp.telemetry.foreign import FORWARDED
from uotp.telemetry.plainlines import (
    FIELDS_BYTES,
    LEVELS,
    NAMESPACE_BYTES,
    TRACEBACK_BYTES,
    WORDS_BYTES,
    encodedBytes,
    isFieldName,
    isPlain,
    isTime,
    wordsOf,
)

PREFIX = "worker {worker}: "


def publishLine(values: object, worker: int, publish: Callable[[LogEvent], Any] = globalLogPublisher) -> None:
    """
    Log here what a worker has logged: the same words with the number of the worker before them, level,
    namespace and time.

    @param values: what came, as L{uotp.telemetry.plainlines.plainValues} has made it.
    @param worker: the number of the worker.
    @param publish: logs an event.
    @raise ValueError: in words, when it is no line.
    """
    publish(eventOf(values, worker))


def eventOf(values: object, worker: int) -> LogEvent:
    """
    Make an event of a line.  A format that is not simple is shown as it is.

    @param values: see L{publishLine}, as for the rest.
    @param worker: the number of the worker.
    @return: an event with plain values and a field C{worker}.
    @raise ValueError: in words, when it is no line.
    """
    if not isinstance(values, dict):
        _refuse("values")
    fields, when, level = values.get("fields"), values.get("time"), values.get("level")
    if not isinstance(level, str) or level not in LEVELS:
        _refuse("level")
    if when is not None and not isTime(when):
        _refuse("time")
    if not isinstance(fields, dict) or not _arePlain(fields):
        _refuse("fields")
    namespace = _text(values, "namespace", NAMESPACE_BYTES)
    event: LogEvent = {
        **fields,
        "worker": worker,
        "log_level": LEVELS[level],
        "log_namespace": namespace,
        "log_time": when,
        FORWARDED: True,
    }
    pattern = values.get("format")
    if isinstance(pattern, str) and wordsOf(pattern, fields) is not None:
        event["log_format"] = PREFIX + pattern
    else:
        event["log_format"] = PREFIX + "{log_text}"
        event["log_text"] = _text(values, "text" if pattern is None else "format", WORDS_BYTES)
    if values.get("traceback") is not None:
        event["traceback"] = _text(values, "traceback", TRACEBACK_BYTES)
        event["log_format"] += "\n{traceback}"
    return event


def _text(values: dict[str, Any], key: str, most: int) -> str:
    """
    @raise ValueError: when it is no text, or too long.
    """
    text = values.get(key)
    if not isinstance(text, str) or encodedBytes(text) > most:
        _refuse(key)
    return text


def _arePlain(fields: dict[Any, Any]) -> bool:
    areGood = all(isFieldName(name) and isPlain(value) for name, value in fields.items())
    return areGood and encodedBytes(fields) <= FIELDS_BYTES


def _refuse(what: str) -> NoReturn:
    message = f"a log line of a worker has no proper {what}"
    raise ValueError(message)
