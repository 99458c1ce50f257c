"""
A server and a client, with the crowd as their target and a bystander between the two: what an
attack is aimed at.  It serves the tests and the measurements alike, so it decides nothing.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.rig.ports import LOOPBACK, Address
from bench.rig.procfs import descriptors, family, memoryBytes
from bench.rig.programs import CHECKOUT, Program, RigError, until
from bench.rig.starvation import Starvation
from tests.doubles.certificates import CLIENT, Authority, pem
from tests.hostile.countedworker import countOf
from tests.hostile.door import Door
from tests.hostile.orders import Orders, Report, Spoken, Starter

LISTENING = r"listening on \[?([0-9a-f.:]+?)\]?:(\d+) \((?:TCP|UDP)\)"

RATE = 500
"""Of the bystander: datagrams a second, in each direction."""

MOST_ROOM = 131072
"""
Bytes of buffer of the programs' UDP sockets in the suite: what comes in two fifths of a second of
standing still.  So what a bystander loses tells that somebody had the program for so long.
"""

SETTLED_SECONDS = 0.4
LOOK_SECONDS = 0.05

POOL = 8
"""Clients whose resources are counted open so many tunnels at once: how many a load needs is not the question here."""

BASE_SAMPLES = 20
"""So often we look what the programs hold before anybody attacks: the bystander's timers come and go."""

LONG_CHAIN = 280
"""Certificates: OpenSSL takes no more than 100 KiB of them."""


Held = dict[str, int]
"""How many a program has of what, all its processes together."""


