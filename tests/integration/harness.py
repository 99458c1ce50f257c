"""
What tests with real programs share: processes that always end, and their output
beside a failure.  It knows neither certificates nor the programs of anybody else.

Every wait here ends with what it waits for or at a deadline; none is a mere
sleep.  A wait that fails shows what all programs of the test have said.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from bench.rig.ports import LOOPBACK, Address
from bench.rig.programs import HANG_SECONDS, PROGRAM, Program
from tests.integration.correspondence import Correspondent, Target

TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
"""What the script C{twistd} does, wherever it is."""

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


def requireProcfs() -> None:
    """
    @raise SkipTest: where there is no C{/proc} as Linux has it.
    """
    if not Path("/proc/self/status").exists():
        needed("/proc is missing: these tests look at processes as Linux shows them")


MAIN = "uotp.cli.main"
"""The module that runs our programs."""


def ourCommand(*words: str, module: str = MAIN) -> list[str]:
    """
    @param words: C{client} or C{server}, or a command of C{uotp}; and arguments.
    @param module: runs it.
    @return: what runs it on this Python, installed or not.
    """
    return [sys.executable, "-m", module, *words]


@functools.cache
def runtimeDirectory() -> str:
    """
    @return: where programs of tests have their control sockets, and not where those of this machine have theirs.
    """
    folder = tempfile.mkdtemp(prefix="uotp-run-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def ourEnvironment() -> dict[str, str]:
    """
    @return: this process's environment, in which our package can be imported.
    """
    paths = [str(PROGRAM), *filter(None, [os.environ.get("PYTHONPATH")])]
    ours = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", "RUNTIME_DIRECTORY": runtimeDirectory()}
    return {**os.environ, **ours}


def runToEnd(
    command: list[str],
    seconds: float = HANG_SECONDS,
    environment: Mapping[str, str] | None = None,
    folder: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """
    Run a program that ends by itself.

    @param environment: one that our package can be imported in, when left out.
    @return: its status and its output, standard output and error apart.
    @raise subprocess.TimeoutExpired: at the deadline; the program is killed.
    """
    return subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        env=ourEnvironment() if environment is None else environment,
        cwd=folder,
    )


def withStories(method: Callable[[Any], None]) -> Callable[[Any], None]:
    """
    @param method: a test method.
    @return: the same, whose failure shows the output of the test's programs.
    """

    @wraps(method)
    def run(self: Any) -> None:
        try:
            method(self)
        except SkipTest:
            raise
        except Exception:  # noqa: BLE001 - whatever went wrong, the programs' side of it is wanted
            story = f"{traceback.format_exc()}\n{self.stories()}"
            raise self.failureException(story) from None

    return run


class ProgramTestCase(SynchronousTestCase):
    """
    A test with real programs.  Whatever it starts ends with it.
    """

    _programs: list[Program]

    def __init_subclass__(cls) -> None:
        """
        Have each test tell what its programs said when it fails.
        """
        super().__init_subclass__()
        for name, method in list(vars(cls).items()):
            if name.startswith("test"):
                setattr(cls, name, withStories(method))

    def setUp(self) -> None:
        self._programs = []

    def stories(self) -> str:
        """
        @return: the output of all programs of this test.
        """
        return "\n".join(program.story() for program in self._programs)

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

    def target(self, answer: Callable[[bytes], bytes] = bytes) -> Target:
        """
        Start a UDP target that echoes, or answers as it is told.
        """
        target = Target(answer, (LOOPBACK, 0))
        self.addCleanup(target.stop)
        return target

    def correspondent(self, address: Address) -> Correspondent:
        """
        Open a UDP socket towards a client.
        """
        correspondent = Correspondent(address)
        self.addCleanup(correspondent.close)
        return correspondent
