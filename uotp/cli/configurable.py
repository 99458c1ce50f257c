"""
Command lines that may name a configuration file, which says what they would say.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.python import usage

from uotp.cli.config.faults import FaultsError
from uotp.cli.options import GnuOptions, Option
from uotp.cli.sameness import meaningIn
from uotp.cli.unsaid import isUrl
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
    return isPath or (word.endswith(FILE_ENDINGS) and not isUrl(word))


def directoryNow() -> str:
    """
    @return: where we are; empty where that is gone: then a file has its whole name, or is not found.
    """
    try:
        return os.getcwd()
    except OSError:
        return ""


class ConfigurableOptions(GnuOptions):
    """
    Parses a command line that may name a configuration file.  An option that stands on the command line itself
    counts alone.

    @cvar destinationKey: the key of where to send.
    @ivar configuration: what the file says, if there is one.
    @ivar directory: where we were when the file was read first, which a daemon leaves; empty before.
    @ivar isReadAgain: whether the file is read more than once, see L{uotp.cli.config.document.readDocument}.
    @ivar isRunning: whether that is done while the program runs.
    """

    destinationKey: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.configuration: Configuration | None = None
        self.isReadAgain = self.isRunning = False
        self._typed: frozenset[str] = frozenset()
        self.directory = ""
        self._line = Line()

    @property
    def destination(self) -> Any:
        """
        Where to send, as the end's settings have it.
        """
        raise NotImplementedError

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
        self._line = line
        self.directory = self.directory or directoryNow()
        found = readConfiguration(
            self, self.destinationKey, file, needsDestination=not destination, isReadAgain=self.isReadAgain
        )
        self.configuration = found
        return Line([*found.without(self._typed), *line.options], destination or list(found.destination or ()))

    def changedKeys(self) -> list[str]:
        """
        Read the file again.

        @return: the keys that have other values than at the start, and count.
        @raise ConfigurationError: when no program could start with the file.
        """
        if self.configuration is None:
            return []
        again = self._readAgain()
        assert again.configuration is not None
        changed = again.configuration.changedSince(self.configuration)
        return [key for key in changed if key not in self._typed and again.valueOf(key) != self.valueOf(key)]

    def valueOf(self, key: str) -> Any:
        """
        @return: what a key of the file has led to; the same for all words that mean the same.
        """
        return meaningIn(key, self.destination if key == self.destinationKey else self[key])

    def _readAgain(self) -> ConfigurableOptions:
        """
        @return: what the same command line says with the file as it is now.
        @raise ConfigurationError: when no program could start with it.
        """
        named, *destination = self._line.arguments
        file, again = os.path.join(self.directory, named), self._another()
        typed = [self._typedAgain(name, word) for name, word in self._line.options]
        try:
            again.understand([*typed, "--", file, *destination])
            again.requireSense()
        except FaultsError as error:
            raise ConfigurationError(str(error)) from error
        except (usage.UsageError, ConfigurationError) as error:
            raise ConfigurationError(again.located(str(error))) from error
        except ImportError as error:  # for a name with other letters than those of ASCII, for example
            reason = f"{file}: it cannot be read again while the program runs (is it in a chroot?): {error}"
            raise ConfigurationError(reason) from error
        return again

    def _another(self) -> ConfigurableOptions:
        """
        @return: options that take the same command line while the program runs.
        """
        again = type(self)()
        again.isReadAgain = again.isRunning = True
        again.directory = self.directory
        return again

    def whose(self, typed: str) -> str | None:
        """
        See L{GnuOptions}.  While the program runs nothing is imported for it: it may be another user meanwhile.
        """
        return None if self.isRunning else super().whose(typed)

    def _typedAgain(self, name: str, word: str | None) -> str:
        """
        @return: an option as it stands on the command line; the name of a file as it was meant at the start.
        """
        if word is None:
            return f"--{name}"
        isPath = any(isinstance(row, Option) and row.name == name and row.isPath for row in self.rows)
        return f"--{name}={self[name] if isPath and isinstance(self[name], str) else word}"

    def requireSense(self) -> None:
        """
        Refuse options that are good each, and cannot be used together.

        @raise ConfigurationError: when they cannot.
        """

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
