"""
What an error does not repeat of a word, since it may be a secret.
"""

from __future__ import annotations

import re

UNSAID = "..."
"""Stands for a word that is a secret, or for a part of one."""


def shownPlace(word: str) -> str:
    """
    @param word: where something is, as a host or a URL.
    @return: the same without what stands before an at sign, which may be a password, and what stands behind a slash,
        which may be a secret path.
    """
    scheme, isUrl, rest = word.partition("://")
    if not isUrl:
        scheme, rest = "", word
    place = re.split("[/?#]", rest, maxsplit=1)[0]
    behind = rest[len(place) :]
    hidden = f"{behind[0]}{UNSAID}" if len(behind) > 1 else behind
    if "@" in behind:  # a password may have a slash in it
        place = place.partition(":")[0]
    return f"{scheme}{isUrl}{place.rpartition('@')[2]}{hidden}" or "''"


def shownUrl(word: str) -> str:
    """
    @param word: any word.
    @return: the same, as L{shownPlace} has it if there is a URL in it.
    """
    return shownPlace(word) if "://" in word else word


def shownArgument(word: str) -> str:
    """
    @param word: where something is, or the whole name of a file.
    @return: the name, or the place as L{shownPlace} has it.
    """
    return word if word.startswith(("/", ".")) else shownPlace(word)
