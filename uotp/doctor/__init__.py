"""
Finds out why nothing passes: an examination of the way from a client to its server and to the target behind it,
step by step.  It connects as the client does, and judges what comes of it.  Nothing here prints.
"""

from __future__ import annotations

from uotp.doctor.examination import Examination
from uotp.doctor.findings import ExamStep, Finding, Outcome, exitStatusOf
from uotp.doctor.machine import SystemMachine
from uotp.doctor.settings import RATE_TEST_SECONDS, DoctorSettings

__all__ = [
    "RATE_TEST_SECONDS",
    "DoctorSettings",
    "ExamStep",
    "Examination",
    "Finding",
    "Outcome",
    "SystemMachine",
    "exitStatusOf",
]
