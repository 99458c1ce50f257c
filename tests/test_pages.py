"""
README and the pages in C{docs}: how long README is, and that a test runs each block of code.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests import pages
from tests.pages import NOT_RUN, README, ROOT, blocks

MOST_LINES = 120
"""README is read once, from the first line to the last."""

UNTESTED = "text"
"""A block in this language may be what a program prints, so it needs no name."""


class PagesTests(SynchronousTestCase):
    """
    Read the pages as their tests do.
    """

    def setUp(self) -> None:
        if not README.exists():
            reason = "README.rst is not here: run the tests in a checkout"
            raise SkipTest(reason)

    def test_readmeIsShort(self) -> None:
        self.assertLessEqual(len(README.read_text("utf-8").splitlines()), MOST_LINES)

    def test_eachBlockIsRunByATestOrSaysWhyNot(self) -> None:
        """
        The comment line before it, C{.. NAME}, has a name that a test or C{noxfile.py} names in
        quotes; or it is C{.. not-run: REASON}.
        """
        files = [ROOT / "noxfile.py", *(ROOT / "tests").rglob("*.py")]
        code = "\n".join(file.read_text("utf-8") for file in files)
        untested = [
            f"{block.page}:{block.line}: {block.mark or 'no comment line'}"
            for block in blocks()
            if block.language != UNTESTED
            and not (block.reason if block.mark == NOT_RUN else block.mark and f'"{block.mark}"' in code)
        ]
        self.assertEqual(untested, [])

    def test_noBlockHidesInAParagraph(self) -> None:
        """
        What ends in two colons begins a block that has no language, and that no test finds.
        """
        for page in pages.pages():
            hidden = re.findall(r"^(?!\.\. )(?:.*\S)?::\n\n", page.read_text("utf-8"), re.MULTILINE)
            self.assertEqual(hidden, [], page.name)

    def test_eachBlockIsFound(self) -> None:
        """
        Nothing is written in another way than the tests read.
        """
        written = sum(page.read_text("utf-8").count(".. code-block::") for page in pages.pages())
        self.assertEqual(len(list(blocks())), written)
        self.assertGreater(written, 10)

    def test_oneNameIsOneBlock(self) -> None:
        """
        A block that two pages show is the same on both.
        """
        shown: dict[str, str] = {}
        for block in blocks():
            if block.mark not in {"", NOT_RUN}:
                self.assertEqual(shown.setdefault(block.mark, block.text), block.text, f"{block.page}: {block.mark}")


class ReadingTests(SynchronousTestCase):
    """
    How blocks are read, on a page of our own.
    """

    def blocksOf(self, text: str) -> list[tuple[str, str, str, str]]:
        """
        @return: mark, reason, language and text of each block.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        page = folder / "README.rst"
        page.write_text(text)
        for name, place in (("ROOT", folder), ("README", page), ("DOCS", folder / "docs")):
            self.patch(pages, name, place)
        return [(block.mark, block.reason, block.language, block.text) for block in blocks()]

    def test_aNameAndItsBlock(self) -> None:
        text = "Words.\n\n.. one-1\n\n.. code-block:: sh\n\n    a\n\n      b\n\nMore.\n"
        self.assertEqual(self.blocksOf(text), [("one-1", "", "sh", "a\n\n  b\n")])

    def test_aBlockWithoutAName(self) -> None:
        self.assertEqual(self.blocksOf("Words.\n\n.. code-block:: ini\n\n    a\n"), [("", "", "ini", "a\n")])

    def test_aReason(self) -> None:
        text = ".. not-run: it needs\n    a bus\n\n.. code-block:: toml\n    :caption: x\n\n    a = 1\n"
        self.assertEqual(self.blocksOf(text), [("not-run", "it needs\n    a bus", "toml", "a = 1\n")])
