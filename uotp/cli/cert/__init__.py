"""
C{uotp cert}: it makes a private PKI, and adds, lists, renews and revokes what the CA has issued.
How that is done, L{uotp.pki} knows.
"""

from __future__ import annotations

from uotp.cli.cert.command import cert
from uotp.cli.cert.initial import CertOptions

__all__ = ["CertOptions", "cert"]
