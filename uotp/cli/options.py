"""
What all our command lines share: each option is said once, options may stand behind
arguments, and errors are one line.  No command is known here.
"""

from __future__ import annotations

import os
import pkgutil
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, ClassVar, NoReturn

from twisted.python import usage

import uotp
from uotp.cli.helptext import commandLines, optionLines
from uotp.cli.parsers import absolutePath
from uotp.cli.unsaid import SECRET_NAMES, UNSAID, mayBeLine, shownPlace, shownReason, shownUrl
from uotp.cli.words import KnownOptions, Line, WordsError, shown, tellApart
from uotp.telemetry import sayLast

USAGE_EXIT_STATUS = 2
"""The exit status, by convention, when a command line cannot be used."""

COMPLETION_FLAG = "--_shell-completion"
"""With this flag twistd's completion for zsh asks for the list of options."""

USUAL_COLUMNS = "80"
"""The help is so wide where no environment says how wide the terminal is."""

PATH_METAVARS = ("FILE", "DIR", "PATH")
"""What a word is called in the manual that is the name of a file, of a directory, or of either."""


def usualWord(value: Any) -> str | None:
    """
    @return: how the default of a setting is written on a command line.  What has a fraction is
        a time.
    """
    if isinstance(value, Enum):
        return str(value.value)
    return None if value is None else f"{value:g}s" if isinstance(value, float) else str(value)


class Inline(Enum):
    """
    Says what may stand in a configuration file in place of the name of a file.
    """

    PEM = "its text, which begins with -----BEGIN"
    LINES = "an array of its lines, or a table with NAME = VALUE for each line VALUE NAME"


@dataclass(frozen=True, slots=True)
class Option:
    """
    Describes an option that takes a word.

    @ivar name: the long name.
    @ivar short: its letter, or L{None}.
    @ivar help: what the option is for.
    @ivar parse: makes a value of the word; raises ValueError with the reason in words.
    @ivar setting: the field of the settings that the value is for, or L{None}.
    @ivar default: the word that counts when none is given; when this is left out, it is the
        setting's default.
    @ivar write: how the setting's default is written as a word.
    @ivar metavar: what the word is called in the manual, as C{FILE} or C{TIME}.
    @ivar choices: words that a shell may offer; others may be possible too.
    @ivar isPlace: whether the word says where something is, so that what stands behind a slash is not for the log.
    @ivar inline: what may stand in a configuration file in place of the name of a file, or L{None}.
    """

    name: str
    short: str | None
    help: str
    parse: Callable[[str], Any]
    setting: str | None = None
    default: str | None = None
    write: Callable[[Any], str | None] = usualWord
    metavar: str = "WORD"
    choices: tuple[str, ...] = ()
    inline: Inline | None = None
    isPlace: bool = False

    @property
    def isSecret(self) -> bool:
        """
        Whether the word is not for the log.
        """
        return self.name in SECRET_NAMES

    def told(self, word: str) -> str:
        """
        @return: the option's word as errors repeat it.
        """
        isLine = self.inline is Inline.LINES and mayBeLine(word, word)
        if self.isSecret or isLine:
            return UNSAID
        return shownPlace(word) if self.isPlace else shown(shownUrl(word))

    def valueOf(self, word: str) -> Any:
        """
        @return: the value of the option's word.
        @raise usage.UsageError: naming the option, the word unless it is a secret, and the reason.
        """
        return parsedWord(self.name, word, self.parse, self.told)

    @property
    def isPath(self) -> bool:
        """
        Whether the word is the name of a file or a directory.
        """
        return self.parse is absolutePath or self.metavar in PATH_METAVARS

    @property
    def spelled(self) -> str | None:
        """
        The setting that errors and the log call by this option's name, or L{None}.
        """
        return self.setting

    def value(self, found: Any) -> Any:
        """
        @param found: the value of the option's word.
        @return: the value of the setting.
        """
        return found


