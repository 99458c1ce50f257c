"""
A load's end, as the measurement sees it.
"""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Sequence
from typing import Any

from bench.rig.programs import CHECKOUT, PROGRAM, Programs, RigError, environmentFor

REPLY_SECONDS = 30.0
"""Besides what a deed takes."""


class LoadEnd:
    """
    A process that sends and receives, see L{bench.load.__main__}.

    @ivar pid: of the process.
    @ivar port: where its socket is bound.
    """

    def __init__(self, programs: Programs, side: Sequence[str], address: str) -> None:
        """
        Start it.

        @param side: words before its command.
        @param address: to bind to.
        """
        words = [*side, sys.executable, "-m", "bench.load", address]
        self._program = programs.start(words, environmentFor(CHECKOUT, PROGRAM), spokenTo=True)
        self.pid = self._program.process.pid
        self.port = int(self._reply(REPLY_SECONDS)["port"])

    def begin(self, deed: str, **arguments: Any) -> None:
        """
        Have it begin to do something.
        """
        self._ask(deed, REPLY_SECONDS, arguments)

    def countBetween(self, begin: float, end: float) -> None:
        """
        Have it count what it does between two moments on the monotonic clock.
        """
        self._ask("countBetween", REPLY_SECONDS, {"begin": begin, "end": end})

    def offer(self, rate: float) -> None:
        """
        Have it ask so many questions a second from now on.
        """
        self._ask("offer", REPLY_SECONDS, {"rate": rate})

    def sample(self) -> dict[str, Any]:
        """
        @return: how it stands with what it does.
        """
        return self._ask("sample", REPLY_SECONDS, {})

    def finish(self, seconds: float = 0.0) -> dict[str, Any]:
        """
        Have it stop, or come to its end.

        @param seconds: how long that takes.
        @return: what it reports.
        """
        return self._ask("finish", REPLY_SECONDS + seconds, {})

    def connect(self, address: tuple[str, int]) -> None:
        """
        Have it say hello until it is answered.

        @raise RigError: when it is not.
        """
        if not self._ask("connect", REPLY_SECONDS, {"address": address})["answered"]:
            reason = f"nothing comes back from {address[0]}:{address[1]}"
            raise RigError(reason)

    def _ask(self, do: str, seconds: float, arguments: dict[str, Any]) -> dict[str, Any]:
        stdin = self._program.process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            stdin.flush()
        except BrokenPipeError:
            pass  # its last words follow
        return self._reply(seconds)

    def _reply(self, seconds: float) -> dict[str, Any]:
        stdout = self._program.process.stdout
        assert stdout is not None
        readable, _, _ = select.select([stdout], [], [], seconds)
        line = stdout.readline() if readable else ""
        if not line:
            reason = f"a load's end does not answer\n{self._program.story()}"
            raise RigError(reason)
        reply: dict[str, Any] = json.loads(line)
        return reply
