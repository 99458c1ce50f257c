"""
Command lines, the part that all our commands share: GNU order, errors of one
line, and words turned into values.  It knows no command of its own.
"""

from __future__ import annotations

import getopt
import math
import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NoReturn

from twisted.python import usage

import uotp
from uotp.net import Host

USAGE_EXIT_STATUS = 2
"""What a shell is told when a command line cannot be used, as by convention."""

MAX_PORT = 65535
"""Ports are 16 bits wide in TCP and UDP."""


COMPLETION_FLAG = "--_shell-completion"
"""How twistd's zsh completion asks for the options instead of parsing them."""


class GnuOptions(usage.Options):
    """
    Options that may stand before or after the positional arguments, and whose
    errors are one line on standard error and exit status 2.

    @cvar commandName: what the command is called in errors and in its version.
    @cvar positionals: the positional arguments, as they are shown in the usage.
    """

    commandName: ClassVar[str] = "uotp"
    positionals: ClassVar[str] = ""

    def parseOptions(self, options: Iterable[str] | None = None) -> None:
        """
        Parse a command line.

        @param options: its words; those of this process when left out.
        @raise SystemExit: for C{--help} and C{--version} with status 0, for a
            command line that cannot be used with status 2 and the reason on
            standard error.
        """
        words = list(sys.argv[1:] if options is None else options)
        try:
            super().parseOptions(words if COMPLETION_FLAG in words else self._optionsFirst(words))
        except usage.UsageError as error:
            self.refuse(f"{error} (see --help)")

    def refuse(self, reason: str) -> NoReturn:
        """
        Say on standard error, in one line, why we cannot go on, and exit.

        @raise SystemExit: always.
        """
        line = "".join(letter if letter.isprintable() else " " for letter in reason)
        sys.stderr.write(f"{self.commandName}: {line}\n")
        raise SystemExit(USAGE_EXIT_STATUS)

    def _optionsFirst(self, words: list[str]) -> list[str]:
        """
        Put the options before the positionals, as C{usage.Options} wants them.
        """
        if getattr(self, "subCommands", None):
            return words  # what follows a sub-command's name is the sub-command's own
        try:
            options, positionals = getopt.gnu_getopt(words, self.shortOpt, self.longOpt)
        except getopt.error as error:
            raise usage.UsageError(str(error)) from error
        ordered: list[str] = []
        takesValue = {name[:-1] for name in self.longOpt if name.endswith("=")}
        for name, value in options:
            if name.startswith("--"):
                ordered.append(f"{name}={value}" if name[2:] in takesValue else name)
            else:
                ordered.extend([name, value] if f"{name[1:]}:" in self.shortOpt else [name])
        return [*ordered, "--", *positionals]

    def getSynopsis(self) -> str:
        """
        @return: the first line of the help text.
        """
        words = [self.commandName, "[options]", self.positionals]
        if self.parent is not None and self.parent.subCommand == self.commandName:
            words[:0] = ["twistd", "[twistd options]"]
        return "Usage: " + " ".join(word for word in words if word)

    def opt_help(self) -> NoReturn:
        """Show this help and exit."""
        sys.stdout.write(f"{self}\n")
        raise SystemExit(0)

    opt_h = opt_help

    def opt_version(self) -> NoReturn:
        """Show the version and exit."""
        sys.stdout.write(f"{self.commandName} {uotp.__version__}\n")
        raise SystemExit(0)


def convert(options: usage.Options, name: str, parse: Callable[[str], Any]) -> None:
    """
    Replace an option's word by its value; an option that was not given stays
    as it is.

    @param name: the option's long name.
    @param parse: word to value; raises ValueError with the reason in words.
    @raise usage.UsageError: naming the option, the word and the reason.
    """
    word = options[name]
    if word is None:
        return
    try:
        options[name] = parse(word)
    except ValueError as error:
        reason = f"--{name} {word}: {error}"
        raise usage.UsageError(reason) from error


def parsePort(word: str) -> int:
    """
    @return: a port to connect or send to, 1 to 65535.
    @raise ValueError: in words.
    """
    return _parsePort(word, 1)


