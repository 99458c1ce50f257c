"""
A parent of two obedient workers, which prints their process ids and then does nothing::

    python -m tests.integration.parentprogram
"""

from __future__ import annotations

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

    def received(self, number: int, message: object, descriptors: Descriptors) -> None:
        pass

    def lost(self, number: int) -> None:
        print(f"worker {number} is lost", flush=True)  # noqa: T201


def main() -> None:
    """
    Have workers.
    """
    from twisted.internet import reactor  # noqa: PLC0415

    untyped: Any = reactor
    owner = IdleOwner()
    owner.supervisor = Supervisor(untyped, ProcessLauncher(untyped, MODULE, (), KINDS).launch, 2, owner)
    untyped.callWhenRunning(owner.supervisor.start)
    untyped.addSystemEventTrigger("before", "shutdown", owner.supervisor.stop)
    untyped.run()


if __name__ == "__main__":
    main()
