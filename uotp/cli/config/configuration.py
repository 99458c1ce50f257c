"""
What a configuration file says, and how errors name its keys and lines.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from uotp.cli.config.faults import Fault
from uotp.cli.config.inlinefiles import InlineFiles

_LINE_WITHIN = re.compile(r"(/\S.*?), line (\d+)(?=: )")
"""The name of a file, and a line of it, as errors tell them."""

_MENTIONED = re.compile(r"--([a-z][a-z0-9-]*)")


@dataclass(frozen=True, slots=True)
class Configuration:
    """
    Holds what a configuration file says.

    @ivar file: its name, as it was given.
    @ivar options: long names and words, as a command line would have them; without a word for those that take none.
    @ivar destinationKey: the key of where to send.
    @ivar destination: the words of where to send, if it says so.
    @ivar lines: the line of each key.
    @ivar files: reads files of credentials, also those that stand in this one.
    """

    file: str
    options: Sequence[tuple[str, str | None]]
    destinationKey: str
    destination: Sequence[str] | None
    lines: Mapping[str, int]
    files: InlineFiles

    def without(self, given: Collection[str]) -> list[tuple[str, str | None]]:
        """
        @param given: options that a command line says otherwise.
        @return: the options that count.
        """
        return [(name, word) for name, word in self.options if name not in given]

    def located(self, reason: str, given: Collection[str]) -> str:
        """
        @param reason: why options cannot be used, alone or together.
        @param given: those that stand on the command line.
        @return: the same with the file and the line, and keys as they stand there.
        """
        fault = self.faultOf(reason, given)
        return reason if fault is None else fault.told(self.file)

    def faultOf(self, reason: str, given: Collection[str] = ()) -> Fault | None:
        """
        @param reason: why options cannot be used, alone or together.
        @param given: those that stand on the command line.
        @return: the same, with the line, and keys as they stand there; L{None} where it may be of what the command
            line says.
        """
        mentioned = _MENTIONED.findall(reason)
        ours = [name for name in mentioned if name in self.lines and name not in given]
        named = self._named(reason, given)
        words = _MENTIONED.sub(lambda match: match[0] if match[1] in given else match[1], reason)
        if self._isOfDestination(reason, given):
            return Fault(words, self.lines[self.destinationKey])
        if mentioned and not ours and any(name in given for name in mentioned):
            return None
        if not mentioned and named is None and given:
            return None
        if named is not None:
            return self.faultAt(named, words)
        return Fault(words, min((self.lines[name] for name in ours), default=None))

    def _isOfDestination(self, reason: str, given: Collection[str]) -> bool:
        key = self.destinationKey
        return key in self.lines and key not in given and reason.startswith((f"{key} ", f"the {key} "))

    def faultAt(self, key: str, reason: str) -> Fault:
        """
        @param key: whose value is the reason, or names a file that is.
        @return: what is wrong, with the key and the line.  Of a list that stands in the file that is its own line.
        """
        line, place = self.lines[key], _LINE_WITHIN.search(reason)
        if place is not None and self.files.holds(place[1]):
            line, element = self.files.placeOf(place[1], int(place[2]))
            reason = f"{reason[: place.end(1)]}{element and f', {element}'}{reason[place.end() :]}"
        return Fault(f"{key}: {reason}", line)

    def _named(self, reason: str, given: Collection[str]) -> str | None:
        """
        @return: the key of the file that a reason names first.
        """
        places = []
        for name, word in self.options:
            if name not in given and word is not None and os.path.isabs(word):
                place = re.search(rf"(?<![\w/.]){re.escape(word)}(?![\w/#-]|\.\w)", reason)
                places += [] if place is None else [(place.start(), -len(word), name)]
        return min(places)[2] if places else None

    def changedSince(self, before: Configuration) -> list[str]:
        """
        @return: the keys whose values are others than before.  What stands in the file in place of a file of
            credentials is no such value: it is read again with those.
        """
        here, there = self.words, before.words
        return sorted(name for name in {*here, *there} if here.get(name) != there.get(name))

    @property
    def words(self) -> dict[str, list[str | None]]:
        """
        The words of each key.
        """
        found: dict[str, list[str | None]] = {self.destinationKey: list(self.destination or ())}
        for name, word in self.options:
            found.setdefault(name, []).append(word)
        return found
