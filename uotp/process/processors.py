"""
How many processors this process may use.  That may be fewer than the machine has: a scheduler's mask
says which, and a control group, as containers have, how much time of them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows the control groups of its second version."""

OWN_GROUP = Path("/proc/self/cgroup")
"""Where it names ours."""


def usableProcessors() -> int:
    """
    @return: so many, at least 1.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    number = os.cpu_count() or 1 if affinity is None else len(affinity(0))
    quota = processorQuota()
    return max(1, number if quota is None else min(number, int(quota)))


def processorQuota(own: Path = OWN_GROUP, groups: Path = GROUPS) -> float | None:
    """
    @param own: the file that names our control group.
    @param groups: the directory of all.
    @return: how many processors' time our control group, or one above it, may use; L{None} for all.
    """
    quotas = []
    with suppress(OSError, StopIteration, UnicodeDecodeError):
        name = next(line for line in own.read_text().splitlines() if line.startswith("0::"))[3:]
        group = groups / name.lstrip("/")
        for each in (group, *group.parents):
            quotas += _quotaOf(each)
            if each == groups:
                break
    return min(quotas, default=None)


def _quotaOf(group: Path) -> list[float]:
    """
    @return: the quota of one group, if it has any.
    """
    try:
        most, period = (group / "cpu.max").read_text().split()
        return [int(most) / int(period)]
    except (OSError, ValueError, ZeroDivisionError):  # there is no such file in the topmost, and "max" is no number
        return []
