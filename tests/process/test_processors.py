"""
How many processors there are for this process.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from uotp.process import processors
from uotp.process.processors import processorQuota, usableProcessors


class ProcessorTests(SynchronousTestCase):
    """
    A container on a large machine may have little of it.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.own = self.folder / "own"
        self.group = self.folder / "system.slice" / "uotp.service"
        self.group.mkdir(parents=True)
        self.own.write_text("0::/system.slice/uotp.service\n")

    def quota(self) -> float | None:
        return processorQuota(self.own, self.folder)

    def test_aGroupWithoutAQuotaHasAll(self) -> None:
        """
        Which is so on most machines.
        """
        self.assertIsNone(self.quota())
        (self.group / "cpu.max").write_text("max 100000\n")
        self.assertIsNone(self.quota())

    def test_theSmallestQuotaOnTheWayUpCounts(self) -> None:
        """
        Nobody has more than the group above.
        """
        (self.group / "cpu.max").write_text("400000 100000\n")
        self.assertEqual(self.quota(), 4)
        (self.group.parent / "cpu.max").write_text("150000 100000\n")
        self.assertEqual(self.quota(), 1.5)
        (self.folder / "cpu.max").write_text("50000 100000\n")
        self.assertEqual(self.quota(), 0.5)

    def test_aSystemWithoutGroupsHasAll(self) -> None:
        """
        Or with those of the first version only.
        """
        self.own.write_text("4:cpu,cpuacct:/x\n")
        self.assertIsNone(self.quota())
        self.own.unlink()
        self.assertIsNone(self.quota())

    def test_whatCannotBeReadDoesNotCount(self) -> None:
        """
        Nobody starts with fewer workers because of a file that is odd.
        """
        for odd in ("", "x y", "1", "100000 0"):
            (self.group / "cpu.max").write_text(odd)
            self.assertIsNone(self.quota())
        self.own.write_bytes(b"0::/\xff\n")
        self.assertIsNone(self.quota())

    def test_theMaskOfTheSchedulerCounts(self) -> None:
        """
        As C{taskset} sets it.
        """
        self.patch(processors, "processorQuota", lambda: None)
        self.patch(os, "sched_getaffinity", lambda _: {2, 5, 7})
        self.assertEqual(usableProcessors(), 3)

    def test_thereIsOneAtLeast(self) -> None:
        """
        With half of one there is still a program.
        """
        for quota in (0.5, 1.9):
            self.patch(processors, "processorQuota", lambda quota=quota: quota)
            self.assertEqual(usableProcessors(), 1)
