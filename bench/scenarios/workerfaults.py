"""
What sessions notice when a worker of their server is killed or started again, and when the server
reads its files again.

Clients of different addresses are needed, since the address of a client chooses its worker.  So all
runs in a network namespace, where each client reaches the server by an address of its own: the kernel
takes the same one for the client's end.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import psutil

from bench.contenders import BARE, FORMAT_ONE, ORIGINAL, Contender, Way
from bench.ends import LoadEnd
from bench.load.stamped import FOREVER
from bench.outages import Question, Story, backAfter, between, longestGap, lostOf
from bench.rig.namespaces import Namespace, command
from bench.rig.ports import LOOPBACK, freePort
from bench.rig.procfs import TCP_LISTEN, UDP_BOUND, family, sockets
from bench.rig.programs import Program, Programs, RigError, until
from bench.scenarios.idle import OPENED_PER_SECOND, descriptorsFor
from bench.stage import Stage
from uotp.pki import Pki
from uotp.pki.issue import Issued, issueAuthority, issueServer

HOSTS = [f"10.99.0.{last}" for last in range(6, 16)]
"""Addresses of clients, until each worker has one."""

SOURCES, SIZE, RATE = 10, 200, 100.0
"""Of each client, and what each source asks in a second."""

WARM_UP_SECONDS = 5.0
TAIL_SECONDS = 2.0
PATIENCE_SECONDS = 30.0

WATCHED_SECONDS = 3.0
"""Of which what follows a signal is looked at, a quarter of it before."""

APART_SECONDS = 6.0
"""A worker that ends within five seconds of its start waits before it begins again, on purpose."""

KILLS, RESTARTS = 10, 20
RELOADS = 50
BETWEEN_RELOADS = 0.4

WITHOUT = (BARE, FORMAT_ONE, ORIGINAL)

RELOADED = r"\breloaded$"
NOT_RELOADED = "not reloaded, the old certificates stay in use"


@dataclass(frozen=True, slots=True)
class Flows:
    """
    A server with workers, and for each of them a client with sources that ask.

    @ivar server: its parent.
    @ivar crowds: the sources, by the number of the worker.
    @ivar certificates: what may change while it runs.
    """

    server: Program
    crowds: dict[int, LoadEnd]
    certificates: Certificates

    def pidOf(self, worker: int) -> int:
        """
        @return: the process of a worker.
        @raise RigError: when there is none.
        """
        for pid in family(self.server.process.pid)[1:]:
            words = psutil.Process(pid).cmdline()
            if words and words[-1] == str(worker):
                return pid
        reason = f"there is no worker {worker}"
        raise RigError(reason)

    def stories(self) -> dict[int, list[Story]]:
        """
        Stop.

        @return: what became of all flows, by the number of the worker.
        """
        return {
            worker: [[Question(*one) for one in flow] for flow in crowd.finish()["flows"]]
            for worker, crowd in self.crowds.items()
        }


class Certificates:
    """
    An authority, and the file with a server's certificate and key, which is written anew.
    """

    def __init__(self, folder: Path) -> None:
        """
        @param folder: for the files.
        """
        self._authority: Issued = issueAuthority(datetime.now(timezone.utc))
        self.pki = Pki(str(folder), tuple(HOSTS), "")
        folder.mkdir(parents=True, exist_ok=True)
        Path(self.pki.caCertificate).write_bytes(self._authority.certificatePem())
        self.renew()

    def renew(self) -> None:
        """
        Write another good one.
        """
        issued = issueServer(self._authority, HOSTS, datetime.now(timezone.utc))
        self._write(self.pki.serverKey, issued.keyPem())
        self._write(self.pki.serverCertificate, issued.certificatePem())

    def spoil(self) -> None:
        """
        Cut the certificate off in its midst.
        """
        whole = Path(self.pki.serverCertificate).read_bytes()
        self._write(self.pki.serverCertificate, whole[: len(whole) // 2])

    def _write(self, path: str, contents: bytes) -> None:
        fresh = Path(f"{path}.new")
        fresh.write_bytes(contents)
        fresh.replace(path)


@contextmanager
def flowingThroughWorkers(stage: Stage, contender: Contender) -> Iterator[Flows]:
    """
    All of it, with questions that count.

    @raise RigError: when it does not come to that.
    """
    certificates = Certificates(stage.folder / f"workers-{stage.turn}-{time.monotonic_ns()}")
    with Namespace(f"uotp-bench-{os.getpid()}") as namespace, Programs(stage.folder) as programs:
        command(*namespace.words, "ip", "link", "set", "lo", "up")
        for host in HOSTS:
            command(*namespace.words, "ip", "address", "add", f"{host}/32", "dev", "lo")
        target = LoadEnd(programs, namespace.words, LOOPBACK)
        target.begin("answer", onePeer=False)
        port = freePort(socket.SOCK_STREAM)
        way = Way(("0.0.0.0", port), 0, (LOOPBACK, target.port), None)  # noqa: S104 - in its namespace
        server = programs.start(
            [*namespace.words, *contender.serverWords(way, certificates.pki)], contender.environment
        )
        server.waitFor(lambda: sockets(server.process.pid, "tcp", port, TCP_LISTEN), "listen")
        crowds: dict[int, LoadEnd] = {}
        for host in HOSTS:
            if len(crowds) == contender.workers:
                break
            way = Way((host, port), freePort(socket.SOCK_DGRAM), way.target, None)
            client = programs.start(
                [*namespace.words, *contender.clientWords(way, certificates.pki)], contender.environment
            )
            awaitUdp(client, way.entrance)
            crowd = LoadEnd(programs, namespace.words, LOOPBACK)
            seen = len(workersSaid(server))
            crowd.begin(
                "watched",
                address=(LOOPBACK, way.entrance),
                count=SOURCES,
                rate=RATE,
                size=SIZE,
                opened=OPENED_PER_SECOND,
            )
            awaitHeard(crowd)
            worker = workersSaid(server)[seen]
            if worker in crowds:
                crowd.finish()
                client.kill()
            else:
                crowds[worker] = crowd
        time.sleep(WARM_UP_SECONDS)
        for crowd in crowds.values():
            crowd.countBetween(time.monotonic(), FOREVER)
        time.sleep(TAIL_SECONDS)
        yield Flows(server, crowds, certificates)


def awaitUdp(client: Program, port: int) -> None:
    """
    Wait until a client listens.
    """
    client.waitFor(lambda: sockets(client.process.pid, "udp", port, UDP_BOUND), "listen")


def awaitHeard(crowd: LoadEnd) -> None:
    """
    Wait until all sources are answered.
    """
    until(lambda: crowd.sample()["heard"] == SOURCES, f"{SOURCES} sources are answered", PATIENCE_SECONDS, 0.1)


def workersSaid(server: Program) -> list[int]:
    """
    @return: in which workers sessions have begun, in that order.
    """
    return [int(found[1]) for line in server.lines if (found := re.search(r"worker (\d+): session \S+ opened", line))]


def needed() -> str:
    """
    @return: what this machine lacks, or nothing.
    """
    if os.geteuid():
        return "root"
    if shutil.which("ip") is None:
        return "iproute2"
    return descriptorsFor(SOURCES * len(HOSTS))


@dataclass(frozen=True, slots=True)
class Blow:
    """
    Something that has happened to one worker.

    @ivar moment: on the monotonic clock.
    """

    moment: float
    worker: int


def after(blows: list[Blow], stories: dict[int, list[Story]]) -> dict[str, float]:
    """
    @param blows: in the order of their moments.
    @param stories: of the flows of each worker, which are there at both ends.
    @return: how its own sessions fared, and those of others.
    """
    backs, own, other = [], [0], [0]
    ownGaps, otherGaps = [0.0], [0.0]
    for number, blow in enumerate(blows, 1):
        lost: dict[int, list[int]] = {}
        for worker, flows in stories.items():
            for flow in flows:
                part = between(flow, blow.moment - WATCHED_SECONDS / 4, blow.moment + 3 * WATCHED_SECONDS / 4)
                (own if worker == blow.worker else other).append(lostOf(part))
                (ownGaps if worker == blow.worker else otherGaps).append(longestGap(part))
                lost.setdefault(worker, []).append(lostOf(part))
                if worker == blow.worker:
                    backs.append(backAfter(part, blow.moment))
        told = sorted(backs[-len(stories[blow.worker]) :])
        print(
            f"    {number}: worker {blow.worker}: back after {told[0]:.2f} to {told[-1]:.2f} s, lost {lost}", flush=True
        )
    return {
        "ownLost": sum(own),
        "mostLost": max(own),
        "ownBackMedian": statistics.median(backs),
        "ownBackSeconds": math.nan if any(map(math.isnan, backs)) else max(backs),
        "ownLongestGap": max(ownGaps),
        "otherLost": sum(other),
        "otherLongestGap": max(otherGaps),
        "sent": sum(len(flow) for flows in stories.values() for flow in flows),
    }


@dataclass(frozen=True, slots=True)
class WorkersEnded:
    """
    Workers by turns are told to end, or are killed, and are started again.

    @ivar how: the signal.
    @ivar times: how often.
    @ivar apart: in seconds.
    """

    how: signal.Signals
    times: int
    apart: float
    without = WITHOUT
    mostRounds = 5

    @property
    def name(self) -> str:
        """
        See L{Scenario}.
        """
        return "workers/killed" if self.how == signal.SIGKILL else "workers/restarts"

    @property
    def description(self) -> str:
        """
        See L{Scenario}.
        """
        return (
            f"{SOURCES} sources for each worker with {RATE:.0f} round trips a second each; {self.times} times a worker "
            f"gets {self.how.name}, by turns, {self.apart:.0f} s apart."
        )

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return needed()

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        if (contender.workers or 1) == 1:
            return {}
        blows = []
        with flowingThroughWorkers(stage, contender) as flows:
            numbers = sorted(flows.crowds)
            for turn in range(self.times):
                worker = numbers[turn % len(numbers)]
                pid = flows.pidOf(worker)
                blows.append(Blow(time.monotonic(), worker))
                os.kill(pid, self.how)
                time.sleep(max(0.0, blows[-1].moment + self.apart - time.monotonic()))
            return after(blows, flows.stories())


@dataclass(frozen=True, slots=True)
class WorkersReloaded:
    """
    The server reads its files again, of which every other one cannot be read.
    """

    name = "workers/reloads"
    description = (
        f"{SOURCES} sources for each worker with {RATE:.0f} round trips a second each; {RELOADS} reloads, and every "
        "other certificate is a bad one."
    )
    without = WITHOUT
    mostRounds = 5

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return needed()

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        if (contender.workers or 1) == 1:
            return {}
        with flowingThroughWorkers(stage, contender) as flows:
            for turn in range(RELOADS):
                isGood = turn % 2 == 0
                change: Callable[[], None] = flows.certificates.renew if isGood else flows.certificates.spoil
                change()
                words = RELOADED if isGood else NOT_RELOADED
                before = said(flows.server, words)
                flows.server.process.send_signal(signal.SIGHUP)
                awaitSaid(flows.server, words, before)
                time.sleep(BETWEEN_RELOADS)
            stories = [flow for each in flows.stories().values() for flow in each]
        return {
            "sent": sum(map(len, stories)),
            "lost": sum(map(lostOf, stories)),
            "longestGap": max(map(longestGap, stories)),
        }


def said(server: Program, words: str) -> int:
    """
    @return: how many lines have these words, of a regular expression, and are no others of the two kinds.
    """
    return sum(
        bool(re.search(words, line)) and (words == NOT_RELOADED or "not reloaded" not in line) for line in server.lines
    )


def awaitSaid(server: Program, words: str, before: int) -> None:
    """
    Wait until there is a further line with these words.
    """
    server.waitFor(lambda: said(server, words) > before, f"say {words}", PATIENCE_SECONDS)


def workerFaults() -> list[WorkersEnded | WorkersReloaded]:
    """
    @return: all of these.
    """
    return [
        WorkersEnded(signal.SIGKILL, KILLS, APART_SECONDS),
        WorkersEnded(signal.SIGTERM, RESTARTS, APART_SECONDS),
        WorkersReloaded(),
    ]
