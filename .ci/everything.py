"""
Runs all sessions of C{noxfile.py} that must pass, each on a clone of HEAD and with its
output in a file, and goes on after one that has failed: one run tells all that is wrong.
It knows nothing of what the sessions do, but for trial's last lines, which it adds up.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOX = "nox==2026.10.20"

STEP_SECONDS = 4200
TOTAL_SECONDS = 4800
"""
Against hanging, and nothing else: machines differ by a factor of four, and on a slow one
the longest step takes the better part of an hour.  What is not done by then fails.
"""

GRACE_SECONDS = 10
"""What is told to end has this time to clean up."""

STAGES = (
    (3, ["original", "style", "docs", "command-1", "container", "single-file"]),
    (3, ["packages", "tests-3.10", "tests-3.13", "tests-3.11"]),
    (1, ["command-2"]),
)
"""
How many sessions may run at a time, and which.  Those of the second stage need the original, and
the longest come first.  README's second command has the machine for itself: it runs more at a time
by itself.
"""

SHOWN_LINES = {"command-1": 28}
"""How much is shown of what a session has said that passed, beside trial's last lines."""

LEFT_OUT = {"packages"}
"""Where tests may be skipped: where the wheel is, there are no documents to compare with."""

MOST_NAMED, LONGEST_CAUSE = 20, 600
"""So many failed tests are named at the end, each with so many characters of its cause."""

INTERRUPTED_EXIT_STATUS = 130


class Steps:
    """
    Runs one step after the other, and remembers how they went.

    @param work: a directory for all that is made.
    @ivar failed: the names of the steps that have failed.
    """

    def __init__(self, work: Path) -> None:
        self.failed: list[str] = []
        self._work = work
        self._logs = work / "logs"
        self._logs.mkdir()
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """
        Print one line with the time since the start.
        """
        minutes, seconds = divmod(int(self._elapsed()), 60)
        print(f"[{minutes:2}:{seconds:02}] {text}", flush=True)

    async def prepare(self) -> None:
        """
        Install nox, and what else is missing, which may be git.
        """
        venv = self._work / "nox"
        pip = [str(venv / "bin" / "pip"), "install", "--quiet", NOX]
        await self._step("nox", [[sys.executable, "-m", "venv", str(venv)], pip])
        await self._step("machine", [self._nox(ROOT, "machine")])

    async def stage(self, atATime: int, sessions: Sequence[str]) -> None:
        """
        Run sessions, some of them at a time.
        """
        self.say(f"{', '.join(sessions)}...")
        room = asyncio.Semaphore(atATime)
        await asyncio.gather(*(self._session(name, room) for name in sessions))

    async def _session(self, name: str, room: asyncio.Semaphore) -> None:
        clone = self._work / name
        async with room:
            await self._step(name, [["git", "clone", "--quiet", str(ROOT), str(clone)], self._nox(clone, name)])

    def _nox(self, checkout: Path, session: str) -> list[str]:
        program = self._work / "nox" / "bin" / "nox"
        files = ["--noxfile", str(checkout / "noxfile.py"), "--envdir", str(self._work / "envs")]
        return [str(program), *files, "--session", session]

    async def _step(self, name: str, commands: Sequence[Sequence[str]]) -> None:
        began = self._elapsed()
        left = min(STEP_SECONDS, max(1, TOTAL_SECONDS - began))
        verdict = "passed"
        with self._log(name).open("w") as log:
            try:
                await asyncio.wait_for(self._executeAll(commands, log.fileno()), left)
            except TimeoutError:
                verdict = f"FAILED, it was not done in {left:.0f} s"
            except OSError as error:
                verdict = f"FAILED, {error}"
        self.say(f"{name} {verdict} ({self._elapsed() - began:.0f} s)")
        lines = self._log(name).read_text(errors="replace").splitlines()
        if verdict == "passed":
            said = [line for line in lines if not line.startswith("nox > ")]
            results = [line for line in lines if re.match(r"Ran |PASSED", line)]
            lines = results or said[len(said) - SHOWN_LINES.get(name, 0) :]
        else:
            self.failed.append(name)
        self._show(lines)

    async def _executeAll(self, commands: Sequence[Sequence[str]], output: int) -> None:
        for command in commands:
            await self._execute(command, output)

    async def _execute(self, command: Sequence[str], output: int) -> None:
        """
        Run a command, and end it with all that is in its process group when there is no
        more time for it.

        @raise ChildProcessError: when it does not succeed.
        """
        process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):  # once all have ended
                os.killpg(process.pid, signal.SIGTERM)
                for _ in range(GRACE_SECONDS * 10):
                    await asyncio.sleep(0.1)
                    os.killpg(process.pid, 0)
                os.killpg(process.pid, signal.SIGKILL)
            raise
        if status:
            reason = f"{os.path.basename(command[0])} ended with status {status}"
            raise ChildProcessError(reason)

    def noneSkipped(self) -> None:
        """
        With everything installed nothing is left out.
        """
        for log in self._logs.iterdir():
            if log.stem in LEFT_OUT:
                continue
            text = log.read_text(errors="replace")
            if re.search(r"^(PASSED|FAILED) \(.*skips=", text, re.MULTILINE):
                self.failed.append(f"skips in {log.stem}")
                self.say(f"{self.failed[-1]}, which must not be")
                self._show("".join(re.findall(r"^\[SKIPPED\]\n(?:.+\n)*", text, re.MULTILINE)).splitlines())

    def countOf(self, word: str) -> int:
        """
        @return: the sum of what all of trial's last lines say, as in C{PASSED (successes=3)}.
        """
        texts = [log.read_text(errors="replace") for log in self._logs.iterdir()]
        endings = [
            ending for text in texts for ending in re.findall(r"^(?:PASSED|FAILED) \((.*)\)", text, re.MULTILINE)
        ]
        return sum(int(number) for ending in endings for number in re.findall(rf"\b{word}=(\d+)", ending))

    def nameFailed(self) -> None:
        """
        Print which tests have failed, and why, so that the last lines of a long output tell it.
        """
        texts = [log.read_text(errors="replace") for log in sorted(self._logs.iterdir())]
        named = [named for text in texts for named in failedTests(text)]
        self._show(named[:MOST_NAMED])
        if len(named) > MOST_NAMED:
            self._show([f"and {len(named) - MOST_NAMED} more"])

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _show(self, lines: Iterable[str]) -> None:
        for line in lines:
            print(f"    {line}", flush=True)


