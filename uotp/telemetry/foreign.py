"""
Lines that our packages did not log: Twisted has loggers of its own, and strangers can make them
speak as often as they like, three times for each connection when descriptors run out, for
example.  Here they get a budget, as our own lines have one where strangers cause them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import Any

from twisted.logger import ILogObserver, LogEvent, LogLevel, LogPublisher, formatEvent

from uotp.telemetry.log import Logger
from uotp.telemetry.ratelimit import RateLimit

OURS = "uotp"

_NUMBER = re.compile(r"\d+")


class ForeignLines:
    """
    Hands log events on to observers: all of ours, but those of others only as often as a
    L{RateLimit} allows.  Errors with a traceback count as others' whoever logs them, and have a
    limit of their own, so that the first of each kind is said whatever else is.
    """

    _log = Logger()

    def __init__(self, observer: ILogObserver, clock: Callable[[], float]) -> None:
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
        isError = "log_failure" in event or event.get("log_level") is LogLevel.critical
        if isError or not _isOurs(event):
            limit = self._errors if isError else self._lines
            suppressed = limit.suppressedBefore(_kindOf(event))
            if suppressed is None:
                return
            if suppressed:
                level = event.get("log_level") or LogLevel.info
                self._log.emit(level, "{count} lines like the next one were not said before it", count=suppressed)
        self._observer(event)


def limitForeignLines(publisher: Any, clock: Callable[[], float]) -> None:
    """
    Let all observers of the log get the lines of others in measure, whoever has added them:
    also those of C{twistd --logfile}, C{--syslog} and C{--logger}, which twistd makes itself.
    One that is added later gets everything.

    @param publisher: Twisted's C{LogPublisher}, when logging has begun.
    @param clock: monotonic seconds.
    """
    observers = list(publisher._observers)  # noqa: SLF001 - tests/test_internals.py has it
    limited = ForeignLines(LogPublisher(*observers), clock)
    for observer in observers:
        publisher.removeObserver(observer)
    publisher.addObserver(limited)


def _isOurs(event: LogEvent) -> bool:
    namespace = str(event.get("log_namespace", ""))
    return namespace == OURS or namespace.startswith(OURS + ".")


def _kindOf(event: LogEvent) -> Hashable:
    """
    @return: what is equal for events that come from one place.  There are as many as there are
        such places: nothing that a peer has sent is in it, but for the text of lines that were
        logged in Twisted's old way, without a format.
    """
    failure = event.get("log_failure")
    if failure is not None:
        return failure.type, failure.frames[-1][:3] if failure.frames else None
    words = event.get("log_format")
    if words in {None, "{log_text}"}:
        words = event.get("format") or _NUMBER.sub("", formatEvent(event))
    return event.get("log_namespace"), event.get("log_level"), words
