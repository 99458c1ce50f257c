"""
Which credentials a client has by its settings.
"""

from __future__ import annotations

from uotp.client.settings import ClientSettings
from uotp.tls import DISK, ClientCredentials, ClientTls, CredentialFiles, ProxyChoices


def clientCredentials(
    tls: ClientTls | None, settings: ClientSettings, *, files: CredentialFiles = DISK, keepsContents: bool = False
) -> ClientCredentials | None:
    """
    @param tls: how to verify the server and how to show who we are; L{None} for plain TCP.
    @param files: where the files are.
    @param keepsContents: see L{ClientCredentials}.
    @return: the credentials, or L{None} where there are none: in plain TCP without a proxy.
    @raise ConfigurationError: for files that cannot be used, and for a server that no certificate could name.
    """
    proxy = None
    if settings.proxy is not None:
        proxy = ProxyChoices(settings.proxy, settings.proxyAuthFile, settings.proxyCafile)
    elif tls is None:
        return None
    found = ClientCredentials(
        tls, wire=settings.wire, alpn=settings.alpn, proxy=proxy, files=files, keepsContents=keepsContents
    )
    if tls is not None:
        for place in settings.servers:
            found.creatorFor(place.host)
    return found
