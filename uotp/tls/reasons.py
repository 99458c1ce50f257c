"""
The words for a certificate that we refuse: numbers of OpenSSL, and what a certificate says of
itself, become one line for a log.  Nothing here decides anything, opens a file or knows a
context.  A peer's text is shortened, and control characters are replaced, before it
goes to a log.
"""

from __future__ import annotations

import re
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from OpenSSL.SSL import X509VerificationCodes as Codes

from uotp.errors import Refusal
from uotp.telemetry import spelled
from uotp.tls.dates import LONG_EXPIRED, clockDoubt

TEXT_LIMIT = 80
"""So many characters of a peer's text are shown: enough to recognise a name."""

NAME_LIMIT = 64
"""So many characters of a common name are shown: as many as it may have."""

FINGERPRINT_BYTES = 4
"""So much of a certificate's fingerprint tells it from others in the log."""

NAMES_LIMIT = 4
"""So many alternative names are listed.  Some certificates have hundreds."""

_PLAIN_NAME = re.compile(r"[\w.@+-]+(?: [\w.@+-]+)*")

_DATES = frozenset({Codes.ERR_CERT_HAS_EXPIRED, Codes.ERR_CERT_NOT_YET_VALID})

_UNKNOWN = frozenset(
    {
        Codes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
        Codes.ERR_SELF_SIGNED_CERT_IN_CHAIN,
        Codes.ERR_UNABLE_TO_GET_ISSUER_CERT,
        Codes.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        Codes.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
    }
)

_LIST_OF_NO_USE = frozenset(
    {
        Codes.ERR_UNABLE_TO_GET_CRL,
        Codes.ERR_UNABLE_TO_GET_CRL_ISSUER,
        Codes.ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE,
        Codes.ERR_CRL_SIGNATURE_FAILURE,
        Codes.ERR_KEYUSAGE_NO_CRL_SIGN,
        Codes.ERR_UNHANDLED_CRITICAL_CRL_EXTENSION,
        Codes.ERR_DIFFERENT_CRL_SCOPE,
        Codes.ERR_CRL_PATH_VALIDATION_ERROR,
        Codes.ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD,
        Codes.ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD,
    }
)
"""A list is there, and OpenSSL cannot tell by it."""

_CODE_NAMES: dict[int, str] = {
    number: name.removeprefix("ERR_").replace("_", " ").lower()
    for name, number in vars(Codes).items()
    if name.startswith("ERR_")
}


def isUnknown(error: int) -> bool:
    """
    @return: whether OpenSSL has against a chain that it leads to nobody who is trusted.
    """
    return error in _UNKNOWN


def isOfDates(error: int) -> bool:
    """
    @return: whether OpenSSL has only the date against a certificate.
    """
    return error in _DATES


def plainText(text: str, limit: int = TEXT_LIMIT) -> str:
    """
    Make a text that somebody else wrote fit for a line of a log.

    @param text: anything.
    @param limit: the longest result, in characters.
    @return: C{text}, with C{?} for whatever cannot be printed, and shortened.
    """
    shortened = text if len(text) <= limit else text[: limit - 3] + "..."
    return "".join(character if character.isprintable() else "?" for character in shortened)


def nameText(name: x509.Name) -> str:
    """
    Write a distinguished name for a log.

    @param name: a subject or an issuer.
    @return: C{'CN=...'}, in quotes.
    """
    return f"'{plainName(name)}'"


def plainName(name: x509.Name) -> str:
    """
    Write a distinguished name where nothing stands beside it.

    @param name: a subject or an issuer.
    @return: C{CN=...}, without anything that a terminal obeys.
    """
    return plainText(name.rfc4514_string())


