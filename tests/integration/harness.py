"""
What tests with real programs share: processes that always end, and their output
beside a failure.  It knows neither certificates nor the programs of anybody else.

Every wait here ends with what it waits for or at a deadline; none is a mere
sleep.  A wait that fails shows what all programs of the test have said.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import uotp
from tests.integration.correspondence import LOOPBACK, Address, Correspondent, Target

ROOT = Path(uotp.__file__).resolve().parent.parent
"""Where our package is imported from: a checkout or an environment."""

START_SECONDS = 20.0
"""Until a program is ready; much more than it takes, for a busy machine."""

STOP_SECONDS = 5.0
"""Until a program has ended after SIGTERM: what its users are promised."""

LISTENING = r"listening on \[?([0-9a-f.:]+?)\]?:(\d+) \((?:TCP|UDP)\)"


def needed(reason: str) -> NoReturn:
    """
    Something that a test needs is missing on this machine.

    @param reason: what, and how to provide it.
    @raise SkipTest: unless C{UOTP_REQUIRE_ALL=1} says that nothing may be missing.
    """
    if os.environ.get("UOTP_REQUIRE_ALL") == "1":
        raise AssertionError(reason)
    raise SkipTest(reason)


def ourCommand(*words: str) -> list[str]:
    """
    @param words: C{client} or C{server}, or a command of C{uotp}; and arguments.
    @return: what runs it on this Python, installed or not.
    """
    return [sys.executable, "-m", "uotp.scripts", *words]


def ourEnvironment() -> dict[str, str]:
    """
    @return: this process's environment, in which our package can be imported.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


def foreignEnvironment() -> dict[str, str]:
    """
    @return: this process's environment, without what leads a Python to our package.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


class Program:
    """
    A running process, with its output.

    @ivar name: what it is called in failures.
    @ivar lines: what it has written so far, to standard output and error alike.
    """

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], folder: str | None) -> None:
        self.name = name
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def waitForLine(self, pattern: str, seconds: float = START_SECONDS) -> re.Match[str]:
        """
        Wait until one of the lines fits, also one that has been written already.

        @raise AssertionError: at the deadline, or when the output has ended.
        """

        def fitting() -> re.Match[str] | None:
            return next(filter(None, (re.search(pattern, line) for line in self.lines)), None)

        with self._changed:
            self._changed.wait_for(lambda: fitting() or self._ended, seconds)
            match = fitting()
        if match is None:
            reason = f"{self.name} has not said {pattern!r}" + (" and has ended" if self._ended else f" in {seconds} s")
            raise AssertionError(reason)
        return match

    def waitForExit(self, seconds: float = STOP_SECONDS) -> int:
        """
        @return: the exit status, negative for a signal, once all output is read.
        @raise AssertionError: at the deadline.
        """
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            reason = f"{self.name} has not ended in {seconds} s"
            raise AssertionError(reason) from None
        self._reader.join(seconds)
        return status

    def terminate(self) -> int:
        """
        Ask it to stop, as an administrator would.

        @return: the exit status.
        @raise AssertionError: when it does not stop in time.
        """
        self.process.send_signal(signal.SIGTERM)
        return self.waitForExit()

    def kill(self) -> None:
        """
        End it at once, if it has not ended.
        """
        self.process.kill()
        self.process.wait()
        self._reader.join(STOP_SECONDS)
        if self.process.stdout is not None and not self._reader.is_alive():
            self.process.stdout.close()

    def story(self) -> str:
        """
        @return: its output under its name, for whoever reads a failure.
        """
        return "\n".join([f"--- {self.name} (status {self.process.poll()}) ---", *self.lines[-200:]])


class ProgramTestCase(SynchronousTestCase):
    """
    A test with real programs.  Whatever it starts ends with it.
    """

    def __init__(self, methodName: str = "runTest") -> None:
        self._programs: list[Program] = []
        if hasattr(self, methodName):
            setattr(self, methodName, self._withStories(getattr(self, methodName)))
        super().__init__(methodName)

    def _withStories(self, method: Callable[[], object]) -> Callable[[], None]:
        @wraps(method)
        def run() -> None:
            try:
                method()
            except SkipTest:
                raise
            except Exception:  # noqa: BLE001 - whatever went wrong, the programs' side of it is wanted
                stories = [program.story() for program in self._programs]
                raise self.failureException("\n".join([traceback.format_exc(), *stories])) from None

        return run

    def start(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str] | None = None,
        folder: str | None = None,
    ) -> Program:
        """
        Start a program; it is killed at the end of the test, if it still runs.

        @param environment: one that our package can be imported in, when left out.
        """
        program = Program(name, command, ourEnvironment() if environment is None else environment, folder)
        self._programs.append(program)
        self.addCleanup(program.kill)
        return program

    def startListening(self, which: str, *arguments: str) -> tuple[Program, Address]:
        """
        Start our client or our server, and wait until it listens.

        @param which: C{client} or C{server}.
        @param arguments: of its command line.
        @return: the program, and the address that it says it listens on.
        """
        program = self.start(f"our {which}", ourCommand(which, *arguments))
        match = program.waitForLine(LISTENING)
        return program, (match[1], int(match[2]))

    def target(self, answer: Callable[[bytes], bytes] = bytes, address: Address = (LOOPBACK, 0)) -> Target:
        """
        Start a UDP target that echoes, or answers as it is told.
        """
        target = Target(answer, address)
        self.addCleanup(target.stop)
        return target

    def correspondent(self, address: Address) -> Correspondent:
        """
        Open a UDP socket towards a client.
        """
        correspondent = Correspondent(address)
        self.addCleanup(correspondent.close)
        return correspondent


def runToEnd(command: list[str], seconds: float = START_SECONDS, **options: Any) -> subprocess.CompletedProcess[str]:
    """
    Run a program that ends by itself.

    @param options: as for L{subprocess.run}.
    @return: its status and its output, standard output and error apart.
    @raise subprocess.TimeoutExpired: at the deadline; the program is killed.
    """
    options.setdefault("env", ourEnvironment())
    return subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, **options
    )
