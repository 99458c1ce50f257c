"""
A file that is kept between two runs.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from uotp.process.statefile import StateDirectory


class StateDirectoryTests(SynchronousTestCase):
    """
    Keep a file.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "deep"

    def directory(self) -> StateDirectory:
        directory = StateDirectory(str(self.path))
        self.addCleanup(directory.close)
        return directory

    def test_whatIsWrittenIsRead(self) -> None:
        directory = self.directory()
        self.assertIsNone(directory.read("x", 100))
        for content in (b"first", b"2"):
            directory.replace("x", content)
            self.assertEqual(directory.read("x", 100), content)
            self.assertEqual(self.directory().read("x", 1), content[:1])
        self.assertEqual(os.listdir(self.path), ["x"])

    def test_nobodyElseMayRead(self) -> None:
        self.directory().replace("x", b"")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE((self.path / "x").stat().st_mode), 0o600)

    def test_noLinkOfSomebodyElseIsFollowed(self) -> None:
        directory = self.directory()
        victim = self.path / "victim"
        victim.write_text("dear")
        for name in ("x", f".x.{os.getpid()}"):
            (self.path / name).symlink_to(victim)
        directory.replace("x", b"new")
        self.assertEqual(victim.read_text(), "dear")
        self.assertEqual(directory.read("x", 10), b"new")

    def test_aFileThatCannotBeWrittenStaysAsItWas(self) -> None:
        directory = self.directory()
        directory.replace("x", b"before")

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "no")

        self.patch(os, "replace", refuse)
        self.assertRaises(PermissionError, directory.replace, "x", b"after")
        self.assertEqual(directory.read("x", 10), b"before")
        self.assertEqual(os.listdir(self.path), ["x"])

    def test_theDirectoryIsHeldWhereverTheProgramGoes(self) -> None:
        """
        As after a change of the root directory.
        """
        directory = self.directory()
        moved = self.path.with_name("moved")
        self.path.rename(moved)
        directory.replace("x", b"here")
        self.assertEqual((moved / "x").read_bytes(), b"here")

    def test_systemWithoutDescriptorsOfDirectoriesUsesPaths(self) -> None:
        self.patch(os, "supports_dir_fd", set())
        directory = self.directory()
        directory.replace("x", b"here")
        self.assertEqual((self.path / "x").read_bytes(), b"here")
        self.assertEqual(directory.read("x", 10), b"here")

    def test_whatIsNoFileCannotBeRead(self) -> None:
        directory = self.directory()
        (self.path / "x").mkdir()
        self.assertRaises(OSError, directory.read, "x", 10)
