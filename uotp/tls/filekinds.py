"""
Recognises files that are not in the format that is needed, and says how to make them so.  A file
is looked at only when nothing of use was found in it, or to refuse what must not be passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from shlex import quote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key

from uotp.telemetry import spelled

CERTIFICATE, KEY, LISTS = "certificate", "private key", "revocation list"

_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")

_LABELS = {
    b"TRUSTED CERTIFICATE": "has a TRUSTED CERTIFICATE, with notes of OpenSSL's own that are not understood here: "
    "openssl x509 -in {file} -out new.pem",
    b"PKCS7": "is in PKCS#7 format: openssl pkcs7 -print_certs -in {file} -out new.pem",
    b"CMS": "is in PKCS#7 format: openssl pkcs7 -print_certs -in {file} -out new.pem",
    b"CERTIFICATE REQUEST": "has a request for a certificate: the certificate is what the CA makes of it",
    b"NEW CERTIFICATE REQUEST": "has a request for a certificate: the certificate is what the CA makes of it",
    b"OPENSSH PRIVATE KEY": "has a key of SSH, which TLS does not use",
    b"PUBLIC KEY": "has a public key: the private key or the certificate is needed",
    b"PGP PUBLIC KEY BLOCK": "has a key of PGP, which TLS does not use",
    b"PGP PRIVATE KEY BLOCK": "has a key of PGP, which TLS does not use",
}
"""What a file is when it has such a label and not what is needed."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"-\0-\0", b"\0-\0-")
_JAVA = (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce")
_PKCS12 = re.compile(rb"\x30(?:[\x00-\x7f]|\x80|\x81.|\x82..|\x83...)\x02\x01\x03\x30", re.DOTALL)


def labelsOf(data: bytes) -> set[bytes]:
    """
    @return: what the file says of itself: the labels of all that it holds in PEM.
    """
    return set(_LABEL.findall(data))


def advice(data: bytes, path: str, needed: str) -> str:
    """
    Say what a file is that does not hold what is needed.

    @param data: what it holds.
    @param path: its name.
    @param needed: L{CERTIFICATE}, L{KEY} or L{LISTS}.
    @return: words that follow the name of the file.
    """
    if not data.strip():
        return "is empty"
    words = _binaryWords(data) or _labelWords(labelsOf(data), needed)
    return (words or "has no {needed} in PEM format").format(needed=needed, file=quote(path))


def _labelWords(labels: set[bytes], needed: str) -> str | None:
    for label, words in _LABELS.items():
        if label in labels:
            return words
    if needed == LISTS and labels & {b"CERTIFICATE", b"X509 CERTIFICATE"}:
        return "has certificates and no revocation list (X509 CRL)"
    if b"X509 CRL" in labels and needed != LISTS:
        return "has revocation lists and no {needed}"
    if needed == CERTIFICATE and any(label.endswith(b"PRIVATE KEY") for label in labels):
        return "has a private key and no certificate"
    if needed == KEY and any(label.endswith(b"CERTIFICATE") for label in labels):
        return f"has certificates and no private key: {spelled('key')} names the key's file"
    return None


def _binaryWords(data: bytes) -> str | None:
    if data.startswith(_UTF16):
        return "is text in UTF-16: save it as plain text"
    if data.startswith(_JAVA):
        return "is a Java keystore: keytool and openssl pkcs12 make PEM files of it"
    if not data.startswith(b"\x30"):
        return None
    if _PKCS12.match(data):
        return "is in PKCS#12 format (.p12, .pfx): openssl pkcs12 -in {file} -nodes -out new.pem"
    ways: tuple[tuple[Callable[[bytes], object], str], ...] = (
        (x509.load_der_x509_certificate, "openssl x509 -in {file} -inform DER -out new.pem"),
        (lambda der: load_der_private_key(der, None), "openssl pkey -in {file} -inform DER -out new.pem"),
        (x509.load_der_x509_crl, "openssl crl -in {file} -inform DER -out new.pem"),
    )
    for load, command in ways:
        if _isReadBy(load, data):
            return f"is in DER format: {command}"
    return None


def _isReadBy(load: Callable[[bytes], object], data: bytes) -> bool:
    try:
        load(data)
    except TypeError:  # a key with a pass phrase
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True
