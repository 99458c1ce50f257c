"""
The messages by which a supervisor leads its workers, whatever else they say to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from uotp.workers.messages import MessageTable


class WorkerReady(NamedTuple):
    """
    Says, to the parent, that a worker does its work.
    """


class AliveQuestion(NamedTuple):
    """
    Asks a worker whether it is alive.

    @ivar number: counts up.
    """

    number: int


class AliveAnswer(NamedTuple):
    """
    Answers that.

    @ivar number: of the question.
    """

    number: int


class StopWorker(NamedTuple):
    """
    Asks a worker to stop in good order.
    """


def workerTable(kinds: Sequence[type]) -> MessageTable:
    """
    @param kinds: the messages of those who use workers.
    @return: these, and those that lead workers.
    """
    return MessageTable(WorkerReady, AliveQuestion, AliveAnswer, StopWorker, *kinds)
