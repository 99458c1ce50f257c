"""
What a CA has issued, as far as its directory tells: the certificates in use, and those that were
kept when they were issued.  Files that are somebody else's are passed over.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256

from uotp.errors import ConfigurationError
from uotp.pki.authority import MOST_PEM_BYTES, readAuthority
from uotp.pki.directory import PkiFiles
from uotp.pki.files import readSmall
from uotp.pki.names import CLIENT_NAME, NAMES_OF_OTHERS, THE_SERVER
from uotp.pki.revocations import Revoked
from uotp.tls import PeerName, publicKeyPin

MOST_NAMES = 10
"""So many names are told in an error."""

_RECORD = re.compile(r"(.+)\.([0-9a-f]{40})\.pem")
_IN_USE = re.compile(r"(.+)\.pem")


class State(Enum):
    """
    Says whether a certificate is good.
    """

    VALID = "valid"
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"


@dataclass(frozen=True, slots=True)
class KnownCertificate:
    """
    Holds a certificate that the CA has issued.

    @ivar name: whom it was issued to.
    @ivar certificate: the certificate.
    @ivar isInUse: whether it is the one in the file of that name.
    """

    name: str
    certificate: x509.Certificate
    isInUse: bool

    @property
    def serial(self) -> int:
        """
        By this number a list revokes it.
        """
        return self.certificate.serial_number

    @property
    def fingerprint(self) -> str:
        """
        The SHA-256 of the certificate; a server's log shows the first 8 digits.
        """
        return self.certificate.fingerprint(SHA256()).hex()

    @property
    def pin(self) -> str:
        """
        The SHA-256 of the public key.
        """
        return publicKeyPin(self.certificate).hex()

    def state(self, revoked: Revoked, now: datetime) -> State:
        """
        @param revoked: what the CA has revoked.
        @return: whether it is good.
        """
        if self.serial in revoked.entries:
            return State.REVOKED
        if now >= self.certificate.not_valid_after_utc:
            return State.EXPIRED
        return State.NOT_YET_VALID if now < self.certificate.not_valid_before_utc else State.VALID


@dataclass(frozen=True, slots=True)
class Register:
    """
    Holds what a CA has issued and revoked.

    @ivar authority: its certificate.
    @ivar known: what it has issued: the server first, then by name, and of one name the newest first.
    @ivar recorded: the name and the serial number of all that were kept, also of those that cannot be read.
    @ivar revoked: what it has revoked.
    """

    authority: x509.Certificate
    known: tuple[KnownCertificate, ...]
    recorded: tuple[tuple[str, int], ...]
    revoked: Revoked

    def serialsOf(self, name: str) -> set[int]:
        """
        @return: the serial numbers of all certificates that were issued to a name.
        """
        known = {each.serial for each in self.known if each.name == name}
        return known | {serial for recorded, serial in self.recorded if recorded == name}

    def of(self, name: str) -> tuple[KnownCertificate, ...]:
        """
        @param name: what a client is called, or C{server}.
        @return: all certificates that were issued to it, the one in use first, then the newest.
        """
        return tuple(sorted((each for each in self.known if each.name == name), key=lambda each: not each.isInUse))

    def unknown(self, name: str) -> ConfigurationError:
        """
        @return: that no certificate was issued to a name, and to whom some were.
        """
        names = sorted({each.name for each in self.known if each.name != THE_SERVER})
        there = f"; known names: {', '.join(names)}" if 0 < len(names) <= MOST_NAMES else ""
        return ConfigurationError(f"no certificate of {name} is known here{there} (see `uotp cert list`)")

    def withFingerprint(self, digits: str) -> tuple[KnownCertificate, ...]:
        """
        @param digits: the beginning of a fingerprint, in small letters.
        @return: all certificates whose fingerprint begins so.
        """
        return tuple(each for each in self.known if each.fingerprint.startswith(digits))


def readRegister(files: PkiFiles, authority: x509.Certificate) -> Register:
    """
    Look through the directory of a PKI.

    @param authority: the CA.
    @raise ConfigurationError: when the directory or a revocation list cannot be read.
    """
    kept = {each.serial_number: (name, each) for name, each in _certificates(files.issued, _RECORD, authority)}
    inUse = dict(_certificates(files.directory, _IN_USE, authority))
    for name, each in inUse.items():  # of a PKI that was made before records were kept
        kept.setdefault(each.serial_number, (name, each))
    known = [
        KnownCertificate(name, each, isInUse=name in inUse and inUse[name].serial_number == serial)
        for serial, (name, each) in kept.items()
    ]
    known.sort(key=lambda each: each.certificate.not_valid_before_utc, reverse=True)
    known.sort(key=lambda each: (each.name != THE_SERVER, each.name.lower(), each.name, not each.isInUse))
    records = [_RECORD.fullmatch(each) for each in _namesIn(files.issued)]
    recorded = tuple((match[1], int(match[2], 16)) for match in records if match is not None)
    return Register(authority, tuple(known), recorded, readRevoked(files, authority))


def hostsOf(certificate: x509.Certificate) -> tuple[str, ...]:
    """
    @return: the names and addresses that a server's certificate is for.
    """
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return ()
    return tuple(str(each.value) for each in names if isinstance(each, x509.DNSName | x509.IPAddress))


def hostsOfServer(files: PkiFiles) -> tuple[str, ...]:
    """
    @return: the names and addresses of the server, as far as its certificate is here.
    """
    certificate = _serverIn(files)
    return () if certificate is None else hostsOf(certificate)


def nameMismatch(files: PkiFiles, host: str) -> str | None:
    """
    Look whether a client that dials a host would find it in the server's certificate.

    @param host: a host name or an address.
    @return: why not, in words; L{None} if it is there, or if the server's certificate is not here.
    """
    certificate = _serverIn(files)
    return None if certificate is None else PeerName.parse(host).mismatch(certificate)


def _serverIn(files: PkiFiles) -> x509.Certificate | None:
    return _certificateIn(files.serverCertificate, readAuthority(files))


def readRevoked(files: PkiFiles, authority: x509.Certificate) -> Revoked:
    """
    @return: what the CA has revoked, by either copy of its list.
    @raise ConfigurationError: when one is not of this CA, or damaged.
    """
    revoked = Revoked()
    for path in (files.revocationRecord, files.revocationList):
        data = readSmall(path)
        if data is not None:
            revoked |= Revoked.parse(data, authority, path)
    return revoked


def _certificates(
    directory: str, pattern: re.Pattern[str], authority: x509.Certificate
) -> Iterator[tuple[str, x509.Certificate]]:
    """
    @param pattern: what the files are called, and in what group the name is whom they are for.
    @return: of all certificates of a CA in a directory, whom they are for, and the certificate.
    """
    for each in _namesIn(directory):
        match = pattern.fullmatch(each)
        if match is None or not _isName(match[1]):
            continue
        certificate = _certificateIn(os.path.join(directory, each), authority)
        if certificate is not None:
            yield match[1], certificate


def _namesIn(directory: str) -> list[str]:
    """
    @return: what is in a directory, sorted; nothing if there is none.
    """
    try:
        return sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    except OSError as error:
        reason = f"cannot read {directory}: {error.strerror}"
        raise ConfigurationError(reason) from error


def _isName(word: str) -> bool:
    return word == THE_SERVER or (CLIENT_NAME.fullmatch(word) is not None and word.lower() not in NAMES_OF_OTHERS)


def _certificateIn(path: str, authority: x509.Certificate) -> x509.Certificate | None:
    """
    @return: the certificate that a file holds, if this CA has signed it.
    """
    try:
        data = readSmall(path, MOST_PEM_BYTES)
        certificate = None if data is None else x509.load_pem_x509_certificate(data)
        if certificate is not None:
            certificate.verify_directly_issued_by(authority)
            certificate.public_key()  # raises for a key that nothing here can do anything with
    except (ConfigurationError, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return None
    return certificate
