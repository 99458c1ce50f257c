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
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain as joined

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

    @ivar serials: the numbers of what was revoked.
    @ivar places: see L{publishedAt}.
    @ivar signer: what it says of the key by which it was signed; nothing where it does not.
    @ivar unverified: the list itself, where its CA is not in the file.
    """

    serials: set[int]
    places: PublishedAt | None
    signer: bytes
    unverified: x509.CertificateRevocationList | None

    def tellsOf(self, certificate: x509.Certificate) -> bool:
        """
        @return: whether the certificate would be in this list if its CA had revoked it.
        """
        return self.places is None or namesPlace(certificate, self.places)


@dataclass(frozen=True, slots=True)
class Revocations:
    """
    Knows what CAs have revoked.  Names are L{nameDigest}s, and each list is before those that are older.

    @ivar ends: each CA that has a list, and when the time of its newest one is over; L{None} when
        that does not say.
    @ivar files: where that list is.
    @ivar verified: the lists of each name and L{publicKeyPin} of a CA in the file.
    @ivar unverified: the lists of each name that no CA in the file has.
    @ivar tried: which of the unverified ones CAs have signed that came with a chain, by name and key.
    """

    ends: dict[x509.Name, datetime | None]
    files: dict[x509.Name, str]
    verified: dict[bytes, dict[bytes, list[Listed]]] = field(default_factory=dict)
    unverified: dict[bytes, list[Listed]] = field(default_factory=dict)
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
            with suppress(ValueError):  # a name that the library cannot read; no list has it
                issuers.setdefault(nameDigest(certificate.subject), []).append(certificate)
        made = cls({}, {})
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
            listed = Listed(numbersIn(each, pause), places, issuerKeyOf(each), None if isKnown else each)
            if isKnown:
                lists = made.verified.setdefault(name, {}).setdefault(key, [])
                lists[:] = [listed, *(older for older in lists if older.places != places)]
            else:
                made.unverified.setdefault(name, []).insert(0, listed)
        for name, several in made.unverified.items():
            made.unverified[name] = withoutOlder(several)
        return made

    @property
    def areThere(self) -> bool:
        """
        Whether there is any list.
        """
        return bool(self.ends)

    def errorOf(
        self, name: bytes, certificate: x509.Certificate, above: Sequence[x509.Certificate], *, mayTry: bool
    ) -> int:
        """
        Look a certificate up, as OpenSSL would.

        @param name: that of its issuer.
        @param certificate: what OpenSSL has verified.
        @param above: the CA that has signed it, and those above that, all of which OpenSSL has verified before; none
            for one in the file of CAs that has an issuer, which is not in the chain then.
        @param mayTry: whether lists may be verified by keys of the chain.  If not, only those count that were.
        @return: OpenSSL's number for what speaks against the certificate; 0 for nothing.
        """
        if name not in self.verified and name not in self.unverified:
            return 0
        if above:
            groups: Iterable[Sequence[Listed]] = (self._listsFor(name, above, mayTry=mayTry),)
        else:
            groups = self.verified.get(name, {}).values()
        # A root names no place where it is listed, and no list has to tell of it.
        isOwn = bool(above) and certificate is above[0]
        each = [[listed for listed in lists if isOwn or listed.tellsOf(certificate)] for lists in groups if lists]
        if not each:
            return int(Codes.ERR_CRL_SIGNATURE_FAILURE)
        if any(certificate.serial_number in listed.serials for lists in each for listed in lists):
            return int(Codes.ERR_CERT_REVOKED)
        return 0 if all(each) else int(Codes.ERR_DIFFERENT_CRL_SCOPE)

    def _listsFor(self, name: bytes, above: Sequence[x509.Certificate], *, mayTry: bool) -> Sequence[Listed]:
        """
        @return: the lists by the key that has signed a certificate; where there is none, by that of a CA of the same
            name higher in the chain: it has got a new key, and has signed that by the old one, and the list too.
        """
        issuer, *higher = above
        for each in (issuer, *(one for one in higher if isCalled(one, name))):
            key = publicKeyPin(each)
            lists = self.verified.get(name, {}).get(key) or self._signedBy(name, key, each, mayTry=mayTry)
            if lists:
                return lists
        return ()

    def _signedBy(self, name: bytes, key: bytes, issuer: x509.Certificate, *, mayTry: bool) -> list[Listed]:
        """
        @return: those lists that nobody in the file has signed, and this CA has.
        """
        if name not in self.unverified or not maySignLists(issuer):
            return []
        if (name, key) not in self.tried:
            if not mayTry or len(self.tried) >= MOST_TRIED:
                return []
            signed: list[Listed] = []
            for each in self.unverified[name]:
                isNew = all(each.places != newer.places for newer in signed)
                if isNew and each.unverified is not None and isSignedBy(each.unverified, issuer):
                    signed.append(each)
            self.tried[name, key] = signed
        return self.tried[name, key]

    def revokes(self, chain: KnownChain) -> bool:
        """
        Look certificates up that were let in before.

        @param chain: they, or some of them.
        @return: whether a list of a CA has one of them.  Where it is not known whether the list is by the issuer's key,
            it may be.
        """
        return any(serial in listed.serials for name, key, serial in chain for listed in self._listsOf(name, key))

    def _listsOf(self, name: bytes, key: bytes) -> Iterable[Listed]:
        known = self.verified.get(name, {})
        lists = known.get(key) or self.tried.get((name, key))
        return lists or joined.from_iterable((*known.values(), self.unverified.get(name, ())))

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


def withoutOlder(lists: Sequence[Listed]) -> list[Listed]:
    """
    @param lists: of one name, the newest first.
    @return: them without those that have a newer one by the same key.  One that does not say by which key it was signed
        has none.
    """
    kept: list[Listed] = []
    for each in lists:
        if not each.signer or all((each.signer, each.places) != (newer.signer, newer.places) for newer in kept):
            kept.append(each)
    return kept


def isCalled(certificate: x509.Certificate, name: bytes) -> bool:
    """
    @param name: a L{nameDigest}.
    @return: whether a certificate is that of a CA of this name.
    """
    try:
        return nameDigest(certificate.subject) == name
    except ValueError:
        return False


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
