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
    options = kind()
    options.parseOptions(words)
    if isinstance(options, CertOptions):
        refuseMistyped(options, words)
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


def refuseMistyped(options: CertOptions, words: Sequence[str]) -> None:
    """
    @param words: all the words of the short form.
    @raise SystemExit: when its directory is rather a command: one in the wrong place, or mistyped.
    """
    word = next((word for word in words if options["directory"] == os.path.abspath(word)), "")
    if word in COMMANDS_OF_CERT:
        options.refuse(f"{word} is a command, which stands first; a directory of that name is ./{word} (see --help)")
    similar = difflib.get_close_matches(word, COMMANDS_OF_CERT, 1, 0.7)
    if similar and not options["host"] and not os.path.exists(word):
        meant = f"did you mean `uotp cert {similar[0]}`? For a directory of that name write uotp cert init {word}"
        options.refuse(f"there is no command {word}: {meant} (see --help)")
