"""
Names of certificates, as X.509 compares them (RFC 5280, 7.1): it does not matter whether letters are large or
small, how many spaces stand between words, nor as what kind of string a name was written.
"""

from __future__ import annotations

from hashlib import sha256

from cryptography import x509

KnownChain = tuple[tuple[bytes, bytes, int], ...]
"""
Certificates, each by the L{nameDigest} of its issuer, the L{uotp.tls.pins.publicKeyPin} of its issuer's key, which is
empty where nobody has shown that, and its serial number; the peer's own is the first.  A root is not among them.
"""


def nameDigest(name: x509.Name) -> bytes:
    """
    Bring a name into one form, of one length however long it is.  Letters are made small as OpenSSL does, which
    has built the chain by such names: only those of ASCII.

    @param name: a subject or an issuer.
    @return: what is the same for names that are the same.
    @raise ValueError: for a name that is damaged.
    """
    found = sha256()
    for part in name.rdns:
        pairs = sorted((each.oid.dotted_string.encode("ascii"), _canonical(each.value)) for each in part)
        found.update(b"%d\0" % len(pairs))
        for oid, value in pairs:
            found.update(b"%b\0%d\0" % (oid, len(value)))
            found.update(value)
    return found.digest()


def _canonical(value: str | bytes) -> bytes:
    """
    @return: the value of an attribute.  Without an argument, C{split} and C{lower} of bytes know ASCII alone.
    """
    return b" ".join(value.encode("utf-8").lower().split()) if isinstance(value, str) else value
