"""
What C{docs/security.rst} names is there: the tests that hold its promises.
"""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "security.rst"
"""Found in a checkout only; it is no part of what is installed."""


class SecurityDocumentTests(SynchronousTestCase):
    """
    Read the document as a reader who wants to see the tests.
    """

    def setUp(self) -> None:
        if not DOCUMENT.exists():
            reason = f"{DOCUMENT} is not here"
            raise SkipTest(reason)
        self.text = DOCUMENT.read_text(encoding="utf-8")

    def test_eachTestThatIsNamedIsThere(self) -> None:
        named = set(re.findall(r"``(tests/[a-z0-9_/]+\.py)``", self.text))
        self.assertGreater(len(named), 20)
        if not (ROOT / "tests" / "hostile").is_dir():
            named = {name for name in named if not name.startswith("tests/hostile/")}
        self.assertEqual([name for name in sorted(named) if not (ROOT / name).is_file()], [])

    def test_eachThreatSaysWhatIsPromisedWhatIsNotAndHowItIsTested(self) -> None:
        chapters = re.split(r"\n\n\n(?=.+\n=+\n)", self.text)[1:-1]
        self.assertEqual(len(chapters), 11)
        for chapter in chapters:
            for words in ("\nPromised:", "\nNot promised:", "\nTested by "):
                self.assertIn(words, chapter)

    def test_readersFindTheWay(self) -> None:
        for name in ("README.rst", "SECURITY.rst"):
            self.assertIn("docs/security.rst", (ROOT / name).read_text(encoding="utf-8"), name)
