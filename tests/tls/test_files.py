"""
Where the files of credentials are read.
"""

from __future__ import annotations

import os
from pathlib import Path
from unittest import skipIf

from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.credentialfiles import CountingFiles
from uotp.tls.files import DISK, SIZE_LIMIT, Contents, CopiedFiles, CredentialFiles, FilesReadOnce


class CredentialFilesTests(SynchronousTestCase):
    """
    Read the same from the disk and from what was handed over.
    """

    def setUp(self) -> None:
        self.path = self.mktemp()
        Path(self.path).write_bytes(b"content")
        self.kinds: tuple[CredentialFiles, ...] = (DISK, CopiedFiles({self.path: b"content"}))

    def test_everyKindHasWhatAFileHolds(self) -> None:
        for files in self.kinds:
            self.assertEqual(files.read(self.path), b"content")

    def test_everyKindSaysThatAFileIsNotThere(self) -> None:
        """
        In words that stand at the end of a sentence.
        """
        words = [self.assertRaises(OSError, files.read, self.path + "x").strerror for files in self.kinds]
        self.assertEqual(words, ["No such file or directory", "it is not among the files that were handed over"])

    @skipIf(os.name == "nt", "permissions are something else there")
    def test_onlyOnTheDiskThereArePermissions(self) -> None:
        Path(self.path).chmod(0o644)
        self.assertEqual([files.isOpenToAll(self.path) for files in self.kinds], [True, False])
        self.assertEqual([files.isOriginal for files in self.kinds], [True, False])
        self.assertFalse(DISK.isOpenToAll(self.path + "x"))

    def test_ofAFileWithoutEndOnlyAsMuchIsReadAsShowsThatItIsTooLong(self) -> None:
        with Path(self.path).open("wb") as stream:
            stream.truncate(2 * SIZE_LIMIT)
        self.assertEqual(len(DISK.read(self.path)), SIZE_LIMIT + 1)

    @skipIf(os.name == "nt", "there are no such files")
    def test_whatIsNoRegularFileIsReadOnce(self) -> None:
        """
        A pipe is a good place for a key, as a shell makes it.  Whoever reads it again would wait for ever.
        """
        reads, writes = os.pipe()
        self.addCleanup(os.close, reads)
        os.write(writes, b"key")
        os.close(writes)
        pipe = f"/dev/fd/{reads}"
        self.assertEqual(DISK.read(pipe), b"key")
        fifo = self.mktemp()
        os.mkfifo(fifo)
        for path in (os.devnull, pipe, fifo):
            error = self.assertRaises(OSError, DISK.read, path, isReadAgain=True)
            self.assertEqual(error.strerror, "it is no regular file, and so it cannot be read more than once")
        self.assertEqual(DISK.read(self.path, isReadAgain=True), b"content")

    def test_whatWasHandedOverDoesNotChange(self) -> None:
        handed = {"key": b"first"}
        files = CopiedFiles(handed)
        handed["key"] = b"second"
        self.assertEqual(files.read("key"), b"first")

    def test_aFileIsReadOnceHoweverOftenItIsLookedAt(self) -> None:
        """
        Somebody may replace it between.
        """
        counting = CountingFiles()
        files = FilesReadOnce(counting)
        self.assertEqual([files.read("cert"), files.read("key"), files.read("cert")], [b"1", b"2", b"1"])
        self.assertEqual(files.contents, {"cert": b"1", "key": b"2"})
        self.assertEqual((files.isOpenToAll("open"), files.isOpenToAll("shut"), files.isOriginal), (True, False, True))

    def test_whatCouldNotBeReadIsNoContent(self) -> None:
        files = FilesReadOnce(DISK)
        self.assertRaises(OSError, files.read, self.path + "x")
        self.assertEqual(files.contents, {})

    def test_contentsDoNotShow(self) -> None:
        """
        They may be a private key, and a line of the log may name them.
        """
        contents = Contents({"key": b"secret", "cert": b"a certificate"})
        for text in (repr(contents), str(contents), f"{contents}", "{}".format(contents)):  # noqa: UP032 - the very point
            self.assertEqual(text, "<key: 6 bytes, cert: 13 bytes>")
        self.assertEqual(repr(Contents()), "<no files>")
        self.assertNotIn("secret", repr(vars(CopiedFiles(contents))))
