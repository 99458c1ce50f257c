"""
A server with one worker or several, on as many processors: what it carries, and what that costs.

The load has the same processors, since a small machine has no others.  So there are three ways to
measure besides what a round trip costs in processor time, at a rate that all can carry.  A server may
use a part of each of its processors, and leaves the rest to the load.  Server and load share as many
processors as there are workers.  Or the server has all of them, and the load those besides, if there
are any: there a server on all processors of the machine has to share them, and one on fewer has not.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import Enum

from bench.contenders import BARE, FORMAT_ONE, ORIGINAL, Contender, Way
from bench.ends import LoadEnd
from bench.figures import percent
from bench.ramp import highestRate
from bench.rig.budget import ProcessorPart, processorGroups
from bench.rig.ports import LOOPBACK, freePort
from bench.rig.procfs import (
    TCP_LISTEN,
    family,
    machineSeconds,
    memoryBytes,
    privateBytes,
    processorSeconds,
    sockets,
)
from bench.rig.programs import Program, Programs, RigError, until
from bench.scenarios.given import PREPARATION_SECONDS
from bench.scenarios.idle import DESCRIPTORS_BESIDES, allowDescriptors
from bench.scenarios.many import MEBIBYTE
from bench.stage import Stage

SIZE = 200

MODERATE_RATE = 2000.0
"""Round trips a second of all sources, which one worker carries with a part of its processor."""

FIRST_RATE, FACTOR, CLOSER = 6000.0, 1.5, 3
"""See L{highestRate}: the last step is of a twentieth."""

WARM_UP_SECONDS = 2.0
SETTLING_SECONDS = 0.5
"""At a new rate, before anything counts."""

PATIENCE_SECONDS = 0.5
"""What is not answered so long after the last question is lost."""

MOST_MILLISECONDS = 50.0
"""What a light source notices, at the 99th percentile."""

MOST_LOSS = 0.1
"""In percent."""

LEAST_OFFERED = 0.95
"""Of what should be asked: when it is less, the load is at its end, and says nothing of the server."""

ENTER_SECONDS = 60.0

QUIET_SECONDS = 0.3
WORKED_OFF_SECONDS = 60.0
"""After too much was asked nothing is, until no answer has come for the first; by the second that is so."""

DISTURBED_PERCENT = 20.0
"""Of a processor.  While others use so much of the machine, a rate that is not carried says nothing."""

UNDISTURBED_TRIES = 6
"""So often a step is tried until nobody disturbs it; then it counts as it is."""

CALM_SECONDS, CALM_LOOK_SECONDS = 8.0, 0.3
"""So long it is waited for that others use less, and so long each look takes."""

PART = 0.4
"""Of each processor that a server may use; the rest is the load's."""

WITHOUT = (BARE, FORMAT_ONE, ORIGINAL)


class Means(Enum):
    """
    What a server may use.
    """

    PART = f"{100 * PART:.0f} % of a processor for each worker"
    SHARED = "a processor for each worker, and the load has the same ones"
    WHOLE = "a processor for each worker, and the load has the others if there are any"
    FREE = "all processors, as the load"


LIMITED = (Means.PART, Means.SHARED, Means.WHOLE)
"""With these the most is a question: there are as many processors as workers."""


