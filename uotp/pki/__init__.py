"""
Certificates of our own: a private certification authority, and a directory of what it
has issued and revoked.
"""

from __future__ import annotations

from uotp.pki.authority import openAuthority, readAuthority
from uotp.pki.bundle import writeBundle
from uotp.pki.directory import Pki, PkiFiles, makePki
from uotp.pki.issue import VALIDITY, Issued
from uotp.pki.issued import KnownCertificate, Register, hostsOfServer, nameMismatch, readRegister
from uotp.pki.issuer import Granted, Issuer, Wish
from uotp.pki.names import THE_SERVER, normalHost
from uotp.pki.revoker import Revoker

__all__ = [
    "THE_SERVER",
    "VALIDITY",
    "Granted",
    "Issued",
    "Issuer",
    "KnownCertificate",
    "Pki",
    "PkiFiles",
    "Register",
    "Revoker",
    "Wish",
    "hostsOfServer",
    "makePki",
    "nameMismatch",
    "normalHost",
    "openAuthority",
    "readAuthority",
    "readRegister",
    "writeBundle",
]