@dataclass(frozen=True, slots=True)
class Repeated(Option):
    """
    Describes an option that takes a word and may be repeated.  The setting is a tuple of
    all its values.
    """

    def method(self) -> Callable[[Any, str], None]:
        """
        @return: a function that C{usage.Options} calls for each word.
        """

        def take(options: Any, word: str) -> None:
            options[self.name] = (*options[self.name], self.valueOf(word))

        take.__doc__ = self.help
        return take


@dataclass(frozen=True, slots=True)
class Flag:
    """
    Describes an option that takes no word.

    @ivar name: the long name.
    @ivar short: its letter, or L{None}.
    @ivar help: what the option is for.
    @ivar setting: the field of the settings that it decides, or L{None}.
    @ivar meaning: the value of the setting when the option is given.
    """

    name: str
    short: str | None
    help: str
    setting: str | None = None
    meaning: bool | None = True

    @property
    def spelled(self) -> str | None:
        """
        The setting that errors and the log call by this option's name, or L{None}.
        """
        return self.setting if self.setting is None or self.meaning is True else f"{self.setting}={self.meaning}"

    def value(self, found: Any) -> Any:
        """
        @param found: whether the option was given.
        @return: the value of the setting.
        """
        return bool(found) is self.meaning


class GnuOptions(usage.Options):
    """
    Parses a command line whose options may stand before or after the positional arguments.
    An error is one line on standard error, and exit status 2.

    @cvar commandName: the command's name in errors and in its version.
    @cvar positionals: the positional arguments, as the usage shows them.
    @cvar rows: the options.
    @cvar longdesc: what the command does, in sentences.
    @cvar listedCommands: the commands that may stand behind it, each as it is typed, and what it does.
    @cvar sharedRows: those of the rows that are another program's, which the help shows last.
    @cvar sharedTitle: what stands above those.
    @cvar settingsClass: the dataclass of the settings that the options are for.
    @cvar neighbours: the options of programs that ours may be taken for, as C{module:class}.
        They are imported only when somebody has typed an option that there is not.
    """

    commandName: ClassVar[str] = "uotp"
    positionals: ClassVar[str] = ""
    rows: ClassVar[tuple[Option | Flag, ...]] = ()
    longdesc: ClassVar[str] = ""
    listedCommands: ClassVar[tuple[tuple[str, str], ...]] = ()
    sharedRows: ClassVar[tuple[Option | Flag, ...]] = ()
    sharedTitle: ClassVar[str] = ""
    settingsClass: ClassVar[Any] = None
    neighbours: ClassVar[tuple[str, ...]] = ()
    optParameters: ClassVar[list[list[Any]]]
    optFlags: ClassVar[list[list[Any]]]

    def __init_subclass__(cls, **choices: Any) -> None:
        """
        Make of the rows what C{usage.Options} reads.
        """
        super().__init_subclass__(**choices)
        if "rows" not in vars(cls):
            return
        known = () if cls.settingsClass is None else fields(cls.settingsClass)
        defaults = {field.name: field.default for field in known}
        parameters: list[list[Any]] = []
        flags: list[list[Any]] = []
        for row in cls.rows:
            if isinstance(row, Repeated):
                method = row.method()
                for name in (row.name, row.short):
                    if name is not None:
                        setattr(cls, f"opt_{name}", method)
            elif isinstance(row, Option):
                default = row.default if row.default is not None else row.write(defaults.get(row.setting or ""))
                parameters.append([row.name, row.short, default, row.help])
            else:
                flags.append([row.name, row.short, row.help])
        cls.optParameters = parameters
        cls.optFlags = flags

    def __init__(self) -> None:
        super().__init__()
        self._given: dict[str, list[str]] = {}
        for row in self.rows:
            if isinstance(row, Repeated):
                self[row.name] = ()

    def postOptions(self) -> None:
        """
        Turn words into values.

        @raise usage.UsageError: for a word that cannot be used.
        """
        for row in self.rows:
            if isinstance(row, Option) and not isinstance(row, Repeated):
                self._requireOneValue(row)
                convert(self, row.name, row.parse, row.told)

    def _requireOneValue(self, row: Option) -> None:
        """
        @raise usage.UsageError: when an option is given more than once, and not with one
            value: nobody knows which is meant.
        """
        words = self._given.get(row.name, [])
        if len({row.valueOf(word) for word in dict.fromkeys(words)}) > 1:
            told = "" if row.isSecret else f", as {' and '.join(map(row.told, words))}"
            reason = f"--{row.name} is given {len(words)} times{told}: give it once"
            raise usage.UsageError(reason)

    def chosen(self, kind: Any) -> dict[str, Any]:
        """
        @param kind: a dataclass.
        @return: the values of those of its fields that there are options for, by name.
        """
        known = {field.name for field in fields(kind)}
        return {row.setting: row.value(self[row.name]) for row in self.rows if row.setting in known}

    def differing(self) -> list[str]:
        """
        @return: the options whose values are not the defaults, each as one can type it, in the
            order of the rows.  Files have their whole names, all else is as it was typed.
        """
        found = []
        for row in self.rows:
            value = self[row.name]
            if isinstance(row, Flag):
                found += [f"--{row.name}"] if value else []
            elif row.isSecret:
                found += [] if value == self._usual(row) else [f"--{row.name} {UNSAID}"]
            elif isinstance(row, Repeated):
                found += [_typed(row.name, word) for word in self._given.get(row.name, ())]
            elif value != self._usual(row):
                typed = self._given.get(row.name) or [str(value)]  # an environment may have decided it
                word = value if isinstance(value, str) else typed[-1]
                found.append(_typed(row.name, word))
        return found

    def _usual(self, row: Option) -> Any:
        """
        @return: the value of an option that is not given.
        """
        word = self.defaults[row.name]
        return None if word is None else row.parse(word)

    @classmethod
    def spellings(cls) -> dict[str, str]:
        """
        @return: how settings are spelled on this command line, for errors and for the log.
        """
        return {row.spelled: f"--{row.name}" for row in cls.rows if row.spelled is not None}

    def parseOptions(self, options: Iterable[str] | None = None) -> None:
        """
        Parse a command line.

        @param options: its words; those of this process when left out.
        @raise SystemExit: for C{--help} and C{--version} with status 0, for a
            command line that cannot be used with status 2 and the reason on
            standard error.
        """
        try:
            self.understand(list(sys.argv[1:] if options is None else options))
        except usage.UsageError as error:
            self.refuse(*self.reasonsOf(error))

    def understand(self, words: list[str]) -> None:
        """
        Parse a command line.

        @raise usage.UsageError: for one that cannot be used.
        """
        super().parseOptions(words if COMPLETION_FLAG in words else self._optionsFirst(words))

    def reasonsOf(self, error: usage.UsageError) -> list[str]:
        """
        @return: what is said of a command line that cannot be used, in one line or more.
        """
        return [f"{error} (see --help)"]

    def refuse(self, *reasons: str) -> NoReturn:
        """
        Say on standard error, in one line for each reason, why we cannot go on, and exit.

        @raise SystemExit: always.
        """
        sayLast(sys.stderr, "".join(f"{self.commandName}: {printable(reason)}\n" for reason in reasons))
        raise SystemExit(USAGE_EXIT_STATUS)

    def _optionsFirst(self, words: list[str]) -> list[str]:
        """
        Put the options before the positionals, as C{usage.Options} wants them, each with its
        whole name.
        """
        if getattr(self, "subCommands", None):
            return words  # what follows the name of a sub-command belongs to that
        long = {name.removesuffix("="): name.endswith("=") for name in self.longOpt}
        short = {letter: str(self.synonyms[letter]) for letter in self.shortOpt if letter != ":"}
        try:
            line = self.completed(tellApart(words, KnownOptions(long, short, self.whose)))
        except WordsError as error:
            raise usage.UsageError(str(error)) from error
        for name, word in line.options:
            self._given.setdefault(name, []).append(word or "")
        ordered = [f"--{name}" if word is None else f"--{name}={word}" for name, word in line.options]
        return [*ordered, "--", *line.arguments]

    def completed(self, line: Line) -> Line:
        """
        @return: a command line with what it takes from elsewhere; here that is nothing.
        """
        return line

    def whose(self, typed: str) -> str | None:
        """
        @return: that other programs have an option, if they do, as the end of a sentence.
        """
        found = []
        for place in self.neighbours:
            options = pkgutil.resolve_name(place)()
            name = str(options.synonyms.get(typed.lstrip("-"), ""))
            if name and name not in self.synonyms:
                same = "" if typed == f"--{name}" else f" (--{name})"
                program = getattr(options, "commandName", None)
                behind = "" if program else f", where it stands before {self.commandName}"
                found.append(f"{program or 'twistd'}{same}{behind}")
        return f"an option of {', and of '.join(found)}" if found else None

    def getSynopsis(self) -> str:
        """
        @return: the first line of the help text.
        """
        words = [self.commandName, "[options]", self.positionals]
        if self.parent is not None and self.parent.subCommand == self.commandName:
            words[:0] = ["twistd", "[twistd options]"]
        return "Usage: " + " ".join(word for word in words if word)

    def getUsage(self, width: int | None = None) -> str:
        """
        @param width: of the terminal, in columns; the environment's when left out.
        @return: the rest of the help text.
        """
        columns = width or int(os.environ.get("COLUMNS", USUAL_COLUMNS))
        shared = [row.name for row in self.sharedRows]
        own = [name for each in self.longOpt if (name := each.removesuffix("=")) not in shared]
        parts = [commandLines(self.listedCommands, columns), optionLines("Options", self, own, columns)]
        if shared:
            parts.append(optionLines(self.sharedTitle, self, shared, columns))
        if self.longdesc:
            parts.append("\n".join(textwrap.wrap(self.longdesc, columns)) + "\n")
        return "\n".join(part for part in parts if part)

    def opt_help(self) -> NoReturn:
        """Show this help and exit."""
        sys.stdout.write(f"{self}\n")
        raise SystemExit(0)

    opt_h = opt_help

    def opt_version(self) -> NoReturn:
        """Show the version and exit."""
        sys.stdout.write(f"{self.commandName} {uotp.__version__}\n")
        raise SystemExit(0)


