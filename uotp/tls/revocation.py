"""
The revocation lists of trusted CAs, and who is in them.

Each list is verified once: when it is read, if its CA is in the file; otherwise when its CA comes with a chain that
OpenSSL has verified so far, once for each key.  So whoever shakes hands costs a look at his number, however long the
lists are.  OpenSSL knows no lists: it would verify all of a list in each handshake.

A CA that has no list is trusted as if there were no lists at all.  A list whose time is over
still holds: what was revoked stays so, and the log says that a newer one is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from OpenSSL.SSL import X509VerificationCodes as Codes

from uotp.errors import ConfigurationError
from uotp.process import Pausing, noPause
from uotp.tls.dates import Ending
from uotp.tls.listchecks import (
    PublishedAt,
    flawOf,
    isSignedBy,
    issuerKeyOf,
    maySignLists,
    namesPlace,
    publishedAt,
    signerOf,
)
from uotp.tls.names import KnownChain, nameDigest
from uotp.tls.pem import Authorities
from uotp.tls.pins import publicKeyPin
from uotp.tls.reasons import nameText, plainName

Lists = Sequence[x509.CertificateRevocationList]

MOST_TRIED = 64
"""
So many keys of CAs that came with a chain are tried on lists: a trusted CA may sign as many others as it likes.
When there are more, those of them that have the name of a list let nobody in.
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """
    Holds what one list says.

    @ivar begins: when it was made.
    @ivar serials: the numbers of what was revoked.
    @ivar places: see L{publishedAt}.
    @ivar unverified: the list itself, where its CA is not in the file.
    """

    begins: datetime
    serials: set[int]
    places: PublishedAt | None
    unverified: x509.CertificateRevocationList | None

    def tellsOf(self, certificate: x509.Certificate) -> bool:
        """
        @return: whether the certificate would be in this list if its CA had revoked it.
        """
        return self.places is None or namesPlace(certificate, self.places)


