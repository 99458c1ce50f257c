"""
What an examination says: the steps in their order, and what was found at each.  Nothing here knows how
anything is found out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ExamStep(Enum):
    """
    Names the steps of an examination, in the order in which they are told.

    @ivar title: what a step is called.
    @ivar exitStatus: the exit status of the program when its fault is what has to be mended first.
    """

    NAME = ("name", 10)
    TCP = ("TCP", 11)
    TLS = ("TLS", 12)
    CLOCK = ("clock", 13)
    ALPN = ("ALPN", 14)
    CERTIFICATE = ("client certificate", 15)
    HELLO = ("hello", 16)
    PING = ("datagram", 17)
    TARGET = ("target", 18)
    SIZE = ("size", 19)
    ROUND_TRIP = ("round trip", 20)
    LOSS = ("loss", 21)
    RATE = ("rate", 22)
    BUFFERS = ("UDP buffers", 23)
    ROUTE = ("route", 24)
    MARK = ("mark", 25)

    def __init__(self, title: str, exitStatus: int) -> None:
        self.title = title
        self.exitStatus = exitStatus


class Outcome(Enum):
    """
    Names what a step came to.  A warning is what may lead to trouble and need not; with a fault nothing, or
    not everything, passes.
    """

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Says what one step came to.

    @ivar facts: what was found, in one line.
    @ivar remedy: what can be done about it, in one line; L{None} where nothing has to be done.
    @ivar cause: the step whose fault, if it has one, is the cause of this one.
    """

    step: ExamStep
    outcome: Outcome
    facts: str
    remedy: str | None = None
    cause: ExamStep | None = None


def well(step: ExamStep, facts: str) -> Finding:
    """
    @return: that a step has found nothing amiss.
    """
    return Finding(step, Outcome.OK, facts)


def doubtful(step: ExamStep, facts: str, remedy: str) -> Finding:
    """
    @return: that a step has found what may lead to trouble.
    """
    return Finding(step, Outcome.WARNING, facts, remedy)


def faulty(step: ExamStep, facts: str, remedy: str, cause: ExamStep | None = None) -> Finding:
    """
    @return: that a step has found why not everything passes.
    """
    return Finding(step, Outcome.FAULT, facts, remedy, cause)


def notReached(step: ExamStep, reason: str) -> Finding:
    """
    @param reason: why, behind the word because.
    @return: that a step could not be done.
    """
    return Finding(step, Outcome.NOT_REACHED, f"because {reason}")


def exitStatusOf(findings: list[Finding]) -> int:
    """
    @return: the exit status of a program that tells these findings: 0, or that of the first step with a fault of
        which no fault at another step is the cause.
    """
    faults = {finding.step: finding.cause for finding in findings if finding.outcome is Outcome.FAULT}
    return min((step.exitStatus for step, cause in faults.items() if cause not in faults), default=0)
