"""
Files that take the place of others, and the lock on a directory.
"""

from __future__ import annotations

import errno
import os
import stat
from unittest import skipIf

from twisted.trial.unittest import SynchronousTestCase

from uotp.errors import ConfigurationError
from uotp.pki import locking
from uotp.pki.files import MOST_BYTES, Content, readSmall, replaceFiles
from uotp.pki.locking import LOCK_PAUSE_SECONDS, lockedDirectory

POSIX_ONLY = (os.name == "nt", "no such modes there")


class FilesTestCase(SynchronousTestCase):
    """
    Has a directory of its own.
    """

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.addCleanup(os.umask, os.umask(0))

    def path(self, name: str) -> str:
        """
        @return: where a file of that name is.
        """
        return os.path.join(self.directory, name)

    def write(self, name: str, mode: int) -> str:
        """
        Make a file that is there before.

        @return: its path.
        """
        descriptor = os.open(self.path(name), os.O_WRONLY | os.O_CREAT, mode)
        with open(descriptor, "wb") as file:
            file.write(b"before")
        return self.path(name)

    def mode(self, path: str) -> int:
        """
        @return: the permissions of a file.
        """
        return stat.S_IMODE(os.stat(path).st_mode)


class ReplaceTests(FilesTestCase):
    """
    Replace files.
    """

    @skipIf(*POSIX_ONLY)
    def test_permissionsStayButForThoseThatShowASecret(self) -> None:
        """
        A group that may read the key of a server still may; all others never do.
        """
        group, everybody = self.write("group.key", 0o640), self.write("open.key", 0o644)
        certificate = self.write("a.pem", 0o664)
        secret = Content(b"secret", isSecret=True)
        replaceFiles({group: secret, everybody: secret, certificate: Content(b"new"), self.path("new.key"): secret})
        self.assertEqual([self.mode(path) for path in (group, everybody, certificate)], [0o640, 0o640, 0o664])
        self.assertEqual(self.mode(self.path("new.key")), 0o600)

    @skipIf(*POSIX_ONLY)
    def test_aSecretIsNeverReadableByOthers(self) -> None:
        """
        Not even while it waits beside the file that it will replace.
        """
        path, modes = self.write("a.key", 0o600), list[int]()
        real = os.fsync

        def fsync(descriptor: int) -> None:
            modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
            real(descriptor)

        opened = os.open

        def opener(name: str, flags: int, mode: int = 0o777) -> int:
            descriptor = opened(name, flags, mode)
            if flags & os.O_EXCL:
                modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
            return descriptor

        self.patch(os, "fsync", fsync)
        self.patch(os, "open", opener)
        replaceFiles({path: Content(b"secret", isSecret=True)})
        self.assertEqual(modes[:2], [0o600, 0o600])

    @skipIf(*POSIX_ONLY)
    def test_theOwnerStays(self) -> None:
        """
        A program that could read the old file can read the new one; where we may not see to that,
        the old one stays.
        """
        path, asked = self.write("a.key", 0o640), list[tuple[int, int]]()
        real = os.stat

        def ofAnother(name: str) -> os.stat_result:
            found = list(real(name))
            found[stat.ST_UID], found[stat.ST_GID] = 12345, 54321
            return os.stat_result(found)

        def fchown(_: int, user: int, group: int) -> None:
            asked.append((user, group))
            raise PermissionError(1, "Operation not permitted")

        self.patch(os, "stat", ofAnother)
        self.patch(os, "fchown", fchown)
        error = self.assertRaises(ConfigurationError, replaceFiles, {path: Content(b"new", isSecret=True)})
        self.assertEqual(str(error), f"cannot write {path}: Operation not permitted")
        self.assertEqual(asked, [(12345, 54321)])
        self.assertEqual((os.listdir(self.directory), readSmall(path)), (["a.key"], b"before"))

    def test_whatAKilledProcessHasLeftIsNoHindrance(self) -> None:
        path = self.write("a.pem", 0o644)
        self.write(f".a.pem.{os.getpid()}.new", 0o644)
        replaceFiles({path: Content(b"new")})
        self.assertEqual((os.listdir(self.directory), readSmall(path)), (["a.pem"], b"new"))

    def test_aMissingDirectoryIsMade(self) -> None:
        path = os.path.join(self.path("deeper"), "a.pem")
        replaceFiles({path: Content(b"new")})
        self.assertEqual(readSmall(path), b"new")

    def test_aDirectoryInTheWayIsNotReplaced(self) -> None:
        os.mkdir(self.path("a.pem"))
        error = self.assertRaises(ConfigurationError, replaceFiles, {self.path("a.pem"): Content(b"new")})
        self.assertIn("a.pem", str(error))
        self.assertEqual(os.listdir(self.directory), ["a.pem"])

    def test_aDirectoryThatCannotBeWrittenIsSaid(self) -> None:
        path = self.write("a.pem", 0o644)

        def refuse(*_: object) -> int:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))  # as root never sees it

        self.patch(os, "open", refuse)
        error = self.assertRaises(ConfigurationError, replaceFiles, {path: Content(b"new")})
        self.assertIn("Permission denied", str(error))


class ReadTests(FilesTestCase):
    """
    Read what somebody may have put anything in the place of.
    """

    def test_aFileThatIsNotThereIsNone(self) -> None:
        self.assertIsNone(readSmall(self.path("a")))

    def test_whatIsNoFileIsRefused(self) -> None:
        os.mkdir(self.path("folder"))
        self.assertIn("folder", str(self.assertRaises(ConfigurationError, readSmall, self.path("folder"))))
        if os.name != "nt":
            os.mkfifo(self.path("fifo"))
            self.assertIn("no regular file", str(self.assertRaises(ConfigurationError, readSmall, self.path("fifo"))))

    def test_aFileThatIsTooLargeIsRefused(self) -> None:
        path = self.write("a", 0o644)
        self.assertEqual(readSmall(path, 6), b"before")
        self.assertIn("far too large", str(self.assertRaises(ConfigurationError, readSmall, path, 5)))
        self.assertGreater(MOST_BYTES, 1 << 20)


class LockTests(FilesTestCase):
    """
    Lock a directory.
    """

    def test_twoAtATimeWaitForEachOther(self) -> None:
        """
        The second goes on as soon as the first has ended.
        """
        first = lockedDirectory(self.directory)
        first.__enter__()
        waited: list[float] = []

        def pause(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 3:
                first.__exit__(None, None, None)

        with lockedDirectory(self.directory, pause):
            self.assertEqual(waited, [LOCK_PAUSE_SECONDS] * 3)

    def test_whoeverWaitsTooLongIsTold(self) -> None:
        with lockedDirectory(self.directory):
            second = lockedDirectory(self.directory, lambda _: None)
            error = self.assertRaises(ConfigurationError, second.__enter__)
        self.assertEqual(str(error), f"another command has been changing {self.directory} for 10 s: try again")

    def test_aDirectoryThatIsNotThereIsSaid(self) -> None:
        error = self.assertRaises(ConfigurationError, lockedDirectory(self.path("nowhere")).__enter__)
        self.assertIn("No such file", str(error))

    def test_whereTheSystemLocksNoFilesTheFileIsTheLock(self) -> None:
        """
        As on Windows, which removes it at the end of the process.
        """
        self.patch(locking, "fcntl", None)
        lock = lockedDirectory(self.directory)
        lock.__enter__()
        second = lockedDirectory(self.directory, lambda _: None)
        self.assertIn("try again", str(self.assertRaises(ConfigurationError, second.__enter__)))
        lock.__exit__(None, None, None)
