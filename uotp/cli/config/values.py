"""
What the value of a key may be, and how it would be written on a command line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import msgspec

from uotp.cli.options import Flag, Inline, Option, Repeated
from uotp.cli.unsaid import isUrl, mayBeLine, shownReason

MOST_ELEMENTS = 10_000
"""An array or a table has no more elements.  A server with more clients than that needs another way to know them."""

MOST_SHOWN_LETTERS = 60
"""So much of a value is repeated in an error."""

Scalar = str | int | float
Elements = Annotated[list[Scalar], msgspec.Meta(max_length=MOST_ELEMENTS)]
Lines = Annotated[list[str], msgspec.Meta(max_length=MOST_ELEMENTS)]
Table = Annotated[dict[str, str], msgspec.Meta(max_length=MOST_ELEMENTS)]

_ELEMENT = re.compile(r" - at `\$\[(\d+)\]`$")
_BEGIN = "-----BEGIN"


class ValueFault(ValueError):
    """
    Tells in words why a value cannot be used.

    @ivar element: which element of an array or key of a table that concerns, or L{None}.
    """

    def __init__(self, reason: str, element: int | str | None = None) -> None:
        super().__init__(reason)
        self.element = element


def typeOf(row: Option | Flag) -> Any:
    """
    @return: the type of the values that an option's key may have.
    """
    if isinstance(row, Flag):
        return bool
    if isinstance(row, Repeated):
        return Scalar | Elements
    if row.inline is Inline.LINES:
        return str | Lines | Table
    return str if row.isPath else Scalar


def needed(row: Option | Flag) -> str:
    """
    @return: in words, what values that key may have.
    """
    if isinstance(row, Flag):
        return "true or false is needed, without quotation marks"
    if isinstance(row, Repeated):
        return 'an array is needed, as ["..."]'
    if row.isPath:
        other = "" if row.inline is None else f", or {row.inline.value}"
        return f"the name of a file is needed, in quotation marks{other}"
    return "a number is needed, or text in quotation marks"


def kindOf(value: object) -> str:
    """
    @return: in words, what a value is.
    """
    match value:
        case bool():
            return f"there is {str(value).lower()}"
        case dict():
            return "there is a table"
        case list():
            return "there is an array"
        case int() | float():
            return "there is a number"
        case str():
            return "there is text"
    return "there is a date or a time"


def checked(row: Option | Flag, value: Any) -> Any:
    """
    @return: the value.
    @raise ValueFault: when it is none that the option's key may have.
    """
    try:
        return msgspec.convert(value, typeOf(row))
    except msgspec.ValidationError as error:
        element = _wrongElement(row, value, str(error))
        if isinstance(value, (list, dict)) and len(value) > MOST_ELEMENTS:
            reason = f"there are {len(value)} elements, and {MOST_ELEMENTS} is the most"
        elif element is not None:
            number = "a number or " if isinstance(row, Repeated) else ""
            what = elementWords(placeIn(value, element))
            reason = f"{what}: each element is {number}text in quotation marks, and {kindOf(value[element])}"
        else:
            reason = f"{needed(row)}, and {kindOf(value)}"
        raise ValueFault(reason, element) from error


def _wrongElement(row: Option | Flag, value: Any, words: str) -> int | str | None:
    """
    @param words: what the library says of a value.
    @return: which element of it cannot be used, if that is all that is wrong.
    """
    if isinstance(value, dict) and isinstance(row, Option) and row.inline is Inline.LINES:
        return next((name for name, each in value.items() if not isinstance(each, str)), None)
    place = _ELEMENT.search(words)
    return int(place[1]) if place and isinstance(value, list) else None


def elementWords(place: int) -> str:
    """
    @param place: of an element, counted from 0.
    @return: what errors call it where they must not, or cannot, repeat it.
    """
    return f"element {place + 1}"


def placeIn(value: Any, element: int | str) -> int:
    """
    @param value: an array or a table.
    @param element: a place in it, or a key of it.
    @return: the place, counted from 0.
    """
    return element if isinstance(element, int) else list(value).index(element)


def wordOf(value: Scalar) -> str:
    """
    @return: a value as a command line has it.
    """
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1 << 53 else repr(value)
    return str(value)


def inlineText(row: Option, value: Any, lineOf: Callable[[int | str], int] | None = None) -> str | None:
    """
    @param lineOf: tells the line of each element of the value in the configuration file.  With it, the element has
        the same line in the text, as far as each has a line of its own: whoever reads the text may name it.
    @return: what a file would hold that the option could name, if the value is that; L{None} if the value is the
        name of a file.
    @raise ValueFault: when it cannot be used.
    """
    if row.inline is None:
        return None
    if isinstance(value, str):
        isText = value.lstrip().startswith(_BEGIN) if row.inline is Inline.PEM else "\n" in value
        return value if isText else None
    lines: dict[int | str, str] = (
        {name: f"{word} {name}" for name, word in value.items()} if isinstance(value, dict) else dict(enumerate(value))
    )
    for element, line in lines.items():
        if not line.isprintable():
            what = elementWords(placeIn(value, element))
            reason = f"{what}: each line has letters that can be seen, and no end of a line in it"
            raise ValueFault(reason, element)
    text: list[str] = []
    for element, line in lines.items():
        text += [""] * (0 if lineOf is None else lineOf(element) - 1 - len(text))
        text.append(line)
    return "".join(f"{line}\n" for line in text)


def elementWithin(value: Any, lineOf: Callable[[int | str], int], number: int) -> int | str | None:
    """
    @param value: an array or a table.
    @param lineOf: see L{inlineText}.
    @param number: a line of the text that L{inlineText} makes of it.
    @return: the element that it is; L{None} if it is none.
    """
    at = 0
    for element in value if isinstance(value, dict) else range(len(value)):
        at = max(at + 1, lineOf(element))
        if at >= number:
            return element
    return None


def wordsIn(row: Option, value: Any, directory: str) -> Iterator[str]:
    """
    Turn a value that L{checked} has let pass into the words that a command line would have.

    @param directory: where the file is: names of files are relative to that.
    @return: one word, or each of an option that may be repeated.
    @raise ValueFault: when a word cannot be used.
    """
    values = value if isinstance(value, list) else [value]
    for element, one in enumerate(values):
        word = wordOf(one)
        isPath = row.isPath and word not in row.choices
        if isPath and not word.isprintable():
            reason = f"{needed(row)}, and there is text of several lines, or with letters that cannot be seen"
            raise ValueFault(reason, None)
        if isPath and isUrl(word):
            reason = f"{row.told(word)}: {needed(row)}, and there is a URL"
            raise ValueFault(reason, element if isinstance(value, list) else None)
        if isPath and word:
            path = os.path.join(directory, os.path.expanduser(word))
            if row.inline is Inline.LINES and mayBeLine(word, path):
                reason = 'there is no file of such a name; a line itself stands in an array, as ["..."]'
                raise ValueFault(reason)
            word = path
        try:
            row.parse(word)
        except ValueError as error:
            told = row.told(word)
            told = told if len(told) <= MOST_SHOWN_LETTERS else f"{told[:MOST_SHOWN_LETTERS]}..."
            reason = f"{told}: {shownReason(error, word, row.told(word))}"
            raise ValueFault(reason, element if isinstance(value, list) else None) from error
        yield word
