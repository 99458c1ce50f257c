"""
What each part of a process needs: the clock, signals, descriptors, periodic calls, state
machines, and whose turn it is.  Nothing here knows what they are used for.
"""

from __future__ import annotations

from uotp.process.aside import Aside, NotDoneError, Pausing, StoppedError, noPause
from uotp.process.clock import SleepClocks, SleepDetector, sleepClocks, useMonotonicClock
from uotp.process.descriptorlimit import descriptorLimit, raiseDescriptorLimit
from uotp.process.freed import FreedMemory, trimOfMalloc
from uotp.process.garbage import GarbageCollection
from uotp.process.lateness import Lateness
from uotp.process.memory import DEFAULT_MEMORY_BYTES, LEAST_MEMORY_BYTES, Memory
from uotp.process.notify import ServiceNotifier
from uotp.process.periodic import PeriodicCalls
from uotp.process.privileges import canBecomeRoot
from uotp.process.processors import usableProcessors
from uotp.process.readings import Readings
from uotp.process.shares import Shares, regroup
from uotp.process.signals import onSignal, stopOnSignals
from uotp.process.statefile import StateDirectory
from uotp.process.statemachine import StateMachine
from uotp.process.steps import Round, Steps
from uotp.process.turns import Turns, Unlimited

__all__ = [
    "DEFAULT_MEMORY_BYTES",
    "LEAST_MEMORY_BYTES",
    "Aside",
    "FreedMemory",
    "GarbageCollection",
    "Lateness",
    "Memory",
    "NotDoneError",
    "Pausing",
    "PeriodicCalls",
    "Readings",
    "Round",
    "ServiceNotifier",
    "Shares",
    "SleepClocks",
    "SleepDetector",
    "StateDirectory",
    "StateMachine",
    "Steps",
    "StoppedError",
    "Turns",
    "Unlimited",
    "canBecomeRoot",
    "descriptorLimit",
    "noPause",
    "onSignal",
    "raiseDescriptorLimit",
    "regroup",
    "sleepClocks",
    "stopOnSignals",
    "trimOfMalloc",
    "usableProcessors",
    "useMonotonicClock",
]
