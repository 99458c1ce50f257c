"""
A parent of two obedient workers, which prints their process ids and then does nothing.  When it is told that it is
embedded, its reactor leaves signals alone; then it ends the first worker that is ready, and all when that is lost::

    python -m tests.integration.parentprogram [embedded]
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from tests.integration.workerprogram import KINDS, MODULE
from uotp.workers.descriptors import Descriptors
from uotp.workers.launching import ProcessLauncher
from uotp.workers.supervisor import Supervisor


class IdleOwner:
    """
    Prints what has begun.
    """

    supervisor: Supervisor

    def began(self, number: int) -> None:
        pass

    def ready(self, number: int) -> None:
        print(f"worker {self.supervisor.statistics()[number - 1].pid} is ready", flush=True)  # noqa: T201

    def startFailed(self, number: int, times: int) -> None:
        """
        Do nothing.
        """

    def received(self, number: int, message: object, descriptors: Descriptors) -> None:
        pass

    def lost(self, number: int) -> None:
        print(f"worker {number} is lost", flush=True)  # noqa: T201


class MurderousOwner(IdleOwner):
    """
    Ends a worker, and when that is lost all of them.
    """

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.hasEnded = False

    def ready(self, number: int) -> None:
        super().ready(number)
        pid = self.supervisor.statistics()[number - 1].pid
        if not self.hasEnded and pid is not None:
            self.hasEnded = True
            os.kill(pid, signal.SIGKILL)

    def lost(self, number: int) -> None:
        super().lost(number)
        self.supervisor.stop().addCallback(lambda _: self.reactor.stop())
        self.lost = super().lost  # type: ignore[method-assign]


def main() -> None:
    """
    Have workers.
    """
    from twisted.internet import reactor  # noqa: PLC0415

    isEmbedded = sys.argv[1:] == ["embedded"]
    untyped: Any = reactor
    owner = MurderousOwner(untyped) if isEmbedded else IdleOwner()
    owner.supervisor = Supervisor(untyped, ProcessLauncher(untyped, MODULE, (), KINDS).launch, 2, owner)
    untyped.callWhenRunning(owner.supervisor.start)
    untyped.addSystemEventTrigger("before", "shutdown", owner.supervisor.stop)
    untyped.run(installSignalHandlers=not isEmbedded)
    print("all have stopped", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
