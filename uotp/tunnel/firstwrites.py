"""
The first writes on a tunnel, which are padded where the user wants that.
"""

from __future__ import annotations

from collections.abc import Callable

from uotp.wire import PADDED_WRITES, padded


class FirstWrites:
    """
    Pads what is written first on a tunnel, and says when no more is padded.
    """

    def __init__(self, write: Callable[[bytes], None], over: Callable[[], None]) -> None:
        """
        @param write: writes to the stream.
        @param over: called at the last write that is padded, before it is written.
        """
        self._write = write
        self._over = over
        self._left = PADDED_WRITES

    def write(self, frames: bytes) -> None:
        """
        Write whole frames, and padding behind them.
        """
        self._left -= 1
        if self._left == 0:
            self._over()
        self._write(padded(frames))
