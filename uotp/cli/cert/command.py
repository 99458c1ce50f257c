"""
Finds the command behind C{uotp cert}, and runs it.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Sequence

from uotp.cli.cert.adding import AddOptions, BundleOptions, add, bundle
from uotp.cli.cert.initial import CertOptions, InitOptions, init
from uotp.cli.cert.listing import ListOptions, listIssued
from uotp.cli.cert.renewing import RenewOptions, renew
from uotp.cli.cert.revoking import RevokeOptions, revoke
from uotp.cli.options import GnuOptions, printable
from uotp.cli.unsaid import isUrl
from uotp.errors import ConfigurationError
from uotp.telemetry import Spelling, sayLast

COMMANDS_OF_CERT: dict[str, tuple[type[GnuOptions], Callable[..., str]]] = {
    "init": (InitOptions, init),
    "add": (AddOptions, add),
    "bundle": (BundleOptions, bundle),
    "list": (ListOptions, listIssued),
    "renew": (RenewOptions, renew),
    "revoke": (RevokeOptions, revoke),
}
"""What may stand first: the options of each command, and what makes it and returns what the user is told."""

OTHER_WORDS = {
    **dict.fromkeys(("ls", "show", "status"), "list"),
    **dict.fromkeys(("new", "issue"), "add"),
    **dict.fromkeys(("rm", "remove", "delete", "del"), "revoke"),
    "create": "init",
    "export": "bundle",
}
"""What such commands are called by other programs."""

SIMILAR = 0.7
"""How similar a mistyped command is at least, by the measure of difflib."""


def cert(argv: Sequence[str]) -> int:
    """
    Run C{uotp cert}.

    @param argv: the words after C{cert}.
    @return: the exit status: 0, or 1 when nothing was changed, with the reason in
        one line on standard error.
    @raise SystemExit: with status 2 when the words cannot be used, with 0
        after C{--help}.
    """
    kind, run = CertOptions, init
    words = list(argv)
    if words and words[0] in COMMANDS_OF_CERT:
        kind, run = COMMANDS_OF_CERT[words.pop(0)]  # type: ignore[assignment]  # each function takes its own options
    elif words:
        refuseMistyped(words)
    options = kind()
    options.parseOptions(words)
    if isinstance(options, CertOptions):
        refuseMisplaced(options, words)
    Spelling.spellings = {
        name: word for each, _ in COMMANDS_OF_CERT.values() for name, word in each.spellings().items()
    }
    try:
        said = run(options)
    except ConfigurationError as error:
        sayLast(sys.stderr, f"{options.commandName}: {printable(str(error))}\n")
        return 1
    sys.stdout.write(said)
    return 0


def refuseMistyped(words: Sequence[str]) -> None:
    """
    @param words: all the words of the short form.
    @raise SystemExit: when the first is rather a command that is mistyped, or called otherwise elsewhere.
        With an option behind it, or if there is such a directory, it is one.
    """
    word = words[0]
    if isUrl(word) or os.path.exists(word) or (len(words) > 1 and words[1].startswith("-")):
        return
    options = CertOptions()
    similar = difflib.get_close_matches(word, COMMANDS_OF_CERT, 1, SIMILAR)
    command = OTHER_WORDS.get(word, similar[0] if similar else None)
    directory = f"for a directory of that name write uotp cert init {word}"
    if command is not None:
        options.refuse(f"there is no command {word}: did you mean `uotp cert {command}`?  Or {directory} (see --help)")
    if word in options.synonyms:
        options.refuse(f"there is no command {word}: write uotp cert --{word}, or {directory}")


def refuseMisplaced(options: CertOptions, words: Sequence[str]) -> None:
    """
    @param words: all the words of the short form.
    @raise SystemExit: when its directory is rather a command in the wrong place.
    """
    word = next((word for word in words if word in COMMANDS_OF_CERT), None)
    if word is not None and options["directory"] == os.path.abspath(word):
        options.refuse(f"{word} is a command, which stands first; a directory of that name is ./{word} (see --help)")
