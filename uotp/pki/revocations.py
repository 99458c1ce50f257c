"""
What a CA has revoked, in memory, and the list that tells others so (RFC 5280).  It knows no
file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from uotp.errors import ConfigurationError
from uotp.pki.issue import CLOCK_SKEW, Issued, issuerIdentifier

BEGIN_LIST = b"-----BEGIN X509 CRL-----"
"""How a revocation list begins in a file."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """
    Holds which certificates hold no longer.

    @ivar entries: what the list says of each, by its serial number.
    @ivar number: how many lists there have been, which tells new ones from old ones.
    @ivar updated: the time of the last list.
    """

    entries: Mapping[int, x509.RevokedCertificate] = field(default_factory=dict)
    number: int = 0
    updated: datetime | None = None

    @classmethod
    def parse(cls, data: bytes, authority: x509.Certificate, path: str) -> Revoked:
        """
        Read a list.

        @param data: what a file holds.
        @param authority: the CA whose list it has to be.
        @param path: the file, for errors.
        @raise ConfigurationError: when it is another CA's, or damaged.
        """
        trouble = None
        try:
            found = x509.load_pem_x509_crl(data)
            if found.issuer != authority.subject or not found.is_signature_valid(authority.public_key()):  # type: ignore[arg-type]  # else it raises
                trouble = "is not of the CA in ca.pem"
            entries = {each.serial_number: each for each in found}
            numbers = [each.value.crl_number for each in found.extensions if isinstance(each.value, x509.CRLNumber)]
        except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
            trouble = "has no revocation list, or a damaged one" if data.count(BEGIN_LIST) else "has no revocation list"
        if trouble is not None:
            reason = f"{path} {trouble}: move it away, or put the right one in its place"
            raise ConfigurationError(reason)
        return cls(entries, max(numbers, default=0), found.last_update_utc)

    def __or__(self, other: Revoked) -> Revoked:
        """
        @return: what either of two lists says.
        """
        updates = [each.updated for each in (self, other) if each.updated is not None]
        entries = {**other.entries, **self.entries}
        return Revoked(entries, max(self.number, other.number), max(updates, default=None))

    def adding(self, serials: Iterable[int], now: datetime) -> Revoked:
        """
        @param serials: the numbers of certificates that hold no longer from now on.
        @return: with them.  What was revoked before keeps its date.
        """
        new = {
            serial: x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            for serial in serials
        }
        return Revoked({**new, **self.entries}, self.number, self.updated)

    def listPem(self, authority: Issued, now: datetime) -> bytes:
        """
        Make the next list.  It is good for as long as the CA is: many programs let nobody in
        any more when the time of a list is over, and no new one is made unless somebody is revoked.

        @return: the list as it stands in a file.
        """
        begins = now - CLOCK_SKEW  # else a server whose clock is behind would not honour it
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(authority.certificate.subject)
            .last_update(begins if self.updated is None else max(begins, self.updated))
            .next_update(authority.certificate.not_valid_after_utc)
            .add_extension(issuerIdentifier(authority.certificate), critical=False)
            .add_extension(x509.CRLNumber(self.number + 1), critical=False)
        )
        for serial in sorted(self.entries):
            builder = builder.add_revoked_certificate(self.entries[serial])
        return builder.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM)
