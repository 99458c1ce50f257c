"""
Processes whose output can be waited for, and that end in time or are ended.  It
does not know which programs there are.
"""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Mapping

START_SECONDS = 20.0
"""Until a program is ready; much more than it takes, for a busy machine."""

STOP_SECONDS = 5.0
"""Until a program has ended after SIGTERM: what its users are promised."""


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
