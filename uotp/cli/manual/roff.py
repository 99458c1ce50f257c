"""
Writes text as the programs C{man} and C{mandoc} read it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

LINE_LETTERS = 76
"""A line of the text is no longer, where it has a space."""


def escaped(text: str) -> str:
    """
    @return: text in which nothing means anything to roff: hyphens are those that one can type.
    """
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("'", "\\(aq")
    return f"\\&{plain}" if plain.startswith(".") else plain


def prose(text: str) -> str:
    """
    @return: sentences as lines; what stands in backticks is bold.
    """
    parts = re.split(r"`([^`]*)`", " ".join(text.split()))
    marked = "".join(bold(part) if number % 2 else escaped(part) for number, part in enumerate(parts))
    sentences = re.split(r"(?<=[.?!]) (?=[A-Z`\\])", marked)
    return "\n".join(line for sentence in sentences for line in _wrapped(sentence))


def _wrapped(sentence: str) -> list[str]:
    lines = textwrap.wrap(sentence, LINE_LETTERS, break_long_words=False, break_on_hyphens=False)
    return [f"\\&{line}" if line.startswith(".") else line for line in lines]


def bold(text: str) -> str:
    """
    @return: what is typed as it is.
    """
    return f"\\fB{escaped(text)}\\fP"


def italic(text: str) -> str:
    """
    @return: what stands for something else.
    """
    return f"\\fI{escaped(text)}\\fP"


def heading(name: str, section: int, date: str) -> str:
    """
    @return: the first line of a page.
    """
    return f'.TH "{escaped(name.upper())}" "{section}" "{date}" "uotp" "User Commands"'


def item(head: str, text: str) -> list[str]:
    """
    @return: lines of a paragraph with something before it.
    """
    return [".TP", head, text]


def roffText(lines: Iterable[str]) -> str:
    """
    @return: the text of a page.
    """
    return "".join(f"{line}\n" for line in lines)
