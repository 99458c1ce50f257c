"""
Workers: processes of ours that a parent keeps alive, and leads by messages over UNIX sockets,
which may carry descriptors.  Nothing here knows what they work at.
"""

from __future__ import annotations

from uotp.workers.channel import ChannelLimits, MessageChannel
from uotp.workers.descriptors import Descriptors, DescriptorsLost
from uotp.workers.launching import ProcessLauncher
from uotp.workers.member import MemberOwner, WorkerEnd, joinParent
from uotp.workers.parts import Parts
from uotp.workers.process import CHANNEL_DESCRIPTOR, Launch, WorkerProcess
from uotp.workers.supervisor import Supervisor
from uotp.workers.worker import WorkerPace, WorkersOwner, WorkerStatistics
from uotp.workers.workerstates import WorkerState

__all__ = [
    "CHANNEL_DESCRIPTOR",
    "ChannelLimits",
    "Descriptors",
    "DescriptorsLost",
    "Launch",
    "MemberOwner",
    "MessageChannel",
    "Parts",
    "ProcessLauncher",
    "Supervisor",
    "WorkerEnd",
    "WorkerPace",
    "WorkerProcess",
    "WorkerState",
    "WorkerStatistics",
    "WorkersOwner",
    "joinParent",
]
