"""
Where the two ends of a measurement are: both on this machine's loopback, or in two
network namespaces with a link between them that delays and loses.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.rig.namespaces import Namespace, command
from bench.rig.ports import LOOPBACK
from bench.rig.programs import Programs

CLIENT_ADDRESS = "10.99.0.1"
SERVER_ADDRESS = "10.99.0.2"
"""What the emulator calls its two ends."""


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
    with Namespace(names[0]) as client, Namespace(names[1]) as server, Programs(folder) as programs:
        programs.start([str(emulator), *names, *settings]).waitForLine("linkemu: up")
        yield Place(SERVER_ADDRESS, server.words, client.words)
