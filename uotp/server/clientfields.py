"""
What a line of the log says of a client: the same fields wherever it is named.
"""

from __future__ import annotations


def clientFields(certificate: str | None) -> dict[str, str]:
    """
    @param certificate: what the log calls a client's certificate, or L{None} without one.
    @return: the fields for a line of the log: C{clientWords}, for behind an address or the name of a session, and
        where there is a certificate C{client} and C{fingerprint}.
    """
    if certificate is None:
        return {"clientWords": ""}
    name, _, fingerprint = certificate.rpartition(", sha256 ")
    return {"clientWords": f" ({certificate})", "client": name, "fingerprint": fingerprint}
