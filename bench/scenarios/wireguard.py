"""
What a WireGuard user gets.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.connections import receiveBuffers
from bench.contenders import Contender
from bench.pairs import startPair
from bench.places import Place, linkedPlace
from bench.rig.namespaces import command
from bench.rig.ports import LOOPBACK
from bench.rig.programs import HANG_SECONDS, Programs, RigError, until
from bench.scenarios.link import linkMissing
from bench.stage import Stage

LINK_MEGABITS = 100
DELAY_MILLISECONDS = 20
MTU = 1420
LISTEN_PORT = 51820
DEFAULT_BUFFER = Path("/proc/sys/net/core/rmem_default")
CLIENT_ADDRESS, SERVER_ADDRESS = "10.98.77.1", "10.98.77.2"
"""Inside the tunnel."""

LONGER = 3
"""An inner flow lasts so many times as long as a load on loopback."""

OMITTED_SECONDS = 2
SLACK_SECONDS = HANG_SECONDS
"""For a flow that is to end and has not."""


@dataclass(frozen=True, slots=True)
class InnerFlow:
    """
    One TCP flow inside WireGuard.

    @ivar loss: in percent, of the link outside.
    @ivar back: from the server's side to the client's.
    """

    loss: float
    back: bool = False
    without = ()
    mostRounds = 99

    @property
    def name(self) -> str:
        """
        See L{Scenario}.
        """
        return f"wireguard/loss-{self.loss:g}" + ("/back" if self.back else "")

    @property
    def description(self) -> str:
        """
        See L{Scenario}.
        """
        return (
            f"One flow of iperf3 (CUBIC) inside WireGuard over {LINK_MEGABITS} Mbit/s, {DELAY_MILLISECONDS} ms one "
            f"way, {self.loss:g} % loss{', server to client' if self.back else ''}."
        )

    def missing(self, stage: Stage) -> str:
        """
        See L{Scenario}.
        """
        return linkMissing(stage, "wireguard-go", "wg", "iperf3", "ss")

    def measure(self, stage: Stage, contender: Contender) -> dict[str, float]:
        """
        See L{Scenario}.
        """
        assert stage.emulator is not None
        words = [
            *(f"delay={DELAY_MILLISECONDS}", f"rate={LINK_MEGABITS}", f"loss={self.loss / 100:g}"),
            f"seed={stage.turn}",
        ]
        with (
            linkedPlace(stage.emulator, stage.folder, words) as place,
            Programs(stage.folder) as programs,
        ):
            target = LOOPBACK if contender.command else place.serverAddress
            pair = startPair(stage, place, programs, contender, (target, LISTEN_PORT))
            with wireGuards(place, programs, pair.entrance):
                pair.awaitTunnels(pair.pool)
                return {"megabits": self.flow(place, programs, LONGER * stage.seconds)}

    def flow(self, place: Place, programs: Programs, seconds: float) -> float:
        """
        @return: Mbit/s that were received.
        @raise RigError: when nothing was, or iperf3 does not end.
        """
        server = programs.start([*place.serverSide, "iperf3", "-s", "-1", "-B", SERVER_ADDRESS, "--forceflush"])
        server.waitForLine("listening")
        length = max(1, round(seconds))
        words = ["iperf3", "-c", SERVER_ADDRESS, "-C", "cubic", "-O", str(OMITTED_SECONDS), "-t", str(length), "-J"]
        client = programs.start([*place.clientSide, *words, *(["-R"] if self.back else [])], spokenTo=True)
        try:
            output, _ = client.process.communicate(timeout=OMITTED_SECONDS + length + SLACK_SECONDS)
        except subprocess.TimeoutExpired as error:
            reason = "iperf3 does not end"
            raise RigError(reason) from error
        report = json.loads(output)
        if "error" in report:
            reason = f"iperf3: {report['error']}"
            raise RigError(reason)
        return float(report["end"]["sum_received"]["bits_per_second"]) / 1e6


@contextmanager
def wireGuards(place: Place, programs: Programs, entrance: tuple[str, int]) -> Iterator[None]:
    """
    A WireGuard at each side, which have shaken hands.

    @param entrance: where the client's peer seems to be.
    """
    keys = [command("wg", "genkey").strip() for _ in range(2)]
    peers = [command("wg", "pubkey", given=key).strip() for key in reversed(keys)]
    names = [f"wg{os.getpid()}{side}" for side in ("c", "s")]
    endpoint = ("endpoint", f"{entrance[0]}:{entrance[1]}", "persistent-keepalive", "1")
    try:
        _addWireGuard(programs, place.serverSide, names[1], SERVER_ADDRESS, keys[1])
        _set(place.serverSide, names[1], "listen-port", str(LISTEN_PORT))
        _set(place.serverSide, names[1], "peer", peers[1], "allowed-ips", CLIENT_ADDRESS)
        _requireDefaultBuffer(place.serverSide)
        _addWireGuard(programs, place.clientSide, names[0], CLIENT_ADDRESS, keys[0])
        _set(place.clientSide, names[0], "peer", peers[0], "allowed-ips", SERVER_ADDRESS, *endpoint)
        _awaitHandshake(place.clientSide, names[0])
        yield
    finally:
        for name in names:  # the processes end later, and find nothing to remove
            Path("/var/run/wireguard", f"{name}.sock").unlink(missing_ok=True)


def _set(side: Sequence[str], name: str, *words: str) -> None:
    command(*side, "wg", "set", name, *words)


def _addWireGuard(programs: Programs, side: Sequence[str], name: str, address: str, key: str) -> None:
    wireGuard = programs.start([*side, "wireguard-go", "-f", name])  # without -f some versions fork for ever
    there = Path("/var/run/wireguard", f"{name}.sock")
    wireGuard.waitFor(there.exists, "WireGuard")
    keyFile = programs.folder / f"{name}.key"
    keyFile.write_text(key)
    _set(side, name, "private-key", str(keyFile))
    command(*side, "ip", "address", "add", f"{address}/30", "dev", name)
    command(*side, "ip", "link", "set", name, "mtu", str(MTU), "up")


def _requireDefaultBuffer(side: Sequence[str]) -> None:
    """
    @raise RigError: when the target holds more than WireGuard in a kernel does.
    """
    default = int(DEFAULT_BUFFER.read_text(encoding="ascii"))
    held: list[int] = []

    def isBound() -> bool:
        held[:] = receiveBuffers(command(*side, "ss", "-uanmHO", "sport", "=", f":{LISTEN_PORT}"))
        return bool(held)

    until(isBound, "WireGuard has its sockets", look=0.1)
    if set(held) != {default}:
        reason = f"WireGuard's socket buffers are {held} bytes, not the default of {default}"
        raise RigError(reason)


def _awaitHandshake(side: Sequence[str], name: str) -> None:
    end = time.monotonic() + SLACK_SECONDS
    while command(*side, "wg", "show", name, "latest-handshakes").split()[-1:] in ([], ["0"]):
        if time.monotonic() > end:
            reason = "the two WireGuards do not shake hands"
            raise RigError(reason)
        time.sleep(0.1)