@dataclass(slots=True)
class Asked:
    """
    A server, and sources that ask.

    @ivar server: its first process.
    @ivar load: asks.
    @ivar target: answers.
    @ivar neighbours: others that are up at the same time, and are no strangers.
    """

    server: Program
    load: LoadEnd
    target: LoadEnd
    neighbours: Sequence[Asked] = ()

    def spent(self) -> float:
        """
        @return: processor time that all processes of the server have used, in seconds.
        """
        return sum(map(processorSeconds, family(self.server.process.pid)))

    def strangersSpent(self) -> float:
        """
        @return: processor time that others on this machine have used, in seconds; only differences of it mean
            something.
        """
        ours = [os.getpid()]
        for each in (self, *self.neighbours):
            ours += (each.load.pid, each.target.pid, *family(each.server.process.pid))
        return machineSeconds() - sum(map(processorSeconds, ours))

    def awaitCalm(self) -> None:
        """
        Wait until others use little of the machine, for a while.
        """
        end = time.monotonic() + CALM_SECONDS
        busy = DISTURBED_PERCENT
        while busy >= DISTURBED_PERCENT and time.monotonic() < end:
            busy = -self.strangersSpent()
            time.sleep(CALM_LOOK_SECONDS)
            busy = 100 * (busy + self.strangersSpent()) / CALM_LOOK_SECONDS

    def held(self) -> dict[str, float]:
        """
        @return: what all processes of the server have in memory.
        """
        pids = family(self.server.process.pid)
        return {
            "serverMemory": sum(map(memoryBytes, pids)) / MEBIBYTE,
            "serverPrivate": sum(map(privateBytes, pids)) / MEBIBYTE,
        }

    def figuresAt(self, rate: float, seconds: float) -> dict[str, float]:
        """
        Ask at a rate for a while.

        @param rate: of all sources together.
        @raise RigError: when the load does not ask so much.
        """
        self.load.offer(rate)
        begin = time.monotonic() + PREPARATION_SECONDS + SETTLING_SECONDS
        end = begin + seconds
        self.load.countBetween(begin, end)
        time.sleep(max(0.0, begin - time.monotonic()))
        spent, busy, strangers = self.spent(), processorSeconds(self.load.pid), self.strangersSpent()
        time.sleep(max(0.0, end - time.monotonic()))
        spent, strangers = self.spent() - spent, self.strangersSpent() - strangers
        busy = processorSeconds(self.load.pid) - busy
        time.sleep(PATIENCE_SECONDS)
        report = self.load.sample()
        if report["sent"] < LEAST_OFFERED * rate * seconds:
            reason = f"the load asks {report['sent'] / seconds:.0f} times a second, and not {rate:.0f}"
            raise RigError(reason)
        return {
            "roundTrips": report["answered"] / seconds,
            "roundTripMedian": report["median"],
            "roundTripP99": report["p99"],
            "loss": percent(max(0, report["sent"] - report["answered"]), report["sent"]),
            "serverRoundTripProcessor": spent / max(report["answered"], 1) * 1e6,
            "busyPercent": 100 * spent / seconds,
            "loadBusyPercent": 100 * busy / seconds,
            "strangersBusyPercent": max(0.0, 100 * strangers / seconds),
        }

    def workOff(self) -> None:
        """
        Ask nothing, until all is answered that was asked.
        """
        self.load.offer(0.0)
        until(lambda: self.load.sample()["quiet"] > QUIET_SECONDS, "all is worked off", WORKED_OFF_SECONDS, 0.1)


@contextmanager
def asking(stage: Stage, contender: Contender, sources: int, means: Means, *, evenly: bool = False) -> Iterator[Asked]:
    """
    A server on as many processors as it has workers, with sources that were let in.

    @param evenly: see L{bench.load.tunnels.Tunnels}.
    @raise RigError: when it does not come to that.
    """
    workers = contender.workers or 1
    with ExitStack() as life:
        names = [f"uotp-bench-{os.getpid()}-{number}" for number in range(workers if means is Means.PART else 0)]
        parts = [life.enter_context(ProcessorPart(name, PART)) for name in names]
        own, others = processors()[:workers], processors()[workers:]
        own = own + others if means is Means.FREE else own
        places = {Means.PART: processors(), Means.SHARED: own, Means.WHOLE: others or own, Means.FREE: own}
        loadSide = pinnedTo(places[means])
        programs = life.enter_context(Programs(stage.folder))
        target = LoadEnd(programs, loadSide, LOOPBACK)
        target.begin("answer", onePeer=False)
        address = (LOOPBACK, freePort(socket.SOCK_STREAM))
        words = contender.serverWords(Way(address, 0, (LOOPBACK, target.port), None), stage.pki)
        server = programs.start([*pinnedTo(own), *words], contender.environment)
        server.waitFor(lambda: sockets(server.process.pid, "tcp", address[1], TCP_LISTEN), "listen")
        server.waitFor(lambda: len(processesOf(server, workers)) == workers, "workers run")
        if parts:
            for one, pid in zip(parts, processesOf(server, workers), strict=True):
                one.hold(pid)
            parts[0].hold(server.process.pid)
        load = LoadEnd(programs, loadSide, LOOPBACK)
        options = {"cafile": stage.pki.caCertificate, "count": sources, "size": SIZE, "evenly": evenly}
        load.begin("tunnels", address=address, **options)
        until(lambda: load.sample()["ready"] == sources, f"{sources} sources are let in", ENTER_SECONDS, 0.1)
        load.offer(MODERATE_RATE)
        time.sleep(WARM_UP_SECONDS)
        yield Asked(server, load, target)


def processesOf(server: Program, workers: int) -> list[int]:
    """
    @return: the processes that carry.
    """
    pids = family(server.process.pid)
    return pids[1:] if workers > 1 else pids


