"""
Files that are no configuration.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from uotp.cli.config.document import MOST_TEXT_BYTES, Document, readDocument
from uotp.cli.config.faults import MOST_FAULTS, Fault, FaultsError

QUOTES = "this is not a valid TOML value: put text in quotation marks, and write true and false in small letters"
AFTER = "after a key = and a value are needed, or quotation marks around the key"

UNREADABLE = "the configuration file cannot be read"


class SyntaxTests(SynchronousTestCase):
    """
    Texts that are no TOML are refused in words, with the line.
    """

    def refusalOf(self, text: str) -> str:
        """
        @return: what is said of a text.
        """
        error = self.assertRaises(FaultsError, Document, "f", text)
        self.assertEqual(len(error.lines), 1)
        return str(error.lines[0])

    def test_usualFaultsAreSaidInWordsOfOurs(self) -> None:
        for text, said in (
            ("a = 1\na = 2\n", "f:2: a is given twice (first in line 1)"),
            ("x = 1\n\"a b\" = 1\n\n\"a b\" = '''\n\n'''\ny = 1", "f:4: a b is given twice (first in line 2)"),
            ("[t]\na = 1\nb = 2\na = 2\n", "f:4: t.a is given twice (first in line 2)"),
            ("a = 1\n[a.b]\n", "f:2: this key is given twice (column 5)"),
            ("[a]\n[a]\n", "f:2: this table is given twice (column 3)"),
            ("server = vpn.example.com", f"f:1: {QUOTES} (column 10)"),
            ("\na = True", f"f:2: {QUOTES} (column 5)"),
            ("# x\nfoo", f"f:2: {AFTER}"),
            ("pool-size: 5", f"f:1: {AFTER} (column 10)"),
            ('a = 1\na = """\n"""\nb = ' + "[}" * 10_000, "f:2: a is given twice (first in line 1)"),
            ("a = [1,\n2\n", "f:2: the ] of an array is missing"),
            (
                'a = "\\q"',
                "f:1: a backslash in such quotation marks needs another before it: write it in ' and ' (column 8)",
            ),
        ):
            self.assertEqual(self.refusalOf(text), said)

    def test_anyOtherFaultHasTheLibrarysWords(self) -> None:
        self.assertIn("f:3: ", self.refusalOf("\n\nx = 5 = 6"))
        self.assertTrue(self.refusalOf('x = "\\UFFFFFFFF"').startswith("f:1: "))

    def test_whatTheLibraryCannotReadEndsNothing(self) -> None:
        self.assertIn("f: it is no TOML", self.refusalOf("a = " + "9" * 5000))


class FileTests(SynchronousTestCase):
    """
    Files that cannot be read are refused in words.
    """

    def setUp(self) -> None:
        self.path = os.path.join(self.mktemp())
        os.mkdir(self.path)
        self.file = os.path.join(self.path, "x.toml")

    def refusalOf(self, data: bytes) -> str:
        """
        @return: what is said of a file that holds this.
        """
        Path(self.file).write_bytes(data)
        return str(self.assertRaises(FaultsError, readDocument, self.file)).removeprefix(self.file)

    def test_whatIsNoFileIsSaid(self) -> None:
        for path, reason in ((self.path, "Is a directory"), (self.file, "No such file or directory")):
            error = self.assertRaises(FaultsError, readDocument, path)
            self.assertEqual(str(error), f"{path}: {UNREADABLE}: {reason}")
        self.assertIn("no file has such a name", str(self.assertRaises(FaultsError, readDocument, "a\0.toml")))

    def test_whatIsNoTextIsSaid(self) -> None:
        self.assertEqual(self.refusalOf(b"a = 1\nb = '\xff'"), ":2: this is no text in UTF-8")
        self.assertEqual(self.refusalOf("a = 1".encode("utf-16")), ": the text is in UTF-16: save it as UTF-8")
        self.assertIn(":1: ", self.refusalOf(b"\x7fELF\x02\x00\x00"))

    def test_aHugeFileIsNotReadToItsEnd(self) -> None:
        with Path(self.file).open("wb") as stream:
            stream.truncate(1 << 30)
        error = self.assertRaises(FaultsError, readDocument, self.file)
        self.assertEqual(
            str(error), f"{self.file}: the file has more than {MOST_TEXT_BYTES >> 20}M, which no configuration has"
        )

    def test_whatEditorsOfWindowsWriteIsRead(self) -> None:
        Path(self.file).write_bytes(b'\xef\xbb\xbfa = 1\r\nb = """\r\nx\r\n"""\r\nc = 2\r\n')
        document = readDocument(self.file)
        self.assertEqual(document.values, {"a": 1, "b": "x\n", "c": 2})
        self.assertEqual(document.lineOf("c"), 5)

    def test_aPipeIsReadOnce(self) -> None:
        """
        Nothing waits for somebody to write into it again.
        """
        os.mkfifo(self.file)
        error = self.assertRaises(FaultsError, readDocument, self.file, isReadAgain=True)
        self.assertEqual(
            str(error), f"{self.file}: {UNREADABLE}: it is no regular file, and so it cannot be read more than once"
        )

    def test_aPipeThatComesInPlaceOfTheFileIsNotWaitedFor(self) -> None:
        """
        What counts is what was opened, and not what was there before.
        """
        os.mkfifo(self.file)
        self.patch(os.path, "isfile", lambda _: True)
        error = self.assertRaises(FaultsError, readDocument, self.file, isReadAgain=True)
        self.assertIn("it is no regular file", str(error))

    def test_anEmptyFileSaysNothing(self) -> None:
        Path(self.file).write_bytes(b"")
        self.assertEqual(readDocument(self.file).values, {})


class FaultsTests(SynchronousTestCase):
    """
    Tell all that is wrong, up to a bound.
    """

    def test_faultsAreInTheOrderOfTheLines(self) -> None:
        error = FaultsError("f", [Fault("b", 7), Fault("a", 2), Fault("c")])
        self.assertEqual(error.lines, ["f: c", "f:2: a", "f:7: b"])

    def test_tooManyAreCounted(self) -> None:
        error = FaultsError("f", [Fault("x", number) for number in range(MOST_FAULTS + 5)])
        self.assertEqual((len(error.lines), error.lines[-1]), (MOST_FAULTS + 1, "f: and 5 faults more"))