def printable(text: str) -> str:
    """
    @return: the text in one line: in place of a letter that cannot be seen, its number or its
        usual short name stands, as in a string of Python.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def _typed(name: str, word: str) -> str:
    """
    @return: an option with its word, as it can be typed.
    """
    return f"--{name} {printable(shlex.quote(word))}"


def convert(
    options: usage.Options, name: str, parse: Callable[[str], Any], told: Callable[[str], str] = shownUrl
) -> None:
    """
    Replace an option's word by its value.  An option that was not given stays as it is.

    @param name: the option's long name.
    @param parse: makes a value of the word; raises ValueError with the reason in words.
    @param told: makes of the word what may be shown of it.
    @raise usage.UsageError: naming the option, the word and the reason.
    """
    word = options[name]
    if word is None:
        return
    options[name] = parsedWord(name, word, parse, told)


def parsedWord(name: str, word: str, parse: Callable[[str], Any], told: Callable[[str], str] = shownUrl) -> Any:
    """
    @param told: makes of the word what may be shown of it.
    @return: the value of an option's word.
    @raise usage.UsageError: naming the option, the word and the reason.
    """
    try:
        return parse(word)
    except ValueError as error:
        reason = f"--{name} {shown(told(word))}: {shownReason(error, word, told(word))}"
        raise usage.UsageError(reason) from error
