"""
The words for a TLS connection that failed: OpenSSL's errors, and the alerts by which the other
end says why it refuses us.  Whoever reads them is told what to do at his side.
"""

from __future__ import annotations

import re
from datetime import timedelta

from cryptography import x509
from OpenSSL import SSL

from uotp.errors import Refusal
from uotp.telemetry import spelled
from uotp.tls.dates import clockText, outOfDate, utcNow
from uotp.tls.reasons import nameText, plainText
from uotp.tls.records import NO_RECORD, TOO_LONG_A_HANDSHAKE, RecordConnection
from uotp.wire import SHOWN_BYTES, foreignSpeech, mayBeSessionId

LATELY = timedelta(days=2)
"""A certificate that is not older may not be valid yet by a clock that is wrong."""

NO_CERTIFICATE = "no client certificate"
NO_TLS = "the peer does not speak TLS"
NO_TLS_OF_PROXY = "what answers there does not speak TLS: the URL of an HTTP proxy without TLS begins with http://"
NO_VERSION = "no common TLS version (1.2 and 1.3 are known here)"
NO_CIPHER = "no common cipher"
TOO_MUCH = "the peer sends too much in its handshake (too many certificates, or too large ones)"

OUR_ERRORS = {
    "peer did not return a certificate": NO_CERTIFICATE,
    "http request": NO_TLS,
    "https proxy request": NO_TLS,
    "wrong version number": NO_TLS,
    "packet length too long": NO_TLS,
    "record layer failure": NO_TLS,
    "unknown protocol": NO_TLS,
    "unsupported protocol": NO_VERSION,
    "version too low": NO_VERSION,
    "wrong ssl version": NO_VERSION,
    "no shared cipher": NO_CIPHER,
    "no suitable signature algorithm": NO_CIPHER,
    "no suitable key share": NO_CIPHER,
    "excessive message size": TOO_MUCH,
    NO_RECORD: NO_TLS,
    TOO_LONG_A_HANDSHAKE: TOO_MUCH,
}
"""What OpenSSL has against the peer, and what the log says of it."""

REFUSED = "the peer refused our certificate: "
REFUSED_US = "the peer refused the handshake: "

OWN_CHECK = "internal error"
"""OpenSSL sends this when a program's own check refuses: a server's list of clients, or a client's name or pin."""

OWN_CHECKS = {
    "server": "our key is not in its list of clients",
    "client": "wrong name or pin",
    "proxy": "a check of its own",
}
"""What such a check of the peer has against us."""

WANTS_OTHER_VERSION = "protocol version"
"""OpenSSL sends this also where what has come first is no TLS at all."""

ALERTS = {
    "unknown ca": REFUSED + "unknown CA; the {peer} needs {issuer} by {cafile}",
    "certificate expired": REFUSED + "expired; {dates}",
    "certificate revoked": REFUSED + "revoked; we need another one ({cert})",
    "bad certificate": REFUSED + "bad certificate; {dates}",
    "unsupported certificate": REFUSED + "wrong purpose; it has to be made for a {own} ({cert})",
    "certificate unknown": REFUSED + "no reason given; its log may have one",
    "access denied": REFUSED_US + "access denied; its log may say why",
    OWN_CHECK: REFUSED_US + "{ownCheck}, or an internal error; its log says which",
    "no application protocol": REFUSED_US + "it wants another protocol (ALPN) than those of {alpn}, so it is no uotp "
    "{peer}, or what ends TLS before it has to take one of them",
    "unrecognized name": REFUSED_US + "it does not know the name that we ask for (see {serverName})",
    WANTS_OTHER_VERSION: NO_VERSION,
    "insufficient security": NO_CIPHER,
}
"""What the peer says against us, and what the log says of it."""

WANTS_OTHER_PROTOCOL = "no application protocol"

ABOUT_CERTIFICATES = frozenset(
    {
        "certificate required",
        "unknown ca",
        "certificate expired",
        "certificate revoked",
        "bad certificate",
        "unsupported certificate",
        "certificate unknown",
        "access denied",
        OWN_CHECK,
    }
)
"""Alerts that a server sends which does not want the client that it sees."""

# "tlsv1 alert unknown ca", "ssl/tls alert bad certificate", "tlsv13 alert certificate required"
_ALERT = re.compile(r"(?:\S+ )?alert (.+)")


