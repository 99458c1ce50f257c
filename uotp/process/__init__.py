"""
What each part of a process needs: the clock, signals, descriptors, periodic calls, state
machines.  Nothing here knows what they are used for.
"""

from __future__ import annotations

from uotp.process.clock import SleepDetector, useMonotonicClock
from uotp.process.descriptorlimit import raiseDescriptorLimit
from uotp.process.periodic import PeriodicCalls
from uotp.process.signals import onSignal, stopOnSignals
from uotp.process.statemachine import StateMachine

__all__ = [
    "PeriodicCalls",
    "SleepDetector",
    "StateMachine",
    "onSignal",
    "raiseDescriptorLimit",
    "stopOnSignals",
    "useMonotonicClock",
]
