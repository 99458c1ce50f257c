"""
Processes of workers in memory, and who is told of them.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

from tests.doubles.channels import RecordingChannel
from uotp.workers.controls import AliveAnswer, AliveQuestion, StopWorker, WorkerReady
from uotp.workers.descriptors import Descriptors
from uotp.workers.owner import WorkersOwner
from uotp.workers.seams import ENDED_WELL, Launch, ProcessOwner, WorkerProcess

FIRST_PID = 1000


class MemoryProcess:
    """
    Does what the test says, and writes down what it is told.

    @ivar channel: what was sent to it.
    @ivar signals: those that it was sent.
    @ivar mortal: whether SIGKILL ends it.
    @ivar reaped: how often somebody looked whether it has ended.
    @ivar unseen: how it has ended while nobody has looked, if it has.
    """

    def __init__(self, pid: int, owner: ProcessOwner) -> None:
        self.pid = pid
        self.owner = owner
        self.channel = RecordingChannel()
        self.signals: list[int] = []
        self.mortal = True
        self.reaped = 0
        self.unseen: str | None = None
        self.hasChannel = self.lives = True

    def kill(self, number: int) -> None:
        if self.lives:
            self.signals.append(number)
            if number == signal.SIGKILL and self.mortal:
                self.die("by SIGKILL")

    def reap(self) -> None:
        self.reaped += 1
        if self.unseen is not None:
            how, self.unseen = self.unseen, None
            self.die(how)

    # What the test has it do.

    def say(self, message: object) -> None:
        """
        Send the parent a message.
        """
        self.owner.messageReceived(message, Descriptors())

    def ready(self) -> None:
        """
        Say that it works.
        """
        self.say(WorkerReady())

    def answer(self) -> None:
        """
        Answer all that it was asked.
        """
        for question in self.channel.messages():
            if isinstance(question, AliveQuestion):
                self.say(AliveAnswer(question.number))
        self.channel.sent = [entry for entry in self.channel.sent if not isinstance(entry[0], AliveQuestion)]

    @property
    def wasAskedToStop(self) -> bool:
        """
        Whether it was.
        """
        return StopWorker() in self.channel.messages()

    def loseChannel(self) -> None:
        """
        Close its end of the channel.
        """
        if self.hasChannel:
            self.hasChannel = False
            self.owner.channelLost("closed")

    def die(self, how: str = ENDED_WELL) -> None:
        """
        End.
        """
        if self.lives:
            self.lives = False
            self.loseChannel()
            self.owner.processEnded(how)


class MemoryLauncher:
    """
    Starts processes in memory.

    @ivar started: each process, with its worker's number.
    @ivar refuses: whether no process can be started now.
    """

    def __init__(self) -> None:
        self.started: list[tuple[int, MemoryProcess]] = []
        self.refuses = False

    def launch(self, number: int, owner: ProcessOwner) -> MemoryProcess:
        if self.refuses:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        process = MemoryProcess(FIRST_PID + len(self.started), owner)
        self.started.append((number, process))
        return process

    def of(self, number: int) -> MemoryProcess:
        """
        @return: the process of a worker that was started last.
        """
        return [process for of, process in self.started if of == number][-1]


class WorkersDiarist:
    """
    Writes down what it is told of workers.

    @ivar journal: what, and of which one.
    @ivar act: called with each entry.
    """

    def __init__(self) -> None:
        self.journal: list[tuple[object, ...]] = []
        self.failures: list[tuple[int, int]] = []
        self.act: Callable[[tuple[object, ...]], None] = lambda _: None

    def _note(self, *entry: object) -> None:
        self.journal.append(entry)
        self.act(entry)

    def began(self, number: int) -> None:
        self._note("began", number)

    def ready(self, number: int) -> None:
        self._note("ready", number)

    def startFailed(self, number: int, times: int) -> None:
        self.failures.append((number, times))

    def received(self, number: int, message: object, descriptors: Descriptors) -> None:
        self._note("received", number, message)

    def lost(self, number: int) -> None:
        self._note("lost", number)


# Each twin fits its seam.
_process: type[WorkerProcess] = MemoryProcess
_launch: Launch = MemoryLauncher().launch
_owner: type[WorkersOwner] = WorkersDiarist
