"""
What an error does not repeat of a word, since it may be a secret.
"""

from __future__ import annotations

import os
import re

UNSAID = "..."
"""Stands for a word that is a secret, or for a part of one."""

SECRET_NAMES = frozenset({"http-path", "proxy"})
"""The long names of the options whose word is a secret, of all programs: somebody may give one to the wrong program."""

LEAST_SECRET_LETTERS = 16
"""What is so long may be a token that somebody has put in the place of a file's name."""

_TEXT_OF_PEM = "-----BEGIN"
"""How certificates and keys begin."""

_URL = re.compile(r"://|[A-Za-z]{2}:[/\\]|(wss?|https?)//")
"""What is in a URL, also in one with a mistake."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[/\\]")
"""How a URL begins.  On Windows a file has one letter there."""

_BEHIND = re.compile(r"[/?#\\]")
"""Where a path begins, also as somebody may have typed it."""


def shownPlace(word: str) -> str:
    """
    @param word: where something is, as a host or a URL.
    @return: the same without what stands before an at sign, which may be a password, and what stands behind a slash,
        which may be a secret path; nothing of a key.
    """
    if isPem(word):
        return UNSAID
    scheme, isUrl, rest = word.partition("://")
    if not isUrl or "@" in scheme or _BEHIND.search(scheme):
        scheme, isUrl, rest = "", "", word
    place = _BEHIND.split(rest, maxsplit=1)[0]
    behind = rest[len(place) :]
    hidden = f"{behind[0]}{UNSAID}" if len(behind) > 1 else behind
    if "@" in behind:  # a password may have a slash in it
        place = place.partition(":")[0]
    return f"{scheme}{isUrl}{place.rpartition('@')[2]}{hidden}" or "''"


def shownUrl(word: str) -> str:
    """
    @param word: any word.
    @return: the same, as L{shownPlace} has it if there is a URL in it, or a user with a password; nothing of a key.
    """
    hasPassword = "@" in word.partition(":")[2]
    return shownPlace(word) if hasPassword or _URL.search(word) or isPem(word) else word


def shownReason(error: ValueError, word: str, told: str) -> str:
    """
    @param error: why a word cannot be used.  It may repeat the word.
    @param told: what may be shown of the word.
    @return: the same without what may not.
    """
    reason = str(error)
    return reason if told == word or not word else reason.replace(repr(word), repr(told)).replace(word, told)


def isUrl(word: str) -> bool:
    """
    @return: whether a word, which may be a name, is a URL, or is meant as one.
    """
    return _SCHEME.match(word) is not None


def isPem(word: str) -> bool:
    """
    @return: whether a certificate or a key is in a word, as where a variable of the environment holds one.
    """
    return _TEXT_OF_PEM in word


def mayBeLine(word: str, path: str) -> bool:
    """
    @param word: stands where the name of a file is needed that has a secret in each line.
    @param path: where such a file would be.
    @return: whether it may be such a line itself: it is as long as a token, or is a user with a password, and names
        neither a file nor a place where one could be.
    """
    if len(word) < LEAST_SECRET_LETTERS and ":" not in word:
        return False
    directory = os.path.dirname(os.path.expanduser(word))
    isPlace = os.path.isabs(directory) or (bool(directory) and os.path.isdir(os.path.dirname(path)))
    return not isPlace and not os.path.lexists(path)
