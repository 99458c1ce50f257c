"""
C{uotp cert add} and C{uotp cert bundle}: a further client, and its one file.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

from uotp.cli.cert.qr import showCode
from uotp.cli.cert.servers import BUNDLE_ROWS, SERVER_PORT, parseBundleServers
from uotp.cli.cert.shared import (
    DAYS_ROW,
    KEY_ROW,
    PKI_ROW,
    PkiOptions,
    commandIn,
    serverAddress,
    withAuthority,
)
from uotp.net import ServerPlace
from uotp.pki import Granted, Issuer, Wish, hostsOfServer, nameMismatch, writeBundle
from uotp.telemetry import sayLast
from uotp.tls import publicKeyPin


class AddOptions(PkiOptions):
    """
    Holds the options of C{uotp cert add NAME}.
    """

    commandName: ClassVar[str] = "uotp cert add"
    positionals: ClassVar[str] = "NAME"
    longdesc = (
        "Makes a key and a certificate for a further client, NAME.key and NAME.pem.  The server's log calls the client "
        "by this name, and `uotp cert revoke NAME` shuts it out.  NAME has letters, digits and -_.@.  A name whose "
        "certificates are all revoked can be added again."
    )
    rows = (PKI_ROW, KEY_ROW, DAYS_ROW, *BUNDLE_ROWS)


class BundleOptions(PkiOptions):
    """
    Holds the options of C{uotp cert bundle NAME SERVER...}
    """

    commandName: ClassVar[str] = "uotp cert bundle"
    positionals: ClassVar[str] = "NAME SERVER..."
    arguments = (2, sys.maxsize)  # who has too many servers is told how many there may be
    longdesc = (
        "Makes NAME.uotp of the certificate and the key of a client that was added before: all that it needs in "
        f"one file, which `uotp-client NAME.uotp` runs.  SERVER is HOST[:PORT] (port {SERVER_PORT} if none) or "
        "wss://HOST[/PATH].  There may be several, the one to use first before the others."
    )
    rows = (PKI_ROW, *BUNDLE_ROWS[1:])

    def parseArgs(self, *words: Any) -> None:
        """
        Take the name and the servers.

        @raise usage.UsageError: when they are not there, or cannot be used.
        """
        super().parseArgs(*words)
        self["servers"] = parseBundleServers(words[1:], "SERVER")


def add(options: AddOptions) -> str:
    """
    Add a client.

    @return: what the user is told.
    @raise ConfigurationError: when it cannot be added.
    """
    (name,) = options["words"]
    wish = Wish(options.validity, servers=options["bundle"], isForced=bool(options["force"]))
    granted = withAuthority(options, Issuer).addClient(name, wish)
    return f"{describeClient(options, granted)}\n{nextForClient(options, granted)}{codeOf(options, granted.bundle)}"


def bundle(options: BundleOptions) -> str:
    """
    Make a client's one file.

    @return: what the user is told.
    @raise ConfigurationError: when it cannot be made.
    """
    name, servers = options["words"][0], options["servers"]
    data = writeBundle(options.files, name, servers, isForced=bool(options["force"]))
    warnOfNames(options, servers)
    return f"Made in {options['pki']}:\n  {name}.uotp\n\n{nextForBundle(options, name)}{codeOf(options, data)}"


def describeClient(options: PkiOptions, granted: Granted) -> str:
    """
    @return: what was made for a client.
    """
    name = granted.name
    files = [f"{name}.pem", f"{name}.key", *([f"{name}.uotp"] if granted.bundle is not None else [])]
    return (
        f"Made in {options['pki']}, valid until {granted.certificate.not_valid_after_utc:%Y-%m-%d}:\n"
        f"  {'  '.join(files)}\n"
    )


def nextForClient(options: PkiOptions, granted: Granted) -> str:
    """
    @return: what the user is told to do with a client's new files.
    """
    name = granted.name
    if granted.bundle is not None:
        warnOfNames(options, options["bundle"])
        return nextForBundle(options, name) + lineOfClient(granted)
    hosts = hostsOfServer(options.files)
    address = serverAddress(hosts) if hosts else "HOST"
    command = shlex.join(
        ["uotp-client", "-c", f"{name}.pem", "-k", f"{name}.key", "-C", "ca.pem", address, SERVER_PORT]
    )
    said = f"Copy both and ca.pem to the client, the key by a secret way (scp), and run there:\n\n  {command}\n"
    return said + lineOfClient(granted)


def lineOfClient(granted: Granted) -> str:
    """
    @return: what the user is told to do where the server has a list of its clients.
    """
    pin = publicKeyPin(granted.certificate).hex()
    return f"\nIf the server has a list of its clients (--clients), put this line into it:\n\n  {pin} {granted.name}\n"


def nextForBundle(options: PkiOptions, name: str) -> str:
    """
    @return: what the user is told to do with a client's one file.
    """
    return (
        f"Copy {name}.uotp to the client by a secret way (scp): its key is inside.  Run there:\n\n"
        f"  uotp-client {name}.uotp\n\n"
        f"Should it be lost, `{commandIn(options, f'revoke {name}')}` shuts it out.\n"
    )


def warnOfNames(options: PkiOptions, servers: Sequence[ServerPlace]) -> None:
    """
    Warn of servers' names that clients would not find in the certificate.
    """
    asked = dict.fromkeys(place.host for place in servers)
    missing = [host for host in asked if nameMismatch(options.files, host) is not None]
    if missing:
        hosts = (*hostsOfServer(options.files), *missing)
        remedy = commandIn(options, shlex.join(["renew", "server", *(f"--host={each}" for each in hosts)]))
        are, them = ("is", "it") if len(missing) == 1 else ("are", "them")
        sayLast(
            sys.stderr,
            f"{options.commandName}: clients will refuse the server: {', '.join(missing)} {are} not in its "
            f"certificate; to put {them} there: {remedy}\n",
        )


def codeOf(options: PkiOptions, data: bytes | None) -> str:
    """
    @return: the QR code of a client's one file, if it was asked for and there is room for it.
    """
    return f"\n{showCode(data, sys.stdout)}" if options["qr"] and data is not None else ""