def errorWords(error: SSL.Error, connection: RecordConnection | None, peer: str) -> str | None:
    """
    Say in words what an error of OpenSSL means: our own error, or the peer's alert.

    @param error: what ended the connection.
    @param connection: where it happened, if that is still known.
    @param peer: what the peer is to be, C{server}, C{client} or C{proxy}.
    @return: one line, or L{None} when the error says only that the connection
        is gone.
    """
    if isinstance(error, SSL.SysCallError) or not (error.args and error.args[0]):
        return None
    reasons = [str(entry[2]) for entry in error.args[0]]
    for reason in reasons:
        alert = _ALERT.fullmatch(reason)
        if alert is not None:
            return _alertWords(alert[1], connection, peer)
        words = OUR_ERRORS.get(reason)
        if words == NO_TLS and peer == "proxy":
            return NO_TLS_OF_PROXY
        if words == NO_TLS:
            return words + _speechWords(b"" if connection is None else connection.foreign)
        if words is not None:
            return words
    return f"TLS failed: {plainText(reasons[0])}"


def errorKind(error: SSL.Error) -> Refusal:
    """
    @param error: what has ended a connection, see L{errorWords}.
    @return: what kind of reason it is to refuse a client.
    """
    reasons = [str(entry[2]) for entry in error.args[0]] if error.args and error.args[0] else []
    for reason in reasons:
        if _ALERT.fullmatch(reason) is not None:
            return Refusal.PEER_REFUSES
        words = OUR_ERRORS.get(reason)
        if words is not None:
            return {NO_CERTIFICATE: Refusal.NO_CERTIFICATE, NO_TLS: Refusal.NO_TLS}.get(words, Refusal.HANDSHAKE)
    return Refusal.HANDSHAKE


def alertOf(error: SSL.Error) -> str | None:
    """
    @return: the alert by which the other end has ended the connection, in OpenSSL's words; L{None} when it was
        no alert.
    """
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    found = (_ALERT.fullmatch(str(entry[2])) for entry in entries)
    return next((alert[1] for alert in found if alert is not None), None)


def isAboutOurs(error: SSL.Error, connection: SSL.Connection) -> bool:
    """
    @return: whether the other end has something against our certificate, or misses one.
    """
    alert = alertOf(error)
    if alert == "handshake failure":  # TLS 1.2, see above
        return connection.get_peer_certificate() is not None and connection.get_certificate() is None
    return alert in ABOUT_CERTIFICATES


def _speechWords(shown: bytes) -> str:
    """
    @return: what a peer speaks in place of TLS, for the end of a line.
    """
    speech = foreignSpeech(shown) if shown else None
    if speech is None and len(shown) == SHOWN_BYTES and mayBeSessionId(shown):
        speech = "it may be a uotp of format 1 that was told {plain}"
    return (": " + (speech or "was {plain} said there?")).format(plain=spelled("tls=None"))


def _wantsCertificate(peer: str) -> str:
    if peer == "proxy":
        return "the proxy wants a client certificate, and none is shown to a proxy here"
    return f"the server wants a client certificate ({spelled('cert')})"


def _alertWords(alert: str, connection: RecordConnection | None, peer: str) -> str:
    if alert == "handshake failure" and connection is not None:
        # TLS 1.2 has no alert of its own for a missing client certificate, but
        # when the server's has come the ciphers are agreed upon.
        seenPeer = connection.get_peer_certificate() is not None
        if seenPeer and connection.get_certificate() is None:
            return _wantsCertificate(peer)
        if not seenPeer:
            return NO_CIPHER
    if alert == "certificate required":
        return _wantsCertificate(peer)
    words = ALERTS.get(alert)
    if words is None:
        return REFUSED_US + plainText(alert)
    ours = None if connection is None else _ownCertificate(connection)
    return words.format(
        peer=peer,
        own="server" if peer == "client" else "client",
        ownCheck=OWN_CHECKS[peer],
        issuer="the CA that has signed it" if ours is None else nameText(ours.issuer),
        dates="its log says more" if ours is None else _dates(ours, peer),
        **{setting: spelled(setting) for setting in ("alpn", "cafile", "cert", "serverName")},
    )


def _ownCertificate(connection: SSL.Connection) -> x509.Certificate | None:
    shown = connection.get_certificate()
    return None if shown is None else shown.to_cryptography()


def _dates(ours: x509.Certificate, peer: str) -> str:
    """
    @return: what our own clock says of a certificate that the peer refused.
    """
    now = utcNow()
    reason = outOfDate(ours, now)
    if reason is not None:
        return f"another one is needed ({spelled('cert')}): it {reason}"
    begins, ends = ours.not_valid_before_utc, ours.not_valid_after_utc
    if now - begins < LATELY:
        valid = f"from {begins:%Y-%m-%d %H:%M} UTC to {ends:%Y-%m-%d}"
    else:
        valid = f"until {ends:%Y-%m-%d}"
    return f"it is good {valid}, and it is {clockText(now)} here: is the {peer}'s clock right, and its CA up to date?"