class Certificates:
    """
    Those of a house: one authority, its server, and clients by name.
    """

    def __init__(self, folder: Path) -> None:
        """
        @param folder: for the files; it is made.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = Authority("CA")
        self.cafile = str(folder / "ca.pem")
        Path(self.cafile).write_bytes(pem(self._authority.certificate))
        self.server = self._authority.issue(LOOPBACK, "localhost").write(folder / "server.pem")

    def client(self, name: str) -> str:
        """
        @return: the file with the certificate of a client, made when it is not there yet.
        """
        path = self._folder / f"{name}.pem"
        if not path.exists():
            self._authority.issue(subject=name, usages=CLIENT).write(path)
        return str(path)

    def longChain(self) -> str:
        """
        @return: a file with a certificate that many stand behind, each signed by the next, up
            to an authority that nobody knows.
        """
        authority = Authority("0")
        for number in range(1, LONG_CHAIN):
            authority = Authority(str(number), authority)
        return authority.issue(subject="deep", usages=CLIENT).write(self._folder / "deep.pem")


@dataclass(frozen=True)
class Programs:
    """
    The programs that are attacked.

    @ivar words: what starts each, by C{client} and C{server}.
    @ivar environment: that they run in.
    @ivar server: more options of the server.
    @ivar client: the same of the client.
    @ivar counted: whether they tell what they hold, see L{tests.hostile.counted}.
    @ivar lingering: seconds for which sessions stay at the server when their tunnels are gone.
    @ivar workers: how many each end has.
    """

    words: Mapping[str, Sequence[str]]
    environment: Mapping[str, str]
    server: Sequence[str] = ()
    client: Sequence[str] = ()
    counted: bool = False
    lingering: float = 0.0
    workers: Mapping[str, int] = field(default_factory=lambda: {"server": 1, "client": 1})


def countedPrograms(
    server: Sequence[str],
    client: Sequence[str],
    lingering: float,
    environment: Mapping[str, str],
    workers: int = 1,
    clientWorkers: int = 1,
) -> Programs:
    """
    @param server: more options of the server.
    @param client: the same of the client.
    @param lingering: seconds; see L{Programs}.
    @param environment: in which our package can be imported.
    @param workers: how many the server has.
    @param clientWorkers: the same of a client.
    @return: our programs, which tell what they hold.
    """
    words = {end: [sys.executable, "-m", "tests.hostile.counted", end] for end in ("client", "server")}
    path = os.pathsep.join([environment["PYTHONPATH"], str(CHECKOUT)])
    inTests = {**environment, "PYTHONPATH": path}
    client = ("--min-pool", str(POOL), "--workers", str(clientWorkers), *client)
    server = ("--linger", str(lingering), "--workers", str(workers), *server)
    each = {"server": workers, "client": clientWorkers}
    return Programs(words, inTests, server, client, counted=True, lingering=lingering, workers=each)


def processesOf(program: Program) -> list[int]:
    """
    @return: the processes of a program: itself, and its workers.
    """
    return family(program.process.pid)


def memoryOf(program: Program) -> int:
    """
    @return: how many bytes all its processes have in memory; what they share counts for each.
    """
    return sum(map(memoryBytes, processesOf(program)))


def descriptorsOf(program: Program) -> int:
    """
    @return: how many descriptors all its processes have open.
    """
    return sum(map(descriptors, processesOf(program)))


class House:
    """
    All of it.

    @ivar server: that program.
    @ivar client: the bystander's client.
    @ivar serverAddress: where it listens.
    @ivar clientAddress: the same.
    @ivar bystander: in flow.
    @ivar crowd: the target.
    @ivar base: the most that each program held before anybody attacked; of a client that was
        started later what it holds at its start.
    """

    def __init__(
        self,
        start: Starter,
        programs: Programs,
        certificates: Certificates | None,
        *,
        wire: int = 2,
        rate: int = RATE,
        shadyPort: int = 0,
        token: str = "",
        knowsClients: bool = True,
    ) -> None:
        """
        Start all, and wait until the bystander flows.

        @param certificates: L{None} for plain TCP.
        @param wire: the format.
        @param rate: of the bystander.
        @param shadyPort: where the bystander's client finds an attacker instead of the server, in
            all sessions but the first; 0 for none.
        @param token: by which newcomers come in, if one is needed.
        @param knowsClients: whether all who come have to show a certificate; otherwise there may be visitors.
        """
        self._start, self._programs = start, programs
        self._certificates = certificates
        self.wire = wire
        self._rate = rate
        self._starvation = Starvation(lambda: [pid for one in list(self._ends.values()) for pid in processesOf(one)])
        self._shadyPort = shadyPort
        self.token = token
        self._knowsClients = knowsClients
        self._ends: dict[str, Program] = {}
        self.base: dict[str, Held] = {}
        self.crowd = Spoken(start, "tests.hostile.crowd")
        self.targetPort = int(self.crowd.first["port"])
        options = [*self._tls("server"), *programs.server]
        self.server, self.serverAddress = self._begin("server", "server", (LOOPBACK, self.targetPort), options)
        self.client, self.clientAddress = self.newClient("bystander")
        words = (*map(str, self.clientAddress), str(self.targetPort), str(rate))
        self.bystander = Spoken(start, "tests.hostile.bystander", *words)
        self.session: Address = tuple(self.bystander.first["session"])
        until(lambda: self.bystander.ask("sample")["answered"] > 2 * rate / 10, "the bystander flows")
        self.settle()
        for _ in range(BASE_SAMPLES):
            for name, held in self.held().items():
                self.base[name] = {
                    what: max(self.base[name].get(what, 0), held.get(what, 0)) for what in {**self.base[name], **held}
                }
            time.sleep(LOOK_SECONDS)

    def _tls(self, end: str, name: str = "") -> list[str]:
        if self._certificates is None:
            return ["--no-tls"]
        if end == "server":
            own = ["-c", self._certificates.server]
            return [*own, "-C", self._certificates.cafile] if self._knowsClients else own
        return ["-c", self._certificates.client(name), "-C", self._certificates.cafile]

    def _begin(self, name: str, end: str, to: Address, options: Sequence[str]) -> tuple[Program, Address]:
        words = [*self._programs.words[end], "-a", LOOPBACK, "-p", "0", *options, *map(str, to)]
        program = self._start(name, words, self._programs.environment, self._programs.counted)
        match = program.waitForLine(LISTENING)
        self._ends[name] = program
        workers = self._programs.workers[end]
        if workers > 1:
            program.waitFor(lambda: self._workersAnswer(program, workers), "all workers are there")
        self.base[name] = self._heldBy(program)
        return program, (match[1], int(match[2]))

    def _workersAnswer(self, program: Program, number: int) -> bool:
        _, *workers = processesOf(program)
        with suppress(OSError):
            return len(workers) == number and all(map(countOf, workers))
        return False

    def newClient(self, name: str, *options: str) -> tuple[Program, Address]:
        """
        @param name: in its certificate.
        @return: a client of this server, and where it listens.
        """
        to = self.serverAddress
        if self._shadyPort:
            ports = (str(self.wire), str(to[1]), str(self._shadyPort))
            to = (LOOPBACK, int(Spoken(self._start, "tests.hostile.shady", *ports).first["port"]))
        wire = ["--wire", str(self.wire)]
        words = [*self._tls("client", name), *wire, *self._programs.client, *options]
        return self._begin(f"{name}'s client", "client", to, words)

    @property
    def certificates(self) -> Certificates:
        """
        Those of a house with TLS.
        """
        assert self._certificates is not None
        return self._certificates

    def door(self, name: str = "attacker") -> list[Any]:
        """
        @param name: in the certificate that is shown; without, none is.
        @return: what an attack at the server is given.
        """
        made = Door(self.serverAddress, self.wire)
        if self._certificates is not None:
            own = self._certificates.client(name) if name else ""
            made = Door(self.serverAddress, self.wire, self._certificates.cafile, own, self.token)
        return [list(made.server), made.wire, made.cafile, made.certificate, made.token]

    def attack(self, kind: str, /, **options: Any) -> Spoken:
        """
        @param kind: see L{tests.hostile.attack}.
        @return: the attacker, ready.
        """
        return Spoken(self._start, "tests.hostile.attack", kind, json.dumps(options))

    def settle(self) -> None:
        """
        Wait until the number of descriptors does not change any more: all tunnels are open.
        """
        seen, since = (-1, -1), time.monotonic()
        while time.monotonic() - since < SETTLED_SECONDS:
            now = (descriptorsOf(self.server), descriptorsOf(self.client))
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(LOOK_SECONDS)

    def _heldBy(self, program: Program) -> Held:
        told = Counter[str]()
        if self._programs.counted:
            told.update(Orders(program).ask("count"))
            _, *workers = processesOf(program)
            for worker in workers:
                told.update(countOf(worker))
        return {"descriptors": descriptorsOf(program), **told}

    def held(self) -> dict[str, Held]:
        """
        @return: how many descriptors each program has, by its name; and sessions, tunnels, streams
            and timers, if it tells them.
        """
        return {name: self._heldBy(program) for name, program in self._ends.items()}

    def _surplus(self) -> list[str]:
        """
        @return: what there is more of than there was, in words.
        """
        return [
            f"{name} had {self.base[name].get(what, 0)} {what} and has {number}"
            for name, held in self.held().items()
            for what, number in held.items()
            if number > self.base[name].get(what, 0)
        ]

    def untilReturned(self, seconds: float) -> float:
        """
        Wait until no program has more of anything than it had: sessions and tunnels of all
        others are gone.

        @param seconds: it has to be so by then, and by as much more as sessions linger.
        @return: how long it took.
        @raise RigError: when it is not so by then; it says what there is too much of.
        """
        surplus: list[str] = []

        def isReturned() -> bool:
            surplus[:] = self._surplus()
            return not surplus

        try:
            return until(isReturned, "all is as it was", seconds + self._programs.lingering, LOOK_SECONDS)
        except RigError as error:
            reason = "; ".join([str(error), *surplus])
            raise RigError(reason) from error

    def memory(self) -> tuple[int, int]:
        """
        @return: how many bytes server and client have in memory.
        """
        return memoryOf(self.server), memoryOf(self.client)

    def mark(self) -> None:
        """
        Count what the bystander sends from now on.
        """
        self._starvation.begin()
        self.bystander.ask("mark")

    def stopWatching(self) -> None:
        """
        Do not look any more whether the programs have a processor.
        """
        self._starvation.end()

    def sample(self) -> Report:
        """
        @return: how the bystander is doing.
        """
        return self.bystander.ask("sample")

    def verdict(self) -> Report:
        """
        @return: what became of all that the bystander has sent since the mark, for how many seconds programs had no
            processor, and for how many datagrams the machine is to blame for that at the most; what is under way is
            waited for.
        """
        report = self.bystander.ask("finish")
        starved = self._starvation.end()
        return {**report, "starved": starved, "excused": starved * self._rate}

    def faults(self) -> list[str]:
        """
        @return: the lines that no attack may bring about.
        """
        wrong = re.compile(r"Traceback|Unhandled|#critical|#error|worker \d.* (has ended by|has ended with|is ended)")
        return [line for one in self._ends.values() for line in one.lines if wrong.search(line)]
