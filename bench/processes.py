"""
Processes of a measurement, which all end with it, and what Linux says of them: time,
memory, connections.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import uotp

LOADS = Path(__file__).resolve().parent.parent
"""Where this package is imported from..."""

PROGRAM = Path(uotp.__file__).resolve().parent.parent
"""...and where the program is, that is measured unless another is named."""

STOP_SECONDS = 2.0
START_SECONDS = 20.0
LOOK_SECONDS = 0.02

TCP_ESTABLISHED, TCP_LISTEN, UDP_BOUND = "01", "0A", "07"
"""As C{/proc/net} writes the states of sockets."""


class MeasurementError(Exception):
    """
    Something did not go as it has to for a measurement; the message says what.
    """


def environmentFor(*folders: Path) -> dict[str, str]:
    """
    @param folders: where a Python that is started looks for packages first.
    @return: this process's environment, without what leads a Python elsewhere.
    """
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**plain, "PYTHONPATH": os.pathsep.join(map(str, folders))} if folders else plain


class Processes(AbstractContextManager["Processes"]):
    """
    Starts processes, and ends them when its block does.
    """

    def __init__(self, folder: Path) -> None:
        """
        @param folder: where they run, and where what they say is kept for a while.
        """
        self.folder = folder
        self._running: list[subprocess.Popen[str]] = []
        self._logs: dict[int, Path] = {}

    def start(
        self, words: Sequence[str], environment: Mapping[str, str] | None = None, *, spokenTo: bool = False
    ) -> subprocess.Popen[str]:
        """
        Start one.

        @param environment: that of L{environmentFor} when left out.
        @param spokenTo: whether its input and output are pipes; without, its output
            goes where its errors go.
        """
        log = self.folder / f"{len(os.listdir(self.folder))}-{Path(words[0]).name}.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE if spokenTo else subprocess.DEVNULL,
                stdout=subprocess.PIPE if spokenTo else file,
                stderr=file,
                text=True,
                cwd=self.folder,
                env=environmentFor() if environment is None else environment,
                start_new_session=True,  # a Ctrl-C is for us, and we end them
            )
        self._running.append(process)
        self._logs[process.pid] = log
        return process

    def said(self, process: subprocess.Popen[str]) -> str:
        """
        @return: what one of them has written to standard error, at the end at least.
        """
        return self._logs[process.pid].read_text(errors="replace")[-4000:]

    def waitFor(self, process: subprocess.Popen[str], condition: Callable[[], object], what: str) -> None:
        """
        Wait for something that a process does.

        @raise MeasurementError: when it has not in time, or has ended.
        """
        end = time.monotonic() + START_SECONDS
        while not condition():
            if process.poll() is not None or time.monotonic() > end:
                state = "has ended" if process.poll() is not None else f"not in {START_SECONDS:g} s"
                reason = f"{what}: {state}\n{' '.join(map(str, process.args))}\n{self.said(process)}"  # type: ignore[arg-type]
                raise MeasurementError(reason)
            time.sleep(LOOK_SECONDS)

    def __exit__(self, *_: object) -> None:
        """
        End those that still run: the youngest first, and with force after a while.
        """
        for process in reversed(self._running):
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for process in reversed(self._running):
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
        self._running.clear()


def endOnSignals() -> None:
    """
    Have the signals that end a program unwind it, so that what it has started ends too.
    """

    def unwind(number: int, _: object) -> None:
        sys.exit(128 + number)

    for name in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(name) is not signal.SIG_IGN:  # as under nohup
            signal.signal(name, unwind)


def processorSeconds(process: subprocess.Popen[str]) -> float:
    """
    @return: the processor time that a process has used, user and system.
    """
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def privateBytes(process: subprocess.Popen[str]) -> int:
    """
    @return: memory that a process has written and shares with nobody.
    """
    found = re.search(
        r"^Private_Dirty:\s+(\d+) kB", Path(f"/proc/{process.pid}/smaps_rollup").read_text(), re.MULTILINE
    )
    assert found is not None
    return int(found[1]) * 1024


def sockets(process: subprocess.Popen[str], table: str, port: int, state: str) -> int:
    """
    @param table: C{tcp} or C{udp}.
    @return: how many sockets there are with a local port in a state, where the process
        runs.
    """
    wanted = f":{port:04X}"
    with suppress(FileNotFoundError), open(f"/proc/{process.pid}/net/{table}", encoding="ascii") as lines:
        split = (line.split(None, 4) for line in lines)
        return sum(fields[1].endswith(wanted) and fields[3] == state for fields in split)
    return 0
