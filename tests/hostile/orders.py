"""
Programs of the rig that are spoken to: an order is a line of JSON, and so is the answer.
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Callable, Mapping
from typing import Any

from bench.rig.programs import CHECKOUT, HANG_SECONDS, PROGRAM, Program, RigError, environmentFor

Report = dict[str, Any]

Starter = Callable[[str, list[str], Mapping[str, str], bool], Program]
"""Starts a program, given its name, its command, its environment and whether it is spoken to."""


class Orders:
    """
    Gives orders to a program, and reads its answers.
    """

    def __init__(self, program: Program) -> None:
        """
        @param program: one that is spoken to.
        """
        self._program = program

    def ask(self, order: str, seconds: float = HANG_SECONDS) -> Report:
        """
        @param seconds: the answer has to come by then.
        @return: what it answers.
        @raise RigError: when it does not.
        """
        stdin = self._program.process.stdin
        assert stdin is not None
        try:
            stdin.write(order + "\n")
            stdin.flush()
        except BrokenPipeError:
            pass  # its last words follow
        return self.reply(seconds)

    def reply(self, seconds: float = HANG_SECONDS) -> Report:
        """
        @return: what it says next.
        @raise RigError: when that does not come in time.
        """
        stdout = self._program.process.stdout
        assert stdout is not None
        readable, _, _ = select.select([stdout], [], [], seconds)
        line = stdout.readline() if readable else ""
        if not line:
            reason = f"{self._program.name} does not answer\n{self._program.story()}"
            raise RigError(reason)
        report: Report = json.loads(line)
        return report


class Spoken(Orders):
    """
    A program that takes orders, seen from outside.

    @ivar first: what it has said by itself when it was ready.
    """

    def __init__(self, start: Starter, module: str, *words: str) -> None:
        """
        Start it, and wait until it is ready.

        @param module: of this checkout.
        @param words: its command line.
        """
        command = [sys.executable, "-m", module, *words]
        super().__init__(start(module.rpartition(".")[2], command, environmentFor(CHECKOUT, PROGRAM), True))
        self.first = self.reply()

    def end(self) -> None:
        """
        End it, at once.
        """
        self._program.kill()


def say(report: Report) -> None:
    """
    Called in such a program: answer.
    """
    print(json.dumps(report), flush=True)  # noqa: T201 - this is how it speaks


class Ear:
    """
    Reads orders in such a program, from its standard input, which somebody else waits for.
    """

    def __init__(self) -> None:
        self._held = b""

    def fileno(self) -> int:
        """
        @return: what to wait for.
        """
        return 0

    def orders(self) -> list[str]:
        """
        @return: the orders that have come.
        @raise SystemExit: when there is nobody any more who could give one.
        """
        more = os.read(0, 65536)
        if not more:
            sys.exit()
        *lines, self._held = (self._held + more).split(b"\n")
        return [line.decode() for line in lines]
