"""
What a web page, a word processor or a file of Windows leaves in the words of a command line
that was copied from it.  Options are not known here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

MINUS = "\u2212"
"""The minus sign, which is no dash by its category, and looks like one."""

INVISIBLE = "\u00ad\u200b\u2060\ufeff"
"""Soft hyphen, and spaces without width: they have no place in what is typed."""

QUOTES = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a"
"""Quotation marks of books, which no shell takes for its own."""

CONTINUATIONS = {"\\": "a backslash", "`": "a backtick", "^": "a caret"}
"""What continues a line, in the shells of Unix, PowerShell and Windows."""


def isDash(letter: str) -> bool:
    """
    @return: whether a letter looks like a hyphen and is none.
    """
    return letter != "-" and (letter == MINUS or unicodedata.category(letter) == "Pd")


def pastedTrouble(word: str, shownAs: Callable[[str], str] = str) -> str | None:
    """
    @param shownAs: makes of the word, or of how it is to be written, what may be shown of that.
    @return: what is wrong with a word that somebody has pasted, and how to write it; L{None}
        when it could have been typed.
    """
    if word.endswith("\r"):
        return "a carriage return is at its end, as in files of Windows: convert the file, by `dos2unix` for example"
    if word and not word.strip():
        return "it is a space and nothing else: a backslash continues a line only if nothing stands behind it"
    if word in CONTINUATIONS:
        return f"it is {CONTINUATIONS[word]} and nothing else: leave it out, or let nothing stand behind it in its line"
    if word != word.strip():
        return f"a space or the end of a line is at its begin or end: write {shownAs(word.strip())}"
    return _shellTrouble(word, shownAs) or _letterTrouble(word, shownAs)


def _shellTrouble(word: str, shownAs: Callable[[str], str]) -> str | None:
    """
    @return: what a shell would have taken out of a word; but none has read it, for example in a
        unit of systemd.
    """
    if re.fullmatch(r"#.*|&&?|\|\|?|;|<|[0-9&]?>.*", word, re.DOTALL):
        return "only a shell knows what it means, and none has read it: leave it out, with what belongs to it"
    variable = re.search(r"\$(\{[A-Za-z_]\w*\}|[A-Za-z_]\w*)", word)
    if variable is not None:
        name = variable[0] if variable[0] in shownAs(word) else "a variable"
        return f"{name} stands there by its name: no shell has put the value of the variable in its place"
    for part in (word, word.partition("=")[2]):
        if part in ('""', "''"):
            return "it is two quotation marks that no shell has taken away, with nothing between them: leave it out"
        if len(part) > 1 and part[0] == part[-1] and part[0] in "\"'":
            return f"quotation marks are around it that no shell has taken away: write {shownAs(part[1:-1])}"
    return None


def _letterTrouble(word: str, shownAs: Callable[[str], str]) -> str | None:
    """
    @return: which letter no keyboard has written, and what to write for it.
    """
    for letter in word:
        if letter in INVISIBLE or (letter != " " and unicodedata.category(letter) == "Zs"):
            kind = "an invisible letter" if letter in INVISIBLE else "no plain space"
            return f"U+{ord(letter):04X} is in it, {kind}, as web pages have: type the words anew"
    name = word.partition("=")[0]
    dash = next((letter for letter in name if isDash(letter)), None)
    if dash is not None and (isDash(word[0]) or word[0] == "-"):
        return f"U+{ord(dash):04X} is in it, a dash that is no hyphen: write {shownAs(withHyphens(word))}"
    quote = next((letter for letter in _ends(word) if letter in QUOTES), None)
    if quote is not None:
        return f"U+{ord(quote):04X} is in it, a quotation mark that no shell knows: write \" or ' for it"
    return None


def _ends(word: str) -> str:
    """
    @return: the letters where quotation marks stand: at both ends of a word, and of what is
        behind its first equals sign.
    """
    value = word.partition("=")[2] if word.startswith("-") else ""
    return word[:1] + word[-1:] + value[:1]


def withHyphens(word: str) -> str:
    """
    @return: a word with hyphens for all dashes, and as many at its begin as options have: one
        before a letter, two before a name.
    """
    name, equals, value = word.partition("=")
    plain = "".join("-" if isDash(letter) else letter for letter in name).lstrip("-")
    return f"-{plain}{equals}{value}" if len(plain) == 1 else f"--{plain}{equals}{value}"
