"""
What waits for its turn to shake hands.
"""

from __future__ import annotations

from uotp.transport.handshakes import Step


class RecordingStep:
    """
    Takes its turn, and writes that down.
    """

    def __init__(self, name: str, journal: list[str], error: Exception | None = None) -> None:
        """
        @param name: what it is called there.
        @param journal: what all of them share.
        @param error: raised in its turn, if it is set.
        """
        self.name = name
        self._journal = journal
        self._error = error

    def goOn(self) -> None:
        self._journal.append(self.name)
        if self._error is not None:
            raise self._error

    def abort(self) -> None:
        self._journal.append(f"abort {self.name}")


# It fits its seam.
_step: type[Step] = RecordingStep
