"""
Commands in processes of their own, whose output nobody takes.
"""

from __future__ import annotations

import os
import subprocess

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from bench.rig.programs import HANG_SECONDS
from tests.integration.harness import ourCommand, ourEnvironment

FULL_DEVICE = "/dev/full"


class OutputTests(SynchronousTestCase):
    """
    Print a manual page, which the interpreter has yet to write when it ends.
    """

    def ended(self, output: int) -> tuple[int, bytes]:
        """
        @return: the status, and what was said on standard error.
        """
        environment = ourEnvironment() | {"PYTHONUNBUFFERED": ""}
        done = subprocess.run(
            ourCommand("man", "uotp"),
            stdout=output,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
            timeout=HANG_SECONDS,
        )
        return done.returncode, done.stderr

    def test_aClosedPipeIsNoTraceback(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        self.addCleanup(os.close, writer)
        self.assertEqual(self.ended(writer), (141, b""))

    def test_aFullDeviceIsOneLine(self) -> None:
        if not os.path.exists(FULL_DEVICE):
            raise SkipTest(FULL_DEVICE + " is not here")
        device = os.open(FULL_DEVICE, os.O_WRONLY)
        self.addCleanup(os.close, device)
        words = b"uotp man: nothing can be written to standard output: No space left on device\n"
        self.assertEqual(self.ended(device), (1, words))
