"""
What the commands of C{uotp cert} have in common: where the PKI is, who is meant, and how the CA's
key is opened.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

from twisted.python import usage

from uotp.cli.addresses import hostAlone
from uotp.cli.cert.servers import parseBundleServers
from uotp.cli.options import GnuOptions, Option
from uotp.cli.parsers import absolutePath, parseCount
from uotp.cli.unsaid import shownPlace, shownUrl
from uotp.errors import ConfigurationError
from uotp.pki import VALIDITY, Issued, PkiFiles, normalHost, openAuthority
from uotp.tls import utcNow

MOST_DAYS = 36525
"""A hundred years: more is a typing error."""

DIRECTORY = "pki"
"""Where the PKI is unless it is told otherwise: what all examples call it."""

PKI_ROW = Option("pki", None, "The directory of the PKI.", absolutePath, "pki", default=DIRECTORY, metavar="DIR")
KEY_ROW = Option(
    "ca-key",
    None,
    "The CA's key, if it is elsewhere.  [default: ca.key there]",
    absolutePath,
    "authorityKey",
    metavar="FILE",
)
DAYS_ROW = Option(
    "days",
    None,
    "For how long it is valid, but no longer than the CA.",
    parseCount(MOST_DAYS),
    default=str(VALIDITY.days),
    metavar="DAYS",
)


_NO_NAME = re.compile(r"[/\\?#:]")
"""What no name of a client has, and a URL or its path may have."""


def parseCertificateHost(word: str) -> str:
    """
    @return: a name or an address in the form that a certificate holds.
    @raise ValueError: in words.
    """
    host = hostAlone(word)
    try:
        return normalHost(host)
    except ConfigurationError as error:
        raise ValueError(str(error).replace(repr(host), "it", 1)) from error


class PkiOptions(GnuOptions):
    """
    Holds the options of a command that works in the directory of a PKI.

    @cvar arguments: how many arguments there may be.
    """

    neighbours = ("uotp.cli.cert.initial:InitOptions", "uotp.cli.cert.renewing:RenewOptions")
    arguments: ClassVar[tuple[int, int]] = (1, 1)

    def parseArgs(self, *words: Any) -> None:
        """
        Take the arguments.

        @raise usage.UsageError: when there are too few or too many.
        """
        least, most = self.arguments
        if not least <= len(words) <= most:
            told = f": {', '.join(map(shownUrl, words[:5]))}" if words else ""
            reason = f"{self.positionals} is needed, and there are {len(words)} arguments{told}"
            if most == 0:
                reason = f"{self.commandName.rpartition(' ')[2]} takes no argument{told}"
            raise usage.UsageError(reason)
        if words and _NO_NAME.search(words[0]):
            reason = f"NAME {shownPlace(words[0])}: a name is needed, and no URL or path"
            raise usage.UsageError(reason)
        self["words"] = words

    def postOptions(self) -> None:
        """
        Turn words into values, and look whether they go together.

        @raise usage.UsageError: when they do not.
        """
        super().postOptions()
        if "bundle" not in self:
            return
        if self["bundle"]:
            self["bundle"] = parseBundleServers(self["bundle"], "--bundle")
            return
        for name in ("qr", "force"):
            if self[name]:
                reason = f"--{name} is for the client's one file: it needs --bundle SERVER"
                raise usage.UsageError(reason)

    @property
    def files(self) -> PkiFiles:
        """
        Where the PKI is.
        """
        return PkiFiles(self["pki"], authorityKey=self.get("ca-key"))

    @property
    def validity(self) -> timedelta:
        """
        For how long the certificate is valid.
        """
        return timedelta(days=self["days"])


Work = TypeVar("Work")


def withAuthority(options: PkiOptions, work: Callable[[PkiFiles, Issued, datetime], Work]) -> Work:
    """
    @param work: what is to be done with the CA, given the files, the CA and the moment.
    @return: it.
    @raise ConfigurationError: when nothing can be signed with the CA.
    """
    files, now = options.files, utcNow()
    return work(files, openAuthority(files, askPassphrase, now), now)


def askPassphrase(path: str) -> bytes:
    """
    Ask at the terminal.

    @param path: the key's file.
    @raise ConfigurationError: when there is no terminal.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        reason = f"the key in {path} has a passphrase, and there is no terminal to ask for it"
        raise ConfigurationError(reason)
    try:
        return getpass.getpass(f"Passphrase of {path}: ").encode("utf-8")
    except EOFError as error:
        reason = f"no passphrase was given for {path}"
        raise ConfigurationError(reason) from error


def serverAddress(hosts: Sequence[str]) -> str:
    """
    @param hosts: the names and addresses that a certificate was made for.
    @return: the first of them that a client can dial.  If all are wildcards, a name that the
        first one covers.
    """
    return next((host for host in hosts if not host.startswith("*")), hosts[0].replace("*", "server", 1))


def commandIn(options: PkiOptions, words: str) -> str:
    """
    @param words: a command and its arguments.
    @return: how it is typed for the same directory.
    """
    here = options["pki"] == os.path.abspath(DIRECTORY)
    return f"uotp cert {words}" if here else f"uotp cert {words} --pki {shlex.quote(options['pki'])}"