def verificationWords(error: int, depth: int, certificate: x509.Certificate, peer: str, now: datetime) -> str:
    """
    Say what OpenSSL has against a chain, and what can be done about it here.

    @param error: the number that OpenSSL gave, one of C{X509_V_ERR_*}.
    @param depth: where in the chain: 0 is the peer's own certificate.
    @param certificate: the one that stands there.
    @param peer: what the peer is to be, C{server}, C{client} or C{proxy}.
    @param now: what the clock says.
    @return: one line.
    """
    what = "certificate" if depth == 0 else f"issuer's certificate {nameText(certificate.subject)}"
    if error in _DATES:
        return f"{what} {_dateWords(certificate, now)}"
    if error in _UNKNOWN:
        return _unknownWords(error, certificate, peer)
    issuer = nameText(certificate.issuer)
    if error == Codes.ERR_CERT_CHAIN_TOO_LONG:
        words = "too many certificates between the peer's own and a trusted CA"
    elif error == Codes.ERR_INVALID_PURPOSE and depth == 0:
        words = f"not a {'client' if peer == 'client' else 'server'} certificate (wrong purpose)"
    elif error == Codes.ERR_CERT_REVOKED:
        words = f"{what} was revoked by {issuer}; it has to be replaced"
    elif error in _LIST_OF_NO_USE:
        words = f"nobody knows whether the {what} was revoked: the list of {issuer} in the file of {spelled('cafile')} "
        words += f"cannot be used ({_codeName(error)})"
    else:
        words = f"{what} refused: {_codeName(error)}"
    return words


def verificationKind(error: int) -> Refusal:
    """
    @param error: see L{verificationWords}.
    @return: what kind of reason it is to refuse a client.
    """
    if error in _DATES:
        return Refusal.EXPIRED
    if error in _UNKNOWN:
        return Refusal.UNKNOWN_ISSUER
    return Refusal.REVOKED if error == Codes.ERR_CERT_REVOKED else Refusal.CERTIFICATE


def _dateWords(certificate: x509.Certificate, now: datetime) -> str:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < begins:
        return f"not yet valid (before {begins:%Y-%m-%d %H:%M} UTC); {clockDoubt(now)}"
    words = f"expired (on {ends:%Y-%m-%d}); it has to be renewed"
    return f"{words}, or {clockDoubt(now)}" if now - ends > LONG_EXPIRED else words


def _unknownWords(error: int, certificate: x509.Certificate, peer: str) -> str:
    subject = nameText(certificate.subject)
    if error == Codes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return f"self-signed certificate {subject}; {_howToTrust(peer, 'it')}"
    if error == Codes.ERR_SELF_SIGNED_CERT_IN_CHAIN:
        who = f"{subject} (self-signed, not one of the trusted CAs)"
    else:
        who = nameText(certificate.issuer)
    return f"unknown issuer {who}; {_howToTrust(peer, 'that CA')}"


def _codeName(error: int) -> str:
    return _CODE_NAMES.get(error, f"verification error {error}")


def _howToTrust(peer: str, whom: str) -> str:
    """
    @return: what to do about an issuer that is not known.
    """
    cafile = spelled("proxyCafile" if peer == "proxy" else "cafile")
    if peer == "client":
        return f"clients are let in that a CA of {cafile} has signed"
    if peer == "proxy":
        return f"{cafile} makes {whom} trusted; if it should be known, the proxy may not send its whole chain"
    return (
        f"{cafile} makes {whom} trusted; if it should be known, the server may not send its whole chain, "
        "or a proxy answers in its place"
    )


def alternativeNames(certificate: x509.Certificate) -> str:
    """
    List whom a certificate is for.

    @param certificate: a peer's certificate.
    @return: its first few host names and addresses with commas between.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ""
    names = extension.value.get_values_for_type(x509.DNSName)
    names += [str(address) for address in extension.value.get_values_for_type(x509.IPAddress)]
    listed = [plainText(name) for name in names[:NAMES_LIMIT]]
    if len(names) > NAMES_LIMIT:
        listed.append(f"{len(names) - NAMES_LIMIT} more")
    return ", ".join(listed)


def certificateName(certificate: x509.Certificate) -> str:
    """
    Say whose certificate it is, in few words: by its common name, or the first of its other
    names, and by the first bytes of its fingerprint, as C{openssl x509 -fingerprint -sha256} has it.
    Nobody has vouched for the name before the certificate has been verified.

    @param certificate: a client's.
    @return: the words, of printable letters; a name with others than those of most names is in quotes.
    """
    fingerprint = certificate.fingerprint(SHA256())[:FINGERPRINT_BYTES].hex()
    try:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        name = plainText(str(names[0].value), NAME_LIMIT) if names else alternativeNames(certificate)
    except Exception:  # noqa: BLE001 - whatever stands there does not decide who is let in
        name = "?"
    if not _PLAIN_NAME.fullmatch(name):
        escaped = name.replace("\\", "\\\\").replace("'", "\\'")
        name = f"'{escaped}'" if name else "no name"
    return f"{name}, sha256 {fingerprint}"
