"""
What a user may say of sending datagrams over two tunnels.
"""

from __future__ import annotations

from enum import Enum


class Duplicate(Enum):
    """
    Names when datagrams of light flows, and small ones of any flow, go over two tunnels.

    AUTO: while the path loses.  OFF: never.  ALWAYS: also while nothing is lost.
    """

    AUTO = "auto"
    OFF = "off"
    ALWAYS = "always"


def parseDuplicate(word: str) -> Duplicate:
    """
    @return: the user's choice.
    @raise ValueError: in words.
    """
    try:
        return Duplicate(word)
    except ValueError:
        reason = f"one of {', '.join(choice.value for choice in Duplicate)} is needed"
        raise ValueError(reason) from None
