"""
Reads certificates and keys from PEM files.  Whatever is wrong with a file becomes a
L{ConfigurationError} that names it.  Nothing here asks for a pass phrase, knows a TLS context
or logs.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from shlex import quote
from threading import Lock
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import PublicKeyAlgorithmOID

from uotp.errors import ConfigurationError
from uotp.tls.filekinds import CERTIFICATE, KEY, LISTS, advice, labelsOf
from uotp.tls.files import DISK, SIZE_LIMIT, CredentialFiles

_BEGIN = re.compile(rb"-----BEGIN (?:X509 )?CERTIFICATE-----")
_DER = b"\x30"
_BEGIN_LIST = b"-----BEGIN X509 CRL-----"
_END_LIST = b"-----END X509 CRL-----"

_QUIET = Lock()

Certificate = TypeVar("Certificate")

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


@dataclass(frozen=True, slots=True)
class Authorities:
    """
    Holds what a file of CAs says.

    @ivar certificates: the CAs.
    @ivar lists: what they have revoked.
    """

    certificates: tuple[x509.Certificate, ...]
    lists: tuple[x509.CertificateRevocationList, ...]


def readCertificates(path: str, what: str, files: CredentialFiles = DISK) -> tuple[x509.Certificate, ...]:
    """
    Read all certificates of a file; keys and text between them do no harm.

    @param path: the file.
    @param what: what to call it in an error: C{certificate file}, C{CA file}.
    @param files: where it is.
    @return: at least one, in their order.
    @raise ConfigurationError: when the file cannot be read, holds none, or one
        of them is damaged.
    """
    return _certificatesIn(readFile(path, what, files), path, what)


def _certificatesIn(data: bytes, path: str, what: str) -> tuple[x509.Certificate, ...]:
    begun = len(_BEGIN.findall(data))
    if not begun or b"TRUSTED CERTIFICATE" in labelsOf(data):
        message = f"the {what} {path} {advice(data, path, CERTIFICATE)}"
        raise ConfigurationError(message)
    try:
        certificates = tuple(quietly(lambda: x509.load_pem_x509_certificates(data)))
    except ValueError:
        certificates = ()
    # One that is cut off at the end of the file is left out without a word.
    if len(certificates) < begun:
        message = f"the {what} {path} has a damaged certificate"
        raise ConfigurationError(message)
    return certificates


def readAuthorities(path: str, what: str, files: CredentialFiles = DISK) -> Authorities:
    """
    Read the CAs of a file, and what they have revoked.

    @param path: the file.
    @param what: what to call it in an error.
    @param files: where it is.
    @return: at least one CA.
    @raise ConfigurationError: as L{readCertificates}, and for a list that is damaged.
    """
    data = readFile(path, what, files)
    return Authorities(_certificatesIn(data, path, what), _listsIn(data, path, what))


def _listBlocks(data: bytes) -> Iterator[bytes]:
    """
    @return: each list of a file.  An expression would look for them ten times as long.
    """
    begin = data.find(_BEGIN_LIST)
    while begin >= 0:
        end = data.find(_END_LIST, begin)
        if end < 0:
            return
        end += len(_END_LIST)
        yield data[begin:end]
        begin = data.find(_BEGIN_LIST, end)


def _listsIn(data: bytes, path: str, what: str) -> tuple[x509.CertificateRevocationList, ...]:
    try:
        lists = tuple(x509.load_pem_x509_crl(block) for block in _listBlocks(data))
    except ValueError:
        lists = ()
    if len(lists) < data.count(_BEGIN_LIST):
        message = f"the {what} {path} has a damaged revocation list"
        raise ConfigurationError(message)
    return lists


def readRevocationLists(path: str, files: CredentialFiles = DISK) -> tuple[x509.CertificateRevocationList, ...]:
    """
    Read what CAs have revoked.

    @param path: the file, with lists in PEM, or one in DER as CAs publish it.
    @param files: where it is.
    @return: at least one list.
    @raise ConfigurationError: when the file cannot be read, holds none, or one of them is damaged.
    """
    what = "revocation file"
    data = readFile(path, what, files)
    if data.startswith(_DER):
        with suppress(ValueError):
            return (x509.load_der_x509_crl(data),)
    lists = _listsIn(data, path, what)
    if not lists:
        message = f"the {what} {path} {advice(data, path, LISTS)}"
        raise ConfigurationError(message)
    return lists


def quietly(read: Callable[[], Certificate]) -> Certificate:
    """
    Read a certificate, and pass over what the library warns of: whether somebody's serial
    number is negative is nothing that the log of this program is for.  What is warned of is known to the whole process,
    so one thread at a time changes it.

    @return: what was read.
    """
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return read()


def readIdentity(certificateFile: str, keyFile: str | None, files: CredentialFiles = DISK) -> Identity:
    """
    Read a certificate with its chain, and its key.

    @param certificateFile: our own certificate and the intermediates, in any order.
    @param keyFile: where the key is; L{None} means beside the certificate.
    @param files: where both are.
    @return: both, known to belong together.
    @raise ConfigurationError: when one is unusable, or they do not match.
    """
    chain = readCertificates(certificateFile, "certificate file", files)
    path = keyFile if keyFile is not None else certificateFile
    key = readKey(path, files)
    try:
        ours = _spki(key.public_key())
        matching = [_spki(certificate.public_key()) == ours for certificate in chain]
    except (ValueError, UnsupportedAlgorithm) as problem:
        message = f"the certificate file {certificateFile} has a certificate with a key of unknown kind"
        raise ConfigurationError(message) from problem
    if chain[0].public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
        message = f"the certificate in {certificateFile} has a key for RSA-PSS alone: make one with an EC or RSA key"
        raise ConfigurationError(message)
    if not any(matching):
        message = f"{path} does not match the certificate in {certificateFile}"
        raise ConfigurationError(message)
    return Identity(inOrder(chain, matching.index(True)), key)


def inOrder(chain: Sequence[x509.Certificate], first: int) -> tuple[x509.Certificate, ...]:
    """
    Put a chain in the order in which peers want it: each certificate before that of its issuer.

    @param chain: the certificates of a file.
    @param first: which of them is our own.
    @return: all of them; those that have no part in the chain come last.
    """
    ordered, left = [chain[first]], [each for place, each in enumerate(chain) if place != first]
    while left:
        issuer = ordered[-1].issuer
        following = next((place for place, each in enumerate(left) if each.subject == issuer), 0)
        ordered.append(left.pop(following))
    return tuple(ordered)


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def readKey(path: str, files: CredentialFiles) -> PrivateKey:
    """
    @param files: where the file is.
    @return: the private key in it.
    @raise ConfigurationError: when it has none that can be used.
    """
    data = readFile(path, "key file", files)
    labels = labelsOf(data)
    if b"OPENSSH PRIVATE KEY" in labels or not any(label.endswith(b"PRIVATE KEY") for label in labels):
        message = f"the key file {path} {advice(data, path, KEY)}"
        raise ConfigurationError(message)
    try:
        key = load_pem_private_key(data, None)
    except TypeError as problem:
        message = (
            f"the key in {path} is encrypted: store it without a pass phrase, readable by its user alone "
            f"(openssl pkey -in {quote(path)} -out new.key; chmod 600 new.key)"
        )
        raise ConfigurationError(message) from problem
    except (ValueError, UnsupportedAlgorithm) as problem:
        message = f"the key in {path} is damaged or of unknown kind"
        raise ConfigurationError(message) from problem
    if not isinstance(key, PrivateKey):
        message = f"the key in {path} is of a kind that TLS cannot use"
        raise ConfigurationError(message)
    return key


def readFile(path: str, what: str, files: CredentialFiles) -> bytes:
    """
    Read a file of credentials, whatever is in it.

    @param path: the file.
    @param what: what to call it in an error.
    @param files: where it is.
    @return: all of it.
    @raise ConfigurationError: when it cannot be read, or is longer than any such file.
    """
    try:
        data = files.read(path)
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
