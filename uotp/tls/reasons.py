"""
The words for a refused TLS connection: numbers and texts of OpenSSL, and what a certificate
says of itself, become one line for a log.  Nothing here decides anything, opens a file or
knows a context.  A peer's text is shortened, and control characters are replaced, before it
goes to a log.
"""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from OpenSSL.SSL import X509VerificationCodes as Codes

from uotp.telemetry import spelled
from uotp.tls.records import TOO_LONG_A_HANDSHAKE

TEXT_LIMIT = 80
"""So many characters of a peer's text are shown: enough to recognise a name."""

NAME_LIMIT = 64
"""So many characters of a common name are shown: as many as it may have."""

FINGERPRINT_BYTES = 4
"""So much of a certificate's fingerprint tells it from others in the log."""

NAMES_LIMIT = 4
"""So many alternative names are listed.  Some certificates have hundreds."""

_PLAIN_NAME = re.compile(r"[\w.@+-]+(?: [\w.@+-]+)*")

_UNKNOWN_ISSUER = frozenset(
    {
        Codes.ERR_UNABLE_TO_GET_ISSUER_CERT,
        Codes.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        Codes.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
    }
)

_CODE_NAMES: dict[int, str] = {
    number: name.removeprefix("ERR_").replace("_", " ").lower()
    for name, number in vars(Codes).items()
    if name.startswith("ERR_")
}

_NOT_TLS = "the peer does not speak TLS"
_NO_VERSION = "no common TLS version"
_NO_CIPHER = "no common cipher"

_TOO_MUCH = "the peer sends too much in its handshake (too many certificates, or too large ones)"

_OUR_ERRORS = {
    "peer did not return a certificate": "no client certificate",
    "http request": _NOT_TLS,
    "https proxy request": _NOT_TLS,
    "wrong version number": _NOT_TLS,
    "packet length too long": _NOT_TLS,
    "record layer failure": _NOT_TLS,
    "unknown protocol": _NOT_TLS,
    "unsupported protocol": _NO_VERSION,
    "version too low": _NO_VERSION,
    "wrong ssl version": _NO_VERSION,
    "no shared cipher": _NO_CIPHER,
    "no suitable signature algorithm": _NO_CIPHER,
    "no suitable key share": _NO_CIPHER,
    "excessive message size": _TOO_MUCH,
    TOO_LONG_A_HANDSHAKE: _TOO_MUCH,
}

_ALERTS = {
    "unknown ca": "the peer refused our certificate: unknown CA",
    "certificate expired": "the peer refused our certificate: expired",
    "certificate revoked": "the peer refused our certificate: revoked",
    "bad certificate": "the peer refused our certificate: bad certificate",
    "unsupported certificate": "the peer refused our certificate: wrong purpose",
    "certificate unknown": "the peer refused our certificate: no reason given",
    # OpenSSL sends this when a program's own check of name or pin refuses.
    "internal error": "the peer refused the handshake: wrong name or pin, or an internal error",
    "protocol version": _NO_VERSION,
    "insufficient security": _NO_CIPHER,
}

# "tlsv1 alert unknown ca", "ssl/tls alert bad certificate", "tlsv13 alert certificate required"
_ALERT = re.compile(r"(?:\S+ )?alert (.+)")


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
    return f"'{plainText(name.rfc4514_string())}'"


def verificationWords(error: int, depth: int, certificate: x509.Certificate, peer: str) -> str:
    """
    Say what OpenSSL has against a chain.

    @param error: the number that OpenSSL gave, one of C{X509_V_ERR_*}.
    @param depth: where in the chain: 0 is the peer's own certificate.
    @param certificate: the one that stands there.
    @param peer: what the peer is to be, C{server} or C{client}.
    @return: one line.
    """
    subject = nameText(certificate.subject)
    what = "certificate" if depth == 0 else f"issuer's certificate {subject}"
    if error == Codes.ERR_CERT_HAS_EXPIRED:
        words = f"{what} expired (on {certificate.not_valid_after_utc:%Y-%m-%d})"
    elif error == Codes.ERR_CERT_NOT_YET_VALID:
        words = f"{what} not yet valid (before {certificate.not_valid_before_utc:%Y-%m-%d})"
    elif error == Codes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        words = f"self-signed certificate {subject}"
    elif error == Codes.ERR_SELF_SIGNED_CERT_IN_CHAIN:
        words = f"unknown issuer {subject} (self-signed, not one of the trusted CAs)"
    elif error in _UNKNOWN_ISSUER:
        words = f"unknown issuer {nameText(certificate.issuer)}"
    elif error == Codes.ERR_CERT_CHAIN_TOO_LONG:
        words = "too many certificates between the peer's own and a trusted CA"
    elif error == Codes.ERR_INVALID_PURPOSE and depth == 0:
        words = f"not a {peer} certificate (wrong purpose)"
    else:
        words = f"{what} refused: {_CODE_NAMES.get(error, f'verification error {error}')}"
    return words


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


def errorWords(error: SSL.Error, connection: SSL.Connection | None) -> str | None:
    """
    Say in words what an error of OpenSSL means: our own error, or the peer's alert.

    @param error: what ended the connection.
    @param connection: where it happened, if that is still known.
    @return: one line, or L{None} when the error says only that the connection
        is gone.
    """
    if isinstance(error, SSL.SysCallError) or not (error.args and error.args[0]):
        return None
    reasons = [str(entry[2]) for entry in error.args[0]]
    for reason in reasons:
        alert = _ALERT.fullmatch(reason)
        if alert is not None:
            return _alertWords(alert[1], connection)
        if reason in _OUR_ERRORS:
            return _OUR_ERRORS[reason]
    return f"TLS failed: {plainText(reasons[0])}"


def _wantsCertificate() -> str:
    return f"the server wants a client certificate ({spelled('cert')})"


def _alertWords(alert: str, connection: SSL.Connection | None) -> str:
    if alert == "handshake failure" and connection is not None:
        # TLS 1.2 has no alert of its own for a missing client certificate, but
        # when the server's has come the ciphers are agreed upon.
        seenPeer = connection.get_peer_certificate() is not None
        if seenPeer and connection.get_certificate() is None:
            return _wantsCertificate()
        if not seenPeer:
            return _NO_CIPHER
    if alert == "certificate required":
        return _wantsCertificate()
    return _ALERTS.get(alert, f"the peer refused the handshake: {plainText(alert)}")
