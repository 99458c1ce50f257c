"""
Network namespaces on this machine, and commands of the system's.  They need root, on
Linux.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from bench.rig.programs import HANG_SECONDS

CLONE_NEWNET = 0x40000000
"""Number of Linux (linux/sched.h)."""


def command(*words: str, given: str = "") -> str:
    """
    Run a command of the system's to its end.

    @param given: its input.
    @return: what it prints.
    @raise subprocess.CalledProcessError: when it fails.
    """
    done = subprocess.run(words, check=True, capture_output=True, text=True, input=given, timeout=HANG_SECONDS)
    return done.stdout


class Namespace(AbstractContextManager["Namespace"]):
    """
    A network namespace of its own, which ends with all that runs in it.

    @ivar name: what the system calls it.
    @ivar words: what stands before a command that is to run in it.
    """

    def __init__(self, name: str) -> None:
        """
        Make it.
        """
        command("ip", "netns", "add", name)
        self.name = name
        self.words = ("ip", "netns", "exec", name)

    def killAll(self) -> None:
        """
        End what runs in it, at once.
        """
        for left in command("ip", "netns", "pids", self.name).split():
            with suppress(ProcessLookupError):
                os.kill(int(left), signal.SIGKILL)

    def remove(self) -> None:
        """
        End what runs in it, and then itself.
        """
        self.killAll()
        command("ip", "netns", "del", self.name)

    def __exit__(self, *_: object) -> None:
        """
        Remove it at the end of a block.
        """
        self.remove()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """
        Make sockets, threads and processes in it; they stay there.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/self/ns/net", "rb") as home, open(f"/var/run/netns/{self.name}", "rb") as there:
            assert libc.setns(there.fileno(), CLONE_NEWNET) == 0
            try:
                yield
            finally:
                assert libc.setns(home.fileno(), CLONE_NEWNET) == 0
