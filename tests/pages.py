"""
The pages that the project prints, README and those in C{docs}, and the blocks of code in them.  Each
block has a comment line of its own before it, C{.. NAME}, or C{.. not-run: REASON}.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.rst"
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"
"""These are found in a checkout only; they are no part of what is installed."""

BLOCK = re.compile(
    r"^(?:\.\. (?P<mark>[a-z0-9-]+)(?:: (?P<reason>.+(?:\n    .+)*))?\n\n)?"
    r"\.\. code-block:: (?P<language>\w+)\n(?:    :.+\n)*\n(?P<text>(?:(?:    .*)?\n)+)",
    re.MULTILINE,
)
"""A block, with the comment line before it if there is one."""

NOT_RUN = "not-run"
"""The mark of a block that cannot be run."""


@dataclass(frozen=True, slots=True)
class Block:
    """
    Holds a block of code of a page.

    @ivar page: where it stands, from the root of the checkout.
    @ivar line: where its directive begins.
    @ivar mark: its name, or nothing where the comment line is missing.
    @ivar reason: why it is not run, if it says so.
    @ivar language: what it is written in.
    @ivar text: the block as a reader copies it.
    """

    page: str
    line: int
    mark: str
    reason: str
    language: str
    text: str


def pages() -> list[Path]:
    """
    @return: all that are here, README first.
    """
    found = [README, *sorted(DOCS.rglob("*.rst"))]
    return [page for page in found if page.exists() and "_build" not in page.parts]


def blocks() -> Iterator[Block]:
    """
    @return: every block of every page.
    """
    for page in pages():
        text = page.read_text("utf-8")
        for found in BLOCK.finditer(text):
            words = found.groupdict(default="")
            content = textwrap.dedent(words["text"]).strip("\n") + "\n"
            line = text.count("\n", 0, text.index(".. code-block", found.start())) + 1
            place = str(page.relative_to(ROOT))
            yield Block(place, line, words["mark"], words["reason"], words["language"], content)


def printedBlocks() -> dict[str, str]:
    """
    @return: what every block with a name prints, by its name.  It is empty where there are no pages.
    """
    return {block.mark: block.text for block in blocks() if block.mark not in {"", NOT_RUN}}
