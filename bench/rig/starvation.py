"""
For how long programs had no processor, since others had them all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from bench.rig.procfs import waitedSeconds

LOOK_SECONDS = 0.4
"""For so long what comes finds room in the buffers of the programs, as tests set them."""

BUFFERED_SECONDS = 0.2
"""A process that waits for no longer within one look loses nothing by that, however often it waits."""


class Starvation:
    """
    Looks at processes again and again, in a thread.
    """

    def __init__(self, processes: Callable[[], Iterable[int]]) -> None:
        """
        @param processes: tells the ids of all of them.
        """
        self._processes = processes
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._starved = 0.0

    def begin(self) -> None:
        """
        Look from now on.
        """
        self.end()
        self._over.clear()
        self._starved = 0.0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def end(self) -> float:
        """
        Look no more.

        @return: for how many seconds a process had no processor for so long at a stretch that what came may have been
            lost.
        """
        if self._thread is not None:
            self._over.set()
            self._thread.join()
            self._thread = None
        return self._starved

    def _look(self) -> None:
        before = self._waited()
        while not self._over.wait(LOOK_SECONDS):
            now = self._waited()
            self._starved += starvedSeconds(before, now)
            before = now
        self._starved += starvedSeconds(before, self._waited())

    def _waited(self) -> dict[int, float]:
        return {pid: waitedSeconds(pid) for pid in self._processes()}


def starvedSeconds(before: Mapping[int, float], now: Mapping[int, float]) -> float:
    """
    @param before: for how long each process had waited for a processor at one look.
    @param now: the same at the next.
    @return: for how long the one waited meanwhile that waited longest; 0 where nothing is lost by that.
    """
    longest = max((seconds - before.get(pid, 0.0) for pid, seconds in now.items()), default=0.0)
    return longest if longest > BUFFERED_SECONDS else 0.0
