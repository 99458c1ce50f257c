"""
Pins: the hash of a public key, by which a peer is known whatever its certificate says.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from uotp.tls.reasons import plainText

PIN_BYTES = 32
"""The length of a SHA-256 hash."""


def publicKeyPin(certificate: x509.Certificate) -> bytes:
    """
    Take the fingerprint of a certificate's key, which stays the same when the
    certificate is renewed with that key.

    @param certificate: the certificate.
    @return: the SHA-256 of its SubjectPublicKeyInfo, 32 bytes.
    """
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def readablePin(certificate: x509.Certificate) -> bytes:
    """
    @return: see L{publicKeyPin}; nothing for a key that the library cannot read, though OpenSSL may.
    """
    try:
        return publicKeyPin(certificate)
    except (ValueError, UnsupportedAlgorithm):
        return b""


def parsePin(text: str) -> bytes:
    """
    Read a pin as people write it.

    @param text: 64 hexadecimal digits, colons allowed, or the base64 of 32
        bytes; C{sha256//} or C{sha256:} may stand before either, in any case, and what
        C{openssl dgst} and C{sha256sum} print beside the digits.
    @return: the 32 bytes.
    @raise ValueError: when it is neither.
    """
    bare = re.sub(r"^sha256(//|:)|^sha2?-?256\(.*\)= *|  ?\*?-$", "", text.strip(), flags=re.IGNORECASE)
    digits = bare.replace(":", "")
    try:
        if re.fullmatch(r"[0-9a-fA-F]{64}", digits):
            return bytes.fromhex(digits)
        pin = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        pin = b""
    if len(pin) != PIN_BYTES:
        message = (
            f"{plainText(text)!r} is no SHA-256 pin: 64 hexadecimal digits, or base64 of 32 bytes{_otherHash(bare)}"
        )
        raise ValueError(message)
    return pin


def _otherHash(text: str) -> str:
    """
    @return: what a text is that was taken for a pin, to stand at the end of an error.
    """
    if "fingerprint" in text.lower():
        return "; this is of the certificate, and a pin is of its public key: `uotp cert` prints it"
    if re.fullmatch("[0-9a-fA-F]{40}", text.replace(":", "")):
        return "; this has the length of a SHA-1"
    if re.search("[;, ]", text):
        return ", one alone"
    return ""
