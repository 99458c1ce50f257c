"""
C{uotp man} and C{uotp completion}: they print manual pages and completion for shells.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from twisted.python import usage

from uotp.cli.manual.bash import bashCompletion
from uotp.cli.manual.fish import fishCompletion
from uotp.cli.manual.pages import manualPages
from uotp.cli.manual.zsh import zshCompletion
from uotp.cli.options import GnuOptions
from uotp.cli.unsaid import shownUrl

SHELLS: Mapping[str, Callable[[], str]] = {"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
"""What makes the completion of each shell."""


class _OneWordOptions(GnuOptions):
    """
    Takes one word out of several.
    """

    words: ClassVar[tuple[str, ...]] = ()

    def parseArgs(self, *words: Any) -> None:
        """
        Take the word.

        @raise usage.UsageError: when there is none, or another one.
        """
        if len(words) != 1 or words[0] not in self.words:
            told = f", and there is {' '.join(map(shownUrl, words[:5]))}" if words else ""
            reason = f"one of {', '.join(self.words)} is needed{told}"
            raise usage.UsageError(reason)
        self["word"] = words[0]


class ManOptions(_OneWordOptions):
    """
    Holds the options of C{uotp man PAGE}.
    """

    commandName: ClassVar[str] = "uotp man"
    positionals: ClassVar[str] = "PAGE"
    words = ("uotp", "uotp-server", "uotp-client", "uotp.toml")
    longdesc = (
        "Prints a manual page: uotp, uotp-server, uotp-client or uotp.toml, the configuration file.  To read one that "
        "is not installed: `uotp man uotp-server | man -l -`."
    )


class CompletionOptions(_OneWordOptions):
    """
    Holds the options of C{uotp completion SHELL}.
    """

    commandName: ClassVar[str] = "uotp completion"
    positionals: ClassVar[str] = "SHELL"
    words = tuple(SHELLS)
    longdesc = (
        "Prints what makes bash, zsh or fish complete the options.  For this shell alone: "
        "`source <(uotp completion bash)`, or `uotp completion fish | source`."
    )


def man(words: Sequence[str]) -> int:
    """
    Run C{uotp man}.

    @param words: the words after C{man}.
    @return: the exit status.
    """
    options = ManOptions()
    options.parseOptions(words)
    pages = {name.rpartition(".")[0]: text for name, text in manualPages().items()}
    sys.stdout.write(pages[options["word"]])
    return 0


def completion(words: Sequence[str]) -> int:
    """
    Run C{uotp completion}.

    @param words: the words after C{completion}.
    @return: the exit status.
    """
    options = CompletionOptions()
    options.parseOptions(words)
    sys.stdout.write(SHELLS[options["word"]]())
    return 0
