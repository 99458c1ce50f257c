"""
Turns a configuration file into what a command line would say: options by their long names, and
where to send.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from uotp.cli.addresses import destinationWords, parseHost
from uotp.cli.config.configuration import Configuration
from uotp.cli.config.document import Document, readDocument
from uotp.cli.config.faults import MOST_FAULTS, Fault, FaultsError
from uotp.cli.config.inlinefiles import InlineFiles, inlineName
from uotp.cli.config.values import ValueFault, checked, elementWords, inlineText, kindOf, wordOf, wordsIn
from uotp.cli.options import Flag, GnuOptions, Option
from uotp.cli.parsers import parsePort
from uotp.cli.servers import SERVER_FORMS, pairWords, webSocketWords
from uotp.cli.unsaid import isUrl, shownPlace, shownUrl
from uotp.cli.words import either, shown, similarNames
from uotp.net import MAX_SERVERS

PORT = "port"
"""The key of the port to send to, where it does not stand behind the host."""

DESTINATIONS = {"server": "uotp-client", "target": "uotp-server"}
"""The keys of where to send, and the programs that have them."""

SEVERAL = {"server"}
"""Those of them that may name several places, or the URL of a WebSocket."""


@dataclass(slots=True)
class _Reading:
    """
    Goes through the keys of a file, and notes all that is wrong.
    """

    options: GnuOptions
    destinationKey: str
    document: Document
    faults: list[Fault] = field(default_factory=list)
    found: list[tuple[str, str | None]] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    inline: dict[str, Option] = field(default_factory=dict)

    @property
    def isForTheOtherEnd(self) -> bool:
        """
        Whether the file has what only the other end has: where that sends to.
        """
        return any(key in self.document.values for key in DESTINATIONS if key != self.destinationKey)

    def note(self, key: str, reason: str, *path: str | int) -> None:
        """
        Something is wrong with a key.

        @param path: where in its value.
        """
        self.faults.append(Fault(reason, self.document.lineOf(key, *path)))

    def readKeys(self) -> None:
        """
        Read all keys but those of the destination.
        """
        rows = {row.name: row for row in self.options.rows}
        for key, value in self.document.values.items():
            self.lines[key] = self.document.lineOf(key)
            if key in (self.destinationKey, PORT):
                continue
            if key not in rows:
                self.note(key, self.unknown(key, value, rows))
                continue
            try:
                self.read(rows[key], value)
            except ValueFault as fault:
                where = () if fault.element is None else (fault.element,)
                self.note(key, f"{key}: {fault}", *where)

    def read(self, row: Option | Flag, value: Any) -> None:
        """
        Read a key.

        @raise ValueFault: when its value cannot be used.
        """
        value = checked(row, value)
        if isinstance(row, Flag):
            self.found += [(row.name, None)] if value else []
            return
        directory = os.path.dirname(os.path.abspath(self.document.file))
        if inlineText(row, value) is not None:
            name = inlineName(os.path.abspath(self.document.file), row.name)
            self.inline[name] = row
            self.found.append((row.name, name))
            return
        self.found += [(row.name, word) for word in wordsIn(row, value, directory)]

    def unknown(self, key: str, value: Any, rows: Iterable[str]) -> str:
        """
        @return: that there is no such key, and what may be meant.
        """
        what = f"the table [{shownUrl(key)}]" if isinstance(value, dict) else f"the key {shown(shownUrl(key))}"
        if len(key) == 1 and key in self.options.synonyms:
            return f"there is no {what[4:]}: write {self.options.synonyms[key]}"
        if key in DESTINATIONS:
            return f"{key} is a key of {DESTINATIONS[key]}, and this file is read by {self.options.commandName}"
        whose = self.options.whose(f"--{key}")
        if whose is not None:
            return f"{key} is {whose}".replace(" an option of uotp-", " a key of uotp-")
        isTold = len(self.faults) < MOST_FAULTS  # to look for names takes long where there are thousands of keys
        similar = similarNames(key, [*rows, self.destinationKey, PORT]) if isTold else []
        meant = f": did you mean {either(similar, '')}?" if similar else ""
        return f"there is no {what[4:]}{meant}"

    def readDestination(self, *, isNeeded: bool) -> Sequence[str] | None:
        """
        @param isNeeded: whether there has to be one.
        @return: the words of where to send, as a command line has them.
        """
        key, values = self.destinationKey, self.document.values
        if key not in values:
            if PORT in values:
                self.note(PORT, f"{PORT} belongs to {key}, which is missing")
            elif isNeeded and not self.isForTheOtherEnd:
                self.faults.append(Fault(f'{key} is missing: write {key} = "HOST:PORT"'))
            return None
        value = values[key]
        if key in SEVERAL and (isinstance(value, list) or (isinstance(value, str) and isUrl(value))):
            return self._readServers(key, value if isinstance(value, list) else [value])
        return self._readOne(key, value)

    def _readServers(self, key: str, servers: list[Any]) -> list[str] | None:
        """
        @return: the words of several servers, or of one that speaks WebSocket.
        """
        if PORT in self.document.values:
            self.note(PORT, f"{PORT}: it belongs to one host: write each server as {SERVER_FORMS}")
            return None
        if not 1 <= len(servers) <= MAX_SERVERS:
            self.note(key, f"{key}: 1 to {MAX_SERVERS} servers are needed, and there are {len(servers)}")
            return None
        names = [shownPlace(word) if isinstance(word, str) else "" for word in servers]
        areGood = True
        for number, (word, name) in enumerate(zip(servers, names, strict=True)):
            reason = self._faultOf(word)
            if reason is not None:
                told = name if names.count(name) == 1 else f"{name} ({elementWords(number)})"
                self.note(key, f"{key}: {told if name else elementWords(number)}: {reason}", number)
                areGood = False
        return servers if areGood else None

    def _faultOf(self, word: Any) -> str | None:
        if not isinstance(word, str):
            return f'text is needed, as "HOST:PORT", and {kindOf(word)}'
        try:
            words = webSocketWords(word) or pairWords(word)
            if words is None:
                return f"{SERVER_FORMS} is needed"
            words.parsed(isPlain=words.hasTls is False)
        except ValueError as error:
            return str(error)
        return None

    def _readOne(self, key: str, host: Any) -> tuple[str, str] | None:
        """
        @return: host and port.
        """
        port = self.document.values.get(PORT)
        if not isinstance(host, str):
            self.note(key, f'{key}: text is needed, as "HOST:PORT", and {kindOf(host)}')
            return None
        if port is not None and (isinstance(port, bool) or not isinstance(port, (int, str))):
            self.note(PORT, f"{PORT}: a number is needed, and {kindOf(port)}")
            return None
        try:
            words = destinationWords([host] if port is None else [host, wordOf(port)], f"{key} {PORT}")
        except ValueError:
            twice = f"the port stands in it and in {PORT}" if port is not None else "the port is missing"
            self.note(key, f'{key} = {shownPlace(host)}: {twice}: write {key} = "HOST:PORT"')
            return None
        for place, word, parse in ((key, words[0], parseHost), (key if port is None else PORT, words[1], parsePort)):
            try:
                parse(word)
            except ValueError as error:
                self.note(place, f"{place}: {shownPlace(word)}: {error}")
        return words


class KeysError(FaultsError):
    """
    Tells all that is wrong with the keys of a file.

    @ivar rest: what the other keys say.
    """

    def __init__(self, file: str, faults: Iterable[Fault], rest: Configuration) -> None:
        super().__init__(file, faults)
        self.rest = rest


def readConfiguration(
    options: GnuOptions, destinationKey: str, file: str, *, needsDestination: bool = True, isReadAgain: bool = False
) -> Configuration:
    """
    Read a configuration file.

    @param options: those of the program that it is for.
    @param destinationKey: the key of where to send.
    @param file: its name.
    @param needsDestination: whether it has to say where to send.
    @param isReadAgain: see L{readDocument}.
    @return: what it says.
    @raise FaultsError: when it cannot be used.
    @raise KeysError: when that is for its keys, with all that is wrong.
    """
    reading = _Reading(options, destinationKey, readDocument(file, isReadAgain=isReadAgain))
    reading.readKeys()
    destination = reading.readDestination(isNeeded=needsDestination)
    files = InlineFiles(os.path.abspath(file), reading.inline, reading.document)
    found = Configuration(file, reading.found, destinationKey, destination, reading.lines, files)
    if reading.faults:
        raise KeysError(file, reading.faults, found)
    return found
