"""
What the program logs and counts: the log, how often a line may come, and what was dropped.
Nothing here knows what the others do.
"""

from __future__ import annotations

from uotp.telemetry.drops import Drop, Drops
from uotp.telemetry.ends import orLog
from uotp.telemetry.foreign import limitForeignLines
from uotp.telemetry.log import (
    BudgetedLogger,
    Logger,
    logCounted,
    logTo,
    openLogFile,
    parseVerbosity,
    reopenLogFile,
    textObserver,
)
from uotp.telemetry.ratelimit import LineBudget, RateLimit
from uotp.telemetry.spelling import Spelling, spelled

__all__ = [
    "BudgetedLogger",
    "Drop",
    "Drops",
    "LineBudget",
    "Logger",
    "RateLimit",
    "Spelling",
    "limitForeignLines",
    "logCounted",
    "logTo",
    "openLogFile",
    "orLog",
    "parseVerbosity",
    "reopenLogFile",
    "spelled",
    "textObserver",
]
