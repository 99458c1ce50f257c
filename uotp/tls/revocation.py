"""
The revocation lists of trusted CAs.  OpenSSL verifies them and finds a certificate in them;
here is which lists can be used, whose there are, and what it means when OpenSSL finds none.

A CA that has no list is trusted as if there were no lists at all.  A list whose time is over
still holds: what was revoked stays so, and the log says that a newer one is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from OpenSSL.SSL import X509VerificationCodes as Codes

from uotp.errors import ConfigurationError
from uotp.process import Pausing
from uotp.tls.dates import Ending
from uotp.tls.pem import Authorities
from uotp.tls.reasons import nameText, plainName

Lists = Sequence[x509.CertificateRevocationList]

OUT_OF_DATE = frozenset({Codes.ERR_CRL_HAS_EXPIRED, Codes.ERR_CRL_NOT_YET_VALID})


@dataclass(frozen=True, slots=True)
class Revocations:
    """
    Knows which CAs have said what they have revoked.

    @ivar newest: the newest list of each CA.
    @ivar ends: each CA that has a list, and when the time of its newest one is over; L{None} when
        that does not say.
    @ivar files: where that list is.
    @ivar serials: the numbers in the lists in which something was looked for.
    """

    ends: dict[x509.Name, datetime | None]
    newest: dict[bytes, x509.CertificateRevocationList]
    files: dict[x509.Name, str]
    serials: dict[bytes, set[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, authorities: Authorities, file: str, more: Lists = (), moreFile: str = "") -> Revocations:
        """
        @param authorities: what the file of CAs holds.
        @param file: its name.
        @param more: lists of another file.
        @param moreFile: its name.
        @return: whose lists are there.
        @raise ConfigurationError: for a list that could not be honoured.
        """
        ends: dict[x509.Name, datetime | None] = {}
        newest: dict[bytes, x509.CertificateRevocationList] = {}
        files: dict[x509.Name, str] = {}
        found = [(each, "CA file", file) for each in authorities.lists]
        found += [(each, "revocation file", moreFile) for each in more]
        for each, what, where in sorted(found, key=lambda each: each[0].last_update_utc):
            try:
                issuer, objection = nameText(each.issuer), _partOnly(each) or _forged(each, authorities)
            except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as problem:
                message = f"the {what} {where} has a damaged revocation list"
                raise ConfigurationError(message) from problem
            if objection is not None:
                message = f"the revocation list of {issuer} in {where} {objection}"
                raise ConfigurationError(message)
            ends[each.issuer] = each.next_update_utc
            newest[each.issuer.public_bytes()] = each
            files[each.issuer] = where
        return cls(ends, newest, files)

    def excuses(self, error: int, certificate: x509.Certificate) -> bool:
        """
        @param error: OpenSSL's number.
        @param certificate: to what it objects.
        @return: whether that says only that there is no list of a CA, or an old one.
        """
        if error in OUT_OF_DATE:
            return True
        return error == Codes.ERR_UNABLE_TO_GET_CRL and certificate.issuer not in self.ends

    def revokes(self, issuer: bytes, serial: int) -> bool:
        """
        Look a certificate up.  The library goes through all of a list each time, for milliseconds when it is
        long, and there may be thousands to look up.

        @return: whether the newest list of a CA has a certificate.
        """
        if issuer not in self.newest:
            return False
        if issuer not in self.serials:
            self.serials[issuer] = {each.serial_number for each in self.newest[issuer]}
        return serial in self.serials[issuer]

    def index(self, pause: Pausing) -> None:
        """
        Find all numbers now that L{revokes} may be asked for.

        @param pause: called for each.
        """
        for issuer, revoked in self.newest.items():
            found = self.serials[issuer] = set()
            for each in revoked:
                pause()
                found.add(each.serial_number)

    def worse(self, before: Revocations, now: datetime) -> str | None:
        """
        @param before: the lists that were in use until now.
        @return: why these had better not be used, in words: one is out of date, and the one before is not.
        """
        for issuer, ends in self.ends.items():
            if issuer in before.ends and _isOver(ends, now) and not _isOver(before.ends[issuer], now):
                what = f"the revocation list of {nameText(issuer)} in {self.files[issuer]}"
                return f"{what} was good until {ends:%Y-%m-%d}, and the one in use is newer"
        return None

    def overdue(self, now: datetime) -> Iterator[Ending]:
        """
        @return: each list whose time is over, and what to do about it.
        """
        for issuer, ends in self.ends.items():
            if ends is not None and _isOver(ends, now):
                reason = f"was good until {ends:%Y-%m-%d}: it still holds, but what was revoked since then is not in it"
                yield Ending("crl", plainName(issuer), self.files[issuer], f"{reason}; get a newer one")


NONE = Revocations({}, {}, {})
"""Where no list was given."""


def _isOver(ends: datetime | None, now: datetime) -> bool:
    return ends is not None and now > ends


def _partOnly(revoked: x509.CertificateRevocationList) -> str | None:
    """
    @return: why a list does not tell of all that its CA has signed, or L{None} when it does.
    """
    for extension in revoked.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            return "is a delta list, which tells only what has changed: give the whole one"
        if isinstance(value, x509.IssuingDistributionPoint) and (
            value.only_contains_user_certs
            or value.only_contains_ca_certs
            or value.only_contains_attribute_certs
            or value.only_some_reasons
            or value.indirect_crl
        ):
            return "tells of a part of the certificates only: give a whole one"
    return None


def _forged(revoked: x509.CertificateRevocationList, authorities: Authorities) -> str | None:
    """
    @return: why a list is not its CA's, as far as the file has that CA.
    """
    issuers = [each for each in authorities.certificates if each.subject == revoked.issuer]
    if issuers and not any(_isSignedBy(revoked, each) for each in issuers):
        return "was not signed by that CA"
    return None


def _isSignedBy(revoked: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        return revoked.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # else it raises
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False
