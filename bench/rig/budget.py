"""
Parts of processors, by control groups of Linux.  They need root.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from bench.rig.programs import until

GROUPS = Path("/sys/fs/cgroup")

PERIOD_MICROSECONDS = 20_000
"""In each of them a group gets its part.  A program that has used it up waits for the next."""

GONE_SECONDS = 5.0


def processorGroups() -> Path | None:
    """
    @return: the folder in which groups are made that have parts of processors; L{None} where there is none.
    """
    controls = GROUPS / "cgroup.subtree_control"
    folder = GROUPS / "cpu"
    with suppress(OSError):
        folder = GROUPS if "cpu" in controls.read_text(encoding="utf-8").split() else folder
    return folder if os.access(folder / "cgroup.procs", os.W_OK) else None


class ProcessorPart(AbstractContextManager["ProcessorPart"]):
    """
    A part of one processor, for the processes that are put into it and for those that they start.
    """

    def __init__(self, name: str, share: float) -> None:
        """
        @param name: of the group; nobody else's.
        @param share: of a processor.
        @raise OSError: when there can be none.
        """
        groups = processorGroups()
        if groups is None:
            reason = "no control group can be made"
            raise OSError(reason)
        self._folder = groups / name
        self._folder.mkdir()
        quota = int(PERIOD_MICROSECONDS * share)
        if groups == GROUPS:
            self._write("cpu.max", f"{quota} {PERIOD_MICROSECONDS}")
        else:
            self._write("cpu.cfs_period_us", str(PERIOD_MICROSECONDS))
            self._write("cpu.cfs_quota_us", str(quota))

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, encoding="ascii")

    def hold(self, pid: int) -> None:
        """
        Put a process into it.
        """
        self._write("cgroup.procs", str(pid))

    def __exit__(self, *_: object) -> None:
        """
        Remove it, when its processes have ended.
        """
        until(self._removed, f"{self._folder.name} is empty", GONE_SECONDS)

    def _removed(self) -> bool:
        with suppress(OSError):
            self._folder.rmdir()
        return not self._folder.exists()
