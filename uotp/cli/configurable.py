"""
Command lines that may name a configuration file, which says what they would say.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from twisted.python import usage

from uotp.cli.config.faults import FaultsError
from uotp.cli.options import GnuOptions
from uotp.cli.words import Line
from uotp.errors import ConfigurationError

if TYPE_CHECKING:
    from uotp.cli.config.configuration import Configuration

FILE_ENDINGS = (".toml", ".uotp")
"""How the names of configuration files end: of those that one writes, and of those that enrol a client."""


def isConfigurationFile(arguments: Sequence[str]) -> bool:
    """
    @param arguments: of a command line.
    @return: whether the first of them is a configuration file: by the end of its name, or as the only argument where
        it is there, or has a directory before it.
    """
    if not arguments:
        return False
    word = arguments[0]
    isPath = len(arguments) == 1 and (os.path.exists(word) or word.startswith(("/", "./", "../", "~/")))
    return isPath or word.endswith(FILE_ENDINGS)


class ConfigurableOptions(GnuOptions):
    """
    Parses a command line that may name a configuration file.  An option that stands on the command line itself
    counts alone.

    @cvar destinationKey: the key of where to send.
    @ivar configuration: what the file says, if there is one.
    @ivar isReadAgain: whether the file is read more than once, see L{uotp.cli.config.document.readDocument}.
    """

    destinationKey: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.configuration: Configuration | None = None
        self.isReadAgain = False
        self._typed: frozenset[str] = frozenset()
        self._directory = ""

    @property
    def destinationShown(self) -> list[str]:
        """
        Where to send, in words that can be typed, without what may be a secret.
        """
        raise NotImplementedError

    def completed(self, line: Line) -> Line:
        """
        @return: a command line with what stands in the file that it names.
        @raise FaultsError: when the file cannot be used.
        """
        if not isConfigurationFile(line.arguments):
            return line
        from uotp.cli.config.reading import readConfiguration  # noqa: PLC0415 - of no use without such a file

        file, *destination = line.arguments
        self._typed = frozenset([name for name, _ in line.options] + ([self.destinationKey] if destination else []))
        self._directory = os.getcwd()  # a daemon changes it
        found = readConfiguration(
            self, self.destinationKey, file, needsDestination=not destination, isReadAgain=self.isReadAgain
        )
        self.configuration = found
        return Line([*found.without(self._typed), *line.options], destination or list(found.destination or ()))

    def changedKeys(self) -> list[str]:
        """
        Read the file again.

        @return: the keys that have other values than at the start, and count.
        @raise ConfigurationError: when the file cannot be used.
        """
        if self.configuration is None:
            return []
        from uotp.cli.config.reading import readConfiguration  # noqa: PLC0415 - of no use without such a file

        file = os.path.join(self._directory, self.configuration.file)
        try:
            found = readConfiguration(type(self)(), self.destinationKey, file, needsDestination=False, isReadAgain=True)
        except FaultsError as error:
            raise ConfigurationError(str(error)) from error
        return [key for key in found.changedSince(self.configuration) if key not in self._typed]

    def reasonsOf(self, error: usage.UsageError) -> list[str]:
        """
        See L{GnuOptions}.
        """
        if isinstance(error, FaultsError):
            return error.lines
        located = self.located(str(error))
        return super().reasonsOf(error) if located == str(error) else [located]

    def located(self, reason: str) -> str:
        """
        @return: why options cannot be used, with the place in the file if they stand there.
        """
        return reason if self.configuration is None else self.configuration.located(reason, self._typed)

    def getSynopsis(self) -> str:
        """
        See L{GnuOptions}.
        """
        usual = super().getSynopsis()
        return f"{usual}\n   or: {usual.removeprefix('Usage: ').removesuffix(self.positionals)}FILE"
