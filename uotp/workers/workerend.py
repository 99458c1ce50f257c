"""
The worker's end: what a worker does for the supervisor in its parent.
"""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from uotp.errors import PeerError, StartError
from uotp.process import onSignal
from uotp.workers.channel import Channel, adoptChannel
from uotp.workers.controls import AliveAnswer, AliveQuestion, StopWorker, WorkerReady, workerTable
from uotp.workers.descriptors import Descriptors
from uotp.workers.limits import WORKER_LIMITS
from uotp.workers.seams import MessageChannel

LAST_SECONDS = 8
"""
A worker that has not ended so long after it was to stop is ended by the system.  Its parent does that sooner, but may
be gone.
"""


class WorkerEndOwner(Protocol):
    """
    Is the work of a worker.
    """

    def messageReceived(self, message: object, descriptors: Descriptors) -> None:
        """
        The parent has sent a message.  Descriptors that are not taken before this returns are closed.

        @raise PeerError: when it may not come now; that ends the channel, and the work with it.
        """

    def stop(self) -> None:
        """
        Stop in good order within 5 s, then close the L{WorkerEnd} and end the process.  This is called
        once: since the parent wants it, or is gone, or SIGTERM has come.
        """


class WorkerEnd:
    """
    Speaks with the supervisor in the parent.
    """

    def __init__(self, reactor: Any, owner: WorkerEndOwner, setAlarm: Callable[[int], object]) -> None:
        """
        @param reactor: C{IReactorFromThreads}.
        @param owner: the work.
        @param setAlarm: has the system end this process after so many seconds.
        """
        self._reactor = reactor
        self._owner = owner
        self._setAlarm = setAlarm
        self._isStopping = self._isLost = False
        self._whenClosed: Callable[[], object] | None = None

    def speakOn(self, channel: MessageChannel) -> None:
        """
        @param channel: leads to the parent.
        """
        self._channel = channel

    def heedSignals(self) -> None:
        """
        Stop on SIGTERM, and leave what a terminal sends to the whole group to the parent.  Call this when
        the reactor runs, since it sets handlers of its own when it starts, and before it to be sure
        of what comes meanwhile.
        """
        for name in ("SIGINT", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None:
                signal.signal(number, signal.SIG_IGN)
        onSignal(self._reactor, "SIGTERM", self._stop)
        if hasattr(signal, "pthread_sigmask"):
            # Whoever has started this process has them wait until now.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

    def ready(self) -> None:
        """
        Say that the work is done from now on.
        """
        self._channel.send(WorkerReady())

    @property
    def hasRoom(self) -> bool:
        """
        See L{uotp.workers.seams.MessageChannel.hasRoom}.
        """
        return self._channel.hasRoom

    def send(self, message: object, descriptors: Sequence[int] = ()) -> None:
        """
        See L{uotp.workers.seams.MessageChannel.send}.
        """
        self._channel.send(message, descriptors)

    def close(self, whenClosed: Callable[[], object]) -> None:
        """
        Send what waits, and end the channel.

        @param whenClosed: called once when the channel has ended, maybe at once.  Before that this process
            must not end, or what waits would be lost.
        """
        if self._isLost:
            whenClosed()
            return
        if not self._isStopping:
            self._setAlarm(LAST_SECONDS)
        self._whenClosed = whenClosed
        self._channel.close()

    # The channel; see ChannelOwner.

    def messageReceived(self, message: object, descriptors: Descriptors) -> None:
        """
        The parent has sent a message.

        @raise PeerError: when it may not come now.
        """
        match message:
            case AliveQuestion(number):
                self._channel.send(AliveAnswer(number))
            case StopWorker():
                self._stop()
            case AliveAnswer() | WorkerReady():
                reason = "it sends what only a worker may send"
                raise PeerError(reason)
            case _:
                self._owner.messageReceived(message, descriptors)

    def channelLost(self, reason: str) -> None:
        """
        The parent is gone, or we have ended the channel.
        """
        self._isLost = True
        if self._whenClosed is not None:
            self._whenClosed()
        else:
            self._stop()

    def _stop(self) -> None:
        if not self._isStopping:
            self._isStopping = True
            self._setAlarm(LAST_SECONDS)
            self._owner.stop()


def joinParent(reactor: Any, owner: WorkerEndOwner, kinds: Sequence[type], descriptor: int) -> WorkerEnd:
    """
    Begin to speak with the parent, in a process that it has started.

    @param reactor: Twisted's.
    @param owner: the work.
    @param kinds: the messages that are sent and received, besides those that lead workers.
    @param descriptor: of the socket that leads to the parent: L{CHANNEL_DESCRIPTOR}.  It is closed.
    @return: the worker's end.
    @raise StartError: when nobody has started this process as a worker.
    """
    try:
        isSocket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:
        isSocket = False
    if not isSocket:
        reason = "this program is started by one that has workers, and by nobody else"
        raise StartError(reason)
    end = WorkerEnd(reactor, owner, signal.alarm)
    channel = Channel("the parent", end, workerTable(kinds), reactor, WORKER_LIMITS)
    end.speakOn(channel)
    try:
        adoptChannel(reactor, descriptor, channel)
    except OSError as error:
        reason = f"the parent cannot be reached: {error.strerror}"
        raise StartError(reason) from error
    return end
