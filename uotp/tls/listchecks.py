"""
What a revocation list must be like to be honoured, apart from what is in it: whole, understood, and signed by its CA.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.backends.openssl import backend  # noqa: F401 - signatures need it, also in a chroot

from uotp.process import Pausing, noPause

UNDERSTOOD = frozenset({x509.IssuingDistributionPoint.oid, x509.AuthorityKeyIdentifier.oid})
"""Extensions of a list that may be critical: they are heeded here."""

_CRITICAL = b"\x01\x01\xff"
"""How it is written that an extension is critical.  Other bytes may look so by chance."""

PublishedAt = frozenset[x509.GeneralName]


def flawOf(listed: x509.CertificateRevocationList, pause: Pausing = noPause) -> str | None:
    """
    @param listed: a list.
    @param pause: called for each entry that is looked at.
    @return: why it cannot be honoured, whoever has signed it, or L{None}.
    @raise ValueError: when it is damaged, as for the other errors that the library has for that.
    """
    for extension in listed.extensions:
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
        if extension.critical and extension.oid not in UNDERSTOOD:
            return f"has a critical extension that is not understood ({extension.oid.dotted_string})"
    # To look at the extensions of each entry takes as long as all the rest, and nearly no list has a critical one.
    if _CRITICAL in listed.tbs_certlist_bytes:
        for entry in listed:
            pause()
            if any(extension.critical for extension in entry.extensions):
                return "has an entry with a critical extension that is not understood"
    return None


def publishedAt(listed: x509.CertificateRevocationList) -> PublishedAt | None:
    """
    @return: where a list says that it is published: it tells only of certificates that name one of these places.
        L{None} when it tells of all.
    """
    for extension in listed.extensions:
        value = extension.value
        if isinstance(value, x509.IssuingDistributionPoint) and (value.full_name or value.relative_name):
            return frozenset(value.full_name or ())
    return None


def namesPlace(certificate: x509.Certificate, places: PublishedAt) -> bool:
    """
    @return: whether a certificate says that it is listed at one of these places, for any reason and by its own issuer.
    """
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return False
    return any(
        not places.isdisjoint(point.full_name or ())
        for point in points
        if point.reasons is None and point.crl_issuer is None
    )


def issuerKeyOf(listed: x509.CertificateRevocationList) -> bytes:
    """
    @return: what a list says of the key by which it was signed; nothing where it does not.
    """
    try:
        return listed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier or b""
    except x509.ExtensionNotFound:
        return b""


def signerOf(
    listed: x509.CertificateRevocationList, issuers: Sequence[x509.Certificate]
) -> tuple[x509.Certificate | None, str | None]:
    """
    @param issuers: the CAs that have its name.
    @return: the one that has signed a list, or why none has.
    """
    signers = [each for each in issuers if isSignedBy(listed, each)]
    for each in signers:
        if maySignLists(each):
            return each, None
    return None, "was signed by a CA that may not sign lists (key usage)" if signers else "was not signed by that CA"


def isSignedBy(listed: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """
    @return: whether the key of a CA has signed a list.  It takes milliseconds when the list is long.
    """
    try:
        return listed.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # else it raises
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def maySignLists(issuer: x509.Certificate) -> bool:
    """
    @return: whether the key of a CA is also for lists, by what its certificate says.
    """
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True
