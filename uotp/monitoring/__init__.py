"""
What an operator sees of a program that runs: its report, and how that is shown.
"""

from __future__ import annotations

from uotp.monitoring.control import ControlService
from uotp.monitoring.controlplace import ControlPlace, foundSockets, searchedDirectories, usualDirectory
from uotp.monitoring.controlwire import (
    ASK_DISCONNECT,
    ASK_RELOAD,
    ASK_REPORT,
    CONTROL_VERSION,
    ControlRequest,
    encodeRequest,
)
from uotp.monitoring.gathering import ParentReporter
from uotp.monitoring.report import (
    CertificateReport,
    Report,
    Reporter,
    SessionReport,
    Traffic,
    TunnelReport,
    WorkerReport,
)
from uotp.monitoring.reporting import (
    MOST_TUNNELS,
    Ended,
    ProcessReporter,
    SessionSums,
)
from uotp.monitoring.rows import reportParts
from uotp.monitoring.seen import (
    ReportedService,
    commonReport,
    dropsOf,
    lowered,
    placeWords,
    sessionReport,
    tunnelReport,
)

__all__ = [
    "ASK_DISCONNECT",
    "ASK_RELOAD",
    "ASK_REPORT",
    "CONTROL_VERSION",
    "MOST_TUNNELS",
    "CertificateReport",
    "ControlPlace",
    "ControlRequest",
    "ControlService",
    "Ended",
    "ParentReporter",
    "ProcessReporter",
    "Report",
    "ReportedService",
    "Reporter",
    "SessionReport",
    "SessionSums",
    "Traffic",
    "TunnelReport",
    "WorkerReport",
    "commonReport",
    "dropsOf",
    "encodeRequest",
    "foundSockets",
    "lowered",
    "placeWords",
    "reportParts",
    "searchedDirectories",
    "sessionReport",
    "tunnelReport",
    "usualDirectory",
]
