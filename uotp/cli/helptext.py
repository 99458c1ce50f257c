"""
The help of a command line: which commands there are, one a line, and the options in groups.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from twisted.python import usage

INDENT = "  "
"""Stands before a command, as before an option."""


def commandLines(commands: Sequence[tuple[str, str]], width: int) -> str:
    """
    @param commands: each as it is typed, and what it does.
    @param width: of the terminal, in columns.
    @return: a list of them; nothing where there are none.
    """
    if not commands:
        return ""
    column = max(len(typed) for typed, _ in commands)
    gap = INDENT + " " * column + INDENT
    lines = [
        textwrap.fill(does, width, initial_indent=f"{INDENT}{typed.ljust(column)}{INDENT}", subsequent_indent=gap)
        for typed, does in commands
    ]
    return "\n".join(["Commands:", *lines, ""])


def optionLines(title: str, options: usage.Options, names: Iterable[str], width: int) -> str:
    """
    @param title: stands above them.
    @param names: the options that are listed, by their long names.
    @param width: of the terminal, in columns.
    @return: a list of options.
    """
    letters = {str(long): short for short, long in options.synonyms.items() if len(short) == 1}
    takers = {name.removesuffix("=") for name in options.longOpt if name.endswith("=")}
    listed = [
        {
            "long": name,
            "short": letters.get(name),
            "doc": options.docs[name],
            "optType": "parameter" if name in takers else "flag",
            "default": options.defaults.get(name),
        }
        for name in names
    ]
    return f"{title}:\n{''.join(usage.docMakeChunks(listed, width))}"
