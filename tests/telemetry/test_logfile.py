"""
The file of C{--logfile}, and standard error.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from unittest import skipIf

from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from uotp.telemetry import logfile
from uotp.telemetry.log import Logger, textObserver
from uotp.telemetry.logfile import DescriptorStream, LogFile, sayLast, unbuffered


class LogFileTests(SynchronousTestCase):
    """
    Write the file of C{--logfile}.
    """

    def setUp(self) -> None:
        self.patch(Logger, "threshold", LogLevel.info)
        self.path = Path(os.path.abspath(self.mktemp()))

    def opened(self) -> LogFile:
        """
        @return: the file, until the test is over.
        """
        logFile = LogFile(str(self.path))
        self.addCleanup(logFile.close)
        self.log = Logger(namespace="room", observer=textObserver(logFile))
        return logFile

    def test_linesSayWhenWhoAndWhat(self) -> None:
        self.opened()
        self.log.info("reached {host}", host="example.com")
        self.assertRegex(self.path.read_text(), r"^\d{4}-\d\d-\d\dT\S+ \[room#info\] reached example\.com\n$")

    def test_fileThatCannotBeOpenedAgainIsKept(self) -> None:
        folder, moved = Path(os.path.abspath(self.mktemp())), Path(os.path.abspath(self.mktemp()))
        folder.mkdir()
        self.path = folder / "log"
        logFile = self.opened()
        folder.rename(moved)
        self.assertRaises(OSError, logFile.reopen)
        self.log.info("still here")
        self.assertIn("still here", (moved / "log").read_text())

    def test_whatWasThereStays(self) -> None:
        """
        A restart goes on where the file ended.
        """
        self.path.write_text("of yesterday\n")
        self.opened()
        self.log.info("of today")
        lines = self.path.read_text().splitlines()
        self.assertEqual(lines[0], "of yesterday")
        self.assertEqual(len(lines), 2)

    def test_aFileThatIsCutInPlaceIsWrittenFromItsBeginning(self) -> None:
        """
        As C{copytruncate} of logrotate does it; otherwise a hole would stay where the old lines were.
        """
        self.opened()
        self.log.info("of yesterday")
        os.truncate(self.path, 0)
        self.log.info("of today")
        self.assertRegex(self.path.read_text(), r"^\d{4}.* of today\n$")

    def test_afterReopeningANewFileIsWritten(self) -> None:
        """
        As logrotate wants it: until it is opened again, the moved file is written.
        """
        logFile = self.opened()
        moved = self.path.with_suffix(".1")
        self.log.info("first")
        self.path.rename(moved)
        self.log.info("second")
        logFile.reopen()
        self.log.info("third")
        self.assertEqual([line.split()[-1] for line in moved.read_text().splitlines()], ["first", "second"])
        self.assertEqual([line.split()[-1] for line in self.path.read_text().splitlines()], ["third"])

    @skipIf(os.name == "nt", "permissions are something else there")
    def test_aNewFileMayBeReadByTheSame(self) -> None:
        """
        A program that goes into the background has another mask then.  What somebody has made in its place stays as
        it was made.
        """
        logFile = self.opened()
        self.path.chmod(0o644)
        self.path.rename(self.path.with_suffix(".1"))
        self.addCleanup(os.umask, os.umask(0o077))
        logFile.reopen()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o644)
        self.path.unlink()
        self.path.touch(0o600)
        logFile.reopen()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_itIsNeverCutByItself(self) -> None:
        """
        Whoever runs us decides when a file ends, however long it has become.
        """
        logFile = self.opened()
        logFile.write("x" * 1_500_000)
        logFile.write("more")
        self.assertEqual(self.path.stat().st_size, 1_500_004)
        self.assertEqual([path.name for path in self.path.parent.glob(f"{self.path.name}*")], [self.path.name])

    def test_aFileThatCannotBeWrittenIsAnError(self) -> None:
        """
        It is found when it is opened: a directory, or one in a directory that is not there.
        """
        self.path.mkdir()
        self.assertRaises(OSError, LogFile, str(self.path))
        self.assertRaises(OSError, LogFile, str(self.path / "no" / "file"))

    def test_aNamedPipeIsOpenedThoughNobodyReadsIt(self) -> None:
        os.mkfifo(self.path)
        self.opened().write("said\n")
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.assertEqual(os.read(reader, 100), b"said\n")


class DescriptorStreamTests(SynchronousTestCase):
    """
    Write to a descriptor that takes little at a time.
    """

    def setUp(self) -> None:
        self.room: list[int] = []
        self.written = b""
        self.patch(os, "write", self.write)
        self.stream = DescriptorStream(99)

    def write(self, _: int, data: memoryview) -> int:
        """
        Take as many bytes as the test says, or raise when there is no room.
        """
        if not self.room:
            raise OSError(28, "No space left on device")
        taken = bytes(data[: self.room.pop(0)])
        self.written += taken
        return len(taken)

    def test_theRestFollows(self) -> None:
        self.room = [2, 3, 100]
        self.stream.write("one line\n")
        self.assertEqual(self.written, b"one line\n")

    def test_afterALineThatWasCutOffTheNextBeginsOnItsOwn(self) -> None:
        self.room = [4]
        self.assertRaises(OSError, self.stream.write, "first\n")
        self.assertRaises(OSError, self.stream.write, "second\n")
        self.room = [100, 100]
        self.stream.write("third\n")
        self.stream.write("fourth\n")
        self.assertEqual(self.written, b"firs\nthird\nfourth\n")

    def test_textThatIsNoTextIsWrittenAllTheSame(self) -> None:
        """
        A file name may hold bytes of no character.
        """
        self.room = [100]
        self.stream.write("\udcff\n")
        self.assertEqual(self.written, b"\\udcff\n")


class StandardErrorTests(SynchronousTestCase):
    """
    Say something on a stream that may have no descriptor, or be closed.
    """

    def test_withoutADescriptorTheStreamIsWritten(self) -> None:
        stream = io.StringIO()
        self.assertIs(unbuffered(stream), stream)
        sayLast(stream, "said\n")
        self.assertEqual(stream.getvalue(), "said\n")

    def test_closedItIsLeftAlone(self) -> None:
        sayLast(None, "said\n")

    def test_lastWordsAreWrittenAndNotWaitedForForEver(self) -> None:
        """
        A pipe that is full takes none.
        """
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        with os.fdopen(writer, "w") as stream:
            sayLast(stream, "said\n")
            self.assertEqual(os.read(reader, 100), b"said\n")
            os.set_blocking(writer, False)
            with self.assertRaises(BlockingIOError):
                while True:
                    os.write(writer, bytes(65536))
            os.set_blocking(writer, True)
            self.patch(logfile, "SAYING_SECONDS", 0.01)
            sayLast(stream, "not said\n")
            rest = b""
            while not rest.endswith(b"not said\n"):  # let the thread end
                rest += os.read(reader, 65536)
