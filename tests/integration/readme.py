"""
The blocks of README.rst, each under its marker: a comment line C{.. NAME} of its
own before it.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from tests.integration.harness import needed

README = Path(__file__).resolve().parents[2] / "README.rst"
"""Found in a checkout only; it is no part of what is installed."""

EXAMPLES = README.parent / "examples"


def readmeBlocks() -> dict[str, str]:
    """
    @return: every marked code block, by its marker.
    """
    if not README.exists():
        needed("README.rst is not here: run the tests in a checkout")
    blocks = re.findall(
        r"^\.\. ([a-z0-9-]+)\n\n\.\. code-block:: \w+\n\n((?:(?:    .*)?\n)+)", README.read_text("utf-8"), re.MULTILINE
    )
    return {name: textwrap.dedent(block).strip("\n") + "\n" for name, block in blocks}
