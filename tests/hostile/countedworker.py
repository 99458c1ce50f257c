"""
A worker that tells what it holds: C{python -m tests.hostile.countedworker}, with the words of a
worker's program, which then runs as it does without.  Its parent is L{tests.hostile.counted}.

Its standard input leads nowhere, so whoever wants to know asks at a local socket that is named
after the process.  One datagram is a question, and one is the answer, so that no connection counts
among the descriptors.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from bench.rig.programs import HANG_SECONDS
from tests.hostile.counted import Census
from tests.hostile.orders import Report
from uotp.cli.worker import runWorker

MOST_BYTES = 65536


def addressOf(pid: int) -> str:
    """
    @return: where a process answers: in the kernel's own names for local sockets.
    """
    return f"\0uotp-counted-{pid}"


def countOf(pid: int) -> Report:
    """
    Ask a worker.

    @return: how many it has of each kind.
    @raise OSError: when it does not answer, or has not begun.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        asking.bind("")  # the kernel finds a name
        asking.settimeout(HANG_SECONDS)
        asking.sendto(b"count", addressOf(pid))
        report: Report = json.loads(asking.recv(MOST_BYTES))
        return report


@implementer(IReadDescriptor)
class Answering:
    """
    Counts, when it is asked.
    """

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: whose timers are counted, and who waits for the questions.
        """
        self._census = Census(reactor)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(addressOf(os.getpid()))
        reactor.addReader(self)

    def fileno(self) -> int:
        """
        @return: what to wait for.
        """
        return self._socket.fileno()

    def doRead(self) -> None:
        """
        Answer.
        """
        _, asking = self._socket.recvfrom(MOST_BYTES)
        self._socket.sendto(json.dumps(self._census.taken()).encode(), asking)

    def logPrefix(self) -> str:
        """
        @return: its name in the log.
        """
        return "counting"

    def connectionLost(self, reason: object) -> None:
        """
        Called at the end of the program.
        """


if __name__ == "__main__":
    from twisted.internet import reactor

    Answering(reactor)
    sys.exit(runWorker(sys.argv[1:]))
