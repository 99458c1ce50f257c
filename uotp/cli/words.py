"""
How the words of a command line are told apart: options, the words that options take, and
arguments.  Options may stand anywhere, as GNU programs have it.  What an option means is not
known here, nor which options there are: that is handed in.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from uotp.cli.pasted import INVISIBLE, QUOTES, isDash, pastedTrouble, withHyphens
from uotp.cli.unsaid import SECRET_NAMES, UNSAID, isPem, shownUrl

MOST_SUGGESTIONS = 3
"""More names than this are no help to somebody who has mistyped one."""

LEAST_PART = 3
"""A part of a name that has fewer letters is in too many names."""

_PARTS = re.compile("[^a-z0-9-]")
"""What no name of an option has."""


class WordsError(ValueError):
    """
    Tells in words why a command line cannot be used.
    """


@dataclass(frozen=True, slots=True)
class KnownOptions:
    """
    Holds the options that a command line has.

    @ivar long: for each long name, whether a word follows.
    @ivar short: the long name for each letter.
    @ivar whose: tells of an option that there is not, with its hyphens, which other program
        has it, as the end of a sentence; otherwise L{None}.
    """

    long: Mapping[str, bool]
    short: Mapping[str, str]
    whose: Callable[[str], str | None]


@dataclass(slots=True)
class Line:
    """
    Holds the words of a command line, told apart.

    @ivar options: long names and the words that they take, in their order; without a word for
        those that take none.
    @ivar arguments: all else.
    """

    options: list[tuple[str, str | None]] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)


def tellApart(words: Sequence[str], known: KnownOptions) -> Line:
    """
    Tell the words of a command line apart.

    @return: the options and the arguments.
    @raise WordsError: for an option that there is not, or that lacks its word.
    """
    line = Line()
    pairs = zip(("", *words), words, strict=False)  # each with the one before it
    rest = iter([withoutPaste(word, _shownAs(word, before)) for before, word in pairs])
    for word in rest:
        if word == "--":
            line.arguments.extend(rest)
        elif word.startswith("--"):
            line.options.append(_long(word, rest, known))
        elif word.startswith("-") and word != "-":
            line.options.extend(_short(word, rest, known))
        else:
            line.arguments.append(word)
            if os.environ.get("POSIXLY_CORRECT") is not None:  # the user wants no options behind an argument
                line.arguments.extend(rest)
    return line


def shown(word: str) -> str:
    """
    @return: a word as it is shown in an error: one without letters as a shell has it.
    """
    return word or "''"


def _shownAs(word: str, before: str) -> Callable[[str], str]:
    """
    @param before: the word before it.
    @return: what makes of a word, or of how it is to be written, what may be shown of that.
    """
    if _isSecret(before) or isPem(word):
        return lambda _: UNSAID
    name, equals, _ = word.partition("=")
    if equals and _isSecret(name):
        return _withoutValue
    if any(part.startswith("--") and part.lstrip("-") in SECRET_NAMES for part in _PARTS.split(_plain(word))):
        return lambda _: UNSAID  # the option and its word in one
    return shownUrl


def _withoutValue(text: str) -> str:
    """
    @return: an option without its word; nothing of the word where that stands alone.
    """
    name, equals, _ = text.partition("=")
    return f"{name}={UNSAID}" if equals and _isSecret(name) else UNSAID


def _isSecret(word: str) -> bool:
    """
    @return: whether a word is, or begins, an option whose own word is a secret.
    """
    typed = withHyphens(_plain(word)).removeprefix("--").partition("=")[0]
    return bool(typed) and any(name.startswith(typed) for name in SECRET_NAMES)


def _plain(word: str) -> str:
    """
    @return: a word in small letters, without quotation marks and with hyphens for what looks so.
    """
    bare = "".join(letter for letter in word.lower() if letter not in f"{INVISIBLE}{QUOTES}\"'")
    return "".join("-" if letter == "_" or isDash(letter) else letter for letter in bare.strip())


def withoutPaste(word: str, shownAs: Callable[[str], str]) -> str:
    """
    @param shownAs: see L{pastedTrouble}.
    @return: the word.
    @raise WordsError: when it was pasted from somewhere, with what nobody can type.  The name
        of a file that is there may be as it is.
    """
    trouble = pastedTrouble(word, shownAs)
    if trouble is not None and not (os.path.exists(word) or os.path.exists(word.partition("=")[2])):
        reason = f"the word {shownAs(word)!a}: {trouble}"
        raise WordsError(reason)
    return word


def _long(word: str, rest: Iterator[str], known: KnownOptions) -> tuple[str, str | None]:
    """
    @return: the option that a word with two hyphens is, which may take the next one.
    """
    typed, hasEquals, value = word[2:].partition("=")
    _requireOneWord(word, typed)
    name = _fullName(typed, known)
    if known.long[name]:
        return name, value if hasEquals else _next(f"--{name}", name, rest, known)
    if hasEquals:
        reason = f"--{name} takes no word: leave ={shownUrl(value)} out; it holds when it is given, and else not"
        raise WordsError(reason)
    return name, None


def _short(word: str, rest: Iterator[str], known: KnownOptions) -> Iterator[tuple[str, str | None]]:
    """
    @return: the options that the letters of a word are.  The last may take what is behind it
        in the word, or the next word.
    """
    name = word[1:].partition("=")[0]
    if len(name) > 1 and name in known.long:
        told = _shownAs(word, "")(word)
        reason = f"{told} has one hyphen: write -{told}"
        raise WordsError(reason)
    for place in range(1, len(word)):
        letter, behind = word[place], word[place + 1 :]
        if letter not in known.short:
            raise WordsError(_unknown(f"-{letter}", [], known))
        name = known.short[letter]
        if known.long[name]:
            _requireOneWord(word, behind[:1])
            yield name, behind.removeprefix("=") if behind else _next(f"-{letter}", name, rest, known)
            return
        yield name, None


def _next(typed: str, name: str, rest: Iterator[str], known: KnownOptions) -> str:
    """
    @return: the word that an option takes.
    @raise WordsError: when there is none, or an option in its place.
    """
    spelled = typed if typed == f"--{name}" else f"{typed} (--{name})"
    word = next(rest, None)
    if word is None:
        reason = f"{spelled} needs a word behind it, and there is none"
        raise WordsError(reason)
    if len(word) > 1 and word[0] == "-" and (word[1] == "-" or word[1].isalpha()):
        told = _shownAs(word, "" if word.removeprefix("--") in known.long else f"--{name}")(word)
        reason = f"{spelled} needs a word behind it, and there is {told}: if that is the word, write --{name}={told}"
        raise WordsError(reason)
    return word


def _requireOneWord(word: str, part: str) -> None:
    """
    @raise WordsError: when a space is in the part of a word where no space can be.
    """
    if any(letter.isspace() for letter in part):
        typed, value = re.split(r"\s", word, maxsplit=1)
        space, option = word[len(typed)], _nameIn(typed)
        told = _shownAs(value, option)(value) if option == typed and not isPem(word) else UNSAID
        reason = f"the word {option + space + told!a} has a space in it: write two words, {option} and {told.strip()}"
        raise WordsError(reason)


def _fullName(typed: str, known: KnownOptions) -> str:
    """
    @return: the long name that was typed, or the only one that begins so.
    @raise WordsError: when there is none, or there are several.
    """
    if typed in known.long:
        return typed
    begun = [name for name in known.long if typed and name.startswith(typed)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        reason = f"--{typed} may be {either(begun)}: write more of it"
        raise WordsError(reason)
    raise WordsError(_unknown(f"--{typed}", similarNames(typed, known.long), known))


def _unknown(typed: str, similar: Sequence[str], known: KnownOptions) -> str:
    """
    @return: that there is no such option, and what may be meant.
    """
    whose = known.whose(typed)
    if whose is not None:
        return f"{typed} is {whose}"
    typed = _nameIn(typed)
    if similar:
        return f"there is no option {typed}: did you mean {either(similar)}?"
    return f"there is no option {typed}"


def _nameIn(typed: str) -> str:
    """
    @return: what was typed for the name of an option, without what can be in none: that may be the option's word.
    """
    name = re.split(r"[^\w.-]", typed, maxsplit=1)[0]
    return typed if name == typed else f"{name}{UNSAID}"


def similarNames(typed: str, names: Iterable[str]) -> list[str]:
    """
    @return: which names may be meant by one that there is not.
    """
    names = list(names)
    plain = "".join("-" if letter == "_" or isDash(letter) else letter for letter in typed.lower())
    bare = plain.replace("-", "")
    found = [name for name in names if name.replace("-", "") == bare]
    found += difflib.get_close_matches(plain, names, MOST_SUGGESTIONS, 0.75)
    found += [name for name in names if len(plain) >= LEAST_PART and plain in name]
    found += difflib.get_close_matches(plain, names, 1, 0.6)
    return list(dict.fromkeys(found))[:MOST_SUGGESTIONS]


def either(names: Sequence[str], hyphens: str = "--") -> str:
    """
    @param hyphens: what stands before each name.
    @return: options, as a choice.
    """
    spelled = [f"{hyphens}{name}" for name in names]
    return spelled[0] if len(spelled) == 1 else f"{', '.join(spelled[:-1])} or {spelled[-1]}"
