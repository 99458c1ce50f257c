"""
What an operator sees of a program that runs: its report, and how that is shown.
"""

from __future__ import annotations

from uotp.monitoring.report import Report, Reporter, SessionReport, Traffic, TunnelReport
from uotp.monitoring.reporting import (
    DISCONNECTED,
    MOST_TUNNELS,
    Ended,
    ProcessReporter,
    SessionSums,
    reloaded,
    wanted,
)
from uotp.monitoring.seen import certificatesOf, lowered, placeWords, sessionReport, tunnelReport

__all__ = [
    "DISCONNECTED",
    "MOST_TUNNELS",
    "Ended",
    "ProcessReporter",
    "Report",
    "Reporter",
    "SessionReport",
    "SessionSums",
    "Traffic",
    "TunnelReport",
    "certificatesOf",
    "lowered",
    "placeWords",
    "reloaded",
    "sessionReport",
    "tunnelReport",
    "wanted",
]
