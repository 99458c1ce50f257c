"""
Prints the block of a reStructuredText file that follows a marker, a comment
line C{.. NAME} of its own, as it stands there without its indentation.

Usage: readme_block.py FILE NAME
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path


def blockAfter(text: str, name: str) -> str:
    """
    @param name: what the marker says.
    @return: the first literal or code block after the marker.
    @raise LookupError: when there is no such marker, more than one, or no block.
    """
    after = text.split(f"\n.. {name}\n")[1:]
    if len(after) != 1:
        reason = f"the marker `.. {name}` stands there {len(after)} times, not once"
        raise LookupError(reason)
    block: list[str] = []
    opened = False
    for line in after[0].splitlines():
        if not opened:
            opened = line.startswith((".. code-block::", ".. code::")) or line.endswith("::")
        elif line.startswith(" ") or (block and not line.strip()):
            block.append(line)
        elif line.strip():
            break
    if not block:
        reason = f"no block follows the marker `.. {name}`"
        raise LookupError(reason)
    return textwrap.dedent("\n".join(block)).strip("\n") + "\n"


def main(file: str, name: str) -> None:
    """
    Print the block.
    """
    sys.stdout.write(blockAfter(Path(file).read_text(encoding="utf-8"), name))


if __name__ == "__main__":
    main(*sys.argv[1:])
