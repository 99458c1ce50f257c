"""
Workers: processes of ours that a parent keeps alive, and leads by messages over UNIX sockets,
which may carry descriptors.  Nothing here knows what they work at.
"""

from __future__ import annotations

from uotp.workers.descriptors import Descriptors, closeAll
from uotp.workers.groups import ListeningGroup, ListenNoMore, ListenOn
from uotp.workers.launching import ProcessLauncher
from uotp.workers.owner import WorkerStatistics
from uotp.workers.reasons import oneLine
from uotp.workers.seams import CHANNEL_DESCRIPTOR, Launch
from uotp.workers.sums import Sums, gathered
from uotp.workers.work import WORK, BeginWork, TellLine
from uotp.workers.workerend import WorkerEnd, joinParent
from uotp.workers.workforce import Workforce
from uotp.workers.working import Working

__all__ = [
    "CHANNEL_DESCRIPTOR",
    "WORK",
    "BeginWork",
    "Descriptors",
    "Launch",
    "ListenNoMore",
    "ListenOn",
    "ListeningGroup",
    "ProcessLauncher",
    "Sums",
    "TellLine",
    "WorkerEnd",
    "WorkerStatistics",
    "Workforce",
    "Working",
    "closeAll",
    "gathered",
    "joinParent",
    "oneLine",
]
