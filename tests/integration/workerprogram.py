"""
A worker whose work is to do what it is told, for the tests of real processes::

    python -m tests.integration.workerprogram NUMBER
"""

from __future__ import annotations

import os
import resource
import sys
import time
from contextlib import suppress
from typing import Any, NamedTuple

from twisted.internet.error import ReactorNotRunning
from twisted.python.log import startLogging

from uotp.workers import CHANNEL_DESCRIPTOR, Descriptors, WorkerEnd, joinParent

MODULE = "tests.integration.workerprogram"


class Order(NamedTuple):
    """
    Tells a worker what to do.
    """

    what: str
    text: str = ""


class Report(NamedTuple):
    """
    Tells what came of it.
    """

    what: str
    text: str


KINDS = (Order, Report)


class ObedientWork:
    """
    Does what it is told.
    """

    end: WorkerEnd

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.isCrashing = False

    def messageReceived(self, message: object, descriptors: Descriptors) -> None:
        """
        Obey.
        """
        assert isinstance(message, Order)
        getattr(self, message.what)(message.text, descriptors)

    def echo(self, text: str, descriptors: Descriptors) -> None:
        """
        Send all back.
        """
        copies = descriptors.take(len(descriptors))
        self.end.send(Report("echo", text), copies)
        for copy in copies:
            os.close(copy)

    def write(self, text: str, descriptors: Descriptors) -> None:
        """
        Write something to a descriptor.
        """
        (descriptor,) = descriptors.take(1)
        os.write(descriptor, text.encode())
        os.close(descriptor)

    def crash(self, text: str, descriptors: Descriptors) -> None:
        """
        End with a traceback.
        """
        self.isCrashing = True
        self.reactor.stop()

    def hang(self, text: str, descriptors: Descriptors) -> None:
        """
        Do nothing for ever.
        """
        while True:
            time.sleep(1.0)

    def list(self, text: str, descriptors: Descriptors) -> None:
        """
        Tell which descriptors are open, and how the environment is.
        """
        found = sorted(int(name) for name in os.listdir("/proc/self/fd"))
        self.end.send(Report("descriptors", " ".join(f"{number}={target(number)}" for number in found)))
        self.end.send(Report("environment", " ".join(os.environ)))

    def narrow(self, text: str, descriptors: Descriptors) -> None:
        """
        Allow no more descriptors.
        """
        self.limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, self.limits[1]))

    def widen(self, text: str, descriptors: Descriptors) -> None:
        """
        Allow them again.
        """
        resource.setrlimit(resource.RLIMIT_NOFILE, self.limits)

    def stop(self) -> None:
        """
        End.
        """
        self.end.close(self.leave)

    def leave(self) -> None:
        """
        All was said.
        """
        with suppress(ReactorNotRunning):
            self.reactor.stop()


def target(number: int) -> str:
    """
    @return: what a descriptor leads to, or nothing when it is not open any more.
    """
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return ""


def main() -> None:
    """
    Work.
    """
    from twisted.internet import reactor  # noqa: PLC0415

    startLogging(sys.stderr, setStdout=False)
    untyped: Any = reactor
    work = ObedientWork(untyped)
    work.end = joinParent(untyped, work, KINDS, CHANNEL_DESCRIPTOR)

    def begin() -> None:
        work.end.heedSignals()
        work.end.send(Report("number", sys.argv[-1]))
        work.end.ready()

    untyped.callWhenRunning(begin)
    untyped.run()
    if work.isCrashing:
        reason = "as it was told"
        raise RuntimeError(reason)


if __name__ == "__main__":
    main()
