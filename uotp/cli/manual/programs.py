"""
Describes the programs and their commands by what their options say of themselves.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from uotp.cli.configurable import FILE_ENDINGS, ConfigurableOptions
from uotp.cli.main import COMMANDS, MainOptions
from uotp.cli.options import Flag, GnuOptions, Inline, Option, Repeated

MOST_SUMMARY_LETTERS = 78
"""So much of an option's help is shown beside its name by a shell."""


@dataclass(frozen=True, slots=True)
class Described:
    """
    Describes an option.

    @ivar name: the long name.
    @ivar short: its letter, or L{None}.
    @ivar help: what the option is for, in a sentence or more.
    @ivar metavar: what its word is called, or L{None} where it takes none.
    @ivar default: the word that counts when none is given, or L{None}.
    @ivar choices: words to offer.
    @ivar isPath: whether the word is the name of a file or directory.
    @ivar isRepeated: whether it may be given several times.
    @ivar inline: what may stand in a configuration file in place of the name of a file.
    """

    name: str
    short: str | None
    help: str
    metavar: str | None = None
    default: str | None = None
    choices: tuple[str, ...] = ()
    isPath: bool = False
    isRepeated: bool = False
    inline: Inline | None = None

    @property
    def sentence(self) -> str:
        """
        The help as a sentence.
        """
        text = self.help[:1].upper() + self.help[1:]
        return text if text.endswith((".", "]")) else f"{text}."

    @property
    def summary(self) -> str:
        """
        The help in a few words.
        """
        text = re.split(r"; |: |\.  |  ", self.help)[0].rstrip(".")
        return text if len(text) <= MOST_SUMMARY_LETTERS else f"{text[: MOST_SUMMARY_LETTERS - 3].rstrip()}..."

    @property
    def spellings(self) -> list[str]:
        """
        The option as it is typed, the letter first.
        """
        return [f"-{self.short}"] * (self.short is not None) + [f"--{self.name}"]


HELP_OPTION = Described("help", "h", "show the help and exit")
VERSION_OPTION = Described("version", None, "show the version and exit")


@dataclass(frozen=True, slots=True)
class DescribedProgram:
    """
    Describes a program, or a command of one.

    @ivar name: as it is typed, with the program that it is a command of.
    @ivar positionals: the arguments, as its usage shows them.
    @ivar text: what it does, in sentences.
    @ivar options: all of them.
    @ivar commands: those that may stand behind it, by their names.
    @ivar listed: the same, each as it is typed, and what it does.
    @ivar files: how the names of files end that are its arguments; empty where none are.
    @ivar isConfigurable: whether a configuration file may stand in place of the arguments.
    """

    name: str
    positionals: str
    text: str
    options: tuple[Described, ...]
    commands: Mapping[str, DescribedProgram]
    listed: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()
    isConfigurable: bool = False

    def walked(self) -> Iterator[DescribedProgram]:
        """
        @return: this one and all behind it.
        """
        yield self
        for command in self.commands.values():
            yield from command.walked()


def describedRow(row: Option | Flag, defaults: Mapping[str, str | None]) -> Described:
    """
    @param defaults: words that count when none is given, by the names of the options.
    @return: what is known of an option.
    """
    if isinstance(row, Flag):
        return Described(row.name, row.short, row.help)
    return Described(
        row.name,
        row.short,
        row.help,
        row.metavar,
        defaults.get(row.name),
        row.choices,
        row.isPath,
        isinstance(row, Repeated),
        row.inline,
    )


def describedProgram(
    kind: type[GnuOptions], name: str, commands: Mapping[str, DescribedProgram] | None = None
) -> DescribedProgram:
    """
    @param kind: the class of its options.
    @param name: how it is called.
    @param commands: what may stand behind it.
    @return: what is known of it.
    """
    defaults = {str(name): word for name, _, word, _ in kind.optParameters} if kind.rows else {}
    options = tuple(describedRow(row, defaults) for row in kind.rows)
    isConfigurable = issubclass(kind, ConfigurableOptions)
    files = FILE_ENDINGS if isConfigurable or kind.positionals == "FILE" else ()
    return DescribedProgram(
        name,
        kind.positionals,
        kind.longdesc,
        (*options, HELP_OPTION, VERSION_OPTION),
        commands or {},
        kind.listedCommands,
        files,
        isConfigurable,
    )


def programs() -> dict[str, DescribedProgram]:
    """
    @return: all programs, by their names.
    """
    found: dict[str, DescribedProgram] = {}
    for name, command in COMMANDS.items():
        further = {} if command.commands is None else pkgutil.resolve_name(command.commands)
        inner = {word: describedProgram(kind, f"uotp {name} {word}") for word, (kind, _) in further.items()}
        found[name] = describedProgram(pkgutil.resolve_name(command.options), f"uotp {name}", inner)
    main = describedProgram(MainOptions, "uotp", found)
    ends = (
        describedProgram(pkgutil.resolve_name(COMMANDS[end].options), f"uotp-{end}") for end in ("server", "client")
    )
    return {program.name: program for program in (main, *ends)}
