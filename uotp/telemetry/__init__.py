"""
What the program logs and counts: the log, how often a line may come, and what was dropped.
Nothing here knows what the others do.
"""

from __future__ import annotations

from uotp.telemetry.drops import Drop, DropCounter, Drops, SessionDrops
from uotp.telemetry.ends import orLog
from uotp.telemetry.forwarding import ForwardingObserver
from uotp.telemetry.log import (
    BudgetedLogger,
    Logger,
    logCounted,
    parseVerbosity,
    textObserver,
)
from uotp.telemetry.logfile import LogFile, sayLast, unbuffered
from uotp.telemetry.logformat import LogFormat, leadsToJournal, lineObserver, parseLogFormat
from uotp.telemetry.processlog import ProcessLog
from uotp.telemetry.ratelimit import LineBudget, RateLimit, causeOf
from uotp.telemetry.spelling import Spelling, spelled
from uotp.telemetry.workerlines import publishLine

__all__ = [
    "BudgetedLogger",
    "Drop",
    "DropCounter",
    "Drops",
    "ForwardingObserver",
    "LineBudget",
    "LogFile",
    "LogFormat",
    "Logger",
    "ProcessLog",
    "RateLimit",
    "SessionDrops",
    "Spelling",
    "causeOf",
    "leadsToJournal",
    "lineObserver",
    "logCounted",
    "orLog",
    "parseLogFormat",
    "parseVerbosity",
    "publishLine",
    "sayLast",
    "spelled",
    "textObserver",
    "unbuffered",
]