def failedTests(text: str) -> Iterator[str]:
    """
    @param text: what trial has printed.
    @return: a line for each test that has failed: its name and the cause.
    """
    for part in re.split(r"^={70,}$", text, flags=re.MULTILINE)[1:]:
        lines = re.split(r"^-{70,}$", part, flags=re.MULTILINE)[0].strip().splitlines()
        if not lines or lines[0] not in {"[FAIL]", "[ERROR]"}:
            continue
        # The names come last: all that have failed in this way, or a module that could not be imported.
        names = list(itertools.takewhile(re.compile(r"\w+(?:\.\w+)+").fullmatch, reversed(lines)))
        cause = causeOf(lines[: len(lines) - len(names)]) or lines[0]
        yield from (f"{name}: {cause[:LONGEST_CAUSE]}" for name in names)


def causeOf(lines: Sequence[str]) -> str:
    """
    @param lines: of one failure.
    @return: what was raised, on one line.  Where it tells of another failure, that one; what programs have said after
        it is left out.
    """
    raised = re.compile(r"[\w.]*[A-Z]\w*(?:: (?!Traceback )|$)")
    cause = itertools.dropwhile(lambda line: not raised.match(line), lines)
    told = itertools.takewhile(lambda line: not line.startswith("--- "), cause)
    return " ".join(filter(None, map(str.strip, told)))


async def runAll(steps: Steps) -> None:
    """
    Run all that there is, unless this process is told to end.
    """
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await steps.prepare()
    with suppress(FileNotFoundError):  # without git each step says so
        git = ["git", "-C", str(ROOT), "status", "--porcelain"]
        status = await asyncio.create_subprocess_exec(*git, stdout=subprocess.PIPE)
        changes, _ = await status.communicate()
        if changes:
            steps.say("note: this checks what is committed, and there are changes that are not")
    for atATime, sessions in STAGES:
        await steps.stage(atATime, sessions)
    steps.noneSkipped()


def startedWith(setting: str) -> Iterator[int]:
    """
    @param setting: a variable of the environment and its value.
    @return: the ids of all processes that were started with it.
    """
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is somebody else's
            if setting.encode() in environment.read_bytes().split(b"\0"):
                yield int(environment.parent.name)


def main() -> int:
    """
    @return: the exit status.
    """
    work = Path(tempfile.mkdtemp(prefix="uotp-ci."))
    temporary = work / "tmp"  # some pips leave a directory behind
    temporary.mkdir()
    # Where no bytecode is kept, each program of a test compiles all of it again: half of its start.
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE"):
        os.environ.pop(name, None)
    os.environ.update(TMPDIR=str(temporary), PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_ROOT_USER_ACTION="ignore")
    # A checkout may belong to somebody else than whoever runs this.
    os.environ.update(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
    steps = Steps(work)
    try:
        asyncio.run(runAll(steps))
        # A failed step counts as one failure at least, whether or not a test in it has failed.
        steps.nameFailed()
        failures = max(steps.countOf("failures") + steps.countOf("errors"), len(steps.failed))
        steps.say(f"FAILED: {'; '.join(steps.failed)}" if failures else "all is well")
        print(f"{steps.countOf('successes')} passed, {failures} failed", flush=True)
        return int(failures > 0)
    except asyncio.CancelledError:
        steps.say("interrupted")
        return INTERRUPTED_EXIT_STATUS
    finally:
        for process in startedWith(f"TMPDIR={temporary}"):  # also what has left its process group
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
