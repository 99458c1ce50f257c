"""
Many sources at once that each say little, or nothing any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.contenders import BARE, Contender
from bench.ends import LoadEnd
from bench.figures import percent
from bench.pairs import POOL, Pair, startPair
from bench.places import Place
from bench.rig.ports import LOOPBACK
from bench.rig.procfs import memoryBytes, privateBytes, processorSeconds
from bench.rig.programs import Programs, RigError, until
from bench.scenarios.given import PREPARATION_SECONDS
from bench.scenarios.idle import EXPIRE_SECONDS, OPENED_PER_SECOND, descriptorsFor, openSessions
from bench.stage import Stage

LIGHT_SOURCES = 100
SIZE, RATE = 200, 15
LONGER = 2
"""A load lasts so many times as long as with one source: memory and pools take their time."""

WARM_UP_SECONDS = 8.0
"""From the first question: by then each source has asked often enough to have what tunnels it gets."""

QUIET_SECONDS = 2.0
"""Without a further tunnel for so long, there are all that there will be."""

PATIENCE_SECONDS = 30.0
"""Until there are."""

IDLE_SOURCES = 1000
PROOF_DATAGRAMS, PROOF_BYTES = 2, 700
"""What a source says after its first answer: an exchange, as at the begin of most conversations."""

START_SECONDS = 5.0
"""Until programs that have just begun hold what they hold without sources."""

SILENCE_SECONDS = 75.0
"""By then a session is quiet, and has what it keeps for hours."""

WATCHED_SECONDS = 40.0
"""Longer than the time between two pings."""
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ManyLight:
    """
    Sources that ask now and then, all of them together often.
    """

    name = "many/light"
    description = (
        f"{LIGHT_SOURCES} sources with {RATE} datagrams a second of {SIZE} bytes each, and the same back, on loopback."
    )
    without = ()
    mostRounds = 99

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return descriptorsFor(LIGHT_SOURCES)

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        with crowding(stage, contender) as (pair, crowd):
            begin = time.monotonic() + PREPARATION_SECONDS
            end = begin + LONGER * stage.seconds
            crowd.countBetween(begin, end)
            spent = pair.spentEachBetween(begin, end)
            held = heldBy(pair)
            report = crowd.finish()
        figures = {
            "roundTripMedian": report["median"],
            "roundTripP99": report["p99"],
            "loss": percent(report["sent"] - report["answered"], report["sent"]),
            **held,
        }
        if contender.command:
            server, client = (seconds / max(report["answered"], 1) * 1e6 for seconds in spent)
            figures |= {
                "roundTripProcessor": server + client,
                "clientRoundTripProcessor": client,
                "serverRoundTripProcessor": server,
            }
        return figures


@contextmanager
def crowding(stage: Stage, contender: Contender) -> Iterator[tuple[Pair, LoadEnd]]:
    """
    A pair with many light sources that ask, with all tunnels that they get.

    @raise RigError: when not all of them are answered.
    """
    with Programs(stage.folder) as programs:
        target = LoadEnd(programs, (), LOOPBACK)
        target.begin("answer", onePeer=False)
        pair = startPair(stage, Place(), programs, contender, (LOOPBACK, target.port))
        crowd = LoadEnd(programs, (), LOOPBACK)
        crowd.begin("crowd", address=pair.entrance, count=LIGHT_SOURCES, rate=RATE, size=SIZE, opened=OPENED_PER_SECOND)
        time.sleep(WARM_UP_SECONDS)
        until(
            lambda: crowd.sample()["heard"] == LIGHT_SOURCES,
            f"{LIGHT_SOURCES} sources are answered",
            PATIENCE_SECONDS,
            QUIET_SECONDS / 4,
        )
        pair.awaitTunnels(LIGHT_SOURCES * POOL, QUIET_SECONDS, PATIENCE_SECONDS)
        yield pair, crowd


def heldBy(pair: Pair) -> dict[str, float]:
    """
    @return: connections at the server, and what both programs have in memory; nothing
        without a tunnel.
    """
    if not pair.programs:
        return {}
    client, server = pair.client.process.pid, pair.server.process.pid
    return {
        "connections": pair.tunnels(),
        "clientMemory": memoryBytes(client) / MEBIBYTE,
        "clientPrivate": privateBytes(client) / MEBIBYTE,
        "serverMemory": memoryBytes(server) / MEBIBYTE,
        "serverPrivate": privateBytes(server) / MEBIBYTE,
    }


@dataclass(frozen=True, slots=True)
class ManyIdle:
    """
    Sources that have said something once, and are silent.

    @ivar question: whether that was a single datagram, after which a program may well end
        the session.
    """

    question: bool = False
    without = (BARE,)
    mostRounds = 3

    @property
    def name(self) -> str:
        """
        See L{Scenario}.
        """
        return "many/idle-question" if self.question else "many/idle"

    @property
    def description(self) -> str:
        """
        See L{Scenario}.
        """
        said = "one question" if self.question else f"a question and {PROOF_DATAGRAMS} datagrams of {PROOF_BYTES} bytes"
        return f"{IDLE_SOURCES} sources that are silent for more than a minute after {said} each, on loopback."

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return descriptorsFor(IDLE_SOURCES)

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        with Programs(stage.folder) as programs:
            target = LoadEnd(programs, (), LOOPBACK)
            target.begin("answer", onePeer=False)
            options = ["-e", str(EXPIRE_SECONDS)]
            pair = startPair(stage, Place(), programs, contender, (LOOPBACK, target.port), clientOptions=options)
            processes = {"client": pair.client.process.pid, "server": pair.server.process.pid}
            time.sleep(min(START_SECONDS, stage.seconds))
            before = {end: privateBytes(pid) for end, pid in processes.items()}
            proof = 0 if self.question else PROOF_DATAGRAMS
            openSessions(programs, pair, IDLE_SOURCES, proof, PROOF_BYTES)
            time.sleep(SILENCE_SECONDS)
            spent = -processorSeconds(processes["server"])
            time.sleep(WATCHED_SECONDS)
            spent += processorSeconds(processes["server"])
            connections = pair.tunnels()
            more = {end: privateBytes(pid) - before[end] for end, pid in processes.items()}
        if connections < IDLE_SOURCES and not self.question:
            reason = f"{connections} connections for {IDLE_SOURCES} sources: some are gone"
            raise RigError(reason)
        return {
            "busyPercent": 100 * spent / WATCHED_SECONDS,
            "serverKibibytesEach": more["server"] / IDLE_SOURCES / 1024,
            "clientKibibytesEach": more["client"] / IDLE_SOURCES / 1024,
            "connectionsEach": connections / IDLE_SOURCES,
        }
