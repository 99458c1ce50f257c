"""
What a setting is called in an error or in the log.  The packages know settings by the
names that an embedding program gives them; a command line has options in their place,
and says here which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class Spelling:
    """
    Says how the user of this process spells its settings.

    @cvar spellings: what each is called; its own name when it is not among them.
    """

    spellings: ClassVar[Mapping[str, str]] = {}


def spelled(setting: str) -> str:
    """
    @param setting: the name of a setting, or C{name=value} where a certain value is meant.
    @return: how its user writes it.
    """
    return Spelling.spellings.get(setting, setting)
