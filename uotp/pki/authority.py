"""
The CA of a directory, read from its files.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from uotp.errors import ConfigurationError
from uotp.pki.directory import PkiFiles
from uotp.pki.files import readSmall
from uotp.pki.issue import Issued, PublicKey, SigningKey
from uotp.telemetry import spelled

MOST_PEM_BYTES = 1 << 16
"""A certificate or a key has one or two thousand."""

Passphrase = Callable[[str], bytes]
"""Asks for the passphrase of a key, by its path; raises L{ConfigurationError} where nobody can be asked."""


def openAuthority(files: PkiFiles, passphrase: Passphrase, now: datetime) -> Issued:
    """
    Read the CA's certificate and its key.

    @param files: where they are.
    @param passphrase: asks for the passphrase, if the key has one.
    @param now: the moment when something is to be signed.
    @raise ConfigurationError: when nothing can be signed, with what to do about it.
    """
    certificate = readAuthority(files)
    data = readSmall(files.caKey, MOST_PEM_BYTES)
    if data is None:
        reason = (
            f"the CA's key is not here: {files.caKey} is missing; name the file where you keep it "
            f"by {spelled('authorityKey')}, or bring it back for as long as this takes"
        )
        raise ConfigurationError(reason)
    key = _readKey(files.caKey, data, passphrase)
    if key.public_key() != certificate.public_key():
        reason = f"{files.caKey} is not the key of the CA in {files.caCertificate}"
        raise ConfigurationError(reason)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begins <= now < ends:
        reason = (
            f"the CA in {files.caCertificate} is valid from {begins:%Y-%m-%d} to {ends:%Y-%m-%d}, and this machine's "
            f"clock says {now:%Y-%m-%d %H:%M} UTC: set the clock right, or make a new PKI in another directory"
        )
        raise ConfigurationError(reason)
    return Issued(certificate, key)


def readAuthority(files: PkiFiles) -> x509.Certificate:
    """
    @return: the CA's certificate.
    @raise ConfigurationError: when there is none.
    """
    path = files.caCertificate
    data = readSmall(path, MOST_PEM_BYTES)
    if data is None:
        reason = f"there is no PKI in {files.directory}: {path} is missing; say by {spelled('pki')} where it is"
        raise ConfigurationError(reason)
    try:
        certificate = x509.load_pem_x509_certificate(data)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        isUsable = constraints.ca and isinstance(certificate.public_key(), PublicKey)
    except (ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound, x509.DuplicateExtension):
        isUsable = False
    if not isUsable:
        reason = f"{path} is no certificate of a CA with an EC or RSA key, in PEM format"
        raise ConfigurationError(reason)
    return certificate


def _readKey(path: str, data: bytes, passphrase: Passphrase) -> SigningKey:
    """
    @return: the key that a file holds.
    """
    try:
        try:
            key = load_pem_private_key(data, None)
        except TypeError:  # it has a passphrase
            key = load_pem_private_key(data, passphrase(path))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        wrong = ", or the passphrase is wrong" if b"ENCRYPTED" in data else ""
        reason = f"{path} has no private key in PEM format{wrong}"
        raise ConfigurationError(reason) from error
    if not isinstance(key, SigningKey):
        reason = f"the key in {path} is neither an EC nor an RSA key, so nothing can be signed with it here"
        raise ConfigurationError(reason)
    return key
