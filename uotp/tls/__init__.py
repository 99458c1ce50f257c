"""
Whom we trust: certificates, keys, how peers are verified, and refusals in words.  Nothing
here knows a tunnel or a reactor.
"""

from __future__ import annotations

from uotp.tls.credentials import (
    ClientCredentials,
    ClientTls,
    ServerCredentials,
    ServerTls,
    formatsForTokens,
    parsePin,
)
from uotp.tls.dates import Ending, utcNow
from uotp.tls.files import DISK, CopiedFiles, CredentialFiles, FilesReadOnce, openAtOnce
from uotp.tls.peernames import PeerName
from uotp.tls.pins import publicKeyPin
from uotp.tls.proxies import ProxyChoices, withProxyFiles
from uotp.tls.renewal import endingWords
from uotp.tls.tokens import Tokens

__all__ = [
    "DISK",
    "ClientCredentials",
    "ClientTls",
    "CopiedFiles",
    "CredentialFiles",
    "Ending",
    "FilesReadOnce",
    "PeerName",
    "ProxyChoices",
    "ServerCredentials",
    "ServerTls",
    "Tokens",
    "endingWords",
    "formatsForTokens",
    "openAtOnce",
    "parsePin",
    "publicKeyPin",
    "utcNow",
    "withProxyFiles",
]
