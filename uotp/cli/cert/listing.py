"""
C{uotp cert list}: what the CA has issued, for people and for programs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from uotp.cli.cert.revoking import LEAST_DIGITS
from uotp.cli.cert.shared import PKI_ROW, PkiOptions
from uotp.cli.options import Flag
from uotp.pki import KnownCertificate, Register, readAuthority, readRegister
from uotp.tls import utcNow


class ListOptions(PkiOptions):
    """
    Holds the options of C{uotp cert list}.
    """

    commandName: ClassVar[str] = "uotp cert list"
    arguments = (0, 0)
    longdesc = (
        "Shows all certificates of the CA that are known: whose they are, whether they are valid, expired or revoked, "
        "when they expire, the beginning of their fingerprints as the server's log has it, and the pins of their keys."
    )
    rows = (PKI_ROW, Flag("json", None, "As JSON, with all of the fingerprints and the serial numbers."))


def listIssued(options: ListOptions) -> str:
    """
    @return: the list.
    @raise ConfigurationError: when there is no PKI.
    """
    files, now = options.files, utcNow()
    register = readRegister(files, readAuthority(files))
    if options["json"]:
        return json.dumps([_values(each, register, now) for each in _all(register)], indent=2) + "\n"
    table = [("NAME", "STATE", "EXPIRES", "SHA256", "PIN OF THE KEY")]
    for each in _all(register):
        older = "" if each.isInUse else ", old"
        expires = f"{each.certificate.not_valid_after_utc:%Y-%m-%d}"
        state = each.state(register.revoked, now).value + older
        table.append((each.name, state, expires, each.fingerprint[:LEAST_DIGITS], each.pin))
    return _aligned(table) + _unknownWords(register)


def _all(register: Register) -> tuple[KnownCertificate, ...]:
    return (KnownCertificate("ca", register.authority, isInUse=True), *register.known)


def _values(each: KnownCertificate, register: Register, now: datetime) -> dict[str, Any]:
    entry = register.revoked.entries.get(each.serial)
    certificate = each.certificate
    return {
        "name": each.name,
        "state": each.state(register.revoked, now).value,
        "inUse": each.isInUse,
        "notBefore": certificate.not_valid_before_utc.isoformat(),
        "notAfter": certificate.not_valid_after_utc.isoformat(),
        "revoked": None if entry is None else entry.revocation_date_utc.isoformat(),
        "serial": f"{each.serial:040x}",
        "fingerprint": each.fingerprint,
        "pin": each.pin,
    }


def _aligned(table: Sequence[tuple[str, ...]]) -> str:
    """
    @return: the table, each column as wide as it needs.
    """
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)) for row in table)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _unknownWords(register: Register) -> str:
    """
    @return: which revoked certificates are not in the table.
    """
    unknown = sorted(register.revoked.entries.keys() - {each.serial for each in register.known})
    return "".join(f"Revoked, and not known here otherwise: serial number {serial:x}\n" for serial in unknown)
