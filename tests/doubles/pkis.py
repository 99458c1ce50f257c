"""
A PKI in a directory of a test, and a CA that works in it.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from uotp.pki.authority import openAuthority
from uotp.pki.directory import PkiFiles, makePki
from uotp.pki.issuer import Issuer
from uotp.pki.revocations import Revoked
from uotp.pki.revoker import Revoker

MADE = datetime(2028, 2, 29, 12, 30, tzinfo=timezone.utc)
"""When the PKI is made."""

NOW = MADE + timedelta(days=100)
"""When it is worked with, unless a test says otherwise."""


def noPassphrase(path: str) -> bytes:
    """
    Stand where nobody is asked.
    """
    reason = f"a passphrase of {path} was asked for"
    raise AssertionError(reason)


class PkiTestCase(SynchronousTestCase):
    """
    Has a PKI of its own, for C{vpn.test}.
    """

    def setUp(self) -> None:
        """
        Make it.
        """
        self.directory = os.path.abspath(self.mktemp())
        self.files: PkiFiles = makePki(self.directory, ["vpn.test"], now=MADE)

    def issuer(self, now: datetime = NOW) -> Issuer:
        """
        @return: the CA of the directory, which issues.
        """
        return Issuer(self.files, openAuthority(self.files, noPassphrase, now), now)

    def revoker(self, now: datetime = NOW) -> Revoker:
        """
        @return: the CA of the directory, which revokes.
        """
        return Revoker(self.files, openAuthority(self.files, noPassphrase, now), now)

    def content(self, path: str) -> bytes:
        """
        @return: what a file holds.
        """
        with open(path, "rb") as file:
            return file.read()

    def contents(self) -> dict[str, bytes]:
        """
        @return: what all files of the directory hold, but for the lock.
        """
        return {
            os.path.relpath(os.path.join(folder, name), self.directory): self.content(os.path.join(folder, name))
            for folder, _, names in os.walk(self.directory)
            for name in names
            if name != ".lock"
        }

    def certificate(self, path: str) -> x509.Certificate:
        """
        @return: the certificate that a file holds.
        """
        return x509.load_pem_x509_certificate(self.content(path))

    def revoked(self) -> Revoked:
        """
        @return: what the list says that the server reads.
        """
        authority = self.certificate(self.files.caCertificate)
        return Revoked.parse(self.content(self.files.revocationList), authority, "crl.pem")
