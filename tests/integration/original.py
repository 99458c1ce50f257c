"""
How C{udp-over-tls-pool} 0.1.1 is found and started beside ours.  What is asked
of such a pair stands elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from bench.rig.programs import Program, environmentFor
from tests.integration.correspondence import Target
from tests.integration.harness import LISTENING, needed, ourCommand
from tests.integration.pairs import PairTests

READY = {"client": "UDP server started", "server": "Server ready"}
"""What the original's programs log when they listen."""


def originalProgram(end: str) -> str:
    """
    @param end: C{client} or C{server}.
    @return: the path of the original's program.
    """
    folder = os.environ.get("UOTP_ORIGINAL")
    if not folder:
        needed(
            "UOTP_ORIGINAL is not set: make a virtual environment with CPython 3.8, install "
            "udp-over-tls-pool==0.1.1 there, and name its bin directory in that variable"
        )
    path = Path(folder, f"uotp-{end}")
    if not path.is_file():
        needed(f"UOTP_ORIGINAL: there is no {path}")
    return str(path)


class MixedPairTests(PairTests):
    """
    The base of pairs in which one end is ours and one is the original's.

    @cvar ours: the end that is ours, C{client} or C{server}.
    """

    ours: ClassVar[str]

    def setUp(self) -> None:
        originalProgram("client" if self.ours == "server" else "server")
        super().setUp()

    def startServer(self, target: Target) -> Program:
        """
        @return: the server of whoever it is, listening.
        """
        return self._start("server", self.serverArguments(target))

    def startClient(self) -> Program:
        """
        @return: the client of whoever it is, listening.
        """
        return self._start("client", self.clientArguments())

    def _start(self, end: str, arguments: list[str]) -> Program:
        if end == self.ours:
            program = self.start(f"our {end}", ourCommand(end, *arguments))
            program.waitForLine(LISTENING)
        else:
            command = [originalProgram(end), *arguments]
            program = self.start(f"the original's {end}", command, environmentFor())
            program.waitForLine(READY[end])
        return program

    def end(self, program: Program) -> None:
        """
        End a program in the middle of its work: ours as an administrator does,
        the original at once, since its client may go on after SIGTERM.
        """
        if program.name == f"our {self.ours}":
            self.assertEqual(program.terminate(), 0)
        else:
            program.kill()
