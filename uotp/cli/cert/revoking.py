"""
C{uotp cert revoke}: a client is shut out.
"""

from __future__ import annotations

import re
from typing import ClassVar

from twisted.python import usage

from uotp.cli.cert.shared import KEY_ROW, PKI_ROW, PkiOptions, withAuthority
from uotp.cli.options import Option
from uotp.pki import Revoker

LEAST_DIGITS = 8
"""So many digits of a fingerprint the log shows; with fewer, another certificate could be hit."""

MOST_DIGITS = 64
"""Hexadecimal digits of a SHA-256."""

MOST_SERIAL_DIGITS = 40
"""Hexadecimal digits of the 20 bytes that a serial number may have (RFC 5280)."""


def parseFingerprint(word: str) -> str:
    """
    @return: the first digits of a fingerprint, in small letters.
    @raise ValueError: in words.
    """
    digits = word.replace(":", "").lower()
    if not (LEAST_DIGITS <= len(digits) <= MOST_DIGITS and re.fullmatch("[0-9a-f]+", digits)):
        reason = (
            f"{LEAST_DIGITS} to {MOST_DIGITS} hexadecimal digits are needed, as the log or `uotp cert list` shows them"
        )
        raise ValueError(reason)
    return digits


def parseSerial(word: str) -> int:
    """
    @return: a serial number.
    @raise ValueError: in words.
    """
    digits = word.replace(":", "").lower().removeprefix("0x")
    if not re.fullmatch(f"[0-9a-f]{{1,{MOST_SERIAL_DIGITS}}}", digits) or int(digits, 16) == 0:
        reason = f"1 to {MOST_SERIAL_DIGITS} hexadecimal digits are needed, as `openssl x509 -serial` shows them"
        raise ValueError(reason)
    return int(digits, 16)


class RevokeOptions(PkiOptions):
    """
    Holds the options of C{uotp cert revoke NAME}.
    """

    commandName: ClassVar[str] = "uotp cert revoke"
    positionals: ClassVar[str] = "NAME"
    arguments = (0, 1)
    longdesc = (
        "Revokes all certificates that were issued to NAME, or one by its fingerprint or serial number, and writes "
        "crl.pem, the list that the server needs to refuse them.  It cannot be undone; the name can be added again."
    )
    rows = (
        PKI_ROW,
        KEY_ROW,
        Option(
            "fingerprint",
            None,
            "The SHA-256 of the certificate, or its first 8 digits or more.",
            parseFingerprint,
            metavar="DIGITS",
        ),
        Option("serial", None, "Its serial number, in hexadecimal digits.", parseSerial, metavar="DIGITS"),
    )

    def postOptions(self) -> None:
        """
        Turn words into values, and look whether one certificate or name is meant.

        @raise usage.UsageError: when not exactly one is.
        """
        super().postOptions()
        said = [*self["words"], *(self[name] for name in ("fingerprint", "serial") if self[name] is not None)]
        if len(said) != 1:
            reason = "one of NAME, --fingerprint and --serial is needed"
            raise usage.UsageError(reason)


def revoke(options: RevokeOptions) -> str:
    """
    Revoke.

    @return: what the user is told.
    @raise ConfigurationError: when nothing could be revoked.
    """
    revoker = withAuthority(options, Revoker)
    if options["serial"] is not None:
        who, count = f"serial number {options['serial']:x}", len(revoker.revokeSerial(options["serial"]))
    elif options["fingerprint"] is not None:
        known, isNew = revoker.revokeFingerprint(options["fingerprint"])
        who, count = f"{known.name}, sha256 {known.fingerprint[:LEAST_DIGITS]}", int(isNew)
    else:
        (who,) = options["words"]
        count = len(revoker.revoke(who))
    said = f"Revoked: {who} ({count} certificate{'' if count == 1 else 's'})" if count else f"Revoked already: {who}"
    return (
        f"{said}.  The list is {options.files.revocationList}\n\n"
        "A server with `--crl` and this file shuts out who is in it, within 5 seconds.  Where it reads\n"
        "another file, copy this one over it.\n"
    )
