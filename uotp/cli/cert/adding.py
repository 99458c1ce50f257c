"""
C{uotp cert add} and C{uotp cert bundle}: a further client, and its one file.
"""

from __future__ import annotations

import shlex
import sys
from typing import Any, ClassVar

from twisted.python import usage

from uotp.cli.addresses import hostAndPort, withoutBrackets
from uotp.cli.cert.qr import showCode
from uotp.cli.cert.shared import (
    BUNDLE_ROWS,
    DAYS_ROW,
    KEY_ROW,
    PKI_ROW,
    SERVER_PORT,
    PkiOptions,
    commandIn,
    parseBundleServer,
    serverAddress,
    withAuthority,
)
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
    Holds the options of C{uotp cert bundle NAME HOST[:PORT]}.
    """

    commandName: ClassVar[str] = "uotp cert bundle"
    positionals: ClassVar[str] = "NAME HOST[:PORT]"
    arguments = (2, 2)
    longdesc = (
        "Makes NAME.uotp of the certificate and the key of a client that was added before: all that it needs in "
        "one file, which `uotp-client NAME.uotp` runs."
    )
    rows = (PKI_ROW, *BUNDLE_ROWS[1:])

    def parseArgs(self, *words: Any) -> None:
        """
        Take the name and the server.

        @raise usage.UsageError: when they are not there, or cannot be used.
        """
        super().parseArgs(*words)
        try:
            self["server"] = parseBundleServer(words[1])
        except ValueError as error:
            reason = f"HOST {words[1]}: {error}"
            raise usage.UsageError(reason) from error


def add(options: AddOptions) -> str:
    """
    Add a client.

    @return: what the user is told.
    @raise ConfigurationError: when it cannot be added.
    """
    (name,) = options["words"]
    wish = Wish(options.validity, server=options["bundle"], isForced=bool(options["force"]))
    granted = withAuthority(options, Issuer).addClient(name, wish)
    return f"{describeClient(options, granted)}\n{nextForClient(options, granted)}{codeOf(options, granted.bundle)}"


def bundle(options: BundleOptions) -> str:
    """
    Make a client's one file.

    @return: what the user is told.
    @raise ConfigurationError: when it cannot be made.
    """
    name, server = options["words"][0], options["server"]
    data = writeBundle(options.files, name, server, isForced=bool(options["force"]))
    warnOfName(options, server)
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
        warnOfName(options, options["bundle"])
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


def warnOfName(options: PkiOptions, server: str) -> None:
    """
    Warn of a server's name that clients would not find in its certificate.

    @param server: host and port.
    """
    host = withoutBrackets((hostAndPort(server) or (server, ""))[0])
    mismatch = nameMismatch(options.files, host)
    if mismatch is not None:
        hosts = (*hostsOfServer(options.files), host)
        remedy = commandIn(options, shlex.join(["renew", "server", *(f"--host={each}" for each in hosts)]))
        sayLast(
            sys.stderr,
            f"{options.commandName}: clients will refuse the server: {host} is not in its certificate; "
            f"to put it there: {remedy}\n",
        )


def codeOf(options: PkiOptions, data: bytes | None) -> str:
    """
    @return: the QR code of a client's one file, if it was asked for and there is room for it.
    """
    return f"\n{showCode(data, sys.stdout)}" if options["qr"] and data is not None else ""
