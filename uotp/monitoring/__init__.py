"""
What an operator sees of a program that runs: its report, and how that is shown.
"""

from __future__ import annotations

from uotp.monitoring.control import ControlService
from uotp.monitoring.controlplace import ControlPlace, usualDirectory
from uotp.monitoring.report import Report, Reporter, SessionReport, Traffic, TunnelReport
from uotp.monitoring.reporting import (
    MOST_TUNNELS,
    Ended,
    ProcessReporter,
    SessionSums,
    reloaded,
)
from uotp.monitoring.seen import certificatesOf, dropsOf, lowered, placeWords, sessionReport, tunnelReport

__all__ = [
    "MOST_TUNNELS",
    "ControlPlace",
    "ControlService",
    "Ended",
    "ProcessReporter",
    "Report",
    "Reporter",
    "SessionReport",
    "SessionSums",
    "Traffic",
    "TunnelReport",
    "certificatesOf",
    "dropsOf",
    "lowered",
    "placeWords",
    "reloaded",
    "sessionReport",
    "tunnelReport",
    "usualDirectory",
]
