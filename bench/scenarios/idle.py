"""
What tunnels cost that nobody uses.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.contenders import BARE, ORIGINAL, Contender
from bench.ends import LoadEnd
from bench.pairs import POOL, Pair, startPair
from bench.places import Place
from bench.rig.ports import LOOPBACK
from bench.rig.procfs import privateBytes, processorSeconds
from bench.rig.programs import Programs, until
from bench.stage import Stage

MEMORY_SESSIONS = 100
PROCESSOR_SESSIONS = 1000
OPENED_PER_SECOND = 25.0
"""A client opens no more than 32 a second."""

PROOF_DATAGRAMS = 10
PROOF_BYTES = 1100
"""What a source sends some time after its first answer, to be worth a pool of eight."""

QUIET_SECONDS = 2.0
"""Without a further tunnel for so long, there are all that there will be."""

PATIENCE_SECONDS = 60.0
"""Until all are open, besides the time in which they are opened."""

SILENCE_SECONDS = 5.0
WATCHED_SECONDS = 20.0
EXPIRE_SECONDS = 900
"""So that no session ends meanwhile."""

ALWAYS_OPTION = "--min-pool"
"""Keeps tunnels open that nobody uses."""

DESCRIPTORS_BESIDES = 500


@contextmanager
def idlePair(stage: Stage, contender: Contender, count: int) -> Iterator[tuple[Pair, int]]:
    """
    A pair with idle sessions, and the server's memory before them.
    """
    with Programs(stage.folder) as programs:
        target = LoadEnd(programs, (), LOOPBACK)
        target.begin("answer")
        options = ["-e", str(EXPIRE_SECONDS)]
        if contender.knows(ALWAYS_OPTION):
            options += [ALWAYS_OPTION, str(POOL)]
        pair = startPair(stage, Place(), programs, contender, (LOOPBACK, target.port), clientOptions=options)
        time.sleep(min(SILENCE_SECONDS, stage.seconds))
        before = privateBytes(pair.server.process.pid)
        openSessions(programs, pair, count, PROOF_DATAGRAMS, PROOF_BYTES)
        time.sleep(SILENCE_SECONDS)
        yield pair, before


def openSessions(programs: Programs, pair: Pair, count: int, more: int, size: int) -> None:
    """
    Open sessions, and wait until there are all the tunnels that they get.

    @param more: how many datagrams each source sends after its first answer.
    @param size: of these, in bytes.
    @raise RigError: when not all are answered.
    """
    sources = LoadEnd(programs, (), LOOPBACK)
    sources.begin("sessions", address=pair.entrance, count=count, rate=OPENED_PER_SECOND, more=more, size=size)
    until(
        lambda: sources.sample()["answered"] == count,
        f"{count} sources are answered",
        count / OPENED_PER_SECOND + PATIENCE_SECONDS,
        QUIET_SECONDS / 4,
    )
    pair.awaitTunnels(count * POOL, QUIET_SECONDS, PATIENCE_SECONDS)


def descriptorsFor(count: int) -> str:
    """
    Allow those that we start as many descriptors as so many sessions need.

    @return: what stands in the way, or nothing.
    """
    return allowDescriptors(count * (POOL + 1) + DESCRIPTORS_BESIDES)


def allowDescriptors(wanted: int) -> str:
    """
    Allow those that we start so many descriptors.

    @return: what stands in the way, or nothing.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        return f"a limit of {wanted} descriptors (ulimit -Hn: {hard})"
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return ""


@dataclass(frozen=True, slots=True)
class IdleMemory:
    """
    Memory that the server has written (C{Private_Dirty}), before the sessions and with
    them, shared out among the tunnels that they have.  What it loads and makes for the first of
    them is in it; the kernel's part is not.
    """

    name = "idle/memory"
    description = f"Memory of the server for each idle tunnel, with {MEMORY_SESSIONS} sessions of up to {POOL}."
    without = (BARE,)
    mostRounds = 3

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return descriptorsFor(MEMORY_SESSIONS)

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        with idlePair(stage, contender, MEMORY_SESSIONS) as (pair, before):
            after, tunnels = privateBytes(pair.server.process.pid), pair.tunnels()
        return {"kibibytesPerTunnel": (after - before) / tunnels / 1024}


@dataclass(frozen=True, slots=True)
class IdleProcessor:
    """
    Processor time of a server that carries nothing.
    """

    name = "idle/processor"
    description = f"Share of a processor that the server uses with {PROCESSOR_SESSIONS} idle sessions of up to {POOL}."
    without = (BARE, ORIGINAL)
    mostRounds = 1

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return descriptorsFor(PROCESSOR_SESSIONS)

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        with idlePair(stage, contender, PROCESSOR_SESSIONS) as (pair, _):
            spent = -processorSeconds(pair.server.process.pid)
            time.sleep(WATCHED_SECONDS)
            spent += processorSeconds(pair.server.process.pid)
        return {"busyPercent": 100 * spent / WATCHED_SECONDS}
