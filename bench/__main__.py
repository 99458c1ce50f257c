"""
How many datagrams arrive each second when they are sent as fast as can be, ours
against the original's, in turn.

    python -m bench --original BIN [--rounds 5] [--sizes 1400,200] [--json FILE]

BIN is the C{bin} directory of a virtual environment with udp-over-tls-pool 0.1.1.
Linux only: the load comes in batches, and processor time is read from /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from uotp.pki import makePki

LOOPBACK = "127.0.0.1"
TUNNEL_PORT, UDP_PORT = "18443", "18911"
"""The original cannot choose a port by itself; these are below what kernels hand out."""

WARM_UP_SECONDS = 2.0
LOAD_SECONDS = 5.0
REST_SECONDS = 2.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measurement:
    """
    One run.

    @ivar rate: datagrams that arrived each second.
    @ivar megabits: their payload each second.
    @ivar microseconds: processor time of client and server for each that arrived.
    """

    program: str
    size: int
    rate: float
    megabits: float
    microseconds: float


def commandOf(program: str, which: str, original: Path) -> list[str]:
    """
    @return: the words that start the client or the server of a program.
    """
    if program == "original":
        return [str(original / f"uotp-{which}")]
    return [sys.executable, "-m", "uotp.scripts", which]


@contextmanager
def running(words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """
    A process, for the time of a block.
    """
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:  # the original does not always end
            process.kill()
            process.wait()


def processorSeconds(process: subprocess.Popen[bytes]) -> float:
    """
    @return: the processor time that a process has used, user and system.
    """
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(program: str, size: int, pki: Path, original: Path) -> Measurement:
    """
    Start a pair, load it, and count.
    """
    load = [sys.executable, "-m", "bench.load"]
    seconds = str(WARM_UP_SECONDS + LOAD_SECONDS + REST_SECONDS)
    with subprocess.Popen([*load, "sink", LOOPBACK, "0", seconds], stdout=subprocess.PIPE, text=True) as sink:
        assert sink.stdout is not None
        port = str(json.loads(sink.stdout.readline())["port"])
        server = [*commandOf(program, "server", original), LOOPBACK, port, "-a", LOOPBACK, "-p", TUNNEL_PORT]
        client = [*commandOf(program, "client", original), LOOPBACK, TUNNEL_PORT, "-p", UDP_PORT]
        certificate = ["-c", str(pki / "server.pem"), "-k", str(pki / "server.key")]
        with running([*server, *certificate]) as first, running([*client, "-C", str(pki / "ca.pem")]) as second:
            time.sleep(WARM_UP_SECONDS)
            used = [processorSeconds(process) for process in (first, second)]
            subprocess.run(
                [*load, "source", LOOPBACK, UDP_PORT, str(size), str(LOAD_SECONDS)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            spent = sum(processorSeconds(process) for process in (first, second)) - sum(used)
            counted = json.loads(sink.communicate()[0].splitlines()[-1])
    received, lasted = counted["received"], max(counted["seconds"], LOAD_SECONDS)
    return Measurement(
        program,
        size,
        received / lasted,
        counted["bytes"] * 8 / lasted / 1e6,
        spent / max(received, 1) * 1e6,
    )


def processor() -> str:
    """
    @return: what the machine's processor is called, and how many there are.
    """
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} x {found[1] if found else platform.machine()}"


def table(results: Sequence[Measurement], sizes: Sequence[int]) -> str:
    """
    @return: medians, and their ratios.
    """
    lines = ["bytes  program   datagrams/s  Mbit/s  us of processor/datagram"]
    for size in sizes:
        medians: dict[str, tuple[float, float]] = {}
        for program in ("uotp", "original"):
            runs = [result for result in results if (result.program, result.size) == (program, size)]
            rate, megabits, microseconds = (
                statistics.median(getattr(run, field) for run in runs) for field in ("rate", "megabits", "microseconds")
            )
            medians[program] = (rate, microseconds)
            lines.append(f"{size:5}  {program:8}  {rate:11.0f}  {megabits:6.0f}  {microseconds:24.1f}")
        ours, theirs = medians["uotp"], medians["original"]
        lines.append(f"{size:5}  ratio     {ours[0] / theirs[0]:11.2f}          {ours[1] / theirs[1]:24.2f}")
    return "\n".join(lines)


def main() -> None:
    """
    Measure, show the table, and write the numbers down.
    """
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--original", type=Path, required=True, help="bin directory with udp-over-tls-pool 0.1.1")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", default="1400,200")
    parser.add_argument("--json", type=Path, help="file for the raw numbers")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    results: list[Measurement] = []
    with tempfile.TemporaryDirectory() as folder:
        pki = Path(folder, "pki")
        makePki(str(pki), [LOOPBACK])
        for turn in range(options.rounds):
            for size in sizes:
                for program in ("uotp", "original"):
                    result = measure(program, size, pki, options.original)
                    results.append(result)
                    sys.stderr.write(f"round {turn + 1}: {result}\n")
    sys.stdout.write(f"{table(results, sizes)}\n")
    if options.json:
        facts = {
            "machine": processor(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "versions": {name: version(name) for name in ("twisted", "pyopenssl", "cryptography")},
            "runs": [asdict(result) for result in results],
        }
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
