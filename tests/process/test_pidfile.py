"""
Pid files that a daemon has left behind.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from uotp.process.pidfile import commandLine, removeForeignPidFile

PID = 4711


class RemoveForeignPidFileTests(SynchronousTestCase):
    """
    Begin where a pid file is, with one process or another behind its number.
    """

    def setUp(self) -> None:
        self.path = self.mktemp()
        self.words: list[bytes] | None = None

    def removed(self, content: str) -> int | None:
        """
        @param content: of the pid file.
        @return: what L{removeForeignPidFile} has removed.
        """
        with open(self.path, "w", encoding="ascii") as pidFile:
            pidFile.write(content)
        removed = removeForeignPidFile(self.path, lambda _: self.words)
        self.assertEqual(os.path.exists(self.path), removed is None)
        return removed

    def test_fileOfAnotherProgramsNumberGoes(self) -> None:
        """
        As after a boot: some other program has the number now, or a thread of the kernel.
        """
        for self.words in ([b"/bin/sleep", b"60", b""], [b""]):
            self.assertEqual(self.removed(f"{PID}\n"), PID)

    def test_fileOfOurOwnNumberGoes(self) -> None:
        """
        As in a container, where the program is process 1 each time.
        """
        self.words = [b"/usr/bin/twistd", b"uotp-server"]
        self.assertEqual(self.removed(str(os.getpid())), os.getpid())

    def test_fileOfADaemonThatRunsStays(self) -> None:
        for self.words in ([b"python3", b"/usr/bin/twistd", b"uotp-server", b""], [b"python", b"-m", b"twisted", b""]):
            self.assertIsNone(self.removed(str(PID)))

    def test_fileStaysWhereNothingIsKnownOfItsNumber(self) -> None:
        """
        There is no such process, which twistd sees for itself; or the system does not tell.
        """
        self.assertIsNone(self.removed(str(PID)))

    def test_fileThatIsNoPidFileStays(self) -> None:
        self.words = [b"/bin/sleep"]
        for content in ("", "x", "47" * 100):
            self.assertIsNone(self.removed(content))

    def test_fileThatIsNotThereIsNoTrouble(self) -> None:
        self.assertIsNone(removeForeignPidFile(self.path))

    def test_ownCommandLineIsFound(self) -> None:
        """
        Where the system tells.
        """
        words = commandLine(os.getpid())
        if os.path.exists("/proc/self/cmdline"):
            assert words is not None
            self.assertTrue(words[0])
        else:
            self.assertIsNone(words)
