"""
The credentials of a server, as its settings want them.
"""

from __future__ import annotations

from uotp.server.settings import ServerSettings
from uotp.tls import DISK, CredentialFiles, ServerCredentials, ServerTls


def serverCredentials(
    tls: ServerTls | None, settings: ServerSettings, *, files: CredentialFiles = DISK, keepsContents: bool = False
) -> ServerCredentials | None:
    """
    @param tls: certificate and key, and who may connect; L{None} for plain TCP.
    @param files: where the files are.
    @param keepsContents: see L{ServerCredentials}.
    @return: the credentials, or L{None} where there are none: in plain TCP without tokens.
    @raise ConfigurationError: for files that cannot be used.
    """
    tokenFile = settings.tokenFile
    if tls is None and tokenFile is None:
        return None
    return ServerCredentials(
        tls,
        wire=settings.wire,
        alpn=settings.alpn,
        tokenFile=tokenFile,
        files=files,
        keepsContents=keepsContents,
    )
