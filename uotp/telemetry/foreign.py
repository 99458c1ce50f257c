"""
Lines that our packages did not log: Twisted has loggers of its own, and strangers can make them
speak as often as they like, three times for each connection when descriptors run out, for
example.  Here they get a budget, as our own lines have one where strangers cause them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable

from twisted.logger import LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure

from uotp.telemetry.log import Logger
from uotp.telemetry.ratelimit import RateLimit

OURS = "uotp"

FORWARDED = "log_forwarded"
"""Key of events that another process of ours has logged, where they had their limit."""

LEGACY = "log_legacy"
"""The namespace of what was logged in Twisted's old way."""

TEXTS = frozenset({None, "{log_text}", "{log_io}"})
"""Formats of what has none: it was logged in Twisted's old way, or printed."""

_PORT_LINE = re.compile(r"\S+ starting on \d+|\(.+ Port \d+ Closed\)")
"""What Twisted says of each of its ports; who runs the program has our own line of where it listens."""

_NUMBER = re.compile(r"\d+")


class ForeignLines:
    """
    Hands log events on to observers: all of ours, but those of others only as often as a
    L{RateLimit} allows, and those about Twisted's ports at C{debug} only.  Errors with a traceback
    count as others' whoever logs them, and have a limit of their own, so that the first of each kind
    is said whatever else is.  What another process of ours has handed on is not counted a second
    time.
    """

    _log = Logger()

    def __init__(self, observer: Callable[[LogEvent], None], clock: Callable[[], float]) -> None:
        """
        @param observer: gets the events.
        @param clock: monotonic seconds.
        """
        self._observer = observer
        self._lines = RateLimit(clock)
        self._errors = RateLimit(clock)

    def __call__(self, event: LogEvent) -> None:
        """
        Hand an event on, or count it.  How many were left out is said by a line of our own,
        since each kind of observer writes the event in its own way.
        """
        if _isOfPort(event):
            if not Logger.hears(LogLevel.debug):
                return
            event = {**event, "log_level": LogLevel.debug}
        isError = "log_failure" in event or event.get("log_level") is LogLevel.critical
        if FORWARDED not in event and (isError or not _isOurs(event)):
            limit = self._errors if isError else self._lines
            suppressed = limit.suppressedBefore(_kindOf(event))
            if suppressed is None:
                return
            if suppressed:
                level = event.get("log_level") or LogLevel.info
                self._log.emit(level, "{count} lines like the next one were not said before it", count=suppressed)
        self._observer(event)


def _isOfPort(event: LogEvent) -> bool:
    if event.get("log_namespace") != LEGACY or event.get("log_level") is not LogLevel.info:
        return False
    return _PORT_LINE.fullmatch(str(event.get("log_text"))) is not None


def _isOurs(event: LogEvent) -> bool:
    namespace = str(event.get("log_namespace", ""))
    return namespace == OURS or namespace.startswith(OURS + ".")


def _kindOf(event: LogEvent) -> Hashable:
    """
    @return: what is equal for events that come from one place.  There are as many as there are
        such places: nothing that a peer has sent is in it, but for the text of lines that were
        logged in Twisted's old way, without a format, or printed.
    """
    failure = event.get("log_failure") or event.get("failure")
    if isinstance(failure, Failure):
        return failure.type, failure.frames[-1][:3] if failure.frames else None
    words = event.get("log_format")
    if words in TEXTS:
        words = event.get("format") or _NUMBER.sub("", formatEvent(event))
    elif "warning" in event:  # of Python's own: all of them have one format
        words = event.get("filename"), event.get("lineno")
    return event.get("log_namespace"), event.get("log_level"), words
