"""
C{uotp cert renew}: a new certificate in place of the one that a client or the server has.
"""

from __future__ import annotations

import os
from typing import ClassVar

from twisted.python import usage

from uotp.cli.cert.adding import codeOf, describeClient, lineOfClient, nextForBundle, warnOfNames
from uotp.cli.cert.servers import BUNDLE_ROWS
from uotp.cli.cert.shared import (
    DAYS_ROW,
    KEY_ROW,
    PKI_ROW,
    PkiOptions,
    commandIn,
    parseCertificateHost,
    withAuthority,
)
from uotp.cli.options import Flag, Repeated
from uotp.pki import THE_SERVER, Granted, Issuer, Wish
from uotp.tls import publicKeyPin


class RenewOptions(PkiOptions):
    """
    Holds the options of C{uotp cert renew NAME}.
    """

    commandName: ClassVar[str] = "uotp cert renew"
    positionals: ClassVar[str] = "NAME|server"
    longdesc = (
        "Makes a new certificate for a client, or for the server, in place of the one that it has.  The key stays, so "
        "pins hold and sessions go on; with --new-key there is a new one.  The old certificate stays valid until it "
        "expires, unless --revoke-old is given.  The server's names stay, unless some are given by --host."
    )
    rows = (
        PKI_ROW,
        KEY_ROW,
        DAYS_ROW,
        Flag("new-key", None, "Make a new key too.", "newKey"),
        Flag("revoke-old", None, "Revoke all certificates that it had before.", "revokeOld"),
        Repeated(
            "host",
            None,
            "For the server: a name or address in place of those it has; may be repeated.",
            parseCertificateHost,
            "hosts",
            metavar="HOST",
            isPlace=True,
        ),
        *BUNDLE_ROWS,
    )

    def postOptions(self) -> None:
        """
        Turn words into values, and look whether they go together.

        @raise usage.UsageError: when they do not.
        """
        super().postOptions()
        isServer = self["words"] == (THE_SERVER,)
        if self["host"] and not isServer:
            reason = "--host is for the server: write uotp cert renew server --host NAME"
            raise usage.UsageError(reason)
        if self["bundle"] and isServer:
            reason = "--bundle is for clients"
            raise usage.UsageError(reason)


def renew(options: RenewOptions) -> str:
    """
    Renew a certificate.

    @return: what the user is told.
    @raise ConfigurationError: when it cannot be renewed.
    """
    (name,) = options["words"]
    wish = Wish(
        options.validity,
        servers=options["bundle"],
        isForced=bool(options["force"]),
        hasNewKey=bool(options["new-key"]),
        hosts=tuple(dict.fromkeys(options["host"])),
        revokesOld=bool(options["revoke-old"]),
    )
    granted = withAuthority(options, Issuer).renew(name, wish)
    return _serverWords(options, granted) if name == THE_SERVER else _clientWords(options, granted)


def _serverWords(options: RenewOptions, granted: Granted) -> str:
    key = "  server.key" if options["new-key"] else ""
    said = (
        f"Made in {options['pki']}, valid until {granted.certificate.not_valid_after_utc:%Y-%m-%d}:\n"
        f"  server.pem{key}  for {', '.join(granted.hosts)}\n\n"
        "A server that runs with these files takes them up by itself, within 5 seconds.  Where it has\n"
        "others, copy these over them.\n"
    )
    if options["new-key"]:
        said += f"Clients that trust the old key by --pin need the new one: {publicKeyPin(granted.certificate).hex()}\n"
    if granted.revoked:
        said += "Clients refuse the old one when crl.pem stands behind ca.pem in the file of their -C.\n"
    return said


def _clientWords(options: RenewOptions, granted: Granted) -> str:
    name = granted.name
    revoked = _REVOKED if granted.revoked else ""
    hasDead = granted.revoked and os.path.exists(options.files.bundleOf(name))
    dead = (
        f"{name}.uotp still has the revoked certificate, so nobody gets in with it: make it anew.\n" if hasDead else ""
    )
    line = lineOfClient(granted) if options["new-key"] else ""
    if granted.bundle is not None:
        warnOfNames(options, options["bundle"])
        said = f"{describeClient(options, granted)}\n{nextForBundle(options, name)}{line}{revoked}"
        return said + codeOf(options, granted.bundle)
    files = f"{name}.pem and {name}.key" if options["new-key"] else f"{name}.pem"
    return (
        f"Made in {options['pki']}, valid until {granted.certificate.not_valid_after_utc:%Y-%m-%d}: {files}\n\n"
        f"Copy {files} over what the client has: it takes it up by itself.  Where it runs {name}.uotp,\n"
        f"make that anew: {commandIn(options, f'bundle {name} SERVER --force')}\n{line}{revoked}{dead}"
    )


_REVOKED = "\nThe old certificate is revoked: the server refuses it as soon as it has the new crl.pem.\n"
