"""
In which format lines of the log are written: text, or JSON.  That is the format of files and of standard
error, also of those that twistd has opened; syslog has its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Enum
from typing import Any

from twisted.logger import FileLogObserver, ILogObserver, LogEvent, LogLevel, formatEventAsClassicLogText

from uotp.telemetry.jsonlines import jsonLine
from uotp.telemetry.log import heardOnly, textObserver

JOURNAL_VARIABLE = "JOURNAL_STREAM"
"""Names the device and the inode of the stream that leads to systemd's journal (systemd.exec(5))."""

PRIORITIES = {
    LogLevel.debug: 7,
    LogLevel.info: 6,
    LogLevel.warn: 4,
    LogLevel.error: 3,
    LogLevel.critical: 2,
}
"""Levels of the log by the numbers of syslog, which the journal reads at the beginning of a line (sd-daemon(3))."""


class LogFormat(Enum):
    """
    Names a format of the lines of the log.
    """

    TEXT = "text"
    JSON = "json"


def parseLogFormat(word: str) -> LogFormat:
    """
    @raise ValueError: in words.
    """
    try:
        return LogFormat(word)
    except ValueError as error:
        reason = f"one of {', '.join(each.value for each in LogFormat)} is needed"
        raise ValueError(reason) from error


def lineObserver(stream: Any, form: LogFormat = LogFormat.TEXT, *, isJournal: bool = False) -> ILogObserver:
    """
    @param stream: a text file, or what has its C{write} and C{flush}.
    @param isJournal: whether it leads to systemd's journal, which has a time for each line itself.
    @return: an observer that writes lines to it, and keeps Twisted's own to our threshold too.
    """
    if form is LogFormat.TEXT and not isJournal:
        return textObserver(stream)
    return heardOnly(FileLogObserver(stream, jsonLine if form is LogFormat.JSON else journalLines))


def leadsToJournal(stream: Any, environment: Mapping[str, str]) -> bool:
    """
    @param stream: standard error.
    @param environment: of this process.
    @return: whether systemd's journal reads what is written there.
    """
    told = environment.get(JOURNAL_VARIABLE)
    if told is None:
        return False
    try:
        status = os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):
        return False
    return told == f"{status.st_dev}:{status.st_ino}"


def journalLines(event: LogEvent) -> str | None:
    """
    @return: an event as text, each line with its priority before it, since the journal takes each for an
        entry of its own; without a time.
    """
    text = formatEventAsClassicLogText(event, formatTime=lambda _: "")
    if text is None:
        return None
    mark = f"<{PRIORITIES.get(event.get('log_level'), PRIORITIES[LogLevel.info])}>"
    return "".join(f"{mark}{line.removeprefix(' ')}\n" for line in text.splitlines())


def fileOf(observer: object) -> Any:
    """
    @return: where an observer of Twisted's writes its lines to, or L{None} for any other.
    """
    return observer._outFile if isinstance(observer, FileLogObserver) else None  # noqa: SLF001 - tests/test_internals.py has it


def inFormat(observer: ILogObserver, form: LogFormat) -> ILogObserver:
    """
    @param observer: one that somebody else has made, twistd for example.
    @return: what writes to the same file in a format; the observer itself where it writes to none, or text
        is wanted.
    """
    file = fileOf(observer)
    return observer if file is None or form is LogFormat.TEXT else FileLogObserver(file, jsonLine)
