"""
Where the two ends of a measurement are: both on this machine's loopback, or in two
network namespaces with a link between them that delays and loses.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Processes

LOOPBACK = "127.0.0.1"
CLIENT_ADDRESS = "10.99.0.1"
SERVER_ADDRESS = "10.99.0.2"
"""What the emulator calls its two ends."""

COMMAND_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Place:
    """
    Two sides, which may be one.

    @ivar serverAddress: the server's side, as the client's side reaches it.
    @ivar serverSide: words before a command that is to run at the server's side.
    @ivar clientSide: the same for the client's.
    """

    serverAddress: str = LOOPBACK
    serverSide: tuple[str, ...] = ()
    clientSide: tuple[str, ...] = ()


def command(*words: str, given: str = "") -> str:
    """
    Run a command of the system's to its end.

    @param given: its input.
    @return: what it prints.
    @raise subprocess.CalledProcessError: when it fails.
    """
    done = subprocess.run(words, check=True, capture_output=True, text=True, input=given, timeout=COMMAND_SECONDS)
    return done.stdout


def buildEmulator(source: Path, folder: Path) -> Path:
    """
    @param source: of linkemu, or the program itself.
    @param folder: for the program.
    @return: the program.
    @raise subprocess.CalledProcessError: when it cannot be compiled.
    """
    if source.suffix != ".c":
        return source.resolve()
    program = folder / "linkemu"
    command("gcc", "-O2", "-o", str(program), str(source))
    return program


@contextmanager
def linkedPlace(emulator: Path, folder: Path, settings: Sequence[str]) -> Iterator[Place]:
    """
    Two namespaces and a link, for the time of a block.

    @param settings: words of the emulator, as C{delay=20}.
    """
    names = [f"uotp-bench-{os.getpid()}-{side}" for side in ("client", "server")]
    with Processes(folder) as processes, _namespaces(names):
        link = processes.start([str(emulator), *names, *settings])
        processes.waitFor(link, lambda: "linkemu: up" in processes.said(link), "the link between the namespaces")
        client, server = (("ip", "netns", "exec", name) for name in names)
        yield Place(SERVER_ADDRESS, server, client)


@contextmanager
def _namespaces(names: Sequence[str]) -> Iterator[None]:
    made: list[str] = []
    try:
        for name in names:
            command("ip", "netns", "add", name)
            made.append(name)
        yield
    finally:
        for name in made:
            for left in command("ip", "netns", "pids", name).split():
                with suppress(ProcessLookupError):
                    os.kill(int(left), signal.SIGKILL)
            command("ip", "netns", "del", name)
