"""
Events of the log as they can be kept and written later, by another thread: with the text of
things that may change meanwhile, and without the frames of errors, which would keep alive whatever
was at work.
"""

from __future__ import annotations

import copy
from typing import Any

from twisted.logger import LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure
from twisted.python.reflect import safe_str

from uotp.telemetry.outlet import LINE_BYTES

CONSTANT = frozenset({str, bytes, int, float, bool, type(None), type(LogLevel.info)})
"""Types of values that cannot change."""

WHO = ("log_logger", "log_source")
"""Keys whose values are objects at work, which are not kept.  No format of ours shows them."""

FAILURE_BYTES = 4096
"""An error with its traceback is counted as so many bytes besides its words."""


def frozen(event: LogEvent) -> tuple[LogEvent, int]:
    """
    @param event: as it was logged; it is not changed.
    @return: what stands for it later, and about how many bytes that takes.
    """
    kept = dict(event)
    size = LINE_BYTES
    isConstant = True
    for key, value in event.items():
        if isinstance(value, Failure):
            kept[key], length = said(value)
            size += length
        elif isinstance(value, str | bytes):
            size += len(value)
        elif type(value) not in CONSTANT and key not in WHO:
            isConstant = False
    words = event.get("log_format")
    if words not in {None, "{log_text}"} and not (isConstant and "{log_source" not in words):
        kept["log_text"] = text = formatEvent(event)
        kept["log_format"] = "{log_text}"
        size += len(text)
    for key in WHO:
        kept.pop(key, None)
    return kept, size


def said(failure: Failure) -> tuple[Failure, int]:
    """
    @return: a failure with the same traceback and words that keeps nothing else alive, and about
        how many bytes it takes.
    """
    words = safe_str(failure.value)
    cleaned: Any = copy.copy(failure)
    cleaned.value = Exception(words)
    return cleaned, FAILURE_BYTES + len(words)
