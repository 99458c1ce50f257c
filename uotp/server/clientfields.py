"""
What a line of the log says of a client: the same fields wherever it is named.
"""

from __future__ import annotations

SHA256_FOLLOWS = ", sha256 "
"""
What stands between a client's name and the fingerprint of its certificate.  Where a list of clients
names it, there is no fingerprint.
"""


def clientFields(certificate: str | None) -> dict[str, str]:
    """
    @param certificate: what the log calls a client's certificate, or L{None} without one.
    @return: the fields for a line of the log: C{clientWords}, for behind an address or the name of a session, and
        where there is a certificate C{client} and C{fingerprint}.
    """
    if certificate is None:
        return {"clientWords": ""}
    name, isCertificate, fingerprint = certificate.rpartition(SHA256_FOLLOWS)
    if not isCertificate:
        name, fingerprint = certificate, ""
    return {"clientWords": f" ({certificate})", "client": name, "fingerprint": fingerprint}
