"""
Reads the text of a configuration file, and says in words, with the line, why it is no TOML.  What
its keys mean is not known here.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from uotp.cli.config.depth import MOST_DEPTH, deepLine
from uotp.cli.config.faults import Fault, FaultsError
from uotp.cli.config.lines import KeyLines, Path
from uotp.cli.config.toml import TOMLDecodeError, loads
from uotp.cli.unsaid import shownUrl
from uotp.tls import DISK

MOST_TEXT_BYTES = 1 << 20
"""A file is no larger: four times the CAs of a whole system fit into it."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
"""Where the library says that a fault is."""

_OVERWRITTEN = "Cannot overwrite a value"

_WORDS = {
    _OVERWRITTEN: "this key is given twice",
    "Cannot declare": "this table is given twice",
    "Invalid value": "this is not a valid TOML value: put text in quotation marks, and write true and false in small "
    "letters",
    "Unescaped '\\'": "a backslash in such quotation marks needs another before it: write it in ' and '",
    "Expected '=' after a key": "after a key = and a value are needed, or quotation marks around the key",
    "Expected newline or end of document": "behind the value stands something else: one key stands in one line, and "
    "text in quotation marks",
    "Illegal character '\\n'": "the quotation mark at the end is missing; text of several lines has three at each end",
    "Invalid statement": "here a line with key = value is needed, or a [table], or a # before a comment",
    "Unclosed array": "the ] of an array is missing",
    "Unterminated string": "the quotation mark at the end is missing",
    "Expected \"'''\"": "the three quotation marks at the end are missing",
    'Expected \'"""\'': "the three quotation marks at the end are missing",
}
"""What usual faults are, by how the library's words begin."""


class Document:
    """
    Holds what a file says.

    @ivar file: its name.
    @ivar values: its keys and values, as the library has read them.
    """

    def __init__(self, file: str, text: str) -> None:
        """
        @raise FaultsError: when the text is no TOML.
        """
        self.file = file
        self._text = text.replace("\r\n", "\n")
        deep = deepLine(self._text)
        if deep is not None:
            raise self._no(Fault(f"keys, tables or arrays are nested more than {MOST_DEPTH} deep", deep))
        try:
            self.values: dict[str, Any] = loads(self._text)
        except TOMLDecodeError as error:
            raise self._no(self._syntaxFault(str(error))) from None
        except ValueError as error:  # for example a number of thousands of digits
            raise self._no(Fault(f"it is no TOML: {error}")) from None

    @cached_property
    def _keyLines(self) -> KeyLines:
        return KeyLines(self._text)

    def lineOf(self, *path: str | int) -> int:
        """
        @param path: names of keys, and places in arrays.
        @return: the line where that is, counted from 1.
        """
        where: Path = path
        return self._keyLines.of(where)

    def lineOfText(self, number: int, *path: str | int) -> int:
        """
        @param number: a line of a text of several lines.
        @param path: where the text is.
        @return: the line where that is in the file.
        """
        first = self.lineOf(*path)
        opening = self._text.split("\n", first)[first - 1].rstrip()
        return first + number - (not opening.endswith(('"""', "'''")))

    def _no(self, fault: Fault) -> FaultsError:
        return FaultsError(self.file, [fault])

    def _syntaxFault(self, words: str) -> Fault:
        """
        @param words: the library's.
        """
        place = _PLACE.search(words)
        repeated = self._repeatedKey(place) if words.startswith(_OVERWRITTEN) else None
        if repeated is not None:
            return repeated
        bare = words[: place.start()] if place else words
        ours = next((ours for begin, ours in _WORDS.items() if bare.startswith(begin)), None)
        reason = ours or f"this is no TOML: {bare[:1].lower()}{bare[1:]}"
        if place is None or place[1] is None:
            return Fault(reason, self._text.rstrip("\n").count("\n") + 1)
        line = int(place[1])
        if bare.startswith("Illegal character '\\n'") and place[2] == "1" and line > 1:
            line -= 1
        return Fault(f"{reason} (column {place[2]})", line)

    def _repeatedKey(self, place: re.Match[str] | None) -> Fault | None:
        """
        @param place: where the library has stopped.  What stands behind it may be no TOML.
        @return: what is wrong when a key has a value twice.
        """
        text = self._text
        if place is not None and place[1] is not None:
            *before, last = text.split("\n", int(place[1]))[: int(place[1])]
            text = "\n".join([*before, last[: int(place[2]) - 1]])
        lines = KeyLines(text)
        if lines.repeated is None:
            return None
        path, line = lines.repeated
        name = ".".join(shownUrl(str(each)) for each in path)
        return Fault(f"{name} is given twice (first in line {lines.of(path)})", line)


def readText(file: str, *, isReadAgain: bool = False) -> str:
    """
    @param isReadAgain: see L{readDocument}.
    @return: the text of a file; what some editors put before it to say that it is UTF-8 is left out.
    @raise FaultsError: when it cannot be read, or is no text.
    """
    try:
        data = DISK.read(file, isReadAgain=isReadAgain)
    except OSError as error:
        reason = f"the configuration file cannot be read: {error.strerror or error}"
        raise FaultsError(file, [Fault(reason)]) from error
    except ValueError as error:  # a NUL in the name
        raise FaultsError(repr(file), [Fault(f"no file has such a name: {error}")]) from error
    if len(data) > MOST_TEXT_BYTES:
        reason = f"the file has more than {MOST_TEXT_BYTES >> 20}M, which no configuration has"
        raise FaultsError(file, [Fault(reason)])
    if data.startswith(_UTF16):
        raise FaultsError(file, [Fault("the text is in UTF-16: save it as UTF-8")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise FaultsError(file, [Fault("this is no text in UTF-8", line)]) from error


def readDocument(file: str, *, isReadAgain: bool = False) -> Document:
    """
    @param isReadAgain: whether this is not the only time: what is no regular file, as a pipe, has nothing more to
        say then, or lets us wait for ever.
    @return: what a file says.
    @raise FaultsError: when it cannot be read, or is no TOML.
    """
    return Document(file, readText(file, isReadAgain=isReadAgain))