@dataclass(frozen=True, slots=True)
class Revocations:
    """
    Knows what CAs have revoked.  Names are L{nameDigest}s.

    @ivar ends: each CA that has a list, and when the time of its newest one is over; L{None} when
        that does not say.
    @ivar files: where that list is.
    @ivar verified: the lists of each name and L{publicKeyPin} of a CA in the file.
    @ivar unverified: the lists of each name that no CA in the file has.
    @ivar current: by name, the lists that have no successor.
    @ivar tried: which of the unverified ones CAs have signed that came with a chain.
    """

    ends: dict[x509.Name, datetime | None]
    files: dict[x509.Name, str]
    verified: dict[bytes, dict[bytes, list[Listed]]] = field(default_factory=dict)
    unverified: dict[bytes, list[Listed]] = field(default_factory=dict)
    current: dict[bytes, tuple[Listed, ...]] = field(default_factory=dict)
    tried: dict[tuple[bytes, bytes], list[Listed]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, authorities: Authorities, file: str, more: Lists = (), moreFile: str = "", pause: Pausing = noPause
    ) -> Revocations:
        """
        @param authorities: what the file of CAs holds.
        @param file: its name.
        @param more: lists of another file.
        @param moreFile: its name.
        @param pause: called between the parts, and for each number.
        @return: whose lists are there.
        @raise ConfigurationError: for a list that could not be honoured.
        """
        found = [(each, "CA file", file) for each in authorities.lists]
        found += [(each, "revocation file", moreFile) for each in more]
        if not found:
            return NONE
        issuers: dict[bytes, list[x509.Certificate]] = {}
        for certificate in authorities.certificates:
            issuers.setdefault(nameDigest(certificate.subject), []).append(certificate)
        made, current = cls({}, {}), {}
        for each, what, where in sorted(found, key=lambda each: each[0].last_update_utc):
            try:
                name = nameDigest(each.issuer)
                key = requireSound(each, issuers.get(name, ()), where, pause)
                places = publishedAt(each)
            except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as problem:
                message = f"the {what} {where} has a damaged revocation list"
                raise ConfigurationError(message) from problem
            made.ends[each.issuer], made.files[each.issuer] = each.next_update_utc, where
            isKnown = name in issuers
            listed = Listed(each.last_update_utc, numbersIn(each, pause), places, None if isKnown else each)
            if isKnown:
                lists = made.verified.setdefault(name, {}).setdefault(key, [])
                lists[:] = [listed, *(older for older in lists if older.places != places)]
            else:
                made.unverified.setdefault(name, []).insert(0, listed)
            current[name, key, places] = listed
        for (name, _, _), listed in current.items():
            made.current[name] = (*made.current.get(name, ()), listed)
        return made

    def errorOf(
        self, name: bytes, certificate: x509.Certificate, issuer: x509.Certificate | None, *, mayTry: bool
    ) -> int:
        """
        Look a certificate up, as OpenSSL would.

        @param name: that of its issuer.
        @param certificate: what OpenSSL has verified.
        @param issuer: the CA that has signed it, which OpenSSL has verified before, as it has verified all above;
            L{None} for one in the file of CAs that has an issuer, which is not in the chain then.
        @param mayTry: whether lists may be verified by the issuer's key.  If not, only those count that were.
        @return: OpenSSL's number for what speaks against the certificate; 0 for nothing.
        """
        if name not in self.current:
            return 0
        known = self.verified.get(name, {})
        if issuer is None:
            groups: Iterable[Sequence[Listed]] = known.values()
        else:
            key = publicKeyPin(issuer)
            groups = (known.get(key) or self._signedBy(name, key, issuer, mayTry=mayTry),)
        # A root names no place where it is listed, and no list has to tell of it.
        isRoot = certificate is issuer
        each = [[listed for listed in lists if isRoot or listed.tellsOf(certificate)] for lists in groups if lists]
        if not each:
            return int(Codes.ERR_CRL_SIGNATURE_FAILURE)
        if any(lists and certificate.serial_number in lists[0].serials for lists in each):
            return int(Codes.ERR_CERT_REVOKED)
        return 0 if all(each) else int(Codes.ERR_DIFFERENT_CRL_SCOPE)

    def _signedBy(self, name: bytes, key: bytes, issuer: x509.Certificate, *, mayTry: bool) -> list[Listed]:
        """
        @return: those lists that nobody in the file has signed, and this CA has, the newest first.
        """
        if name not in self.unverified or not maySignLists(issuer):
            return []
        if (name, key) not in self.tried:
            if not mayTry or len(self.tried) >= MOST_TRIED:
                return []
            self.tried[name, key] = [
                each
                for each in self.unverified[name]
                if each.unverified is not None and isSignedBy(each.unverified, issuer)
            ]
        return self.tried[name, key]

    def revokes(self, chain: KnownChain) -> bool:
        """
        Look certificates up that were let in before.

        @param chain: they, or some of them.
        @return: whether the newest list of a CA has one of them.
        """
        return any(serial in listed.serials for name, serial in chain for listed in self.current.get(name, ()))

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


NONE = Revocations({}, {})
"""Where no list was given."""


def requireSound(
    listed: x509.CertificateRevocationList, issuers: Sequence[x509.Certificate], where: str, pause: Pausing
) -> bytes:
    """
    @param issuers: the CAs in the file that have the list's name.
    @param where: the file of the list.
    @param pause: called for each entry that is looked at.
    @return: what tells the key apart by which the list was signed.
    @raise ConfigurationError: for a list that cannot be honoured.
    @raise ValueError: for a damaged one, as for the other errors that the library has for that.
    """
    signer, objection = None, flawOf(listed, pause)
    if objection is None and issuers:
        signer, objection = signerOf(listed, issuers)
    if objection is not None:
        message = f"the revocation list of {nameText(listed.issuer)} in {where} {objection}"
        raise ConfigurationError(message)
    return issuerKeyOf(listed) if signer is None else publicKeyPin(signer)


def numbersIn(listed: x509.CertificateRevocationList, pause: Pausing) -> set[int]:
    """
    @param pause: called for each.
    @return: the numbers of what was revoked.  To copy them would take a while in which nothing else is done.
    """
    numbers: set[int] = set()
    for entry in listed:
        pause()
        numbers.add(entry.serial_number)
    return numbers


def _isOver(ends: datetime | None, now: datetime) -> bool:
    return ends is not None and now > ends
