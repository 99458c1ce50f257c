"""
Reads certificates and keys from PEM files.  Whatever is wrong with a file becomes a
L{ConfigurationError} that names it.  Nothing here asks for a pass phrase, knows a TLS context
or logs.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from uotp.errors import ConfigurationError

SIZE_LIMIT = 8 << 20
"""The most bytes of a file.  A system's whole CA bundle has a quarter of a million."""

_BEGIN = b"-----BEGIN CERTIFICATE-----"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


@dataclass(frozen=True, slots=True)
class Identity:
    """
    Holds a certificate that we show to peers, with its chain and key.

    @ivar chain: our certificate, then the intermediate ones.
    @ivar key: the private key of the first.
    """

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey


def readCertificates(path: str, what: str) -> tuple[x509.Certificate, ...]:
    """
    Read all certificates of a file; keys and text between them do no harm.

    @param path: the file.
    @param what: what to call it in an error: C{certificate file}, C{CA file}.
    @return: at least one, in their order.
    @raise ConfigurationError: when the file cannot be read, holds none, or one
        of them is damaged.
    """
    data = _read(path, what)
    if _BEGIN not in data:
        message = f"the {what} {path} " + ("has no certificate in PEM format" if data.strip() else "is empty")
        raise ConfigurationError(message)
    try:
        certificates = tuple(x509.load_pem_x509_certificates(data))
    except ValueError:
        certificates = ()
    # One that is cut off at the end of the file is left out without a word.
    if len(certificates) < data.count(_BEGIN):
        message = f"the {what} {path} has a damaged certificate"
        raise ConfigurationError(message)
    return certificates


def readIdentity(certificateFile: str, keyFile: str | None) -> Identity:
    """
    Read a certificate with its chain, and its key.

    @param certificateFile: our own certificate first, then the intermediates.
    @param keyFile: where the key is; L{None} means beside the certificate.
    @return: both, known to belong together.
    @raise ConfigurationError: when one is unusable, or they do not match.
    """
    chain = readCertificates(certificateFile, "certificate file")
    path = keyFile if keyFile is not None else certificateFile
    key = _readKey(path)
    try:
        ours = _spki(key.public_key())
        matching = [_spki(certificate.public_key()) == ours for certificate in chain]
    except (ValueError, UnsupportedAlgorithm) as problem:
        message = f"the certificate file {certificateFile} has a certificate with a key of unknown kind"
        raise ConfigurationError(message) from problem
    if not matching[0]:
        hint = " (the certificate of that key must come first in it)" if any(matching) else ""
        message = f"{path} does not match the certificate in {certificateFile}{hint}"
        raise ConfigurationError(message)
    return Identity(chain, key)


def isOpenToAll(path: str) -> bool:
    """
    Tell whether the permissions of a file let every user read it who can reach it.  Whether the
    directories above keep others away is not looked at: they may be opened one day, and the file
    copied with its permissions.  A group that may read it was named by somebody: so a web server
    shares its key, and so systemd shows its C{LoadCredential} to a user of its own.

    @return: L{False} also where the system has no such permissions, or when the file is gone.
    """
    if os.name != "posix":
        return False
    try:
        return bool(os.stat(path).st_mode & stat.S_IROTH)
    except OSError:
        return False


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _readKey(path: str) -> PrivateKey:
    data = _read(path, "key file")
    if b"PRIVATE KEY-----" not in data:
        message = f"the key file {path} " + ("has no private key in PEM format" if data.strip() else "is empty")
        raise ConfigurationError(message)
    try:
        key = load_pem_private_key(data, None)
    except TypeError as problem:
        message = f"the key in {path} is encrypted: store it without a pass phrase, readable by its user alone"
        raise ConfigurationError(message) from problem
    except (ValueError, UnsupportedAlgorithm) as problem:
        message = f"the key in {path} is damaged or of unknown kind"
        raise ConfigurationError(message) from problem
    if not isinstance(key, PrivateKey):
        message = f"the key in {path} is of a kind that TLS cannot use"
        raise ConfigurationError(message)
    return key


def _read(path: str, what: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            data = stream.read(SIZE_LIMIT + 1)
    except OSError as problem:
        message = f"cannot read the {what} {path}: {problem.strerror or problem}"
        raise ConfigurationError(message) from problem
    except ValueError as problem:  # a NUL in the name
        message = f"cannot read the {what} {path!r}: {problem}"
        raise ConfigurationError(message) from problem
    if len(data) > SIZE_LIMIT:
        message = f"the {what} {path} is far too large"
        raise ConfigurationError(message)
    return data