def parseListeningPort(word: str) -> int:
    """
    @return: a port to listen on, 0 to 65535; 0 lets the system choose.
    @raise ValueError: in words.
    """
    return _parsePort(word, 0)


def _parsePort(word: str, lowest: int) -> int:
    if not (word.isascii() and word.isdigit() and lowest <= int(word) <= MAX_PORT):
        reason = f"a port from {lowest} to {MAX_PORT} is needed"
        raise ValueError(reason)
    return int(word)


def parseBindAddress(word: str) -> str:
    """
    @return: an IPv4 or IPv6 address of this machine to listen on.
    @raise ValueError: in words; names are refused, since looking one up could
        block, and could open a port on another interface than was meant.
    """
    host = Host.parse(word)
    if host.address is None:
        reason = "an IPv4 or IPv6 address is needed, 0.0.0.0 or :: for all"
        raise ValueError(reason)
    return host.text


def parseSeconds(word: str) -> float:
    """
    @return: a time in seconds, more than none and at most a year.
    @raise ValueError: in words.
    """
    year = 365 * 86400.0
    try:
        seconds = math.nan if "_" in word else float(word)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= year:
        reason = "a number of seconds is needed, above 0 and at most a year"
        raise ValueError(reason)
    return seconds


def parseCount(most: int) -> Callable[[str], int]:
    """
    @param most: the largest count allowed.
    @return: a parser of counts from 1 to C{most}, which raises ValueError in words.
    """

    def parse(word: str) -> int:
        if not (word.isascii() and word.isdigit() and 1 <= int(word) <= most):
            reason = f"a number from 1 to {most} is needed"
            raise ValueError(reason)
        return int(word)

    return parse


def parseBytes(least: int, most: int) -> Callable[[str], int]:
    """
    @param least: the smallest size allowed, in bytes.
    @param most: the largest.
    @return: a parser of sizes, in bytes or with a K, M or G behind them for 2^10,
        2^20 and 2^30, which raises ValueError in words.
    """

    def parse(word: str) -> int:
        match = re.fullmatch("([0-9]{1,12})([KkMmGg]?)", word)
        size = int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[match[2].lower()] if match else -1
        if not least <= size <= most:
            reason = f"a number of bytes from {least} to {most} is needed; K, M or G may follow it"
            raise ValueError(reason)
        return size

    return parse


def parseMilliseconds(most: float) -> Callable[[str], float | None]:
    """
    @param most: the longest time allowed, in seconds.
    @return: a parser of times in milliseconds, which returns seconds: 0 for C{off}, and
        L{None} for C{auto}; it raises ValueError in words.
    """

    def parse(word: str) -> float | None:
        if word in ("auto", "off"):
            return None if word == "auto" else 0.0
        if not (word.isascii() and word.isdigit() and 1 <= int(word) <= most * 1000):
            reason = f"auto, off, or a number of milliseconds from 1 to {most * 1000:g} is needed"
            raise ValueError(reason)
        return int(word) / 1000

    return parse


def parseCongestion(word: str) -> str:
    """
    @return: a name that the kernel could give to a congestion control.
    @raise ValueError: in words.
    """
    if not re.fullmatch("[A-Za-z0-9_-]{1,15}", word):
        reason = "a name as in /proc/sys/net/ipv4/tcp_available_congestion_control is needed"
        raise ValueError(reason)
    return word


def parseMark(word: str) -> int:
    """
    @return: a firewall mark, 0 to 2^32-1, from decimal or 0x-hexadecimal.
    @raise ValueError: in words.
    """
    highest = 0xFFFFFFFF
    if re.fullmatch("[0-9]{1,10}", word):
        mark = int(word)
    elif re.fullmatch("0[xX][0-9a-fA-F]{1,8}", word):
        mark = int(word, 16)
    else:
        mark = -1
    if not 0 <= mark <= highest:
        reason = "a number from 0 to 0xffffffff is needed"
        raise ValueError(reason)
    return mark


def absolutePath(word: str) -> str:
    """
    @return: the path made absolute, since a daemon changes its directory.
    @raise ValueError: for an empty path.
    """
    if not word:
        reason = "a file name is needed"
        raise ValueError(reason)
    return os.path.abspath(word)
