"""
What is attacked: our programs, those of another checkout, or HAProxy, each with a bystander.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from bench.contenders import Contender
from bench.rig.ports import LOOPBACK, freePort
from bench.rig.procfs import TCP_LISTEN, memoryBytes, sockets
from bench.rig.programs import Program, environmentFor, until
from bench.stage import Stage
from tests.hostile.house import RATE, Certificates, House, Programs
from tests.hostile.orders import Report, Spoken, Starter

HAPROXY = "haproxy"

CONFIGURATION = """\
global
    maxconn 8000
    nbthread 1
defaults
    mode tcp
    timeout connect 5s
    timeout client 10m
    timeout server 1h
frontend door
    bind 127.0.0.1:{port} ssl crt {certificate} ca-file {cafile} verify required
    default_backend target
backend target
    server target 127.0.0.1:{target}
"""
"""With one thread, as a Python program has."""


def haproxyContender() -> Contender | None:
    """
    @return: HAProxy, where it is installed.
    """
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    return Contender(HAPROXY, (program,), (), environmentFor(), ("handshakes",)) if program else None


@contextmanager
def starter(folder: Path) -> Iterator[Starter]:
    """
    @param folder: where they run: one that has no C{uotp}, which would be taken for theirs.
    @return: a manager of what starts programs, which end with the block.
    """
    with ExitStack() as life:

        def start(name: str, command: list[str], environment: Mapping[str, str], spokenTo: bool) -> Program:  # noqa: FBT001 - see Starter
            program = Program(name, command, environment, folder, spokenTo=spokenTo)
            life.callback(program.kill)
            return program

        yield start


class Terminator:
    """
    HAProxy before a TCP port, and a bystander through it.

    @ivar certificates: of all.
    """

    def __init__(self, start: Starter, program: str, certificates: Certificates, folder: Path) -> None:
        """
        @param folder: for its configuration.
        """
        self._start, self.certificates = start, certificates
        port, target = freePort(socket.SOCK_STREAM), freePort(socket.SOCK_STREAM)
        self.address = (LOOPBACK, port)
        files = {"certificate": certificates.server, "cafile": certificates.cafile}
        path = folder / "haproxy.cfg"
        path.write_text(CONFIGURATION.format(port=port, target=target, **files), encoding="utf-8")
        self.server = start("haproxy", [program, "-db", "-f", str(path)], environmentFor(), False)
        self.server.waitFor(lambda: sockets(self.server.process.pid, "tcp", port, TCP_LISTEN), "it is to listen")
        words = (LOOPBACK, str(port), str(target), str(RATE), certificates.cafile, certificates.client("bystander"))
        self.bystander = Spoken(start, "tests.hostile.bystander", *words)
        until(lambda: self.bystander.ask("sample")["answered"] > RATE / 5, "the bystander flows")

    def door(self, name: str = "attacker") -> list[Any]:
        """
        See L{House}.
        """
        return [list(self.address), 1, self.certificates.cafile, self.certificates.client(name)]

    def attack(self, kind: str, /, **options: Any) -> Spoken:
        """
        See L{House}.
        """
        return Spoken(self._start, "tests.hostile.attack", kind, json.dumps(options))

    def memory(self) -> tuple[int, ...]:
        """
        See L{House}.
        """
        return (memoryBytes(self.server.process.pid),)

    def mark(self) -> None:
        """
        See L{House}.
        """
        self.bystander.ask("mark")

    def sample(self) -> Report:
        """
        See L{House}.
        """
        return self.bystander.ask("sample")

    def verdict(self) -> Report:
        """
        See L{House}.
        """
        return self.bystander.ask("finish")


@contextmanager
def built(
    stage: Stage,
    contender: Contender,
    *,
    tls: bool = True,
    server: Sequence[str] = (),
    client: Sequence[str] = (),
    **options: Any,
) -> Iterator[House]:
    """
    @param tls: whether TLS is spoken, with certificates for all.
    @param server: more options of our server.
    @param client: the same of the client.
    @param options: see L{House}.
    @return: a manager of a house of our programs, or of another checkout's.
    """
    words = {end: contender.words(end) for end in ("client", "server")}
    programs = Programs(words, contender.environment, server, client)
    folder = Path(mkdtemp(dir=stage.folder))
    certificates = Certificates(folder) if tls else None
    with starter(folder) as start:
        yield House(start, programs, certificates, **options)


@contextmanager
def terminated(stage: Stage, contender: Contender) -> Iterator[Terminator]:
    """
    @return: a manager of HAProxy in the place of our server.
    """
    folder = Path(mkdtemp(dir=stage.folder))
    with starter(folder) as start:
        yield Terminator(start, contender.command[0], Certificates(folder), folder)
