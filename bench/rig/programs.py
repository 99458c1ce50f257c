"""
Programs whose output can be waited for, and that end in time or are ended.  Nothing
here knows which programs there are.

Every wait ends with what it waits for or at a deadline.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import uotp

CHECKOUT = Path(__file__).resolve().parents[2]
"""Where this package is imported from..."""

PROGRAM = Path(uotp.__file__).resolve().parent.parent
"""...and where the program is: the same checkout, or an environment."""

HANG_SECONDS = 300.0
"""
Until something that has to come must have come: a limit against hanging and nothing else,
for the slowest machine there is.
"""

BUSY_SECONDS = 15.0
"""
What a machine that is four times slower than most, and busy, may add to a time that is
promised.
"""

STOP_SECONDS = 5.0
"""Until a program has ended after SIGTERM: what its users are promised."""

PATIENCE_SECONDS = 2.0
"""From SIGTERM to SIGKILL, for all that a block has started together."""

LOOK_SECONDS = 0.01
TOLD_LINES = 200


class RigError(Exception):
    """
    Something did not go as it has to for a measurement or a test; the message says what.
    """


def until(
    condition: Callable[[], object], what: str, seconds: float = HANG_SECONDS, look: float = LOOK_SECONDS
) -> float:
    """
    Wait for a condition that nothing announces.

    @param what: what it is, for the failure.
    @param look: seconds between two looks.
    @return: how long it took, in seconds.
    @raise RigError: at the deadline.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            reason = f"not so in {seconds:g} s: {what}"
            raise RigError(reason)
        time.sleep(look)
    return time.monotonic() - began


def environmentFor(*folders: Path) -> dict[str, str]:
    """
    @param folders: where a Python that is started looks for packages first.
    @return: this process's environment, without what leads a Python elsewhere.
    """
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**plain, "PYTHONPATH": os.pathsep.join(map(str, folders))} if folders else plain


class Program:
    """
    A running process, with its output.

    The output goes to a file that nobody else sees, so that writing it never waits for
    whoever reads it.

    @ivar name: what it is called in failures.
    @ivar process: to be asked for its id, or sent signals.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: str | Path | None = None,
        *,
        spokenTo: bool = False,
    ) -> None:
        """
        @param spokenTo: whether its input and output are pipes of C{process}; without,
            its output goes where its errors go.
        """
        self.name = name
        self._lines: list[str] = []
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it is open as long as the process runs
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if spokenTo else subprocess.DEVNULL,
            stdout=subprocess.PIPE if spokenTo else self._log,
            stderr=self._log,
            env=environment,
            cwd=folder,
            text=True,
        )

    @property
    def lines(self) -> list[str]:
        """
        What it has written so far, to standard output and error alike, line by line.
        """
        if not self._log.closed:
            ended = self.process.poll() is not None
            written = os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0)
            *self._lines, last = written.decode(errors="replace").split("\n")
            if last and ended:
                self._lines.append(last)
        return self._lines

    def waitFor(self, condition: Callable[[], object], what: str, seconds: float = HANG_SECONDS) -> None:
        """
        Wait for something that it does.

        @param what: what it is to do, for the failure.
        @raise RigError: when it has not at the deadline, or has ended.
        """
        end = time.monotonic() + seconds
        while True:
            ended = self.process.poll() is not None
            if condition():
                return
            if ended or time.monotonic() > end:
                reason = f"{self.name}: {what}: {'it has ended' if ended else f'not in {seconds:g} s'}\n{self.story()}"
                raise RigError(reason)
            time.sleep(LOOK_SECONDS)

    def waitForLine(self, pattern: str, seconds: float = HANG_SECONDS) -> re.Match[str]:
        """
        Wait until one of the lines fits, also one that has been written already.

        @raise RigError: at the deadline, or when it has ended.
        """
        found: list[re.Match[str]] = []

        def fitting() -> bool:
            found.extend(filter(None, (re.search(pattern, line) for line in self.lines)))
            return bool(found)

        self.waitFor(fitting, f"a line {pattern!r}", seconds)
        return found[0]

    def waitForExit(self, seconds: float = HANG_SECONDS) -> int:
        """
        @return: the exit status, negative for a signal.
        @raise RigError: at the deadline.
        """
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            reason = f"{self.name} has not ended in {seconds} s"
            raise RigError(reason) from None

    def terminate(self) -> int:
        """
        Ask it to stop, as an administrator would.

        @return: the exit status.
        @raise RigError: when it does not stop.
        """
        self.process.send_signal(signal.SIGTERM)
        return self.waitForExit()

    def kill(self) -> None:
        """
        End it at once, if it has not ended, and keep what it has said.
        """
        self.process.kill()
        self.process.wait()
        self._lines = self.lines
        self._log.close()
        for pipe in filter(None, (self.process.stdin, self.process.stdout)):
            with suppress(OSError):
                pipe.close()

    def story(self) -> str:
        """
        @return: its output under its name, for whoever reads a failure.
        """
        return "\n".join([f"--- {self.name} (status {self.process.poll()}) ---", *self.lines[-TOLD_LINES:]])


class Programs(AbstractContextManager["Programs"]):
    """
    Starts programs, and ends them when its block does.
    """

    def __init__(self, folder: Path) -> None:
        """
        @param folder: where they run.
        """
        self.folder = folder
        self._running: list[Program] = []

    def start(
        self, words: Sequence[str], environment: Mapping[str, str] | None = None, *, spokenTo: bool = False
    ) -> Program:
        """
        Start one.

        @param environment: that of L{environmentFor} when left out.
        @param spokenTo: see L{Program}.
        """
        given = environmentFor() if environment is None else environment
        program = Program(" ".join(words), words, given, self.folder, spokenTo=spokenTo)
        self._running.append(program)
        return program

    def __exit__(self, *_: object) -> None:
        """
        End those that still run: the youngest first, and with force after a while.
        """
        for program in reversed(self._running):
            program.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + PATIENCE_SECONDS
        for program in reversed(self._running):
            with suppress(RigError):
                program.waitForExit(max(0.0, end - time.monotonic()))
            program.kill()
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
