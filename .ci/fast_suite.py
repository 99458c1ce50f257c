"""
Runs the fast suite, all tests below the current directory but those with sockets, and fails
when a test fails, or when anything reaches for the network, for as much as a
socket.  It prints how long the processor had to work: a figure to watch, and no
verdict, since machines differ by a factor of four.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

FAMILIES = {socket.AF_INET, socket.AF_INET6}
"""Not the pair of local sockets by which a reactor wakes itself."""

SLOW = {"integration", "hostile"}
"""Packages of tests that have sockets and processes."""

EVENTS = {"socket.bind", "socket.connect", "socket.gethostbyname", "socket.sendto"}


FLAGS_AT = 5
"""Where the flags stand among the arguments of C{socket.getaddrinfo}."""


class NetworkWatch:
    """
    An audit hook that forbids the network.

    @ivar seen: where somebody tried, also if the exception has been caught.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: Sequence[object]) -> None:
        """
        Called by the interpreter for each audit event.

        @raise PermissionError: for one that has to do with the network.
        """
        if (event in EVENTS and not isLocal(arguments[0])) or (event == "socket.__new__" and arguments[1] in FAMILIES):
            self._refuse(event)

    def refuseLookUps(self) -> None:
        """
        Let C{socket.getaddrinfo} read numeric addresses only.  Its audit event
        does not tell which kind of call it is.
        """
        real = socket.getaddrinfo

        def numericOnly(*arguments: Any, **options: Any) -> Any:
            flags = arguments[FLAGS_AT] if len(arguments) > FLAGS_AT else options.get("flags", 0)
            if not flags & socket.AI_NUMERICHOST:
                self._refuse(f"socket.getaddrinfo of {arguments[0]}")
            return real(*arguments, **options)

        socket.getaddrinfo = numericOnly

    def _refuse(self, what: str) -> NoReturn:
        self.seen.append("".join(traceback.format_stack()[-8:-2]))
        reason = f"the fast suite reached for the network: {what}"
        raise PermissionError(reason)


def isLocal(subject: object) -> bool:
    """
    @return: whether this is a socket that leads to nobody outside this machine: it has a path.
    """
    return isinstance(subject, socket.socket) and subject.family == socket.AF_UNIX


def runTrial(modules: Sequence[str]) -> bool:
    """
    @return: whether all tests passed.
    """
    from twisted.scripts import trial  # noqa: PLC0415 - what it does when imported is watched too

    sys.argv = ["trial", *modules]
    try:
        trial.run()
    except SystemExit as end:
        return not end.code
    return True


def main() -> int:
    """
    @return: the exit status.
    """
    sys.path[0] = os.getcwd()
    watch = NetworkWatch()
    watch.refuseLookUps()
    sys.addaudithook(watch)
    modules = sorted(
        ".".join(path.with_suffix("").parts) for path in Path("tests").rglob("test_*.py") if path.parts[1] not in SLOW
    )
    began = time.process_time()
    passed = bool(modules) and runTrial(modules)
    seconds = time.process_time() - began
    for stack in watch.seen[:3]:
        print(f"The network was reached for here:\n{stack}")
    print(f"The fast suite took {seconds:.1f} s of the processor.")
    return 0 if passed and not watch.seen else 1


if __name__ == "__main__":
    sys.exit(main())
