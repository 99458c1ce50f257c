"""
The log: how much is logged, and where to.  The threshold is kept in our own logger, so
that it works with every observer that twistd can be given.
"""

from __future__ import annotations

from typing import Any, ClassVar

import twisted.logger
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    textFileLogObserver,
)

from uotp.telemetry.ratelimit import LineBudget, again

VERBOSITIES = {
    "debug": LogLevel.debug,
    "info": LogLevel.info,
    "warn": LogLevel.warn,
    "error": LogLevel.error,
    "fatal": LogLevel.critical,
}
"""Levels of the log by the words that a user has for them."""


class Logger(twisted.logger.Logger):
    """
    Logs nothing below a threshold, which is the same for the whole program.
    """

    threshold: ClassVar[Any] = LogLevel.info

    @staticmethod
    def hears(level: Any) -> bool:
        """
        @return: whether a line of this level is logged, for whoever would do work for it.
        """
        return bool(level >= Logger.threshold)

    def emit(self, level: Any, format: str | None = None, **kwargs: object) -> None:  # noqa: A002 - Twisted's word
        """
        Log an event, if its level reaches the threshold.
        """
        if level >= Logger.threshold:
            super().emit(level, format, **kwargs)


def logCounted(log: twisted.logger.Logger, level: Any, suppressed: int | None, words: str, **fields: object) -> None:
    """
    Log an event that stands for others too, or leave it out.

    @param suppressed: how many were suppressed before it, as L{uotp.telemetry.ratelimit} counts
        them, or L{None} when this one is.
    """
    if suppressed:
        log.emit(level, words + "{againWords}", againWords=again(suppressed), suppressed=suppressed, **fields)
    elif suppressed is not None:
        log.emit(level, words, **fields)


class BudgetedLogger:
    """
    Logs events that strangers can cause, no more of them than a budget allows.
    """

    def __init__(self, log: twisted.logger.Logger, budget: LineBudget) -> None:
        """
        @param log: where the lines go.
        @param budget: how many lines there may be.
        """
        self._log = log
        self._budget = budget

    def info(self, words: str, **fields: object) -> None:
        """
        Log an event, with the number of those that were suppressed before it.
        """
        logCounted(self._log, LogLevel.info, self._budget.spend(), words, **fields)


def parseVerbosity(word: str) -> Any:
    """
    @return: the lowest level that is logged.
    @raise ValueError: in words.
    """
    if word not in VERBOSITIES:
        reason = f"one of {', '.join(VERBOSITIES)} is needed"
        raise ValueError(reason)
    return VERBOSITIES[word]


def textObserver(logFile: Any) -> ILogObserver:
    """
    @param logFile: a text file, or what has its C{write} and C{flush}.
    @return: an observer that writes to it, and keeps Twisted's own lines to our
        threshold too.
    """
    return heardOnly(textFileLogObserver(logFile))


def heardOnly(observer: ILogObserver) -> ILogObserver:
    """
    @return: what hands an observer the events that reach our threshold, also those of others.
    """
    return FilteringLogObserver(observer, [LogLevelFilterPredicate(defaultLogLevel=Logger.threshold)])
