"""
What the log says first: which versions of what these are, and how the program was called.  Whoever
reads a log that somebody else has sent has to ask for neither.
"""

from __future__ import annotations

import platform
import shlex
from typing import Any

import cryptography
import OpenSSL

import twisted
import uotp
from uotp.cli.configurable import ConfigurableOptions
from uotp.telemetry import Logger

MOST_LETTERS = 2000
"""So much is said of the command line."""

_log = Logger()


def introduce(options: ConfigurableOptions, reactor: Any) -> None:
    """
    Say it.

    @param options: those of the command, parsed.
    """
    _log.info(
        "{program} {version} on {python}, Twisted {twisted} ({reactor}), {openssl}, pyOpenSSL {pyopenssl}, "
        "cryptography {cryptography}, {platform}, told: {words}",
        program=options.commandName,
        version=uotp.__version__,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        twisted=twisted.__version__,
        reactor=type(reactor).__name__,
        openssl=" ".join(
            OpenSSL.SSL.OpenSSL_version(OpenSSL.SSL.OPENSSL_VERSION).decode("ascii", "replace").split()[:2]
        ),
        pyopenssl=OpenSSL.__version__,
        cryptography=cryptography.__version__,
        platform=f"{platform.system()} {platform.release()} {platform.machine()}",
        words=commandLine(options),
    )


def commandLine(options: ConfigurableOptions) -> str:
    """
    @return: the options whose values differ from their defaults, and the arguments, as they can be typed.
        Files are named; nothing of what is in them is known here.
    """
    file = [] if options.configuration is None else [shlex.quote(options.configuration.file)]
    words = [*file, *options.differing(), *map(shlex.quote, options.destinationShown)]
    line = " ".join(words)
    shown = line if len(line) <= MOST_LETTERS else f"{line[:MOST_LETTERS]}..."
    return "".join(letter if letter.isprintable() else "?" for letter in shown)