def pinnedTo(numbers: Sequence[int]) -> list[str]:
    """
    @param numbers: of processors.
    @return: words before a command that is to run on these.
    """
    return ["taskset", "-c", ",".join(map(str, numbers))]


def processors() -> list[int]:
    """
    @return: the numbers of those that we may use.
    """
    return sorted(os.sched_getaffinity(0))


def lacking(sources: int, *, parts: bool) -> str:
    """
    @param parts: whether parts of processors are needed.
    @return: what stands in the way, or nothing.
    """
    if len(processors()) < 2:  # noqa: PLR2004 - workers are two here
        return "a second processor"
    if shutil.which("taskset") is None:
        return "taskset"
    if parts and processorGroups() is None:
        return "control groups for processors"
    return allowDescriptors(2 * sources + DESCRIPTORS_BESIDES)


@dataclass(frozen=True, slots=True)
class WorkersModerate:
    """
    What a round trip costs, at a rate that all can carry.

    @ivar sources: that ask.
    """

    sources: int
    without = WITHOUT
    mostRounds = 99

    @property
    def name(self) -> str:
        """
        See L{Scenario}.
        """
        return f"workers/moderate/{self.sources}"

    @property
    def description(self) -> str:
        """
        See L{Scenario}.
        """
        return (
            f"{self.sources} sources with {MODERATE_RATE:.0f} round trips a second of {SIZE} bytes together; "
            f"{Means.WHOLE.value}."
        )

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return lacking(self.sources, parts=False)

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        with asking(stage, contender, self.sources, Means.WHOLE) as run:
            return run.figuresAt(MODERATE_RATE, 2 * stage.seconds) | run.held()


@dataclass(frozen=True, slots=True)
class WorkersMost:
    """
    How many round trips a server carries.

    @ivar sources: that ask.
    @ivar means: what the server may use.
    """

    sources: int
    means: Means
    without = WITHOUT
    mostRounds = 99

    @property
    def name(self) -> str:
        """
        See L{Scenario}.
        """
        return f"workers/{self.means.name.lower()}/{self.sources}"

    @property
    def description(self) -> str:
        """
        See L{Scenario}.
        """
        return (
            f"The most round trips a second of {SIZE} bytes of {self.sources} sources, with a 99th percentile below "
            f"{MOST_MILLISECONDS:.0f} ms and losses below {MOST_LOSS} %; {self.means.value}."
        )

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return lacking(self.sources, parts=self.means is Means.PART)

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        with asking(stage, contender, self.sources, self.means) as run:
            steps = Steps(run, stage.seconds)
            rate = highestRate(steps.passes, FIRST_RATE, FACTOR, CLOSER)
            if not rate:
                reason = f"even {FIRST_RATE:.0f} round trips a second are too many"
                raise RigError(reason)
            return steps.passed[rate] | run.held()


@dataclass(slots=True)
class Steps:
    """
    Tries rates.

    @ivar passed: the figures of those that were carried.
    """

    run: Asked
    seconds: float
    passed: dict[float, dict[str, float]] = field(default_factory=dict)

    def passes(self, rate: float) -> bool:
        """
        @return: whether a rate is carried.
        """
        for _ in range(UNDISTURBED_TRIES):
            self.run.awaitCalm()
            figures = self._measured(rate)
            if rate in self.passed or figures.get("strangersBusyPercent", 0.0) < DISTURBED_PERCENT:
                break
        return rate in self.passed

    def _measured(self, rate: float) -> dict[str, float]:
        try:
            figures = self.run.figuresAt(rate, self.seconds)
        except RigError as error:  # a load at its end is no lower bound that could be raised
            print(f"    {error}", flush=True)
            figures = {}
        good = bool(figures) and figures["roundTripP99"] < MOST_MILLISECONDS and figures["loss"] < MOST_LOSS
        if good:
            self.passed[rate] = figures
        else:
            self.run.workOff()
        told = ", ".join(f"{name} {value:.1f}" for name, value in figures.items())
        print(f"    {rate:.0f}: {'carried' if good else 'too much'}: {told}", flush=True)
        return figures


def workersScenarios(counts: Sequence[int]) -> list[WorkersModerate | WorkersMost]:
    """
    @param counts: of sources.
    @return: all of these.
    """
    return [
        *(WorkersModerate(count) for count in counts),
        *(WorkersMost(count, means) for means in LIMITED for count in counts),
    ]
