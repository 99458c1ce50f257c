"""
The seams between a channel, a process of a worker, and those who use them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from uotp.workers.descriptors import Descriptors

CHANNEL_DESCRIPTOR = 3
"""The channel's number in a worker, behind standard input, output and error."""

ENDED_WELL = "with status 0"
"""How a process ends that has done all that it had to."""


class MessageChannel(Protocol):
    """
    Is one end of a channel, for whoever sends.
    """

    @property
    def hasRoom(self) -> bool:
        """
        Whether little waits to be sent.
        """

    def send(self, message: object, descriptors: Sequence[int] = ()) -> None:
        """
        Send a message, at once or later.  One that is sent after the end is lost.

        @param descriptors: copies of these are sent.  They stay the caller's, who may close them as
            soon as this returns.
        @raise TypeError: for what is no message.
        @raise ValueError: when it is too long, or has too many descriptors.
        @raise OSError: when a descriptor cannot be copied; nothing is sent then.
        """

    def close(self) -> None:
        """
        Send what waits, and end.
        """

    def abort(self) -> None:
        """
        End at once.
        """


class ChannelOwner(Protocol):
    """
    Is told what comes of a channel.
    """

    def messageReceived(self, message: object, descriptors: Descriptors) -> None:
        """
        A message has come.  Descriptors that are not taken before this returns are closed.

        @raise PeerError: when it may not come now; that ends the channel.
        """

    def channelLost(self, reason: str) -> None:
        """
        The channel has ended.  This is called once, from a turn of its own, and nothing follows.

        @param reason: in words.
        """


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
        See L{ChannelOwner.messageReceived}.
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
