"""
How a CA revokes certificates in its directory.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from uotp.errors import ConfigurationError
from uotp.pki.directory import PkiFiles
from uotp.pki.files import Content, replaceFiles
from uotp.pki.issue import Issued
from uotp.pki.issued import KnownCertificate, Register
from uotp.pki.names import THE_SERVER
from uotp.pki.revocations import Revoked
from uotp.pki.work import AuthorityWork
from uotp.telemetry import spelled


class Revoker(AuthorityWork):
    """
    Revokes certificates.
    """

    def revoke(self, name: str) -> tuple[int, ...]:
        """
        Revoke all certificates that were ever issued to a client, and write the list.

        @return: the serial numbers of those that were good until now.
        @raise ConfigurationError: when there is none, or when the list cannot be written.
        """
        if name == THE_SERVER:
            reason = (
                "without its certificate no client could connect to the server: "
                f"`uotp cert renew server` with {spelled('newKey')} and {spelled('revokeOld')} replaces it"
            )
            raise ConfigurationError(reason)
        with self.changing() as register:
            serials = register.serialsOf(name)
            if not serials:
                raise register.unknown(name)
            return self._revokeAll(register, serials)

    def revokeFingerprint(self, digits: str) -> tuple[KnownCertificate, bool]:
        """
        Revoke the certificate with a fingerprint.

        @param digits: the first of its hexadecimal digits, in small letters.
        @return: the certificate, and whether it was good until now.
        @raise ConfigurationError: when no or more than one certificate has it.
        """
        with self.changing() as register:
            found = register.withFingerprint(digits)
            if len(found) != 1:
                many = "more than one certificate has" if found else "no certificate that is known here has"
                reason = f"{many} a fingerprint that begins with {digits}: `uotp cert list` shows them"
                raise ConfigurationError(reason)
            self._requireDispensable(register, found[0].serial)
            return found[0], bool(self._revokeAll(register, {found[0].serial}))

    def revokeSerial(self, serial: int) -> tuple[int, ...]:
        """
        Revoke the certificate with a serial number, whether it is known here or not.

        @return: the number, if it was good until now.
        @raise ConfigurationError: when it is the CA's, or that of the server.
        """
        with self.changing() as register:
            self._requireDispensable(register, serial)
            return self._revokeAll(register, {serial})

    def _requireDispensable(self, register: Register, serial: int) -> None:
        """
        @raise ConfigurationError: when all would be shut out without a certificate.
        """
        if serial == register.authority.serial_number:
            reason = "this is the CA's own certificate, which no list of its own can revoke: make a new PKI"
            raise ConfigurationError(reason)
        if any(each.isInUse and each.serial == serial for each in register.of(THE_SERVER)):
            reason = (
                "this is the server's certificate, and no client could connect without it: "
                f"`uotp cert renew server` with {spelled('newKey')} and {spelled('revokeOld')} replaces it"
            )
            raise ConfigurationError(reason)

    def _revokeAll(self, register: Register, serials: Iterable[int]) -> tuple[int, ...]:
        """
        Write a new list, also when all of them are revoked: the file may have been lost.
        """
        new = tuple(sorted(set(serials) - register.revoked.entries.keys()))
        replaceFiles(listContents(self._files, self._authority, register.revoked, new, self._now))
        return new


def listContents(
    files: PkiFiles, authority: Issued, revoked: Revoked, serials: Iterable[int], now: datetime
) -> dict[str, Content]:
    """
    @param revoked: what was revoked before.
    @param serials: what is revoked now.
    @return: what both copies of the next list are to hold.  The one that stays is written first.
    """
    content = Content(revoked.adding(serials, now).listPem(authority, now))
    return {files.revocationRecord: content, files.revocationList: content}
