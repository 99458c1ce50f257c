"""
Log events as JSON, one object a line.  Each field of an event is a key of its own with one value, so that
whoever reads the log can select by it.  Whatever a field holds, a line has a bound, and is ASCII without
control characters but for its end.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from twisted.logger import LogEvent

from uotp.telemetry.foreign import FORWARDED
from uotp.telemetry.plainlines import WORDS_BYTES, cutTo, plainValues, wordsOf
from uotp.telemetry.workerlines import PREFIX

PROSE = "Words"
"""
A field whose name ends so is made for the text alone: part of a sentence, which is empty where there is
nothing to say.  What it says stands in fields of their own too, so JSON leaves it out.
"""

OWN_KEYS = ("time", "level", "logger", "message", "worker", "traceback")
"""The keys of every line, in their order; the last two where there is something to say.  No field has one of them."""

TRACEBACK_END = "\n{traceback}"
"""So the format of a worker's error ends in its parent: JSON has the traceback apart."""


def jsonLine(event: LogEvent) -> str:
    """
    @param event: as an observer gets it.
    @return: one line with its end.
    """
    isForwarded = FORWARDED in event
    values = plainValues(_unwrapped(event) if isForwarded else event)
    fields: dict[str, Any] = values["fields"]
    words = values["text"] if "format" not in values else wordsOf(values["format"], fields)
    told: dict[str, Any] = {
        "time": rfc3339(values["time"]),
        "level": values["level"],
        "logger": values["namespace"],
        "message": cutTo(words or "", WORDS_BYTES),
    }
    if isinstance(event.get("worker"), int):
        told["worker"] = event["worker"]
    traceback = event.get("traceback") if isForwarded else values.get("traceback")
    if isinstance(traceback, str):
        told["traceback"] = traceback
    kept = {name: value for name, value in fields.items() if name not in OWN_KEYS and not name.endswith(PROSE)}
    # DEL is ASCII, and the only control character that JSON leaves as it is.
    return json.dumps({**told, **kept}).replace("\x7f", "\\u007f") + "\n"


def rfc3339(seconds: float | None) -> str | None:
    """
    @param seconds: since 1970.
    @return: the time in UTC as RFC 3339 has it, to the microsecond; L{None} where it is not known.
    """
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _unwrapped(event: LogEvent) -> LogEvent:
    """
    @return: a worker's event without what its parent has put around the words for the text.
    """
    words = event.get("log_format")
    if not isinstance(words, str):
        return event
    return {**event, "log_format": words.removeprefix(PREFIX).removesuffix(TRACEBACK_END)}
