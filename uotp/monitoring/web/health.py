"""
Whether the program does its work, for whoever restarts it or sends it traffic.
"""

from __future__ import annotations

import json

from uotp.monitoring.report import Report
from uotp.monitoring.web.answers import JSON, HttpAnswer, plain

HEALTHY, SICK = 200, 503


def health(report: Report, accept: str) -> HttpAnswer:
    """
    @param accept: what kinds of text the asker takes.
    @return: that all is well, or why it is not; a worker that says nothing is such a reason.
    """
    silent = [worker for worker in report.workers if not worker.isTold]
    trouble = report.trouble
    if not trouble and silent:
        words = ", ".join(f"worker {worker.number} ({worker.state})" for worker in silent)
        trouble = f"no answer from {words}"
    status = SICK if trouble else HEALTHY
    if JSON in accept:
        told = {"ready": not trouble, "trouble": trouble, "end": report.end, "version": report.version}
        return HttpAnswer(status, JSON, (json.dumps(told).encode(),))
    return plain(status, trouble or "ok")
