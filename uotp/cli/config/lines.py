"""
Finds the line of each key in the text of a TOML file, which the library that reads it does not
tell.  The text is known to be TOML: here only what keeps keys and values apart is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from uotp.cli.config.toml import TOMLDecodeError, loads

Path = tuple[str | int, ...]
"""The way to a value: names of keys, and places in arrays."""

_TOKEN = re.compile(
    r"""
    (?P<skipped> [ \t]+ | \#[^\n]* )
    | (?P<newline> \n )
    | (?P<quoted>
        \"{3} [^"\\]* (?: (?: \\. | \"{1,2}(?!\") ) [^"\\]* )* \"{3,5}
        | '{3} .*? '{3,5}
        | \" [^"\\\n]* (?: \\. [^"\\\n]* )* \"
        | ' [^'\n]* '
      )
    | (?P<mark> [][{}=,.] )
    | (?P<bare> [^][{}=,.\s"'\#]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


class _Tokens:
    """
    Goes through the tokens of a text, one at a time.

    @ivar kind: what the present one is; empty at the end.
    @ivar text: how it is written.
    @ivar line: the line that it begins in, counted from 1.
    """

    def __init__(self, text: str) -> None:
        self.kind, self.text, self.line = "", "", 1
        self._found = self._all(text)
        self.next()

    def _all(self, text: str) -> Iterator[tuple[str, str, int]]:
        line, at = 1, 0
        while match := _TOKEN.match(text, at):
            kind, token, at = str(match.lastgroup), match[0], match.end()
            if kind != "skipped":
                yield kind, token, line
            line += token.count("\n")
        while True:
            yield "", "", line

    def next(self) -> None:
        """
        Go to the next one.
        """
        self.kind, self.text, self.line = next(self._found)

    def passing(self, *marks: str) -> bool:
        """
        @return: whether the present one is among these, and was passed.
        """
        isThere = self.text in marks and self.kind != "quoted"
        if isThere:
            self.next()
        return isThere

    def passNewlines(self) -> None:
        """
        Pass over the ends of lines, as inside of an array.
        """
        while self.kind == "newline":
            self.next()


def _unquoted(token: str) -> str:
    """
    @return: the name that quotation marks are around.
    """
    try:
        return str(loads(f"key = {token}")["key"])
    except TOMLDecodeError:  # in a text that is no TOML
        return token


class KeyLines:
    """
    Knows the lines of all keys of a text, and of the elements of its arrays.

    @ivar repeated: the first key that has a value twice, and the line of the second, if there is one.
    """

    def __init__(self, text: str) -> None:
        """
        @param text: TOML, without carriage returns.
        """
        self._lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}
        self._assigned: set[Path] = set()
        self.repeated: tuple[Path, int] | None = None
        self._tokens = _Tokens(text)
        table: Path = ()
        while self._tokens.kind:
            if self._tokens.kind == "newline":
                self._tokens.next()
            elif self._tokens.passing("["):
                table = self._header()
            else:
                self._pair(table)

    def of(self, path: Path) -> int:
        """
        @return: the line of a key or an element, or of the nearest one around it that has a line.
        """
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def _header(self) -> Path:
        """
        @return: the table that a line opens.  An element of an array of tables is named by its place.
        """
        line, isElement = self._tokens.line, self._tokens.passing("[")
        path = self._placed(self._key(), line)
        self._tokens.passing("]")
        if isElement:
            self._tokens.passing("]")
            place = self._counts[path] = self._counts.get(path, -1) + 1
            path = (*path, place)
            self._note(path, line)
        return path

    def _placed(self, key: tuple[str, ...], line: int) -> Path:
        """
        @return: the way of a header's key.  A name of an array of tables means its last element.
        """
        path: Path = ()
        for number, name in enumerate(key, 1):
            path = (*path, name)
            self._note(path, line)
            if number < len(key) and path in self._counts:
                path = (*path, self._counts[path])
        return path

    def _pair(self, table: Path) -> None:
        """
        Pass a key and its value.
        """
        line, path = self._tokens.line, table
        for name in self._key():
            path = (*path, name)
            self._note(path, line)
        if not self._tokens.passing("="):
            self._tokens.next()  # so that the end comes in any case
            return
        if path in self._assigned and self.repeated is None:
            self.repeated = path, line
        self._assigned.add(path)
        self._value(path)

    def _key(self) -> tuple[str, ...]:
        """
        @return: the names that a key is made of.
        """
        names: list[str] = []
        while self._tokens.kind in {"bare", "quoted"}:
            token, kind = self._tokens.text, self._tokens.kind
            names.append(token if kind == "bare" else _unquoted(token))
            self._tokens.next()
            if not self._tokens.passing("."):
                break
        return tuple(names)

    def _value(self, path: Path) -> None:
        """
        Pass a value, and note the lines of what is in it.
        """
        if self._tokens.passing("["):
            place = 0
            self._tokens.passNewlines()
            while self._tokens.kind and not self._tokens.passing("]"):
                self._note((*path, place), self._tokens.line)
                self._value((*path, place))
                self._tokens.passNewlines()
                if not self._tokens.passing(","):
                    self._tokens.passing("=", "}")  # so that the end comes in any case
                place += 1
                self._tokens.passNewlines()
        elif self._tokens.passing("{"):
            self._tokens.passNewlines()
            while self._tokens.kind and not self._tokens.passing("}"):
                self._pair(path)
                self._tokens.passNewlines()
                self._tokens.passing(",")
                self._tokens.passNewlines()
        else:
            while self._tokens.kind in {"bare", "quoted"} or self._tokens.text == ".":
                self._tokens.next()

    def _note(self, path: Path, line: int) -> None:
        self._lines.setdefault(path, line)
