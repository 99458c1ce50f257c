"""
The pid file that a crash has left.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from uotp.cli.pidfile import removeStalePidFile
from uotp.cli.server import Options


class PidFileTests(SynchronousTestCase):
    """
    Find a pid file, on a system with some processes.
    """

    def setUp(self) -> None:
        self.processes = Path(os.path.abspath(self.mktemp()))
        self.file = Path(os.path.abspath(self.mktemp()))

    def process(self, pid: int, *words: str) -> None:
        """
        Let there be a process, with this command line.
        """
        (self.processes / str(pid)).mkdir(parents=True)
        (self.processes / str(pid) / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))

    def isRemoved(self, text: str) -> bool:
        """
        @return: whether a file with this text is removed.
        """
        self.file.write_text(text)
        isRemoved = removeStalePidFile(str(self.file), str(self.processes))
        self.assertEqual(isRemoved, not self.file.exists())
        return isRemoved

    def test_anotherProgramHasTheNumber(self) -> None:
        """
        Also one that has no command line: a thread of the kernel, or what has ended and nobody has waited for.
        """
        self.process(7, "/bin/sleep", "60")
        self.process(8)
        self.assertTrue(self.isRemoved("7"))
        self.assertTrue(self.isRemoved("8\n"))

    def test_weHaveTheNumberOurselves(self) -> None:
        """
        As process 1 of a container has it each time.
        """
        self.process(os.getpid(), "python3", "/usr/bin/twistd")
        self.assertTrue(self.isRemoved(str(os.getpid())))

    def test_twistdMayStillRun(self) -> None:
        self.process(7, "python3", "/opt/uotp/bin/twistd", "-n")
        self.process(8, "python3", "-m", "twisted", "x")
        for pid in ("7", "8"):
            self.assertFalse(self.isRemoved(pid))

    def test_whatNobodyTellsOfIsLeftToTwistd(self) -> None:
        """
        No such process, a system without C{/proc}, and text that is no number.
        """
        self.assertFalse(self.isRemoved("9"))
        self.assertFalse(self.isRemoved("nine"))

    def test_fileThatWasNotWrittenIsStale(self) -> None:
        """
        The machine went down before its content was on the disk.
        """
        self.assertTrue(self.isRemoved(""))
        self.assertTrue(self.isRemoved("\0\0\0\0"))

    def test_withoutAFileNothingIsDone(self) -> None:
        self.assertFalse(removeStalePidFile(str(self.file), str(self.processes)))

    def test_itIsDoneWhereTwistdHasAPidFile(self) -> None:
        """
        That of twistd's own command line, before twistd looks.  C{twist} has none.
        """
        for parent, isLeft in (({"pidfile": str(self.file)}, False), ({"pidfile": ""}, True), ({}, True)):
            self.file.write_text("")
            options: Any = Options()
            options.parent = parent
            options.parseOptions(["--no-tls", "192.0.2.1", "1"])
            self.assertEqual((self.file.exists(), options.stalePidFile is None), (isLeft, isLeft))
