"""
What waits for its turn to shake hands.
"""

from __future__ import annotations

from twisted.internet.task import Clock

from uotp.transport.handshakes import Step


class RecordingStep:
    """
    Takes its turn, and writes that down.
    """

    def __init__(
        self,
        name: str,
        journal: list[str],
        clock: Clock | None = None,
        seconds: float = 0.0,
        error: Exception | None = None,
    ) -> None:
        """
        @param name: what it is called there.
        @param journal: what all of them share.
        @param clock: goes on while it takes its turn.
        @param seconds: by how much.
        @param error: raised in its turn, if it is set.
        """
        self.name = name
        self._journal = journal
        self._clock = clock
        self._seconds = seconds
        self._error = error

    def goOn(self) -> None:
        self._journal.append(self.name)
        if self._clock is not None:
            self._clock.rightNow += self._seconds
        if self._error is not None:
            raise self._error

    def abort(self) -> None:
        self._journal.append(f"abort {self.name}")


# It fits its seam.
_step: type[Step] = RecordingStep
