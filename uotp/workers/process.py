"""
The seam between the life of a worker and its process: what starts it, and what is told of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from uotp.workers.channel import MessageChannel
from uotp.workers.descriptors import Descriptors

CHANNEL_DESCRIPTOR = 3
"""The channel's number in a worker, behind standard input, output and error."""

ENDED_WELL = "with status 0"
"""How a process ends that has done all that it had to."""


class WorkerProcess(Protocol):
    """
    Is a process that was started.
    """

    @property
    def pid(self) -> int:
        """
        Its number, also when it has ended.
        """

    @property
    def channel(self) -> MessageChannel:
        """
        What leads to it.
        """

    def kill(self, number: int) -> None:
        """
        Send it a signal; nothing when it has ended.
        """

    def reap(self) -> None:
        """
        Look whether it has ended, where nobody tells us.
        """


class ProcessOwner(Protocol):
    """
    Is told what comes of a process, from when it was started on: never before whoever has started it
    has it.
    """

    def messageReceived(self, message: object, descriptors: Descriptors) -> None:
        """
        See L{uotp.workers.channel.ChannelOwner.messageReceived}.
        """

    def channelLost(self, reason: str) -> None:
        """
        The channel has ended; the process may live.
        """

    def processEnded(self, how: str) -> None:
        """
        The process has ended, and all that it has said was handed on.  This is called once, and
        nothing follows.

        @param how: what goes on after "it has ended": "by SIGKILL", "with status 1".
        """


Launch = Callable[[int, ProcessOwner], WorkerProcess]
"""
Starts a process for the worker of a number, and tells an owner of it.  It raises C{OSError} when that
cannot be done now.
"""
